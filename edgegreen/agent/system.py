"""Facts about the machine the agent runs on, and about its own process. Reads; changes nothing else.

What is read from files is read below `root`, so that a recorded tree of another board can stand in.
"""

from __future__ import annotations

import functools
import glob
import os
import platform
import signal
import socket
import sys
from typing import Any, Callable

from . import kits, runtimes

CLEAR_PEAK_RSS = "5"  # proc(5), /proc/pid/clear_refs
PR_SET_PDEATHSIG = 1  # prctl(2)
# What decides how fast a processor computes with 8 bits, 16 bits and halves, as /proc/cpuinfo calls it.
CPU_FEATURES = (
    "sse4_1", "avx2", "avx512f", "avx512bw", "avx_vnni", "avx512_vnni", "avx_vnni_int8", "amx_int8",
    "f16c", "avx512_bf16", "avx512_fp16", "amx_bf16", "amx_fp16",
    "neon", "asimd", "asimddp", "i8mm", "sve", "sve2", "sme", "fphp", "asimdhp", "bf16",
)  # fmt: skip


def facts(root: str = "/", kits_folder: str = "") -> dict[str, Any]:
    """What `probe` answers. What cannot be known is None. Runtimes brought along are in `kits_folder`."""
    memory = meminfo(root)
    return {
        "hostname": socket.gethostname(),
        "machine": platform.machine(),
        "system": platform.system(),
        "release": platform.release(),
        "emulated": emulated(root),
        "boot_id": _read(root, "proc/sys/kernel/random/boot_id").strip() or None,
        "libc": libc(),
        "python": platform.python_version(),
        "executable": sys.executable,
        "bits": 64 if sys.maxsize > 2**32 else 32,  # a 32-bit userland may run on a 64-bit kernel
        "cpu_count": cpu_count(),
        "cpu_features": cpu_features(root),
        "memory_total_bytes": memory.get("MemTotal") or _physical_memory(),
        "memory_available_bytes": memory.get("MemAvailable"),
        "load_average": load_average(root),
        "python_tag": kits.python_tag(),
        "numpy": runtimes.installed("numpy", "numpy"),
        "runtimes": kits.versions(kits_folder),
        "brought": kits.ready(kits_folder),
    }


def emulated(root: str = "/") -> bool:
    """Whether this is one of QEMU's virtual machines that has a device tree: its speed is no board's."""
    tree = os.path.join(root, "proc/device-tree")
    if "linux,dummy-virt" in _read(tree, "compatible").split("\0"):
        return True
    return any(
        _read(path, "compatible").startswith("qemu,") for path in glob.glob(os.path.join(tree, "fw-cfg@*"))
    )


def cpu_count() -> int:
    """Cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        return os.cpu_count() or 1


def cpu_features(root: str = "/") -> list[str] | None:
    """Those of CPU_FEATURES that the first core has; None where the kernel does not list them."""
    for line in _read(root, "proc/cpuinfo").splitlines():
        name, _, listed = line.partition(":")
        if name.strip() in ("flags", "Features"):
            words = set(listed.split())
            return [feature for feature in CPU_FEATURES if feature in words]
    return None


def libc() -> str | None:
    """Name and version, such as "glibc 2.36"."""
    try:
        return os.confstr("CS_GNU_LIBC_VERSION")
    except (ValueError, OSError):
        return " ".join(platform.libc_ver()).strip() or None


def meminfo(root: str = "/") -> dict[str, int]:
    """/proc/meminfo in bytes; empty where there is none."""
    return _kilobytes(_read(root, "proc/meminfo"))


def load_average(root: str = "/") -> float | None:
    """Runnable processes, averaged over the last minute."""
    words = _read(root, "proc/loadavg").split()
    if words:
        return float(words[0])
    try:
        return os.getloadavg()[0]
    except OSError:
        return None


def oom_kills(root: str = "/") -> int | None:
    """How often the kernel ended a process for want of memory since boot; None before Linux 4.13."""
    for line in _read(root, "proc/vmstat").splitlines():
        if line.startswith("oom_kill "):
            return int(line.split()[1])
    return None


def rss_bytes(root: str = "/") -> int:
    """Memory this process holds; where the kernel does not say (macOS), the most it held so far."""
    return _kilobytes(_read(root, "proc/self/status")).get("VmRSS") or _max_rss_bytes()


def peak_rss_bytes(root: str = "/") -> int:
    """The most memory this process held since `reset_peak_rss`, or since it started."""
    return peak_rss_of("self", root) or _max_rss_bytes()


def peak_rss_of(pid: object, root: str = "/") -> int | None:
    """The most memory a process has held so far; None when it is gone, or the kernel does not tell.

    Not what wait4(2) says: that counts what the parent held when it forked, too.
    """
    return _kilobytes(_read(root, "proc/{}/status".format(pid))).get("VmHWM")


def reset_peak_rss(root: str = "/") -> None:
    """Forget the peak so far. Where that cannot be done, the peak is the one since the start."""
    try:
        with open(os.path.join(root, "proc/self/clear_refs"), "w") as stream:
            stream.write(CLEAR_PEAK_RSS)
    except OSError:
        pass


def offer_to_oom_killer(pid: int, root: str = "/") -> None:
    """Have the kernel end that process first when memory runs out, not us, sshd or a user's program."""
    try:
        with open(os.path.join(root, "proc", str(pid), "oom_score_adj"), "w") as stream:
            stream.write("1000")
    except OSError:
        pass


def die_with_parent(parent: int) -> None:
    """Have the kernel end this process when `parent`, which started it, is gone (Linux only)."""
    try:
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    except (ImportError, OSError, AttributeError):
        return
    if os.getppid() != parent:  # it went before the line above
        os._exit(1)


def killed_with_parent() -> Callable[[], Any] | None:
    """What a process that we start is to run first, so that the kernel ends it with us (Linux only).

    All is looked up before the fork: after it there is one system call and nothing else.
    """
    try:
        import ctypes

        prctl = ctypes.CDLL(None).prctl
    except (ImportError, OSError, AttributeError):
        return None
    return functools.partial(prctl, PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)


def _max_rss_bytes() -> int:
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _physical_memory() -> int | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return None


def _kilobytes(text: str) -> dict[str, int]:
    """Lines such as `MemTotal:  16384 kB`, in bytes."""
    lines = (line.replace(":", " ").split() for line in text.splitlines())
    return {words[0]: int(words[1]) * 1024 for words in lines if len(words) == 3 and words[2] == "kB"}


def _read(root: str, path: str) -> str:
    try:
        with open(os.path.join(root, path), encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except OSError:
        return ""
