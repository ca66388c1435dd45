"""Full-integer .tflite → a model for the Edge TPU, by Google's `edgetpu_compiler`, here or elsewhere.

The compiler is a program for x86-64 Linux, run over a Transport in either case: looked for, given the file in
a folder of its own, its log read (edgetpulog.py), and the result fetched. That it went well shows in the log
and the file together; its exit code is not relied on. What it made no host can run, so nothing here is
checked by computing: the file it is given was (job.py), and this one must have the same inputs and outputs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event, Thread

from edgegreen import edgetpulog, target, transport
from edgegreen.artifact import Artifact, File
from edgegreen.cache.entry import Made
from edgegreen.cache.keys import key_of
from edgegreen.cache.store import Cache
from edgegreen.convert.job import deflated
from edgegreen.edgetpulog import Log
from edgegreen.errors import ConversionError, DeviceError, InputError, UnreachableError
from edgegreen.judging import edgetpu
from edgegreen.recipe import Variant
from edgegreen.sources import tflitefile
from edgegreen.sources.load import from_facts, to_facts
from edgegreen.target import Target
from edgegreen.transport import Transport, Upload, shell
from edgegreen.transport.local import LocalTransport
from edgegreen.workers.report import Report

FORMAT = "edgetpu"
PROGRAM = "edgetpu_compiler"
VARIABLE = "EDGEGREEN_EDGETPU_COMPILER"
INPUT, OUTPUT = "model.tflite", "model_edgetpu.tflite"
MAX_BYTES = 1 << 30
GRACE_S = 30.0  # for it to end by itself once its own timeout is over
STOP_CHECK_S = 0.1
HOW_TO_GET_ONE = (
    "it is Google's Debian package `edgetpu-compiler`, for x86-64 Linux only: put it on the PATH, name it in "
    f"{VARIABLE} or as `compiler:` in the variant, name a machine that has it (`compile_on: ssh://…`), "
    "or give a model that is compiled already"
)
LOOK = "uname -sm; command -v {program} && {program} --version 2>&1"


@dataclass(frozen=True)
class Compiler:
    """One that was found: how it is called there, and its version."""

    program: str
    version: str


def compiled(
    made: Artifact, variant: Variant, cache: Cache, stop: Event, report: Report
) -> tuple[Artifact, bool]:
    """The quantised model `made`, compiled; and whether that was done here and now.

    Raises ConversionError: no compiler, or it refuses the model; UnreachableError for the machine that
    compiles; CancelledError once `stop` is set.
    """
    with _connected(variant, stop) as link:
        compiler = _find(link, variant)
        key = key_of(FORMAT, of=made.key, compiler=compiler.version)
        made_here = False

        def make(folder: Path) -> Made:
            nonlocal made_here
            made_here = True
            report("compiling")
            log = _compile(link, compiler, made.files[0], variant.compile_timeout_s, folder / OUTPUT)
            what = f"{made.files[0].path.name}, compiled for the Edge TPU"
            return Made(what, to_facts(_artifact(made, log, folder)))

        entry = cache.obtain(key, make, stop)
    found = from_facts(Artifact, entry.facts)
    found = replace(found, files=(replace(found.files[0], path=entry.path(OUTPUT)),))
    return found, made_here


def machine(compile_on: str) -> Target:
    """The one that compiles. Raises InputError, saying that it is `compile_on` which names none."""
    try:
        return target.find(compile_on)
    except InputError as error:
        raise InputError(f"`compile_on`: {error.message}", hint=error.hint) from error


def refuse_fallback(found: Artifact, variant: Variant) -> None:
    """Raise ConversionError when operators are left to the CPU and the variant forbids that."""
    if variant.fail_on_fallback and found.compilation and (why := edgetpu.fallback(found.compilation)):
        raise ConversionError(
            f"`fail_on_fallback`: {why}",
            hint="change the model there, or leave the key out to run the rest on the CPU",
        )


@contextmanager
def _connected(variant: Variant, stop: Event) -> Iterator[Transport]:
    """The machine that compiles; hung up on when `stop` is set."""
    link = transport.connect(machine(variant.compile_on)) if variant.compile_on else LocalTransport()
    over = Event()

    def watch() -> None:
        while not over.wait(STOP_CHECK_S):
            if stop.is_set():
                link.close()
                return

    Thread(target=watch, daemon=True).start()
    try:
        with link:
            yield link
    except (DeviceError, UnreachableError) as error:
        if stop.is_set():
            raise CancelledError from error
        raise
    finally:
        over.set()


def _find(link: Transport, variant: Variant) -> Compiler:
    """The compiler there. Raises ConversionError with how to get one."""
    own = None if variant.compile_on else os.environ.get(VARIABLE)
    if own and "/" in own:
        own = str(Path(own).expanduser().absolute())  # it is started from a folder of its own
    program = variant.compiler or own or PROGRAM
    said = link.run(LOOK.format(program=shell.word(program))).stdout.decode("utf-8", "replace")
    version = edgetpulog.parse(said).compilation.compiler
    if version is not None:
        return Compiler(program, version)
    machine, *rest = said.strip().splitlines() or ["a system that does not say what it is"]
    where = f"{link.name} ({machine})"
    if len(rest) > 1:
        raise ConversionError(
            f"`{program}` on {where} is no {PROGRAM}: it says `{rest[-1][:120]}`", hint=HOW_TO_GET_ONE
        )
    raise ConversionError(f"there is no `{program}` on {where}", hint=HOW_TO_GET_ONE)


def _compile(link: Transport, compiler: Compiler, file: File, timeout_s: int, to: Path) -> Log:
    """Have `file` compiled, and what comes of it fetched. Raises ConversionError."""
    there = link.run("mktemp -d").stdout.decode("utf-8", "replace").strip()
    if not there.startswith("/"):
        raise ConversionError(f"{link.name}: no folder for temporary files can be made there")
    try:
        link.put([Upload(file.path, f"{there}/{INPUT}", file.sha256, file.size_bytes)])
        log = _run(link, compiler, there, timeout_s)
        if not log.succeeded:
            why, hint = edgetpu.failure(log)
            raise ConversionError(f"{PROGRAM} {compiler.version}: {why}", hint=hint)
        _fetch(link, f"{there}/{OUTPUT}", to)
        return log
    finally:
        with suppress(DeviceError, UnreachableError):
            link.run(f"rm -rf {shell.word(there)}")


def _run(link: Transport, compiler: Compiler, there: str, timeout_s: int) -> Log:
    # `-s` lists the operators, `-t` is its own limit.
    argv = shell.words([compiler.program, "-s", "-t", str(timeout_s), "-o", there, f"{there}/{INPUT}"])
    try:
        said = link.run(f"cd {shell.word(there)} && {argv} 2>&1", timeout_s=timeout_s + GRACE_S).stdout
    except DeviceError as error:
        raise ConversionError(
            f"{PROGRAM} {compiler.version}: {error.message}",
            hint="`compile_timeout_s` in the variant allows more",
        ) from error
    return edgetpulog.parse(said.decode("utf-8", "replace"))


def _fetch(link: Transport, remote: str, local: Path) -> None:
    try:
        link.get(remote, local, MAX_BYTES)
    except DeviceError as error:
        raise ConversionError(
            f"{PROGRAM} said that the model was compiled, and left no file: {error.message}"
        ) from error


def _artifact(made: Artifact, log: Log, folder: Path) -> Artifact:
    """What was made of `made`, its file relative to `folder`."""
    path = folder / OUTPUT
    inputs, outputs = _orders(made, path)
    return replace(
        made,
        format=FORMAT,
        files=(replace(File.of(path), path=Path(OUTPUT)),),
        input_order=inputs,
        output_order=outputs,
        built_by=f"{PROGRAM} {log.compilation.compiler} ← {made.built_by}",
        compressed_bytes=deflated(path),
        compilation=log.compilation,
    )


def _orders(made: Artifact, path: Path) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Where the compiled file has the inputs and outputs, which it knows by the same names."""
    try:
        before, after = (tflitefile.ports(tflitefile.read(one)) for one in (made.files[0].path, path))
        names = [[port.name for port in ports] for ports in after]
        inputs, outputs = (
            tuple(names[end].index(before[end][number].name) for number in order)
            for end, order in enumerate((made.input_order, made.output_order))
        )
    except (InputError, ValueError) as error:
        raise ConversionError(
            f"what {PROGRAM} made has other inputs and outputs than what it was given, or is no .tflite"
        ) from error
    return inputs, outputs
