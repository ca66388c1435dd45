"""Two runs compared, as printed: plain words, whole lines at 80 columns and fewer, every mark explained."""

from __future__ import annotations

import io
import re

from builders import accuracy, earlier, measurement, metered, run
from rich.cells import cell_len
from rich.console import Console

from edgegreen.config.limitkeys import Regression
from edgegreen.history import series
from edgegreen.judging import against, comparison
from edgegreen.judging.against import Source
from edgegreen.measurement import Measurement
from edgegreen.report import against as table
from edgegreen.report import formats
from edgegreen.report.contents import Contents


def shown(
    before: Measurement,
    after: Measurement,
    *more: Measurement,
    width: int = 80,
    limits: Regression | None = None,
    force: bool = False,
) -> str:
    out = io.StringIO()
    sides = Source(earlier(before), series.nowhere), Source(run(after, *more), series.nowhere)
    found = against.compare(*sides, limits, force=force)
    table.show(found, Console(file=out, width=width, highlight=False))
    return out.getvalue()


def lines(text: str) -> dict[str, list[str]]:
    """The cells of each reading's line, without the bars."""
    found = (re.split(r"\s{2,}", re.sub(r"[━●│‹›]", " ", line).strip()) for line in text.splitlines())
    return {cells[-4] if len(cells) > 3 else cells[0]: cells for cells in found if len(cells) > 1}


def test_a_line_a_reading_in_plain_words() -> None:
    text = shown(
        metered(mj=4.0, ips=100, accuracy=accuracy(0.902), size_bytes=53_168),
        metered(mj=3.0, ips=120, accuracy=accuracy(0.899), size_bytes=51_000),
        width=100,
    )
    found = lines(text)
    assert found["p50"] == ["int8-tflite", "p50", "0.833 (0.822…0.845)", "faster", "2 %"]
    assert found["energy"] == ["energy", "0.750 (0.689…0.814)", "less", "13 %"]
    assert found["size"] == ["size", "−2.17 kB"]
    assert found["top1"] == ["top1", "−0.30 (−3.08…+2.48) points", "no difference seen", "4 points"]
    assert "by the intervals of both medians" in text


def test_eighty_columns_have_bars_and_whole_names_for_every_reading() -> None:
    name = "int8-openvino-pruned-and-then-clustered"
    then = metered(name, mj=4.0, ips=100, accuracy=accuracy(0.902), size_bytes=53_168)
    now = metered(name, mj=3.0, ips=120, accuracy=accuracy(0.899), size_bytes=51_000)
    told = shown(then, now, limits=Regression(accuracy_drop_max=0)).splitlines()[5:10]
    assert [line.rstrip() for line in told] == [
        f"{name} !",
        "  p50     0.833 (0.822…0.845)           ━● │       faster                    2 %",
        "  energy  0.750 (0.689…0.814)         ━●━  │       less                     13 %",
        "  size    −2.17 kB",
        "  top1    −0.30 (−3.08…+2.48) points               no difference seen   4 points",
    ]


def test_what_did_not_change_has_no_line() -> None:
    text = shown(measurement(), measurement())
    assert "no difference seen" in text
    assert not {"size", "top1", "energy"} & set(lines(text))


def test_marks_and_remarks() -> None:
    hot = measurement(p50=1.5, verdict="invalid", reasons=("throttled while the model ran",))
    text = shown(measurement(), hot, measurement("fp32"), limits=Regression(slower_max=0.05))
    assert "int8-tflite ! ?  1.500 (" in text
    assert "not to be trusted" in text
    assert "slower" not in text
    assert "? int8-tflite: now, throttled while the model ran" in text
    assert "! int8-tflite: p50 is not to be trusted, and the limit is +5 %" in text
    assert "only: fp32 on pi5" in text


def test_what_differs_is_named_and_not_compared() -> None:
    newer = measurement(p50=0.5, runtime=("litert", "2.4.0", "XNNPACK"))
    named = "int8-tflite: runtime: litert 2.3.0 + XNNPACK → litert 2.4.0 + XNNPACK"
    text = shown(measurement(), newer)
    assert "int8-tflite ≠  p50      –      not compared" in text
    assert "the interval knows" not in text  # there is none
    assert f"≠ {named}" in text
    text = shown(measurement(), newer, force=True)
    assert "faster" in text
    assert f"~ {named}" in text


def test_no_line_is_too_long_and_no_figure_is_cut() -> None:
    name = "int8-openvino-pruned-clustered-with-a-long-name"
    for width in (60, 80, 100):
        text = shown(metered(name), metered(name, mj=3.0, accuracy=accuracy(0.7)), width=width)
        assert max(map(cell_len, text.splitlines())) <= width
        assert "−20.20 (" in text
        assert re.search(r"0\.750 \(0\.\d{3}…0\.\d{3}\)[ ━●│]+less", text)


def test_two_recipes_are_told_in_every_form() -> None:
    then, after = earlier(measurement()).model_copy(update={"recipe": "digits"}), run(measurement())
    found = against.compare(Source(then, series.nowhere), Source(after, series.nowhere))
    out = io.StringIO()
    table.show(found, Console(file=out, width=100))
    contents = Contents(after, comparison.of(after), series.nowhere, found)
    for text in (out.getvalue(), formats.report("html", contents), formats.report("md", contents)):
        assert "two recipes: digits before, keyword-spotting now" in text.replace("\\", "")


def test_nothing_in_common_is_said_and_nothing_else_explained() -> None:
    told = shown(measurement("a"), measurement("b"))
    assert "≠ no trial in common with run 20261121-040000-abc122 (variants: a → b)" in told
    assert "only: a on pi5" in told
    assert "ratio" not in told
