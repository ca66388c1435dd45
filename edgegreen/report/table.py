"""A run as CSV: a line for each row, for pandas and spreadsheets. Every figure with all its digits.

Columns are always the same, in the same order; new ones come last. What is absent is empty. What failed has
no row and is not here.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from typing import TextIO

from edgegreen.agent.wire import printable
from edgegreen.judging.comparison import Row
from edgegreen.measurement import Energy, Latency, Measurement, Run
from edgegreen.report.contents import Contents

Value = str | float | bool | None
Columns = dict[str, Callable[[Row], Value]]
# What a spreadsheet takes for the beginning of a formula (OWASP, CSV Injection).
FORMULA = ("=", "+", "-", "@", "\t", "\n")
OF_A_LATENCY = ("p50", "p90", "p95", "p99", "mean", "stdev", "min", "max")


def report(contents: Contents) -> str:
    """The heading and the lines, ended by a single newline each."""
    out = io.StringIO()
    write((entry(contents.run, row) for row in contents.rows), out)
    return out.getvalue()


def entry(run: Run, row: Row) -> dict[str, Value]:
    """A row by its columns, `NAMES`."""
    return _of_run(run) | {name: show(row) for name, show in COLUMNS.items()}


def write(entries: Iterable[dict[str, Value]], out: TextIO) -> None:
    """The heading, and a line for each of the rows."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(NAMES)
    for one in entries:
        writer.writerow(map(_cell, one.values()))


def _cell(value: Value) -> str | float:
    """As it is written: text that would be run as a formula is led by an apostrophe, which makes it text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        # A lone `\r` ends a line for some readers, and is not quoted.
        text = printable(value.replace("\r\n", "\n").replace("\r", "\n"))
        return f"'{text}" if text.startswith(FORMULA) else text
    return value


def _of_run(run: Run) -> dict[str, Value]:
    return {
        "run_id": run.run_id,
        "recipe": run.recipe,
        "started_at": run.started_at.isoformat(),
        "edgegreen": run.edgegreen,
    }


def _of_item(show: Callable[[Measurement], Value]) -> Callable[[Row], Value]:
    return lambda row: show(row.measurement)


def _latency(name: str, found: Callable[[Measurement], Latency]) -> Columns:
    def column(key: str) -> Callable[[Row], Value]:
        return lambda row: getattr(found(row.measurement), key)

    return {f"{name}_{key}_ms": column(key) for key in OF_A_LATENCY} | {
        f"{name}_p50_low_ms": lambda row: found(row.measurement).ci95[0],
        f"{name}_p50_high_ms": lambda row: found(row.measurement).ci95[1],
        f"{name}_n": lambda row: found(row.measurement).n,
    }


def _accuracy() -> Columns:
    def column(key: str) -> Callable[[Row], Value]:
        return _of_item(lambda item: getattr(item.accuracy, key) if item.accuracy else None)

    return {
        "metric": column("metric"),
        "accuracy": column("value"),
        "accuracy_float_model": column("baseline"),
        "accuracy_change": lambda row: row.accuracy_change,
        "accuracy_n": column("n"),
    }


def _power() -> Columns:
    def column(key: str) -> Callable[[Row], Value]:
        return _of_item(lambda item: getattr(item.power, key) if item.power else None)

    return {
        "power_source": column("source"),
        "power_rail": column("rail"),
        "power_scope": column("scope"),
        "power_idle_w": column("idle_w"),
        "power_active_w": column("active_w"),
        "power_n": column("n"),
        "power_n_effective": column("n_effective"),
    }


def _energy() -> Columns:
    def column(show: Callable[[Energy], float]) -> Callable[[Row], Value]:
        return _of_item(lambda item: show(item.energy) if item.energy else None)

    return {
        "energy_mj": column(lambda energy: energy.per_inference_mj),
        "energy_low_mj": column(lambda energy: energy.ci95_mj[0]),
        "energy_high_mj": column(lambda energy: energy.ci95_mj[1]),
        "energy_gross_mj": column(lambda energy: energy.gross_mj),
        "energy_absent": _of_item(lambda item: item.energy_absent),
    }


def _compilation() -> Columns:
    def column(key: str) -> Callable[[Row], Value]:
        return _of_item(lambda item: getattr(item.artifact.compilation, key, None))

    return {
        "tpu_operators": column("on_tpu"),
        "tpu_operators_of": column("operators"),
        "tpu_streamed_bytes": column("streamed_bytes"),
    }


def _said(texts: Sequence[str]) -> str:
    return "; ".join(texts)


COLUMNS: Columns = {
    "target": _of_item(lambda item: item.target),
    "variant": _of_item(lambda item: item.variant),
    "format": _of_item(lambda item: item.format),
    "precision": _of_item(lambda item: item.precision),
    "passes": _of_item(lambda item: _said(item.passes)),
    "runtime": _of_item(lambda item: item.runtime.name),
    "runtime_version": _of_item(lambda item: item.runtime.version),
    "delegate": _of_item(lambda item: item.runtime.delegate),
    "threads": _of_item(lambda item: item.threads),
    "governor": _of_item(lambda item: item.tuning.governor if item.tuning else None),
    "power_mode": _of_item(lambda item: item.tuning.power_mode if item.tuning else None),
    "sha256": _of_item(lambda item: item.artifact.sha256),
    "size_bytes": _of_item(lambda item: item.artifact.size_bytes),
    "compressed_bytes": _of_item(lambda item: item.artifact.compressed_bytes),
    **_accuracy(),
    **_latency("latency", lambda item: item.latency_ms),
    **_latency("end_to_end", lambda item: item.end_to_end_ms),
    "load_ms": _of_item(lambda item: item.load_ms),
    "first_inference_ms": _of_item(lambda item: item.first_inference_ms),
    "throughput_per_s": _of_item(lambda item: item.throughput_ips),
    "peak_rss_bytes": _of_item(lambda item: item.peak_rss_bytes),
    **_power(),
    **_energy(),
    "speedup": lambda row: row.speedup,
    "emulated": _of_item(lambda item: item.emulated),
    "replayed": _of_item(lambda item: bool(item.conditions.get("replayed"))),
    "verdict": _of_item(lambda item: item.verdict),
    "reasons": _of_item(lambda item: _said(item.reasons)),
    "missed_budgets": lambda row: _said(row.missed),
    "remarks": lambda row: _said(row.warnings),
    **_compilation(),
}
NAMES = ("run_id", "recipe", "started_at", "edgegreen", *COLUMNS)
