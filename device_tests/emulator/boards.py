"""Which boards can be emulated: the registry, and what each says in its device tree.

A new one is a line in BOARDS.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Literal

from edgegreen.errors import InputError

Suite = Literal["bookworm", "trixie"]
"""Debian releases: bookworm has Python 3.11, trixie 3.13."""
MeterKind = Literal["ina3221", "pmic"]

# Drivers of each meter, with parameters; the kernel has i2c-dev, kernel.py builds the other two.
DRIVERS: dict[MeterKind, tuple[str, ...]] = {
    "ina3221": ("i2c-dev.ko", "i2c-stub.ko chip_addr=0x40", "ina3221.ko"),
    "pmic": (),
}
RAILS = ("VDD_IN", "VDD_CPU_GPU_CV", "VDD_SOC")  # of an Orin Nano, channels 1 to 3
SHUNT_UOHM = 5000


@dataclass(frozen=True)
class Load:
    """The power that the board draws: `idle_w`, `busy_w` with all processors at work, and a line between.

    It is drawn in steps of `step_ms`.
    """

    meter: MeterKind
    idle_w: float
    busy_w: float
    step_ms: int = 43

    @property
    def added_w(self) -> float:
        """What all processors at work add to idle."""
        return self.busy_w - self.idle_w


@dataclass(frozen=True)
class Board:
    """One emulated board. `family` is what a target file calls it, `model` what its device tree says."""

    family: str
    model: str
    suite: Suite
    load: Load

    @property
    def target_name(self) -> str:
        """What `--target` calls it while it is up."""
        return TARGET_NAMES[self.family] + ("" if self.suite == "bookworm" else f"-{self.suite}")

    def device_tree(self) -> str:
        """What is added to QEMU's own device tree, as source.

        `compatible` stays QEMU's: that this is no such board can be told.
        """
        return f'/ {{\n\tmodel = "{self.model}";\n{_INA3221 if self.load.meter == "ina3221" else ""}}};\n'


_CHANNELS = "".join(
    f'\t\t\tinput@{number} {{ reg = <{number}>; label = "{rail}"; '
    f"shunt-resistor-micro-ohms = <{SHUNT_UOHM}>; }};\n"
    for number, rail in enumerate(RAILS)
)
_INA3221 = f"""\
\ti2c-stub {{
\t\t#address-cells = <1>;
\t\t#size-cells = <0>;
\t\tina3221@40 {{
\t\t\tcompatible = "ti,ina3221";
\t\t\treg = <0x40>;
\t\t\t#address-cells = <1>;
\t\t\t#size-cells = <0>;
{_CHANNELS}\t\t}};
\t}};
"""

PI_5 = "Raspberry Pi 5 Model B Rev 1.1"
ORIN_NANO = "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit"
PI_LOAD = Load("pmic", idle_w=2.7, busy_w=6.7)
JETSON_LOAD = Load("ina3221", idle_w=3.9872, busy_w=8.9712)  # 800 and 1800 mA, which the chip can tell

TARGET_NAMES = {"raspberry-pi-5": "emulated-pi5", "jetson-orin": "emulated-jetson"}  # by family
BOARDS = {
    "raspberry-pi-5": Board("raspberry-pi-5", PI_5, "bookworm", PI_LOAD),
    "raspberry-pi-5-trixie": Board("raspberry-pi-5", PI_5, "trixie", PI_LOAD),
    "jetson-orin": Board("jetson-orin", ORIN_NANO, "bookworm", JETSON_LOAD),
    "jetson-orin-trixie": Board("jetson-orin", ORIN_NANO, "trixie", JETSON_LOAD),
}


def find(name: str) -> Board:
    """The board of this name; raises InputError with the nearest names."""
    if name in BOARDS:
        return BOARDS[name]
    close = " or ".join(f"`{known}`" for known in difflib.get_close_matches(name, BOARDS, n=2))
    raise InputError(
        f"no emulated board is called `{name}`" + (f"; did you mean {close}?" if close else ""),
        hint=f"there are {', '.join(BOARDS)}",
    )
