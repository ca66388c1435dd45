"""What a board told of itself, as records. What it did not tell is None, or empty where there may be none.

Nothing here judges: what board it is says `identity`, what would spoil a run says `doctor`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

AcceleratorKind = Literal["edgetpu", "gpu", "npu"]


@dataclass(frozen=True)
class Package:
    """A Python package that is there; `version` is None where no record of its installation was found."""

    name: str
    version: str | None


@dataclass(frozen=True)
class Python:
    """One interpreter. `path`: how it was called; `abi`: its SOABI, such as cpython-311-aarch64-linux-gnu.

    Without a `version` it was there and did not answer. `lacks` are modules of the standard library that a
    stripped-down system left out.
    """

    path: str
    version: tuple[int, int, int] | None = None
    executable: str | None = None
    bits: int | None = None
    abi: str | None = None
    libc: str | None = None
    packages: tuple[Package, ...] = ()
    lacks: tuple[str, ...] = ()

    def package(self, name: str) -> Package | None:
        """The package of that name (as it is imported), if it is there."""
        return next((package for package in self.packages if package.name == name), None)


@dataclass(frozen=True)
class System:
    """Kernel, user, load. `bits` is the userland's: a 64-bit kernel may run a 32-bit one."""

    hostname: str | None = None
    kernel: str | None = None
    """Name and release: `Linux 6.6.31+rpt-rpi-2712`."""
    machine: str | None = None
    """What the kernel is built for: x86_64, aarch64, armv7l."""
    bits: int | None = None
    packages: str | None = None
    """dpkg's architecture: amd64, arm64, armhf."""
    user: str | None = None
    is_root: bool | None = None
    groups: tuple[str, ...] = ()
    uptime_s: float | None = None
    load_1min: float | None = None
    has_sysfs_root: bool | None = None
    """Whether the target's `sysfs_root` is a folder."""


@dataclass(frozen=True)
class Dmi:
    """What a PC's firmware says."""

    vendor: str | None = None
    product: str | None = None
    version: str | None = None
    board_vendor: str | None = None
    board: str | None = None


@dataclass(frozen=True)
class Release:
    """/etc/os-release: `id` such as debian, `name` such as Debian GNU/Linux 12 (bookworm)."""

    id: str | None = None
    version: str | None = None
    name: str | None = None


@dataclass(frozen=True)
class Tegra:
    """/etc/nv_tegra_release: 36 and 4.3 for L4T 36.4.3."""

    major: int
    revision: str

    @property
    def jetpack(self) -> str | None:
        """The JetPack that brings this L4T (32: 4, 35: 5, 36: 6, 38 and 39: 7)."""
        return {32: "4", 35: "5", 36: "6", 38: "7", 39: "7"}.get(self.major)


@dataclass(frozen=True)
class Libc:
    """The C library that programs here use: glibc or musl, and its version where it says."""

    name: str
    version: tuple[int, ...] | None = None

    def __str__(self) -> str:
        return " ".join([self.name, *([".".join(map(str, self.version))] if self.version else [])])


@dataclass(frozen=True)
class Machine:
    """What kind of machine runs the system: hypervisor and container as it names them, signs of QEMU."""

    hypervisor: str | None = None
    container: str | None = None
    fw_cfg: bool = False
    """QEMU's configuration device is there."""


@dataclass(frozen=True)
class Policy:
    """Cores that share a clock."""

    governor: str | None = None
    max_mhz: float | None = None
    limit_mhz: float | None = None
    """The highest clock that is allowed now."""
    current_mhz: float | None = None
    floor_mhz: float | None = None
    """The lowest clock that is allowed now."""

    @property
    def is_held(self) -> bool:
        """Whether the clock stays where it is: by its governor, or between limits that are the same."""
        return self.governor == "performance" or (
            self.floor_mhz is not None and self.floor_mhz == self.limit_mhz
        )


@dataclass(frozen=True)
class Cpu:
    """The processor. `models` has each kind of core once."""

    models: tuple[str, ...] = ()
    cores: int | None = None
    policies: tuple[Policy, ...] = ()

    @property
    def max_mhz(self) -> float | None:
        """The fastest core's highest clock."""
        return max((policy.max_mhz for policy in self.policies if policy.max_mhz), default=None)

    @property
    def governors(self) -> tuple[str, ...]:
        """Each governor that is set, once."""
        return tuple(dict.fromkeys(policy.governor for policy in self.policies if policy.governor))


