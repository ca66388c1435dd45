"""A plan as printed: every trial on one or two boards; on many, what is the same on them once."""

from __future__ import annotations

import io
import re

import pytest
from rich.cells import cell_len
from rich.console import Console

from edgegreen import plan
from edgegreen.config import yamlfile
from edgegreen.plan import Plan
from edgegreen.recipe import Recipe
from edgegreen.report import names, planned
from edgegreen.target import Target

RECIPE = yamlfile.parse(
    "name: kws\nmodel: m\nbenchmark: {duration_s: 2.5, threads: [1, 4]}\n"
    "variants: {int8: {format: tflite, precision: int8}, shipped: {format: tflite}}",
    Recipe,
    "r.yaml",
)


def planned_on(*targets: Target) -> Plan:
    return plan.make(RECIPE, targets, RECIPE.variants)


def lines(of: Plan, *, width: int = 140, each: bool = False) -> list[list[str]]:
    """Cells of each line, apart by two spaces or more."""
    out = io.StringIO()
    planned.show(of, Console(file=out, width=width, highlight=False, markup=False, emoji=False), each=each)
    assert max(map(cell_len, out.getvalue().splitlines())) <= width
    return [re.split(r"\s{2,}", line.strip()) for line in out.getvalue().splitlines()]


def test_on_two_boards_every_trial_is_listed() -> None:
    made = planned_on(Target(host="pi.local").called("pi5"), Target(host="::1").called("ssh://[fe80::1]"))
    head, _, *rows = lines(made)
    assert head == ["kws: 2 variants × 2 targets = 8 trials, 2.5 s each; baseline int8"]
    assert rows[0] == ["pi5", "int8", "tflite", "int8", "litert or tflite-runtime", "1"]
    assert rows[-1] == ["ssh://[fe80::1]", "shipped", "tflite", "as it is", "litert or tflite-runtime", "4"]
    assert len(rows) == len(made.trials)


def test_on_many_boards_what_is_the_same_is_said_once() -> None:
    boards = [Target(host="h").called(f"pi-{number:03}") for number in range(1, 300)]
    other = Target(host="h", runtimes=("litert",)).called("old")
    made = planned_on(*boards, other)
    head, *rest = lines(made, width=80)
    assert head == ["kws: 2 variants × 300 targets = 1,200 trials, 2.5 s each; baseline int8"]
    assert rest[1:4] == [
        ["4 trials on each of pi-001 … pi-299 (299)"],
        ["Variant", "Format", "Precision", "Runtime", "Threads"],
        ["int8", "tflite", "int8", "litert or tflite-runtime", "1"],
    ]
    assert rest[7:10] == [[""], ["4 trials on old"], ["Variant", "Format", "Precision", "Runtime", "Threads"]]
    assert len(rest) == 2 * 7
    assert len(lines(made, each=True)) == 2 + 1200


def test_on_a_narrow_terminal_a_trial_is_one_line() -> None:
    made = planned_on(Target(host="pi.local").called("raspberry-pi-5"))
    *_, headings, first, _, _, _, said = lines(made, width=60)
    assert headings == ["Target", "Variant", "Runtime", "Threads"]
    assert first == ["raspberry-pi-5", "int8", "litert or tflite-runtime", "1"]
    assert said == ["… too narrow for Format, Precision; a pipe has all"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["b", "a"], "a, b"),
        (["pi-2", "pi-10", "pi-1"], "pi-1, pi-2, pi-10 (3)"),
        (["pi-8", "pi-9", "pi-10"], "pi-8 … pi-10 (3)"),
        (["pi-08", "pi-09", "pi-10"], "pi-08 … pi-10 (3)"),
        (["pi-8", "pi-09", "pi-10"], "pi-8, pi-09, pi-10 (3)"),
        (["n1.lab", "n2.lab", "n3.lab", "n3"], "n3, n1.lab … n3.lab (4)"),
        (["pi", "10", "9", "11", "9"], "9 … 11, pi (4)"),
        (list("abcdefgh"), "a, b, c, d, e, f and 2 more (8)"),
        ([f"r{rack}-{slot}" for rack in (1, 2) for slot in range(4)], "r1-0 … r1-3, r2-0 … r2-3 (8)"),
    ],
)  # fmt: skip
def test_names_in_few_characters(given: list[str], said: str) -> None:
    assert names.compact(given) == said
