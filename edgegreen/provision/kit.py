"""One kit on one board: sent, unpacked, proved. A kit is a runtime's wheel and those that it needs.

Sent and unpacked wheels are known by digest, so what is there is neither sent nor unpacked again. A kit
counts once it has computed the right thing there, in a trial's process like any other; until then it is
`untried`, and the next attempt makes it anew. See agent/kits.py for the board's side.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, TypeAdapter, ValidationError

from edgegreen.agent import kits as on_board
from edgegreen.agent import wire
from edgegreen.artifact import File
from edgegreen.client import Agent, Job
from edgegreen.deployment import deploy
from edgegreen.errors import DeviceError
from edgegreen.formats import FORMATS, RuntimeName
from edgegreen.provision.wheels import Wheel
from edgegreen.target import Target
from edgegreen.transport import Transport, shell

PROOF = Path(__file__).parent / "proof"
PROOF_FILES = {"tflite": ("model.tflite",), "openvino": ("model.xml", "model.bin")}
# relu(x · W + b) for the two samples; tests/provision/make_proof.py has the numbers. A runtime may compute in
# bf16, which keeps two to three digits.
EXPECTED = ((3.5, 6.5, 2.5), (11.875, 0.0, 2.75))
TOLERANCE = 0.05
UNPACKING_IDLE_S = 900.0  # compiling numpy's byte code takes minutes on the slowest board
TRYING_S = 300.0
LINE_BYTES_MAX = 4096

Told = Callable[[str, float | None], None]
"""Given a stage, and the share of it that is done where that is known."""


@dataclass(frozen=True)
class Kit:
    """A runtime and its wheels, which are here. Its own wheel is the first."""

    runtime: RuntimeName
    wheels: tuple[Wheel, ...]

    @property
    def version(self) -> str:
        """The runtime's."""
        return self.wheels[0].locked.version

    @property
    def words(self) -> str:
        """`litert 2.3.0`."""
        return f"{self.runtime} {self.version}"

    @property
    def others(self) -> list[str]:
        """What comes with it, such as `numpy 1.26.4`."""
        return [f"{wheel.locked.name} {wheel.locked.version}" for wheel in self.wheels[1:]]


@dataclass(frozen=True)
class Site:
    """A board to bring kits to: connected, with its agent in place and running."""

    link: Transport
    target: Target
    pyz: File
    agent: Agent

    @property
    def root(self) -> str:
        """The one folder that is used there."""
        return self.target.folder.rstrip("/")

    @property
    def folder(self) -> str:
        """Where kits are."""
        return f"{self.root}/runtimes"

    @cached_property
    def proofs(self) -> dict[str, File]:
        """The models and samples that runtimes are tried with, by name."""
        names = ["samples.npz", *(name for names in PROOF_FILES.values() for name in names)]
        return {name: File.of(PROOF / name) for name in names}


def bring(site: Site, kits: Sequence[Kit], told: Told) -> int:
    """Send and unpack what the board lacks of `kits`; the bytes sent.

    Raises DeviceError (no room, which is checked before anything is sent; no permission; a damaged file),
    UnreachableError.
    """
    wheels = list({wheel.file.sha256: wheel for kit in kits for wheel in kit.wheels}.values())
    own = {kit.wheels[0].folder for kit in kits}
    there = _folders(site)
    lacking = [wheel for wheel in wheels if wheel.folder in own or wheel.folder not in there]
    files = [site.pyz, *site.proofs.values(), *(wheel.file for wheel in lacking)]
    total, sent = sum(file.size_bytes for file in files), 0

    def progress(count: int) -> None:
        nonlocal sent
        sent += count
        told("sending", min(sent / total, 1.0))

    told("sending", 0.0)
    room = sum(wheel.unpacked_bytes for wheel in lacking)
    placed = deploy(site.link, site.root, files, progress, room_bytes=room)
    _unpack(
        site,
        {
            "folder": site.folder,
            "wheels": [(placed.paths[w.file.sha256], w.file.sha256, w.folder in own) for w in lacking],
            "kits": [(kit.runtime, kit.version, [wheel.folder for wheel in kit.wheels]) for kit in kits],
        },
        placed.agent,
        told,
    )
    return placed.sent_bytes


