"""The plot of a run's rows: which are on the front, where their names are, and when there is no plot."""

from __future__ import annotations

import io

import pytest
from builders import accuracy, measurement, metered, run
from rich.cells import cell_len
from rich.console import Console

from edgegreen.judging import comparison
from edgegreen.measurement import Measurement
from edgegreen.report import choices, scatter

FAST = measurement("fast", p50=1.0, accuracy=accuracy(0.90))
RIGHT = measurement("right", p50=4.0, accuracy=accuracy(0.95))
BEATEN = measurement("dear", p50=5.0, accuracy=accuracy(0.90))
DOUBTFUL = measurement("doubtful", p50=2.0, accuracy=accuracy(0.93), verdict="invalid", reasons=("x",))


def shown(*items: Measurement, width: int = 80) -> list[str]:
    out = io.StringIO()
    choices.show(comparison.of(run(*items)), Console(file=out, width=width, highlight=False, markup=False))
    return out.getvalue().splitlines()


def test_the_front_is_named_in_the_plot_and_below_it() -> None:
    lines = shown(FAST, RIGHT, BEATEN, DOUBTFUL)
    assert lines[0] == "pi5  Accuracy over p50 ms"
    plot = "\n".join(lines[1:-2])
    assert "● fast" in plot
    assert "right ●" in plot or "● right" in plot
    assert "doubtful" not in plot
    assert "dear" not in plot
    assert "?" in plot
    assert "95 %" in plot
    assert lines[-2] == "● beaten by no other row here, by accuracy and p50 together: fast, right"


def test_energy_takes_the_place_of_latency_where_there_is_a_meter() -> None:
    frugal = metered("frugal", mj=1.0, ips=10, accuracy=accuracy(0.9))
    quick = metered("quick", mj=9.0, ips=900, accuracy=accuracy(0.9))
    lines = shown(frugal, quick)
    assert lines[0] == "pi5  Accuracy over mJ an inference above idle"
    told = " ".join(line.strip() for line in lines[-3:-1])
    assert told.endswith("by accuracy, p50 and energy together: frugal, quick")


@pytest.mark.parametrize(
    "items",
    [
        (FAST,),
        (DOUBTFUL, measurement("other", verdict="invalid", reasons=("x",))),
        tuple(measurement(name, accuracy=None) for name in ("a", "b")),
        (FAST, measurement("auc", accuracy=accuracy(0.9, metric="auc"))),
    ],
    ids=["one row", "none to trust", "no accuracy", "two metrics"],
)
def test_no_plot_where_there_is_nothing_to_choose(items: tuple[Measurement, ...]) -> None:
    assert shown(*items) == []


def test_equal_accuracies_are_not_pulled_apart() -> None:
    plot = shown(FAST, measurement("slow", p50=2.0, accuracy=accuracy(0.90)))
    ticks = [line.split("┤")[0].strip() for line in plot if "┤" in line]
    assert ticks == ["90.4 %", "90.2 %", "90 %", "89.8 %", "89.6 %"]


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_it_fits(width: int) -> None:
    items = [
        measurement(f"a-variant-with-a-long-name-{n}", p50=1.0 + n, accuracy=accuracy(0.80 + n / 100))
        for n in range(12)
    ]
    assert max(map(cell_len, shown(*items, width=width))) <= width


def test_far_apart_latencies_are_on_a_log_scale() -> None:
    far = measurement("far", p50=900.0, accuracy=accuracy(0.99))
    axis = shown(FAST, RIGHT, far)[-3]
    assert axis.split() == ["1", "3", "10", "30", "100", "300", "1000"]


def test_names_never_lie_on_points_or_names() -> None:
    points = scatter.Points("", "●", (1.0, 1.01, 1.02, 9.0), (1.0, 1.0, 1.0, 2.0), tuple("abcd"))
    axis = scatter.Axis("x", "{:g}".format, choices.tenth)
    text = scatter.drawn([points], axis, axis, 60).plain
    assert text.count("●") >= 2
    assert "d ●" in text or "● d" in text
