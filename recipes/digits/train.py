"""Trains the model of recipes/digits.yaml and writes its data, from nothing but scikit-learn's digits.

    pip install tensorflow scikit-learn
    python recipes/digits/train.py [--output FOLDER]

It writes four files beside itself (or into FOLDER), the ones that are committed:

    model.keras       a CNN of 29,098 parameters, float32, no optimizer state
    calibration.npz   x (100, 8, 8, 1) float32, y (100,): what int8 variants are calibrated on
    training.npz      x (1247, 8, 8, 1) float32, y (1247,): what it was trained on, for passes that train
    evaluation.npz    x (450, 8, 8, 1) float32, y (450,): what accuracy is measured on

The 1797 images (8×8, 17 grey levels, here 0 … 1) are shuffled once and cut in three, none in two parts:
450 evaluation, 100 calibration, 1247 training. No choice was made by looking at the evaluation images:
the network, its 30 epochs and its seed were fixed beforehand, and nothing stops early. The same 13 people
wrote digits of all three parts, so the accuracy says how well a variant keeps the model, not how well the
model would read a stranger's hand.

Everything that could differ between two runs is pinned: seeds, one thread, kernels that do not depend on
the processor, dates and object ids inside the files. Two runs with the same versions of TensorFlow, Keras,
NumPy and zlib give the same bytes (README.md beside this has the versions and the digests committed).
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import zipfile
from pathlib import Path

# TensorFlow reads these when it is imported. oneDNN chooses its instructions, and so its rounding, by the
# processor: where TensorFlow can do without, it does; the rest is held to what every x86-64 since 2013 has.
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
os.environ["TENSORFLOW_USE_CUSTOM_CONTRACTION_KERNEL"] = "0"
os.environ["ONEDNN_MAX_CPU_ISA"] = "AVX2"
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits

Samples = tuple[np.ndarray, np.ndarray]

SEED = 0
EPOCHS = 30
EVALUATION, CALIBRATION = 450, 100  # images; the rest is for training
EPOCH_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can hold
SAVED = "1980-01-01@00:00:00"


def main() -> None:
    """Train, write the three files, print what came out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path(__file__).parent, help="where to write")
    folder: Path = parser.parse_args().output
    folder.mkdir(parents=True, exist_ok=True)

    make_deterministic()
    training, calibration, evaluation = splits()
    model = train(*training)
    save_model(model, folder / "model.keras")
    save_samples(*training, folder / "training.npz")
    save_samples(*calibration, folder / "calibration.npz")
    save_samples(*evaluation, folder / "evaluation.npz")

    x, y = evaluation
    right = int((model.predict(x, verbose=0).argmax(axis=1) == y).sum())
    print(f"{model.count_params():,} parameters; {right} of {len(y)} evaluation images: {right / len(y):.2%}")
    for name in ("model.keras", "training.npz", "calibration.npz", "evaluation.npz"):
        data = (folder / name).read_bytes()
        print(f"{hashlib.sha256(data).hexdigest()}  {len(data):7,}  {name}")


def make_deterministic() -> None:
    """Same seed, same order, same rounding: one thread and no op that may add in any order."""
    keras.utils.set_random_seed(SEED)
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.experimental.enable_op_determinism()


def splits() -> tuple[Samples, Samples, Samples]:
    """The digits, shuffled and cut into training, calibration and evaluation.

    Each is x, float32 (n, 8, 8, 1) in 0 … 1, and y, int64 (n,).
    """
    digits = load_digits()
    order = np.random.default_rng(SEED).permutation(len(digits.images))
    x = (digits.images[order] / 16).astype(np.float32)[..., np.newaxis]
    y = digits.target[order].astype(np.int64)
    first, second = EVALUATION, EVALUATION + CALIBRATION
    return (x[second:], y[second:]), (x[first:second], y[first:second]), (x[:first], y[:first])


def network() -> keras.Model:
    """Three convolutions with batch normalisation, which converters fold into the weights."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((8, 8, 1), name="image"),
            layers.Conv2D(32, 3, padding="same", use_bias=False, name="conv1"),
            layers.BatchNormalization(name="norm1"),
            layers.ReLU(name="relu1"),
            layers.Conv2D(32, 3, padding="same", use_bias=False, name="conv2"),
            layers.BatchNormalization(name="norm2"),
            layers.ReLU(name="relu2"),
            layers.MaxPooling2D(name="pool"),
            layers.Conv2D(64, 3, padding="same", use_bias=False, name="conv3"),
            layers.BatchNormalization(name="norm3"),
            layers.ReLU(name="relu3"),
            layers.GlobalAveragePooling2D(name="average"),
            layers.Dense(10, activation="softmax", name="digit"),
        ],
        name="digits",
    )


def train(x: np.ndarray, y: np.ndarray) -> keras.Model:
    """The network after EPOCHS passes over the training images, the step falling along a cosine to 0."""
    model = network()
    batch = 32
    steps = EPOCHS * -(-len(x) // batch)
    rate = keras.optimizers.schedules.CosineDecay(3e-3, decay_steps=steps)
    model.compile(keras.optimizers.Adam(rate), loss="sparse_categorical_crossentropy")
    model.fit(x, y, batch_size=batch, epochs=EPOCHS, verbose=2)
    return model


def save_model(model: keras.Model, path: Path) -> None:
    """Save without optimizer state, and with no trace of when or where."""
    bare = network()  # never compiled: what is left is the layers and their weights
    bare.set_weights(model.get_weights())
    bare.save(path)
    with zipfile.ZipFile(path) as saved:
        members = {name: saved.read(name) for name in sorted(saved.namelist())}
    metadata = json.loads(members["metadata.json"]) | {"date_saved": SAVED}
    members["metadata.json"] = json.dumps(metadata).encode()
    members["config.json"] = renumber(members["config.json"])
    write_zip(path, members)


def renumber(config: bytes) -> bytes:
    """The config with its shared objects, which Keras calls by their addresses, numbered from 1."""
    numbers: dict[int, int] = {}

    def number(node: dict[str, object]) -> dict[str, object]:
        if isinstance(address := node.get("shared_object_id"), int):
            node["shared_object_id"] = numbers.setdefault(address, len(numbers) + 1)
        return node

    return json.dumps(json.loads(config, object_hook=number)).encode()


def save_samples(x: np.ndarray, y: np.ndarray, path: Path) -> None:
    """Write an npz as np.savez_compressed does, which dates its members 1980 by itself."""
    np.savez_compressed(path, x=x, y=y)


def write_zip(path: Path, members: dict[str, bytes]) -> None:
    """A deflated zip whose bytes follow from its members alone."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name, EPOCH_DATE), data, zipfile.ZIP_DEFLATED, 9)
    path.write_bytes(buffer.getvalue())


if __name__ == "__main__":
    main()
