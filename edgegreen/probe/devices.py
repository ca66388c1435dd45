"""Power meters, accelerators and their native libraries in the reply. Names only: nothing is measured here.

Meters are named as in edgegreen.agent.meters, which is what reads them in a run.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import groupby

from edgegreen.agent.meters import hwmon, ina3221, pmic, power_supply, rapl, vcgencmd
from edgegreen.agent.meters.tree import Unreadable
from edgegreen.probe.facts import Accelerator, AcceleratorKind, Library, Meter
from edgegreen.probe.reply import Attribute, Reply

USB = {"1a6e:089a": "Edge TPU on USB (not used since it was plugged in)", "18d1:9302": "Edge TPU on USB"}
# Device files, by the start of their names.
DEVICES: dict[str, tuple[AcceleratorKind, str]] = {
    "apex_": ("edgetpu", "Edge TPU on PCIe"),
    "nvhost-gpu": ("gpu", "Jetson GPU"),
    "igpu0": ("gpu", "Jetson GPU"),
    "nvidia": ("gpu", "NVIDIA GPU"),
    "renderD": ("gpu", "GPU with a DRM driver"),
    "accel": ("npu", "NPU (/dev/accel)"),
    "hailo": ("npu", "Hailo NPU"),
    "galcore": ("npu", "VeriSilicon GPU or NPU (galcore)"),
    "rknpu": ("npu", "Rockchip NPU"),
    "ethosu": ("npu", "Arm Ethos-U NPU"),
}
# Those of Intel's, which OpenVINO runs models on.
INTEL: dict[str, tuple[AcceleratorKind, str]] = {
    "renderD": ("gpu", "Intel GPU"),
    "accel": ("npu", "Intel NPU"),
}
INTEL_VENDOR = "0x8086"


def meters(told: Reply) -> tuple[Meter, ...]:
    """Every kind of meter that is there, and whether this user may read it."""
    found = [*_monitors(told), *_firmware(told), *_counters(told), *_supplies(told)]
    return tuple(found)


def _folders(attributes: Iterable[Attribute]) -> Iterator[tuple[str, dict[str, Attribute]]]:
    """Attributes by folder. A folder that is told of again keeps what was told first."""
    for folder, group in groupby(attributes, key=lambda attribute: attribute.folder):
        yield folder, {attribute.name: attribute for attribute in group}


def _monitors(told: Reply) -> Iterator[Meter]:
    chips: dict[str, list[Meter]] = {}
    for folder, files in _folders(told.attributes("monitors")):
        name = _text(files, "name")
        if "/iio:device" in folder:
            kind = ina3221.KIND
        elif name in ("ina3221", "ina238"):
            kind = name
        else:
            kind = hwmon.KIND
        meter = _monitor(kind, folder, name, files)
        if meter:
            chips.setdefault(kind, []).append(meter)
    for kind, alike in chips.items():
        rails = dict.fromkeys(rail for meter in alike for rail in meter.rails)
        refused = next((meter.why_not for meter in alike if not meter.readable), None)
        yield Meter(kind, tuple(rails), refused is None, refused)


def _monitor(kind: str, folder: str, name: str, files: dict[str, Attribute]) -> Meter | None:
    """One chip, as the agent's own meters would see it; None when it measures no power."""
    inputs = {key for key in files if key.endswith("_input")}
    channels = {int(found[1]) for key in inputs if (found := re.match(r"(?:in|curr|power)(\d)_", key))}
    refused = [key for key, file in files.items() if not file.readable]
    if kind == ina3221.KIND:
        labels = [
            file.text for key, file in files.items() if key.endswith("_label") or key.startswith("rail_name_")
        ]
        rails = tuple(label for label in labels if label and label != "NC")
        if not rails and not refused:
            return None
    else:
        powers = any(key.startswith("power") for key in inputs)
        pairs = any({f"in{channel}_input", f"curr{channel}_input"} <= inputs for channel in channels)
        if name.startswith(hwmon.NOT_MEASURED) or not (powers or pairs):
            return None
        rails = (_text(files, "label") or _text(files, "in1_label") or name or folder.rpartition("/")[2],)
    if not refused:
        return Meter(kind, rails)
    names = ",".join(sorted(refused))
    return Meter(kind, rails, False, f"until the next boot: sudo chmod o+r {_absolute(folder)}/{{{names}}}")


