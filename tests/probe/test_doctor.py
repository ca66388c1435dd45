"""Each check: what it finds, in which words, with which advice; and the order of what is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sshd import free_port

from edgegreen.agent.meters.rapl import ACCESS as RAPL_ACCESS
from edgegreen.config.meterkeys import Command
from edgegreen.formats import RuntimeName
from edgegreen.probe import doctor
from edgegreen.probe.doctor import CHECKS, Finding
from edgegreen.probe.facts import (
    Accelerator,
    AcceleratorKind,
    BoardFacts,
    Cpu,
    Disk,
    Libc,
    Library,
    Machine,
    Memory,
    Meter,
    Package,
    Policy,
    Python,
    Release,
    Supply,
    System,
    Tegra,
    Trip,
    Zone,
)
from edgegreen.releases import RELEASES
from edgegreen.target import PowerMeter, Target

LITERT = (Package("numpy", "2.4.6"), Package("ai_edge_litert", "2.3.0"))
TFLITE = Package("tflite_runtime", "2.14.0")
ARM64, ARM32 = "cpython-311-aarch64-linux-gnu", "cpython-311-arm-linux-gnueabihf"
PYTHON = Python("/usr/bin/python3", (3, 11, 2), "/usr/bin/python3", 64, ARM64, packages=LITERT)
BARE = replace(PYTHON, packages=())
EDGETPU = (Accelerator("edgetpu", "Edge TPU on USB"),)


def with_intel(kind: AcceleratorKind, *, readable: bool = True, drivers: tuple[str, ...] = ()) -> BoardFacts:
    """A PC with one of Intel's devices."""
    device = Accelerator(kind, f"Intel {kind.upper()}", readable)
    return BoardFacts(system=System(user="me"), accelerators=(device,), intel_drivers=drivers)


PI = BoardFacts(
    model="Raspberry Pi 5 Model B Rev 1.1",
    compatible=("raspberrypi,5-model-b", "brcm,bcm2712"),
    system=System(
        "pi5", "Linux 6.6.31", "aarch64", 64, "arm64", "pi", False, ("pi", "video"), 90_000.0, 0.05
    ),
    release=Release("debian", "12", "Debian GNU/Linux 12 (bookworm)"),
    libc=Libc("glibc", (2, 36)),
    cpu=Cpu(("Cortex-A76",), 4, (Policy("performance", 2400.0, 2400.0, 2400.0),)),
    memory=Memory(8_000_000_000, 7_000_000_000, 200_000_000, 200_000_000),
    root=Disk("/home/pi/.edgegreen", "/home/pi", True, 20_000_000_000, "/", "ext4", ("rw", "noatime")),
    zones=(Zone("cpu-thermal", 51.0, (Trip("critical", 110.0), Trip("active", 50.0))),),
    supply=Supply((), (), False),
    meters=(Meter("pmic", ("12 rails of the power chip",)),),
    python_asked="python3",
    python=PYTHON,
    pythons=(PYTHON,),
    clock_s=1_795_332_203.0,
    clock_ahead_s=0.4,
)
JETSON = replace(
    PI,
    model="NVIDIA Jetson Orin Nano Developer Kit",
    compatible=("nvidia,p3767-0005", "nvidia,tegra234"),
    tegra=Tegra(36, "4.3"),
    supply=Supply(),
    meters=(Meter("ina3221", ("VDD_IN",)),),
)
TARGET = Target(family="raspberry-pi-5", host="pi5.local", power=PowerMeter()).called("pi5")


def found(facts: BoardFacts, check: str, target: Target = TARGET) -> list[Finding]:
    return [finding for finding in doctor.examine(facts, target) if finding.check == check]


def with_python(python: Python, *others: Python, facts: BoardFacts = PI) -> BoardFacts:
    return replace(facts, python=python, pythons=(python, *others))


def changed(part: str, **fields: Any) -> BoardFacts:
    return replace(PI, **{part: replace(getattr(PI, part), **fields)})


def test_a_healthy_board_has_nothing() -> None:
    findings = doctor.examine(PI, TARGET)
    assert {finding.gravity for finding in findings} == {"fine"}
    for_a_pi = {check.name for check in CHECKS} - {
        "edge tpu", "intel gpu", "intel npu", "jetpack", "tensorrt", "sysfs_root",
    }  # fmt: skip
    assert {finding.check for finding in findings} == for_a_pi


