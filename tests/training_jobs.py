"""What the tests of passes have a worker do: small models with one difficulty each, and looks into files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from edgegreen.workers.report import Report


def save_models(report: Report, folder: Path) -> None:
    """Write every model of MODELS into `folder`."""
    import keras

    for name, make in MODELS.items():
        keras.utils.set_random_seed(1)
        model = make(keras)
        for layer in model._flatten_layers():
            if isinstance(layer, keras.layers.BatchNormalization):  # as if it had been trained
                layer.moving_mean.assign(np.linspace(-0.2, 0.2, layer.moving_mean.shape[0]))
                layer.gamma.assign(np.linspace(0.5, 1.5, layer.gamma.shape[0]))
        model.save(folder / f"{name}.keras")


def branched(keras: Any) -> Any:
    """A residual, a concatenation, depthwise, normalised, a nested model, a layer that is used twice."""
    layers = keras.layers
    image = keras.Input((8, 8, 1))
    inner = keras.Input((8, 8, 8))
    nested = keras.Model(inner, layers.Conv2D(8, 3, padding="same", activation="relu", name="same")(inner))
    twice = layers.Conv2D(8, 3, padding="same", name="same")
    value = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(8, 3, padding="same")(image)))
    deep = layers.ReLU()(layers.BatchNormalization()(layers.DepthwiseConv2D(3, padding="same")(value)))
    value = layers.Add()([value, nested(deep)])
    value = layers.ReLU()(twice(layers.ReLU()(twice(value))))
    value = layers.Concatenate()([value, layers.Conv2D(8, 1, activation="swish")(value)])
    pooled = layers.GlobalAveragePooling2D()(layers.Dropout(0.1)(layers.MaxPooling2D()(value)))
    return keras.Model(image, layers.Dense(3, activation="softmax")(pooled))


def plain(keras: Any) -> Any:
    """Small, sequential, with a constraint of its own, logits, and a nested Sequential."""
    layers = keras.layers
    bounded = keras.constraints.MaxNorm(1.0)
    hidden = keras.Sequential(
        [keras.Input((64,)), layers.Dense(8, activation="relu", kernel_constraint=bounded)]
    )
    return keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(), hidden, layers.Dense(3)])


def binary(keras: Any) -> Any:
    """One value of two classes."""
    layers = keras.layers
    ends = [keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(8, "relu"), layers.Dense(1, "sigmoid")]
    return keras.Sequential(ends)


def pair(keras: Any) -> Any:
    """Two inputs and two outputs."""
    layers = keras.layers
    one, other = keras.Input((8, 8, 1)), keras.Input((4,))
    both = layers.Concatenate()([layers.Flatten()(one), other])
    return keras.Model([one, other], [layers.Dense(3)(both), layers.Dense(2)(both)])


def recurrent(keras: Any) -> Any:
    """The rows of the image one after another."""
    layers = keras.layers
    rows = layers.Reshape((8, 8))
    return keras.Sequential([keras.Input((8, 8, 1)), rows, layers.LSTM(6), layers.Dense(3, "softmax")])


MODELS: dict[str, Callable[[Any], Any]] = {
    "recurrent": recurrent,
    "branched": branched,
    "plain": plain,
    "binary": binary,
    "pair": pair,
}


def look(report: Report, model: Path, data: Path) -> dict[str, Any]:
    """Kernels of at least 64 weights, all weights, outputs on `x`, and what the file was saved with."""
    import keras

    from edgegreen.compress.kernels import kernels

    found = keras.models.load_model(model)
    with np.load(data) as arrays:
        outputs = found.predict(arrays["x"], verbose=0)
    return {
        "kernels": [one.numpy() for one in kernels(found) if np.prod(one.shape) >= 64],
        "weights": found.get_weights(),
        "outputs": outputs,
        "config": found.get_config(),
        "compiled": found.compiled,
    }


def rounded_outputs(report: Report, model: Path, data: Path) -> Any:
    """(outputs, outputs with the rounding that `qat` trains with) on `x`."""
    import keras

    from edgegreen.compress import qat

    found = keras.models.load_model(model)
    with np.load(data) as arrays:
        x = arrays["x"]
    return found.predict(x, batch_size=len(x)), qat.rounded(found).predict(x, batch_size=len(x))
