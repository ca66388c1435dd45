"""Start-up time of the command line, as whole processes: `--help` and `deploy --dry-run`.

    python benchmarks/startup.py

Prints medians, and ratios to a Python that starts and ends. Byte code must be allowed to be cached (unset
PYTHONDONTWRITEBYTECODE), as it is on a user's machine.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

REPO = Path(__file__).parent.parent
RECIPE = str(REPO / "recipes/digits.yaml")
ROUNDS = 15
COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "edgegreen --help": ["-m", "edgegreen", "--help"],
    "edgegreen deploy --dry-run": ["-m", "edgegreen", "deploy", RECIPE, "--dry-run"],
}


def once(arguments: list[str]) -> float:
    """Seconds of one whole process."""
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL, cwd=REPO)
    return time.perf_counter() - start


def main() -> None:
    """Warm up once, then take the commands in turn."""
    if os.environ.get("PYTHONDONTWRITEBYTECODE"):
        sys.exit("unset PYTHONDONTWRITEBYTECODE: without byte code this measures the compiler")
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for arguments in COMMANDS.values():
        once(arguments)
    for _ in range(ROUNDS):
        for name, arguments in COMMANDS.items():
            times[name].append(once(arguments))
    bare = statistics.median(times["python -c pass"])
    for name, taken in times.items():
        median = statistics.median(taken)
        spread = f"(min {min(taken):.3f}, max {max(taken):.3f})"
        print(f"{name:28} {median:.3f} s {spread}, {median / bare:.1f} × bare")


if __name__ == "__main__":
    main()
