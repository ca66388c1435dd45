"""Training data for passes, and the one way a pass trains: seeded, stopped early, what passes made kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from edgegreen.agent.normalize import Normalize
from edgegreen.artifact import File
from edgegreen.compress import losses
from edgegreen.compress.constraints import all_kept, found_in
from edgegreen.compress.kernels import kernels
from edgegreen.compress.losses import LossFunction
from edgegreen.compress.reading import read
from edgegreen.config.datakeys import Loss
from edgegreen.config.passes import FineTuning
from edgegreen.errors import InputError
from edgegreen.workers.report import Report

VALIDATION_SHARE = 0.15  # of the training data, set aside to stop early by
LOOKED_AT = 256  # samples that show what a model's output is
TRAINING_HINT = "add `training: training.npz` to `data`: x and y, apart from the evaluation data"
PREDICTED = 256  # samples at a time, where nothing is trained


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
    """Training data in memory, in a part to train on and one to stop early by; `x` has an array per input.

    Without training data `x` is empty, and a pass that trains all the same is refused. `original` is the
    recipe's model, a file, as it was before any pass; `name` the pass at work. `note` takes what it has
    to say that stays to be read.
    """

    wanted: TrainingData
    x: list[NDArray[Any]]
    y: NDArray[Any]
    validation_x: list[NDArray[Any]]
    validation_y: NDArray[Any]
    original: Path
    name: str
    report: Report
    note: Callable[[str], None]

    @classmethod
    def open(cls, data: TrainingData, model: Any, original: Path, report: Report) -> Self:
        """Read the data and cut them, the same way every time.

        Raises InputError when they do not fit the model's inputs, are too few, or have no labels.
        """
        if data.file is None:
            return cls(data, [], np.empty(0), [], np.empty(0), original, "", report, _mute)
        x, y = read(data.file.path, model, data.seed)
        x = [data.normalize(array) for array in x] if data.normalize else x
        cut = max(1, round(VALIDATION_SHARE * len(y)))
        return cls(
            data, [array[cut:] for array in x], y[cut:], [array[:cut] for array in x], y[:cut],
            original, "", report, _mute,
        )  # fmt: skip

    @property
    def normalize(self) -> Normalize | None:
        """What the samples in `x` have gone through."""
        return self.wanted.normalize

    @property
    def seed(self) -> int:
        """Of everything that is random in a pass."""
        return self.wanted.seed

    def for_pass(self, name: str, report: Report, note: Callable[[str], None]) -> Self:
        """The same data for one pass. What is random in it does not depend on the passes before."""
        import keras

        keras.utils.set_random_seed(self.wanted.seed)
        return replace(self, name=name, report=report, note=note)

    def fit(
        self,
        model: Any,
        tuning: FineTuning,
        *,
        epochs: int | None = None,
        stop_early: bool = True,
        task: Task | None = None,
        on_batch: Callable[[int], None] | None = None,
    ) -> None:
        """Train `model` in place, with the recipe's loss or for another `task`.

        Zeros and clusters that its kernels have are kept, unless the pass keeps something else in them.
        `on_batch(step)` is called after each step, counted from 0. With `stop_early` the learning rate falls
        to 0 along a cosine, and the weights with the best validation loss are taken in the end, those before
        training included. Raises InputError when the labels do not fit the model, or the training diverges.
        """
        import keras

        epochs = tuning.epochs if epochs is None else epochs
        if epochs == 0:
            return
        task = task or self.task(model)
        # A view of the same layers: the model itself stays uncompiled, and is saved without an optimizer.
        view = keras.Model(model.inputs, model.outputs)
        best = _Best(view, self, task, tuning.patience) if stop_early else None
        with all_kept(kernels(model), found_in):
            view.compile(keras.optimizers.Adam(self._rate(tuning, epochs, falling=stop_early)), task.loss)
            callbacks = [
                self._watcher(epochs, steps(self, tuning, 1), on_batch),
                *([best.callback()] if best else []),
            ]
            view.fit(
                _inputs(self.x), task.y, batch_size=tuning.batch_size, epochs=epochs, verbose=0,
                callbacks=callbacks,
            )  # fmt: skip
        if best:
            best.restore()
            if not best.improved:
                self.note(
                    f"training made it no better on the {len(self.validation_y)} samples set aside: "
                    "the weights from before it are kept"
                )

    def _rate(self, tuning: FineTuning, epochs: int, *, falling: bool) -> Any:
        """The optimizer's steps: as asked for, or falling from there to 0 along a cosine."""
        import keras

        rate = tuning.learning_rate
        return keras.optimizers.schedules.CosineDecay(rate, steps(self, tuning, epochs)) if falling else rate

    def task(self, model: Any) -> Task:
        """To be right about the labels. Raises InputError when they do not fit the model."""
        self.require(model)
        assert self.wanted.file is not None
        loss = losses.named(self.wanted.loss, self.wanted.metric)
        size = int(np.prod(model.outputs[0].shape[1:]))
        try:
            y, validation_y = (losses.labels(loss, part, size) for part in (self.y, self.validation_y))
        except InputError as error:
            raise InputError(f"training data {self.wanted.file.path}: {error}") from None
        return Task(y, validation_y, losses.function(self.gives(model)))

    def loss(self, model: Any) -> float | None:
        """The recipe's loss on the samples set aside; None without data, or for several outputs."""
        if not self.x or len(model.outputs) > 1:
            return None
        return _loss(model, self, self.task(model))

    def gives(self, model: Any) -> losses.Gives:
        """What the model's output is."""
        loss = losses.named(self.wanted.loss, self.wanted.metric)
        return losses.what_it_gives(loss, predict(model, [array[:LOOKED_AT] for array in self.x]))

    def require(self, model: Any) -> None:
        """Raise InputError unless there are data to train on and the model has one output to train."""
        if not self.x:
            raise InputError(
                f"pass `{self.name}` trains, and the recipe names no training data", hint=TRAINING_HINT
            )
        if len(model.outputs) > 1:
            raise InputError(
                f"pass `{self.name}` trains one output, and the model has {len(model.outputs)}",
                hint="`epochs: 0` leaves out the training",
            )

    def _watcher(self, epochs: int, per_epoch: int, on_batch: Callable[[int], None] | None) -> Any:
        """Tells the progress, calls `on_batch`, and stops where there is nothing left to save."""
        import keras

        step = -1

        def ended(batch: int, logs: dict[str, float]) -> None:  # noqa: ARG001 - called by these names
            nonlocal step
            step += 1
            self.report(self.name, (step + 1) / (epochs * per_epoch))
            if not np.isfinite(logs["loss"]):
                raise InputError(
                    f"pass `{self.name}`: the training diverges (its loss is {logs['loss']})",
                    hint="give it a lower `learning_rate`",
                )
            if on_batch:
                on_batch(step)

        return keras.callbacks.LambdaCallback(on_train_batch_end=ended)


