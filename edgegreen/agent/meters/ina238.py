"""The INA238 on the carrier of a Jetson Thor: rail VIN, which is module and carrier together."""

from __future__ import annotations

from dataclasses import replace

from . import hwmon
from .base import BOARD, Meter
from .tree import Run

KIND = "ina238"
INPUT = "VIN"


def find(root: str, run: Run) -> list[Meter]:  # noqa: ARG001
    """The INA238s; the one named VIN is the board's input."""
    meters = [sensor.meter for sensor in hwmon.sensors(root, KIND) if sensor.chip == KIND]
    for meter in meters:
        if meter.about.rail == INPUT:
            missed = "the power supply's own loss"
            meter.about = replace(meter.about, scope=BOARD, misses=missed, main=True)
    return meters
