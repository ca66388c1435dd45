"""Checks of what programs find on the board: Python, C library, runtimes, disk, NVIDIA's system."""

from __future__ import annotations

from collections.abc import Sequence

from edgegreen import releases
from edgegreen.errors import DeviceError
from edgegreen.formats import RuntimeName
from edgegreen.interpreter import Interpreter
from edgegreen.probe import pythons, reply
from edgegreen.probe.doctor.finding import Case, Trouble, spoils, stops
from edgegreen.probe.facts import BoardFacts, Package, Python

LEAST_FREE_BYTES = 50_000_000  # agent, a model and its data
RUNTIME_BYTES = 400_000_000  # LiteRT, numpy and OpenVINO unpacked, with byte code
STOCK_EDGETPU_UP_TO = (2, 11, 1)  # the newest tflite-runtime that Google's own libedgetpu works in
JETPACKS: dict[str, tuple[int, ...]] = {
    "jetson-nano": (32,),
    "jetson-orin": (35, 36, 39),
    "jetson-agx-orin": (35, 36, 39),
    "jetson-thor": (38, 39),
}


def python(case: Case) -> list[Trouble] | None:
    """Is the target's Python there, and can the agent run in it."""
    facts, called = case.facts, case.facts.python_asked or case.target.interpreter
    found = facts.python
    if "pythons" in facts.untold:
        return None
    if found is None:
        return [stops(f"there is no `{called}` on the board", _another(facts, "sudo apt install python3"))]
    if found.version is None:
        return [stops(f"`{called}` ({found.path}) cannot be run", _another(facts, None))]
    if found.version < pythons.OLDEST:
        told = f"`{called}` is Python {pythons.dotted(found)}; edgegreen's agent needs 3.7 or newer"
        return [stops(told, _another(facts, "install a newer one beside it, such as python3.8 by apt"))]
    if found.lacks:
        lacks = ", ".join(found.lacks)
        return [stops(f"`{called}` lacks {lacks} of the standard library", "sudo apt install python3")]
    return []


def _another(facts: BoardFacts, otherwise: str | None) -> str | None:
    other = pythons.best(facts.pythons)
    if other is None:
        return otherwise
    return f"`python: {other.path}` in the target (it is {pythons.dotted(other)})"


def userland(case: Case) -> list[Trouble] | None:
    """Are programs here of a kind that runtimes are built for."""
    facts = case.facts
    if facts.libc is None and facts.bits is None:
        return None
    there = pythons.runtimes(facts.python) if facts.python else ()
    if facts.libc and facts.libc.name != "glibc" and not there:
        told = f"programs here use {facts.libc}, for which no runtime has wheels"
        return [stops(told, "take a system with glibc, such as Debian, Ubuntu or Raspberry Pi OS")]
    if facts.bits != 32:
        return []
    kernel = " under a 64-bit kernel" if facts.system.machine in ("aarch64", "x86_64") else ""
    usable = facts.python if facts.python and pythons.is_usable(facts.python) else None
    if usable and not there and refused(facts, usable):
        told = (
            f"programs here are 32-bit{kernel}, and no runtime is there for Python {pythons.dotted(usable)}"
        )
        return [stops(told, "install the 64-bit system")]
    return [
        spoils(
            f"programs here are 32-bit{kernel}: tflite-runtime is all there is, without fast int8 kernels",
            "install the 64-bit system",
        )
    ]


def runtime(case: Case) -> list[Trouble] | None:
    """Can the Python import a runtime, or could one be brought."""
    facts, found = case.facts, case.facts.python
    if found is None or not pythons.is_usable(found):
        return None  # `python` says so
    wanted = case.target.runtimes
    there = [name for name in pythons.runtimes(found) if wanted is None or name in wanted]
    if there:
        return _numpy(found, there)
    missing = " or ".join(wanted) if wanted else "runtime"
    told = f"Python {pythons.dotted(found)} ({found.path}) has no {missing}"
    other = pythons.best(facts.pythons)
    if other and other is not found and pythons.runtimes(other):
        has = ", ".join(pythons.runtimes(other))
        return [spoils(f"{told}; {other.path} has {has}", f"`python: {other.path}` in the target")]
    if refusal := refused(facts, found, wanted):
        return [stops(f"{told}, and none is built for this system", refusal.hint)]
    if not case.target.provision:
        allowed = "leave that line out, or install one there"
        return [stops(f"{told}, and the target says `provision: false`", allowed)]
    return _own_numpy(facts, found)


def refused(
    facts: BoardFacts, python: Python, wanted: Sequence[RuntimeName] | None = None
) -> DeviceError | None:
    """Why a deploy could bring none of these runtimes (of all that there are) to this Python, if so."""
    try:
        releases.choices(wanted or tuple(releases.RELEASES), _interpreter(facts, python), _version(python))
    except DeviceError as refusal:
        return refusal
    return None


