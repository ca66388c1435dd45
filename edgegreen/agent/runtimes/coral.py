"""What a board tells of its Edge TPUs and of libedgetpu, and what a failed attempt at them means.

Google's library comes in two builds, `std` and `max`, that differ in the clock of a USB stick. Only the
standard one has words on being throttled (tflite/edgetpu_context_direct.cc), by which a file is told whatever
its name; a chip on PCIe runs at the maximum with both.
"""

from __future__ import annotations

import ctypes
import glob
import os
import signal
from typing import Any, Iterable, NamedTuple, Sequence

LIBRARY = "libedgetpu.so.1"
USB_IDS = ("1a6e:089a", "18d1:9302")  # before its first use, and after
STANDARD_MARK, MARK = b"USB connected EdgeTpu is throttled", b"Performance expectation"
# The child's steps, in their order.
DELEGATE, MODEL, INFERENCE, DONE, FAILED = "delegate", "model", "inference", "done", "failed"
DOING = {
    DELEGATE: "while the delegate was loaded",
    MODEL: "while the model was loaded",
    INFERENCE: "at the first inference",
}
REFUSED = "Failed to load delegate"


class Device(NamedTuple):
    """An Edge TPU: on "usb" or "pci", its file in /dev, whether that may be opened, the speed of the link."""

    bus: str
    path: str
    open: bool
    usb_mbps: float = 0.0


def devices(root: str = "/") -> list[Device]:
    """All that are there."""
    chips = sorted(glob.glob(os.path.join(root, "dev/apex_*")))
    return [*_on_usb(root), *(Device("pci", path, _may_open(path)) for path in chips)]


def _on_usb(root: str) -> Iterable[Device]:
    for folder in sorted(glob.glob(os.path.join(root, "sys/bus/usb/devices/*"))):
        if "{}:{}".format(_text(folder, "idVendor"), _text(folder, "idProduct")) not in USB_IDS:
            continue
        try:
            numbers = int(_text(folder, "busnum")), int(_text(folder, "devnum"))
            path = os.path.join(root, "dev/bus/usb/{:03d}/{:03d}".format(*numbers))
            yield Device("usb", path, _may_open(path), float(_text(folder, "speed") or 0))
        except ValueError:
            continue


def _text(folder: str, name: str) -> str:
    try:
        with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as stream:
            return stream.read(100).strip()
    except OSError:
        return ""


def _may_open(path: str) -> bool:
    return os.access(path, os.R_OK | os.W_OK)


def library(program: str) -> str:
    """libedgetpu: that in `lib/` in edgegreen's folder, two above the agent `program`; else the system's."""
    own = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(program))), "lib", LIBRARY)
    return own if os.path.exists(own) else LIBRARY


def about(path: str, device: str | None, root: str = "/") -> dict[str, Any]:
    """What is known of the loaded library and of the device that runs the model.

    | field | meaning |
    |---|---|
    | `library` | the file that was really loaded |
    | `version` | what it says of itself, such as "BuildLabel(…), RuntimeVersion(14)" |
    | `clock` | "standard" or "maximum"; None where it cannot be told |
    | `bus` | "usb" or "pci"; None where there are both, and nobody said which |
    | `usb_mbps` | the USB link's speed: 480 on USB 2 |
    """
    file = loaded(root) or path
    asked = (device or "").partition(":")[0]
    there = [one for one in devices(root) if asked in ("", one.bus)]
    buses = {one.bus for one in there}
    bus = buses.pop() if len(buses) == 1 else None
    speeds = {one.usb_mbps for one in there}
    return {
        "kind": "edgetpu",
        "library": file,
        "version": _version(file),
        "clock": clock(file, bus),
        "bus": bus,
        "usb_mbps": (speeds.pop() or None) if bus == "usb" and len(speeds) == 1 else None,
    }


def loaded(root: str = "/") -> str | None:
    """The file of the libedgetpu that this process has loaded."""
    try:
        with open(os.path.join(root, "proc/self/maps"), encoding="utf-8", errors="replace") as stream:
            paths = ["/" + line.partition("/")[2].strip() for line in stream if "/" in line]
    except OSError:
        return None
    return next((path for path in paths if os.path.basename(path).startswith("libedgetpu")), None)


def clock(path: str, bus: str | None) -> str | None:
    """The clock that a stick runs at with this library; a chip on PCIe always has the maximum."""
    if bus == "pci":
        return "maximum"
    try:
        with open(path, "rb") as stream:
            content = stream.read(64 << 20)
    except OSError:
        return None
    if STANDARD_MARK in content:
        return "standard"
    return "maximum" if MARK in content else None


def _version(path: str) -> str | None:
    try:
        function = ctypes.CDLL(path).edgetpu_version
        function.restype = ctypes.c_char_p
        return str((function() or b"").decode("utf-8", "replace"))[:200] or None
    except (OSError, AttributeError):
        return None


def verdict(
    code: int, steps: Sequence[str], runtime: str, path: str, *, device: str | None, root: str = "/"
) -> str | None:
    """What an attempt came to, in words; None when it went well. `steps` are the lines the child said."""
    said = [step for step in steps if step]
    if code == 0 and said[-1:] == [DONE]:
        return None
    doing = next((DOING[step] for step in reversed(said) if step in DOING), "before anything was loaded")
    name = os.path.basename(path)
    if code < 0:
        return "{} and {} do not match: {} {}".format(name, runtime, _signal(-code), doing)
    error = next((step[len(FAILED) + 1 :] for step in said if step.startswith(FAILED + " ")), "")
    if error.startswith("OSError"):
        return "the Edge TPU's library cannot be loaded: {}".format(error.partition(": ")[2])
    if error.startswith("AttributeError") and "tflite_plugin" in error:
        return "{} is no delegate for TFLite: {}".format(name, error.partition(": ")[2])
    if REFUSED in error:
        return _refused(device, devices(root))
    return "{} {}".format(error or "exit code {}".format(code), doing)


def _refused(device: str | None, there: list[Device]) -> str:
    """Why the library found no Edge TPU to work with."""
    if not there:
        ids = " or ".join(USB_IDS)
        return "there is no Edge TPU: no USB device {}, and no /dev/apex_0".format(ids)
    named = ", ".join("{} ({})".format(one.bus, one.path) for one in there)
    if not any(one.open for one in there):
        return "an Edge TPU is there, and this user may not open it: {}".format(named)
    asked = "" if device is None else " as `{}`".format(device)
    return "libedgetpu could not open an Edge TPU{}; there is {}".format(asked, named)


def _signal(number: int) -> str:
    try:
        return "the child process died of {}".format(signal.Signals(number).name)
    except ValueError:
        return "the child process died of signal {}".format(number)
