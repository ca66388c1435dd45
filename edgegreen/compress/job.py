"""A model and a list of passes → a smaller model, in a file: the job a worker does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgegreen.compress import cluster, distill, fold, low_rank, prune, prune_filters, qat
from edgegreen.compress.training import Training, TrainingData
from edgegreen.config.passes import Pass
from edgegreen.workers.report import Report

MODEL = "model.keras"
PASSES: dict[str, Callable[[Any, Any, Training], Any]] = {
    "prune": prune.apply,
    "prune_filters": prune_filters.apply,
    "fold": fold.apply,
    "low_rank": low_rank.apply,
    "cluster": cluster.apply,
    "distill": distill.apply,
    "qat": qat.apply,
}


def make(report: Report, model: Path, passes: Sequence[Pass], data: TrainingData, folder: Path) -> list[str]:
    """Apply `passes` to the Keras file `model`, in order; writes MODEL into `folder`. What they had to say.

    The same model, passes, data, seed and versions give the same weights. Raises InputError where a pass does
    not fit the model or the data.
    """
    import keras
    import tensorflow as tf

    from edgegreen.sources.keras import open_model

    report("loading")
    keras.utils.set_random_seed(data.seed)  # for what a layer makes up when it is loaded
    tf.config.experimental.enable_op_determinism()
    made, notes = open_model(model).kept, list[str]()
    training = Training.open(data, made, model, report)
    for number, step in enumerate(passes):

        def told(stage: str, done: float | None = None, number: int = number) -> None:
            report(stage, None if done is None else (number + done) / len(passes))

        def noted(text: str, name: str = step.name) -> None:
            notes.append(f"{name}: {text}")

        told(step.name, 0.0)
        at_work = training.for_pass(step.name, told, noted)
        before = at_work.loss(made) if step.trains else None
        made = PASSES[step.name](made, step.parameters, at_work)
        if before is not None:
            n, after = len(training.validation_y), at_work.loss(made)
            noted(f"loss on {n} samples set aside: {before:.3g} before, {after:.3g} after")
        if step.takes_raw:
            training = Training.open(replace(data, normalize=None), made, model, report)
    made.save(folder / MODEL)
    return notes
