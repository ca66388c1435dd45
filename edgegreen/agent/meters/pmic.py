"""The power chip of a Raspberry Pi 5 and Compute Module 5: `vcgencmd pmic_read_adc`.

It tells voltage and current of the rails it makes, not of its input: what hangs on 5 V (USB, HATs, NVMe, a
Coral stick) is not seen, nor is the chip's own loss. No correction is applied.
"""

from __future__ import annotations

import re

from .base import RAIL_SUM, About, Meter
from .tree import Run, Unreadable
from .vcgencmd import Firmware

KIND = "pmic"
QUESTION = "pmic_read_adc"
LINE = re.compile(r"^\s*(\w+)_([AV]) (?:current|volt)\(\d+\)=(-?\d+(?:\.\d+)?)([AV])\s*$", re.MULTILINE)


def find(root: str, run: Run) -> list[Meter]:
    """The sum of the rails; nothing where the firmware does not know the question. Raises Unreadable."""
    firmware = Firmware(root, run)
    try:
        rails = parse(firmware.ask(QUESTION))
    except Unreadable as error:
        firmware.close()
        if error.hint:
            raise
        return []
    return [Pmic(firmware, sorted(rails))]


class Pmic:
    """The rails' powers added up. All of `rails` must be in every answer."""

    def __init__(self, firmware: Firmware, rails: list[str]) -> None:
        self._firmware, self._rails = firmware, rails
        self.about = About(
            kind=KIND,
            rail="{} rails of the power chip".format(len(rails)),
            scope=RAIL_SUM,
            source="power chip through the firmware, vcgencmd {}: {}".format(QUESTION, " + ".join(rails)),
            misses="everything on 5 V (USB, HATs, NVMe) and the power chip's own loss",
            main=True,
        )

    def read(self) -> float:
        """Watts. Raises Unreadable."""
        watts = parse(self._firmware.ask(QUESTION))
        if sorted(watts) != self._rails:
            odd = sorted(set(watts) ^ set(self._rails))
            raise Unreadable("vcgencmd {}: rails come and go: {}".format(QUESTION, ", ".join(odd)))
        return sum(watts.values())

    def close(self) -> None:
        """Let go of the device."""
        self._firmware.close()


def parse(answer: str) -> dict[str, float]:
    """Watts of each rail with both a voltage and a current, paired by name. Raises Unreadable: none has."""
    values: dict[str, dict[str, float]] = {"A": {}, "V": {}}
    for rail, what, value, unit in LINE.findall(answer):
        if what == unit:
            values[what][rail] = float(value)
    watts = {
        rail: amperes * values["V"][rail] for rail, amperes in values["A"].items() if rail in values["V"]
    }
    if not watts:
        raise Unreadable("vcgencmd {}: no rail in {!r}".format(QUESTION, answer[:80]))
    return watts
