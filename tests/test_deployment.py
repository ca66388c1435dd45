"""Files in place on a board: sent once, found again, and refused when there is no room."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from delay_proxy import DelayProxy
from sshd import Sshd

from edgegreen.artifact import File
from edgegreen.deployment import deploy, parse_look
from edgegreen.errors import DeviceError, InputError
from edgegreen.transport import Transport
from edgegreen.transport.local import LocalTransport
from edgegreen.transport.ssh import SSHTransport

MakeFile = Callable[..., File]


@dataclass(frozen=True)
class Board:
    """A connected board and, in this file system, the root folder that it is told to use."""

    transport: Transport
    root: str
    folder: Path


@pytest.fixture(params=["local", "ssh"])
def board(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Board]:
    """This machine by either transport."""
    if request.param == "local":
        with LocalTransport() as transport:
            yield Board(transport, f"{tmp_path}/root of it", tmp_path / "root of it")
        return
    server: Sshd = request.getfixturevalue("sshd")
    name = f".edgegreen of {tmp_path.name}"
    with SSHTransport.connect(server.target(), config_files=[server.config]) as remote:
        yield Board(remote, f"~/{name}", server.home / name)


@pytest.fixture
def make(tmp_path: Path) -> MakeFile:
    """A new local file."""

    def make_file(name: str, size_bytes: int = 1000) -> File:
        path = tmp_path / name
        path.write_bytes(os.urandom(size_bytes))
        return File.of(path)

    return make_file


def test_everything_is_sent_once(board: Board, make: MakeFile) -> None:
    files = [make("agent-0123.pyz"), make("model.tflite", 1_500_000), make("net.xml"), make("net.bin", 0)]
    seen: list[int] = []
    first = deploy(board.transport, board.root, files, seen.append)
    assert first.sent_bytes == sum(seen) == 1_502_000
    for file in files:
        there = Path(first.paths[file.sha256].replace(board.root, str(board.folder)))
        assert there.parent == board.folder / "store"
        assert there.read_bytes() == file.path.read_bytes()
        assert there.suffix == file.path.suffix
    assert first.agent == first.paths[files[0].sha256]

    seen.clear()
    again = deploy(board.transport, board.root, files, seen.append)
    assert (again.sent_bytes, seen, again.paths) == (0, [], first.paths)

    more = [*files, make("other.tflite", 5000)]
    assert deploy(board.transport, board.root, more).sent_bytes == 5000


def test_a_file_that_was_cut_short_on_the_board_is_sent_again(board: Board, make: MakeFile) -> None:
    files = [make("agent.pyz"), make("model.tflite", 5000)]
    stored = board.folder / "store" / f"{files[1].sha256}.tflite"
    deploy(board.transport, board.root, files)
    stored.write_bytes(stored.read_bytes()[:4999])
    assert deploy(board.transport, board.root, files).sent_bytes == 5000
    assert stored.read_bytes() == files[1].path.read_bytes()


def test_what_lies_in_the_store_besides_does_no_harm(board: Board, make: MakeFile) -> None:
    files = [make("agent.pyz"), make("model.tflite")]
    folder = board.folder / "store" / f"{files[1].sha256}.tflite"
    folder.mkdir(parents=True)
    (board.folder / "store" / "a file\nwith odd name").touch()
    with pytest.raises(DeviceError, match="cannot write"):
        deploy(board.transport, board.root, files)
    folder.rmdir()
    deploy(board.transport, board.root, files)
    assert folder.is_file()


def test_strange_suffixes_stay_out_of_names(board: Board, make: MakeFile) -> None:
    odd = make("weights.a$b c")
    done = deploy(board.transport, board.root, [make("agent.pyz"), odd])
    assert done.paths[odd.sha256] == f"{board.root}/store/{odd.sha256}"


def test_many_files_are_looked_for_at_once(board: Board, make: MakeFile) -> None:
    files = [make("agent.pyz"), *(make(f"{number}.npz", 10) for number in range(300))]
    assert deploy(board.transport, board.root, files).sent_bytes == 4000
    assert deploy(board.transport, board.root, files).sent_bytes == 0


def test_too_little_room_is_said_before_anything_is_sent(board: Board, make: MakeFile) -> None:
    agent, model = make("agent.pyz"), make("model.tflite")
    huge = replace(model, size_bytes=1 << 50)
    with pytest.raises(DeviceError, match=r"needs 1125899907\.9 MB, [\d.]+ MB are free on /") as caught:
        deploy(board.transport, board.root, [agent, huge])
    assert "`root` in the target" in str(caught.value.hint)
    assert list((board.folder / "store").iterdir()) == []


def test_what_lies_there_of_an_earlier_upload_needs_no_room(board: Board, make: MakeFile) -> None:
    agent, model = make("agent.pyz"), make("model.tflite", 1 << 21)
    part = board.folder / "store" / f"{model.sha256}.tflite.{model.sha256[:12]}.part"
    part.parent.mkdir(parents=True)
    with part.open("wb") as stream:
        try:
            stream.truncate(1 << 42)  # sparse, and larger than what is free
        except OSError:
            pytest.skip("this file system takes no large sparse files")
    huge = replace(model, size_bytes=(1 << 42) + 1000)
    with pytest.raises(InputError, match="enough seen"):  # the check let it pass
        deploy(board.transport, board.root, [agent, huge], stop)


def stop(_: int) -> None:
    """Break off an upload that has begun."""
    raise InputError("enough seen")


def test_a_root_that_cannot_be_used(board: Board, make: MakeFile) -> None:
    board.folder.mkdir()
    (board.folder / "file").touch()
    with pytest.raises(DeviceError, match=r"cannot use .*/sub/store: .*(Not a directory|exists)") as caught:
        deploy(board.transport, f"{board.root}/file/sub", [make("agent.pyz")])
    assert "`root` in the target" in str(caught.value.hint)
    with pytest.raises(InputError, match="neither absolute nor in the home folder"):
        deploy(board.transport, "relative/root", [make("agent.pyz")])


def test_an_unchanged_deploy_takes_one_command(sshd: Sshd, make: MakeFile) -> None:
    files = [make("agent.pyz"), make("model.tflite", 100_000)]
    for sent_bytes, most_trips, most_bytes_up in ((101_000, 10, 110_000), (0, 3, 4000)):
        with DelayProxy(sshd.port, one_way_s=0.05) as proxy:
            sshd.trust_port(proxy.port)
            target = sshd.target(port=proxy.port)
            with SSHTransport.connect(target, config_files=[sshd.config]) as transport:
                trips, up = proxy.round_trips, proxy.bytes_up
                assert deploy(transport, "~/.once", files).sent_bytes == sent_bytes
                assert proxy.round_trips - trips <= most_trips
                assert proxy.bytes_up - up <= most_bytes_up


@pytest.mark.parametrize(
    ("listing", "sizes", "free"),
    [
        (  # coreutils on Debian
            "-rw-r--r-- 1 1000 1000 54 Nov 22 04:17 ab.tflite\n"
            "/dev/mmcblk0p2 30358460 5033612 24056936 18% /\n",
            {"ab.tflite": 54},
            (24056936 * 1024, "/"),
        ),
        (  # busybox on Alpine
            "-rw-r--r--    1 0        0             3000 Jan  1  1970 s3.x\n"
            "drwxr-xr-x    2 0        0             4096 Jan  1  1970 folder\n"
            "lrwxrwxrwx    1 0        0                4 Jan  1  1970 link.x -> s3.x\n"
            "overlay              103079844  41218496  56580036  42% /\n",
            {"s3.x": 3000},
            (56580036 * 1024, "/"),
        ),
        ("", {}, None),
        ("-rw-r--r-- 1 0 0 many Nov 22 04:17 x\ngarbage\n-\n", {}, None),
    ],
)
def test_parse_look(listing: str, sizes: dict[str, int], free: tuple[int, str] | None) -> None:
    assert parse_look(listing) == (sizes, free)
