"""Makes the calibration and evaluation data of mlperf-tiny-kws.yaml from EEMBC's energyrunner.

    git clone https://github.com/eembc/energyrunner
    python recipes/mlperf-tiny/make_kws_data.py energyrunner --output assets
    export EDGEGREEN_ASSETS=$PWD/assets

energyrunner holds MLPerf Tiny's keyword spotting test set: 1000 utterances as 49×10 MFCC features, int8, one
file each, and a list of labels. They are turned into the real values they stand for and cut in two, 100 for
calibration and 900 for evaluation, by a seeded shuffle. (Six utterances are in the set twice, and one of the
900 has its twin among the 100.) Only numpy is needed.

The two files are the recipe's to the byte where zlib is the usual one; a zlib that packs otherwise gives the
same arrays in other bytes, which the recipe's digests refuse. The end of the output says which it was, and
what to do then.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import sys
from pathlib import Path

import numpy as np

# How MLPerf's int8 reference model quantises its input: real = (q − ZERO_POINT) · SCALE.
SCALE, ZERO_POINT = np.float32(0.5847029089927673), 83
FRAMES, COEFFICIENTS = 49, 10
CALIBRATION, SEED = 100, 0

# What the recipe asks for: the files' digests, and those of x and y, bytes after bytes, whatever packed them.
FILES = {
    "kws01_calibration.npz": "48d88ea497fd0586543c1ffc1a0884e1ebaa979c5b594d71a8b48b8ca2b93921",
    "kws01_evaluation.npz": "1201d0b9d9c1f2dd0caaf0d461616d12ccec248b368d836a6eee5d9f2a2429f3",
}
ARRAYS = {
    "kws01_calibration.npz": "177a33743eb7da364d1e7f88013b812d1fd33c36046e13a43c93dbd1c001a91f",
    "kws01_evaluation.npz": "0f5c48961d8e06bd66af134ae0b671e09745aa710ff4249433b7d84b9b5c8a12",
}


def main() -> None:
    """Read the checkout, write both files, compare them with what the recipe asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("energyrunner", type=Path, help="a checkout of github.com/eembc/energyrunner")
    parser.add_argument("--output", type=Path, required=True, help="the folder EDGEGREEN_ASSETS names")
    arguments = parser.parse_args()

    x, y = read(arguments.energyrunner / "datasets" / "kws01")
    order = np.random.default_rng(SEED).permutation(len(x))
    parts = (order[:CALIBRATION], order[CALIBRATION:])
    folder = arguments.output / "mlperf-tiny" / "kws"
    folder.mkdir(parents=True, exist_ok=True)
    verdicts = [write(folder / name, x[part], y[part]) for name, part in zip(FILES, parts, strict=True)]
    sys.exit(0 if all(verdicts) else 1)


def read(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """The test set in the order of its list: x (1000, 49, 10, 1) float32, y (1000,) int64."""
    labels = folder / "y_labels.csv"
    if not labels.is_file():
        sys.exit(f"{labels} is not there: is this a checkout of energyrunner?")
    with labels.open(newline="") as stream:
        rows = [row for row in csv.reader(stream) if row]  # file name, number of classes, class
    features = [np.frombuffer((folder / name).read_bytes(), np.int8) for name, _, _ in rows]
    x = (np.stack(features).astype(np.float32) - ZERO_POINT) * SCALE
    return x.reshape(-1, FRAMES, COEFFICIENTS, 1), np.array([int(label) for _, _, label in rows], np.int64)


def write(path: Path, x: np.ndarray, y: np.ndarray) -> bool:
    """Write one npz and say how it compares; whether the recipe will take it as it is."""
    np.savez_compressed(path, x=x, y=y)
    if hashlib.sha256(path.read_bytes()).hexdigest() == FILES[path.name]:
        print(f"{path}: {len(x)} samples, the recipe's file to the byte")
        return True
    if hashlib.sha256(x.tobytes() + y.tobytes()).hexdigest() == ARRAYS[path.name]:
        print(f"{path}: {len(x)} samples, the right ones, but packed by another zlib: the recipe refuses it.")
        print(f"  Name it in a copy of the recipe instead of `file` and `sha256`: {path.absolute()}")
    else:
        print(f"{path}: {len(x)} samples, and not those of the recipe: the test set or numpy has changed.")
    return False


if __name__ == "__main__":
    main()
