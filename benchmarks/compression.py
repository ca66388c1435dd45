"""The tables of docs/compression.md: what zeros, clusters and quantisation-aware training keep, and save.

    python benchmarks/compression.py [sharing] [qat]

Each row is a recipe's variant, built as `edgegreen deploy` builds it; accuracy is that of the built file on
the evaluation data, on this host, the mean of three seeds (`qat`: six) with the lowest and the highest. Takes
scikit-learn's digits as recipes/digits has them; the exit code says whether the figures are reached:

- sharing: 80 % unstructured zeros and 16 clusters, compressed at least 4 times smaller than fp32 compressed,
  at most one point of accuracy less;
- qat: on a model that loses more than 2 points when it is calibrated only, at most 0.5 points below fp32.

The model of `qat` is made to be hard: depthwise-separable convolutions whose batch normalisations start from
scales spread over a factor of 300 (log-uniform, 1/17 … 17), trained as ever from there. Channels that far
apart share one step in an int8 tensor, as they do in some networks found in the wild (Nagel et al. 2019,
arXiv:1906.04721), so that the small ones are lost.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

os.environ["TF_NUM_INTRAOP_THREADS"] = "4"  # as in edgegreen's workers: the same sums, whatever the cores
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from rich.console import Console

from edgegreen import building
from edgegreen.artifact import Artifact
from edgegreen.prepare import prepare
from edgegreen.report.progress import progress
from edgegreen.sources import host
from edgegreen.sources.model import ModelFile

DATA = Path(__file__).parent.parent / "recipes" / "digits"
SEEDS = (0, 1, 2)
HARD_SEEDS = range(6)  # of model and passes: models trained from such scales differ much
SPREAD = 300.0
TUNED = "epochs: 20, patience: 6"
PRUNE, CLUSTER = f"{{prune: {{sparsity: 0.8, {TUNED}}}}}", f"{{cluster: {{clusters: 16, {TUNED}}}}}"
QAT = "{qat: {epochs: 40, learning_rate: 0.003, patience: 40}}"
FP32, INT8 = "format: tflite, precision: fp32", "format: tflite, precision: int8"
SHARING = {
    "fp32": f"{{{FP32}}}",
    "fp32, 80 % zeros": f"{{passes: [{PRUNE}], {FP32}}}",
    "fp32, 16 clusters": f"{{passes: [{CLUSTER}], {FP32}}}",
    "fp32, 80 % zeros, 16 clusters": f"{{passes: [{PRUNE}, {CLUSTER}], {FP32}}}",
    "int8": f"{{{INT8}}}",
    "int8, 80 % zeros, 16 clusters": f"{{passes: [{PRUNE}, {CLUSTER}], {INT8}}}",
}
QUANTISED = {
    "fp32": f"{{{FP32}}}",
    "int8, calibrated only": f"{{{INT8}}}",
    "int8, `qat`": f"{{passes: [{QAT}], {INT8}}}",
    "int8 OpenVINO, calibrated only": "{format: openvino, precision: int8}",
    "int8 OpenVINO, `qat`": f"{{passes: [{QAT}], format: openvino, precision: int8}}",
}


Row = tuple[float, int]
"""Accuracy and compressed bytes."""


def built(model: Path, variants: Mapping[str, str], seed: int, folder: Path) -> dict[str, Row]:
    """What becomes of each variant."""
    names = {f"v{number}": name for number, name in enumerate(variants)}
    lines = "".join(f"  {key}: {variants[name]}\n" for key, name in names.items())
    data = ", ".join(f"{part}: {DATA / part}.npz" for part in ("calibration", "evaluation", "training"))
    recipe = folder / f"recipe{seed}.yaml"
    recipe.write_text(f"name: x\nmodel: {model}\nseed: {seed}\ndata: {{{data}}}\nvariants:\n{lines}")
    made, failed = building.build_only(prepare(recipe), progress(Console(file=sys.stderr)))
    if failed:
        raise SystemExit("\n".join(f"{names[key]}: {error}" for key, error in failed.items()))
    return {names[key]: (accuracy(one), one.compressed_bytes) for key, one in made.items()}


def accuracy(artifact: Artifact) -> float:
    """Percent of the evaluation images whose largest output is the right one."""
    model = ModelFile(
        artifact.format, tuple(file.path for file in artifact.files),
        tuple(one.name for one in artifact.inputs), tuple(one.name for one in artifact.outputs),
        artifact.input_order, artifact.output_order, artifact.built_by,
    )  # fmt: skip
    with np.load(DATA / "evaluation.npz") as data:
        x, y = data["x"], data["y"]
    answers = [int(outputs[0].argmax()) for outputs in host.outputs(model, ([row[None]] for row in x), 1)]
    return float(100 * np.mean(np.array(answers) == y))


def hard_model(seed: int, path: Path) -> None:
    """Train the model of `qat`. In a process of its own: TensorFlow and LiteRT do not share one well."""
    import keras

    layers, random = keras.layers, np.random.default_rng(seed)
    keras.utils.set_random_seed(seed)

    def normalised(value: object) -> object:
        norm = layers.BatchNormalization()
        value = norm(value)
        edge = np.log(SPREAD) / 2
        norm.gamma.assign(np.exp(random.uniform(-edge, edge, norm.gamma.shape)))
        return layers.ReLU()(value)

    value = image = keras.Input((8, 8, 1))
    value = normalised(layers.Conv2D(16, 3, padding="same", use_bias=False)(value))
    for channels, stride in ((16, 1), (32, 2), (32, 1), (32, 1)):
        value = normalised(layers.DepthwiseConv2D(3, strides=stride, padding="same", use_bias=False)(value))
        value = normalised(layers.Conv2D(channels, 1, use_bias=False)(value))
    value = layers.GlobalAveragePooling2D()(value)
    model = keras.Model(image, layers.Dense(10, activation="softmax")(value))
    with np.load(DATA / "training.npz") as data:
        x, y = data["x"], data["y"]
    epochs, batch = 30, 32
    rate = keras.optimizers.schedules.CosineDecay(3e-3, epochs * -(-len(x) // batch))
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy")
    model.fit(x, y, batch_size=batch, epochs=epochs, verbose=0)
    model.save(path, include_optimizer=False)


def table(title: str, runs: list[dict[str, Row]]) -> dict[str, Row]:
    """Print the rows as Markdown; their means."""
    print(f"\n{title}\n\n| variant | accuracy, % | compressed, bytes |\n|---|---|---|")
    means = {}
    for name in runs[0]:
        found, sizes = [run[name][0] for run in runs], [run[name][1] for run in runs]
        means[name] = statistics.mean(found), round(statistics.mean(sizes))
        spread = f" ({min(found):.2f} … {max(found):.2f})" if len(set(found)) > 1 else ""
        print(f"| {name} | {means[name][0]:.2f}{spread} | {means[name][1]:,} |")
    return means


def sharing(folder: Path) -> bool:
    """Zeros and clusters in the digits model of recipes/."""
    means = table("digits", [built(DATA / "model.keras", SHARING, seed, folder) for seed in SEEDS])
    before, after = means["fp32"], means["fp32, 80 % zeros, 16 clusters"]
    print(f"\n{before[1] / after[1]:.1f} times smaller compressed, {before[0] - after[0]:+.2f} points lost")
    return before[1] >= 4 * after[1] and before[0] - after[0] <= 1


def qat(folder: Path) -> bool:
    """Quantisation-aware training of models that lose much without."""
    runs = []
    for seed in HARD_SEEDS:
        model = folder / f"hard{seed}.keras"
        subprocess.run([sys.executable, __file__, "hard-model", str(seed), str(model)], check=True)
        runs.append(built(model, QUANTISED, seed, folder))
    means = table("depthwise-separable, scales far apart", runs)
    lost = {name: means["fp32"][0] - found for name, (found, _) in means.items()}
    print("\npoints lost:", ", ".join(f"{name} {points:+.2f}" for name, points in lost.items()))
    return lost["int8, calibrated only"] > 2 and lost["int8, `qat`"] <= 0.5


def main(wanted: list[str]) -> int:
    """Print the tables asked for; 0 when all figures are reached."""
    if wanted[:1] == ["hard-model"]:
        hard_model(int(wanted[1]), Path(wanted[2]))
        return 0
    tools = ("tensorflow", "keras", "ai-edge-quantizer", "ai-edge-litert", "openvino", "nncf")
    print(", ".join(f"{tool} {version(tool)}" for tool in tools))
    parts = {"sharing": sharing, "qat": qat}
    with tempfile.TemporaryDirectory(prefix="edgegreen-") as folder:
        os.environ["EDGEGREEN_HOME"] = str(Path(folder, "home"))
        reached = [parts[name](Path(folder)) for name in wanted or parts]
    return 0 if all(reached) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
