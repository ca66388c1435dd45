"""The same promises without SSH."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from sshd import MakeUpload

from edgegreen.errors import DeviceError, InputError, UnreachableError
from edgegreen.target import Target
from edgegreen.transport import MAX_OUTPUT_BYTES, connect
from edgegreen.transport.local import LocalTransport


@pytest.fixture
def here() -> Iterator[LocalTransport]:
    """This machine."""
    with LocalTransport() as transport:
        yield transport


def test_connect_knows_this_machine() -> None:
    with connect(Target(host="local")) as transport:
        assert isinstance(transport, LocalTransport)
        assert transport.name == "local"


def test_run(here: LocalTransport, own_home: Path) -> None:
    done = here.run('cat; echo "$HOME"; echo oops >&2; exit 3', stdin=b"fed\n")
    assert (done.exit_code, done.stdout, done.stderr) == (3, f"fed\n{own_home}\n".encode(), b"oops\n")
    assert done.signal is None
    died = here.run("kill -SEGV $$")
    assert (died.exit_code, died.signal) == (139, "SIGSEGV")


def test_run_has_limits(here: LocalTransport) -> None:
    began_s = time.monotonic()
    with pytest.raises(DeviceError, match="`sleep 60; true` did not end within"):
        here.run("sleep 60; true", timeout_s=0.2)
    assert time.monotonic() - began_s < 5
    with pytest.raises(DeviceError, match="prints more than"):
        here.run(f"head -c {MAX_OUTPUT_BYTES + 1} /dev/zero")


def test_start(here: LocalTransport, own_home: Path) -> None:
    process = here.start(
        [
            "sh",
            "-c",
            'echo "$1"; while read -r x; do echo "got $x"; done; echo end >&2; exit 7',
            "sh",
            "~/a b",
        ]
    )
    lines = process.lines(10, 1000)
    assert next(lines) == f"{own_home}/a b".encode()
    process.write(b"one\n")
    assert next(lines) == b"got one"
    process.write(b"two")
    process.close_stdin()
    assert list(lines) == []
    assert process.stderr_tail() == "end\n"
    assert (process.close(), process.close()) == (7, 7)


def test_start_has_limits(here: LocalTransport) -> None:
    process = here.start(["sh", "-c", "echo 12345; cat"])
    with pytest.raises(DeviceError, match="longer than 4 bytes"):
        next(process.lines(10, 4))
    process.close()
    process = here.start(["cat"])
    with pytest.raises(DeviceError, match="nothing came for"):
        next(process.lines(0.1, 4))
    process.close()


def test_stderr_cannot_fill_up_and_block(here: LocalTransport) -> None:
    process = here.start(["sh", "-c", "head -c 3000000 /dev/zero >&2; echo LAST >&2; echo done"])
    assert list(process.lines(10, 100)) == [b"done"]
    assert process.close() == 0
    assert process.stderr_tail().endswith("LAST\n")
    assert len(process.stderr_tail()) < 10_000


def test_a_program_that_dies_or_is_not_there(here: LocalTransport) -> None:
    process = here.start(["sh", "-c", "echo before; kill -KILL $$"])
    assert list(process.lines(10, 100)) == [b"before"]
    with pytest.raises(DeviceError, match="ended before it had read"):
        process.write(bytes(1_000_000))
    assert process.close() == 137
    with pytest.raises(DeviceError, match="cannot start `no-such-python`: No such file"):
        here.start(["no-such-python"])
    with pytest.raises(InputError, match="NUL"):
        here.start(["echo", "a\0b"])


def test_close_ends_what_does_not_end_by_itself(here: LocalTransport) -> None:
    process = here.start(["sh", "-c", "echo up; sleep 4715; true"])
    assert next(process.lines(10, 100)) == b"up"
    assert process.close() == 143
    deadline_s = time.monotonic() + 5  # its child got the signal too, and dies in its own time
    while any("4715" in (p.info["cmdline"] or ()) for p in psutil.process_iter(["cmdline"])):
        assert time.monotonic() < deadline_s


def test_close_from_another_thread_frees_who_waits(here: LocalTransport) -> None:
    process = here.start(["sleep", "60"])
    threading.Timer(0.2, here.close).start()
    with pytest.raises(UnreachableError, match="closed from this side"):
        list(process.lines(60, 100))
    process.close()
    other = LocalTransport()
    threading.Timer(0.2, other.close).start()
    with pytest.raises(UnreachableError, match="closed while"):
        other.run("sleep 60")
    with pytest.raises(UnreachableError):
        here.run("true")


def test_put_and_get(here: LocalTransport, own_home: Path, upload: MakeUpload, tmp_path: Path) -> None:
    items = [upload("~/store/a b", 3_000_000), upload(f"{tmp_path}/deep/er/empty", 0)]
    seen: list[int] = []
    assert here.put([*items, items[0]], seen.append) == sum(seen) == 3_000_000
    assert (own_home / "store" / "a b").read_bytes() == items[0].source.read_bytes()
    assert [path.name for path in (own_home / "store").iterdir()] == ["a b"]
    here.get("~/store/a b", tmp_path / "back", 3_000_000)
    assert (tmp_path / "back").read_bytes() == items[0].source.read_bytes()
    with pytest.raises(DeviceError, match="larger than 10 bytes"):
        here.get("~/store/a b", tmp_path / "back", 10)
    with pytest.raises(DeviceError, match="no such file"):
        here.get("~/absent", tmp_path / "back", 10)


def test_what_is_put_is_a_copy(here: LocalTransport, own_home: Path, upload: MakeUpload) -> None:
    item = upload("~/store/model", data=b"as it was")
    here.put([item])
    with item.source.open("r+b") as stream:
        stream.write(b"changed!!")
    assert (own_home / "store" / "model").read_bytes() == b"as it was"


def test_put_of_what_cannot_be_put(here: LocalTransport, own_home: Path, upload: MakeUpload) -> None:
    changed = upload("~/store/changed")
    changed.source.write_bytes(b"else")
    with pytest.raises(DeviceError, match="has changed since"):
        here.put([changed])
    missing = upload("~/store/missing")
    missing.source.unlink()
    with pytest.raises(InputError, match=f"{missing.source}: No such file"):
        here.put([missing])
    assert list((own_home / "store").iterdir()) == []
    (own_home / "file").touch()
    with pytest.raises(DeviceError, match="local: cannot write ~/file/model: ") as caught:
        here.put([upload("~/file/model")])
    assert "MB are free" in str(caught.value.hint)