@dataclass(frozen=True)
class Task:
    """What is to be learned: the targets of both parts of the data, and the loss between them and outputs."""

    y: NDArray[Any]
    validation_y: NDArray[Any]
    loss: LossFunction


class _Best:
    """The best weights so far by validation loss, penalties left out; those before training included."""

    def __init__(self, model: Any, training: Training, task: Task, patience: int) -> None:
        self._model, self._training, self._task, self._patience = model, training, task, patience
        self._loss, self._weights, self._since = _loss(model, training, task), model.get_weights(), 0
        self.improved = False

    def callback(self) -> Any:
        import keras

        return keras.callbacks.LambdaCallback(on_epoch_end=self._look)

    def _look(self, epoch: int, logs: Any) -> None:  # noqa: ARG002 - called by these names
        loss = _loss(self._model, self._training, self._task)
        self._since += 1
        if loss < self._loss:
            self._loss, self._weights, self._since = loss, self._model.get_weights(), 0
            self.improved = True
        self._model.stop_training = self._since >= self._patience

    def restore(self) -> None:
        self._model.set_weights(self._weights)


def _loss(model: Any, training: Training, task: Task) -> float:
    import keras

    outputs = predict(model, training.validation_x)
    loss = keras.ops.mean(task.loss(task.validation_y, keras.ops.convert_to_tensor(outputs)))
    return float(loss) if np.isfinite(loss) else np.inf


def _mute(_: str) -> None:
    """Nobody is told."""


def predict(model: Any, x: list[NDArray[Any]]) -> NDArray[Any]:
    """The first output, (samples, values)."""
    outputs = model.predict(_inputs(x), batch_size=PREDICTED, verbose=0)
    first = outputs if isinstance(outputs, np.ndarray) else next(iter(outputs))
    return np.asarray(first, np.float32).reshape(len(x[0]), -1)


def steps(training: Training, tuning: FineTuning, epochs: int) -> int:
    """How many steps of the optimizer that many epochs are."""
    return epochs * -(-len(training.y) // tuning.batch_size)


def _inputs(x: list[NDArray[Any]]) -> Any:
    return x if len(x) > 1 else x[0]
