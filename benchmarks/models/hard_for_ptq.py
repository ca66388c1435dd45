"""A model that post-training quantisation to int8 harms: the digits CNN with a few outlier channels.

    python benchmarks/models/hard_for_ptq.py FOLDER [--seed N] [--factor F]

Trained networks have channels whose range is many times that of the others (MobileNets: Nagel et al. 2019,
"Data-Free Quantization Through Weight Equalization and Bias Correction"; transformers: Dettmers et al. 2022,
"LLM.int8()"). One scale for a whole activation then leaves the other channels a few of the 256 steps. The
digits model that comes along is too small and too well trained to show it, so it is made to: the weights and
bias of every eighth channel (drawn by the seed) of the second convolution are multiplied by F, and the next
convolution divides what it reads of them by F. ReLU lets positive factors through, so the float model
computes what it computed before, up to rounding; nothing is trained, and no accuracy was looked at to choose
channels. It is Nagel's equalisation, done backwards.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

REPO = Path(__file__).parents[2]
DIGITS = REPO / "recipes" / "digits"
FACTOR = 200.0


def make(path: Path, seed: int = 0, factor: float = FACTOR) -> None:
    """Write the model to `path` (.keras). Raises ValueError when it no longer computes the same."""
    import keras

    model = keras.models.load_model(DIGITS / "model.keras")
    x = np.load(DIGITS / "calibration.npz")["x"]
    before = model.predict(x, verbose=0)
    scale_channels(model, seed, factor)
    after = model.predict(x, verbose=0)
    if not np.allclose(before, after, atol=1e-4):
        raise ValueError(f"the outputs changed by {np.abs(before - after).max():g}")
    model.save(path)


def scale_channels(model: Any, seed: int, factor: float) -> None:
    """Scale an eighth of the second convolution's channels up, and the third's reading of them down."""
    kinds = [type(layer).__name__ for layer in model.layers]
    second, third = [index for index, kind in enumerate(kinds) if kind == "Conv2D"][1:3]
    normalised = model.layers[kinds.index("BatchNormalization", second)]
    gamma, beta, *moments = normalised.get_weights()
    chosen = np.random.default_rng(seed).choice(len(gamma), len(gamma) // 8, replace=False)
    gamma[chosen] *= factor
    beta[chosen] *= factor
    normalised.set_weights([gamma, beta, *moments])
    kernel, *bias = model.layers[third].get_weights()
    kernel[:, :, chosen, :] /= factor
    model.layers[third].set_weights([kernel, *bias])


def main() -> None:
    """Write FOLDER/hard-SEED.keras."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--factor", type=float, default=FACTOR)
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    make(given.folder / f"hard-{given.seed}.keras", given.seed, given.factor)


if __name__ == "__main__":
    main()
