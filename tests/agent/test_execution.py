"""What runtimes tell of their own work: real models in real runtimes, and runtimes that break when asked."""

from __future__ import annotations

import platform
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as ops

from agent.talk import Talk, job
from edgegreen.agent import execution, runtimes
from edgegreen.agent.runtimes.operators import Operator
from edgegreen.client.messages import ExecutedOperators, Profiled

Told = list[dict[str, Any]]


def counts(told: Told | None, **of: Any) -> Counter[str]:
    """How many operators there are of each type, among those with these fields."""
    assert told is not None
    found: Counter[str] = Counter()
    for kind in told:
        if all(kind[key] == value for key, value in of.items()):
            found[kind["type"]] += kind["count"]
    return found


def test_a_tflite_model_partly_in_a_delegate(assets: Path) -> None:
    told = execution.told(runtimes.load("litert", [str(assets / "kws" / "kws_ref_model_int8.tflite")], 1))
    assert counts(told).total() == 13
    assert counts(told, delegated=False) == {"AVERAGE_POOL_2D": 1, "SOFTMAX": 1}
    products = {"CONV_2D": 5, "DEPTHWISE_CONV_2D": 4, "FULLY_CONNECTED": 1}
    assert counts(told, role="compute", precision="i8", delegated=True) == products
    assert counts(told, role="conversion") == {}  # its input and output are int8


def test_a_tflite_model_in_no_delegate_and_a_type_of_its_own(models: Path) -> None:
    told = execution.told(runtimes.load("litert", [str(models / "int4.tflite")], 1))
    assert told == [{"type": "CAST", "precision": "f32", "delegated": False, "role": "other", "count": 1}]


@pytest.fixture
def ir(tmp_path: Path) -> list[str]:
    """Two products: one quantised as nncf does it, with a quantised input and int8 weights; one in floats."""
    random = np.random.default_rng(0)
    x = ops.parameter([1, 64, 64, 64], np.float32, name="x")
    low, high = (ops.constant(np.array(value, "f4")) for value in (0.0, 2.55))
    quantised = ops.fake_quantize(x, low, high, low, high, 256)
    weights = ops.constant(random.integers(-127, 127, (64, 64, 3, 3)).astype("i1"))
    scaled = ops.multiply(ops.convert(weights, "f32"), ops.constant(np.float32(0.01)))
    y = ops.convolution(quantised, scaled, [1, 1], [1, 1], [1, 1], [1, 1], name="quantised")
    z = ops.convolution(y, ops.constant(random.random((64, 64, 1, 1), "f4")), [1, 1], [0, 0], [0, 0], [1, 1])
    ov.save_model(ov.Model([ops.result(z)], [x]), tmp_path / "m.xml", compress_to_fp16=False)
    return [str(tmp_path / "m.xml"), str(tmp_path / "m.bin")]


def test_openvino_tells_what_each_operator_is_computed_in(ir: list[str]) -> None:
    told = execution.told(runtimes.load("openvino", ir, 1))
    assert counts(told, role="compute") == {"Convolution": 2}
    assert counts(told, delegated=None) == counts(told)
    assert not {"Const", "Input", "Output"} & set(counts(told))
    floats = sum(counts(told, role="compute", precision=one).total() for one in ("f32", "bf16", "f16"))
    if platform.machine() == "x86_64":  # Arm computes quantised models in floats
        assert counts(told, role="compute", precision="i8") == {"Convolution": 1}
        assert counts(told, role="conversion").total() == 1
        assert floats == 1


def test_openvino_times_its_operators(ir: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "PROFILE_S", 0.05)
    fed: list[np.ndarray[Any, Any]] = []

    def feed(runtime: runtimes.Runtime) -> None:
        fed.append(np.full(runtime.inputs[0].shape, 1.0, "f4"))
        runtime.set(0, fed[0])

    found = execution.profile("openvino", ir, 1, device=None, feed=feed, tick=lambda _: None)
    assert found is not None
    assert len(fed) == 1
    assert found["runs"] >= execution.PROFILE_RUNS
    times = [one["ms"] for one in found["operators"]]
    assert times == sorted(times, reverse=True)
    assert sum(one["type"] == "Convolution" for one in found["operators"]) == 2
    assert 0 < sum(times) <= found["operators_ms"] + 1e-9 <= found["call_ms"] + 1e-9
    timed_without = [one.ms for one in runtimes.load("openvino", ir, 1).operators()]
    assert set(timed_without) == {None}  # no clock runs where none was asked for


def test_a_runtime_without_a_profiler_is_not_loaded_again(models: Path) -> None:
    def feed(_: runtimes.Runtime) -> None:
        raise AssertionError

    assert (
        execution.profile(
            "litert", [str(models / "int4.tflite")], 1, device=None, feed=feed, tick=lambda _: None
        )
        is None
    )


class Broken:
    """A runtime that tells this of itself."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def operators(self) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize("answer", [RuntimeError("no"), AttributeError("_get_ops_details"), [], None])
def test_a_runtime_that_does_not_tell_fails_nothing(answer: Any) -> None:
    assert execution.told(Broken(answer)) is None  # type: ignore[arg-type]


def test_a_profile_that_breaks_fails_nothing(ir: list[str]) -> None:
    def feed(_: runtimes.Runtime) -> None:
        raise RuntimeError("out of handles")

    assert execution.profile("openvino", ir, 1, device=None, feed=feed, tick=lambda _: None) is None
    assert (
        execution.profile(
            "openvino", ["gone.xml", "gone.bin"], 1, device=None, feed=feed, tick=lambda _: None
        )
        is None
    )


def test_what_is_told_is_bounded() -> None:
    many = [Operator("n", f"{number} " + "x" * 5000, "f32", True, "compute") for number in range(1000)]
    told = execution.told(Broken(many))  # type: ignore[arg-type]
    assert told
    assert len(told) == execution.MAX_KINDS
    assert max(len(kind["type"]) for kind in told) == execution.MAX_NAME


def test_a_trial_tells_it_after_all_else(talk: Talk, ir: list[str]) -> None:
    talk.send({"verb": "measure", "id": "t1", "job": job(*ir, runtime="openvino", profile=True)})
    *events, last = talk.answer()
    assert last["event"] == "measured", last
    stages = [event["stage"] for event in events if event["event"] == "progress"]
    assert list(dict.fromkeys(stages))[-2:] == ["end_to_end", "profile"]
    told = [ExecutedOperators(**kind) for kind in last["executed"]]
    assert sum(kind.count for kind in told if kind.role == "compute") == 2
    profile = Profiled(**last["profile"])
    assert 0 < profile.operators_ms <= profile.call_ms


def test_nothing_is_timed_unless_it_is_asked_for(talk: Talk, ir: list[str]) -> None:
    last = talk.ask(job(*ir, runtime="openvino"))
    assert (last["event"], last["profile"]) == ("measured", None)
    assert last["executed"]
