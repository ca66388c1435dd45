"""The HTML report without a browser: what stands in it, what cannot, and what is drawn."""

from __future__ import annotations

import base64
import hashlib
import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import BOARD, accuracy, measurement, metered, run

from edgegreen.config.limitkeys import Budgets
from edgegreen.errors import InputError
from edgegreen.history.series import Levels, Series
from edgegreen.judging import comparison
from edgegreen.measurement import Failure
from edgegreen.report import html, pareto
from edgegreen.report.html import plots, summary
from report.pages import HOSTILE, MADE, RECIPE, SECOND, many, page, series_of

ECHARTS = Path(html.__file__).parent / "echarts" / "echarts.common.min.js"


class Parsed(HTMLParser):
    """Elements with their attributes, and the text of script elements."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        tag, attrs = self.elements[-1] if self.elements else ("", {})
        (self.scripts.append((attrs, data)) if tag == "script" else self.words.append(data))

    def data(self, name: str) -> Any:
        return json.loads(next(text for attrs, text in self.scripts if attrs.get("id") == name))


@pytest.fixture(scope="module")
def twelve() -> Parsed:
    return Parsed(page(many(12)))


def test_nothing_is_fetched_and_only_our_scripts_may_run(twelve: Parsed) -> None:
    for tag, attrs in twelve.elements:
        assert "src" not in attrs, tag
        assert (attrs.get("href") or "#").startswith(("#", "data:")), tag
        assert not any(name.startswith("on") for name in attrs), tag
    policy = next(attrs["content"] for tag, attrs in twelve.elements if tag == "meta" and "content" in attrs)
    assert policy is not None
    assert policy.startswith("default-src 'none';")
    code = [
        text for attrs, text in twelve.scripts if attrs.get("type") != "application/json" and text.strip()
    ]
    ours = [text for text in code if "sha256-" + _digest(text) in policy]
    assert len(ours) == policy.count("sha256-") == 2


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def test_the_library_is_the_released_one() -> None:
    digest = "61f13280aba3161f77fc801bf5f9c786f55f10432153a0683fc5cc0700b013d5"
    assert hashlib.sha256(ECHARTS.read_bytes()).hexdigest() == digest


def test_text_of_others_stays_text() -> None:
    hostile = measurement(HOSTILE, target=HOSTILE, reasons=(HOSTILE,), verdict="invalid")
    found = Parsed(page(run(hostile, measurement("b")).model_copy(update={"recipe": HOSTILE})))
    assert "img" not in [tag for tag, _ in found.elements]
    assert HOSTILE in "".join(found.words)
    assert found.data("data")["rows"][0]["name"].startswith(HOSTILE)


def test_how_it_was_made_stands_in_it_as_text(twelve: Parsed) -> None:
    said = "".join(twelve.words)
    for fact in (RECIPE, "5f" * 32, "ab" * 32, "f0" * 20, ", with changes besides", "openvino 2026.3.0"):
        assert fact in said
    assert "img" not in {tag for tag, _ in twelve.elements}
    assert "#made" not in page(run(measurement()))


def test_a_recipe_of_a_program_has_no_text() -> None:
    made = MADE.model_copy(update={"recipe_text": None, "recipe_file": None, "git": None})
    text = page(many(3, origin=made))
    assert "made by a program" in text
    assert "the recipe lay in no git repository" in text


def test_every_row_its_figures_and_its_plots(twelve: Parsed) -> None:
    rows = [attrs for tag, attrs in twelve.elements if tag == "tr" and "data-row" in attrs]
    assert [attrs["data-row"] for attrs in rows] == [str(n) for n in range(12)]
    drawn = twelve.data("plots-3")
    assert [line["points"] for line in drawn["power_w"]]
    assert {window["name"] for window in drawn["windows"]} == {"idle", "the model runs"}
    text = " ".join("".join(twelve.words).split())
    for said in (
        "the CPU was throttled",
        "≤ 25 ms",
        "What failed",
        "clock MHz cpu0",
        "ina3221",
    ):
        assert said in text


def test_rows_without_series_say_so() -> None:
    def series(item: Any) -> Series | None:
        if item.variant == "variant-1":
            raise InputError("x.npz: no series that this edgegreen can read")
        return None

    found = Parsed(page(many(4), series))
    assert found.data("plots-0") == {"why": "the series behind this row are not there"}
    assert found.data("plots-2") == {"why": "x.npz: no series that this edgegreen can read"}


def test_with_latency_alone_there_is_nothing_to_weigh() -> None:
    bare = measurement(accuracy=None, conditions={}, peak_rss_bytes=None)
    found = Parsed(page(run(bare), lambda _: None))
    assert "so there is nothing to weigh latency against" in "".join(found.words)
    assert found.data("data")["rows"][0]["accuracy"] is None


def test_a_run_without_results() -> None:
    failed = Failure(target="pi5", variant=None, stage="connect", error="pi5 does not answer")
    text = page(run(failures=(failed,)))
    assert "Nothing was measured" in text
    assert "pi5 does not answer" in text


@pytest.mark.parametrize(
    ("changes", "kind", "said"),
    [
        ({}, "good", "Measured: 1 row; the recipe sets no budgets"),
        ({"budgets": Budgets(latency_p50_ms_max=5)}, "good", "Within budget: 1 row"),
        ({"budgets": Budgets(latency_p50_ms_max=0.5)}, "bad", "Not within budget: 1 of 1 row misses a limit"),
        ({"failures": many(0).failures}, "bad", "Incomplete: 1 trial failed, 1 row measured"),
    ],
)
def test_the_verdict(changes: dict[str, Any], kind: str, said: str) -> None:
    of = run(measurement(), **changes)
    assert summary.verdict(of, comparison.of(of)) == summary.Word(kind, said)


def test_a_budget_on_what_was_not_measured_is_not_met() -> None:
    of = run(metered("a", mj=4.0), measurement("b"), budgets=Budgets(energy_mj_max=5, valid=False))
    (budget,) = summary.budgets(of, comparison.of(of))
    assert (budget.name, budget.limit, budget.n, budget.missed) == (
        "energy of one inference",
        "≤ 5 mJ",
        2,
        ("b",),
    )


def test_the_least_energy_is_within_the_budgets_of_its_own_target() -> None:
    rows = metered("a", mj=4.0, target="orin"), metered("b", mj=5.0, target="orin")
    for name, within in (("orin", "least energy within the budgets:"), ("pi5", "least energy:")):
        budgets = Budgets.model_validate({"targets": {name: {"energy_mj_max": 9}}})
        assert within in page(run(*rows, budgets=budgets))


def test_an_emulated_board_is_held_to_no_budget_of_speed() -> None:
    emulated = measurement(conditions={"board": BOARD | {"emulated": True}})
    of = run(emulated, budgets=Budgets(latency_p95_ms_max=0.1, size_bytes_max=100_000))
    found = {budget.name: budget.n for budget in summary.budgets(of, comparison.of(of))}
    assert found == {"p95 of latency": 0, "size of the files": 1}
    assert "none is held to it" in page(of)


def test_a_replayed_row_says_so_and_counts() -> None:
    recorded = {"replayed": {"board": "pi5", "recorded_at": "2026-11-20T10:00:00+00:00"}}
    (row,) = comparison.of(run(measurement(conditions={"board": BOARD} | recorded)))
    assert [word.text for word in summary.status(row, Budgets())] == ["valid", "replayed"]
    assert "replayed from a recording of pi5" in summary.remarks([row])[0].text


def test_the_front_weighs_three_things_on_each_target_by_itself() -> None:
    rows = comparison.of(
        run(
            metered("fast", mj=4, ips=100, accuracy=accuracy(0.88)),
            metered("frugal", mj=2, ips=50, accuracy=accuracy(0.88)),
            metered("right", mj=5, ips=40, accuracy=accuracy(0.91)),
            metered("beaten", mj=5, ips=40, accuracy=accuracy(0.90)),
            metered("doubtful", mj=1, ips=999, accuracy=accuracy(0.99), verdict="invalid", reasons=("x",)),
            measurement("unmetered", p50=0.1),
            metered("alone", target="jetson"),
        )
    )
    assert [rows[at].measurement.variant for at in sorted(pareto.front(rows))] == ["fast", "frugal", "right"]


def test_thinning_keeps_spikes_order_and_its_bound() -> None:
    values = np.random.default_rng(2).normal(2, 0.1, 100_000)
    values[[31_000, 62_000]] = 9.0, -4.0
    values[5] = np.nan
    points = plots.thinned(np.arange(100_000) * 1000, values, 0, 200)
    assert len(points) <= 400
    assert [point[0] for point in points] == sorted(point[0] for point in points)
    assert {9.0, -4.0} <= {point[1] for point in points}


def test_few_points_stay_as_they_are() -> None:
    t_ns = np.array([SECOND, 2 * SECOND])
    assert plots.thinned(t_ns, np.array([1.0, 2.0]), SECOND, 5) == ((0.0, 1.0), (1.0, 2.0))


def test_all_calls_are_in_the_bars_or_beyond() -> None:
    calls = plots.calls(series_of(measurement()).invoke_ns)
    assert calls is not None
    assert sum(calls.counts) + calls.beyond == 2000
    assert 0 < calls.beyond < 40
    alike = plots.calls(np.full(50, 1_000_000))
    assert alike is not None
    assert sum(alike.counts) == 50


def test_clocks_that_go_together_are_one_line() -> None:
    series = series_of(measurement())
    values = {f"cpu{n}": series.frequency_mhz.values["cpu0"] for n in range(12)}
    values["gpu"] = np.full(30, np.nan)
    clocks = Levels(series.frequency_mhz.t_ns, values)
    drawn = plots.of(Series(np.empty(0), np.empty(0), {}, frequency_mhz=clocks), 100)
    assert [line.name for line in drawn.clock_mhz] == [", ".join(f"cpu{n}" for n in range(12))]
    assert drawn.calls is None
    assert not drawn.left_out
