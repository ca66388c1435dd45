"""Keras in this process, and small models for passes, with weights that are not what they began as."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from edgegreen.agent.normalize import Normalize
from edgegreen.artifact import File
from edgegreen.compress.training import Training, TrainingData
from edgegreen.config.datakeys import Loss


@pytest.fixture(scope="session")
def keras() -> ModuleType:
    """Keras; skips without it."""
    pytest.importorskip("tensorflow")
    import keras

    keras.utils.set_random_seed(0)
    return keras


@dataclass
class Heard:
    """Training without data, and what a pass has said."""

    notes: list[str] = field(default_factory=list)

    def training(self, normalize: Normalize | None = None) -> Training:
        data = TrainingData(None, "top1", None, 0, normalize)
        nothing = Training.open(data, None, Path(), lambda *_: None)
        return replace(nothing, name="pass", note=self.notes.append)

    def on(self, x: np.ndarray, y: np.ndarray, loss: Loss = "crossentropy") -> Training:
        """With data, the last ten of them to stop early by."""
        wanted = TrainingData(File(Path("training.npz"), "0" * 64, 1), "top1", loss, 0)
        return replace(
            self.training(),
            wanted=wanted,
            x=[x[:-10]],
            y=y[:-10],
            validation_x=[x[-10:]],
            validation_y=y[-10:],
        )


@pytest.fixture
def heard() -> Heard:
    return Heard()


def uneven(model: Any) -> Any:
    """The model with biases and statistics of batch normalisation as training leaves them: not 0 and 1."""
    random = np.random.default_rng(0)
    for variable in model.weights:
        if variable.name not in ("kernel", "depthwise_kernel", "pointwise_kernel"):
            variable.assign(variable.numpy() + random.uniform(0.1, 0.5, variable.shape))
    return model


@pytest.fixture(scope="session")
def branched(keras: ModuleType) -> Callable[[], Any]:
    """Residual, depthwise, a gate over channels (squeeze and excite), concatenation, flattening."""

    def make() -> Any:
        layers = keras.layers
        image = keras.Input((8, 8, 3), name="image")
        stem = layers.Conv2D(8, 3, padding="same", use_bias=False, name="stem")(image)
        stem = layers.ReLU()(layers.BatchNormalization(name="stem_norm")(stem))
        x = layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2, name="spread")(stem)
        x = layers.Conv2D(8, 1, name="back")(layers.ReLU()(x))
        x = keras.ops.relu(x + stem)
        gate = layers.GlobalAveragePooling2D(keepdims=True)(x)
        gate = layers.Conv2D(4, 1, activation="relu", name="squeeze")(gate)
        x = layers.Multiply()([x, layers.Conv2D(8, 1, activation="sigmoid", name="excite")(gate)])
        left = layers.SeparableConv2D(6, 3, activation="relu", name="left")(x)
        right = layers.Conv2D(4, 3, activation="relu", name="right")(x)
        x = layers.Concatenate(name="both")([left, right])
        x = layers.Flatten()(layers.MaxPooling2D(2)(x))
        x = layers.Dense(12, activation="relu", name="hidden")(x)
        return uneven(keras.Model({"image": image}, layers.Dense(3, activation="softmax", name="digit")(x)))

    return make
