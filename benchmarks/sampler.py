"""What the sampler beside a trial costs the trial: the agent's median latency with it and without.

    python benchmarks/sampler.py [ROUNDS]

MLPerf Tiny's int8 keyword spotting in ai-edge-litert, one thread, 1 s windows in fresh processes. Three ways
in turn: no sampler, one that only watches the board (as every trial has), and one that also reads a power
meter, an INA226 in a tree made for it, ten times a second. The best and the typical medians are compared;
the aim is less than 1 %. Sleeping board and meter are files here: a real chip's bus takes its own time, in
the sampler's process.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from edgegreen import bundle
from edgegreen.agent.sampler import Spec
from edgegreen.client import Agent, Job
from edgegreen.transport.local import LocalTransport

REPO = Path(__file__).parent.parent
ASSETS = Path(os.environ.get("EDGEGREEN_ASSETS", REPO.parent / "shared" / "assets")) / "mlperf-tiny" / "kws"
LIMIT = 0.01


def chip(root: Path) -> str:
    """A tree with one power meter; its path."""
    folder = root / "sys" / "class" / "hwmon" / "hwmon0"
    folder.mkdir(parents=True)
    (folder / "name").write_text("ina226\n")
    (folder / "power1_input").write_text("3000000\n")
    return str(root)


def median_us(agent: Agent, meter: dict[str, Any] | None) -> float:
    """p50 of one trial."""
    job = Job(
        runtime="litert", files=(str(ASSETS / "kws_ref_model_int8.tflite"),), threads=1, input_order=(0,),
        output_order=(0,), warmup_s=0.3, min_warmup_runs=10, duration_s=1.0, min_runs=50,
        samples=str(ASSETS / "kws01_evaluation.npz"), evaluate=False, idle_s=0.0, meter=meter, profile=False,
    )  # fmt: skip
    return float(np.median(agent.measure(job, lambda _stage, _done: None).invoke_ns)) / 1000


def main(rounds: int) -> None:
    """Print the medians of every way, and the ratios to none."""
    with tempfile.TemporaryDirectory() as scratch, LocalTransport() as link:
        root = chip(Path(scratch) / "board")
        ways: dict[str, dict[str, Any] | None] = {
            "no sampler": None,
            "watching": asdict(Spec(root="/", meter="none")),
            "watching and reading a meter": asdict(
                Spec(root=root, meter="hwmon", scope="board", period_s=0.1)
            ),
        }
        taken: dict[str, list[float]] = {way: [] for way in ways}
        pyz = str(bundle.pack(Path(scratch)).path)
        with Agent.start(link, sys.executable, pyz) as agent:
            for _ in range(rounds):
                for way, meter in ways.items():
                    taken[way].append(median_us(agent, meter))
    best = {way: min(times) for way, times in taken.items()}
    typical = {way: statistics.median(times) for way, times in taken.items()}
    for way in ways:
        ratios = (
            f"best {best[way] / best['no sampler']:.4f}, typical {typical[way] / typical['no sampler']:.4f}"
        )
        print(f"{way:30} best {best[way]:.2f} µs, typical {typical[way]:.2f} µs; to none: {ratios}")
    worst = max(best[way] / best["no sampler"] for way in ways) - 1
    print(f"cost {100 * worst:+.2f} % (aim: below {100 * LIMIT:g} %)")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
