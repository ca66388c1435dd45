"""The power that an emulated board draws: made up, but known, and in step with what the board does.

FAKE, and a program of the board, not of edgegreen. Every `step_ms` it looks how busy the board's processors
were, without itself, and says: the board drew idle + busy share · (busy - idle) meanwhile. It shows that on
the board's meter, and writes what it was to a log on the monotonic clock, so that a test can tell the true
energy of any time window:

    end_ns,busy_share,power_w,shown_w      # of the step that ended then; what the meter shows from then on

Two meters. `ina3221`: registers of an I²C chip (i2c-stub) that the kernel's own driver reads. Like the chip
as NVIDIA sets it up, it shows the mean of the last 10 steps (430 ms), in its own steps of 8 mA and 8 mV.
`pmic`: the answer of vcgencmd pmic_read_adc; it shows the last step.

Runs as root on the board: `load.py CONFIG`, a JSON file with meter, idle_w, busy_w, step_ms.
"""

from __future__ import annotations

import array
import contextlib
import fcntl
import json
import os
import struct
import sys
import time
from pathlib import Path
from typing import TextIO

FOLDER = Path("/run/emulated-board")
LOG = FOLDER / "load.csv"
LOG_BYTES_MAX = 32 << 20  # some ten hours; then it begins anew, and the one before is kept
HEADER = "end_ns,busy_share,power_w,shown_w\n"


class Chip:
    """The registers of an I²C chip, written past the kernel's driver."""

    I2C_SLAVE_FORCE, I2C_SMBUS = 0x0706, 0x0720  # linux/i2c-dev.h; "force": the driver has the chip
    WRITE, WORD_DATA = 0, 3

    def __init__(self, address: int) -> None:
        self.bus = os.open(next(Path("/dev").glob("i2c-*")), os.O_RDWR)
        fcntl.ioctl(self.bus, self.I2C_SLAVE_FORCE, address)

    def write(self, register: int, value: int) -> None:
        """Set a 16-bit register."""
        word = array.array("B", struct.pack(">H", value) + bytes(32))  # high byte first, as the chip sends it
        request = struct.pack("BBIP", self.WRITE, register, self.WORD_DATA, word.buffer_info()[0])
        fcntl.ioctl(self.bus, self.I2C_SMBUS, request)


class Ina3221:
    """An INA3221 as on a Jetson Orin Nano: three rails of 5 V on 5 mΩ; VDD_IN has the others in it.

    A register's three lowest bits count nothing, so with these shunts its value is in mV or mA.
    """

    ADDRESS = 0x40
    BUS_MV = 4984  # of the 8 mV that the chip tells apart, 623
    STEP_MA = 8  # 40 µV over 5 mΩ
    STEPS_AVERAGED = 10
    CPU_SHARE = 0.8  # of what is drawn above idle, seen by VDD_CPU_GPU_CV
    CPU_IDLE_MA, SOC_MA = 96, 400
    SHUNT, BUS = (0x01, 0x03, 0x05), (0x02, 0x04, 0x06)  # registers of channels 1, 2, 3

    def __init__(self, idle_w: float, chip: Chip | None = None) -> None:
        self.idle_w = self.shown_w = idle_w
        self.recent: list[float] = []
        self.chip = chip or Chip(self.ADDRESS)
        for folder in Path("/sys/bus/i2c/drivers/ina3221").glob("*/hwmon/hwmon*"):
            for name, value in (("samples", "512"), ("update_interval", "430")):  # as NVIDIA does
                (folder / name).write_text(value)
        for register in self.BUS:
            self.chip.write(register, self.BUS_MV)
        self.show(idle_w)

    def take(self, power_w: float) -> float:
        """Take in the power of one step; the watts on VDD_IN that the chip shows from now on."""
        self.recent.append(power_w)
        if len(self.recent) == self.STEPS_AVERAGED:
            self.show(sum(self.recent) / len(self.recent))
            self.recent = []
        return self.shown_w

    def show(self, mean_w: float) -> None:
        """Write the registers."""
        above_ma = (mean_w - self.idle_w) / self.BUS_MV * 1e6
        rails_ma = (mean_w / self.BUS_MV * 1e6, self.CPU_IDLE_MA + self.CPU_SHARE * above_ma, self.SOC_MA)
        steps_ma = [self.STEP_MA * round(rail_ma / self.STEP_MA) for rail_ma in rails_ma]
        for register, rail_ma in zip(self.SHUNT, steps_ma, strict=True):
            self.chip.write(register, rail_ma)
        self.shown_w = steps_ma[0] * self.BUS_MV / 1e6


