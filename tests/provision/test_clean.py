"""What edgegreen put on a board goes, what others put there stays, and some folders are not touched."""

from __future__ import annotations

from pathlib import Path

import pytest
from sshd import Sshd

from edgegreen import provision
from edgegreen.errors import DeviceError, InputError
from edgegreen.provision.clean import check_root
from edgegreen.target import Target
from edgegreen.transport.ssh import SSHTransport

DIGEST = "0123456789abcdef" * 4


@pytest.fixture(params=["local", "ssh"])
def where(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Target, Path]:
    """A target, and its root in this file system; the same test by either transport."""
    if request.param == "local":
        return Target(host="local", root=f"{tmp_path}/the root").called("here"), tmp_path / "the root"
    server: Sshd = request.getfixturevalue("sshd")
    name = f".edgegreen of {tmp_path.name}"
    monkeypatch.setattr(
        "edgegreen.transport.connect",
        lambda target: SSHTransport.connect(target, config_files=[server.config]),
    )
    return server.target(root=f"~/{name}"), server.home / name


def fill(root: Path) -> None:
    """What a used root holds."""
    for name in (
        f"store/{DIGEST}.tflite", f"store/{DIGEST}", f"store/{DIGEST}.whl.0123456789ab.part",
        "store/.incoming.12/x", "runtimes/0123456789ab/numpy/x.py", "runtimes/0123456789ab.part-77/half",
    ):  # fmt: skip
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(bytes(5000))


def test_all_of_it_goes(where: tuple[Target, Path]) -> None:
    target, root = where
    fill(root)
    freed = provision.clean(target)
    assert freed is not None
    assert 30_000 <= freed < 100_000
    assert not root.exists()
    assert provision.clean(target) is None


def test_what_others_put_there_stays(where: tuple[Target, Path]) -> None:
    target, root = where
    fill(root)
    kept = [root / "notes.txt", root / "store" / "mine.tflite", root / "runtimes" / "python" / "x"]
    for path in kept:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("dear to somebody")
    provision.clean(target)
    assert sorted(path for path in root.rglob("*") if path.is_file()) == sorted(kept)


def test_no_link_is_followed(where: tuple[Target, Path], tmp_path: Path) -> None:
    target, root = where
    fill(root)
    elsewhere = tmp_path / "elsewhere"
    (root / "store").rename(elsewhere)
    (root / "store").symlink_to(elsewhere)
    with pytest.raises(DeviceError, match="store is a link"):
        provision.clean(target)
    assert len(list(elsewhere.rglob("*.tflite"))) == 1
    (root / "store").unlink()
    (root / "runtimes" / ("f" * 12)).symlink_to(elsewhere)
    provision.clean(target)
    assert len(list(elsewhere.rglob("*.tflite"))) == 1


@pytest.mark.parametrize(
    "root", ["/", "//", "~", "~/", "~//", "/home", "/home/pi", "/root/", "/usr", "/usr/local",
             "/etc/edgegreen", "/var/lib", "/home/pi/../..", "~/..", "relative"],
)  # fmt: skip
def test_roots_that_cannot_have_been_meant(root: str) -> None:
    with pytest.raises(InputError, match="is not a folder of edgegreen's own"):
        check_root(root)


@pytest.mark.parametrize(
    "root", ["~/.edgegreen", "/data", "/data/edgegreen/", "/home/pi/.edgegreen", "/root/.edgegreen", "/tmp/x"]
)
def test_roots_that_are_fine(root: str) -> None:
    assert check_root(root) == root.rstrip("/")
