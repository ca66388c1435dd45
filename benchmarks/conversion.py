"""All variants of MLPerf Tiny's keyword spotting from a cold cache, against a script that makes each in turn.

    python benchmarks/conversion.py [ROUNDS]

Each side is a fresh process, imports included; rounds alternate and the medians are compared. The script does
what one writes by hand: TFLiteConverter once per TFLite variant, then openvino's converter and nncf. It makes
eight files (TFLiteConverter has no weight-only int8); edgegreen makes nine, and checks every one of them.
Figure to reach: at least 2 times faster.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPO = Path(__file__).parent.parent
ASSETS = Path(os.environ.get("EDGEGREEN_ASSETS", REPO.parent / "shared" / "assets")) / "mlperf-tiny" / "kws"
MODEL, CALIBRATION = ASSETS / "kws_ref_model", ASSETS / "kws01_calibration.npz"
FIGURE = 2.0


def by_hand(folder: Path) -> None:
    """The script."""
    import numpy as np
    import tensorflow as tf

    data = np.load(CALIBRATION)["x"].astype(np.float32)

    def representative() -> object:
        for sample in data:
            yield [sample[None]]

    def tflite(name: str, types: list[object], ops: list[object], *, calibrated: bool) -> None:
        converter = tf.lite.TFLiteConverter.from_saved_model(str(MODEL))
        if name != "fp32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if types:
            converter.target_spec.supported_types = types
        if ops:
            converter.target_spec.supported_ops = ops
        if calibrated:
            converter.representative_dataset = representative
        (folder / f"{name}.tflite").write_bytes(converter.convert())

    sets = tf.lite.OpsSet
    int16x8 = sets.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
    tflite("fp32", [], [], calibrated=False)
    tflite("fp16", [tf.float16], [], calibrated=False)
    tflite("dynamic", [], [], calibrated=False)
    tflite("int8", [], [sets.TFLITE_BUILTINS_INT8], calibrated=True)
    tflite("int16x8", [], [int16x8], calibrated=True)

    import nncf
    import openvino as ov

    model = ov.convert_model(MODEL, input=[1, 49, 10, 1])
    ov.save_model(model, folder / "fp32.xml", compress_to_fp16=False)
    ov.save_model(model, folder / "fp16.xml")
    dataset = nncf.Dataset([sample[None] for sample in data])
    ov.save_model(nncf.quantize(model, dataset, subset_size=len(data)), folder / "int8.xml")


def with_edgegreen(folder: Path) -> None:
    """The same and more, through edgegreen, into a cache of its own."""
    from edgegreen.cache.store import Cache
    from edgegreen.config.datakeys import Data
    from edgegreen.convert import build
    from edgegreen.formats import FORMATS
    from edgegreen.recipe import Recipe, Variant

    recipe = Recipe(name="kws", model=MODEL, data=Data(calibration=CALIBRATION))
    variants = {
        f"{precision}-{format_}": Variant(format=format_, precision=precision)
        for format_, traits in FORMATS.items()
        for precision in traits.precisions
    }
    with build(recipe, variants, Cache(folder), lambda _: None) as built:
        for future in built.artifacts.values():
            future.result()


def seconds(side: str) -> float:
    """One fresh process, start to end."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"TF_CPP_MIN_LOG_LEVEL": "2", "CUDA_VISIBLE_DEVICES": "-1"}
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        subprocess.run(
            [sys.executable, __file__, side, folder], env=environment, check=True, capture_output=True
        )
        return time.perf_counter() - start


def main(rounds: int) -> int:
    """Alternate the sides and compare; the exit code says whether the figure is reached."""
    taken: dict[str, list[float]] = {"by-hand": [], "edgegreen": []}
    for side in taken:
        seconds(side)  # byte code, page cache
    for number in range(rounds):
        for side, times in taken.items():
            times.append(seconds(side))
        print(f"round {number + 1}:", ", ".join(f"{side} {times[-1]:.1f} s" for side, times in taken.items()))
    medians = {side: statistics.median(times) for side, times in taken.items()}
    ratio = medians["by-hand"] / medians["edgegreen"]
    print(json.dumps({"median_s": medians, "ratio": round(ratio, 2), "figure": FIGURE}))
    return 0 if ratio >= FIGURE else 1


if __name__ == "__main__":
    if len(sys.argv) == 3:
        {"by-hand": by_hand, "edgegreen": with_edgegreen}[sys.argv[1]](Path(sys.argv[2]))
    else:
        sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 5))
