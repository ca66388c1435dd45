"""What a board is, over a real SSH server and on recorded boards; what of it differs, what may be missing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from probe.conftest import Recorded, facts, recorded, replies  # noqa: F401
from sshd import Sshd

from edgegreen.errors import DeviceError, InputError
from edgegreen.formats import FORMATS, RuntimeName
from edgegreen.locked import board
from edgegreen.locked.board import Seen
from edgegreen.locked.lock import BoardLock, RuntimeLock
from edgegreen.measurement import Tuning
from edgegreen.plan import Trial
from edgegreen.probe import pythons
from edgegreen.probe.facts import BoardFacts, Library, Package, Python
from edgegreen.provision.inplace import InPlace
from edgegreen.provision.lockfile import Locked
from edgegreen.recipe import Variant
from edgegreen.target import Target
from edgegreen.transport.ssh import SSHTransport

TFLITE = FORMATS["tflite"].runtimes
WHEEL = Locked("ai-edge-litert", "2.3.0", "ai_edge_litert-2.3.0-py3-none-any.whl", "5f" * 32, 9)
OWN = RuntimeLock(version="2.3.0")
BROUGHT = RuntimeLock(version="2.3.0", wheels=(WHEEL,))
PI = BoardLock(family="raspberry-pi-5", board="a Pi", kernel="Linux 6.6.31", governor="performance")
HERE = Target(host="local").called("board")


def trial(target: Target = HERE, tuning: Tuning | None = None) -> Trial:
    return Trial("int8", Variant(format="tflite", precision="int8"), target, TFLITE, 1, tuning)


def seen(litert: str | None = None, kit: str | None = None, **changes: Any) -> Seen:
    """The Pi; with this litert of its own, or one that was brought, its wheel in that folder."""
    brought: dict[RuntimeName, InPlace] = {"litert": InPlace("2.3.0", (kit,))} if kit else {}
    ours = litert or ("2.3.0" if kit else None)
    runtimes: dict[RuntimeName, RuntimeLock] = {"litert": RuntimeLock(version=ours)} if ours else {}
    now = PI.model_copy(update=changes | {"runtimes": runtimes})
    return Seen(now, (TFLITE,), brought, () if ours else (TFLITE,))


def differing(runtime: RuntimeLock, now: Seen, *, provision: bool = True) -> list[str]:
    locked = PI.model_copy(update={"runtimes": {"litert": runtime}})
    return [str(one) for one in board.differences(locked, now, provision=provision)]


@pytest.mark.parametrize(
    ("runtime", "now"), [(OWN, seen("2.3.0")), (BROUGHT, seen(kit="5f" * 6)), (BROUGHT, seen())]
)
def test_the_same_or_about_to_be(runtime: RuntimeLock, now: Seen) -> None:
    assert differing(runtime, now) == []


def test_each_difference_is_named() -> None:
    assert differing(OWN, seen("2.1.0", kernel="Linux 6.6.51", governor=None)) == [
        "kernel: Linux 6.6.31 → Linux 6.6.51",
        "governor: performance → nothing",
        "runtimes.litert: 2.3.0 → 2.1.0",
    ]


def test_a_runtime_that_is_gone_and_nobody_brings() -> None:
    assert differing(OWN, seen()) == ["runtimes.litert: 2.3.0 → nothing"]
    assert differing(BROUGHT, seen(), provision=False) == ["runtimes.litert: 2.3.0 → nothing"]


def test_a_runtime_that_was_not_wanted_when_it_was_locked() -> None:
    (one,) = board.differences(PI, seen(), provision=True)
    assert str(one) == "runtimes.litert: nothing → one that is to be brought"


def test_other_wheels_of_the_same_version() -> None:
    (other,) = differing(BROUGHT, seen(kit="ab" * 6))
    assert other == f"runtimes.litert.wheels: {WHEEL.file} (5f5f5f5f5f5f…) → abababababab…"
    (own,) = differing(BROUGHT, seen("2.3.0"))
    assert own.endswith("→ the board's own")


def test_runtimes_of_other_variants_do_not_matter() -> None:
    locked = PI.model_copy(update={"runtimes": {"litert": OWN, "openvino": OWN}})
    assert board.differences(locked, seen("2.3.0"), provision=True) == []


def test_all_in_one_line_for_the_table_of_failures() -> None:
    locked = PI.model_copy(update={"runtimes": {"litert": OWN}})
    with pytest.raises(InputError) as error:
        board.check(locked, seen("2.3.0", governor="powersave", kernel="Linux 7"), HERE)
    assert "\n" not in error.value.message
    assert "kernel: locked Linux 6.6.31, found Linux 7; governor: locked performance, found powersave" in (
        error.value.message
    )


def test_a_recorded_jetson(facts: Callable[[str], BoardFacts]) -> None:  # noqa: F811
    now = board.of(facts("jetson-orin-nano-jp6"), {}, HERE, [trial()])
    told = now.board
    assert (told.family, told.l4t, told.power_mode) == ("jetson-orin", "36.4.3", "MAXN_SUPER")
    assert (told.python, told.libc, told.governor) == ("3.10.12", "glibc 2.35", "schedutil")
    assert (told.runtimes, now.lacking) == ({}, (TFLITE,))


def test_what_the_recipe_sets_is_not_locked(facts: Callable[[str], BoardFacts]) -> None:  # noqa: F811
    tuned = [trial(tuning=Tuning(governor="performance", power_mode=mode)) for mode in (0, 1)]
    told = board.of(facts("jetson-orin-nano-jp6"), {}, HERE, tuned).board
    assert (told.governor, told.power_mode) == (None, None)


def test_no_python_there(facts: Callable[[str], BoardFacts]) -> None:  # noqa: F811
    with pytest.raises(DeviceError, match="is not there, or does not answer"):
        board.of(BoardFacts(), {}, HERE, [trial()])


def test_every_runtime_is_looked_for() -> None:
    """Or a lock would call it missing on a board that has it."""
    names = [name for one in FORMATS.values() for name in one.runtimes]
    packages = tuple(Package(name, "1.0") for name in pythons.RUNTIMES)
    there = BoardFacts(
        python=Python("python3", (3, 11, 2), packages=packages),
        tensorrt=Library("/usr/src/tensorrt/bin/trtexec", "10.3.0"),
    )
    every = [replace(trial(), runtimes=(name,)) for name in names]
    now = board.of(there, {}, HERE, every)
    assert (set(now.board.runtimes), now.lacking) == (set(names), ())
    assert {now.board.runtimes[name].version for name in ("edgetpu", "tensorrt")} == {"1.0", "10.3.0"}
    assert board.of(replace(there, tensorrt=None), {}, HERE, every).lacking == (("tensorrt",),)


@pytest.fixture
def pi(sshd: Sshd, recorded: Callable[[str], Recorded]) -> Iterator[tuple[SSHTransport, Target, Path]]:  # noqa: F811
    """A real server with a recorded Raspberry Pi's files; and where its governor is written."""
    root = recorded("raspberry-pi-5").root
    target = sshd.target(sysfs_root=str(root), python=sys.executable)
    with SSHTransport.connect(target, config_files=[sshd.config]) as link:
        yield link, target, root / "sys/devices/system/cpu/cpufreq/policy0/scaling_governor"


def test_over_ssh_before_anything_is_sent(pi: tuple[SSHTransport, Target, Path], sshd: Sshd) -> None:
    link, target, governor = pi
    there = set(sshd.home.rglob("*"))
    before = board.look(link, target, [trial(target)])
    assert before.board.family == "raspberry-pi-5"
    assert before.board.runtimes["litert"].version == version("ai-edge-litert")
    text = before.board.model_dump_json()
    for private in ("127.0.0.1", str(sshd.port), str(sshd.home), sys.executable):
        assert private not in text

    board.check(before.board, board.look(link, target, [trial(target)]), target)
    governor.chmod(0o644)
    governor.write_text("conservative\n")
    with pytest.raises(InputError, match=r"governor: locked \w+, found conservative"):
        board.check(before.board, board.look(link, target, [trial(target)]), target)
    assert set(sshd.home.rglob("*")) == there
