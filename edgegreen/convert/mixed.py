"""What was found for a variant with a limit on its accuracy drop, put down; and when that is a refusal."""

from __future__ import annotations

import math
from collections.abc import Sequence

from edgegreen.convert.judge import Bench
from edgegreen.convert.model import Job
from edgegreen.convert.sensitivity import Bounds, Found, Operator
from edgegreen.errors import ConversionError
from edgegreen.mixture import KeptOperator, Mixed, within
from edgegreen.sources import host
from edgegreen.sources.model import ModelFile

BOUNDS = Bounds()


def limit_of(job: Job) -> float:
    """The variant's `accuracy_drop_max`."""
    assert job.variant.accuracy_drop_max is not None
    return job.variant.accuracy_drop_max


def refuse_float(job: Job, found: Found, operators: int) -> None:
    """Raise ConversionError when nothing can be quantised, or only the float model keeps to the limit."""
    if found.judged is None or not operators:
        raise ConversionError(f"no operator of the model can be quantised to {job.precision}")
    limit, drop = limit_of(job), found.judged.drop
    if math.isinf(drop) or (found.stopped is None and not within(drop, limit)):
        best = "no numbers" if math.isinf(drop) else f"a drop of {drop:.4g}"
        raise ConversionError(
            f"no mixture of {job.precision} and fp32 that was tried keeps to `accuracy_drop_max: {limit:g}` "
            f"(the best of {found.steps}: {best} with {len(found.kept)} of {operators} operators in fp32)",
            hint="allow more, or ask for fp16 or dynamic",
        )


def held_out_drop(job: Job, model: ModelFile, held_out: Bench | None) -> tuple[float | None, int]:
    """What the built file loses on the samples that had no part in the choice, and how many they are."""
    if held_out is None:
        return None, 0
    drop = held_out.drop(list(host.outputs(model, held_out.inputs, job.request.threads)))
    return finite(drop), held_out.n


def describe(
    job: Job, found: Found, operators: Sequence[Operator], bench: Bench, held_out: tuple[float | None, int]
) -> Mixed:
    """The record that goes with the artifact."""
    assert found.judged is not None
    kept = [operators[number] for number in sorted(found.kept)]
    return Mixed(
        limit=limit_of(job),
        operators=len(operators),
        kept=tuple(KeptOperator(one.name, one.kind) for one in kept),
        drop=found.judged.drop,
        drop_upper=finite(found.judged.upper),
        drop_all=finite(found.everything.drop) if found.everything else None,
        judged_by=bench.about,
        n=bench.n,
        held_out_drop=held_out[0],
        held_out_n=held_out[1],
        steps=found.steps,
        stopped=found.stopped,
    )


def finite(value: float) -> float | None:
    """The value, or None for what is no number."""
    return value if math.isfinite(value) else None