def _interpreter(facts: BoardFacts, python: Python) -> Interpreter:
    return Interpreter.of(
        python.path,
        pythons.dotted(python),
        system=(facts.system.kernel or "").partition(" ")[0],
        machine=facts.system.machine or "",
        bits=python.bits or facts.bits or 0,
        tag=python.abi or "",
        libc=str(facts.libc or ""),
    )


def _version(python: Python) -> str | None:
    numpy = python.package("numpy")
    return numpy.version if numpy else None


def _own_numpy(facts: BoardFacts, found: Python) -> list[Trouble]:
    """A runtime is brought by itself; the numpy that it takes is not published for every machine."""
    arch = _interpreter(facts, found).arch
    if arch not in releases.WITHOUT_NUMPY or releases.serves(_version(found)):
        return []
    told = f"Python {pythons.dotted(found)} has no numpy older than 2, and none is published for {arch}"
    return [spoils(told, "sudo apt install python3-numpy")]


def _numpy(found: Python, there: Sequence[str]) -> list[Trouble]:
    """tflite-runtime imports with numpy 2, and fails when it loads a model."""
    numpy = found.package("numpy")
    if numpy is None:
        return [stops(f"{found.path} has {', '.join(there)} and no numpy", "install numpy beside it")]
    if "tflite-runtime" in there and (numpy.version or "").startswith("2."):
        told = f"tflite-runtime cannot load a model beside numpy {numpy.version}"
        others = [name for name in there if name != "tflite-runtime"]
        return [spoils(told, 'pip install "numpy<2"') if others else stops(told, 'pip install "numpy<2"')]
    return []


def storage(case: Case) -> list[Trouble] | None:
    """Can edgegreen's folder be written, and does what comes fit."""
    disk = case.facts.root
    if disk is None or (disk.writable is None and disk.free_bytes is None):
        return None
    where = f"{disk.path} (on {disk.mount or disk.near})"
    bare = not (case.facts.python and pythons.runtimes(case.facts.python))
    elsewhere = "set `root` in the target to a folder that may be written"
    if "ro" in disk.options:
        return [stops(f"{where} is mounted read-only", elsewhere)]
    if disk.writable is False:
        return [
            stops(f"{disk.near} may not be written by {case.facts.system.user or 'this user'}", elsewhere)
        ]
    if bare and "noexec" in disk.options:
        return [stops(f"{where} is mounted noexec: no runtime could be loaded from there", elsewhere)]
    return [] if disk.free_bytes is None else _room(where, disk.free_bytes, bare)


def _room(where: str, free_bytes: int, bare: bool) -> list[Trouble]:
    told, advice = (
        f"{free_bytes / 1e6:.0f} MB are free for {where}",
        "make room, or set `root` in the target elsewhere",
    )
    if free_bytes < LEAST_FREE_BYTES:
        return [stops(told, advice)]
    if bare and free_bytes < RUNTIME_BYTES:
        return [spoils(f"{told}; runtimes brought there take up to 400 MB", advice)]
    return []


def edgetpu(case: Case) -> list[Trouble] | None:
    """Does the Edge TPU's library fit the runtime it would be loaded into."""
    library, found = case.facts.libedgetpu, case.facts.python
    if library is None:
        return [spoils("an Edge TPU is there and no libedgetpu", "sudo apt install libedgetpu1-std")]
    if found is None or "tf" in (library.version or ""):  # 16.0tf2.17.1-1: rebuilt, for newer runtimes
        return [] if found else None
    misfits = [
        f"{name} {package.version or ''}".strip()
        for imported, name in (("tflite_runtime", "tflite-runtime"), ("ai_edge_litert", "litert"))
        if (package := found.package(imported)) and not _takes_stock_edgetpu(package)
    ]
    if not misfits:
        return []
    told = f"libedgetpu{' ' + library.version if library.version else ''} crashes in {', '.join(misfits)}"
    return [
        spoils(
            f"{told}: Google's own works up to tflite-runtime 2.11.1",
            "use that one, or a libedgetpu rebuilt for the runtime's version",
        )
    ]


def _takes_stock_edgetpu(package: Package) -> bool:
    version = reply.version(package.version)
    return package.name == "tflite_runtime" and version is not None and version <= STOCK_EDGETPU_UP_TO


def jetpack(case: Case) -> list[Trouble] | None:
    """Is NVIDIA's system of a version that this board has."""
    tegra = case.facts.tegra
    if tegra is None:
        return None
    allowed = JETPACKS.get(case.identity.family, ())
    if not allowed or tegra.major in allowed:
        return []
    told = f"/etc/nv_tegra_release says L4T {tegra.major}.{tegra.revision}"
    if tegra.jetpack:
        told += f" (JetPack {tegra.jetpack})"
    return [
        spoils(
            f"{told}, which is not for {case.identity.name}",
            "is this file from another board's image? Install the JetPack of this board",
        )
    ]
