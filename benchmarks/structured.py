"""Structured pruning and distillation: how much faster and smaller than int8 alone, at which accuracy.

    python benchmarks/structured.py [SEEDS]

For each seed (0, 1, 2 by default) a wide digits CNN is trained (models/wide_digits.py), half of its filters
are pruned, and what is left learns from it. Every variant is int8 TFLite, deployed here with one thread;
accuracy is that of the board on the 450 evaluation images, of which one is 0.22 points. Figures to reach,
against int8 alone, means over the seeds: half the median latency or less, a third of the size or less, one
point lost at most.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from edgegreen import session
from edgegreen.measurement import Measurement

TRAINER = Path(__file__).parent / "models" / "wide_digits.py"
BASE, LEAN = "int8", "half the filters, distilled"
PRUNE = "{prune_filters: {share: 0.5, multiple_of: 64, epochs: 10}}"
DISTILL = "{distill: {epochs: 15, patience: 15}}"
VARIANTS = {
    BASE: "{format: tflite, precision: int8}",
    "half the filters": f"{{passes: [{PRUNE}], format: tflite, precision: int8}}",
    LEAN: f"{{passes: [{PRUNE}, {DISTILL}], format: tflite, precision: int8}}",
}
RECIPE = """\
name: wide-digits
model: wide-{seed}.keras
seed: {seed}
data: {{calibration: calibration.npz, evaluation: evaluation.npz, training: training.npz}}
benchmark: {{duration_s: 2, retry_invalid: 3}}
variants:
"""
FASTER, SMALLER, POINTS = 2.0, 3.0, 1.0


def deploy(seed: int, folder: Path) -> dict[str, Measurement]:
    """Train the model of this seed and measure its variants here."""
    subprocess.run([sys.executable, TRAINER, str(folder), "--seed", str(seed)], check=True)
    recipe, names = folder / f"wide-{seed}.yaml", {f"v{i}": name for i, name in enumerate(VARIANTS)}
    lines = "".join(f"  {key}: {VARIANTS[name]}\n" for key, name in names.items())
    recipe.write_text(RECIPE.format(seed=seed) + lines, encoding="utf-8")
    run = session.deploy(recipe)
    if run.failures:
        raise SystemExit("\n".join(f"{names[one.variant]}: {one.error}" for one in run.failures))
    return {names[row.variant]: row for row in run.results}


def accuracy(row: Measurement) -> float:
    """Percent."""
    assert row.accuracy is not None
    return 100 * row.accuracy.value


def show(runs: list[dict[str, Measurement]]) -> bool:
    """Print the table and the ratios; whether the figures are reached."""
    print("| variant | accuracy, % | bytes | p50, µs | speed |\n|---|---|---|---|---|")
    for name in VARIANTS:
        rows = [run[name] for run in runs]
        right, p50 = [accuracy(row) for row in rows], [1e3 * row.latency_ms.p50 for row in rows]
        size = statistics.mean(row.artifact.size_bytes for row in rows)
        speed = statistics.mean(run[BASE].latency_ms.p50 / run[name].latency_ms.p50 for run in runs)
        print(
            f"| {name} | {statistics.mean(right):.2f} ({min(right):.2f} … {max(right):.2f}) | {size:,.0f} "
            f"| {statistics.mean(p50):.1f} ({min(p50):.1f} … {max(p50):.1f}) | {speed:.2f} |"
        )
    faster = statistics.mean(run[BASE].latency_ms.p50 / run[LEAN].latency_ms.p50 for run in runs)
    smaller = statistics.mean(run[BASE].artifact.size_bytes / run[LEAN].artifact.size_bytes for run in runs)
    lost = statistics.mean(accuracy(run[BASE]) - accuracy(run[LEAN]) for run in runs)
    doubtful = [row for run in runs for row in run.values() if row.verdict != "valid"]
    print(f"\n{faster:.2f} times faster, {smaller:.2f} times smaller, {lost:+.2f} points lost")
    print(f"readings not to be trusted: {len(doubtful)}")
    return faster >= FASTER and smaller >= SMALLER and lost <= POINTS


def main() -> int:
    """Run it all; 1 when a figure is not reached."""
    with tempfile.TemporaryDirectory(prefix="edgegreen-") as folder:
        seeds = range(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
        return 0 if show([deploy(seed, Path(folder)) for seed in seeds]) else 1


if __name__ == "__main__":
    sys.exit(main())
