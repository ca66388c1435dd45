"""From a trial, and what was built and deployed for it, to what measuring it takes."""

from __future__ import annotations

from collections.abc import Callable

from edgegreen.artifact import Artifact
from edgegreen.client import Job
from edgegreen.client.readings import OnProgress
from edgegreen.formats import RuntimeName
from edgegreen.measuring import engines, metering
from edgegreen.measuring.attempts import Attempt, Station
from edgegreen.measuring.evaluation import Evaluation, built
from edgegreen.measuring.materials import Materials
from edgegreen.plan import Plan, Trial


def attempt(
    plan: Plan,
    materials: Materials,
    trial: Trial,
    at: Station,
    *,
    runtime: RuntimeName,
    progress: OnProgress,
    note: Callable[[str], None],
) -> Attempt:
    """The attempt at a trial whose model is built and lies at the station. Raises what its build ended in."""
    artifact = materials.artifacts[trial.variant_name].result()
    is_engine = engines.builds(trial.variant.format)
    if is_engine and (doubt := engines.doubt(artifact, at.board.runtimes[runtime])):
        note(f"{trial.variant_name}: {doubt}")
    return Attempt(
        trial=trial,
        artifact=artifact,
        job=_job(plan, materials, trial, at, artifact=artifact, runtime=runtime),
        evaluation=_evaluation(plan, materials, trial.variant_name),
        benchmark=plan.recipe.benchmark,
        progress=progress,
        note=note,
    )


def _evaluation(plan: Plan, materials: Materials, variant: str) -> Evaluation:
    expected = materials.expected
    wanted = built(expected[variant]) if variant in expected else None
    fewer = materials.fewer
    if fewer and engines.builds(plan.variants[variant].format):
        return Evaluation(plan.recipe.data.metric, fewer.over, fewer.baseline, fewer.expected(wanted))
    return Evaluation(plan.recipe.data.metric, materials.evaluation, materials.baseline_accuracy, wanted)


def _job(
    plan: Plan, materials: Materials, trial: Trial, at: Station, *, artifact: Artifact, runtime: RuntimeName
) -> Job:
    benchmark, evaluation, paths = plan.recipe.benchmark, materials.evaluation, at.placed.paths
    metered = trial.target.is_metered
    engine = engines.order(artifact, benchmark.tensorrt) if engines.builds(trial.variant.format) else None
    fewer = materials.fewer if engine else None
    return Job(
        runtime=runtime,
        files=tuple(paths[file.sha256] for file in artifact.files),
        threads=trial.threads,
        device=trial.variant.device,
        input_order=artifact.input_order,
        output_order=artifact.output_order,
        warmup_s=benchmark.warmup_s,
        min_warmup_runs=benchmark.min_warmup_runs,
        duration_s=benchmark.window_s(metered=metered),
        min_runs=benchmark.min_runs,
        samples=paths[evaluation.file.sha256] if evaluation else None,
        evaluate=evaluation is not None,
        idle_s=benchmark.idle_s if metered else 0.0,
        cool_to_c=benchmark.cool_to_c,
        cool_timeout_s=benchmark.cool_timeout_s,
        meter=metering.spec(trial.target),
        profile=plan.profile,
        normalize=artifact.normalize,
        n_samples=fewer.over.n if fewer else evaluation.n if evaluation else None,
        engine=engine,
        evaluate_max=fewer.over.n if fewer else None,
        timeout_s=benchmark.timeout_s,
    )