def prove(site: Site, kit: Kit, told: Told) -> None:
    """Have the kit compute something on the board, and count it as ready when it is right.

    Raises DeviceError: a crash, an error, a wrong result, each in words; UnreachableError.
    """
    told(f"trying {kit.words}", None)
    outputs: list[NDArray[Any]] = []
    site.agent.measure(
        _proof(site, kit.runtime),
        lambda _stage, _done: None,
        lambda _start, arrays: outputs.append(arrays[0]),
    )
    computed = np.concatenate(outputs).reshape(-1)
    expected = np.array(EXPECTED).reshape(-1)
    if computed.shape != expected.shape or not np.allclose(computed, expected, rtol=0, atol=TOLERANCE):
        shown = ", ".join(f"{value:g}" for value in computed[: len(expected)])
        raise DeviceError(f"{kit.words} computes nonsense there: {shown} instead of {EXPECTED}")
    folder = f"{site.folder}/{kit.wheels[0].folder}"
    names = (shell.word(f"{folder}/{name}") for name in (on_board.UNTRIED, on_board.READY))
    done = site.link.run(f"mv -f {' '.join(names)}")
    if done.exit_code != 0:
        said = wire.one_line(wire.printable(done.stderr.decode("utf-8", "replace")))
        raise DeviceError(f"{site.link.name}: cannot note in {folder} that {kit.words} works: {said}")


def _folders(site: Site) -> set[str]:
    done = site.link.run(f"ls -1 {shell.word(site.folder)} 2>/dev/null || :")
    return set(done.stdout.decode("utf-8", "replace").split())


def _proof(site: Site, runtime: RuntimeName) -> Job:
    kind = next(kind for kind, traits in FORMATS.items() if runtime in traits.runtimes)
    store = f"{site.root}/store"

    def there(name: str) -> str:
        file = site.proofs[name]
        return f"{store}/{file.sha256}{file.path.suffix}"

    return Job(
        runtime=runtime,
        files=tuple(there(name) for name in PROOF_FILES[kind]),
        threads=1,
        input_order=(0,),
        output_order=(0,),
        warmup_s=0.0,
        min_warmup_runs=1,
        duration_s=0.001,
        min_runs=2,
        samples=there("samples.npz"),
        evaluate=True,
        idle_s=0.0,
        meter=None,
        n_samples=len(EXPECTED),
        timeout_s=TRYING_S,
    )


@dataclass(frozen=True)
class _Word:
    """A line of agent/unpack.py."""

    __pydantic_config__ = {"extra": "forbid"}

    v: Literal[1]
    event: Literal["unpacking", "unpacked", "failed"]
    done: Annotated[float, Field(ge=0, le=1)] = 0.0
    error: Annotated[str, Field(max_length=wire.MAX_TEXT)] = ""


_WORD = TypeAdapter(_Word)


def _unpack(site: Site, request: dict[str, Any], pyz: str, told: Told) -> None:
    process = site.link.start([site.target.interpreter, pyz, "unpack", json.dumps(request)])
    last = None
    try:
        for line in process.lines(UNPACKING_IDLE_S, LINE_BYTES_MAX):
            if not line.startswith(wire.BEGINNING):
                continue  # a login script's
            last = _WORD.validate_json(line)
            if last.event == "unpacking":
                told("unpacking", last.done)
    except ValidationError:
        raise DeviceError(f"{site.link.name}: what the agent says while it unpacks makes no sense") from None
    finally:
        said = process.stderr_tail()
        process.close()
    if last is None or last.event != "unpacked":
        why = last.error if last and last.error else wire.one_line(said) or "it ended early"
        raise DeviceError(
            f"{site.link.name}: cannot unpack the runtimes there: {wire.printable(why)}",
            hint="set `root` in the target to a folder you may write to, on a disk with room",
        )
