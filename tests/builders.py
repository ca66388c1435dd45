"""Whole, believable records for tests that need one and care about a part of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from edgegreen.judging import execution
from edgegreen.measurement import (
    Accuracy,
    ArtifactUsed,
    Energy,
    Execution,
    Failure,
    Latency,
    Measurement,
    Operators,
    Power,
    Run,
    RuntimeUsed,
)

BOARD = {"machine": "aarch64", "cpu_count": 4, "python": "3.11.2", "libc": "glibc 2.36"}


def latency(p50: float, p95: float | None = None) -> Latency:
    """Milliseconds; everything else follows from the median."""
    return Latency(
        p50=p50, p90=p50 * 1.1, p95=p95 or p50 * 1.2, p99=p50 * 1.5, mean=p50 * 1.02, stdev=p50 * 0.1,
        min=p50 * 0.9, max=p50 * 3, n=1000, ci95=(p50 * 0.99, p50 * 1.01),
    )  # fmt: skip


def executed(*kinds: tuple[str, str | None, bool | None, int]) -> Execution:
    """From (type, precision, delegated, count) of each kind; CONV… and MatMul are the products."""
    return execution.of(
        Operators(type=name, precision=precision, delegated=delegated, role=_role(name), count=count)
        for name, precision, delegated, count in kinds
    )


def _role(name: str) -> Any:
    if name.upper().startswith(("CONV", "MATMUL")):
        return "compute"
    return "conversion" if "QUANTIZE" in name else "other"


def accuracy(value: float, baseline: float | None = 0.913, metric: str = "top1") -> Accuracy:
    """900 samples of it."""
    return Accuracy(metric=metric, value=value, n=900, baseline=baseline)


def measurement(variant: str = "int8-tflite", **changes: Any) -> Measurement:
    """One trial of a KWS-like model; `p50`, `p95`, `size_bytes`, `runtime` stand for what holds them."""
    p50, p95 = changes.pop("p50", 1.0), changes.pop("p95", None)
    size_bytes = changes.pop("size_bytes", 53_168)
    name, version, delegate = changes.pop("runtime", ("litert", "2.3.0", "XNNPACK"))
    whole: dict[str, Any] = {
        "variant": variant,
        "target": "pi5",
        "format": "tflite",
        "precision": "int8",
        "runtime": RuntimeUsed(name=name, version=version, delegate=delegate),
        "threads": 1,
        "artifact": ArtifactUsed(
            sha256="5f" * 32, size_bytes=size_bytes, compressed_bytes=size_bytes // 2, built_by="test 1.0"
        ),
        "latency_ms": latency(p50, p95),
        "end_to_end_ms": latency(p50 * 1.1),
        "load_ms": 3.2,
        "first_inference_ms": p50 * 2,
        "throughput_ips": 1000 / p50,
        "peak_rss_bytes": 10_200_000,
        "accuracy": accuracy(0.902),
        "power": None,
        "energy": None,
        "energy_absent": "no meter",
        "conditions": {"board": BOARD, "fed": "seeded noise"},
        "verdict": "valid",
        "reasons": (),
    }
    return Measurement(**(whole | changes))


def metered(
    variant: str = "int8-tflite",
    mj: float = 4.0,
    half: float = 0.2,
    *,
    idle_w: float = 2.0,
    ips: float = 100.0,
    scope: str = "module",
    **changes: Any,
) -> Measurement:
    """One trial with a meter: `mj` ± `half` above idle, `ips` inferences a second; the rest follows."""
    power = Power(
        source="ina3221", rail="VDD_IN", scope=scope, idle_w=idle_w, active_w=idle_w + mj * ips / 1000,
        n=600, n_effective=140.0,
    )  # fmt: skip
    energy = Energy(per_inference_mj=mj, gross_mj=mj + 1000 * idle_w / ips, ci95_mj=(mj - half, mj + half))
    given: dict[str, Any] = {
        "p50": 1000 / ips, "throughput_ips": ips, "power": power, "energy": energy, "energy_absent": None,
    }  # fmt: skip
    return measurement(variant, **(given | changes))


def run(*results: Measurement, failures: tuple[Failure, ...] = (), **wanted: Any) -> Run:
    """A run of these results; `wanted` is what the recipe wants of it."""
    return Run(
        run_id="20261122-040000-abc123",
        recipe="keyword-spotting",
        started_at=datetime(2026, 11, 22, 4, 0, tzinfo=UTC),
        edgegreen="0.1.0",
        results=results,
        failures=failures,
        **wanted,
    )


def earlier(*results: Measurement, **wanted: Any) -> Run:
    """Such a run of the day before: one that `run` may be compared with."""
    started = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)
    made = run(*results, **wanted)
    return made.model_copy(update={"run_id": "20261121-040000-abc122", "started_at": started})
