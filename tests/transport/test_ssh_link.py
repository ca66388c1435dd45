"""A link that is slow, breaks or falls silent: through a proxy between us and a real OpenSSH server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from delay_proxy import DelayProxy
from sshd import Connect, MakeUpload, Sshd

from edgegreen.errors import UnreachableError
from edgegreen.transport import upload as uploading
from edgegreen.transport.ssh.connection import Patience


@pytest.fixture
def proxy(sshd: Sshd) -> Iterator[DelayProxy]:
    """A proxy in front of the shared server."""
    with DelayProxy(sshd.port) as between:
        sshd.trust_port(between.port)
        yield between


def test_round_trips(connect: Connect, proxy: DelayProxy, upload: MakeUpload) -> None:
    proxy.one_way_s = 0.02
    small = [upload(f"~/trips/{number}", 10_000) for number in range(20)]
    board = connect(port=proxy.port)
    assert proxy.round_trips <= 5

    def trips(step: object) -> int:
        before = proxy.round_trips
        assert callable(step)
        step()
        return proxy.round_trips - before

    assert trips(lambda: board.run("true")) <= 3
    assert trips(lambda: board.put(small)) <= 5
    assert trips(lambda: board.put([upload("~/trips/big", 1_200_000)])) <= 6


def test_an_upload_is_taken_up_where_it_broke(
    connect: Connect, proxy: DelayProxy, sshd: Sshd, upload: MakeUpload
) -> None:
    item = upload("~/resumed/model.bin", 20_000_000)
    proxy.cut_after_bytes = 12_000_000
    with pytest.raises(UnreachableError, match="the connection broke") as caught:
        connect(port=proxy.port).put([item])
    assert caught.value.transient
    part = Path(uploading.part_of(item).replace("~", str(sshd.home), 1))
    assert not (sshd.home / "resumed" / "model.bin").exists()
    deadline_s = time.monotonic() + 5
    while not part.exists() or part.stat().st_size < 1_000_000:  # the server may still be writing
        assert time.monotonic() < deadline_s
    proxy.cut_after_bytes = None

    sent = connect(port=proxy.port).put([item])
    assert 0 < sent < 19_100_000
    assert (sshd.home / "resumed" / "model.bin").read_bytes() == item.source.read_bytes()
    assert not part.exists()


def test_a_pack_that_breaks_leaves_nothing_half(
    connect: Connect, proxy: DelayProxy, sshd: Sshd, upload: MakeUpload
) -> None:
    items = [upload(f"~/broken/{number}.bin", 500_000) for number in range(10)]
    proxy.cut_after_bytes = 2_500_000
    with pytest.raises(UnreachableError):
        connect(port=proxy.port).put(items)
    assert list((sshd.home / "broken").glob("*.bin")) == []
    proxy.cut_after_bytes = None
    assert connect(port=proxy.port).put(items) == 5_000_000
    assert len(list((sshd.home / "broken").glob("*.bin"))) == 10


def test_a_link_that_breaks_while_a_command_runs(connect: Connect, proxy: DelayProxy) -> None:
    board = connect(port=proxy.port)
    process = board.start(["sh", "-c", "echo up; cat"])
    lines = process.lines(60, 100)
    assert next(lines) == b"up"
    began_s = time.monotonic()
    proxy.cut()
    with pytest.raises(UnreachableError, match="the connection broke: ") as caught:
        next(lines)
    assert time.monotonic() - began_s < 3
    assert caught.value.transient
    assert process.close() is None
    with pytest.raises(UnreachableError):
        process.write(b"x")
    with pytest.raises(UnreachableError):
        board.run("true")


def test_a_board_that_falls_silent_is_given_up(connect: Connect, proxy: DelayProxy) -> None:
    board = connect(port=proxy.port, patience=Patience(ping_s=0.2, silence_s=1.0))
    process = board.start(["cat"])
    process.write(b"x\n")
    lines = process.lines(60, 100)
    assert next(lines) == b"x"
    time.sleep(1.5)  # silence of the program alone is no reason: the server answers our pings
    process.write(b"y\n")
    assert next(lines) == b"y"
    proxy.frozen = True
    began_s = time.monotonic()
    with pytest.raises(UnreachableError, match="nothing came for 1 s"):
        next(lines)
    assert time.monotonic() - began_s < 4


def test_a_board_that_falls_silent_during_an_upload(
    connect: Connect, proxy: DelayProxy, upload: MakeUpload
) -> None:
    board = connect(port=proxy.port, patience=Patience(ping_s=0.2, silence_s=1.0))

    def freeze(_: int) -> None:
        proxy.frozen = True

    began_s = time.monotonic()
    with pytest.raises(UnreachableError, match="nothing came for 1 s"):
        board.put([upload("~/frozen.bin", 30_000_000)], freeze)
    assert time.monotonic() - began_s < 6


def test_a_slow_link_is_no_dead_one(connect: Connect, proxy: DelayProxy) -> None:
    proxy.one_way_s = 0.1
    board = connect(port=proxy.port, patience=Patience(ping_s=0.1, silence_s=0.6))
    assert board.run("sleep 1.2; echo done").stdout == b"done\n"
