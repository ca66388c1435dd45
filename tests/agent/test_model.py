from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgegreen.agent import runtimes
from edgegreen.agent.model import Model
from edgegreen.agent.outputs import OutputChunks
from edgegreen.agent.runtimes.tensors import Mismatch
from edgegreen.agent.wire import Failed
from edgegreen.client.messages import PackedTensor


@pytest.fixture(scope="module")
def runtime(models: Path) -> runtimes.Runtime:
    """Its file has b before a."""
    return runtimes.load("litert", [str(models / "two_in_two_out.tflite")], 1)


def test_samples_go_in_and_out_in_the_recipes_order(runtime: runtimes.Runtime) -> None:
    model = Model(runtime, [1, 0], [1, 0])
    a, b = np.array([[0.1, 0.9, 0, 0]], "f4"), np.full((1, 2, 2), -1.0, "f4")
    largest, total = model.run([a, b])
    assert largest.tolist() == [1]
    np.testing.assert_allclose(total, [[-0.9, -0.1, -1, -1]], atol=0.05)
    assert [tensor.shape for tensor in model.inputs] == [(1, 4), (1, 2, 2)]
    assert [tensor.dtype for tensor in model.outputs] == ["int64", "int8"]


@pytest.mark.parametrize(
    ("inputs", "outputs"), [([0], [0]), ([0, 0], [0]), ([0, 1, 2], [0]), ([0, 1], [2]), ([0, 1], [])]
)
def test_orders_that_do_not_fit(runtime: runtimes.Runtime, inputs: list[int], outputs: list[int]) -> None:
    with pytest.raises(Mismatch):
        Model(runtime, inputs, outputs)


def test_the_number_of_inputs_is_checked(runtime: runtimes.Runtime) -> None:
    with pytest.raises(Mismatch, match=r"2 inputs \(.*a.*b.*\), the data 1 \(`x`\)"):
        Model(runtime, [1, 0], [0]).check(["x"])


def test_noise_is_the_same_every_time_and_real(runtime: runtimes.Runtime) -> None:
    model = Model(runtime, [1, 0], [0])
    first, second = model.noise(), model.noise()
    assert [value.shape for value in first] == [(1, 4), (1, 2, 2)]
    assert all(np.array_equal(one, other) for one, other in zip(first, second, strict=True))
    assert all(0 < value.std() < 1 and value.min() >= 0 and value.max() <= 1 for value in first)


def test_outputs_are_sent_in_chunks_of_equal_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgegreen.agent.outputs.OUTPUTS_CHUNK_BYTES", 40)
    sent: list[dict] = []
    chunks = OutputChunks(sent.append)
    given = [[np.full((1, 4), i, "f4"), np.array(i)] for i in range(3)] + [
        [np.zeros((1, 2), "f4"), np.array(9)]
    ]
    for outputs in given:
        chunks.add(outputs)
    chunks.flush()
    chunks.flush()
    assert [(event["start"], event["n"]) for event in sent] == [(0, 2), (2, 1), (3, 1)]
    first, second = (PackedTensor(**tensor).array() for tensor in sent[0]["tensors"])
    assert (first.tolist(), second.tolist()) == ([[0] * 4, [1] * 4], [0, 1])


def test_an_output_too_large_to_send_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgegreen.agent.outputs.MAX_SAMPLE_OUTPUT_BYTES", 1 << 20)
    with pytest.raises(Failed, match="take 2 MB, more than the 1 MB"):
        OutputChunks(lambda _: None).add([np.zeros((1, 1 << 19), "f4")])
