"""The comparison in the HTML report, and the table over all boards, without a browser."""

from __future__ import annotations

import re

from builders import earlier, measurement, metered, run

from edgegreen.config.limitkeys import Regression
from edgegreen.history import series
from edgegreen.judging import against, comparison
from edgegreen.judging.against import Source
from edgegreen.judging.compared import Against
from edgegreen.measurement import Failure, Run
from edgegreen.report import ratios
from edgegreen.report.html import changes
from report.pages import HOSTILE, many, page


def compared(before: Run, after: Run) -> Against:
    limits = Regression(slower_max=0.1)
    return against.compare(Source(before, series.nowhere), Source(after, series.nowhere), limits)


def text_of(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def test_a_line_a_trial_with_what_it_sorts_by() -> None:
    after = run(metered("a", 3.0, p50=2.0), metered("b", 4.0, p50=0.8), measurement("new"))
    found = compared(earlier(metered("a", 4.0, p50=1.0), metered("b", 4.0, p50=1.0)), after)
    table = changes.of(found, comparison.of(after))
    assert [one.heading for one in table.columns] == [
        "p50, now / before", "Seen from", "Energy, now / before", "Seen from", "Accuracy",
    ]  # fmt: skip
    slow, fast = table.lines
    assert (slow.name, slow.row, [word.text for word in slow.status]) == ("a", 0, ["beyond a limit"])
    p50, _, energy, _, accuracy = slow.cells
    assert (p50.value, p50.text[:6], p50.word) == (2.0, "2.000 ", changes.Word("bad", "slower"))
    assert (energy.value, energy.word) == (0.75, changes.Word("good", "less"))
    assert (accuracy.text, accuracy.value) == ("as before", 0.0)
    assert [word.text for word in fast.status] == ["compared"]
    assert table.remarks[0] == changes.Remark("bad", "p50 +100 %, and the limit is +10 %", "a")
    assert table.remarks[-1].text == f"in {after.run_id} only: new on pi5"


def test_the_worst_of_it_is_the_verdict_of_a_page_that_has_no_worse() -> None:
    after = run(measurement("a", p50=2.0))
    html = page(after, series.nowhere, compared(earlier(measurement("a")), after))
    assert '<p class="verdict bad">Worse than before: 1 of 1 trial beyond a limit</p>' in html
    other = page(after, series.nowhere, compared(earlier(measurement("b")), after))
    assert '<p class="verdict bad">Not compared: no trial in common with run 20261121-' in other
    assert "(variants: b → a)" in other
    assert 'id="compared"' not in other
    failed = after.model_copy(
        update={"failures": (Failure(target="pi5", variant="x", stage="measure", error="no"),)}
    )
    assert "Incomplete: 1 trial failed" in page(
        failed, series.nowhere, compared(earlier(*after.results), failed)
    )


def test_what_the_intervals_do_not_know_is_said() -> None:
    after = run(measurement("a", p50=2.0))
    text = text_of(page(after, series.nowhere, compared(earlier(measurement("a")), after)))
    assert f"The {ratios.NOISE.removeprefix('the ')}." in text
    assert "no doubt" not in text
    other = text_of(page(after, series.nowhere, compared(earlier(measurement("b")), after)))
    assert "interval knows" not in other


def test_that_a_word_is_the_starts_goes_before_other_doubts() -> None:
    hot = measurement("hot", p50=0.5, verdict="invalid", reasons=("throttled",))
    after = run(hot, measurement("same", p50=0.5))
    remarks = changes.of(
        compared(earlier(measurement("hot"), measurement("same")), after), comparison.of(after)
    ).remarks
    doubts = [one for one in remarks if one.kind == "doubt"]
    assert doubts == [
        changes.Remark("doubt", against.SAME_FILE, "same"),
        changes.Remark("doubt", "now, throttled", "hot"),
    ]


def test_text_of_others_stays_text() -> None:
    after = run(measurement(HOSTILE, target=HOSTILE))
    html = page(
        after, series.nowhere, compared(earlier(measurement(HOSTILE, target=HOSTILE, threads=4)), after)
    )
    assert "<img src=http" not in html


def test_several_boards_have_a_table_over_all() -> None:
    text = text_of(page(many(12)))
    assert "2 boards: median over boards (lowest … highest), of rows that can be trusted" in text
    assert "Rows over budget" in text
    assert "median over boards" not in text_of(page(run(measurement("a"), measurement("b"))))