def test_a_board_that_tells_nothing_is_not_called_fine() -> None:
    told = {finding.check: finding.gravity for finding in doctor.examine(BoardFacts(), TARGET)}
    unknown = {"userland", "runtime", "disk", "heat", "governor", "load", "memory", "swap", "clock"}
    assert {check for check, gravity in told.items() if gravity == "unknown"} == unknown
    assert told["python"] == "stops"


def test_a_sysfs_root_that_is_not_there() -> None:
    target = Target(family="raspberry-pi-5", host="pi5.local", sysfs_root="/hots/sys").called("pi5")
    (finding,) = found(changed("system", has_sysfs_root=False), "sysfs_root", target)
    assert finding.gravity == "spoils"
    assert finding.text.startswith("there is no folder `/hots/sys` on the board")
    for told, gravity in ((True, "fine"), (None, "unknown")):
        (finding,) = found(changed("system", has_sysfs_root=told), "sysfs_root", target)
        assert finding.gravity == gravity


V36 = replace(PYTHON, version=(3, 6, 9), packages=())
V38 = Python("/usr/bin/python3.8", (3, 8, 0), "/usr/bin/python3.8", 64)
MUSL = replace(with_python(BARE), libc=Libc("musl", (1, 2, 4)))
BARE32 = replace(BARE, bits=32, abi=ARM32)
ARMHF = replace(with_python(BARE32), system=replace(PI.system, bits=32, packages="armhf"))
TRIXIE = replace(BARE32, version=(3, 13, 5))


def disk(**fields: Any) -> Disk:
    assert PI.root
    return replace(PI.root, **fields)


STOPS: dict[str, tuple[str, BoardFacts, str, str]] = {
    "no python": (
        "python", replace(PI, python=None, pythons=()), "there is no `python3`", "apt install python3",
    ),
    "another python": (
        "python", replace(PI, python=None, pythons=(V38,)),
        "there is no `python3`", "`python: /usr/bin/python3.8`",
    ),
    "old python": (
        "python", with_python(V36, V38), "is Python 3.6.9", "`python: /usr/bin/python3.8` in the target",
    ),
    "only old python": ("python", with_python(V36), "needs 3.7 or newer", "python3.8 by apt"),
    "python that cannot run": ("python", with_python(Python("/usr/bin/python3")), "cannot be run", ""),
    "minimal python": (
        "python", with_python(replace(PYTHON, lacks=("ctypes", "json"))), "lacks ctypes, json", "apt",
    ),
    "musl": ("userland", MUSL, "musl 1.2.4", "Debian"),
    "32-bit trixie": (
        "userland", replace(ARMHF, python=TRIXIE), "no runtime is there for Python 3.13.5", "64-bit",
    ),
    "no runtime for this python": (
        "runtime", with_python(replace(BARE, version=(3, 15, 0))), "none is built for this system",
        "aarch64 has litert with Python 3.9 to 3.14",
    ),
    "no numpy": ("runtime", with_python(replace(PYTHON, packages=LITERT[1:])), "no numpy", "install numpy"),
    "numpy 2": (
        "runtime", with_python(replace(PYTHON, packages=(LITERT[0], TFLITE))), "numpy 2.4.6", "numpy<2",
    ),
    "full": ("disk", replace(PI, root=disk(free_bytes=20_000_000)), "20 MB are free", "`root` in the target"),
    "read-only": (
        "disk", replace(PI, root=disk(options=("ro",), writable=False)), "mounted read-only", "`root`",
    ),
    "not mine": ("disk", replace(PI, root=disk(writable=False)), "may not be written by pi", "`root`"),
    "noexec": ("disk", replace(with_python(BARE), root=disk(options=("noexec",))), "noexec", "`root`"),
}  # fmt: skip

