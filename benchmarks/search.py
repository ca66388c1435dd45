"""What a search of forty candidates finds that nobody wrote down, and how long it takes.

    python benchmarks/search.py [compressed] [latency]

- compressed: `edgegreen search recipes/digits.yaml --objective compressed --trials 40`;
- latency: the same by latency, for the wide digits model (models/wide_digits.py), with the same six variants
  written by hand, and `prune_filters` and `distill` to search over.

Prints each front and the time it took. Figures to reach: a candidate that none of the recipe's own variants
dominates (as accurate and as small, and better in one of the two), in 15 minutes on 4 cores.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

from edgegreen.judging.objectives import ObjectiveName
from edgegreen.report.progress import progress
from edgegreen.search.conductor import Budget
from edgegreen.search.run import Result, Wanted, run

ROOT = Path(__file__).parent.parent
DIGITS = ROOT / "recipes" / "digits.yaml"
TRIALS, MINUTES = 40, 15
WIDE = """\
name: wide-digits
model: wide-0.keras
data: {calibration: calibration.npz, evaluation: evaluation.npz, training: training.npz}
benchmark: {duration_s: 2}
search: {threads: [1], passes: {prune_filters: {}, distill: {}}}
variants:
  fp32-tflite: {format: tflite, precision: fp32}
  fp16-tflite: {format: tflite, precision: fp16}
  dynamic-tflite: {format: tflite, precision: dynamic, quantizer: tensorflow}
  int8-tflite: {format: tflite, precision: int8}
  fp32-openvino: {format: openvino, precision: fp32}
  int8-openvino: {format: openvino, precision: int8}
"""


def wide(folder: Path) -> Path:
    """Train the wide model and write its recipe."""
    trainer = Path(__file__).parent / "models" / "wide_digits.py"
    subprocess.run([sys.executable, trainer, str(folder)], check=True, stdout=subprocess.DEVNULL)
    recipe = folder / "wide.yaml"
    recipe.write_text(WIDE, encoding="utf-8")
    return recipe


def show(result: Result) -> bool:
    """Print the front; whether it has something that the recipe does not."""
    print(f"| on the front | {result.outcome.objective.heading} | loss, points | what |\n|---|---|---|---|")
    for one in result.outcome.front:
        assert one.score is not None  # what has none is not on the front
        star = " ★" if one is result.outcome.best else ""
        print(f"| {one.name}{star} | {one.score.value:.4g} | {100 * one.score.drop:.1f} | {one.what} |")
    for one in (one for one in result.outcome.tried if one.given):
        said = f"{one.score.value:.4g} | {100 * one.score.drop:.1f}" if one.score else f"– | {one.reason}"
        print(f"| ({one.name}) | {said} | of the recipe |")
    judged = [row for row in result.judged.results if row.accuracy] if result.judged else []
    for row in judged:
        print(f"on the evaluation data: {row.variant} {row.accuracy.value:.4f}, {row.latency_ms.p50:.4g} ms")
    return any(not one.given for one in result.outcome.front)


def main(wanted: list[ObjectiveName]) -> int:
    """Search by each objective asked for; 0 when all figures are reached."""
    reached = True
    with tempfile.TemporaryDirectory(prefix="edgegreen-") as name:
        folder = Path(name)
        os.environ["EDGEGREEN_HOME"] = str(folder / "home")
        for objective in wanted or ("compressed", "latency"):
            recipe = wide(folder) if objective == "latency" else DIGITS
            began_s = time.monotonic()
            asked = Wanted(
                recipe, "local", objective, Budget(TRIALS, 60 * MINUTES), folder / "best.yaml", seed=0
            )
            result = run(asked, progress(Console(file=sys.stderr)))
            took_s = time.monotonic() - began_s
            tried = sum(not one.given for one in result.outcome.tried)
            print(f"\n{objective}: {tried} candidates in {took_s / 60:.1f} min\n")
            reached &= show(result) and tried == TRIALS and took_s < 60 * MINUTES
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))  # type: ignore[arg-type]
