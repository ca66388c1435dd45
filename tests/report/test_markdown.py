"""The Markdown report: what it says, that text stays text, that it fits into a comment."""

from __future__ import annotations

import re
from typing import Any

import pytest
from builders import earlier, measurement, metered, run
from markdown_it import MarkdownIt

from edgegreen.config.limitkeys import Budgets, Limits, Regression
from edgegreen.history import series
from edgegreen.judging import against, comparison
from edgegreen.judging.against import Source
from edgegreen.measurement import Commit, Failure, Measurement, Origin, Run
from edgegreen.report import formats, markdown
from edgegreen.report.contents import Contents

MADE = Origin(
    recipe_file="kws.yaml", recipe_text="secret: no", files={"model": "5f" * 32, "data.y": "ab" * 32},
    tools={}, host="Linux", git=Commit(sha="f0" * 20, modified=True),
)  # fmt: skip
FP32 = measurement("fp32-tflite", p50=2, precision="fp32", size_bytes=118_000)
INT8 = measurement("int8-tflite", p50=1)


def text_of(of: Run) -> str:
    return formats.report("md", Contents(of, comparison.of(of), series.nowhere))


def written(*items: Measurement, failures: tuple[Failure, ...] = (), **wanted: Any) -> str:
    return text_of(run(*items, failures=failures, baseline="fp32-tflite", **wanted))


def html(text: str) -> str:
    """As a reader of Markdown with tables shows it."""
    rendered: str = MarkdownIt("commonmark", {"html": False}).enable("table").render(text)
    return rendered


@pytest.mark.parametrize(
    ("budgets", "changes", "line"),
    [
        (Budgets(), {}, "✅ keyword-spotting: 2 rows, no budgets set"),
        (Budgets(size_bytes_max=10**6), {}, "✅ keyword-spotting: 2 rows, every budget met"),
        (
            Budgets(targets={"pi5": Limits(size_bytes_max=10**6)}),
            {},
            "✅ keyword-spotting: 2 rows, every budget met",
        ),
        (Budgets(size_bytes_max=60_000), {}, "❌ keyword-spotting: 1 of 2 rows over budget"),
        (
            Budgets(),
            {"failures": (Failure(target="pi3", variant=None, stage="connect", error="away"),)},
            "❌ keyword-spotting: 1 failed",
        ),
    ],
)
def test_the_first_line_is_the_answer(budgets: Budgets, changes: Any, line: str) -> None:
    assert written(FP32, INT8, budgets=budgets, **changes).splitlines()[0] == f"## {line}"


def test_rows_that_are_not_to_be_trusted_are_counted_and_marked() -> None:
    doubtful = measurement("b", verdict="invalid", reasons=("other programs used 30 % of the CPU",))
    text = written(FP32, doubtful)
    assert text.startswith("## ✅ keyword-spotting: 2 rows, no budgets set, 1 not to be trusted\n")
    assert "| b **?** |" in text
    assert "- **?** b: other programs used 30 % of the CPU" in text


def test_what_is_grave_comes_first_and_the_best_is_bold() -> None:
    lost = Failure(target="pi5", variant="fp16-tflite", stage="measure", error="the runtime crashed")
    text = written(FP32, INT8, failures=(lost,), budgets=Budgets(size_bytes_max=60_000))
    assert [line[4] for line in text.splitlines() if line.startswith("- **")] == ["✗", "!", "b"]
    assert "| fp32-tflite **!** |" in text
    assert "| **53.2 kB** |" in text
    assert "| fp16-tflite ✗ | – |" in text


def test_each_target_has_a_table_and_the_least_energy() -> None:
    text = written(metered("a", 2), metered("b", 4), metered("a", 2, target="jetson"))
    assert [line for line in text.splitlines() if line.startswith("### ")] == [
        "### 2 boards", "### pi5", "### jetson",
    ]  # fmt: skip
    assert "- → least energy: a: 2.00 ± 0.20 mJ" in text
    assert html(text).count("<table>") == 5  # two of them folded away, one over both boards


def test_several_boards_have_a_table_over_all_of_them_before_their_own() -> None:
    items = [measurement(target=f"pi-{number}", p50=number) for number in (1, 2, 4)]
    doubtful = measurement(target="pi-8", p50=8, verdict="invalid", reasons=("hot",))
    lost = Failure(target="pi-9", variant=None, stage="connect", error="off")
    text = written(*items, doubtful, failures=(lost,))
    assert text.index("### 4 boards\nmedian over boards (lowest … highest)\n") < text.index("### pi-1\n")
    assert "| Variant | Boards | lowest accuracy | p50 ms | ? |" in text
    assert "| int8-tflite | 3/4 | 90.2 % (−1.1) | 2.00 (1.00 … 4.00) | 1 |" in text
    assert "- **✗** 1 of 5 boards has no results: pi-9" in text
    assert "boards" not in written(items[0], measurement("fp32", target="pi-1"))