SPOILS: dict[str, tuple[str, BoardFacts, str, str]] = {
    "32-bit": ("userland", ARMHF, "32-bit under a 64-bit kernel: tflite-runtime is all", "64-bit system"),
    "32-bit without numpy": (
        "runtime", ARMHF, "Python 3.11.2 has no numpy older than 2", "apt install python3-numpy",
    ),
    "runtime in another python": (
        "runtime", with_python(BARE, replace(PYTHON, path="/home/pi/venv/bin/python", executable="/x")),
        "/home/pi/venv/bin/python has litert", "`python: /home/pi/venv/bin/python` in the target",
    ),
    "little room": (
        "disk", replace(with_python(BARE), root=disk(free_bytes=200_000_000)), "200 MB are free", "make room",
    ),
    "pmic refused": (
        "meter", replace(PI, meters=(Meter("pmic", (), False, "sudo usermod -aG video $USER"),)),
        "the meter `pmic` may not be read by pi; energy will be missing", "usermod -aG video",
    ),
    "no meter": ("meter", replace(PI, meters=()), "energy will be missing", ""),
    "other meter": (
        "meter", replace(PI, meters=(Meter("rapl"),)), "no power sensor in hwmon", "there is rapl",
    ),
    "undervoltage": (
        "supply", replace(PI, supply=Supply(("undervoltage",), ())), "undervoltage now", "power supply",
    ),
    "alarm": ("supply", replace(PI, supply=Supply((), (), True)), "undervoltage now", "power supply"),
    "was undervolted": (
        "supply", replace(PI, supply=Supply((), ("undervoltage",))), "has occurred", "power supply",
    ),
    "vcio": ("supply", replace(PI, supply=Supply(refused=True)), "may not ask", "usermod -aG video"),
    "throttled": ("throttling", replace(PI, supply=Supply(("throttled",), ())), "throttled now", "heat sink"),
    "capped": (
        "throttling", replace(PI, supply=Supply(("frequency_capped", "soft_temperature_limit"), ())),
        "the clock is capped now, the soft temperature limit", "cool down",
    ),
    "hot": (
        "heat", replace(PI, zones=(Zone("cpu-thermal", 74.0),)), "cpu-thermal is at 74 °C, its limit is 80",
        "cool",
    ),
    "loaded": (
        "load", changed("system", load_1min=2.5), "load 2.50 over the last minute, on 4 cores", "`top`",
    ),
    "just started": (
        "load", changed("system", load_1min=2.5, uptime_s=40.0), "just been started", "wait a few",
    ),
    "memory": ("memory", changed("memory", available_bytes=90_000_000), "90 MB of memory", "desktop"),
    "swap": ("swap", changed("memory", swap_free_bytes=50_000_000), "150 MB lie in swap", "swapoff"),
    "governor": (
        "governor", changed("cpu", policies=(Policy("ondemand"),)), "governor ondemand", "echo performance",
    ),
    "1970": ("clock", replace(PI, clock_s=3600.0, clock_ahead_s=-1.7e9), "before 2020", "set-ntp"),
    "behind": ("clock", replace(PI, clock_ahead_s=-7300.0), "2 hours behind", "set-ntp"),
    "ahead": ("clock", replace(PI, clock_ahead_s=20.0), "20 s ahead of", "set-ntp"),
    "no libedgetpu": ("edge tpu", replace(PI, accelerators=EDGETPU), "no libedgetpu", "libedgetpu1-std"),
    "stock libedgetpu": (
        "edge tpu", replace(PI, accelerators=EDGETPU, libedgetpu=Library("/usr/lib/libedgetpu.so.1", "16.0")),
        "libedgetpu 16.0 crashes in litert 2.3.0: Google's own works up to tflite-runtime 2.11.1", "rebuilt",
    ),
    "an Edge TPU that is closed": (
        "edge tpu",
        replace(PI, python=None, accelerators=(Accelerator("edgetpu", "Edge TPU on PCIe", readable=False),),
                libedgetpu=Library("/usr/lib/libedgetpu.so.1", "16.0")),
        "this user may not open the Edge TPU", "usermod -aG apex",
    ),
    "render": (
        "intel gpu", with_intel("gpu", readable=False),
        "the Intel GPU may not be used by me", "usermod -aG render me",
    ),
    "no OpenCL": (
        "intel gpu", with_intel("gpu"), "`device: GPU` will fail", "intel-opencl-icd",
    ),
    "no Level Zero": (
        "intel npu", with_intel("npu", drivers=("gpu",)),
        "no driver that OpenVINO can use", "intel-level-zero-npu",
    ),
    "emulator": (
        "emulation", replace(PI, compatible=("linux,dummy-virt",)),
        "this is an emulator", "see that things work",
    ),
    "virtual": ("emulation", replace(PI, machine=Machine("kvm")), "a virtual machine (kvm)", "unsteady"),
    "cut short": ("reply", replace(PI, untold=("pythons",)), "nothing was heard of pythons", "try again"),
}  # fmt: skip


