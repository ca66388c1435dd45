"""What was measured, and the statistics that make it a reading.

These types are the JSON contract (schema 1): what `--json` writes is `Run.model_dump_json()`, and
every report reads a `Run` back. Absent is None and never 0; units stand in names.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from edgegreen.config.footprintkeys import Footprint
from edgegreen.config.limitkeys import Budgets, Regression
from edgegreen.edgetpulog import Compilation
from edgegreen.mixture import Mixed

BATCHES = 20
T_975_19DF = 2.093  # Student's t, 0.975 quantile, BATCHES − 1 = 19 degrees of freedom
Z_975 = 1.960


# How a reason begins that says why a row has no accuracy.
NO_ACCURACY = NOT_SCORED, NOT_FINITE = "no accuracy: ", "the outputs are not finite"


class Record(BaseModel):
    """Base of every type of the JSON contract. JSON has no NaN, and a reading never is one."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Latency(Record):
    """Distribution of the times of single calls, in milliseconds.

    Percentiles are linear between order statistics (Hyndman & Fan 1996, type 7); `ci95` is the 95 %
    interval of p50.
    """

    p50: float
    p90: float
    p95: float
    p99: float
    mean: float
    stdev: float
    min: float
    max: float
    n: int
    ci95: tuple[float, float]

    @classmethod
    def of(cls, times_ns: NDArray[Any]) -> Latency:
        """From call times in nanoseconds, in the order they were taken; at least two."""
        times_ms = times_ns.astype(np.float64) / 1e6
        p50, p90, p95, p99 = (float(value) for value in np.percentile(times_ms, (50, 90, 95, 99)))
        return cls(
            p50=p50, p90=p90, p95=p95, p99=p99,
            mean=float(times_ms.mean()), stdev=float(times_ms.std(ddof=1)),
            min=float(times_ms.min()), max=float(times_ms.max()),
            n=len(times_ms), ci95=median_interval(times_ms),
        )  # fmt: skip


def median_interval(values: NDArray[np.float64]) -> tuple[float, float]:
    """95 % confidence interval of the median of a time series.

    Call times follow one another and are not independent, so n of them say less than n. The series is
    cut into 20 consecutive batches, whose medians hardly depend on each other: the interval is
    p50 ± t·s/√20 with s their standard deviation (batch means: Law, Simulation Modeling and Analysis,
    5th ed., §9.5.3, with medians for means). Series too short for batches of 5 take the order
    statistics n/2 ± 1.96·√n/2 (Conover, Practical Nonparametric Statistics, 3rd ed., §3.2), widened by
    √((1 + r)/(1 − r)) with r the correlation of one call's time with the next (Bayley & Hammersley 1946).
    """
    n = len(values)
    if n < 5 * BATCHES:
        ordered = np.sort(values)
        reach = Z_975 * np.sqrt(n) / 2 * _widening(values)
        low, high = int(np.floor(n / 2 - reach)), int(np.ceil(n / 2 + reach))
        return float(ordered[max(low, 0)]), float(ordered[min(high, n - 1)])
    medians = np.array([np.median(batch) for batch in np.array_split(values, BATCHES)])
    centre = float(np.median(values))
    reach = T_975_19DF * float(medians.std(ddof=1)) / np.sqrt(BATCHES)
    return centre - float(reach), centre + float(reach)


def _widening(values: NDArray[np.float64]) -> float:
    """How much wider an interval is when neighbours are alike; 1 when they are not."""
    centred = np.clip(values, *np.percentile(values, (5, 95))) - np.median(values)
    energy = float((centred**2).sum())
    r = float((centred[1:] * centred[:-1]).sum()) / energy if energy else 0.0
    return float(np.sqrt((1 + r) / (1 - r))) if 0 < r < 0.99 else 1.0


class RuntimeUsed(Record):
    """What ran the model. `delegate` is None when none is known to have taken part.

    `fell_back` says what should have run it, did not, and why; None when nothing fell back.
    """

    name: str
    version: str
    delegate: str | None
    fell_back: str | None = None


class ArtifactUsed(Record):
    """The deployed file(s). `mixed` is there for a variant with an `accuracy_drop_max`.

    `compilation` is what the Edge TPU's compiler said of it; None for what it did not compile for us.
    """

    sha256: str
    size_bytes: int
    compressed_bytes: int
    built_by: str
    mixed: Mixed | None = None
    compilation: Compilation | None = None


class Accuracy(Record):
    """The recipe's metric over its evaluation set, run on the device.

    `baseline` is the same metric of the float model on the host; None when that could not be had.
    `change_ci95` is the 95 % interval of value − baseline, paired over the samples of top1 and top5.
    """

    metric: str
    value: float
    n: int
    baseline: float | None
    change_ci95: tuple[float, float] | None = None


class Power(Record):
    """Power while idle and while running, from one meter."""

    source: str
    rail: str | None
    scope: str
    idle_w: float
    active_w: float
    n: int
    n_effective: float


