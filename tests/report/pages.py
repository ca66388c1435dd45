"""Runs, series and pages for tests of the HTML report; made up, whole, of any size."""

from __future__ import annotations

from typing import Any

import numpy as np
from builders import BOARD, accuracy, earlier, latency, measurement, metered, run

from edgegreen.config.limitkeys import Budgets, Regression
from edgegreen.history.series import Levels, Series, nowhere
from edgegreen.judging import against, comparison
from edgegreen.judging.against import Source
from edgegreen.judging.compared import Against
from edgegreen.measurement import Commit, Failure, Measurement, Origin, Run
from edgegreen.report.html import render

SECOND = 10**9
HOSTILE = "</script><img src=http://127.0.0.1:9/x onerror=\"document.title='broken'\"><b>&'"

RECIPE = f"name: keyword-spotting\nmodel: kws.keras  # {HOSTILE}\n{'long ' * 60}\n"
MADE = Origin(
    recipe_file="kws.yaml",
    recipe_text=RECIPE,
    files={"model": "5f" * 32, "data.evaluation": "ab" * 32},
    tools={"edgegreen": "0.1.0", "openvino": "2026.3.0"},
    host="Linux x86_64, Python 3.11.2",
    git=Commit(sha="f0" * 20, modified=True),
)


def many(n: int, **changes: Any) -> Run:
    """A run of `n` rows on two targets, each seventh not to be trusted, with budgets that some rows miss."""
    random = np.random.default_rng(6)
    look = {"frequency_mhz": {"cpu0": 600.0}, "temperature_c": {"cpu-thermal": 45.2}, "load_average": 0.3}
    items = [
        metered(
            f"variant-{index // 2}",
            mj=float(random.uniform(0.5, 9)),
            half=0.1,
            ips=float(random.uniform(30, 400)),
            target=("pi5", "jetson")[index % 2],
            accuracy=accuracy(float(random.uniform(0.86, 0.91))),
            conditions={"board": BOARD, "before": look, "during": {}, "after": look},
            verdict="invalid" if index % 7 == 5 else "valid",
            reasons=("the CPU was throttled",) if index % 7 == 5 else (),
        )
        for index in range(n)
    ]
    failed = Failure(target="pi5", variant="int16x8", stage="measure", error=HOSTILE)
    wanted = {
        "baseline": "variant-0",
        "budgets": Budgets(latency_p95_ms_max=25),
        "failures": (failed,),
        "origin": MADE,
    }
    return run(*items, **(wanted | changes))


def series_of(item: Measurement) -> Series:
    """Ten seconds of idle, ten of work at 2 W more with one spike of 9 W, ten of idle."""
    t_ns = np.arange(0, 30 * SECOND, SECOND // 200)
    work = (t_ns >= 10 * SECOND) & (t_ns < 20 * SECOND)
    power_w = np.where(work, 4.0, 2.0)
    power_w[3000] = 9.0
    seconds = np.arange(0, 30 * SECOND, SECOND)
    calls = np.random.default_rng(1).gamma(2, 0.02, 2000) + 0.95
    return Series(
        invoke_ns=(calls * item.latency_ms.p50 * 1e6).astype(np.int64),
        end_to_end_ns=np.array([], np.int64),
        windows={
            "idle_before": (0, 10 * SECOND),
            "active": (10 * SECOND, 20 * SECOND),
            "idle_after": (20 * SECOND, 30 * SECOND),
        },
        power_t_ns=t_ns,
        power_w=power_w,
        frequency_mhz=Levels(seconds, {"cpu0": np.where(seconds % (2 * SECOND), 600.0, 2400.0)}),
        temperature_c=Levels(seconds, {"cpu-thermal": np.linspace(45, 55, 30)}),
    )


def against_another(of: Run) -> Against:
    """With a run before: half of its trials were slower, its files larger, one had more threads."""
    then = [
        item.model_copy(
            update={
                "latency_ms": latency(item.latency_ms.p50 * (1.1 if index % 4 < 2 else 0.7)),
                "artifact": item.artifact.model_copy(update={"size_bytes": 60_000 + index}),
                "accuracy": accuracy(0.89),
                "threads": 4 if index == 3 else item.threads,
            }
        )
        for index, item in enumerate(of.results)
    ]
    sides = Source(earlier(*then, measurement("gone")), nowhere), Source(of, nowhere)
    return against.compare(*sides, Regression(slower_max=0.2))


def page(of: Run, series: Any = series_of, found: Against | None = None) -> str:
    """The report of a run."""
    return render(of, comparison.of(of), series, found)
