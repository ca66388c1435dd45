"""A run and its repetition, as printed: every reading, every mark explained, whole lines at 80 columns."""

from __future__ import annotations

import io

import pytest
from builders import accuracy, earlier, measurement, metered, run
from rich.cells import cell_len
from rich.console import Console

from edgegreen.history.series import nowhere
from edgegreen.judging import verified
from edgegreen.judging.against import Source
from edgegreen.judging.pairing import Difference
from edgegreen.measurement import Measurement
from edgegreen.report import verified as table

TOOLS = (Difference(what="tools.numpy", before="1.26.4", after="2.4.6"),)


def shown(before: list[Measurement], after: list[Measurement], width: int = 80) -> str:
    out = io.StringIO()
    found = verified.of(Source(earlier(*before), nowhere), Source(run(*after), nowhere), TOOLS)
    table.show(found, Console(file=out, width=width, highlight=False))
    return out.getvalue()


def test_a_line_a_check_and_the_verdict_last() -> None:
    text = shown([metered(mj=4.0)], [metered(mj=4.1, accuracy=accuracy(0.891))])
    lines = [line.split() for line in text.splitlines()]
    assert lines[0][:2] == ["then", "20261121-040000-abc122"]
    assert ["int8-tflite", "!", "file", "5f5f5f5f5f5f…", "the", "same", "file"] in lines
    assert ["accuracy", "0.902", "→", "0.891", "outputs", "differ"] in lines
    assert ["p50", "1.000", "(0.986…1.014)", "within", "5", "%", "2", "%"] in lines
    assert text.splitlines()[-1] == "does not reproduce: 1 of 1 trial"
    assert "~ tools.numpy: 1.26.4 → 2.4.6" in text


def test_where_agreement_says_little() -> None:
    text = shown([metered(half=1.0)], [metered(half=1.0)])
    assert "energy: less than" in text
    assert "would hardly be seen" in text
    assert text.splitlines()[-1] == "reproduces: 1 of 1 trial"


def test_what_cannot_be_told_says_why() -> None:
    doubted = measurement(verdict="invalid", reasons=("throttled",))
    text = shown([measurement(), measurement("lost")], [doubted])
    assert "? int8-tflite: now, throttled" in text
    assert "? lost on pi5: could not be repeated" in text
    assert text.splitlines()[-1] == "cannot be told: 2 of 2 trials"


@pytest.mark.parametrize("width", [80, 60])
def test_nothing_wraps(width: int) -> None:
    long = "pruned-half-then-clustered-in-sixteen-then-int8"
    text = shown([metered(long), metered("b")], [metered(long), metered("b", mj=9)], width)
    rows = text.splitlines()
    assert max(map(cell_len, rows)) <= width
    readings = [row.split()[0] for row in rows if row.startswith(" ") and row.strip()]
    assert readings.count("p50") == readings.count("energy") == 2
