"""A board's power, made up as it goes: writes watts into a fake sysfs tree in real time, and logs them.

    python tests/meter_simulator.py ROOT MARKER IDLE_W ADDED_W LOG

Below ROOT it makes an INA226 of hwmon. Its power is IDLE_W, and ADDED_W more for each core that is used by
processes whose command line has MARKER and `trial` in it, as `/proc` tells, and some noise. What it wrote
when goes to LOG, one `t_ns watts` a line, on the monotonic clock that edgegreen's trials use: so the true
energy of any window is known, whatever the machine did. Runs until it is ended.
"""

from __future__ import annotations

import os
import random
import sys
import time
from pathlib import Path

STEP_S = 0.01
NOISE_W = 0.02
LOOK_S = 0.3  # how often it looks for a new trial
CHIP = "sys/class/hwmon/hwmon0"


def make(root: Path, idle_w: float) -> Path:
    """The chip's files; the one that holds the power."""
    chip = root / CHIP
    chip.mkdir(parents=True)
    (chip / "name").write_text("ina226\n")
    (chip / "update_interval").write_text("1\n")
    power = chip / "power1_input"
    power.write_text(f"{idle_w * 1e6:.0f}\n")
    return power


def trials(marker: str) -> list[Path]:
    """Where the scheduler says what each such process has used."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if "trial" in words and any(marker in word for word in words):
            found.append(path.parent / "schedstat")
    return found


def used_ns(path: Path) -> int | None:
    """CPU time of a process so far."""
    try:
        return int(path.read_text().split()[0])
    except (OSError, IndexError, ValueError):
        return None


def main(root: Path, marker: str, idle_w: float, added_w: float, log: Path) -> None:
    """Play until ended."""
    power = os.open(make(root, idle_w), os.O_WRONLY)
    last: dict[Path, int] = {}
    then_ns = time.monotonic_ns()
    looked_ns = 0
    with log.open("w", buffering=1) as stream:
        while True:
            time.sleep(STEP_S)
            now_ns = time.monotonic_ns()
            if now_ns - looked_ns > LOOK_S * 1e9:
                paths, looked_ns = trials(marker), now_ns
            used = {path: ns for path in paths if (ns := used_ns(path)) is not None}
            busy_ns = sum(ns - last[path] for path, ns in used.items() if path in last)
            watts = idle_w + added_w * busy_ns / (now_ns - then_ns) + random.gauss(0, NOISE_W)
            os.pwrite(power, b"%012d\n" % round(watts * 1e6), 0)
            stream.write(f"{time.monotonic_ns()} {watts:.6f}\n")
            last, then_ns = used, now_ns


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]), float(sys.argv[4]), Path(sys.argv[5]))
