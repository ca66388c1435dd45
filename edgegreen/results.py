"""One trial's result: what was heard from the board, computed and judged, as a Measurement. Pure."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from edgegreen import metering, verdict
from edgegreen.artifact import Artifact
from edgegreen.client import Board, RawResult
from edgegreen.evaluation import Evaluation
from edgegreen.measurement import ArtifactUsed, Latency, Measurement, RuntimeUsed
from edgegreen.plan import Trial
from edgegreen.target import Target


def measurement(
    trial: Trial, artifact: Artifact, board: Board, raw: RawResult, evaluation: Evaluation
) -> Measurement:
    """What a trial measured, what that says, and whether it can be trusted."""
    accuracy = evaluation.accuracy()
    metered = metering.measure(trial.target, raw.observed, raw.windows, raw.runs)
    reasons = (
        *evaluation.reasons(),
        *verdict.of_latency(raw.invoke_ns),
        *verdict.of_conditions(raw.observed, raw.window_ns),
        *metered.reasons,
    )
    return Measurement(
        variant=trial.variant_name,
        target=trial.target.name,
        format=artifact.format,
        precision=artifact.precision,
        runtime=RuntimeUsed(
            name=raw.runtime_name, version=raw.runtime_version, delegate=raw.runtime_delegate
        ),
        threads=trial.threads,
        artifact=ArtifactUsed(
            sha256=artifact.sha256,
            size_bytes=artifact.size_bytes,
            compressed_bytes=artifact.compressed_bytes,
            built_by=artifact.built_by,
        ),
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
            "board": asdict(board),
            "fed": evaluation.named(raw.fed),
            **_replayed(trial.target),
            "agreement_on_host": _agreement(artifact),
            **verdict.conditions(raw.observed, raw.windows, metered=trial.target.is_metered),
        },
        verdict="invalid" if reasons else "valid",
        reasons=reasons,
    )


def _replayed(target: Target) -> dict[str, Any]:
    """The mark of what was not measured now but played back."""
    found = target.recording
    if found is None:
        return {}
    made = {"board": found.board, "recorded_at": found.recorded_at.isoformat(), "edgegreen": found.edgegreen}
    return {"replayed": made}


def _agreement(artifact: Artifact) -> dict[str, Any] | None:
    """The agreement as JSON knows it: equal outputs have no finite SQNR."""
    found = artifact.agreement
    if found is None:
        return None
    equal = math.isinf(found.sqnr_db)
    return asdict(found) | {"equal": equal, "sqnr_db": None if equal else found.sqnr_db}
