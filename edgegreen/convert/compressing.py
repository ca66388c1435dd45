"""A variant's passes, run once and kept: the model file they make is what the variant is built from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from edgegreen import data
from edgegreen.artifact import File
from edgegreen.cache.entry import Made
from edgegreen.cache.keys import key_of, versions
from edgegreen.cache.store import Cache
from edgegreen.compress import job
from edgegreen.compress.training import TrainingData
from edgegreen.config.datakeys import Hook
from edgegreen.config.passes import Pass
from edgegreen.convert import apart
from edgegreen.errors import InputError
from edgegreen.recipe import Recipe, Variant
from edgegreen.sources import files, load
from edgegreen.sources.load import Workshop
from edgegreen.sources.request import Request
from edgegreen.workers.report import Report

TOOLS = ("tensorflow", "keras")
# Stands for a metric of one's own: passes train for a loss, wherever the metric's file lies.
OWN = "own"


def training_data(
    recipe: Recipe, variants: Mapping[str, Variant], evaluation: File | None, cache: Cache
) -> TrainingData:
    """What the recipe gives to train on. Raises InputError when it is not what it should be.

    Data that the recipe also evaluates on are refused: what a model was tuned on says nothing of it.
    """
    wanted = recipe.data.training
    file = None
    if wanted is not None and any(variant.passes for variant in variants.values()):
        file = File.of(data.locate(wanted, "training"))
        if evaluation is not None:
            apart.refuse_shared(file, evaluation, cache, what="training", used="trained on")
    metric = recipe.data.metric
    normalize = recipe.data.normalize
    return TrainingData(
        file,
        OWN if isinstance(metric, Hook) else metric,
        recipe.data.loss,
        recipe.seed,
        normalize.steps if normalize else None,
    )


def of(request: Request, passes: Sequence[Pass], training: TrainingData) -> Request:
    """The request for what `passes` make of the model: what it is known by, and how its samples are fed."""
    raw = any(one.takes_raw for one in passes)
    normalize = None if raw else request.normalize
    return replace(request, compressed=key(request, passes, training), normalize=normalize)


def key(request: Request, passes: Sequence[Pass], training: TrainingData) -> str | None:
    """What decides the compressed model; None where nothing is done to it.

    Raises InputError for a file of a pass that is not there, or no Keras file.
    """
    if not passes:
        return None
    return key_of(
        "compressed",
        model=request.digest,
        normalize=asdict(training.normalize) if training.normalize else None,
        passes=[{one.name: one.parameters.model_dump(mode="json") | _digests(one)} for one in passes],
        training=training.file.sha256 if training.file else None,
        loss=training.loss,
        metric=training.metric,
        seed=training.seed,
        tools=versions("edgegreen", *TOOLS),
    )


def _files(step: Pass) -> dict[str, Path]:
    """The model files a pass names, by key; fetched if need be."""
    references = {name: getattr(step.parameters, name, None) for name in ("teacher", "student")}
    return {name: data.locate(one, name) for name, one in references.items() if one is not None}


def _digests(step: Pass) -> dict[str, str]:
    """What stands for these files in a key: their contents, wherever they lie."""
    found = {}
    for name, path in _files(step).items():
        if (format_ := files.format_of(path)) != "keras":
            raise InputError(
                f"{step.name}: {name} {path} should be a Keras file (.keras, .h5), not {format_}"
            )
        found[name] = files.digest(path, format_)
    return found


def _located(step: Pass) -> Pass:
    """The pass with the paths of its files."""
    return step.model_copy(update={step.name: step.parameters.model_copy(update=_files(step))})


def compress(
    request: Request,
    passes: Sequence[Pass],
    training: TrainingData,
    shop: Workshop,
    *,
    report: Report,
    note: Callable[[str], None],
) -> Path:
    """The compressed model's file, from the cache or made; `note` is told what the passes had to say.

    Raises InputError, ConversionError.
    """
    assert request.compressed is not None

    def make(folder: Path) -> Made:
        load.require_tensorflow(request)
        located = [_located(one) for one in passes]
        work = request.path, located, training, folder
        notes = shop.workers.run("tensorflow", job.make, *work, on_report=report, lasting=True)
        names = " + ".join(one.name for one in passes)
        return Made(f"{names} of {request.path.name}", {"notes": notes})

    entry = shop.cache.obtain(request.compressed, make, shop.stop)
    for text in entry.facts["notes"]:
        note(text)
    return entry.folder / job.MODEL