def _absolute(folder: str) -> str:
    return folder if folder.startswith("/") else f"/sys/{folder}"


def _text(files: dict[str, Attribute], name: str) -> str:
    return (files[name].text or "") if name in files else ""


def _firmware(told: Reply) -> Iterator[Meter]:
    """The power chip of a Raspberry Pi 5, where the firmware knows the question."""
    said = "\n".join(told.lines("firmware"))
    closed = any(a.name == "vcio" and not a.readable for a in told.attributes("firmware"))
    if closed or "Can't open device file" in said:
        if "brcm,bcm2712" in told.fields("board").get("compatible", ""):  # the others have none to refuse
            yield Meter(pmic.KIND, (), False, vcgencmd.ACCESS)
        return
    try:
        rails = pmic.parse(said)
    except Unreadable:
        return
    yield Meter(pmic.KIND, (f"{len(rails)} rails of the power chip",))


def _counters(told: Reply) -> Iterator[Meter]:
    packages, refused = [], False
    for _, files in _folders(told.attributes("counters")):
        name = _text(files, "name")
        if name.startswith("package") and "energy_uj" in files:
            packages.append(name)
            refused = refused or not files["energy_uj"].readable
    if packages:
        yield Meter(rapl.KIND, tuple(packages), not refused, rapl.ACCESS if refused else None)


def _supplies(told: Reply) -> Iterator[Meter]:
    """Batteries; they tell only while they discharge."""
    batteries = {}
    for folder, files in _folders(told.attributes("supplies")):
        measured = "power_now" in files or {"voltage_now", "current_now"} <= files.keys()
        if _text(files, "type") == "Battery" and _text(files, "scope") != "Device" and measured:
            batteries[folder.rpartition("/")[2]] = _text(files, "status")
    if batteries:
        tells = "Discharging" in batteries.values()
        yield Meter(power_supply.KIND, tuple(batteries), tells, None if tells else power_supply.UNPLUG)


def accelerators(told: Reply) -> tuple[Accelerator, ...]:
    """What is there beside the CPU, each kind of device once."""
    found = [Accelerator("edgetpu", USB[value]) for key, value in told.pairs("accelerators") if value in USB]
    seen: dict[tuple[AcceleratorKind, str], bool | None] = {}
    intel = _of_intel(told)
    for attribute in told.attributes("accelerators"):
        start = next((start for start in DEVICES if attribute.name.startswith(start)), None)
        if start is None:
            continue
        is_device = "/dev" in attribute.folder  # the folder in /sys is there for everyone
        readable = attribute.readable if is_device else None
        key = INTEL[start] if attribute.name in intel else DEVICES[start]
        seen[key] = readable if seen.get(key) is None else seen[key]
    return (*found, *(Accelerator(kind, name, readable) for (kind, name), readable in seen.items()))


def _of_intel(told: Reply) -> frozenset[str]:
    """Names of the device files whose device is Intel's, by its PCI vendor in /sys."""
    files = [attribute for attribute in told.attributes("accelerators") if attribute.name == "vendor"]
    return frozenset(file.folder.split("/")[-2] for file in files if file.text == INTEL_VENDOR)


def intel_drivers(told: Reply) -> tuple[str, ...]:
    """Kinds of Intel's devices, gpu or npu, whose driver for programs is installed."""
    kinds = told.fields("libraries")
    return tuple(kind for kind in ("gpu", "npu") if f"intel_{kind}" in kinds)


def libedgetpu(told: Reply) -> Library | None:
    """The Edge TPU's library: where it is, and the version of the package that brought it."""
    paths = [value for key, value in told.pairs("libraries") if key == "edgetpu" and value.startswith("/")]
    version = _package(told, "libedgetpu")
    return Library(next(iter(paths), None), version) if paths or version else None


def tensorrt(told: Reply) -> Library | None:
    """TensorRT: its trtexec, and the version of its runtime library."""
    path = told.fields("libraries").get("trtexec")
    version = _package(told, "libnvinfer")
    return Library(path, version) if path or version else None


def _package(told: Reply, start: str) -> str | None:
    packages = [value.split() for key, value in told.pairs("libraries") if key == "package"]
    return next((words[1] for words in packages if len(words) == 2 and words[0].startswith(start)), None)
