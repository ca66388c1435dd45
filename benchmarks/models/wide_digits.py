"""A digits CNN big enough for pruning to matter: four convolutions of 128 filters on images of 16×16.

    python benchmarks/models/wide_digits.py FOLDER [--seed N]

The images of recipes/digits, each twice as wide and high (linear interpolation), so that convolutions take
the time: 50 million multiplications, where the model of recipes/digits.yaml has 1.2 million. Trained on the
same 1247 images; network, epochs and rate were chosen on the calibration images, never on those evaluated on.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

os.environ["TF_NUM_INTRAOP_THREADS"] = "4"  # the same sums, whatever the cores
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

DIGITS = Path(__file__).parents[2] / "recipes" / "digits"
SIDE, FILTERS, EPOCHS, BATCH, RATE = 16, 128, 15, 32, 1e-3


def data(folder: Path) -> None:
    """Write calibration.npz, training.npz and evaluation.npz, x (n, 16, 16, 1) float32 in 0 … 1."""
    from scipy.ndimage import zoom

    for part in ("calibration", "training", "evaluation"):
        with np.load(DIGITS / f"{part}.npz") as small:
            x = zoom(small["x"], (1, 2, 2, 1), order=1).astype(np.float32)
            np.savez_compressed(folder / f"{part}.npz", x=x, y=small["y"])


def model(folder: Path, seed: int) -> Path:
    """Train it on `folder`'s training.npz; where it was written."""
    import keras

    keras.utils.set_random_seed(seed)
    layers = keras.layers
    value = image = keras.Input((SIDE, SIDE, 1))
    for halved in (False, True, True, False):
        value = layers.Conv2D(FILTERS, 3, padding="same", use_bias=False)(value)
        value = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(value))
        value = layers.MaxPooling2D()(value) if halved else value
    value = layers.GlobalAveragePooling2D()(value)
    network = keras.Model(image, layers.Dense(10, activation="softmax")(value))
    with np.load(folder / "training.npz") as samples:
        x, y = samples["x"], samples["y"]
    rate = keras.optimizers.schedules.CosineDecay(RATE, EPOCHS * -(-len(x) // BATCH))
    network.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy")
    network.fit(x, y, batch_size=BATCH, epochs=EPOCHS, verbose=0)
    path = folder / f"wide-{seed}.keras"
    network.save(path, include_optimizer=False)
    return path


def main() -> None:
    """Write the data and FOLDER/wide-SEED.keras."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    data(asked.folder)
    print(model(asked.folder, asked.seed))


if __name__ == "__main__":
    main()
