"""Batteries, and inputs whose power is measured: /sys/class/power_supply.

A battery tells what the whole board draws, but only while it discharges. Not here: batteries of mice and
the like, and USB-C ports, whose numbers are negotiated and not measured.
"""

from __future__ import annotations

import os

from .base import BOARD, About, Direct, Meter, Product
from .tree import Attribute, Run, Unreadable, found, text

KIND = "power_supply"
NOT_MEASURED = ("ucsi-source-psy", "tcpm-source-psy")
UPDATE_S = 1.0  # the controllers behind it are slower, and asking them costs milliseconds
UNPLUG = "unplug the charger to measure by the battery"


def find(root: str, run: Run) -> list[Meter]:  # noqa: ARG001
    """The batteries together, then every other input with power, or voltage and current."""
    batteries: list[Battery] = []
    inputs: list[Meter] = []
    for folder in found(root, "sys/class/power_supply/*"):
        if text(os.path.join(folder, "scope")) == "Device" or os.path.basename(folder).startswith(
            NOT_MEASURED
        ):
            continue
        name = os.path.basename(folder)
        battery = text(os.path.join(folder, "type")) == "Battery"
        meter = _power(folder, _about(name, "power_supply {}".format(folder)))
        if meter and battery:
            batteries.append(Battery(Attribute(os.path.join(folder, "status")), meter))
        elif meter:
            inputs.append(meter)
    return ([Batteries(batteries)] if batteries else []) + inputs


class Battery:
    """One battery: what it delivers, and whether it does."""

    def __init__(self, status: Attribute, power: Meter) -> None:
        self.about, self._status, self._power = power.about, status, power

    def status(self) -> str:
        """Charging, Discharging, Full, Not charging or Unknown. Raises Unreadable."""
        return self._status.text()

    def read(self) -> float:
        """Watts. The sign differs between drivers; the status tells the direction. Raises Unreadable."""
        return abs(self._power.read())

    def close(self) -> None:
        """Let go of the open files."""
        self._status.close()
        self._power.close()


class Batteries:
    """All batteries of the board: one may discharge while another waits."""

    def __init__(self, batteries: list[Battery]) -> None:
        self._batteries = batteries
        names = [battery.about.rail for battery in batteries]
        sources = [battery.about.source for battery in batteries]
        self.about = _about(" + ".join(names), ", ".join(sources), main=True)

    def read(self) -> float:
        """Watts. Raises Unreadable unless the board runs on them alone."""
        states = [(battery, battery.status()) for battery in self._batteries]
        for battery, status in states:
            if status == "Charging":
                raise Unreadable("battery {} is charging".format(battery.about.rail), UNPLUG)
        discharging = [battery for battery, status in states if status == "Discharging"]
        if not discharging:
            told = ", ".join(
                "{} is {}".format(battery.about.rail, status.lower()) for battery, status in states
            )
            raise Unreadable("no battery discharges ({})".format(told), UNPLUG)
        return sum(battery.read() for battery in discharging)

    def close(self) -> None:
        """Let go of the open files."""
        for battery in self._batteries:
            battery.close()


def _about(rail: str, source: str, main: bool = False) -> About:
    return About(kind=KIND, rail=rail, scope=BOARD, source=source, main=main, update_s=UPDATE_S)


def _power(folder: str, about: About) -> Meter | None:
    """power_now in µW, or voltage_now in µV times current_now in µA."""
    power, voltage, current = (
        os.path.join(folder, what + "_now") for what in ("power", "voltage", "current")
    )
    if os.path.exists(power):
        return Direct(about, Attribute(power), 1e-6)
    if os.path.exists(voltage) and os.path.exists(current):
        return Product(about, Attribute(voltage), Attribute(current), 1e-12)
    return None