@dataclass(frozen=True)
class Memory:
    """/proc/meminfo, in bytes."""

    total_bytes: int | None = None
    available_bytes: int | None = None
    swap_total_bytes: int | None = None
    swap_free_bytes: int | None = None

    @property
    def swap_used_bytes(self) -> int | None:
        """What lies in swap."""
        if self.swap_total_bytes is None or self.swap_free_bytes is None:
            return None
        return max(0, self.swap_total_bytes - self.swap_free_bytes)


@dataclass(frozen=True)
class Disk:
    """The file system that a folder is on, or will be: `near` is the nearest folder that is there already."""

    path: str
    near: str | None = None
    writable: bool | None = None
    free_bytes: int | None = None
    mount: str | None = None
    filesystem: str | None = None
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Trip:
    """A temperature at which something happens: kind passive, hot, critical, active."""

    kind: str
    celsius: float


@dataclass(frozen=True)
class Zone:
    """A thermal zone; `celsius` is None when it has no reading now."""

    name: str
    celsius: float | None = None
    trips: tuple[Trip, ...] = ()


@dataclass(frozen=True)
class Supply:
    """Whether a Raspberry Pi is throttled or undervolted: now, and since boot. `refused`: we may not ask."""

    now: tuple[str, ...] | None = None
    occurred: tuple[str, ...] | None = None
    alarm: bool | None = None
    """The kernel saw undervoltage within the last seconds."""
    refused: bool = False


@dataclass(frozen=True)
class PowerMode:
    """What `nvpmodel -q` says."""

    name: str
    id: int | None = None


@dataclass(frozen=True)
class Meter:
    """A kind of power meter that is there, as edgegreen.agent.meters names it. `why_not`: what to do."""

    kind: str
    rails: tuple[str, ...] = ()
    readable: bool = True
    why_not: str | None = None


@dataclass(frozen=True)
class Accelerator:
    """Something beside the CPU that could run a model."""

    kind: AcceleratorKind
    name: str
    readable: bool | None = None


@dataclass(frozen=True)
class Library:
    """A native library that is there: where, and of which package version if a package brought it."""

    path: str | None = None
    version: str | None = None


@dataclass(frozen=True)
class BoardFacts:
    """All that one probe found. `untold` names the sections that did not arrive."""

    model: str | None = None
    compatible: tuple[str, ...] = ()
    dmi: Dmi = Dmi()
    system: System = System()
    release: Release = Release()
    tegra: Tegra | None = None
    libc: Libc | None = None
    machine: Machine = Machine()
    cpu: Cpu = Cpu()
    memory: Memory = Memory()
    root: Disk | None = None
    home: Disk | None = None
    zones: tuple[Zone, ...] = ()
    alerts: tuple[str, ...] = ()
    """What a Jetson throttles now."""
    supply: Supply = Supply()
    power_mode: PowerMode | None = None
    meters: tuple[Meter, ...] = ()
    accelerators: tuple[Accelerator, ...] = ()
    libedgetpu: Library | None = None
    tensorrt: Library | None = None
    intel_drivers: tuple[str, ...] = ()
    """Of `gpu` and `npu`, those of Intel's whose driver for programs is there."""
    python_asked: str | None = None
    """How the target calls its Python."""
    python: Python | None = None
    """That one; None when it is not there."""
    pythons: tuple[Python, ...] = ()
    """All that were found, that one first."""
    clock_s: float | None = None
    """Seconds since 1970, by the board's clock."""
    clock_ahead_s: float | None = None
    """How far it is ahead of this machine's clock; good to a second or two."""
    untold: tuple[str, ...] = ()

    @property
    def bits(self) -> int | None:
        """Whether programs here have 32 or 64 bits, by whatever told."""
        by_packages = {"armhf": 32, "armel": 32, "i386": 32, "arm64": 64, "amd64": 64}
        told = (python.bits for python in self.pythons if python.bits)
        return self.system.bits or by_packages.get(self.system.packages or "") or next(told, None)
