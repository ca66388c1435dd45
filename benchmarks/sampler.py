"""What the sampler beside a trial costs the trial: the agent's median latency with it and without.

    python benchmarks/sampler.py [ROUNDS]

MLPerf Tiny's int8 keyword spotting in ai-edge-litert, one thread, 1 s windows in fresh processes. Three ways,
each round in another order: no sampler, one that only watches this machine (as every trial has), and one that
watches it and also reads a power meter ten times a second. The meter is a file among this machine's real
ones: a real chip's bus takes its own time, in the sampler's process.

For each way: the best median over the best without a sampler; and the ratios within a round, their median
and the middle half. The aim is a cost below 1 % of the best median; exit code 1 when it is missed.
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
from edgegreen.agent.sampler import NO_METER, Spec
from edgegreen.client import Agent, Job
from edgegreen.transport.local import LocalTransport

REPO = Path(__file__).parent.parent
ASSETS = Path(os.environ.get("EDGEGREEN_ASSETS", REPO.parent / "shared" / "assets")) / "mlperf-tiny" / "kws"
LIMIT = 0.01
NONE, WATCHING, BOTH = "no sampler", "watching", "watching and reading a meter"


def machine_with_meter(root: Path) -> str:
    """A folder in which this machine's files are, by links, and one power meter more; its path."""
    chips = root / "sys" / "class" / "hwmon"
    chips.mkdir(parents=True)
    for folder in (root, root / "sys", root / "sys" / "class", chips):
        real = Path("/") / folder.relative_to(root)
        for there in real.iterdir() if real.is_dir() else ():
            if not (folder / there.name).exists():
                (folder / there.name).symlink_to(there)
    meter = chips / "hwmon999"
    meter.mkdir()
    (meter / "name").write_text("ina226\n")
    (meter / "power1_label").write_text("benchmark\n")
    (meter / "power1_input").write_text("3000000\n")
    return str(root)


def median_us(agent: Agent, meter: dict[str, Any] | None) -> float:
    """p50 of one trial; its sampler has done what it was to."""
    job = Job(
        runtime="litert", files=(str(ASSETS / "kws_ref_model_int8.tflite"),), threads=1, input_order=(0,),
        output_order=(0,), warmup_s=0.3, min_warmup_runs=10, duration_s=1.0, min_runs=50,
        samples=str(ASSETS / "kws01_evaluation.npz"), evaluate=False, idle_s=0.0, meter=meter, profile=False,
    )  # fmt: skip
    raw = agent.measure(job, lambda _stage, _done: None)
    if meter:
        assert raw.observed
        assert raw.observed.polls, "the machine was not watched"
        assert (raw.observed.summary is not None) == (meter["meter"] != NO_METER), raw.observed.meter
    return float(np.median(raw.invoke_ns)) / 1000


def measured(rounds: int) -> dict[str, list[float]]:
    """The medians of every way, in µs."""
    with tempfile.TemporaryDirectory() as scratch, LocalTransport() as link:
        root = machine_with_meter(Path(scratch) / "board")
        reading = Spec(root=root, meter="hwmon", rail="benchmark", scope="board", period_s=0.1)
        ways = {NONE: None, WATCHING: asdict(Spec(root="/", meter=NO_METER)), BOTH: asdict(reading)}
        taken: dict[str, list[float]] = {way: [] for way in ways}
        pyz = str(bundle.pack(Path(scratch)).path)
        with Agent.start(link, sys.executable, pyz) as agent:
            for turn in range(rounds):
                first = turn % len(ways)
                for way in (*list(ways)[first:], *list(ways)[:first]):
                    taken[way].append(median_us(agent, ways[way]))
    return taken


def main(rounds: int) -> int:
    """Print what every way costs; the exit code."""
    taken = measured(rounds)
    costs = []
    for way, times in taken.items():
        line = f"{way:{len(BOTH)}}  best {min(times):.2f} µs, typical {statistics.median(times):.2f} µs"
        if way != NONE:
            ratios = [one / none for one, none in zip(times, taken[NONE], strict=True)]
            best = min(times) / min(taken[NONE])
            low, typical, high = np.percentile(ratios, (25, 50, 75))
            line += f"; to none: best {best:.4f}, in a round {typical:.4f} ({low:.4f}…{high:.4f})"
            costs.append(best - 1)
        print(line)
    missed = max(costs) >= LIMIT
    print(f"cost {100 * max(costs):+.2f} % (aim: below {100 * LIMIT:g} %){': missed' if missed else ''}")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 21))
