"""What emulated boards are built from: sources, drivers, and a cache of whole results only."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from device_tests.emulator import archive, cache, kernel
from edgegreen.errors import DeviceError

TARGETS = """\
http://mirror.test/debian/ bookworm main Debian
http://mirror.test/debian/ bookworm contrib Debian
http://mirror.test/debian/ bookworm-updates main Debian
http://mirror.test/security/ bookworm-security main Debian
http://mirror.test/security/ bookworm-security main Debian
http://other.test/apt bookworm main Somebody Else
http://other.test/debian bookworm stable Docker
http://pg.test/debian bookworm-pgdg main Debian
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EDGEGREEN_EMULATOR_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def tell(_: str) -> None:
    pass


@pytest.mark.parametrize("suite", ["bookworm", "trixie"])
def test_another_release_comes_from_the_same_archives(suite: str) -> None:
    key = f"[signed-by={archive.KEYRING}]"
    assert archive.translate(TARGETS, "bookworm", suite) == [
        f"deb {key} http://mirror.test/debian/ {suite} main",
        f"deb {key} http://mirror.test/debian/ {suite}-updates main",
        f"deb {key} http://mirror.test/security/ {suite}-security main",
    ]


def test_a_machine_without_debians_archives_has_none() -> None:
    assert archive.translate("http://mirror.test/ubuntu noble main Ubuntu\n", "noble", "trixie") == []
    assert archive.translate(TARGETS, "", "trixie") == []


def test_before_apts_first_update_the_origin_is_not_known() -> None:
    assert archive.translate("http://mirror.test/debian bookworm main $(ORIGIN)\n", "bookworm", "trixie")


def test_a_driver_that_has_changed_is_not_patched_in_the_dark() -> None:
    driver = "#include <linux/module.h>\n\tret = i2c_add_adapter(&stub_adapter);\n"
    patched = kernel.patched("i2c-stub", driver)
    assert patched.index("of_find_node_by_path") < patched.index("i2c_add_adapter")
    for changed in (driver + driver, "#include <linux/module.h>\n"):
        with pytest.raises(DeviceError, match="has changed"):
            kernel.patched("i2c-stub", changed)


def test_the_same_inputs_are_built_once_and_others_anew(folder: Path) -> None:
    built: list[Path] = []

    def make(part: Path) -> None:
        built.append(part)
        (part / "disk").write_text("whole")

    first = cache.made("disk", {"suite": "bookworm"}, make, tell)
    assert cache.made("disk", {"suite": "bookworm"}, make, tell) == first
    assert cache.made("disk", {"suite": "trixie"}, make, tell) != first
    assert len(built) == 2
    assert first.parent == folder
    assert (first / "disk").read_text() == "whole"


def test_a_build_that_breaks_off_leaves_nothing(folder: Path) -> None:
    def make(part: Path) -> None:
        (part / "disk").write_text("half")
        raise DeviceError("the disk is full")

    with pytest.raises(DeviceError):
        cache.made("disk", {}, make, tell)
    assert [path for path in folder.iterdir() if path.is_dir()] == []


def test_two_at_once_build_it_once(folder: Path) -> None:
    built: list[Path] = []
    begun, go_on = threading.Event(), threading.Event()

    def make(part: Path) -> None:
        built.append(part)
        begun.set()
        assert go_on.wait(10)

    threads = [threading.Thread(target=cache.made, args=("disk", {}, make, tell)) for _ in range(2)]
    threads[0].start()
    assert begun.wait(10)
    threads[1].start()
    go_on.set()
    for thread in threads:
        thread.join(10)
    assert len(built) == 1