@pytest.mark.parametrize(("check", "facts", "words", "advice"), STOPS.values(), ids=STOPS)
def test_what_stops_a_run(check: str, facts: BoardFacts, words: str, advice: str) -> None:
    (finding,) = found(facts, check)
    assert finding.gravity == "stops"
    assert words in finding.text
    assert advice in (finding.advice or "")


@pytest.mark.parametrize(("check", "facts", "words", "advice"), SPOILS.values(), ids=SPOILS)
def test_what_spoils_readings(check: str, facts: BoardFacts, words: str, advice: str) -> None:
    (finding,) = found(facts, check)
    assert finding.gravity == "spoils"
    assert words in finding.text
    assert advice in (finding.advice or "")
    assert "\n" not in finding.text


def test_every_check_is_seen_to_find_something() -> None:
    seen = {check for check, *_ in (*STOPS.values(), *SPOILS.values())}
    seen |= {"family", "jetpack", "tensorrt", "sysfs_root"}  # each has a test of its own
    assert seen == {check.name for check in CHECKS}


def test_tensorrt_without_its_trtexec() -> None:
    nano = replace(PI, model="NVIDIA Jetson Orin Nano Developer Kit", compatible=("nvidia,p3767-0005",))
    (finding,) = found(nano, "tensorrt")
    assert finding.text == "there is no TensorRT, and no trtexec for `format: tensorrt`"
    has = replace(nano, tensorrt=Library(None, "10.3.0.30-1+cuda12.5"))
    only = Target(host="h", runtimes=("tensorrt",)).called("h")
    assert found(has, "tensorrt", only) == [
        Finding(
            "tensorrt",
            "stops",
            "TensorRT 10.3.0.30-1+cuda12.5 is there, and no trtexec for `format: tensorrt`",
            "sudo apt install libnvinfer-bin",
        )
    ]
    assert found(has, "runtime", only) == [Finding("runtime", "fine")]  # no Python is to have it
    whole = replace(nano, tensorrt=Library("/usr/src/tensorrt/bin/trtexec", "10.3.0"))
    assert found(whole, "tensorrt") == [Finding("tensorrt", "fine")]


@pytest.mark.parametrize("kind", ["gpu", "npu"])
def test_a_device_of_intels_in_order(kind: AcceleratorKind) -> None:
    assert found(with_intel(kind, drivers=(kind,)), f"intel {kind}") == [Finding(f"intel {kind}", "fine")]
    untold = replace(with_intel(kind), untold=("libraries",))
    assert found(untold, f"intel {kind}") == [Finding(f"intel {kind}", "unknown")]


class TestMeters:
    def test_rapl_for_root_alone(self) -> None:
        target = Target(family="x86", host="h", power=PowerMeter(meter="rapl")).called("h")
        facts = BoardFacts(
            system=System(user="me"), meters=(Meter("rapl", ("package-0",), False, RAPL_ACCESS),)
        )
        (finding,) = found(facts, "meter", target)
        assert "`rapl` may not be read by me" in finding.text
        assert finding.advice == RAPL_ACCESS

    def test_a_board_that_has_none_is_told_so(self) -> None:
        facts = replace(PI, model="Raspberry Pi 4 Model B Rev 1.4", compatible=("brcm,bcm2711",), meters=())
        (finding,) = found(facts, "meter", Target(host="h", power=PowerMeter()).called("h"))
        assert finding.text == "there is no power meter that edgegreen knows; energy will be missing"
        assert finding.advice == "a Raspberry Pi 4 has no power sensor of its own"

    def test_the_next_best_one_is_taken(self) -> None:
        facts = replace(PI, meters=(Meter("pmic", (), False, "fix"), Meter("hwmon", ("ina219",))))
        assert found(facts, "meter") == [Finding("meter", "fine")]

    def test_a_target_without_one_is_not_asked(self) -> None:
        assert found(replace(PI, meters=()), "meter", Target(host="h").called("h")) == []

    def test_a_section_that_did_not_come_is_not_an_absent_meter(self) -> None:
        assert found(replace(PI, meters=(), untold=("monitors",)), "meter") == [Finding("meter", "unknown")]


