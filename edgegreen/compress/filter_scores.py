"""What each filter is worth: the registry of scores for pruning filters.

- `l1`, `l2`: the norm of its weights (Li et al. 2017, arXiv:1608.08710), as a share of its layer's mean.
- `bn`: |γ| of the batch normalisation behind it (Liu et al. 2017, arXiv:1708.06519), likewise.
- `taylor`: |Σ gradient · activation| over all places, averaged over samples: the first-order estimate of how
  the loss changes without it (Molchanov et al. 2017, arXiv:1611.06440), behind batch normalisation (the gates
  of Molchanov et al. 2019, arXiv:1906.10771).

A score is of marks (channels.py): it gives what each is worth, summed up over all that carry it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgegreen.compress import graph
from edgegreen.compress.channels import FILTERS, Channels, Marks
from edgegreen.compress.training import Training
from edgegreen.errors import InputError

TAYLOR_SAMPLES = 512
Worth = dict[int, float]
"""By the root of a mark; what is not there, has no score."""


def of(name: str, model: Any, channels: Channels, training: Training) -> Worth:
    """The worth of each filter by the score of this name."""
    return SCORES[name](model, channels, training)


def _norm(power: int) -> Callable[[Any, Channels, Training], Worth]:
    def score(model: Any, channels: Channels, training: Training) -> Worth:  # noqa: ARG001
        worth: Worth = {}
        for use in channels.uses.values():
            kind = graph.kind_of(use.operation)
            if kind in FILTERS:
                kernel = filters_last(use.operation, kind)
                norms = (np.abs(kernel) ** power).sum(axis=tuple(range(kernel.ndim - 1))) ** (1 / power)
                _add(worth, channels, use.given, norms / (norms.mean() or 1))
        return worth

    return score


def filters_last(layer: Any, kind: str) -> NDArray[Any]:
    """The weights that make a layer's outputs, one filter for each index of the last axis."""
    weights = {one.name: one.numpy() for one in layer.weights}
    kernel: NDArray[Any] = weights["pointwise_kernel" if "pointwise_kernel" in weights else "kernel"]
    return np.moveaxis(kernel, -2, -1) if kind.endswith("Transpose") else kernel


def _bn(model: Any, channels: Channels, training: Training) -> Worth:  # noqa: ARG001
    worth: Worth = {}
    for use in channels.uses.values():
        if graph.kind_of(use.operation) == "BatchNormalization" and use.operation.scale:
            gamma = np.abs(use.operation.gamma.numpy())
            _add(worth, channels, use.taken, gamma / (gamma.mean() or 1))
    return worth


@dataclass
class _Watched:
    """A tensor on its way through the model, and the gate (an index of `_Gates.found`) it comes from."""

    tensor: Any
    gate: int | None = None


@dataclass
class _Gates:
    """The outputs of filters, behind their batch normalisation where that follows: (marks, tensor)."""

    channels: Channels
    tape: Any
    found: list[tuple[Marks, Any]] = field(default_factory=list)

    def apply(self, operation: Any, args: Any, kwargs: Any, node: Any) -> Any:  # noqa: ARG002
        import keras

        taken = [one for one in keras.tree.flatten(args) if isinstance(one, _Watched)]
        args, kwargs = keras.tree.map_structure(_tensor, (args, kwargs))
        made = keras.tree.flatten(graph.infer(operation, args, kwargs))
        kind, use = graph.kind_of(operation), self.channels.uses.get(id(operation))
        gate = None
        if use and kind in FILTERS:
            gate = len(self.found)
            self.found.append((use.given, made[0]))
        elif use and kind == "BatchNormalization" and taken[0].gate is not None:
            gate = taken[0].gate
            self.found[gate] = (use.given, made[0])
        if gate is not None:
            self.tape.watch(made[0])
        return [_Watched(one, gate) for one in made]


def _tensor(value: Any) -> Any:
    return value.tensor if isinstance(value, _Watched) else value


def _taylor(model: Any, channels: Channels, training: Training) -> Worth:
    import tensorflow as tf

    if len(model.outputs) != 1:
        raise InputError("`score: taylor` takes a model with one output", hint="use `score: l2`")
    worth: Worth = {}
    task = training.task(model)
    batch = 64
    count = min(TAYLOR_SAMPLES, len(training.y))
    for start in range(0, count, batch):
        part = slice(start, min(start + batch, count))
        with tf.GradientTape() as tape:
            gates = _Gates(channels, tape)
            inputs = [
                _Watched(tf.cast(values[part], one.dtype))
                for values, one in zip(training.x, model.inputs, strict=True)
            ]
            outputs = graph.run(model, inputs, gates.apply)
            loss = tf.reduce_sum(task.loss(task.y[part], outputs[0].tensor))
        gradients = tape.gradient(loss, [tensor for _, tensor in gates.found])
        for (marks, tensor), gradient in zip(gates.found, gradients, strict=True):
            if gradient is not None:
                each = (gradient * tensor).numpy()
                places = each.reshape(len(each), -1, each.shape[-1]).sum(axis=1)
                _add(worth, channels, marks, np.abs(places).sum(axis=0) / count)
    return worth


def _add(worth: Worth, channels: Channels, marks: Marks, scores: NDArray[Any]) -> None:
    for root, score in zip(channels.roots(marks), scores, strict=True):
        worth[int(root)] = worth.get(int(root), 0.0) + float(score)


SCORES: dict[str, Callable[[Any, Channels, Training], Worth]] = {
    "l1": _norm(1),
    "l2": _norm(2),
    "bn": _bn,
    "taylor": _taylor,
}
