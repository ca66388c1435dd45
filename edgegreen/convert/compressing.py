"""A variant's passes, run once and kept: the model file they make is what the variant is built from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from edgegreen import data
from edgegreen.artifact import File
from edgegreen.cache import Made
from edgegreen.compress import job
from edgegreen.compress.training import TrainingData
from edgegreen.errors import InputError
from edgegreen.keys import key_of, versions
from edgegreen.passes import Pass
from edgegreen.recipe import Hook, Recipe, Variant
from edgegreen.sources import load
from edgegreen.sources.load import Workshop
from edgegreen.sources.request import Request
from edgegreen.workers import Report

TOOLS = ("tensorflow", "keras")


def training_data(recipe: Recipe, variants: Mapping[str, Variant]) -> TrainingData:
    """What the recipe gives to train on. Raises InputError when it is not what it should be.

    Data that the recipe also evaluates on are refused: what a model was tuned on says nothing of it.
    """
    wanted = recipe.data.training
    file = None
    if wanted is not None and any(variant.passes for variant in variants.values()):
        path = data.locate(wanted, "training")
        file = File.of(path)
        evaluation = recipe.data.evaluation
        if evaluation is not None and File.of(data.locate(evaluation, "evaluation")).sha256 == file.sha256:
            raise InputError(
                f"training data {path}: are the evaluation data as well",
                hint="keep some samples apart: what was trained on proves nothing",
            )
    metric = recipe.data.metric
    return TrainingData(
        file, metric.python if isinstance(metric, Hook) else metric, recipe.data.loss, recipe.seed
    )


def key(request: Request, passes: Sequence[Pass], training: TrainingData) -> str | None:
    """What decides the compressed model; None where nothing is done to it."""
    if not passes:
        return None
    return key_of(
        "compressed",
        model=request.digest,
        passes=[{one.name: one.parameters.model_dump(mode="json")} for one in passes],
        training=training.file.sha256 if training.file else None,
        loss=training.loss,
        metric=training.metric,
        seed=training.seed,
        tools=versions("edgegreen", *TOOLS),
    )


def compress(
    request: Request, passes: Sequence[Pass], training: TrainingData, shop: Workshop, report: Report
) -> Path:
    """The compressed model's file, from the cache or made. Raises InputError, ConversionError."""
    assert request.compressed is not None

    def make(folder: Path) -> Made:
        load.require_tensorflow(request)
        shop.workers.run("tensorflow", job.make, request.path, passes, training, folder, on_report=report)
        return Made(f"{' + '.join(one.name for one in passes)} of {request.path.name}", {})

    return shop.cache.obtain(request.compressed, make, shop.stop).folder / job.MODEL