class TestFamily:
    @pytest.mark.parametrize("family", ["linux", "raspberry-pi-5"])
    def test_the_same_or_none(self, family: str) -> None:
        target = Target.model_validate({"family": family, "host": "h"}).called("h")
        assert found(PI, "family", target) == [Finding("family", "fine")]

    def test_another(self) -> None:
        (finding,) = found(PI, "family", Target(family="jetson-orin", host="h").called("h"))
        assert finding.gravity == "spoils"
        assert "`family: jetson-orin`, the board says it is Raspberry Pi 5" in finding.text
        assert "`family: raspberry-pi-5`" in (finding.advice or "")

    def test_a_stick_in_any_machine(self) -> None:
        target = Target(family="coral-usb", host="h").called("h")
        assert found(replace(PI, accelerators=EDGETPU), "family", target)[0].gravity == "fine"
        assert found(PI, "family", target)[0].gravity == "spoils"

    @pytest.mark.parametrize(
        ("major", "gravity"), [(35, "fine"), (36, "fine"), (32, "spoils"), (38, "spoils")]
    )
    def test_jetpack(self, major: int, gravity: str) -> None:
        (finding,) = found(replace(JETSON, tegra=Tegra(major, "1.0")), "jetpack")
        assert finding.gravity == gravity
        assert found(replace(JETSON, tegra=None), "jetpack")[0].gravity == "unknown"


class TestRuntimesOnOffer:
    @pytest.mark.parametrize(
        ("machine", "bits", "glibc", "python", "offered"),
        [
            ("aarch64", 64, (2, 36), (3, 11, 2), {"litert", "tflite-runtime", "openvino", "onnxruntime"}),
            ("aarch64", 64, (2, 41), (3, 13, 5), {"litert", "openvino", "onnxruntime"}),
            ("aarch64", 64, (2, 31), (3, 8, 10), {"tflite-runtime", "openvino", "onnxruntime", "edgetpu"}),
            ("aarch64", 64, (2, 28), (3, 7, 3), {"tflite-runtime", "onnxruntime", "edgetpu"}),
            ("aarch64", 32, (2, 36), (3, 11, 2), {"tflite-runtime"}),
            ("aarch64", 32, (2, 41), (3, 13, 5), set()),
            ("x86_64", 64, (2, 36), (3, 12, 1), {"litert", "openvino", "onnxruntime"}),
            ("riscv64", 64, (2, 41), (3, 13, 5), set()),
        ],
    )
    def test_what_provisioning_would_bring(
        self,
        machine: str,
        bits: int,
        glibc: tuple[int, int],
        python: tuple[int, int, int],
        offered: set[RuntimeName],
    ) -> None:
        facts = replace(PI, system=replace(PI.system, machine=machine, bits=bits), libc=Libc("glibc", glibc))
        there = replace(BARE32 if bits == 32 else BARE, version=python)
        brought = {name for name in RELEASES if doctor.software.refused(facts, there, [name]) is None}
        assert brought == offered
        assert (doctor.software.refused(facts, there) is None) == bool(offered)

    def test_the_one_that_the_target_asks_for_though_a_newer_would_do(self) -> None:
        target = Target(host="h", runtimes=("tflite-runtime",)).called("h")
        assert found(with_python(BARE), "runtime", target) == [Finding("runtime", "fine")]

    def test_what_a_deploy_brings_by_itself_is_no_trouble(self) -> None:
        assert found(with_python(BARE), "runtime")[0].gravity == "fine"
        numpy = replace(BARE32, packages=(Package("numpy", "1.24.2"),))
        assert found(replace(ARMHF, python=numpy), "runtime")[0].gravity == "fine"

    def test_unless_the_target_says_that_nothing_is_brought(self) -> None:
        target = Target(host="h", provision=False).called("h")
        (finding,) = found(with_python(BARE), "runtime", target)
        assert finding.gravity == "stops"
        assert "has no runtime, and the target says `provision: false`" in finding.text

    def test_only_what_the_target_wants(self) -> None:
        target = Target(host="h", runtimes=("openvino",), provision=False).called("h")
        (finding,) = found(PI, "runtime", target)
        assert "has no openvino" in finding.text
        old = replace(PYTHON, version=(3, 7, 3))
        (finding,) = found(with_python(old), "runtime", Target(host="h", runtimes=("openvino",)).called("h"))
        assert "none is built for this system" in finding.text
        assert finding.advice == "aarch64 has openvino with Python 3.8 to 3.14"


