"""A runtime brought to a real SSH server with a bare Python: sent once, proved, or refused in words."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest

from edgegreen import releases
from edgegreen.provision import elf, inplace, lockfile, provide
from edgegreen.provision.inplace import InPlace
from edgegreen.provision.wheels import Wheel
from edgegreen.releases import Release
from provision import makewheels
from provision.conftest import TFLITE, Bare

pytestmark = pytest.mark.skipif(os.uname().sysname != "Linux", reason="Linux boards only")


def test_brought_proved_and_found(bare: Bare, published: Path) -> None:
    assert bare.runtimes == {}
    done = bare.provide()
    assert done.refused == {}
    assert done.brought[TFLITE].words == "litert 2.3.0"
    assert bare.runtimes == {"litert": "2.3.0"}
    assert bare.site.agent.probe().brought == {"litert": "2.3.0"}
    own, numpy = (wheel.folder for wheel in done.brought[TFLITE].wheels)
    assert bare.names == {own, numpy}
    folder = bare.folder / "runtimes" / own
    assert (folder / "ready.json").is_file()
    assert list(folder.rglob("interpreter.*.pyc"))
    assert not list((bare.folder / "store").glob("*.whl"))  # unpacked, and gone
    stages = list(dict.fromkeys(stage for stage, _ in bare.told))
    assert stages == ["fetching litert 2.3.0", "sending", "unpacking", "trying litert 2.3.0"]


def test_the_second_board_of_a_kind_needs_no_index(boards: Callable[[str], Bare], published: Path) -> None:
    first = boards("one").provide().brought[TFLITE]
    for path in published.iterdir():
        path.unlink()
    second = boards("two").provide().brought[TFLITE]
    assert second.wheels == first.wheels


def test_what_is_there_is_not_sent_again(bare: Bare, published: Path) -> None:
    first = bare.provide()
    folder = bare.folder / "runtimes" / first.brought[TFLITE].wheels[0].folder
    (folder / "ready.json").rename(folder / "untried.json")  # as when the link broke during the proof
    assert bare.runtimes == {}
    (folder / "ai_edge_litert" / "interpreter.py").write_text("half a file")
    again = bare.provide()
    assert again.refused == {}
    # Its own wheel is made anew; numpy's, whole under its name, is not.
    assert again.sent_bytes == first.brought[TFLITE].wheels[0].file.size_bytes
    assert bare.runtimes == {"litert": "2.3.0"}


@pytest.mark.slow
def test_a_lock_pins_until_it_is_renewed(
    boards: Callable[[str], Bare], published: Path, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    one = boards("one")
    one.provide()
    lock = lockfile.read("litert", one.interpreter)
    assert lock is not None
    assert [wheel.name for wheel in lock.wheels] == ["ai-edge-litert", "numpy"]

    makewheels.litert(published, "9.9.0", makewheels.own_tag())
    newer_release(monkeypatch)
    assert boards("two").provide().brought[TFLITE].version == "2.3.0"
    assert one.provide(renew=True).brought[TFLITE].version == "9.9.0"
    assert one.runtimes == {"litert": "9.9.0"}
    assert len(one.names) == 2  # the older one is gone
    assert boards("three").provide().brought[TFLITE].version == "9.9.0"


def test_another_file_under_a_locked_name_is_refused(
    boards: Callable[[str], Bare], published: Path, home: Path
) -> None:
    boards("one").provide()
    for path in (home / "provision" / "wheels").rglob("ai_edge*.whl"):
        path.unlink()
    makewheels.litert(published, "2.3.0", makewheels.own_tag(), invoke="os.environ")
    two = boards("two")
    refusal = two.provide().refused[TFLITE]
    assert "is not what was locked" in refusal.message
    assert "--renew" in str(refusal.hint)
    assert two.names == set()


@pytest.mark.slow
def test_pinned_wheels_are_what_comes_and_are_named_by_the_board(
    boards: Callable[[str], Bare], published: Path, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    first = boards("first")
    first.provide()
    lock = lockfile.read("litert", first.interpreter)
    assert lock
    there = inplace.kits(first.site.link, first.site.target, first.site.agent.probe().python_tag)
    assert there == {"litert": InPlace("2.3.0", tuple(wheel.folder for wheel in lock.wheels))}
    assert lockfile.holding("litert", there["litert"].folders) == lock.wheels
    assert lockfile.holding("litert", ("0" * 12,)) is None

    makewheels.litert(published, "9.9.0", makewheels.own_tag())
    newer_release(monkeypatch)
    first.provide(renew=True)  # from now on, this kind of board gets the newer one
    second = boards("second")
    second.provide(pinned={"litert": lock.wheels})
    assert second.runtimes == {"litert": "2.3.0"}
    kept = lockfile.read("litert", first.interpreter)
    assert kept
    assert kept.version == "9.9.0"  # as it was: a recipe's lock is the recipe's


def newer_release(monkeypatch: pytest.MonkeyPatch) -> None:
    newer = Release("9.9.0", 10, 14, {"aarch64": 17, "x86_64": 17})
    monkeypatch.setitem(releases.RELEASES, "litert", (newer, *releases.RELEASES["litert"]))


@pytest.mark.slow
def test_one_that_crashes_is_not_kept_and_an_older_one_is_taken(
    bare: Bare, published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer_release(monkeypatch)
    makewheels.litert(published, "9.9.0", makewheels.own_tag(), invoke="os.kill(os.getpid(), signal.SIGSEGV)")
    good = (published / f"ai_edge_litert-2.3.0-{makewheels.own_tag()}.whl").rename(published.parent / "away")
    refusal = bare.provide().refused[TFLITE]
    assert refusal.message.startswith(
        "litert 9.9.0 was brought and does not work there: litert: the trial died of SIGSEGV in stage `"
    )
    assert bare.runtimes == {}
    assert lockfile.read("litert", bare.interpreter) is None

    good.rename(published / f"ai_edge_litert-2.3.0-{makewheels.own_tag()}.whl")
    done = bare.provide()
    assert (done.refused, done.brought[TFLITE].version) == ({}, "2.3.0")
    assert bare.runtimes == {"litert": "2.3.0"}
    assert len(bare.names) == 2  # the one that crashes is gone


def test_a_wrong_result_is_no_proof(bare: Bare, index: Path) -> None:
    makewheels.litert(index, "2.3.0", makewheels.own_tag(), error=0.5)
    for version in ("1.26.4", "2.1.3"):
        makewheels.numpy(index, version, makewheels.own_tag())
    message = bare.provide().refused[TFLITE].message
    assert "computes nonsense there: 4, 7, 3, 12.375, 0.5, 3.25 instead of" in message
    assert bare.runtimes == {}


def test_a_wheel_that_links_a_newer_glibc_is_not_even_sent(
    bare: Bare, published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = elf.glibc_needed
    monkeypatch.setattr(elf, "glibc_needed", lambda path: (2, 99) if "litert" in path.name else real(path))
    refusal = bare.provide().refused[TFLITE]
    assert "ai-edge-litert 2.3.0 links glibc 2.99, whatever its name says" in refusal.message
    assert bare.names == set()
    assert not list((bare.folder / "store").glob("*.whl"))


def test_what_the_index_lacks(bare: Bare, index: Path) -> None:
    refusal = bare.provide().refused[TFLITE]
    assert "cannot fetch ai-edge-litert==2.3.0 numpy==" in refusal.message
    assert "package index" in str(refusal.hint)


def test_on_32_bits_numpy_is_the_systems_business(bare: Bare, index: Path) -> None:
    arm = replace(
        bare.site.agent.probe(), machine="aarch64", bits=32, python="3.11.2", libc="glibc 2.36",
        python_tag="cpython-311-arm-linux-gnueabihf",
    )  # fmt: skip
    tag = "cp311-cp311-manylinux_2_34_armv7l"
    makewheels.wheel(index, "tflite-runtime", "2.14.0", tag, {"tflite_runtime/__init__.py": ""})
    refusal = provide(bare.site, arm, [TFLITE], lambda *_: None, Event()).refused[TFLITE]
    assert "numpy==1.26.4" in refusal.message
    assert "apt install python3-numpy" in str(refusal.hint)
    # With the system's own, it gets as far as the proof, which is no Arm board's here.
    done = provide(bare.site, replace(arm, numpy="1.24.2"), [TFLITE], lambda *_: None, Event())
    assert "was brought and does not work there" in done.refused[TFLITE].message
    assert len(bare.names) == 1


def test_room_is_looked_for_before_anything_is_sent(
    bare: Bare, published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Wheel, "unpacked_bytes", 10**15)
    refusal = bare.provide().refused[TFLITE]
    assert "needs 2000000001.1 MB" in refusal.message
    assert bare.names == set()


def test_too_little_room_for_one_costs_the_other_nothing(
    bare: Bare, published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    makewheels.wheel(published, "openvino", "2026.4.1", makewheels.own_tag(), {"openvino/__init__.py": ""})
    size = property(lambda wheel: 10**15 if wheel.locked.name == "openvino" else 1000)
    monkeypatch.setattr(Wheel, "unpacked_bytes", size)
    done = bare.provide(TFLITE, ("openvino",))
    assert set(done.brought) == {TFLITE}
    assert "are free on" in done.refused["openvino",].message
    assert bare.runtimes == {"litert": "2.3.0"}
