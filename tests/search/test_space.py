"""The space: every choice is a candidate that a recipe can name, and keys tell candidates apart."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, TypeAdapter, ValidationError

from edgegreen.config.passes import Pass
from edgegreen.config.searchkeys import STEPS, Between, knob_type
from edgegreen.config.yamlfile import Frozen, parse
from edgegreen.recipe import Recipe, Search, Variant
from edgegreen.search import defaults
from edgegreen.search.space import Knob, Space, Way

LITERT = ("litert", "tflite-runtime")
WAYS = (
    Way("tflite", "int8", LITERT), Way("tflite", "fp32", LITERT), Way("openvino", "int8", ("openvino",)),
)  # fmt: skip
SPACE = Space(
    WAYS,
    Knob.of((1, 4)),
    {"prune": {"sparsity": Knob.of(Between(min=0.3, max=0.9)), "epochs": Knob.of(5)}},
)


@dataclass
class Chooser:
    """Choices that are given, or drawn."""

    given: dict[str, Any] = field(default_factory=dict)
    rest: random.Random = field(default_factory=lambda: random.Random(0))
    used: set[str] = field(default_factory=set)

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        self.used.add(name)
        return self.given[name] if name in self.given else self.rest.choice(list(choices))

    def suggest_int(self, name: str, low: int, high: int) -> int:
        self.used.add(name)
        return self.given.get(name, self.rest.randint(low, high))


@given(st.integers(0, 10**6))
def test_every_choice_is_a_variant_that_a_recipe_can_have(seed: int) -> None:
    candidate = SPACE.suggest(Chooser(rest=random.Random(seed)))
    again = Variant.model_validate_json(candidate.variant.model_dump_json(exclude_unset=True), strict=True)
    assert again == candidate.variant
    assert candidate.threads in (1, 4)
    assert SPACE.suggest(Chooser(rest=random.Random(seed))).key == candidate.key


def test_a_key_is_of_what_is_built_and_how_it_is_run() -> None:
    choices = {"way": "int8 tflite", "prune": True, "prune.sparsity": 3, "threads": 0}
    one = SPACE.suggest(Chooser(choices))
    assert one.words == "prune (epochs 5, sparsity 0.39) → int8 tflite, 1 thread"
    for other in ({"threads": 1}, {"prune.sparsity": 4}, {"prune": False}, {"way": "int8 openvino"}):
        assert SPACE.suggest(Chooser(choices | other)).key != one.key


def test_seeds_name_every_choice_they_lead_to_and_no_other() -> None:
    words = []
    for params in SPACE.seeds():
        chooser = Chooser(params)
        words.append(SPACE.suggest(chooser).words)
        assert chooser.used == set(params)
    assert words == [
        "int8 tflite, 1 thread", "prune (epochs 5, sparsity 0.6) → int8 tflite, 1 thread",
        "fp32 tflite, 1 thread", "int8 openvino, 1 thread",
    ]  # fmt: skip


def test_its_size_is_the_number_of_candidates() -> None:
    small = Space(WAYS[:2], Knob.of((1, 4)), {"prune": {"sparsity": Knob.of((0.5, 0.7, 0.9))}})
    found = {small.suggest(Chooser(rest=random.Random(seed))).key for seed in range(600)}
    assert small.size == len(found) == 16


@given(st.floats(0.001, 1e3), st.floats(1.01, 1e3), st.booleans(), st.booleans())
def test_a_range_goes_from_end_to_end_in_order(low: float, factor: float, log: bool, whole: bool) -> None:
    low, high = (float(round(low) + 1), float(round(low * factor) + 3)) if whole else (low, low * factor)
    values = Between(min=low, max=high, log=log).values(whole=whole)
    assert (values[0], values[-1]) == (low, high)
    assert len(values) <= STEPS + 1
    assert list(values) == sorted(set(values)) or not whole  # three digits of a narrow range may be too few
    assert not whole or all(float(value).is_integer() for value in values)


def test_lists_of_numbers_have_an_order_and_others_not() -> None:
    assert Knob.of((16, 8, 64)) == Knob((8, 16, 64), ordered=True)
    assert Knob.of(("2:4", "1:4")) == Knob(("2:4", "1:4"), ordered=False)
    assert Knob.of(True) == Knob((True,), ordered=False)


def searched(text: str) -> Search:
    return parse(f"name: a\nmodel: m.keras\nsearch: {text}", Recipe, "r.yaml").search


class TestDefaults:
    def test_passes_that_there_are_and_no_others(self) -> None:
        assert list(defaults.spaces(Search())) == [
            name for name in defaults.SPACES if name in Pass.model_fields
        ]

    def test_their_values_are_ones_the_passes_take(self) -> None:
        space = defaults.spaces(Search())
        knobs = {name: {key: Knob.of(value) for key, value in of.items()} for name, of in space.items()}
        for name in space:
            params = dict.fromkeys(space, False) | {name: True}
            assert Space(WAYS[:1], Knob.of(1), knobs).suggest(Chooser(params)).variant.passes[0].name == name

    def test_the_recipe_says_which_passes_and_what_of_them(self) -> None:
        assert defaults.spaces(searched("{passes: {}}")) == {}
        found = defaults.spaces(searched("{passes: {prune: {sparsity: [0.5, 0.8]}}}"))
        assert found == {"prune": {"sparsity": (0.5, 0.8), "epochs": 2 * defaults.EPOCHS}}

    def test_who_names_one_of_two_rivals_wants_no_default_of_the_other(self) -> None:
        assert "sparsity" not in defaults.spaces(searched("{passes: {prune: {pattern: '2:4'}}}"))["prune"]


class Odd(Frozen):
    """Parameters of kinds that a pass may have some day."""

    share: Annotated[float, Field(ge=0, lt=1)] | dict[str, float] = 0.5
    score: Literal["l1", "taylor"] = "l1"
    rank: Annotated[float, Field(gt=0, le=1)] | None = None
    multiple: Annotated[int, Field(ge=1)] = 1
    shape: tuple[int, int] = (1, 1)
    bias: bool = True


@pytest.mark.parametrize(
    ("key", "good", "bad"),
    [
        ("share", [0.5, [0.5, {"a": 0.1}], {"a": 0.1}, {"min": 0.1, "max": 0.5}], [1.5, "x"]),
        ("score", ["l1", ["l1", "taylor"]], ["l3", {"min": 1, "max": 2}]),
        ("rank", [0.5, {"min": 0.1, "max": 1}], [0, None]),
        ("multiple", [8, [8, 16], {"min": 1, "max": 16}], [0, 1.5, {"min": 1.5, "max": 3}]),
        ("shape", [[1, 2], [[1, 2], [3, 4]]], [[1]]),
        ("bias", [True, [True, False]], ["yes"]),
    ],
)  # fmt: skip
def test_whatever_a_pass_takes_can_be_searched_over(key: str, good: list[Any], bad: list[Any]) -> None:
    kind = TypeAdapter(knob_type(Odd.model_fields[key]))
    for value in good:
        made = kind.validate_json(json.dumps(value), strict=True)
        assert isinstance(made, Between) == ("min" in value if isinstance(value, dict) else False)
    for value in bad:
        with pytest.raises(ValidationError):
            kind.validate_json(json.dumps(value), strict=True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{passes: {prun: {}}}", "unknown key `search.passes.prun`; did you mean `prune`?"),
        ("{passes: {prune: {sparsty: 0.5}}}", "did you mean `sparsity`?"),
        ("{passes: {prune: {sparsity: 1.5}}}", "should be less than 1, not `1.5`"),
        (
            "{passes: {prune: {sparsity: [0.5, 1.5]}}}",
            "`search.passes.prune.sparsity[1]`: should be less than 1",
        ),
        ("{passes: {prune: {sparsity: {min: 0.5, max: 1.5}}}}", "1.5 should be less than 1"),
        ("{passes: {prune: {sparsity: {min: 0.5, max: 0.2}}}}", "`min` should be less than `max`"),
        ("{passes: {prune: {sparsity: []}}}", "should not be empty"),
        ("{passes: {prune: {pattern: {min: 1, max: 2}}}}", "`search.passes.prune.pattern`"),
        ("{precisions: [int9]}", "did you mean `int8`?"),
        ("{threads: [0]}", "`search.threads[0]`"),
    ],
)
def test_mistakes_in_a_recipe(text: str, said: str) -> None:
    from edgegreen.errors import InputError

    with pytest.raises(InputError) as error:
        searched(text)
    assert error.value.message.startswith("r.yaml:3: ")
    assert said in error.value.message