def test_text_stays_text() -> None:
    nasty = "<img src=x> | a `b` **c** @someone #12 [x](http://y) $z$ 5 < 6 & 7\n\n## heading"
    lost = Failure(target="ssh://me@pi.local", variant=None, stage="connect", error=nasty)
    text = written(FP32, failures=(lost,))
    shown = html(text)
    assert "<img" not in shown
    assert "<strong>c" not in shown
    assert "<a " not in shown
    assert shown.count("<h2>") == 1
    line = text.split("- **✗**")[1]
    assert "@<!-- -->someone" in line
    assert r"\#<!-- -->12" in line
    assert "ssh://me@pi.local" in line


def many(n: int, **changes: Any) -> list[Measurement]:
    reasons = ("other programs used 30 % of the CPU while the model ran, " + "x" * 300,)
    return [
        measurement(
            f"variant-{i}-{'n' * 40}", verdict="invalid", reasons=reasons, size_bytes=i + 1, **changes
        )
        for i in range(n)
    ]


def test_a_long_report_loses_its_intervals_first_and_says_so() -> None:
    of = run(*(measurement(f"v{i}", size_bytes=1000 + i) for i in range(500)))
    text = text_of(of)
    assert "<details>" not in text
    assert "| v499 |" in text
    assert "*Too long for a comment; left out: intervals. `edgegreen report 20261122-" in text


@pytest.mark.parametrize("targets", [1, 200])
def test_however_many_rows_it_fits_and_those_over_budget_are_there(targets: int) -> None:
    items = [item for i in range(targets) for item in many(600 // targets, target=f"t{i}")]
    failures = tuple(
        Failure(target=f"x{i}", variant=None, stage="connect", error="gone " * 500) for i in range(100)
    )
    of = run(*items, failures=failures, budgets=Budgets(size_bytes_max=599))
    text = text_of(of)
    assert len(text.encode()) < markdown.MAX_BYTES
    assert text.startswith("## ❌ ")
    assert "left out: intervals, remarks, what is beyond the first " in text
    if targets == 1:
        first = next(line for line in text.splitlines() if line.startswith("| variant-"))
        assert first.startswith("| variant-599-")


def test_a_regression_is_in_the_answer_and_has_a_table_of_its_own() -> None:
    before = earlier(measurement("a"), measurement("b"))
    after = run(measurement("a", p50=2.0), measurement("b", runtime=("litert", "2.4.0", "XNNPACK")))
    sides = Source(before, series.nowhere), Source(after, series.nowhere)
    found = against.compare(*sides, Regression(slower_max=0.1))
    text = markdown.report(Contents(after, comparison.of(after), series.nowhere, found))
    assert text.startswith("## ❌ keyword-spotting: 1 of 2 trials worse than before, 1 not compared\n")
    assert f"### Against {before.run_id}\n" in text
    assert "| pi5 | Reading | Ratio (95 % interval) | Word | Seen from |" in text
    assert re.search(r"\| a \*\*!\*\* \| p50 \| 2\.000 \(\S+\) \| slower \| 2 % \|", text)
    assert "| b **≠** | p50 | – | not compared |  |" in text
    assert "- **!** a: p50 +100 %, and the limit is +10 %" in text
    assert "- **≠** b: runtime: litert 2.3.0 + XNNPACK → litert 2.4.0 + XNNPACK" in text
    assert "- **·** the interval knows the noise within each run, not what differs" in text


def test_a_comparison_of_many_trials_fits_and_keeps_the_regressions() -> None:
    items = [measurement(f"variant-{index}-{'n' * 40}") for index in range(600)]
    slow = measurement(items[-1].variant, p50=99.0)
    before, after = earlier(*items), run(*items[:-1], slow)
    sides = Source(before, series.nowhere), Source(after, series.nowhere)
    found = against.compare(*sides, Regression(slower_max=0.1))
    text = markdown.report(Contents(after, comparison.of(after), series.nowhere, found))
    assert len(text.encode()) < markdown.MAX_BYTES
    assert f"{slow.variant} **!**" in text


def test_nothing_measured() -> None:
    assert text_of(run()).startswith("## ❌ keyword-spotting: nothing was measured\n")


def test_what_it_was_made_from_is_a_line() -> None:
    text = written(INT8, origin=MADE)
    line = text.rstrip("\n").splitlines()[-1]
    assert "made from commit f0f0f0f0f0f0 and changes besides · model 5f5f5f5f5f5f · data.y abab" in line
    assert "secret" not in text
    several = MADE.model_copy(update={"git": None, "files": {f"data.{n}": "ab" * 32 for n in range(9)}})
    assert "data.5 abababababab · 3 more files" in written(INT8, origin=several)
    assert "made from" not in written(INT8)


def test_a_run_with_nothing_in_common_says_what_differs() -> None:
    after = run(measurement("b"))
    sides = Source(earlier(measurement("a")), series.nowhere), Source(after, series.nowhere)
    text = markdown.report(Contents(after, comparison.of(after), series.nowhere, against.compare(*sides)))
    assert text.startswith("## ❌ keyword-spotting: nothing to compare with\n")
    assert "- **≠** no trial in common with run 20261121-040000-abc122 (variants: a → b)" in text
    assert "- **–** in 20261121-040000-abc122 only: a on pi5" in text
