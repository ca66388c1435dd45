"""Samples for training from an npz file into memory, in the shapes that a model takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgegreen.agent.npz import DataError, Samples
from edgegreen.artifact import TensorSpec
from edgegreen.data import open_samples
from edgegreen.errors import InputError
from edgegreen.sources.shapes import check_data

LEAST_SAMPLES = 20


def read(path: Path, model: Any, seed: int) -> tuple[list[NDArray[Any]], NDArray[Any]]:
    """All samples, shuffled by `seed`: an array for each of the model's inputs, and the labels.

    Raises InputError when they do not fit the inputs, are too few, have no labels, or have NaN among them.
    """
    with open_samples(path, "training") as samples:
        _check(samples, model, path)
        y = samples.labels()
        if y is None:
            raise InputError(f"training data {path}: have no labels `y`")
        order = np.random.default_rng(seed).permutation(len(y))
        x, finite = _inputs(samples, model, order, path)
    if not finite:
        raise InputError(f"training data {path}: have NaN or infinite values")
    return x, y[order]


def _check(samples: Samples, model: Any, path: Path) -> None:
    """Raise InputError unless the samples fit the model's inputs and are enough."""
    inputs = []
    for index, port in enumerate(model.inputs):
        given = (1, *samples.shapes[index]) if index < len(samples.shapes) else ()
        fits = len(given) == len(port.shape)
        dims = [
            (given[axis] if fits else 1) if size is None else size for axis, size in enumerate(port.shape)
        ]
        inputs.append(TensorSpec(port.name, tuple(dims), str(port.dtype)))
    check_data(samples, inputs, "training", path)
    if samples.n < LEAST_SAMPLES:
        raise InputError(f"training data {path}: {samples.n} samples are too few to train on")


def _inputs(samples: Samples, model: Any, order: NDArray[Any], path: Path) -> tuple[list[NDArray[Any]], bool]:
    """One array per input with its samples in this order, and whether all values are finite.

    Each value is in memory once: rows go straight to their places.
    """
    place = np.argsort(order)
    arrays = [
        np.empty((samples.n, *shape), dtype)
        for shape, dtype in zip(samples.shapes, samples.dtypes, strict=True)
    ]
    finite = True
    try:
        for number, row in enumerate(samples.rows()):
            for array, value in zip(arrays, row, strict=True):
                array[place[number]] = value[0]
                finite = finite and bool(np.isfinite(value).all())
    except DataError as error:
        raise InputError(f"training data {path}: {error}") from None
    return [_shaped(array, port.shape) for array, port in zip(arrays, model.inputs, strict=True)], finite


def _shaped(array: NDArray[Any], dims: tuple[int | None, ...]) -> NDArray[Any]:
    """With the extents of 1 that the model's input has; they may be missing in the data, or too many."""
    if array.ndim == len(dims) or None in dims[1:]:
        return array
    return array.reshape(len(array), *dims[1:])
