"""The receiving scripts under the shells and tools that boards have, and what goes wrong with files."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sshd import MakeUpload, Sshd

from edgegreen.errors import DeviceError, InputError
from edgegreen.transport import Upload
from edgegreen.transport import upload as uploading
from edgegreen.transport.local import LocalTransport
from edgegreen.transport.ssh import SSHTransport

BIG = 3_000_000  # more than what is packed


def part_of(item: Upload) -> Path:
    return Path(uploading.part_of(item))


@pytest.fixture(params=["coreutils", "busybox"])
def start(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[uploading.Start]:
    """Start programs here, with nothing on the PATH but one family of tools."""
    with LocalTransport() as here:
        if request.param == "coreutils":
            yield here.start
            return
        busybox = shutil.which("busybox")
        if busybox is None:
            pytest.skip("busybox is not installed")
        tools = tmp_path / "busybox"
        tools.mkdir()
        for name in subprocess.check_output([busybox, "--list"], text=True).split():
            (tools / name).symlink_to(busybox)
        yield lambda argv: here.start(["env", f"PATH={tools}", *argv])


def send(start: uploading.Start, *items: Upload) -> int:
    return uploading.send(start, "board", items, lambda _: None)


def test_files_of_all_sizes(start: uploading.Start, upload: MakeUpload, tmp_path: Path) -> None:
    folder = tmp_path / "store here"
    sizes = [0, 1, 511, 512, 513, 65536, uploading.SMALL_BYTES, uploading.SMALL_BYTES + 1, BIG]
    items = [upload(f"{folder}/{size}.bin", size) for size in sizes]
    items += [upload(f"{folder}/.hidden"), upload(f"{folder}/a b'c"), upload(f"{folder}/{'n' * 120}")]
    assert send(start, *items, items[0]) == sum(item.size_bytes for item in items)
    for item in items:
        assert Path(item.remote).read_bytes() == item.source.read_bytes()
    assert len(list(folder.iterdir())) == len(items)


@pytest.mark.parametrize(
    ("part_bytes", "sent"), [(0, BIG), (65535, BIG), (65536, BIG - 65536), (BIG, BIG % 65536)]
)
def test_what_was_sent_before_is_not_sent_again(
    part_bytes: int, sent: int, start: uploading.Start, upload: MakeUpload, tmp_path: Path
) -> None:
    item = upload(f"{tmp_path}/model", BIG)
    part_of(item).write_bytes(item.source.read_bytes()[:part_bytes])
    assert send(start, item) == sent
    assert Path(item.remote).read_bytes() == item.source.read_bytes()
    assert not part_of(item).exists()


@pytest.mark.parametrize("part_bytes", [1_000_000, BIG, BIG + 1])
def test_a_part_that_is_damaged_is_sent_anew(
    part_bytes: int, start: uploading.Start, upload: MakeUpload, tmp_path: Path
) -> None:
    item = upload(f"{tmp_path}/model", BIG)
    part_of(item).write_bytes(os.urandom(part_bytes))
    assert send(start, item) == BIG
    assert Path(item.remote).read_bytes() == item.source.read_bytes()


@pytest.mark.parametrize("size_bytes", [1000, BIG])
def test_a_file_that_changed_since_it_was_digested_never_appears(
    size_bytes: int, start: uploading.Start, upload: MakeUpload, tmp_path: Path
) -> None:
    item = upload(f"{tmp_path}/there/model", size_bytes)
    item.source.write_bytes(os.urandom(size_bytes))
    with pytest.raises(DeviceError, match="model arrived damaged twice"):
        send(start, item)
    assert not Path(item.remote).exists()
    assert list((tmp_path / "there").glob(".*")) == []


@pytest.mark.parametrize("size_bytes", [1000, BIG])
def test_a_source_that_is_gone_is_an_input_error(
    size_bytes: int, start: uploading.Start, upload: MakeUpload, tmp_path: Path
) -> None:
    item = upload(f"{tmp_path}/there/model", size_bytes)
    item.source.unlink()
    with pytest.raises(InputError, match=f"{item.source}: No such file"):
        send(start, item)
    assert not Path(item.remote).exists()


@pytest.mark.parametrize("size_bytes", [1000, BIG])
def test_no_folder_can_be_made(
    size_bytes: int, start: uploading.Start, upload: MakeUpload, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DeviceError, match=r"cannot write .*/file/sub.*: .*(Not a directory|exists)"):
        send(start, upload(f"{tmp_path}/file/sub/model", size_bytes))


def test_a_disk_that_is_full(start: uploading.Start, upload: MakeUpload, tmp_path: Path) -> None:
    item = upload(f"{tmp_path}/there/model", BIG)
    part_of(item).parent.mkdir()
    part_of(item).symlink_to("/dev/full")  # where every write finds the disk full
    with pytest.raises(DeviceError, match=f"cannot write {item.remote}: .*No space left on device") as caught:
        send(start, item)
    assert "MB are free on /" in str(caught.value.hint)
    assert not Path(item.remote).exists()


@pytest.mark.parametrize("size_bytes", [1000, BIG])
def test_a_board_without_sha256sum(size_bytes: int, upload: MakeUpload, tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("sh", "mkdir", "rm", "mv", "tar", "dd", "wc", "df", "sed", "sync"):
        (tools / name).symlink_to(str(shutil.which(name)))
    item = upload(f"{tmp_path}/there/model", size_bytes)
    with LocalTransport() as here, pytest.raises(DeviceError, match=r"cannot write .*sha256sum: not found"):
        send(lambda argv: here.start(["/usr/bin/env", f"PATH={tools}", *argv]), item)
    assert not Path(item.remote).exists()


def test_two_uploads_of_the_same_file_at_once(upload: MakeUpload, tmp_path: Path) -> None:
    item = upload(f"{tmp_path}/model", 30_000_000)
    errors: list[BaseException] = []

    def put() -> None:
        try:
            with LocalTransport() as here:
                send(here.start, item)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=put) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert Path(item.remote).read_bytes() == item.source.read_bytes()


@pytest.mark.parametrize("remote", ["relative/model", "model", "/folder/", "~user/model"])
def test_a_remote_path_must_be_absolute(remote: str, upload: MakeUpload) -> None:
    with pytest.raises(InputError, match="no absolute path"):
        send(LocalTransport().start, upload(remote))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("/dev/vda  264212084 25616756 78374152  25% /", (78374152 * 1024, "/")),
        ("tmpfs 1024 1024 0 100% /mnt/small disk", (0, "/mnt/small disk")),
        ("//nas/my share 100 50 -3 99% /nas", (0, "/nas")),
        ("overlay 100 50 50 - /", (50 * 1024, "/")),
        ("Filesystem 1024-blocks Used Available Capacity Mounted on", None),
        ("", None),
    ],
)
def test_free_space(line: str, expected: tuple[int, str] | None) -> None:
    assert uploading.free_space(line) == expected


@pytest.fixture(scope="session")
def small_board(openssh: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SSHTransport]:
    """A server whose every command finds an empty file system of 2 MB mounted on ~/small."""
    script = tmp_path_factory.mktemp("small") / "in_namespace"
    unshare = ["unshare", "--user", "--map-root-user", "--mount"]
    mount = 'mount -t tmpfs -o size=2m small "$HOME/small" && exec sh -c "$SSH_ORIGINAL_COMMAND"'
    lines = ["#!/bin/sh", 'mkdir -p "$HOME/small"', f"exec {' '.join(unshare)} sh -c '{mount}'"]
    script.write_text("\n".join(lines))
    script.chmod(0o755)
    probe = subprocess.run(
        [*unshare, "mount", "-t", "tmpfs", "small", "/mnt"], check=False, capture_output=True
    )
    if probe.returncode != 0:
        pytest.skip(f"no user namespaces here, so no small disk: {probe.stderr.decode().strip()}")
    server = Sshd(tmp_path_factory.mktemp("small") / "sshd", f"ForceCommand {script}").start()
    with SSHTransport.connect(server.target(), config_files=[server.config]) as board:
        yield board
    server.stop()


@pytest.mark.parametrize("pieces", [[5_000_000], [700_000] * 5])
def test_a_board_whose_disk_is_full(small_board: SSHTransport, pieces: list[int], upload: MakeUpload) -> None:
    items = [upload(f"~/small/{number}.bin", size) for number, size in enumerate(pieces)]
    with pytest.raises(DeviceError, match=r"board: cannot write ~/small.*No space left on device") as caught:
        small_board.put(items)
    assert str(caught.value.hint).startswith("0.0 MB are free on ")
    assert small_board.put(items[:1] if len(items) > 1 else [upload("~/small/1.bin", 1_500_000)]) > 0


def test_a_board_that_denies_writing(small_board: SSHTransport, upload: MakeUpload) -> None:
    with pytest.raises(DeviceError, match=r"cannot write /sys/model: .*(denied|Read-only)") as caught:
        small_board.put([upload("/sys/model", BIG)])
    assert "`root` in the target" in str(caught.value.hint)
