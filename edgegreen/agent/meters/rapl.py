"""RAPL: the energy counters of Intel and AMD processors, one for each package. Not the board.

Zones overlap: core and uncore are parts of a package, `intel-rapl-mmio` shows the same package again, and
psys holds everything the vendor wired to it. Only packages are added up.
"""

from __future__ import annotations

import os

from .base import ENERGY, PACKAGE, About, Meter, Sum
from .tree import Attribute, Run, Unreadable, found, number, text

KIND = "rapl"
MISSES = "memory, disks, screen, mainboard, and what the power supply loses"
# The counter has 32 bits (drivers/powercap/intel_rapl_common.c), so its range tells its step.
UPDATE_S = 0.001  # Intel SDM vol. 3B, "RAPL Interfaces": the counters are updated about every millisecond
ACCESS = (
    "only root may since Linux 5.10; until the next boot: "
    "sudo chmod o+r /sys/class/powercap/intel-rapl:*/energy_uj (for good: a udev rule, see docs/meters.md)"
)


def find(root: str, run: Run) -> list[Meter]:  # noqa: ARG001
    """All packages together, then each if there are several."""
    packages: list[Meter] = []
    for folder in found(root, "sys/class/powercap/intel-rapl:*"):
        name = text(os.path.join(folder, "name")) or ""
        if name.startswith("package"):
            range_uj = number(os.path.join(folder, "max_energy_range_uj"))
            about = About(
                kind=KIND,
                rail=name,
                scope=PACKAGE,
                source="RAPL through powercap, {}".format(folder),
                misses=MISSES,
                quantity=ENERGY,
                averaging_s=0.0,
                update_s=UPDATE_S,
                resolution_j=None if range_uj is None else range_uj * 1e-6 / 2**32,
            )
            energy = Attribute(os.path.join(folder, "energy_uj"), ACCESS)
            packages.append(Counter(about, energy, range_uj))
    if not packages:
        return []
    return [Sum.of(packages, PACKAGE, MISSES, main=True), *(packages if len(packages) > 1 else [])]


class Counter:
    """An energy counter that starts over at its range."""

    def __init__(self, about: About, energy: Attribute, range_uj: float | None) -> None:
        self.about, self._energy, self._range_uj = about, energy, range_uj
        self._last_uj: float | None = None
        self._total_uj = 0.0

    def read(self) -> float:
        """Joules since the first reading; two readings must lie less than one range apart.

        Raises Unreadable.
        """
        now_uj = self._energy.number()
        last_uj, self._last_uj = self._last_uj, now_uj
        if last_uj is not None:
            started_over = now_uj < last_uj
            if started_over and self._range_uj is None:
                raise Unreadable("{}: started over, and its range is not known".format(self._energy.path))
            self._total_uj += now_uj - last_uj + (self._range_uj or 0.0 if started_over else 0.0)
        return self._total_uj * 1e-6

    def close(self) -> None:
        """Let go of the open file."""
        self._energy.close()
