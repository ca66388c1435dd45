"""Knowledge distillation: a student learns from the labels and from a teacher's answers to the same samples.

After Hinton et al. (2015, arXiv:1503.02531, section 2): the Kullback–Leibler divergence between both
softmaxes at temperature T, times T², beside the loss on the labels. For models that give values (`loss: mse`)
it is the mean square between both outputs. The soft loss is Keras' own, `LogitsDistillation`. Keras'
`Distiller` is not used: it runs the teacher on every batch of every epoch, where once is enough, and would
take the softmax of outputs that are one already.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from edgegreen.compress import losses
from edgegreen.compress.losses import Gives, LossFunction
from edgegreen.compress.training import Task, Training, predict
from edgegreen.config.passes import Distill
from edgegreen.errors import InputError


def apply(model: Any, parameters: Distill, training: Training) -> Any:
    """The trained student: the model itself, in place, or the one of the file that is named."""
    from edgegreen.sources.keras import open_model

    student = open_model(Path(str(parameters.student))).kept if parameters.student else model
    teacher_file = Path(str(parameters.teacher)) if parameters.teacher else training.original
    teacher = open_model(teacher_file).kept
    _same_ends(model, student, "student")
    _same_ends(student, teacher, "teacher")
    training.fit(student, parameters, task=_task(student, teacher, parameters, training))
    return student


def _task(student: Any, teacher: Any, parameters: Distill, training: Training) -> Task:
    """Labels and the teacher's answers, side by side in one array: (samples, labels + values)."""
    own, gives = training.task(student), training.gives(teacher)
    answers = [
        np.asarray(losses.logits(predict(teacher, x), gives), np.float32)
        for x in (training.x, training.validation_x)
    ]
    loss = _loss(own, training.gives(student), parameters)
    return Task(np.hstack([own.y, answers[0]]), np.hstack([own.validation_y, answers[1]]), loss)


def _loss(own: Task, gives: Gives, parameters: Distill) -> LossFunction:
    import keras

    width = own.y.shape[1]
    # Named by its string, "kl_divergence" would be taken of the logits themselves (Keras 3.15).
    soft = keras.distillation.LogitsDistillation(parameters.temperature, keras.losses.KLDivergence())
    values = keras.losses.MeanSquaredError()

    def loss(y: Any, outputs: Any) -> Any:
        labels, answers = y[:, :width], y[:, width:]
        mine = losses.logits(outputs, gives)
        distance = values(answers, mine) if gives == "values" else soft.compute_loss(answers, mine)
        return (1 - parameters.alpha) * own.loss(labels, outputs) + parameters.alpha * distance

    return loss


def _same_ends(model: Any, other: Any, what: str) -> None:
    """Raise InputError unless inputs and outputs have the same shapes."""
    for end in ("inputs", "outputs"):
        shapes = [[tuple(port.shape[1:]) for port in getattr(one, end)] for one in (model, other)]
        if shapes[0] != shapes[1]:
            raise InputError(
                f"distill: the {what}'s {end} have the shapes {shapes[1]}, the model's {shapes[0]}"
            )
