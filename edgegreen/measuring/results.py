"""One trial's result: what was heard from the board, computed and judged, as a Measurement. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgegreen.artifact import Artifact
from edgegreen.client import Board, RawResult
from edgegreen.history.hits import Hits
from edgegreen.history.series import Levels, Series
from edgegreen.judging import applied, edgetpu, execution
from edgegreen.measurement import (
    ArtifactUsed,
    Execution,
    Latency,
    Measurement,
    Operators,
    OperatorTime,
    Profile,
    RuntimeUsed,
)
from edgegreen.measuring import metering, tuning, verdict
from edgegreen.measuring.evaluation import Evaluation
from edgegreen.meters.record import Record
from edgegreen.plan import Trial
from edgegreen.target import Target


@dataclass(frozen=True)
class Result:
    """A measurement, the series behind it, and those of its reasons that another attempt may do without."""

    measurement: Measurement
    series: Series
    passing: tuple[str, ...]


def measurement(
    trial: Trial,
    artifact: Artifact,
    board: Board,
    raw: RawResult,
    evaluation: Evaluation,
    *,
    record: Record,
    cool_to_c: float | None = None,
) -> Result:
    """What a trial measured, what that says, and whether it can be trusted. `record` is its meter's."""
    accuracy = evaluation.accuracy()  # before its reasons, which it may add to
    metered = metering.measure(trial.target, record, raw.windows, raw.runs)
    executed = _execution(raw)
    lasting = (
        *evaluation.reasons(),
        *execution.reasons(artifact.precision, raw.runtime_name, executed),
        *edgetpu.doubts(artifact.format, raw.runtime_delegate),
    )
    passing = (
        *verdict.of_latency(raw.invoke_ns, raw.window_ns),
        *verdict.of_cooling(raw.observed, cool_to_c),
        *verdict.of_conditions(raw.observed, raw.window_ns),
        *verdict.of_idle(raw.observed, raw.windows),
        *tuning.doubts(trial.tuning, raw.observed),
        *metered.reasons,
    )
    made = Measurement(
        variant=trial.variant_name,
        target=trial.target.name,
        format=artifact.format,
        precision=artifact.precision,
        runtime=_runtime(raw),
        threads=trial.threads,
        tuning=trial.tuning,
        artifact=_artifact(artifact),
        latency_ms=Latency.of(raw.invoke_ns),
        end_to_end_ms=Latency.of(raw.end_to_end_ns),
        load_ms=raw.load_ms,
        first_inference_ms=raw.first_inference_ms,
        throughput_ips=raw.throughput_ips,
        peak_rss_bytes=raw.peak_rss_bytes,
        accuracy=accuracy,
        power=metered.power,
        energy=metered.energy,
        energy_absent=metered.absent,
        conditions={
            **_made_on(trial.target, board, raw, evaluation),
            "agreement_on_host": _agreement(artifact),
            "outputs_doubted": list(lasting),
            **verdict.conditions(raw.observed, raw.windows, record if trial.target.is_metered else None),
        },
        verdict="invalid" if lasting or passing else "valid",
        reasons=(*lasting, *passing),
        execution=executed,
        profile=_profile(raw),
        passes=applied.all_told(trial.variant.passes),
    )
    return Result(made, _series(raw, record, evaluation.hits()), passing)


def _runtime(raw: RawResult) -> RuntimeUsed:
    return RuntimeUsed(
        name=raw.runtime_name,
        version=raw.runtime_version,
        delegate=raw.runtime_delegate,
        fell_back=raw.runtime_fell_back,
    )


def _artifact(of: Artifact) -> ArtifactUsed:
    return ArtifactUsed(
        sha256=of.sha256,
        size_bytes=of.size_bytes,
        compressed_bytes=of.compressed_bytes,
        built_by=of.built_by,
        mixed=of.mixed,
        compilation=of.compilation,
    )


def _made_on(target: Target, board: Board, raw: RawResult, evaluation: Evaluation) -> dict[str, Any]:
    """The board, what of it was used, and what the model was given there."""
    return {
        "board": asdict(board),
        "fed": evaluation.named(raw.fed),
        **({"evaluated_of": evaluation.over.of} if evaluation.over and evaluation.over.of else {}),
        **({"accelerator": asdict(raw.accelerator)} if raw.accelerator else {}),
        **_replayed(target),
        **_leased(target),
    }


def _series(raw: RawResult, record: Record, hits: Hits | None) -> Series:
    power = metering.power(record)
    polls = raw.observed.polls if raw.observed else ()
    t_ns = np.array([poll.t_ns for poll in polls], np.int64)
    return Series(
        invoke_ns=raw.invoke_ns,
        end_to_end_ns=raw.end_to_end_ns,
        windows=raw.windows or {"active": raw.window_ns},
        power_t_ns=power.t_ns,
        power_w=power.power_w,
        frequency_mhz=Levels(t_ns, _by_name([poll.frequency_mhz for poll in polls])),
        temperature_c=Levels(t_ns, _by_name([poll.temperature_c for poll in polls])),
        hits=hits,
    )


def _by_name(told: Sequence[Mapping[str, float | None]]) -> dict[str, NDArray[np.float64]]:
    """A column for each name in any of the rows, NaN where a row has none."""
    names = dict.fromkeys(name for row in told for name in row)
    return {name: np.array([row.get(name) for row in told], np.float64) for name in names}


def _execution(raw: RawResult) -> Execution | None:
    if raw.executed is None:
        return None
    return execution.of(Operators(**asdict(one)) for one in raw.executed)


def _profile(raw: RawResult) -> Profile | None:
    """Shares are of the mean call: what lies between operators, and theirs below 1 µs, is in none of them."""
    found = raw.profile
    if found is None or not found.call_ms:
        return None
    operators = [OperatorTime(**asdict(one), share=one.ms / found.call_ms) for one in found.operators]
    return Profile(
        runs=found.runs, call_ms=found.call_ms, operators_ms=found.operators_ms, operators=tuple(operators)
    )


def _replayed(target: Target) -> dict[str, Any]:
    """The mark of what was not measured now but played back."""
    found = target.recording
    if found is None:
        return {}
    made = {"board": found.board, "recorded_at": found.recorded_at.isoformat(), "edgegreen": found.edgegreen}
    return {"replayed": made}


def _leased(target: Target) -> dict[str, Any]:
    """Which board of a lab it was."""
    place = target.leased
    if place is None:
        return {}
    return {"place": {"name": place.name, "tags": dict(place.tags), "coordinator": place.coordinator}}


def _agreement(artifact: Artifact) -> dict[str, Any] | None:
    """The agreement as JSON knows it: equal outputs have no finite SQNR."""
    found = artifact.agreement
    if found is None:
        return None
    equal = math.isinf(found.sqnr_db)
    return asdict(found) | {"equal": equal, "sqnr_db": None if equal else found.sqnr_db}