class Pmic:
    """The power chip of a Raspberry Pi 5: what the other rails do not draw, VDD_CORE does."""

    # Rail, numbers of its current and voltage, amperes, volts: recorded on a Pi 5, but VDD_CORE's amperes.
    RAILS = (
        ("3V7_WL_SW", 0, 8, 0.0, 3.799996), ("3V3_SYS", 1, 9, 0.06245952, 3.306322),
        ("1V8_SYS", 2, 10, 0.1610285, 1.798289), ("DDR_VDD2", 3, 11, 0.00780744, 1.102929),
        ("DDR_VDDQ", 4, 12, 0.0, 0.6047613), ("1V1_SYS", 5, 13, 0.1756674, 1.104394),
        ("0V8_SW", 6, 14, 0.3279125, 0.8025633), ("VDD_CORE", 7, 15, 0.0, 0.8974594),
        ("3V3_DAC", 17, 20, 0.0003663, 3.304942), ("3V3_ADC", 18, 21, 0.00042735, 3.302194),
        ("0V8_AON", 16, 19, 0.00579975, 0.7973619), ("HDMI", 22, 23, 0.0136752, 5.07056),
    )  # fmt: skip
    EXT5V = "      EXT5V_V volt(24)=5.06788000V\n"

    def __init__(self, idle_w: float, folder: Path = FOLDER) -> None:
        self.file = folder / "pmic_read_adc"
        self.take(idle_w)

    def take(self, power_w: float) -> float:
        """Show the power of one step; the watts that the rails shown add up to."""
        rest_w = sum(amperes * volts for _, _, _, amperes, volts in self.RAILS)
        currents, voltages, shown_w = [], [], 0.0
        for name, current, voltage, amperes, volts in self.RAILS:
            if name == "VDD_CORE":
                amperes = round(max(0.0, power_w - rest_w) / volts, 8)  # noqa: PLW2901
            currents.append(f"{name + '_A':>12} current({current})={amperes:.8f}A\n")
            voltages.append(f"{name + '_V':>12} volt({voltage})={volts:.8f}V\n")
            shown_w += amperes * volts
        part = self.file.with_suffix(".part")
        part.write_text("".join(currents + voltages) + self.EXT5V)
        part.replace(self.file)
        return shown_w


METERS = {"ina3221": Ina3221, "pmic": Pmic}


class Processors:
    """How busy all processors were since the last time one asked, without this process.

    By /proc/uptime: under emulation /proc/stat takes the kernel a good part of a millisecond to write.
    """

    def __init__(self, uptime: Path = Path("/proc/uptime"), count: int | None = None) -> None:
        self.file = os.open(uptime, os.O_RDONLY)
        self.count = count or os.cpu_count() or 1
        self.owed_s = 0.0
        self.last = self.read()

    def read(self) -> tuple[float, float, float]:
        """Since boot: the time, the idle time of all processors together; this process's own time; in s."""
        up, idle = os.pread(self.file, 100, 0).split()
        return float(up), float(idle), time.process_time()

    def busy_share(self) -> float:
        """From 0 to 1.

        The kernel tells idle time in steps of 10 ms, and this process's own in ns: what was taken off too
        much in one step is owed to the next.
        """
        now = self.read()
        up_s, idle_s, own_s = (new - old for new, old in zip(now, self.last, strict=True))
        self.last = now
        total_s = self.count * up_s
        others_s = self.owed_s + total_s - idle_s - own_s
        self.owed_s = min(0.0, others_s)
        return min(1.0, max(0.0, others_s) / total_s) if total_s > 0 else 0.0


class Log:
    """The record of what was drawn and shown; it never grows beyond LOG_BYTES_MAX."""

    def __init__(self, path: Path = LOG) -> None:
        self.path = path
        self.stream = self.open()

    def open(self) -> TextIO:
        """Append to the log, with a header if it is new."""
        stream = self.path.open("a", buffering=1)
        if stream.tell() == 0:
            stream.write(HEADER)
        return stream

    def write(self, end_ns: int, busy_share: float, power_w: float, shown_w: float) -> None:
        """One step. A full /run costs lines, never the load."""
        with contextlib.suppress(OSError):
            self.stream.write(f"{end_ns},{busy_share:.4f},{power_w:.6f},{shown_w:.6f}\n")
            if self.stream.tell() > LOG_BYTES_MAX:
                self.stream.close()
                self.path.replace(self.path.with_suffix(".csv.1"))
                self.stream = self.open()


def main(config: str) -> None:
    """Draw power until the board is switched off."""
    load = json.loads(Path(config).read_text())
    FOLDER.mkdir(exist_ok=True)
    idle_w, busy_w, step_ns = load["idle_w"], load["busy_w"], load["step_ms"] * 1_000_000
    meter, log, processors = METERS[load["meter"]](idle_w), Log(), Processors()
    due_ns = time.monotonic_ns()
    while True:
        now_ns = time.monotonic_ns()
        due_ns = max(due_ns + step_ns, now_ns)  # what could not be done in time is not caught up
        time.sleep((due_ns - now_ns) / 1e9)
        busy_share = processors.busy_share()
        end_ns = time.monotonic_ns()
        power_w = idle_w + busy_share * (busy_w - idle_w)
        log.write(end_ns, busy_share, power_w, meter.take(power_w))


if __name__ == "__main__":
    main(sys.argv[1])
