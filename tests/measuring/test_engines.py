"""What a board is told to build, and which samples its engine is judged by."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgegreen.agent import subset
from edgegreen.agent.trtexec.order import Order, Port
from edgegreen.artifact import Artifact, File
from edgegreen.client import diagnosis
from edgegreen.client.messages import Failed
from edgegreen.config.tensorrtkeys import TensorRT
from edgegreen.errors import InputError
from edgegreen.measuring import engines
from edgegreen.measuring.evaluation import EvaluationSet

GOOD = {
    "precision": "int8", "timeout_s": 1,
    "inputs": [["x", [1], "float32"]], "outputs": [["y", [1], "float32"]],
}  # fmt: skip
PROOF = Path(engines.__file__).parents[1] / "provision" / "proof" / "model.onnx"
ARTIFACT = Artifact("k", "tensorrt", "int8", (File.of(PROOF),), (), (), (0,), (0,), "test", None, 0)


def test_the_order_is_read_off_the_model() -> None:
    order = engines.order(ARTIFACT, TensorRT(build_timeout_s=90))
    assert (order.precision, order.timeout_s) == ("int8", 90.0)
    assert order.inputs == (Port("x", (1, 4), "float32"),)
    assert [port.shape for port in order.outputs] == [(1, 3)]
    assert Order.parse(order.wire()) == order


@pytest.mark.parametrize(
    ("version", "opset"),
    [
        ("7.1.3", 11), ("8.0.1", 13), ("8.2.1", 13), ("8.4.0", 13), ("8.4.1", 17), ("8.5.2", 17), ("8.6", 17),
        ("10.0.1", 20), ("10.3.0", None), ("11.1.0", None), ("9.1.0", None), ("5.1.6", None),
        ("unknown", None),
    ],
)  # fmt: skip
def test_which_opset_a_parser_takes(version: str, opset: int | None) -> None:
    assert engines.takes_opset(version) == opset


def test_a_model_that_is_newer_than_the_boards_parser() -> None:
    """The proof is of opset 13."""
    assert engines.doubt(ARTIFACT, "7.1.3") == (
        "the model is of ONNX opset 13, and TensorRT 7.1.3 takes 11 at most: it may refuse the model; "
        "an .onnx of your own can be exported at 11"
    )
    assert [engines.doubt(ARTIFACT, version) for version in ("8.2.1", "unknown")] == [None, None]


def test_without_a_precision_only_scales_ask_for_int8() -> None:
    assert engines.order(replace(ARTIFACT, precision=None), TensorRT()).precision == "fp32"


def test_an_input_that_is_open_is_refused(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    floats = onnx.TensorProto.FLOAT
    ports = [
        onnx.helper.make_tensor_value_info(name, floats, shape)
        for name, shape in (("x", ["n", "w"]), ("y", ["n", "w"]))
    ]
    graph = onnx.helper.make_graph([onnx.helper.make_node("Relu", ["x"], ["y"])], "g", ports[:1], ports[1:])
    onnx.save(onnx.helper.make_model(graph), tmp_path / "open.onnx")
    with pytest.raises(InputError, match="input `x` has the dynamic shape"):
        engines.order(replace(ARTIFACT, files=(File.of(tmp_path / "open.onnx"),)), TensorRT())


@pytest.mark.parametrize(
    "raw",
    [
        None, [], {}, {"precision": "int8"}, GOOD | {"precision": "int4"}, GOOD | {"timeout_s": 0},
        GOOD | {"timeout_s": True}, GOOD | {"inputs": []}, GOOD | {"inputs": [["x", [-1], "float32"]]},
        GOOD | {"outputs": [["y", [1]]]}, GOOD | {"more": 1},
    ],
)  # fmt: skip
def test_an_order_that_makes_no_sense(raw: Any) -> None:
    assert Order.parse(GOOD)
    with pytest.raises(ValueError, match=r"engine is ordered by|no input or output|not enough values"):
        Order.parse(raw)


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (
            "trtexec could not build the engine: TensorRT has no operator `GridSample`",
            "export it without, or at an older opset",
        ),
        ("trtexec was still building the engine after 90 s", "build_timeout_s"),
        ("TensorRT 7.1.3 takes no int8 model with its scales in it", "fp16 is what this board has"),
    ],
)
def test_what_to_do_about_it(error: str, hint: str) -> None:
    failed = Failed("t1", "load", error, "", None)
    assert hint in (diagnosis.of_trial(failed, "tensorrt").hint or "")


@pytest.mark.parametrize(("runtime", "hint"), [("edgetpu", "libedgetpu1-std"), ("edgetpu-litert", "rebuilt")])
def test_what_to_do_without_libedgetpu(runtime: str, hint: str) -> None:
    """Google's own library crashes in LiteRT: it is no advice there."""
    failed = Failed("t1", "load", "libedgetpu.so.1: cannot open shared object file", "", None)
    assert hint in (diagnosis.of_trial(failed, runtime).hint or "")


def test_what_to_do_about_an_onnxruntime_for_the_cpu_alone() -> None:
    failed = Failed("t1", "load", "this onnxruntime has no CUDA; it has CPU", "", None)
    assert "onnxruntime-gpu" in (diagnosis.of_trial(failed, "onnxruntime").hint or "")


@given(st.integers(1, 5000), st.integers(1, 300))
def test_samples_are_spread_evenly(n: int, most: int) -> None:
    numbers = list(subset.numbers(n, most))
    assert len(numbers) == min(n, most)
    assert numbers[0] == 0
    assert numbers[-1] < n
    steps = np.diff(numbers)
    assert steps.size == 0 or (steps.min() >= 1 and steps.max() - steps.min() <= 1)
    assert list(subset.numbers(n, None)) == list(range(n))


def test_labels_and_expected_outputs_go_with_the_samples() -> None:
    whole = EvaluationSet(ARTIFACT.files[0], 10, np.arange(10) * 10)
    part, numbers = engines.chosen(whole, TensorRT(samples=3))
    assert numbers == (0, 3, 6)
    assert part.labels is not None
    assert part.labels.tolist() == [0, 30, 60]
    assert (part.n, part.of) == (3, 10)
    fewer = engines.Fewer(part, numbers, Future())
    (expected,) = fewer.expected([np.arange(5)[:, None]]) or [np.empty(0)]
    assert expected.tolist() == [[0], [3]]  # the host has computed the first five only
    assert engines.chosen(whole, TensorRT())[0].of is None
