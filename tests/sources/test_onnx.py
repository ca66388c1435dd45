"""ONNX → .tflite through onnx2tf: the real tool, installed into an environment of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgegreen.errors import ConversionError
from edgegreen.sources import host, load, onnx
from edgegreen.sources.load import Workshop
from edgegreen.sources.outputs import Row
from edgegreen.sources.request import Request
from edgegreen.sources.samples import rows
from sources import onnx_models


def nothing(stage: str, done: float | None = None) -> None:
    """No report."""


@pytest.mark.slow
def test_the_float_tflite_computes_what_the_onnx_package_does(
    home: Path, shop: Workshop, tmp_path: Path
) -> None:
    """Names no identifier would have, a dynamic width, an output with channels, inputs in any order."""
    path = onnx_models.conv_net(tmp_path / "net.onnx", width="W")
    before = path.read_bytes()
    data = onnx_models.data(tmp_path / "data.npz")
    request = Request.of(path, calibration=data, input_shape={"image.1": (3, 16, 12)})
    source = load.load(request, shop, nothing)
    said: list[str] = []

    def report(stage: str, done: float | None = None) -> None:
        said.append(stage)

    hub = load.tflite_hub(request, source, shop, report)
    assert said[0].startswith("installing onnx2tf==")
    assert hub.built_by.startswith("onnx2tf ")
    assert list((home / "tools").glob("onnx2tf-*/edgegreen-complete"))
    assert path.read_bytes() == before  # onnx2tf writes to its input; the user's model is not that
    got = map(np.concatenate, zip(*host.outputs(hub, rows(data, "calibration"), 1), strict=True))
    for found, wanted in zip(got, onnx_models.oracle(path, data), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


class TestPairing:
    """onnx2tf's outputs are known by their values."""

    RANDOM = np.random.default_rng(0)

    def sample(self) -> Row:
        return [self.RANDOM.normal(size=shape).astype(np.float32) for shape in ((1, 5), (1, 5), (1, 3, 4, 6))]

    def test_in_any_order_with_channels_last(self) -> None:
        want = [self.sample() for _ in range(8)]
        got = [[np.moveaxis(maps, 1, -1), second, first] for first, second, maps in want]
        assert onnx._paired_outputs(want, got, "abc") == [(2, False), (1, False), (0, True)]

    def test_equal_outputs_are_each_paired_once(self) -> None:
        want = [[row[0], row[0]] for row in (self.sample() for _ in range(8))]
        assert sorted(onnx._paired_outputs(want, want, "ab")) == [(0, False), (1, False)]

    def test_one_that_is_not_there(self) -> None:
        want = [self.sample() for _ in range(8)]
        got = [[first, first * 0.5, maps] for first, _, maps in want]
        with pytest.raises(ConversionError, match="computes something else: its nearest to output `b`"):
            onnx._paired_outputs(want, got, "abc")

    def test_class_numbers(self) -> None:
        want = [[np.array([[number]])] for number in range(8)]
        assert onnx._paired_outputs(want, want, "a") == [(0, False)]
        with pytest.raises(ConversionError):
            onnx._paired_outputs(want, want[::-1], "a")
