"""What passes train for: labels that fit the model, and the loss between them and its outputs.

As the metrics do, a loss looks at the model's only output, flattened to (samples, values).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edgegreen.config.datakeys import Loss
from edgegreen.errors import InputError
from edgegreen.metrics import class_numbers, numbers

Gives = Literal["probabilities", "logits", "values"]
"""What a model's output is: for cross-entropy with or without its softmax, or plain values."""
LossFunction = Callable[[Any, Any], Any]
"""(labels, outputs) → the loss of each sample. Traced by TensorFlow."""

TINY = 1e-30  # below any probability a float32 softmax tells apart from 0
BY_METRIC: dict[str, Loss] = {
    "top1": "crossentropy",
    "top5": "crossentropy",
    "auc": "crossentropy",
    "mse": "mse",
}


def named(loss: Loss | None, metric: str) -> Loss:
    """The recipe's loss, else the one that fits its metric. Raises InputError for a metric of one's own."""
    if found := loss or BY_METRIC.get(metric):
        return found
    raise InputError(
        "a metric of your own does not say what passes train for",
        hint="add `loss: crossentropy` or `loss: mse` to `data`",
    )


def labels(loss: Loss, y: NDArray[Any], size: int) -> NDArray[np.float32]:
    """`y` as the loss takes it, for a model that gives `size` values a sample.

    Shape (samples, 1), class numbers, for cross-entropy; (samples, size) for mse. Raises InputError when they
    do not fit.
    """
    if loss == "mse":
        values = numbers(y).reshape(len(y), -1)
        if values.shape[1] != size:
            raise InputError(f"y has {values.shape[1]} values a sample, the model's output {size}")
        return values.astype(np.float32)
    classes = class_numbers(y)
    last = max(1, size - 1)
    if classes.max() > last:
        raise InputError(
            f"labels go up to {classes.max()}, but the model has {last + 1} classes (0 … {last})"
        )
    return classes[:, None].astype(np.float32)


def what_it_gives(loss: Loss, outputs: NDArray[Any]) -> Gives:
    """What the model's `outputs` (samples, values) are, by their looks: a softmax may come in many guises."""
    if loss == "mse":
        return "values"
    single = outputs.shape[1] == 1
    within = bool(((outputs >= 0) & (outputs <= 1)).all())
    return "probabilities" if within and (single or np.allclose(outputs.sum(1), 1, atol=1e-3)) else "logits"


def function(gives: Gives) -> LossFunction:
    """The loss itself: cross-entropy over classes (one value: of two), or the mean square of differences."""
    from keras import losses, ops

    def loss(y: Any, outputs: Any) -> Any:
        flat = ops.reshape(outputs, (-1, int(np.prod(outputs.shape[1:]))))
        if gives == "values":
            return losses.mean_squared_error(y, flat)
        if flat.shape[1] == 1:
            return losses.binary_crossentropy(y, flat, from_logits=gives == "logits")
        return losses.sparse_categorical_crossentropy(y, flat, from_logits=gives == "logits")

    return loss


def logits(outputs: Any, gives: Gives) -> Any:
    """Values whose softmax is the model's answer: one value p of two classes becomes two.

    Of probabilities the logarithm, which differs from the lost logits by the same amount for each class of a
    sample, and softmax does not see that.
    """
    from keras import ops

    flat = ops.reshape(outputs, (-1, int(np.prod(outputs.shape[1:]))))
    if flat.shape[1] == 1:
        other = 1 - flat if gives == "probabilities" else ops.zeros_like(flat)
        flat = ops.concatenate([other, flat], axis=1)
    return ops.log(ops.maximum(flat, TINY)) if gives == "probabilities" else flat