@pytest.mark.parametrize(("version", "works"), [("2.5.0.post1", True), ("2.11.1", True), ("2.14.0", False)])
def test_googles_libedgetpu_fits_old_runtimes(version: str, works: bool) -> None:
    python = replace(PYTHON, packages=(Package("numpy", "1.24.2"), Package("tflite_runtime", version)))
    facts = replace(with_python(python), accelerators=EDGETPU, libedgetpu=Library("/usr/lib/x", "16.0"))
    assert found(facts, "edge tpu")[0].gravity == ("fine" if works else "spoils")
    rebuilt = replace(facts, libedgetpu=Library("/usr/lib/x", "16.0tf2.17.1-1.bookworm"))
    assert found(rebuilt, "edge tpu")[0].gravity == "fine"


def test_heat_is_told_against_the_boards_own_trip_points() -> None:
    zone = Zone("cpu-thermal", 85.0, (Trip("passive", 99.0), Trip("critical", 104.5), Trip("active", 51.0)))
    assert found(replace(JETSON, zones=(zone,)), "heat")[0].gravity == "fine"
    hotter = replace(zone, celsius=92.0)
    assert "its limit is 99 °C" in found(replace(JETSON, zones=(hotter,)), "heat")[0].text
    asleep = Zone("gpu-thermal", None)
    assert found(replace(JETSON, zones=(asleep,)), "heat")[0].gravity == "unknown"


def test_a_jetsons_alerts() -> None:
    assert found(JETSON, "throttling")[0].gravity == "fine"
    assert "throttled now: cpu, gpu" in found(replace(JETSON, alerts=("cpu", "gpu")), "throttling")[0].text


def test_jetson_clocks_holds_the_clocks_and_leaves_the_governor() -> None:
    held = Policy("schedutil", 1728.0, 1728.0, 1728.0, 1728.0)
    assert found(changed("cpu", policies=(held, held)), "governor")[0].gravity == "fine"
    moving = replace(held, floor_mhz=729.6)
    assert found(changed("cpu", policies=(held, moving)), "governor")[0].gravity == "spoils"


def test_the_gravest_come_first() -> None:
    facts = replace(with_python(V36), clock_ahead_s=99.0, zones=())
    gravities = [finding.gravity for finding in doctor.examine(facts, TARGET)]
    assert gravities == sorted(gravities, key=doctor.GRAVITIES.index)
    assert set(gravities) == {"stops", "spoils", "unknown", "fine"}


@pytest.mark.parametrize("name", ["raspberry-pi-3", "jetson-orin-nano-jp6", "coral-dev"])
def test_recorded_boards_can_be_examined(facts: Callable[[str], BoardFacts], name: str) -> None:
    told = {finding.check for finding in doctor.examine(facts(name), TARGET)}
    assert {"python", "runtime", "disk", "heat", "clock"} <= told


class TestVisits:
    def test_nobody_answers(self) -> None:
        checkup = doctor.visit(Target(host="127.0.0.1", port=free_port()).called("off"))
        (finding,) = checkup.findings
        assert (finding.check, finding.gravity, checkup.exit_code) == ("link", "stops", 4)
        assert "nothing listens" in finding.text
        assert checkup.identity is None

    def test_this_machine(self) -> None:
        checkup = doctor.visit(Target(host="local").called("local"))
        assert checkup.exit_code == 0, checkup.findings
        assert checkup.identity
        assert Finding("link", "fine") in checkup.findings

    @pytest.mark.parametrize(("words", "gravity"), [("3.4", "fine"), ("no power", "spoils")])
    def test_a_meter_that_this_machine_reads_is_asked(self, words: str, gravity: str) -> None:
        power = Command(meter="command", command=("echo", words), every_s=1.0)
        checkup = doctor.visit(Target(host="local", power=power).called("local"))
        (finding,) = [finding for finding in checkup.findings if finding.check == "meter"]
        assert finding.gravity == gravity
        assert ("energy will be missing" in finding.text) == (gravity == "spoils")

    def test_something_stops_a_run(self) -> None:
        checkup = doctor.visit(Target(host="local", python="no-such-python").called("local"))
        assert checkup.exit_code == 5
        assert checkup.findings[0].check == "python"
