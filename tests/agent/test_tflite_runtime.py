"""The same agent on tflite-runtime, which wants numpy < 2 and Python ≤ 3.11: an environment of its own.

`tox -e tflite-runtime` makes it; EDGEGREEN_TFLITE_RUNTIME_PYTHON names its Python.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from agent.talk import Talk, job
from edgegreen.client.messages import PackedTensor

VARIABLE = "EDGEGREEN_TFLITE_RUNTIME_PYTHON"


@pytest.fixture(scope="module")
def old_talk(pyz: Path) -> Iterator[Talk]:
    """An agent of the Python that has tflite-runtime."""
    python = os.environ.get(VARIABLE, "")
    if not (python and Path(python).exists()):
        reason = f"{VARIABLE} names no Python with tflite-runtime; `tox -e tflite-runtime` makes one"
        if os.environ.get("EDGEGREEN_REQUIRE_TFLITE_RUNTIME") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    with Talk(pyz, python=python) as talk:
        yield talk


def test_it_is_found(old_talk: Talk) -> None:
    old_talk.send({"verb": "probe"})
    (facts,) = old_talk.answer()
    assert facts["runtimes"]["tflite-runtime"].startswith("2.")
    assert "litert" not in facts["runtimes"]


def test_kws_int8_keeps_its_accuracy(old_talk: Talk, assets: Path) -> None:
    data = assets / "kws" / "kws01_evaluation.npz"
    asked = job(
        assets / "kws" / "kws_ref_model_int8.tflite",
        runtime="tflite-runtime", samples=str(data), evaluate=True, duration_s=0.5,
    )  # fmt: skip
    old_talk.send({"verb": "measure", "id": "t1", "job": asked})
    *events, last = old_talk.answer()
    assert last["event"] == "measured", last
    outputs = [PackedTensor(**event["tensors"][0]).array() for event in events if event["event"] == "outputs"]
    predicted = np.concatenate(outputs).argmax(axis=1)
    assert (predicted == np.load(data)["y"]).mean() >= 0.895
    # No XNNPACK for int8 there: fifteen times slower than ai-edge-litert, so the row has to say so.
    assert (last["runtime"]["name"], last["runtime"]["delegate"]) == ("tflite-runtime", None)
    assert sum(kind["count"] for kind in last["executed"]) == 13
    assert {kind["delegated"] for kind in last["executed"]} == {False}
    products = {(kind["type"], kind["precision"]) for kind in last["executed"] if kind["role"] == "compute"}
    assert products == {("CONV_2D", "i8"), ("DEPTHWISE_CONV_2D", "i8"), ("FULLY_CONNECTED", "i8")}


def test_two_inputs_and_two_outputs(old_talk: Talk, models: Path, tmp_path: Path) -> None:
    a, b = np.array([[0.5, -0.5, 0.25, 0]], "f4"), np.full((1, 2, 2), -1, "f4")
    np.savez(tmp_path / "pair.npz", x0=a, x1=b)
    asked = job(
        models / "two_in_two_out.tflite", runtime="tflite-runtime", input_order=[1, 0], output_order=[1, 0],
        samples=str(tmp_path / "pair.npz"), evaluate=True,
    )  # fmt: skip
    old_talk.send({"verb": "measure", "id": "t1", "job": asked})
    *events, last = old_talk.answer()
    assert last["event"] == "measured", last
    (event,) = [event for event in events if event["event"] == "outputs"]
    largest, total = (PackedTensor(**tensor).array() for tensor in event["tensors"])
    assert largest.tolist() == [0]
    np.testing.assert_allclose(total, a - 1, atol=0.06)


def test_what_it_does_not_have_is_said(old_talk: Talk, models: Path) -> None:
    last = old_talk.ask(job(models / "two_in_two_out.tflite", runtime="litert"))
    assert (last["kind"], "ai_edge_litert" in last["error"]) == ("load", True)
    last = old_talk.ask(job(models / "bfloat16.tflite", runtime="tflite-runtime"))
    assert last["kind"] == "load"
