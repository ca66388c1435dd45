"""Facts of every recorded board, and of replies that broke on the way."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from agent.meters.boards import NAMES
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgegreen.probe import Probed, doctor, identify, pythons, reply, targetfile
from edgegreen.probe.facts import BoardFacts, Libc, Package, PowerMode, Tegra
from edgegreen.probe.parse import parse
from edgegreen.report import boards
from edgegreen.target import Target
from probe.conftest import NOW_S

Facts = Callable[[str], BoardFacts]
INTEL = "12th Gen Intel(R) Core(TM) i5-1240P"
ORIN = ("jetson-orin", "Tegra234 (Orin)", "Cortex-A78AE", 6)
# family, SoC, kind of core, cores; bits, glibc, L4T; Python, its runtimes, the meters that may be read
TOLD: dict[str, tuple[tuple[object, ...], tuple[object, ...], tuple[object, ...]]] = {
    "coral-dev": (
        ("coral-dev", "i.MX 8M Quad", "Cortex-A53", 4), (64, (2, 28), None),
        ((3, 7, 3), ("tflite-runtime",), ()),
    ),
    "jetson-agx-orin": (
        ("jetson-agx-orin", "Tegra234 (Orin)", "Cortex-A78AE", 12), (64, (2, 31), (35, "3.1")),
        ((3, 8, 10), (), ("ina3221",)),
    ),
    "jetson-nano-jp4": (
        ("jetson-nano", "Tegra210 (X1)", "Cortex-A57", 4), (64, (2, 27), (32, "7.1")),
        ((3, 6, 9), (), ("ina3221",)),
    ),
    "jetson-orin-nano-jp5": (ORIN, (64, (2, 31), (35, "3.1")), ((3, 8, 10), (), ("ina3221",))),
    "jetson-orin-nano-jp6": (ORIN, (64, (2, 35), (36, "4.3")), ((3, 10, 12), (), ("ina3221",))),
    "jetson-thor": (
        ("jetson-thor", "Tegra264 (Thor)", "Neoverse-V3AE", 14), (64, (2, 39), (38, "2.0")),
        ((3, 12, 3), (), ("ina238", "ina3221")),
    ),
    "laptop-battery": (("x86", None, INTEL, 4), (64, (2, 41), None), ((3, 13, 5), (), ("power_supply",))),
    "raspberry-pi-3": (
        ("raspberry-pi-3", "BCM2837", "Cortex-A53", 4), (32, (2, 36), None), ((3, 11, 2), (), ())
    ),
    "raspberry-pi-4": (
        ("raspberry-pi-4", "BCM2711", "Cortex-A72", 4), (64, (2, 36), None),
        ((3, 11, 2), ("tflite-runtime",), ()),
    ),
    "raspberry-pi-4-ina219": (
        ("raspberry-pi-4", "BCM2711", "Cortex-A72", 4), (64, (2, 36), None),
        ((3, 11, 2), ("tflite-runtime",), ("hwmon",)),
    ),
    "raspberry-pi-5": (
        ("raspberry-pi-5", "BCM2712", "Cortex-A76", 4), (64, (2, 36), None),
        ((3, 11, 2), ("litert", "openvino"), ("pmic",)),
    ),
    "raspberry-pi-cm5": (
        ("raspberry-pi-5", "BCM2712", "Cortex-A76", 4), (64, (2, 41), None), ((3, 13, 5), (), ())
    ),
    "raspberry-pi-zero-2w": (
        ("raspberry-pi-zero-2w", "BCM2837", "Cortex-A53", 4), (64, (2, 36), None), ((3, 11, 2), (), ())
    ),
    "x86-rapl": (("x86", None, INTEL, 4), (64, (2, 35), None), ((3, 10, 12), ("litert",), ("rapl",))),
}  # fmt: skip


def test_every_recorded_board_is_here() -> None:
    assert sorted(TOLD) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_board_says_what_it_is(facts: Facts, name: str) -> None:
    told = facts(name)
    board = identify(told)
    assert told.libc
    assert told.python
    hardware, system, use = TOLD[name]
    assert (board.family, board.soc, *told.cpu.models, told.cpu.cores) == hardware
    l4t = (told.tegra.major, told.tegra.revision) if told.tegra else None
    assert (told.bits, told.libc.version, l4t) == system
    readable = tuple(meter.kind for meter in told.meters if meter.readable)
    assert (told.python.version, pythons.runtimes(told.python), readable) == use
    assert told.untold == ()
    assert not board.emulated
    assert "\0" not in repr(told)


def test_32_bit_programs_on_a_64_bit_kernel(facts: Facts) -> None:
    told = facts("raspberry-pi-3")
    assert (told.system.machine, told.system.packages, told.bits) == ("aarch64", "armhf", 32)
    assert parse(b"@@ system\nuname_m=aarch64\npackages=armhf\n").bits == 32  # where there is no getconf
    assert parse(b"@@ system\nuname_m=aarch64\nbits=65\n").bits is None


def test_a_pi_that_suffers(facts: Facts) -> None:
    told = facts("raspberry-pi-3")
    assert told.supply.now == told.supply.occurred == ("undervoltage", "throttled")
    assert told.supply.alarm is True
    assert facts("raspberry-pi-zero-2w").supply.now == ("soft_temperature_limit",)  # sysfs alone tells
    assert facts("raspberry-pi-cm5").supply.refused


def test_a_jetson_throttled_and_its_mode(facts: Facts) -> None:
    told = facts("jetson-orin-nano-jp6")
    assert told.alerts == ("cpu",)
    assert told.power_mode == PowerMode("MAXN_SUPER", 2)
    assert told.tegra == Tegra(36, "4.3")
    assert told.tegra.jetpack == "6"
    assert told.tensorrt
    assert told.tensorrt.version == "10.3.0.30-1+cuda12.5"


def test_zones_have_their_trip_points(facts: Facts) -> None:
    (zone,) = facts("raspberry-pi-5").zones
    assert zone.celsius == 51.25
    assert [(trip.kind, trip.celsius) for trip in zone.trips] == [("critical", 110), ("active", 50)]
    apex = facts("coral-dev").zones[-1]
    assert (apex.name, apex.celsius) == ("Edge TPU apex_0", 45.3)
    assert min(trip.celsius for trip in apex.trips) == 85


def test_edge_tpus_and_their_library(facts: Facts) -> None:
    (stick,) = facts("raspberry-pi-4-ina219").accelerators
    assert stick.name.startswith("Edge TPU on USB (not used since")
    (chip,) = facts("coral-dev").accelerators
    assert (chip.kind, chip.name, chip.readable) == ("edgetpu", "Edge TPU on PCIe", True)
    library = facts("coral-dev").libedgetpu
    assert library
    assert library.version == "14.1"


def test_a_second_python_is_found(facts: Facts) -> None:
    told = facts("jetson-nano-jp4")
    assert [python.version for python in told.pythons] == [(3, 6, 9), (3, 8, 0)]
    best = pythons.best(told.pythons)
    assert best
    assert best.path.endswith("/python3.8")


def test_packages_without_a_record_have_no_version() -> None:
    told = parse(b"@@ pythons\nasked=python3\npython=/usr/bin/python3\nversion=3.11.2\npackage=numpy \n")
    assert told.python
    assert told.python.packages == (Package("numpy", None),)


@pytest.mark.parametrize(
    ("said", "libc"),
    [
        ("getconf=glibc 2.36", Libc("glibc", (2, 36))),
        ("getconf=\nldd=ldd (Ubuntu GLIBC 2.35-0ubuntu3.8) 2.35 Copyright", Libc("glibc", (2, 35))),
        ("ldd=musl libc (aarch64) Version 1.2.4", Libc("musl", (1, 2, 4))),
        ("loader=/lib/ld-musl-armhf.so.1", Libc("musl")),
        ("loader=/lib/ld-linux-aarch64.so.1", Libc("glibc")),
        ("ldd=sh: ldd: not found", None),
    ],
)
def test_c_libraries(said: str, libc: Libc | None) -> None:
    assert parse(f"@@ libc\n{said}\n".encode()).libc == libc


def test_disks_with_odd_names_and_without() -> None:
    text = (
        b"@@ disk\nplace=/home/pi/.edgegreen\nnear=/home/pi\nwritable=0\n"
        b"df=/dev/mapper/a b 1000 900 100 90% /media/my disk\nmount=ext4 ro,relatime\nplace=/home/pi\n"
    )
    told = parse(text)
    assert told.root
    assert (told.root.free_bytes, told.root.mount, told.root.writable) == (102_400, "/media/my disk", False)
    assert "ro" in told.root.options
    assert told.home
    assert told.home.free_bytes is None
    assert parse(b"").root is None


def test_the_clock_is_compared(replies: Callable[[str], bytes]) -> None:
    told = parse(b"@@ clock\n100\n", 90.0)
    assert (told.clock_s, told.clock_ahead_s) == (100, 10.5)
    assert parse(b"@@ clock\n100\n").clock_ahead_s is None
    assert parse(b"@@ clock\ndate: no such\n", 90.0).clock_s is None


class TestBrokenReplies:
    """Whatever comes, nothing raises, and what did arrive is known."""

    @given(cut=st.floats(0, 1), name=st.sampled_from(NAMES))
    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_cut_short(self, replies: Callable[[str], bytes], cut: float, name: str) -> None:
        whole = replies(name)
        shorter = whole[: int(len(whole) * cut)]
        told = parse(shorter, NOW_S)
        everything_works(told)
        arrived = [part for part in reply.SECTIONS if f"\n@@ {part}\n".encode() in shorter]
        assert set(reply.SECTIONS) - set(told.untold) <= set(arrived)
        if "board" not in told.untold:
            assert told.model == parse(whole).model

    @given(data=st.data(), name=st.sampled_from(NAMES))
    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_garbled(self, replies: Callable[[str], bytes], data: st.DataObject, name: str) -> None:
        text = bytearray(replies(name))
        for _ in range(data.draw(st.integers(1, 8))):
            start = data.draw(st.integers(0, len(text)))
            text[start : start + data.draw(st.integers(0, 30))] = data.draw(st.binary(max_size=30))
        everything_works(parse(bytes(text), NOW_S))

    @given(data=st.data())
    @settings(max_examples=100, deadline=None)
    def test_values_that_make_no_sense(self, data: st.DataObject) -> None:
        lines = []
        odd = st.sampled_from(
            ["", "-1", "9" * 400, "1e999", "nan", "\x1b[31m", "a=b", "\u202e", "0x", "=", "%", "R"]
        )
        for section in data.draw(st.lists(st.sampled_from(reply.SECTIONS), max_size=6)):
            keys = st.sampled_from(KEYS)
            pairs = data.draw(st.lists(st.tuples(keys, st.one_of(odd, st.text(max_size=12))), max_size=12))
            lines += [f"@@ {section}", *(f"{key}{value}" for key, value in pairs)]
        everything_works(parse("\n".join(lines).encode("utf-8", "replace"), NOW_S))

    def test_one_section_costs_itself_only(self, replies: Callable[[str], bytes]) -> None:
        whole = replies("raspberry-pi-5")
        before, _, after = whole.partition(b"@@ memory\n")
        told = parse(
            before
            + b"@@ memory\n\xff\x00\x1b]0;evil\x07MemTotal: lots\n\n@@ disk\n"
            + after.partition(b"@@ disk\n")[2]
        )
        assert told.memory.total_bytes is None
        assert told.untold == ()
        assert told.model == "Raspberry Pi 5 Model B Rev 1.1"
        assert told.zones

    def test_a_flood_is_bounded(self) -> None:
        told = parse(b"@@ system\n" + b"uname_n=" + b"x" * 5_000_000)
        assert len(told.system.hostname or "") <= reply.MAX_CHARACTERS


KEYS = [
    "uname_m=",
    "bits=",
    "load=",
    "uptime=",
    "model=",
    "compatible=",
    "getconf=glibc",
    "ldd=musl-Version-",
    "class/dmi/id/sys_vendor=",
    "online=",
    "hypervisor_flags=",
    "devices/cpufreq/policy0/scaling_governor=",
    "MemTotal:",
    "SwapFree:",
    "devices/cpufreq/policy0/cpuinfo_max_freq=",
    "place=",
    "df=",
    "mount=",
    "near=",
    "class/thermal/thermal_zone0/temp=",
    "class/thermal/thermal_zone0/trip_point_0_type=",
    "class/thermal/thermal_zone0/trip_point_0_temp=",
    "vcgencmd=throttled=",
    "class/thermal/cooling_device0/cur_state=",
    "class/hwmon/hwmon0/name=",
    "class/hwmon/hwmon0/power1_input",
    "class/powercap/intel-rapl:0/name=package",
    "python=",
    "version=",
    "package=",
    "asked=",
    "others=",
    "edgetpu=/",
    "usb=",
    "detected=",
    "ID=",
    "executable=",
    "bits=",
]
KEYS += ["      4 processor\t: ", "      2 CPU part\t: ", "NV Power Mode: ", "# R36 (release), REVISION: "]


def everything_works(told: BoardFacts) -> None:
    """What is made of the facts can be made of these, and nothing in it obeys a terminal."""
    target = Target(host="board.local").called("board")
    probed = Probed(target, told, identify(told))
    doctor.examine(told, target)
    assert targetfile.text(probed).count("\nhost: board.local\n") == 1
    text = boards.board_json(probed)
    assert text.replace("\n", "").isprintable()
