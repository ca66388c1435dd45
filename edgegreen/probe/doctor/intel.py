"""Checks of Intel's GPU and NPU: whether OpenVINO could run a model there (`device: GPU` in a recipe)."""

from __future__ import annotations

from edgegreen.probe.devices import INTEL
from edgegreen.probe.doctor.finding import Case, Trouble, spoils
from edgegreen.probe.facts import Accelerator

INSTALL = {
    "gpu": "install Intel's OpenCL driver (Debian and Ubuntu: intel-opencl-icd, ocl-icd-libopencl1)",
    "npu": "install Intel's NPU driver (intel-level-zero-npu, intel-driver-compiler-npu, intel-fw-npu)",
}


def has_gpu(case: Case) -> bool:
    """Whether the kernel drives one."""
    return _device(case, "gpu") is not None


def has_npu(case: Case) -> bool:
    """Whether the kernel drives one."""
    return _device(case, "npu") is not None


def gpu(case: Case) -> list[Trouble] | None:
    """May it be used, and is its driver there."""
    return _reachable(case, "gpu")


def npu(case: Case) -> list[Trouble] | None:
    """May it be used, and is its driver there."""
    return _reachable(case, "npu")


def _device(case: Case, kind: str) -> Accelerator | None:
    names = [name for of, name in INTEL.values() if of == kind]
    return next((one for one in case.facts.accelerators if one.name in names), None)


def _reachable(case: Case, kind: str) -> list[Trouble] | None:
    device, user = _device(case, kind), case.facts.system.user or "this user"
    told = f"variants with `device: {kind.upper()}` will fail"
    if device and device.readable is False:
        advice = f"sudo usermod -aG render {user}, which holds from the next login on"
        return [spoils(f"the {device.name} may not be used by {user}; {told}", advice)]
    if "libraries" in case.facts.untold:
        return None
    if kind not in case.facts.intel_drivers:
        return [
            spoils(f"the Intel {kind.upper()} has no driver that OpenVINO can use; {told}", INSTALL[kind])
        ]
    return []
