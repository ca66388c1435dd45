"""The JSON that trtexec writes: every recorded format, and what is left of it when cut short or garbled."""

from __future__ import annotations

import contextlib
import json
import math

import pytest
from fake_trtexec import FIXTURES
from hypothesis import given
from hypothesis import strategies as st

from edgegreen.agent.runtimes.operators import COMPUTE, CONVERSION, OTHER
from edgegreen.agent.trtexec import exports
from edgegreen.agent.trtexec.exports import Garbled

PARSERS = {
    "times": lambda text: exports.times(text, 200.0),
    "profile": exports.profile,
    "layers": exports.operators,
    "outputs": exports.outputs,
}
CALL = '[{"startComputeMs": 300, "computeMs": 1, "latencyMs": %s, "h2dMs": 0}]'
FILES = sorted(FIXTURES.glob("*.json"))


def text(name: str) -> str:
    return (FIXTURES / name).read_text()


def test_times_by_the_names_of_every_version() -> None:
    oldest, older, newest = (exports.times(text(f"times-{v}.json"), 200.0) for v in ("7.1", "8.2", "10.3"))
    assert [call.latency_ms for call in oldest] == [1.63, 1.66]
    assert [call.latency_ms for call in older] == [13.83, 14.03]  # the one of the warm-up is left out
    assert [call.compute_ms for call in newest] == [0.93, 0.94]
    assert newest[0].start_ms == 200.5
    assert newest[0].end_ms == pytest.approx(201.449)
    assert oldest[0].start_ms == pytest.approx(201.02)
    assert len(exports.times(text("times-8.2.json"), 0.0)) == 3


def test_profile() -> None:
    runs, layers = exports.profile(text("profile-8.2.json"))
    assert (runs, len(layers), sum(layer.ms for layer in layers)) == (40, 3, pytest.approx(0.3))
    runs, layers = exports.profile(text("profile-10.3.json"))
    assert (runs, layers[1]) == (120, ("/conv1/Conv+/relu/Relu_myl0_1", 0.1))


def test_which_precision_ran() -> None:
    older = exports.operators(text("layers-8.2.json"))
    assert [(one.kind, one.precision, one.role) for one in older] == [
        ("Reformat", "f32", CONVERSION), ("CaskConvolution", "i8", COMPUTE),
        ("MatrixMultiply", "f16", COMPUTE), ("SoftMax", "f32", OTHER),
    ]  # fmt: skip
    newer = exports.operators(text("layers-10.3.json"))
    assert [(one.kind, one.precision, one.role) for one in newer] == [
        ("kgen", "f32", OTHER), ("conv", "f16", COMPUTE), ("gemm", "i8", COMPUTE),
    ]  # fmt: skip


def test_an_engine_that_tells_names_only_tells_no_precision() -> None:
    told = exports.operators(text("layers-names-only.json"))
    assert {(one.precision, one.role) for one in told} == {(None, OTHER)}
    assert len(told) == 2


def test_outputs_with_what_is_no_number() -> None:
    told = exports.outputs(text("outputs.json"))
    assert told["y"] == ((1, 3), [0.25, -1.5e-05, 7])
    shape, (first, second) = told["nan, inf ]"]  # a name is left as it is
    assert shape == (2,)
    assert math.isnan(first)
    assert second == math.inf


@pytest.mark.parametrize(
    ("parser", "broken", "why"),
    [
        ("times", CALL % "nan", "`latencyMs` is nan"),
        ("times", CALL % "-1", "a call of -1.0 ms"),
        ("times", CALL % "true", "is True"),
        ("times", '{"startComputeMs": 300}', "no list"),
        ("profile", '[{"count": 0}]', "0 inferences"),
        ("profile", "[]", "None inferences"),
        ("profile", '[{"count": 2}, {"name": "a "quoted" layer", "averageMs": 1}]', "not JSON"),
        ("layers", '{"Layers": {}}', "no list of layers"),
        ("outputs", '[{"name": "y", "dimensions": "1x3", "values": [1, 2]}]', "shape [1, 3] has 2 values"),
        ("outputs", '[{"name": "y", "dimensions": "1xN", "values": [1]}]', "dimensions '1xN'"),
        ("outputs", '[{"name": "y", "dimensions": "1"}]', "no values"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(parser: str, broken: str, why: str) -> None:
    with pytest.raises(Garbled) as refused:
        PARSERS[parser](broken)
    assert why in str(refused.value)


def parsed(name: str, written: str) -> None:
    """Either it is understood, or refused in words: nothing else is raised."""
    with contextlib.suppress(Garbled):
        PARSERS[name](written)


@given(st.sampled_from(FILES), st.sampled_from(sorted(PARSERS)), st.data())
def test_recorded_files_cut_and_garbled(path, parser: str, data) -> None:
    whole = path.read_text()
    start, end = sorted(data.draw(st.tuples(*[st.integers(0, len(whole))] * 2)))
    parsed(parser, whole[:start] + data.draw(st.text(max_size=10)) + whole[end:])


KEYS = st.sampled_from(
    ["startComputeMs", "computeMs", "latencyMs", "h2dMs", "inMs", "count", "name", "averageMs", "Layers",
     "Name", "Inputs", "Outputs", "LayerType", "Format/Datatype", "dimensions", "values", "ParameterType"]
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=12,
)


@given(JSON, st.sampled_from(sorted(PARSERS)))
def test_any_json(made: object, parser: str) -> None:
    parsed(parser, json.dumps(made))
    parsed(parser, json.dumps([made]))
    parsed(parser, json.dumps({"Layers": [made]}))