class Energy(Record):
    """Energy of one inference; `per_inference_mj` has idle power subtracted, `gross_mj` has not."""

    per_inference_mj: float
    gross_mj: float
    ci95_mj: tuple[float, float]


class Operators(Record):
    """Operators of a loaded model that run alike.

    `type` is the runtime's name. `precision` is what they compute in: f32, f16, bf16, i16, i8, or `dynamic`
    (floats in, 8-bit weights); None where the runtime does not say. `delegated` is None in a runtime that
    has no delegates. `role` is `compute` for convolutions and matrix products, `conversion` for what turns
    floats into 8 bits or back.
    """

    type: str
    precision: str | None
    delegated: bool | None
    role: Literal["compute", "conversion", "other"]
    count: int


class Execution(Record):
    """What really ran: how many operators, of which a delegate ran `delegated` (None: there are none).

    `compute` counts convolutions and matrix products by precision, `conversions` what quantises and
    dequantises in each call.
    """

    operators: int
    delegated: int | None
    compute: dict[str, int]
    conversions: int
    kinds: tuple[Operators, ...]


class OperatorTime(Record):
    """The mean time of one operator, and its share of the mean profiled call (0 … 1)."""

    name: str
    type: str
    precision: str | None
    ms: float
    share: float


class Profile(Record):
    """A run of its own with the runtime's clocks on, which slow it down: not the latency of the trial.

    `operators_ms` is the time of all operators, of which `operators` are the longest, the longest first.
    """

    runs: int
    call_ms: float
    operators_ms: float
    operators: tuple[OperatorTime, ...]


class Tuning(Record):
    """Settings of the board that a trial asks for, as the recipe names them; None: the board's own."""

    governor: str | None = None
    power_mode: int | str | None = None

    def __str__(self) -> str:
        mode = None if self.power_mode is None else f"power mode {self.power_mode}"
        return ", ".join(word for word in (mode, self.governor) if word)


class Measurement(Record):
    """One trial, measured."""

    variant: str
    target: str
    format: str
    precision: str | None
    runtime: RuntimeUsed
    threads: int
    tuning: Tuning | None = None
    artifact: ArtifactUsed
    latency_ms: Latency
    end_to_end_ms: Latency
    load_ms: float
    first_inference_ms: float
    throughput_ips: float
    peak_rss_bytes: int | None
    accuracy: Accuracy | None
    power: Power | None
    energy: Energy | None
    energy_absent: str | None
    conditions: dict[str, Any]
    verdict: Literal["valid", "invalid"]
    reasons: tuple[str, ...]
    execution: Execution | None = None
    profile: Profile | None = None
    passes: tuple[str, ...] = ()
    """What was done to the model before it was converted, in order; in words that tell one from another."""

    @property
    def emulated(self) -> bool:
        """Whether the board says it is an emulated one: its speeds, and so its energies, predict nothing."""
        board = self.conditions.get("board")
        return isinstance(board, dict) and bool(board.get("emulated"))


class Failure(Record):
    """What could not be done. `target` is None for a conversion, `variant` for a whole target.

    `setting` tells a trial from the others of its variant, where there are several: `4 threads, powersave`.
    """

    target: str | None
    variant: str | None
    stage: Literal["convert", "connect", "deploy", "measure"]
    error: str
    setting: str | None = None

    @property
    def name(self) -> str:
        """What it befell: `int8`, `int8, 4 threads`, `all variants`."""
        return ", ".join(filter(None, (self.variant or "all variants", self.setting)))

    exit_code: Annotated[int, Field(exclude=True)] = 1


class Commit(Record):
    """A state of the git repository that the recipe lies in; `modified`: there are changes besides."""

    sha: str
    modified: bool


class Origin(Record):
    """What a run was made from, for whoever has to make it again.

    `files` are sha256 digests of all that the recipe names, by key (`model`, `data.evaluation`); `tools` the
    versions of the packages that build and measure on the host, of those that are installed.
    """

    recipe_file: str | None
    recipe_text: str | None
    files: dict[str, str]
    tools: dict[str, str]
    host: str
    git: Commit | None


class Planned(Record):
    """The names of what a run set out to measure, however much of it there is."""

    targets: tuple[str, ...]
    variants: tuple[str, ...]


class Run(Record):
    """One `deploy`: everything measured, everything that failed, and what the recipe wanted of it.

    All from `baseline` on is what a table needs beside the readings, and where they come from; runs kept
    before there were such are without (None).
    """

    schema_: Annotated[Literal[1], Field(alias="schema")] = 1
    run_id: str
    recipe: str
    started_at: datetime
    edgegreen: str
    results: tuple[Measurement, ...]
    failures: tuple[Failure, ...]
    baseline: str | None = None
    higher_is_better: bool = True
    budgets: Budgets = Budgets()
    regression: Regression = Regression()
    footprint: Footprint | None = None
    origin: Origin | None = None
    planned: Planned | None = None

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    def to_json(self) -> str:
        """The run as schema 1 JSON, indented."""
        return self.model_dump_json(indent=2, by_alias=True)
