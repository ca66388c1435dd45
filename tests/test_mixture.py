"""What rows and listings say of a variant with a limit on its accuracy drop."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from builders import accuracy, measurement, run

from edgegreen import mixture
from edgegreen.config.limitkeys import Budgets
from edgegreen.judging.comparison import rows
from edgegreen.measurement import Measurement, Run
from edgegreen.mixture import KeptOperator, Mixed

MIXED = Mixed(
    limit=0.005,
    operators=12,
    kept=(KeptOperator("a;", "CONV_2D"), KeptOperator("b;", "CONV_2D"), KeptOperator("c;", "SOFTMAX")),
    drop=0.0013,
    drop_upper=0.0039,
    drop_all=0.0586,
    judged_by="top1 on 768 training samples",
    n=768,
    held_out_drop=-0.002,
    held_out_n=256,
    steps=18,
    stopped=None,
)


def row(mixed: Mixed, **changes: Any) -> Measurement:
    plain = measurement(**changes)
    return plain.model_copy(update={"artifact": plain.artifact.model_copy(update={"mixed": mixed})})


def warnings(item: Measurement, *, higher_is_better: bool = True) -> tuple[str, ...]:
    (found,) = rows([item], "int8-tflite", Budgets(), higher_is_better=higher_is_better)
    return found.warnings


def test_a_row_says_what_was_chosen_and_what_came_of_it() -> None:
    assert warnings(row(MIXED, accuracy=accuracy(0.91, 0.913))) == (
        "int8, 3 of 12 operators left in fp32 (2 CONV_2D, SOFTMAX): "
        "drop 0.0013 (95 %: at most 0.0039) by top1 on 768 training samples, 0.005 allowed; "
        "gain 0.002 on 256 held out; drop 0.059 with all quantised; "
        "here drop 0.003 on 900 evaluation samples",
    )


def test_more_lost_on_the_device_than_was_allowed_is_said() -> None:
    _, note = warnings(row(MIXED, accuracy=accuracy(0.9, 0.913)))
    assert note == "the measured drop of 0.013 is over the 0.005 it was built for"
    _, note = warnings(row(MIXED, accuracy=accuracy(0.03, 0.01, "mse")), higher_is_better=False)
    assert note.startswith("the measured drop of 0.02 is over")
    assert len(warnings(row(MIXED, accuracy=accuracy(0.908, 0.913)))) == 1  # just at the limit


def test_without_a_measured_drop_the_choice_alone_is_told() -> None:
    for found in (None, accuracy(0.9, None)):
        (note,) = warnings(row(MIXED, accuracy=found))
        assert "here" not in note


def test_doubts_are_told() -> None:
    cut = replace(MIXED, stopped="after 600 s", drop=0.02, drop_upper=0.02)
    assert list(mixture.doubts(cut)) == [
        "the search was cut short after 600 s: the best found until then was taken",
        "no mixture was found that keeps to 0.005",
    ]
    unsure = replace(MIXED, drop_upper=0.03)
    assert list(mixture.doubts(unsure)) == ["on 768 samples it is not sure that the drop is within 0.005"]
    assert list(mixture.doubts(MIXED)) == []


def test_what_floats_leave_over_is_nothing() -> None:
    (note,) = mixture.notes(replace(MIXED, drop=-2.8e-17, drop_upper=2.8e-17), "int8", None, None)
    assert "drop 0 (95 %: at most 0) by" in note


def test_nothing_in_float_is_no_list() -> None:
    plain = replace(MIXED, kept=(), held_out_drop=None)
    (told,) = mixture.notes(plain, "int8", None, None)
    assert told.startswith(
        "int8, all 12 operators: drop 0.0013 (95 %: at most 0.0039) by top1 on 768 training"
    )
    assert told.endswith("samples, 0.005 allowed")


def test_json_has_it_and_gives_it_back() -> None:
    written = run(row(MIXED), measurement("fp32")).to_json()
    found = json.loads(written)["results"]
    assert found[0]["artifact"]["mixed"]["kept"][0] == {"name": "a;", "kind": "CONV_2D"}
    assert found[1]["artifact"]["mixed"] is None
    assert Run.model_validate_json(written).results[0].artifact.mixed == MIXED
