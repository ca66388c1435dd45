"""What boards and trials cost the machine that drives them: CPU, memory, time; and what a fleet takes.

    python benchmarks/scale.py [--boards 1,4,16,64] [--variants 1,10,100] [--seconds S]

Each board is an OpenSSH server of its own on loopback, with a home and a lock of its own, and runs the real
agent. Its runtime waits instead of computing (tests/fleet/board), so that one machine can play all of them;
the agent's processes still take their time here, which boards of their own would not. All variants have one
artifact, built before: nothing is converted. A driver runs in a process of its own, which counts its own CPU
time and memory. `alone` is one board by itself with as many variants.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from edgegreen.building import Silence  # noqa: E402

RECIPE = """\
name: scale
model: {model}
input_shape: [8, 8, 1]
variants:
{variants}
benchmark: {{duration_s: {seconds}, min_runs: 10, warmup_s: 0.1, min_warmup_runs: 2}}
"""


# Heading → width.
COLUMNS = {
    "boards": 6, "variants": 9, "trials": 7, "wall s": 8, "/ slowest": 10, "/ alone": 8, "CPU s": 7,
    "ms CPU a trial": 15, "peak MB": 8, "threads": 8, "files": 6, "failed": 7,
}  # fmt: skip


@dataclass(frozen=True)
class Cost:
    """Of one run, as its driver saw it. `slowest_s` is the longest that a board took, connecting included."""

    wall_s: float
    slowest_s: float
    cpu_s: float
    peak_rss_mb: float
    threads: int
    descriptors: int
    results: int
    failures: int


def main() -> None:
    """Run all sizes and print a row for each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--boards", type=_numbers, default=(1, 4, 16, 64))
    parser.add_argument("--variants", type=_numbers, default=(1, 10, 100))
    parser.add_argument("--trials-max", type=int, default=640, help="larger combinations are left out")
    parser.add_argument("--seconds", type=float, default=2.0, help="window of each trial")
    parser.add_argument("--drive", nargs=2, metavar=("RECIPE", "BOARDS"), help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.drive:
        print(json.dumps(asdict(drive(Path(wanted.drive[0]), int(wanted.drive[1])))))
        return
    from fleet import servers

    with tempfile.TemporaryDirectory() as scratch, servers.running(Path(scratch), max(wanted.boards)):
        folder = Path(scratch)
        print("".join(f"{heading:>{width}}" for heading, width in COLUMNS.items()))
        _measured(_recipe(folder, 1, 0.1), max(wanted.boards))  # builds, and sends everything
        for variants in wanted.variants:
            recipe = _recipe(folder, variants, wanted.seconds)
            alone = _measured(recipe, 1)
            for count in wanted.boards:
                if count * variants > wanted.trials_max:
                    continue
                cost = alone if count == 1 else _measured(recipe, count)
                _show(cost, alone, count, variants)


def _show(cost: Cost, alone: Cost, count: int, variants: int) -> None:
    trials = count * variants
    figures = (
        count, variants, trials, f"{cost.wall_s:.1f}", f"{cost.wall_s / cost.slowest_s:.2f}",
        f"{cost.wall_s / alone.wall_s:.2f}", f"{cost.cpu_s:.1f}", f"{1000 * cost.cpu_s / trials:.0f}",
        f"{cost.peak_rss_mb:.0f}", cost.threads, cost.descriptors, cost.failures,
    )  # fmt: skip
    print(
        "".join(f"{one:>{width}}" for one, width in zip(figures, COLUMNS.values(), strict=True)), flush=True
    )


def drive(recipe: Path, count: int) -> Cost:
    """One deploy to the first `count` boards, in this process."""
    from edgegreen.prepare import prepare
    from edgegreen.session import Session

    plan = prepare(recipe, [f"board-{number:02}" for number in range(count)])
    clock = _Clock()
    watch = _Watch()
    began_s, cpu_s = time.monotonic(), time.process_time()
    with watch:
        run = Session(plan, clock).run()
    return Cost(
        wall_s=time.monotonic() - began_s,
        slowest_s=max(clock.taken_s.values()),
        cpu_s=time.process_time() - cpu_s,
        peak_rss_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        threads=watch.threads,
        descriptors=watch.descriptors,
        results=len(run.results),
        failures=len(run.failures),
    )


class _Watch(threading.Thread):
    """Counts this process's threads and open files, ten times a second, and keeps the most there were."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.threads = self.descriptors = 0
        self._over = threading.Event()

    def run(self) -> None:
        """Until the block is left."""
        while not self._over.wait(0.1):
            self.threads = max(self.threads, threading.active_count() - 1)
            self.descriptors = max(self.descriptors, sum(1 for _ in Path("/proc/self/fd").iterdir()))

    def __enter__(self) -> None:
        self.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()


class _Clock(Silence):
    """Notes how long each board takes."""

    def __init__(self) -> None:
        self._began_s: dict[str, float] = {}
        self.taken_s: dict[str, float] = {}

    def step(self, who: str, doing: str, stage: str = "", done: float | None = None) -> None:  # noqa: ARG002
        """Of any of its steps, the first counts."""
        self._began_s.setdefault(who, time.monotonic())

    def finish(self, who: str, doing: str) -> None:  # noqa: ARG002
        """The models have a line of their own, which is no board."""
        if who.startswith("board-"):
            self.taken_s[who] = time.monotonic() - self._began_s[who]

    def note(self, who: str, text: str) -> None:
        """What is worth reading is read here, too."""
        print(f"{who}: {text}", file=sys.stderr)


def _recipe(folder: Path, variants: int, seconds: float) -> Path:
    """A recipe with so many variants that are one and the same."""
    lines = (f"  v{number:03}: {{format: tflite, precision: fp32}}" for number in range(variants))
    model = ROOT / "recipes" / "digits" / "model.keras"
    path = folder / f"recipe-{variants}.yaml"
    path.write_text(RECIPE.format(model=model, variants="\n".join(lines), seconds=seconds))
    return path


def _measured(recipe: Path, count: int) -> Cost:
    """One run in a process of its own."""
    home = recipe.parent / "home"
    environment = os.environ | {"HOME": str(home), "EDGEGREEN_HOME": str(home / "edgegreen"),
                                "PYTHONPATH": str(ROOT)}  # fmt: skip
    command = [sys.executable, __file__, "--drive", str(recipe), str(count)]
    done = subprocess.run(command, cwd=recipe.parent, env=environment, stdout=subprocess.PIPE, check=True)
    return Cost(**json.loads(done.stdout))


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(one) for one in text.split(","))


if __name__ == "__main__":
    main()
