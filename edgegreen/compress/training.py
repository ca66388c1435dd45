"""Training data for passes, and the one way a pass trains: seeded, stopped early, zeros kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from edgegreen.agent.normalize import Normalize
from edgegreen.artifact import File
from edgegreen.compress.constraints import kept, kernels, zeros_of
from edgegreen.data import open_samples
from edgegreen.errors import InputError
from edgegreen.passes import FineTuning
from edgegreen.recipe import Loss
from edgegreen.workers import Report

VALIDATION_SHARE = 0.15  # of the training data, set aside to stop early by
LEAST_SAMPLES = 20


@dataclass(frozen=True)
class TrainingData:
    """What the recipe gives to train on. `loss` None: what fits `metric`.

    `normalize` is what samples go through before the model takes them, None once it takes them as they are.
    """

    file: File | None
    metric: str
    loss: Loss | None
    seed: int
    normalize: Normalize | None = None


@dataclass(frozen=True)
class Training:
    """Training data in memory, in a part to train on and one to stop early by. `x` has an array per input.

    `note` takes what a pass has to say that stays to be read. `normalize` is what the samples in `x` have
    gone through.
    """

    x: list[NDArray[Any]]
    y: NDArray[Any]
    validation_x: list[NDArray[Any]]
    validation_y: NDArray[Any]
    loss: Any
    report: Report
    name: str
    seed: int
    note: Callable[[str], None]
    normalize: Normalize | None

    @classmethod
    def none(cls, data: TrainingData, name: str, report: Report, note: Callable[[str], None]) -> Self:
        """For a pass that does not train."""
        nothing: NDArray[Any] = np.empty(0)
        return cls([], nothing, [], nothing, None, report, name, data.seed, note, data.normalize)

    @classmethod
    def open(
        cls, data: TrainingData, model: Any, name: str, report: Report, note: Callable[[str], None]
    ) -> Self:
        """Read the data and cut them, the same way every time. Raises InputError when there are none."""
        if data.file is None:
            raise InputError(
                f"pass `{name}` trains, and the recipe names no training data",
                hint="add `training: training.npz` to `data`: x and y, apart from the evaluation data",
            )
        with open_samples(data.file.path, "training") as samples:
            y = samples.labels()
            if y is None:
                raise InputError(f"training data {data.file.path}: has no `y`")
            rows = list(samples.rows())
        if len(rows) < LEAST_SAMPLES:
            raise InputError(f"training data {data.file.path}: {len(rows)} samples are too few to train on")
        x = [np.concatenate(column) for column in zip(*rows, strict=True)]
        x = [data.normalize(column) for column in x] if data.normalize else x
        order = np.random.default_rng(data.seed).permutation(len(y))
        cut = max(1, round(VALIDATION_SHARE * len(y)))
        first, rest = order[:cut], order[cut:]
        return cls(
            [array[rest] for array in x], y[rest], [array[first] for array in x], y[first],
            loss_of(data, model), report, name, data.seed, note, data.normalize,
        )  # fmt: skip

    def fit(
        self,
        model: Any,
        tuning: FineTuning,
        *,
        epochs: int | None = None,
        stop_early: bool = True,
        loss: Any = None,
        on_batch: Callable[[int], None] | None = None,
    ) -> None:
        """Train `model` in place. Zeros that are in its kernels stay zeros.

        `on_batch(step)` is called after each step, counted from 0. With `stop_early` the weights with the
        best validation loss are taken in the end, those before training included.
        """
        import keras

        epochs = tuning.epochs if epochs is None else epochs
        if epochs == 0:
            return
        variables = [one for one in kernels(model) if zeros_of(one) is not None and one.constraint is None]
        with kept(variables, zeros_of):
            model.compile(optimizer=keras.optimizers.Adam(tuning.learning_rate), loss=loss or self.loss)
            best = _Best(model, self, tuning.patience) if stop_early else None
            callbacks = [_Progress(self, epochs), *([best.callback()] if best else [])]
            if on_batch:
                callbacks.append(keras.callbacks.LambdaCallback(on_train_batch_end=_counted(on_batch)))
            model.fit(
                self._inputs(self.x), self.y, batch_size=tuning.batch_size, epochs=epochs,
                verbose=0, callbacks=callbacks,
            )  # fmt: skip
            if best:
                best.restore()

    def validation_loss(self, model: Any) -> float:
        """The loss on the part set aside; `model` must be compiled."""
        return float(model.evaluate(self._inputs(self.validation_x), self.validation_y, verbose=0))

    @staticmethod
    def _inputs(x: list[NDArray[Any]]) -> Any:
        return x if len(x) > 1 else x[0]


def loss_of(data: TrainingData, model: Any) -> Any:
    """The loss to train with: the recipe's, else the one that fits the metric and the model's last layer."""
    import keras

    last = getattr(model.layers[-1], "activation", None)
    name = data.loss or {
        "top1": "crossentropy",
        "top5": "crossentropy",
        "mse": "mse",
        "auc": "crossentropy",
    }.get(data.metric)
    if name is None:
        raise InputError(
            "a metric of your own does not say what to train for",
            hint="add `loss: crossentropy` or `loss: mse` to `data`",
        )
    if name == "mse":
        return keras.losses.MeanSquaredError()
    logits = getattr(last, "__name__", "") not in ("softmax", "sigmoid")
    if int(model.outputs[0].shape[-1] or 1) == 1:
        return keras.losses.BinaryCrossentropy(from_logits=logits)
    if isinstance(model.layers[-1], keras.layers.Softmax):
        logits = False
    return keras.losses.SparseCategoricalCrossentropy(from_logits=logits)


class _Best:
    """The best weights so far by validation loss, those before training included."""

    def __init__(self, model: Any, training: Training, patience: int) -> None:
        self._model, self._training, self._patience = model, training, patience
        self._loss, self._weights, self._since = training.validation_loss(model), model.get_weights(), 0

    def callback(self) -> Any:
        import keras

        return keras.callbacks.LambdaCallback(on_epoch_end=self._look)

    def _look(self, epoch: int, logs: Any) -> None:  # noqa: ARG002 - called by these names
        loss = self._training.validation_loss(self._model)
        self._since += 1
        if loss < self._loss:
            self._loss, self._weights, self._since = loss, self._model.get_weights(), 0
        self._model.stop_training = self._since >= self._patience

    def restore(self) -> None:
        self._model.set_weights(self._weights)


def _counted(on_batch: Callable[[int], None]) -> Callable[[int, Any], None]:
    step = -1

    def call(batch: int, logs: Any) -> None:  # noqa: ARG001 - called by these names
        nonlocal step
        step += 1
        on_batch(step)

    return call


def _Progress(training: Training, epochs: int) -> Any:  # noqa: N802 - it makes a callback, as a class would
    import keras

    def told(epoch: int, logs: Any) -> None:  # noqa: ARG001 - called by these names
        training.report(training.name, (epoch + 1) / epochs)

    return keras.callbacks.LambdaCallback(on_epoch_end=told)


def steps(training: Training, tuning: FineTuning, epochs: int) -> int:
    """How many steps of the optimizer that many epochs are."""
    return epochs * -(-len(training.y) // tuning.batch_size)


def flat(arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """All values in one row."""
    return np.concatenate([array.reshape(-1) for array in arrays])
