from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as ops

from agent.talk import Talk, job
from edgegreen.client.messages import Latencies, PackedTensor


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Samples for two_in_two_out.tflite: x0 is a, x1 is b."""
    random = np.random.default_rng(1)
    path = tmp_path_factory.mktemp("pair") / "pair.npz"
    a, b = random.uniform(-1, 1, (20, 4)), random.uniform(-2, 2, (20, 2, 2))
    np.savez(path, x0=a.astype("f4"), x1=b.astype("f4"), y=a.argmax(axis=1))
    return path


def gathered(events: list[dict[str, Any]]) -> list[np.ndarray]:
    """The outputs in `events`, put together."""
    parts = [
        [PackedTensor(**tensor).array() for tensor in event["tensors"]]
        for event in events
        if event["event"] == "outputs"
    ]
    return [np.concatenate(column) for column in zip(*parts, strict=True)]


def times(events: list[dict[str, Any]], stage: str) -> np.ndarray:
    """The call times of a stage, put together."""
    fields = [
        {name: value for name, value in event.items() if name not in ("v", "event")}
        for event in events
        if event["event"] == "latencies" and event["stage"] == stage
    ]
    return np.concatenate([Latencies(**one).times_ns() for one in fields])


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
def test_two_inputs_and_two_outputs(talk: Talk, models: Path, pair: Path, order: list[int]) -> None:
    asked = job(models / "two_in_two_out.tflite", input_order=[1, 0], output_order=order, evaluate=True)
    talk.send({"verb": "measure", "id": "t1", "job": {**asked, "samples": str(pair)}})
    *events, last = talk.answer()
    assert last["event"] == "measured", last
    outputs = gathered(events)
    total, largest = (outputs[order.index(number)] for number in (0, 1))
    data = np.load(pair)
    assert (total.dtype, total.shape, largest.dtype, largest.shape) == ("float32", (20, 4), "int64", (20,))
    np.testing.assert_allclose(total, data["x0"] + data["x1"].reshape(20, 4), atol=0.06)
    assert (largest == data["y"]).mean() >= 0.9  # the inputs are rounded to 8 bits before they are compared
    assert [tensor["shape"] for tensor in last["inputs"]] == [[1, 4], [1, 2, 2]]
    assert last["fed"] == "first sample of pair.npz"


def test_what_is_measured(talk: Talk, models: Path) -> None:
    talk.send(
        {"verb": "measure", "id": "t9", "job": job(models / "int4.tflite", duration_s=0.5, min_runs=20)}
    )
    *events, last = talk.answer()
    assert last["fed"] == "seeded noise"
    assert last["runtime"]["name"] == "litert"
    assert {event["id"] for event in events} == {"t9"}
    for stage, shortest in (("invoke", 0.5), ("end_to_end", 0.1)):
        window = next(event for event in events if event["event"] == "latencies" and event["stage"] == stage)
        taken = times(events, stage)
        assert window["end_ns"] - window["start_ns"] >= shortest * 1e9
        assert len(taken) == window["runs"] >= 20
        assert 0 < taken.sum() <= window["end_ns"] - window["start_ns"]
    assert 0 < last["load_ms"] < 5000
    assert 0 < last["first_inference_ms"] < 1000
    assert 1 << 20 < last["peak_rss_bytes"] < 500 << 20
    assert not [event for event in events if event["event"] == "outputs"]
    stages = [event["stage"] for event in events if event["event"] == "progress"]
    assert list(dict.fromkeys(stages)) == ["load", "warmup", "latency", "end_to_end"]


def test_peak_memory_is_the_models(talk: Talk, tmp_path: Path) -> None:
    """Two models that differ by 64 MB of weights differ by about as much in peak memory."""
    peaks = []
    for number in (1, 17):
        x = ops.parameter([1, 1024], np.float32, name="x")
        weights = ops.constant(np.random.default_rng(0).random((1024, number * 1024), "f4"))
        model = ov.Model([ops.result(ops.reduce_mean(ops.matmul(x, weights, False, False), 1))], [x])
        ov.save_model(model, tmp_path / f"{number}.xml", compress_to_fp16=False)
        files = (tmp_path / f"{number}.xml", tmp_path / f"{number}.bin")
        peaks.append(talk.ask(job(*files, runtime="openvino"))["peak_rss_bytes"])
    assert 50 << 20 < peaks[1] - peaks[0] < 300 << 20


def test_openvino_through_the_agent_leaves_no_trace(pyz: Path, tmp_path: Path, assets: Path) -> None:
    x = ops.parameter([1, 49, 10, 1], np.float32, name="x")
    mean = ops.reduce_mean(x, np.array([1, 2, 3]))
    ov.save_model(ov.Model([ops.result(mean)], [x]), tmp_path / "m.xml", compress_to_fp16=False)
    home = tmp_path / "home"
    home.mkdir()
    data = assets / "kws" / "kws01_evaluation.npz"
    with Talk(pyz, env={"HOME": str(home), "PATH": os.environ["PATH"]}) as talk:
        asked = job(
            tmp_path / "m.xml", tmp_path / "m.bin", runtime="openvino", samples=str(data), evaluate=True
        )
        talk.send({"verb": "measure", "id": "t1", "job": asked})
        *events, last = talk.answer()
    assert (last["event"], last["runtime"]["name"]) == ("measured", "openvino")
    assert last["runtime"]["delegate"] in (None, "bf16", "f16")  # as the processor has it
    np.testing.assert_allclose(gathered(events)[0], np.load(data)["x"].mean(axis=(1, 2, 3)), rtol=1e-3)
    assert list(home.iterdir()) == []  # no telemetry's client id, no cache


def test_a_missing_extent_of_one_is_no_mismatch(talk: Talk, tmp_path: Path, assets: Path) -> None:
    x = np.load(assets / "kws" / "kws01_evaluation.npz")["x"][:3]
    np.savez(tmp_path / "flat.npz", x=x[..., 0])
    asked = job(assets / "kws/kws_ref_model_int8.tflite", samples=str(tmp_path / "flat.npz"), evaluate=True)
    assert talk.ask(asked)["event"] == "measured"


def npz(path: Path, **arrays: np.ndarray) -> str:
    np.savez(path, **arrays)
    return str(path)


def test_data_that_do_not_fit_are_said_in_words(
    talk: Talk, tmp_path: Path, models: Path, assets: Path
) -> None:
    kws = assets / "kws" / "kws_ref_model_int8.tflite"
    turned = npz(tmp_path / "turned.npz", x=np.zeros((3, 10, 49), "f4"))
    last = talk.ask(job(kws, samples=turned, evaluate=True))
    assert (last["kind"], last["error"]) == (
        "data",
        "input `input_1` takes shape 1×49×10×1, a sample has 1×10×49",
    )
    one = npz(tmp_path / "one.npz", x=np.zeros((3, 4), "f4"))
    last = talk.ask(job(models / "two_in_two_out.tflite", samples=one, evaluate=True, input_order=[1, 0]))
    assert last["kind"] == "data"
    assert "the model has 2 inputs" in last["error"]
    last = talk.ask(job(kws, samples=str(kws), evaluate=True))
    assert (last["kind"], "not an npz" in last["error"]) == ("data", True)
    last = talk.ask(
        job(models / "int4.tflite", samples=npz(tmp_path / "big.npz", x=np.full((1, 4), 99, "i1")))
    )
    assert last["kind"] == "data"
    assert "INT4" in last["error"]


@pytest.mark.parametrize("model", ["dynamic", "text", "bfloat16"])
def test_models_whose_inputs_cannot_be_fed(talk: Talk, models: Path, model: str) -> None:
    last = talk.ask(job(models / f"{model}.tflite"))
    assert (last["event"], last["kind"], last["detail"] != "") == ("failed", "load", True)


@pytest.mark.parametrize("kept", [0, 100, 5000, 53000])
def test_a_truncated_model_fails_and_takes_nothing_along(
    talk: Talk, tmp_path: Path, assets: Path, kept: int
) -> None:
    whole = (assets / "kws" / "kws_ref_model_int8.tflite").read_bytes()
    (tmp_path / "cut.tflite").write_bytes(whole[:kept])
    last = talk.ask(job(tmp_path / "cut.tflite"))
    assert (last["event"], last["kind"] in ("load", "died")) == ("failed", True)
    assert talk.ask(job(assets / "kws" / "kws_ref_model_int8.tflite"))["event"] == "measured"


def test_a_model_that_is_not_there(talk: Talk, tmp_path: Path) -> None:
    last = talk.ask(job(tmp_path / "none.tflite"))
    assert last["kind"] == "load"
    assert "none.tflite" in last["error"]
    last = talk.ask(job(tmp_path / "none.tflite", runtime="caffe"))
    assert (last["kind"], last["error"]) == ("load", "no runtime is called `caffe`")


def test_paths_may_begin_at_home(pyz: Path, models: Path) -> None:
    with Talk(pyz, env={**os.environ, "HOME": str(models)}) as talk:
        assert talk.ask(job("~/int4.tflite"))["event"] == "measured"


def test_threads_reach_the_runtime(talk: Talk, assets: Path) -> None:
    talk.send(
        {
            "verb": "measure",
            "id": "t",
            "job": job(assets / "kws/kws_ref_model_int8.tflite", threads=3, duration_s=30),
        }
    )
    talk.until("latency")
    many = talk.trial().num_threads()
    talk.trial().kill()
    talk.answer()
    talk.send(
        {"verb": "measure", "id": "t", "job": job(assets / "kws/kws_ref_model_int8.tflite", duration_s=30)}
    )
    talk.until("latency")
    assert many - talk.trial().num_threads() == 2
    talk.trial().kill()
    talk.answer()


def test_outputs_are_plain_base64(talk: Talk, models: Path, pair: Path) -> None:
    asked = job(models / "two_in_two_out.tflite", input_order=[1, 0], samples=str(pair), evaluate=True)
    talk.send({"verb": "measure", "id": "t1", "job": asked})
    outputs = [event for event in talk.answer() if event["event"] == "outputs"]
    assert [(event["start"], event["n"], event["tensors"][0]["shape"]) for event in outputs] == [
        (0, 20, [20, 4])
    ]
    assert len(base64.b64decode(outputs[0]["tensors"][0]["data"], validate=True)) == 20 * 4 * 4
