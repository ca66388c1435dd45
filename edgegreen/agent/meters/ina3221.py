"""Jetson's own power monitor, the INA3221, under the drivers of JetPack 4 (iio) and JetPack 5+ (hwmon).

A board has one to three of them, three channels each; a channel is a rail with a name. Which rails add up
to what is known by their names (TOTALS). Where it is not known there is no total: rails contain one
another, and a sum of all counts some watts twice.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from .base import MODULE, RAIL_SUM, About, Direct, Meter, Product, Sum
from .tree import DENIED, Attribute, Run, Unreadable, found, number, text

KIND = "ina3221"
SHUNT_STEP_UV = 40  # drivers/hwmon/ina3221.c: "LSB is 40uV"
NANO_SHUNT_UOHM = 5000  # the iio driver does not tell; the Nano's is 5 mΩ
CHANNELS = (1, 2, 3)  # 4–6 are shunt voltages, 7 is their sum
FASTEST_MS = 0.28  # one channel, both conversions: 140 µs each is the shortest in the data sheet
CARRIER = "the carrier board and what is plugged into it"


class Total(NamedTuple):
    """Rails that together are all of `scope`, each watt counted once."""

    rails: tuple[str, ...]
    scope: str
    misses: str


TOTALS = (
    Total(("VDD_IN",), MODULE, CARRIER),  # Orin Nano, Orin NX: the other rails are parts of it
    Total(("POM_5V_IN",), MODULE, CARRIER),  # Nano, likewise
    # AGX Orin. Jetson Linux Developer Guide, "Software-Based Power Consumption Modeling": VDDQ_VDD2_1V8AO
    # is included in VIN_SYS_5V0, so it is not added.
    Total(("VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0"), RAIL_SUM, CARRIER),
)

# Rails that measure the watts of others again. VDD_IN: Orin Nano and NX, Xavier NX, TX2.
PARTS = {
    "VDD_IN": (
        "VDD_CPU_GPU_CV", "VDD_SOC", "VDD_SYS_GPU", "VDD_SYS_SOC", "VDD_SYS_CPU", "VDD_SYS_DDR",
    ),
    "POM_5V_IN": ("POM_5V_GPU", "POM_5V_CPU"),
    "VIN_SYS_5V0": ("VDDQ_VDD2_1V8AO",),
}  # fmt: skip


def find(root: str, run: Run) -> list[Meter]:  # noqa: ARG001  (every kind is found with the same arguments)
    """The total if it is known, then every rail. Raises Unreadable when a rail's name may not be read."""
    rails = _hwmon(root) + _iio(root)
    return [*_totals(rails), *rails]


def _totals(rails: list[Meter]) -> list[Meter]:
    names = [rail.about.rail for rail in rails]
    for total in TOTALS:
        if all(names.count(name) == 1 for name in total.rails):
            parts = [rails[names.index(name)] for name in total.rails]
            return [Sum.of(parts, total.scope, total.misses, main=True)]
    return []


def _hwmon(root: str) -> list[Meter]:
    """JetPack 5 and later: inN in mV, currN in mA."""
    rails: list[Meter] = []
    for folder in _folders(root):
        interval_s = _interval_s(folder)
        for channel in CHANNELS:
            name = _name(os.path.join(folder, "in{}_label".format(channel)))
            if name is None:
                continue
            voltage = os.path.join(folder, "in{}_input".format(channel))
            current = os.path.join(folder, "curr{}_input".format(channel))
            shunt_uohm = number(os.path.join(folder, "shunt{}_resistor".format(channel)))
            about = About(
                kind=KIND,
                rail=name,
                scope=RAIL_SUM,
                source="INA3221 through ina3221 (hwmon), {}{}".format(folder, _averaged(folder)),
                misses="every other rail",
                averaging_s=interval_s,
                update_s=interval_s,
                resolution_w=_step_w(shunt_uohm, number(voltage)),
            )
            rails.append(Product(about, _attribute(voltage), _attribute(current), 1e-6))
    return rails


def _iio(root: str) -> list[Meter]:
    """JetPack 4: in_powerN_input in mW."""
    rails: list[Meter] = []
    for folder in found(root, "sys/bus/i2c/drivers/ina3221x/*/iio:device*"):
        for channel in range(3):
            name = _name(os.path.join(folder, "rail_name_{}".format(channel)))
            if name is None:
                continue
            power = os.path.join(folder, "in_power{}_input".format(channel))
            voltage_mv = number(os.path.join(folder, "in_voltage{}_input".format(channel)))
            about = About(
                kind=KIND,
                rail=name,
                scope=RAIL_SUM,
                source="INA3221 through ina3221x (iio), {}".format(folder),
                misses="every other rail",
                resolution_w=_step_w(NANO_SHUNT_UOHM, voltage_mv) if name.startswith("POM_") else None,
            )
            rails.append(Direct(about, _attribute(power), 1e-3))
    return rails


def _folders(root: str) -> list[str]:
    """The chips' hwmon folders, each once; numbers of hwmon change between boots."""
    by_driver = found(root, "sys/bus/i2c/drivers/ina3221/*/hwmon/hwmon*")
    by_name = [
        folder
        for folder in found(root, "sys/class/hwmon/hwmon*")
        if text(os.path.join(folder, "name")) == "ina3221"
    ]
    return list({os.path.realpath(folder): folder for folder in by_name + by_driver}.values())


def _name(path: str) -> str | None:
    """A rail's name; None where nothing is connected. Raises Unreadable when it may not be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            name = stream.read().strip()
    except OSError as error:
        if error.errno in DENIED:
            raise Unreadable("{}: {}".format(path, error.strerror), _access(path)) from None
        return None
    return None if name in ("", "NC") else name


def _attribute(path: str) -> Attribute:
    return Attribute(path, _access(path))


def _access(path: str) -> str:
    """How to get permission: only root may on a Jetson Nano as it comes."""
    folder = os.path.dirname(path)
    names = (
        "rail_name_*,in_power*_input,in_voltage*_input"
        if "iio:" in folder
        else "in*_label,in*_input,curr*_input"
    )
    return "until the next boot: sudo chmod o+r {}/{{{}}}".format(folder, names)


def _interval_s(folder: str) -> float | None:
    """How long a reading is the mean of.

    Linux's own driver leaves the number of samples out of `update_interval` (drivers/hwmon/ina3221.c,
    ina3221_reg_to_interval_us), NVIDIA's has it in. Which one it is shows where the chip, which takes 140 µs
    at least for a voltage and as long for a current, could not have taken so many samples in that time.
    """
    interval_ms = number(os.path.join(folder, "update_interval"))
    if interval_ms is None:
        return None
    samples = number(os.path.join(folder, "samples")) or 1
    enabled = [number(os.path.join(folder, "in{}_enable".format(channel))) for channel in CHANNELS]
    fastest_ms = samples * max(1, enabled.count(1.0)) * FASTEST_MS
    whole = interval_ms > fastest_ms - 1  # it is told in whole milliseconds
    return (interval_ms if whole else interval_ms * samples) / 1000


def _averaged(folder: str) -> str:
    samples = number(os.path.join(folder, "samples"))
    return "" if samples is None else ", {:.0f} samples averaged".format(samples)


def _step_w(shunt_uohm: float | None, voltage_mv: float | None) -> float | None:
    """Watts of one step of the current: 40 µV over the shunt, times the voltage."""
    if not shunt_uohm or not voltage_mv:
        return None
    return SHUNT_STEP_UV / shunt_uohm * voltage_mv / 1000
