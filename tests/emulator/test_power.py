"""The power an emulated board draws: known, shown in the meter's own terms, integrated without error."""

from __future__ import annotations

import ctypes
import importlib.util
import math
import stat
import struct
import subprocess
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_tests.emulator.overlay import GUEST
from device_tests.emulator.power import KnownPower
from edgegreen.agent.meters import pmic
from edgegreen.errors import DeviceError


@pytest.fixture(scope="module")
def load() -> ModuleType:
    """The board's own program, as a module."""
    spec = importlib.util.spec_from_file_location("emulated_load", GUEST / "load.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def log(*steps: tuple[int, float]) -> str:
    return "end_ns,busy_share,power_w,shown_w\n" + "".join(f"{t},0.5,{w},{w}\n" for t, w in steps)


def test_energy_is_each_steps_power_for_as_long_as_it_lasted() -> None:
    known = KnownPower.parse(log((1_000_000_000, 9.0), (2_000_000_000, 4.0), (4_000_000_000, 6.0)))
    assert known.energy_j(1_000_000_000, 4_000_000_000) == pytest.approx(4 + 12)
    assert known.energy_j(1_500_000_000, 2_500_000_000) == pytest.approx(2 + 3)
    assert known.mean_w(2_000_000_000, 4_000_000_000) == pytest.approx(6)
    assert known.mean_busy_share(1_000_000_000, 3_000_000_000) == pytest.approx(0.5)
    assert math.isnan(known.energy_j(999_999_999, 2_000_000_000))  # how long the first step was is not known
    assert math.isnan(known.energy_j(2_000_000_000, 4_000_000_001))


steps = st.lists(st.tuples(st.integers(1, 10**9), st.floats(0.1, 50)), min_size=4, max_size=30)


@given(steps, st.floats(0, 1))
def test_a_window_in_two_parts_has_the_energy_of_both(lengths: list[tuple[int, float]], where: float) -> None:
    end_ns, rows = 0, []
    for length_ns, watts in lengths:
        end_ns += length_ns
        rows.append((end_ns, watts))
    known = KnownPower.parse(log(*rows))
    first, last = known.end_ns[0], known.end_ns[-1]
    middle = first + int((last - first) * where)
    whole = known.energy_j(first, last)
    assert known.energy_j(first, middle) + known.energy_j(middle, last) == pytest.approx(whole)
    low, high = min(known.power_w[1:]), max(known.power_w[1:])
    assert low * 0.999 <= known.mean_w(first, last) <= high * 1.001


def test_what_the_meter_showed_in_a_window_includes_what_it_began_with() -> None:
    known = KnownPower.parse(log((10, 1.0), (20, 2.0), (30, 3.0), (40, 4.0)))
    assert known.shown_between(15, 18) == {1.0}
    assert known.shown_between(20, 35) == {2.0, 3.0}


def test_a_line_that_is_being_written_is_left_out_and_nonsense_is_refused() -> None:
    assert KnownPower.parse(log((10, 1.0)) + "20,0.5,2.").end_ns == (10,)
    for text in ("", "a,b\n1,2\n", log((10, 1.0)) + "20,x,1,1\n"):
        with pytest.raises(DeviceError):
            KnownPower.parse(text)


class Registers:
    """A chip in memory."""

    def __init__(self) -> None:
        self.values: dict[int, int] = {}

    def write(self, register: int, value: int) -> None:
        self.values[register] = value


def test_the_chip_shows_the_mean_of_ten_steps_in_its_own_steps(load: ModuleType) -> None:
    chip = Registers()
    meter = load.Ina3221(3.9872, chip)
    for _ in range(9):
        assert meter.take(4.984) == 3.9872  # not yet
    assert meter.take(4.984 * 1.06) == pytest.approx(4.984 * 1.008)
    volts_mv = dict.fromkeys((0x02, 0x04, 0x06), 4984)
    # 1008 mA; 96 mA and 80 % of what is above idle; what never changes.
    assert chip.values == volts_mv | {0x01: 1008, 0x03: 264, 0x05: 400}
    assert all(value % 8 == 0 for value in chip.values.values())


def test_the_power_chips_answer_adds_up(load: ModuleType, tmp_path: Path) -> None:
    meter = load.Pmic(2.7, tmp_path)
    for watts in (2.7, 4.123456, 6.7):
        shown_w = meter.take(watts)
        rails = pmic.parse((tmp_path / "pmic_read_adc").read_text())
        assert len(rails) == 12
        assert sum(rails.values()) == pytest.approx(shown_w, abs=1e-9) == pytest.approx(watts, abs=1e-6)


def test_a_busy_share_is_of_all_processors_and_without_itself(
    load: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uptime = tmp_path / "uptime"
    own_s = iter([0.0, 0.01, 0.06, 0.06])
    monkeypatch.setattr(load.time, "process_time", lambda: next(own_s))
    uptime.write_text("100.00 150.00\n")
    processors = load.Processors(uptime, 2)
    uptime.write_text("100.10 150.09\n")  # 0.2 s of two processors, 0.09 s idle, 0.01 s this process
    assert processors.busy_share() == pytest.approx(0.5)
    uptime.write_text("100.20 150.27\n")  # 0.02 s busy, of which it says it used 0.05
    assert processors.busy_share() == 0
    uptime.write_text("100.30 150.33\n")  # 0.14 s busy, less the 0.03 that were taken off too much
    assert processors.busy_share() == pytest.approx((0.14 - 0.03) / 0.2)


def test_the_log_begins_anew_before_it_fills_the_memory(
    load: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "LOG_BYTES_MAX", 200)
    log = load.Log(tmp_path / "load.csv")
    for t_ns in range(40):
        log.write(t_ns, 0.5, 4.0, 4.0)
    log.stream.close()
    kept = KnownPower.parse((tmp_path / "load.csv").read_text())
    before = KnownPower.parse((tmp_path / "load.csv.1").read_text())
    assert before.end_ns[-1] + 1 == (kept.end_ns or (40,))[0]
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 600


def test_the_firmwares_answers(tmp_path: Path, load: ModuleType) -> None:
    script = tmp_path / "vcgencmd"
    load.Pmic(2.7, tmp_path)
    script.write_text((GUEST / "vcgencmd").read_text().replace("/run/emulated-board", str(tmp_path)))
    script.chmod(script.stat().st_mode | stat.S_IXUSR)

    def ask(*question: str) -> str:
        return subprocess.run([script, *question], capture_output=True, text=True, check=True).stdout

    assert sum(pmic.parse(ask("pmic_read_adc")).values()) == pytest.approx(2.7, abs=1e-6)
    assert ask("get_throttled") == "throttled=0x0\n"
    assert "error=1" in ask("codec_enabled", "H264")


def test_a_register_is_sent_with_its_high_byte_first(
    load: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[int, int, int, bytes]] = []

    def ioctl(_fd: int, number: int, request: bytes) -> None:
        assert number == 0x0720
        write, register, size, address = struct.unpack("BBIP", request)
        sent.append((write, register, size, ctypes.string_at(address, 2)))

    monkeypatch.setattr(load.fcntl, "ioctl", ioctl)
    chip = load.Chip.__new__(load.Chip)  # without /dev/i2c-*
    chip.bus = -1
    chip.write(0x02, 5000)
    assert sent == [(0, 0x02, 3, b"\x13\x88")]
