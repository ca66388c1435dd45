"""A run as rows of the history's tables, and back. Records hold all of it; other columns are for filters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from edgegreen.history import kept, series
from edgegreen.measurement import Failure, Measurement, Origin, Run

Row = dict[str, Any]
LARGEST = 2**63 - 1  # of an integer in a database


def of_run(run: Run) -> Row:
    """The row of the run itself."""
    origin = run.origin
    git = origin.git if origin else None
    head = run.model_copy(update={"results": (), "failures": (), "origin": None})
    return {
        "run_id": run.run_id,
        "recipe": _text(run.recipe),
        "started_at": run.started_at,
        "edgegreen": _text(run.edgegreen),
        "git_commit": git and _text(git.sha),
        "git_modified": git and git.modified,
        "recipe_text": origin and _text(origin.recipe_text),
        "origin": origin and origin.model_dump_json(),
        "record": head.model_dump_json(),
    }


def of_results(run: Run) -> list[Row]:
    """The rows of its results."""
    return [{"run_id": run.run_id, "position": n} | _of_result(item) for n, item in enumerate(run.results)]


def _of_result(item: Measurement) -> Row:
    tuning, accuracy, power, energy = item.tuning, item.accuracy, item.power, item.energy
    return {
        "trial": series.trial_of(item),
        "target": _text(item.target),
        "variant": _text(item.variant),
        "format": _text(item.format),
        "precision": _text(item.precision),
        "runtime": _text(item.runtime.name),
        "runtime_version": _text(item.runtime.version),
        "delegate": _text(item.runtime.delegate),
        "threads": _whole(item.threads, LARGEST >> 32),
        "governor": tuning and _text(tuning.governor),
        "power_mode": None if tuning is None or tuning.power_mode is None else _text(str(tuning.power_mode)),
        "sha256": _text(item.artifact.sha256),
        "size_bytes": _whole(item.artifact.size_bytes),
        "latency_p50_ms": item.latency_ms.p50,
        "latency_p95_ms": item.latency_ms.p95,
        "latency_p99_ms": item.latency_ms.p99,
        "first_inference_ms": item.first_inference_ms,
        "peak_rss_bytes": _whole(item.peak_rss_bytes),
        "metric": accuracy and _text(accuracy.metric),
        "accuracy": accuracy and accuracy.value,
        "power_active_w": power and power.active_w,
        "energy_mj": energy and energy.per_inference_mj,
        "verdict": item.verdict,
        "record": item.model_dump_json(),
    }


def of_failures(run: Run) -> list[Row]:
    """The rows of what failed."""
    return [
        {
            "run_id": run.run_id,
            "position": position,
            "target": _text(one.target),
            "variant": _text(one.variant),
            "stage": one.stage,
            "exit_code": one.exit_code,
            "record": one.model_dump_json(),
        }
        for position, one in enumerate(run.failures)
    ]


def of_variants(run: Run) -> list[Row]:
    """The variants that were measured or failed, once each."""
    found: dict[str | None, Row] = {
        _text(one.variant): {"format": None, "precision": None, "passes": None} for one in run.failures
    }
    for item in run.results:
        found[_text(item.variant)] = {
            "format": _text(item.format),
            "precision": _text(item.precision),
            "passes": _text("; ".join(item.passes)),
        }
    return _named(run, found)


def of_targets(run: Run) -> list[Row]:
    """The targets that were measured on or failed, once each."""
    found: dict[str | None, Row] = {
        _text(one.target): {"machine": None, "emulated": None} for one in run.failures
    }
    for item in run.results:
        board = item.conditions.get("board")
        machine = board.get("machine") if isinstance(board, dict) else None
        found[_text(item.target)] = {
            "machine": _text(machine) if isinstance(machine, str) else None,
            "emulated": item.emulated,
        }
    return _named(run, found)


def _named(run: Run, found: Mapping[str | None, Row]) -> list[Row]:
    return [{"run_id": run.run_id, "name": name} | row for name, row in found.items() if name is not None]


def to_run(head: Mapping[str, Any], results: Sequence[str], failures: Iterable[tuple[str, int]]) -> Run:
    """The run of these rows: its own, the records of its results, records and exit codes of its failures.

    Raises InputError for records that this edgegreen does not know.
    """
    try:
        return Run.model_validate_json(head["record"]).model_copy(
            update={
                "results": tuple(map(Measurement.model_validate_json, results)),
                "failures": tuple(
                    Failure.model_validate_json(record).model_copy(update={"exit_code": code})
                    for record, code in failures
                ),
                "origin": Origin.model_validate_json(head["origin"]) if head["origin"] else None,
            }
        )
    except ValidationError as error:
        raise kept.unreadable(f"run {head['run_id']} of the history", error) from None


def _text(value: str | None) -> str | None:
    """As every database takes it: PostgreSQL has no NUL."""
    return value and value.replace("\0", "\N{REPLACEMENT CHARACTER}")


def _whole(value: int | None, largest: int = LARGEST) -> int | None:
    """None for what is no figure of this world, and no database takes; the record has it."""
    return value if value is not None and abs(value) <= largest else None
