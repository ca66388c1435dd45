"""What OpenVINO runs a model on: what there is, how it is set up, what AUTO chose, what a device lacks."""

from __future__ import annotations

import glob
import os
from typing import Any

from .tensors import Unsupported

# Device → its files, the driver's module in the kernel, and what programs need to get at it.
DRIVERS = {
    "GPU": (
        "/dev/dri/renderD*",
        "i915 or xe",
        "Intel's OpenCL driver (Debian and Ubuntu: intel-opencl-icd, ocl-icd-libopencl1)",
    ),
    "NPU": (
        "/dev/accel/accel*",
        "intel_vpu, of Linux 6.6 or newer",
        "Intel's NPU driver (intel-level-zero-npu, intel-driver-compiler-npu, intel-fw-npu) and Level Zero",
    ),
}


def settings(device: str, threads: int) -> dict[str, Any]:
    """How `device` is set up for latency. Threads are the CPU's; also where AUTO chooses it."""
    hint = {"PERFORMANCE_HINT": "LATENCY"}
    cpu = {"NUM_STREAMS": "1", "INFERENCE_NUM_THREADS": threads}
    if device == "CPU":
        return {**hint, **cpu}
    if device == "AUTO":
        # By itself it begins on the CPU and changes over once another device is ready: two devices in a row.
        return {**hint, "ENABLE_STARTUP_FALLBACK": False, "DEVICE_PROPERTIES": {"CPU": {**hint, **cpu}}}
    return {**hint}


def check(core: Any, device: str, root: str = "/") -> None:
    """Raise Unsupported, saying what there is and what is missing, where there is no such device."""
    there = [str(name) for name in core.available_devices]
    if device == "AUTO" or any(name.split(".")[0] == device for name in there):
        return
    reason = _missing(device, root) if device in DRIVERS else ""
    raise Unsupported(
        "OpenVINO finds no {} on this board, only {}{}".format(device, ", ".join(there) or "nothing", reason)
    )


def used(compiled: Any, device: str) -> str:
    """The device in words: `GPU`, and with AUTO the one it chose, `AUTO: GPU`; after the first inference."""
    if device != "AUTO":
        return device
    try:
        chosen = compiled.get_property("EXECUTION_DEVICES")
    except Exception:  # a version that does not say
        return device
    names = [chosen] if isinstance(chosen, str) else list(chosen)
    return "{}: {}".format(device, ", ".join(names)) if names else device


def _missing(device: str, root: str) -> str:
    """What keeps the device from being used, told by its file."""
    pattern, module, driver = DRIVERS[device]
    found = sorted(glob.glob(os.path.join(root, pattern.lstrip("/"))))
    if not found:
        return "; there is no {}: the kernel drives none (its driver is {})".format(pattern, module)
    if not any(os.access(path, os.R_OK | os.W_OK) for path in found):
        return "; {} may not be opened: the user has to be in the group `render`".format(found[0])
    return "; {} is there: what may be missing is {}".format(found[0], driver)
