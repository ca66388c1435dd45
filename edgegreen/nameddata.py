"""The data that a recipe names, read before any work: whether they are samples that its model can take.

Nothing is fetched, and no model loaded: shapes and classes are held against what the model's file itself, or
the recipe's `input_shape`, declares. A mistake is named with the recipe's own line.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgegreen import data, metrics, namedfiles, sources
from edgegreen.agent.npz import DataError, Samples
from edgegreen.artifact import TensorSpec
from edgegreen.compress import losses
from edgegreen.config.datakeys import Hook
from edgegreen.errors import InputError
from edgegreen.recipe import Recipe
from edgegreen.sources import shapes
from edgegreen.sources.samples import rows

AT_ONCE = 256  # labels scored together


@dataclass(frozen=True)
class Declared:
    """What is known of the model's ends; empty where its file would have to be loaded. -1: an open extent."""

    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()


def check(recipe: Recipe, named: Mapping[str, Path], model: Path | None) -> None:
    """Raise InputError for each of the `named` files, by its key in `data`, that cannot work.

    It is no npz; its arrays are of unlike lengths, or hold values that are not finite; its labels do not go
    with the metric or the loss; or samples or labels do not fit the `model`, None for one that is not here.
    """
    declared = _declared(recipe, model)
    wrong: list[tuple[str, InputError]] = []
    for what, path in named.items():
        try:
            _check(recipe, what, path, declared)
        except InputError as error:
            wrong.append((what, error))
    if wrong:
        lines = [f"{namedfiles.at(recipe, ('data', what))}{error.message}" for what, error in wrong]
        raise InputError("\n".join(lines), hint=next((error.hint for _, error in wrong if error.hint), None))


def _check(recipe: Recipe, what: str, path: Path, declared: Declared) -> None:
    with data.open_samples(path, what) as samples:
        if declared.inputs:
            shapes.check_data(samples, _settled(declared.inputs, samples), what, path)
        try:
            labels = samples.labels()
        except DataError as error:
            raise InputError(f"{what} data {path}: {error}") from None
    try:
        if what == "evaluation":
            _check_scored(recipe, labels, declared)
        elif what != "calibration" and labels is not None:
            _check_trained(recipe, labels, declared)
    except InputError as error:
        raise InputError(f"{what} data {path}: {error.message}", hint=error.hint) from None
    for _ in rows(path, what):  # which refuses what is not finite
        pass


def _check_scored(recipe: Recipe, labels: NDArray[np.generic] | None, declared: Declared) -> None:
    """The metric itself says what does not fit: it is given outputs of the model's shape, all 0."""
    metric = recipe.data.metric
    score = metrics.score(metric, labels)
    shape = _output(declared)
    if isinstance(metric, Hook) or labels is None or shape is None:
        return
    for start in range(0, len(labels), AT_ONCE):
        score.update(start, [np.zeros((min(AT_ONCE, len(labels) - start), *shape), np.float32)])


def _check_trained(recipe: Recipe, labels: NDArray[np.generic], declared: Declared) -> None:
    loss = recipe.data.loss or losses.BY_METRIC.get(metrics.name(recipe.data.metric))
    shape = _output(declared)
    if loss and shape is not None:
        losses.labels(loss, labels, math.prod(shape))
    elif loss == "crossentropy":
        metrics.class_numbers(labels)
    else:
        metrics.numbers(labels)


def _declared(recipe: Recipe, model: Path | None) -> Declared:
    found = sources.declared(model) if model else None
    wanted = recipe.input_shape
    inputs = found[0] if found else ()
    if isinstance(wanted, Mapping):
        inputs = tuple(replace(one, shape=_whole(wanted.get(one.name, one.shape))) for one in inputs)
    elif wanted and len(inputs) < 2:
        inputs = (TensorSpec(inputs[0].name if inputs else "input", _whole(wanted), "float32"),)
    return Declared(inputs, found[1] if found else ())


def _whole(shape: shapes.Shape) -> shapes.Shape:
    """With the batch, which the recipe may leave out."""
    return shape if shape[:1] in ((1,), (-1,)) else (1, *shape)


def _settled(inputs: tuple[TensorSpec, ...], samples: Samples) -> tuple[TensorSpec, ...]:
    """The inputs with the data's own extents where the model leaves them open."""
    if len(inputs) != len(samples.shapes):
        return inputs
    return tuple(map(_closed, inputs, samples.shapes))


def _closed(one: TensorSpec, given: shapes.Shape) -> TensorSpec:
    want = one.shape[1:]
    if len(given) == len(want):
        given = tuple(have if size < 0 else size for size, have in zip(want, given, strict=True))
    elif one.shape and -1 not in want:
        given = want
    return replace(one, shape=(1, *given))


def _output(declared: Declared) -> shapes.Shape | None:
    """The shape of one sample's first output; None where it is not known."""
    shape = declared.outputs[0].shape if declared.outputs else ()
    return shape[1:] if shape[:1] in ((1,), (-1,)) and -1 not in shape[1:] else None
