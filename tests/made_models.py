"""Small models with one difficulty each, made by one run of this file in a process with tensorflow.

    python tests/made_models.py FOLDER

The fixture that runs it once for all tests is `models` in tests/sources/conftest.py.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np


def make(folder: Path) -> None:
    """Write every model into `folder`, and what some of them compute into npz files."""
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(1)
    multi(folder, keras)
    sequence(folder, keras, tf)
    legacy(folder, keras)
    tokens(folder, keras)
    refused(folder, keras)
    fragile(folder, keras)
    outliers(folder, keras, tf)
    saved_models(folder, tf)


def multi(folder: Path, keras: Any) -> None:
    """Two inputs and three outputs of one shape, none in alphabetical order."""
    layers = keras.layers
    picture, numbers = keras.Input((8, 8, 3), name="zebra"), keras.Input((4,), name="apple")
    hidden = layers.GlobalAveragePooling2D()(layers.Conv2D(16, 3, activation="relu")(picture))
    hidden = layers.Dense(64, activation="relu")(layers.Concatenate()([hidden, numbers]))
    outputs = [
        layers.Dense(5, name="yak", activation="softmax")(hidden),
        layers.Dense(5, name="ant")(hidden),
        layers.Dense(5, name="mole")(hidden),
    ]
    model = keras.Model([picture, numbers], outputs)
    model.save(folder / "multi.keras")
    random = np.random.default_rng(0)
    x0, x1 = random.random((40, 8, 8, 3), np.float32), random.random((40, 4), np.float32)
    np.savez(folder / "multi.npz", x0=x0, x1=x1)
    np.savez(folder / "multi_outputs.npz", *[np.asarray(value) for value in model([x0, x1])])


def sequence(folder: Path, keras: Any, tf: Any) -> None:
    """A sequence of any length, as .keras and as .tflite; and data of length 20."""
    layers = keras.layers
    steps = keras.Input((None, 6), name="steps")
    hidden = layers.Conv1D(8, 3, padding="same", activation="relu")(steps)
    model = keras.Model(steps, layers.Dense(3)(layers.GlobalAveragePooling1D()(hidden)))
    model.save(folder / "sequence.keras")
    model.export(folder / "sequence", verbose=False)
    converter = tf.lite.TFLiteConverter.from_saved_model(str(folder / "sequence"))
    (folder / "sequence.tflite").write_bytes(converter.convert())
    x = np.random.default_rng(0).random((10, 20, 6), np.float32)
    np.savez(folder / "sequence.npz", x=x)
    np.savez(folder / "sequence_outputs.npz", np.asarray(model(x)))


def legacy(folder: Path, keras: Any) -> None:
    """An .h5 as older Keras wrote it: `groups` in the config of a DepthwiseConv2D."""
    import h5py

    layers = keras.layers
    picture = keras.Input((8, 8, 3))
    hidden = layers.DepthwiseConv2D(3)(layers.Conv2D(8, 3, activation="relu")(picture))
    model = keras.Model(picture, layers.Dense(4)(layers.Flatten()(layers.BatchNormalization()(hidden))))
    path = folder / "legacy.h5"
    model.save(path)
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        for layer in config["config"]["layers"]:
            if layer["class_name"] == "DepthwiseConv2D":
                layer["config"]["groups"] = 1
        file.attrs["model_config"] = json.dumps(config)
    x = np.random.default_rng(0).random((10, 8, 8, 3), np.float32)
    np.savez(folder / "legacy.npz", x=x)
    np.savez(folder / "legacy_outputs.npz", np.asarray(model(x)))


def tokens(folder: Path, keras: Any) -> None:
    """Integers in."""
    words = keras.Input((8,), dtype="int32", name="words")
    hidden = keras.layers.GlobalAveragePooling1D()(keras.layers.Embedding(50, 16)(words))
    keras.Model(words, keras.layers.Dense(3)(hidden)).save(folder / "tokens.keras")
    np.savez(folder / "tokens.npz", x=np.random.default_rng(0).integers(0, 50, (40, 8)))


def refused(folder: Path, keras: Any) -> None:
    """Files that must not, or cannot, be loaded."""
    numbers = keras.Input((4,))
    code = keras.Model(numbers, keras.layers.Lambda(lambda x: x * 2)(numbers))
    code.save(folder / "lambda.keras")
    code.save(folder / "lambda.h5")
    keras.Sequential([keras.layers.Dense(3)]).save(folder / "unbuilt.keras")

    class Unheard(keras.layers.Layer):
        """A layer that only this process knows."""

        def call(self, values: Any) -> Any:
            return values * 2

    keras.Model(numbers, Unheard()(numbers)).save(folder / "custom.keras")


def fragile(folder: Path, keras: Any) -> None:
    """What 8 bits destroy: a small signal on top of a large one, taken away again."""
    layers = keras.layers
    numbers = keras.Input((4,))
    lifted = layers.Rescaling(1.0, offset=5000.0)(layers.Dense(64, activation="tanh")(numbers))
    model = keras.Model(numbers, layers.Rescaling(1.0, offset=-5000.0)(layers.ReLU()(lifted)))
    model.save(folder / "fragile.keras")
    np.savez(folder / "fragile.npz", x=np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32))


def outliers(folder: Path, keras: Any, tf: Any) -> None:
    """A classifier in which int8 takes the detail: a quarter of one layer's values are 100 times the others.

    In three npz files: data to calibrate, train and evaluate on, of which the float model is sure and right.
    """
    layers, random = keras.layers, np.random.default_rng(0)
    picture = keras.Input((4, 4, 2), name="picture")
    hidden = layers.Conv2D(16, 3, activation="relu", name="wide")(picture)
    hidden = layers.Conv2D(16, 1, activation="relu", name="narrow")(hidden)
    hidden = layers.Conv2D(16, 1, activation="relu", name="calm")(hidden)
    model = keras.Model(picture, layers.Dense(4, name="classes")(layers.Flatten()(hidden)))
    scale = np.where(np.arange(16) % 4 == 0, 100.0, 1.0).astype(np.float32)
    wide, narrow = model.get_layer("wide"), model.get_layer("narrow")
    wide.set_weights([wide.get_weights()[0] * scale, wide.get_weights()[1] * scale])
    narrow.set_weights([narrow.get_weights()[0] / scale[:, None], narrow.get_weights()[1]])
    given, classes = np.asarray(model(random.normal(size=(2000, 4, 4, 2)))), model.get_layer("classes")
    centre, spread = np.median(given, axis=0), given.std(axis=0)  # so that no class takes all
    classes.set_weights([classes.get_weights()[0] / spread, -centre / spread])
    model.export(folder / "outliers", verbose=False)
    converter = tf.lite.TFLiteConverter.from_saved_model(str(folder / "outliers"))
    (folder / "outliers.tflite").write_bytes(converter.convert())
    for name, count in (("calibration", 100), ("training", 1200), ("evaluation", 600)):
        x = random.normal(size=(8 * count, 4, 4, 2)).astype(np.float32)
        given = np.asarray(model(x))
        lead = np.diff(np.sort(given, axis=1)[:, -2:], axis=1)[:, 0]
        sure = np.sort(np.argsort(-lead)[:count])
        np.savez(folder / f"outliers_{name}.npz", x=x[sure], y=given[sure].argmax(axis=1))


def saved_models(folder: Path, tf: Any) -> None:
    """SavedModels: two signatures, none at all, and an operator that TFLite does not have."""

    class Two(tf.Module):  # type: ignore[misc]
        """y = x·w, by one name or two."""

        def __init__(self) -> None:
            super().__init__()
            self.w = tf.Variable(np.arange(12, dtype=np.float32).reshape(4, 3) / 12)

        @tf.function
        def one(self, x: Any) -> Any:
            return {"out": x @ self.w}

        @tf.function
        def two(self, x: Any) -> Any:
            return {"b": 2 * x @ self.w, "a": 1 - x @ self.w}

        @tf.function
        def inverse(self, x: Any) -> Any:
            return {"out": tf.linalg.inv(x)}

    module, vector = Two(), tf.TensorSpec([None, 4], tf.float32, name="x")
    one, two = module.one.get_concrete_function(vector), module.two.get_concrete_function(vector)
    tf.saved_model.save(module, str(folder / "two"), signatures={"one": one, "two": two})
    tf.saved_model.save(module, str(folder / "none"))
    square = tf.TensorSpec([None, 3, 3], tf.float32, name="x")
    inverse = module.inverse.get_concrete_function(square)
    tf.saved_model.save(module, str(folder / "inverse"), signatures={"serving_default": inverse})


if __name__ == "__main__":
    make(Path(sys.argv[1]))
