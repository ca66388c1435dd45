"""Recipe × targets → trials: which, in what order, and what is refused before anything starts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from builders import measurement, run

from edgegreen import plan
from edgegreen.config import yamlfile
from edgegreen.config.footprintkeys import Footprint
from edgegreen.errors import InputError
from edgegreen.plan import Plan
from edgegreen.recipe import Recipe, default_variants
from edgegreen.target import Target

RECIPE = """\
name: kws
model: m.keras
variants:
  fp32: {format: tflite, precision: fp32}
  int8: {format: tflite, precision: int8}
  ir: {format: openvino, precision: int8}
benchmark: {threads: [1, 4]}
baseline: int8
"""


def recipe(text: str = RECIPE) -> Recipe:
    return yamlfile.parse(text, Recipe, "r.yaml")


def board(name: str, **keys: Any) -> Target:
    return Target(host=f"{name}.local", **keys).called(name)


def make(*targets: Target, only: tuple[str, ...] = (), of: Recipe | None = None) -> Plan:
    of = of or recipe()
    return plan.make(of, targets or [board("pi")], of.variants, only)


def test_every_variant_on_every_target_with_every_number_of_threads() -> None:
    made = make(board("pi"), board("jetson"))
    assert [(t.target.name, t.variant_name, t.threads) for t in made.trials] == [
        (target, variant, threads)
        for target in ("pi", "jetson")
        for variant in ("fp32", "int8", "ir")
        for threads in (1, 4)
    ]
    assert [t.target.name for t in made.trials_of(made.targets[1])] == ["jetson"] * 6


def test_a_run_is_taken_up_as_it_was() -> None:
    pi, of = board("pi"), recipe()
    begun = run(measurement("fp32", target="pi"), planned=make(pi).names).model_copy(update={"recipe": "kws"})
    plan.check_takes_up(make(pi), begun)
    plan.check_takes_up(make(pi), begun.model_copy(update={"planned": None}))
    for made, said in (
        (make(pi, board("orin")), "is of the targets pi, not pi, orin"),
        (make(pi, only=("int8", "ir")), "is of the variants fp32, int8, ir, not int8, ir"),
        (make(pi, of=of.model_copy(update={"name": "other"})), "is of recipe `kws`, not `other`"),
    ):
        with pytest.raises(InputError, match=said):
            plan.check_takes_up(made, begun)


def test_targets_of_the_same_host_are_not_mixed_up() -> None:
    twins = Target(host="pi.local").called("a"), Target(host="pi.local").called("b")
    made = make(*twins)
    assert {t.target.name for t in made.trials_of(twins[0])} == {"a"}


def test_the_best_runtime_of_a_format_is_the_boards_to_choose() -> None:
    by_variant = {trial.variant_name: trial.runtimes for trial in make().trials}
    assert by_variant["int8"] == ("litert", "tflite-runtime")  # LiteRT first: 10 × faster on int8
    assert by_variant["ir"] == ("openvino",)


def test_runtimes_that_are_named_are_a_trial_each() -> None:
    made = make(board("pi", runtimes=("tflite-runtime", "litert", "openvino")), only=("int8", "ir"))
    assert [(t.variant_name, t.runtimes) for t in made.trials if t.threads == 1] == [
        ("int8", ("tflite-runtime",)),
        ("int8", ("litert",)),
        ("ir", ("openvino",)),
    ]


class TestSettings:
    """Governors and power modes, on boards whose target allows it."""

    SWEEP = RECIPE.replace("threads: [1, 4]", "governors: [performance, powersave], power_modes: [0, MAXN]")

    def test_each_is_tried_and_what_is_slow_to_change_is_outermost(self) -> None:
        made = make(board("jetson", allow_tuning=True), only=("fp32", "int8"), of=recipe(self.SWEEP))
        assert [(str(t.tuning), t.variant_name) for t in made.trials] == [
            (f"power mode {mode}, {governor}", variant)
            for mode in (0, "MAXN")
            for governor in ("performance", "powersave")
            for variant in ("fp32", "int8")
        ]

    def test_one_kind_alone_leaves_the_other_as_it_is(self) -> None:
        made = make(
            board("pi", allow_tuning=True), of=recipe(self.SWEEP.replace(", power_modes: [0, MAXN]", ""))
        )
        assert {(t.tuning.governor, t.tuning.power_mode) for t in made.trials if t.tuning} == {
            ("performance", None), ("powersave", None),
        }  # fmt: skip

    def test_leave_alone_changes_nothing(self) -> None:
        assert {trial.tuning for trial in make(board("pi", allow_tuning=True)).trials} == {None}

    def test_every_target_must_allow_it(self) -> None:
        boards = board("a", allow_tuning=True), board("b"), Target(host="c").called("c", "boards/c.yaml")
        with pytest.raises(
            InputError, match=r"^b, boards/c\.yaml: .*`governors` and `power_modes`"
        ) as caught:
            make(*boards, of=recipe(self.SWEEP))
        assert "`allow_tuning: true`" in (caught.value.hint or "")


class TestNarrowedDown:
    """--variant."""

    def test_to_some(self) -> None:
        made = make(only=("ir", "fp32"))
        assert list(made.variants) == ["fp32", "ir"]
        assert {trial.variant_name for trial in made.trials} == {"fp32", "ir"}

    def test_an_unknown_one_is_named_with_those_there_are(self) -> None:
        with pytest.raises(InputError, match=r"no variant called `int9`; did you mean `int8`\?") as caught:
            make(only=("int8", "int9"))
        assert caught.value.hint == "this recipe has fp32, int8, ir"

    def test_the_baseline_is_always_one_of_what_is_built(self) -> None:
        assert make().baseline == "int8"
        assert make(only=("ir", "int8")).baseline == "int8"
        assert make(only=("ir",)).baseline == "ir"
        assert make(of=recipe(RECIPE.replace("baseline: int8\n", ""))).baseline == "fp32"


class TestRefused:
    """What would fail later, or worse, be left out in silence."""

    def test_a_baseline_that_is_not_in_the_default_set(self) -> None:
        bare = recipe("name: kws\nmodel: m.keras\nbaseline: int9")
        with pytest.raises(InputError, match="baseline `int9` is no variant"):
            plan.make(bare, [board("pi")], recipe().variants)

    def test_a_variant_that_runs_nowhere(self) -> None:
        with pytest.raises(InputError, match=r"under `runtimes` runs `ir` \(openvino\)"):
            make(board("pi", runtimes=("litert",)))
        make(board("pi", runtimes=("litert",)), board("x86"))  # the other one runs it

    def test_a_target_that_runs_nothing(self) -> None:
        with pytest.raises(InputError, match=r"npu: `runtimes: \[openvino\]` runs none of fp32, int8"):
            make(board("npu", runtimes=("openvino",)), board("pi"), only=("fp32", "int8"))

    def test_two_targets_of_one_name(self) -> None:
        with pytest.raises(InputError, match="two targets are called `pi`"):
            make(board("pi"), Target(host="other.local").called("pi"))

    def test_nothing_to_build(self) -> None:
        with pytest.raises(InputError, match="no variants"):
            plan.make(recipe(), [board("pi")], {})


def test_what_the_user_may_not_expect_is_remarked() -> None:
    assert make(board("pi")).remarks == ()
    lacking = make(board("pi"))
    with_battery = lacking.recipe.model_copy(update={"footprint": Footprint(battery_wh=10)})
    (said,) = replace(lacking, recipe=with_battery).remarks
    assert said == "`footprint`: no battery life without `inferences_per_hour`"
    (said,) = make(board("pi"), only=("fp32",)).remarks
    assert said == "baseline int8 is left out; speed counts from fp32"
    bare = recipe("name: kws\nmodel: m.keras\n")
    (said,) = plan.make(bare, [board("pi")], default_variants("float", calibrated=False)).remarks
    assert said.startswith("no int8 variants")
    missing = recipe(RECIPE + "budgets: {targets: {pi: {valid: true}, pi55: {valid: true}}}\n")
    (said,) = make(board("pi"), of=missing).remarks
    assert said == "budgets of pi55 hold on no target of this run"
    assert make(board("pi").called("replay:pi"), board("pi55"), of=missing).remarks == ()
    data = recipe("name: kws\nmodel: m.keras\ndata: {calibration: c.npz}\n")
    assert plan.make(data, [board("pi")], default_variants("float", calibrated=True)).remarks == ()
