"""Commands, processes and files over a real OpenSSH server."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import psutil
import pytest
from delay_proxy import DelayProxy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sshd import Connect, MakeUpload, Sshd

from edgegreen.errors import DeviceError, UnreachableError
from edgegreen.transport import MAX_OUTPUT_BYTES, shell
from edgegreen.transport.ssh import SSHTransport

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


def running(marker: str) -> bool:
    """Whether a process with `marker` among its arguments runs."""
    return any(marker in (process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"]))


def gone(marker: str) -> bool:
    """Whether no such process runs, or soon none does."""
    deadline_s = time.monotonic() + 5
    while running(marker):
        if time.monotonic() > deadline_s:
            return False
        time.sleep(0.02)
    return True


def test_run_gives_output_and_exit_code(board: SSHTransport, sshd: Sshd) -> None:
    done = board.run("cat; echo $HOME; echo oops >&2; exit 3", stdin=b"\0fed\xff\n")
    assert done.stdout == b"\0fed\xff\n" + f"{sshd.home}\n".encode()
    assert (done.exit_code, done.stderr, done.signal) == (3, b"oops\n", None)
    assert board.name == "board"


def test_run_tells_the_signal(board: SSHTransport) -> None:
    done = board.run("kill -SEGV $$")
    assert (done.exit_code, done.signal) == (139, "SIGSEGV")


def test_run_needs_no_reader_for_its_input(board: SSHTransport) -> None:
    assert board.run("exit 5", stdin=bytes(5_000_000)).exit_code == 5


def test_run_that_takes_too_long_is_ended(board: SSHTransport) -> None:
    with pytest.raises(DeviceError, match="board: `sleep 4711` did not end"):
        board.run("sleep 4711", timeout_s=0.3)
    assert gone("4711")
    assert board.run("echo still here").stdout == b"still here\n"


def test_run_that_prints_without_end_is_ended(board: SSHTransport) -> None:
    with pytest.raises(DeviceError, match=f"`yes` prints more than {MAX_OUTPUT_BYTES} bytes"):
        board.run("yes")
    assert gone("yes")


def test_large_output_comes_whole(board: SSHTransport) -> None:
    done = board.run("head -c 7000000 /dev/zero; head -c 300000 /dev/zero >&2")
    assert (len(done.stdout), len(done.stderr)) == (7_000_000, 300_000)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(arguments=st.lists(TEXT, max_size=10))
def test_any_text_survives_start_and_run(arguments: list[str], board: SSHTransport) -> None:
    # A `~` that stands for the home folder is meant to be replaced.
    arguments = [text for text in arguments if text != "~" and not text.startswith("~/")]
    expected = b"".join(text.encode() + b"\0" for text in ["-", *arguments])
    assert board.run("printf '%s\\0' " + shell.words(["-", *arguments])).stdout == expected
    process = board.start(["printf", "%s\\0", "-", *arguments])
    lines = list(process.lines(10, 1_000_000))
    assert b"\n".join(lines) == expected.rstrip(b"\n")
    assert process.close() == 0


def test_home_in_arguments(board: SSHTransport, sshd: Sshd) -> None:
    process = board.start(["printf", "%s\\n", "~/a b/c'd", "~", "x~/y"])
    assert list(process.lines(10, 1000)) == [
        f"{sshd.home}/a b/c'd".encode(),
        str(sshd.home).encode(),
        b"x~/y",
    ]


def test_start_talks_in_both_directions(board: SSHTransport) -> None:
    process = board.start(["sh", "-c", 'while read -r line; do echo "got $line"; done; echo end >&2; exit 7'])
    lines = process.lines(10, 1000)
    for word in (b"one", b"two"):
        process.write(word + b"\n")
        assert next(lines) == b"got " + word
    process.close_stdin()
    assert list(lines) == []
    assert process.close() == 7
    assert process.stderr_tail() == "end\n"
    assert process.close() == 7


def test_two_processes_side_by_side(board: SSHTransport) -> None:
    first, second = board.start(["cat"]), board.start(["cat"])
    first.write(b"1\n")
    second.write(b"2\n")
    assert board.run("echo 3").stdout == b"3\n"
    assert (next(second.lines(10, 10)), next(first.lines(10, 10))) == (b"2", b"1")
    assert (first.close(), second.close()) == (0, 0)


def test_a_program_that_prints_nothing_is_noticed(board: SSHTransport) -> None:
    process = board.start(["cat"])
    with pytest.raises(DeviceError, match="though the connection lives"):
        next(process.lines(0.3, 100))
    assert process.close() == 0


@pytest.mark.slow
def test_a_program_that_still_gets_what_was_sent_is_not_silent(sshd: Sshd, connect: Connect) -> None:
    """On a weak link the last of what was sent takes longer than a program may be silent."""
    with DelayProxy(sshd.port, bytes_per_s=100e3) as way:
        sshd.trust_port(way.port)
        link = connect(port=way.port)
        process = link.start(["sh", "-c", "wc -c"])
        process.write(bytes(500_000))
        process.close_stdin()
        began_s = time.monotonic()
        assert list(process.lines(2.5, 100)) == [b"500000"]
        assert time.monotonic() - began_s > 2.5
        link.close()


def test_a_line_that_is_too_long_is_refused(board: SSHTransport) -> None:
    process = board.start(["sh", "-c", "echo short; head -c 100000 /dev/zero; echo"])
    lines = process.lines(10, 50_000)
    assert next(lines) == b"short"
    with pytest.raises(DeviceError, match="a line of output is longer than 50000 bytes"):
        next(lines)
    process.close()


def test_stderr_cannot_fill_up_and_block(board: SSHTransport) -> None:
    process = board.start(["sh", "-c", "head -c 20000000 /dev/zero >&2; echo LAST WORDS >&2; echo done"])
    assert list(process.lines(30, 100)) == [b"done"]
    assert process.stderr_tail().endswith("\0LAST WORDS\n")
    assert len(process.stderr_tail()) < 10_000
    process.close()


def test_a_program_that_prints_for_ever_is_ended_in_time(board: SSHTransport) -> None:
    with pytest.raises(DeviceError, match="did not end within"):
        board.run("while echo x; do sleep 0.05; done", timeout_s=0.4)


@pytest.mark.parametrize(("signal", "code"), [("KILL", 137), ("SEGV", 139)])
def test_a_program_that_dies(board: SSHTransport, signal: str, code: int) -> None:
    process = board.start(["sh", "-c", f"echo before; kill -s {signal} $$"])
    assert list(process.lines(10, 100)) == [b"before"]
    with pytest.raises(DeviceError, match="ended before it had read all its input"):
        process.write(bytes(10_000_000))
    assert process.close() == code


def test_a_program_that_is_not_there(board: SSHTransport) -> None:
    process = board.start(["no-such-python", "x"])
    assert list(process.lines(10, 100)) == []
    assert process.close() == 127
    assert "no-such-python" in process.stderr_tail()


@pytest.mark.slow
def test_close_ends_what_does_not_end_by_itself(board: SSHTransport) -> None:
    process = board.start(["sh", "-c", "trap '' TERM; echo up; sleep 4713"])
    assert next(process.lines(10, 100)) == b"up"
    process.close()
    assert gone("4713")


def test_what_login_scripts_print_is_dropped(sshd: Sshd, board: SSHTransport) -> None:
    startup = sshd.home / ".bashrc"
    startup.write_text("echo Welcome to this board; echo; echo edgegreen is what we run")
    try:
        done = board.run("echo mine")
    finally:
        startup.unlink()
    assert done.stdout == b"mine\n"


def test_put_and_get(board: SSHTransport, sshd: Sshd, upload: MakeUpload, tmp_path: Path) -> None:
    uploads = [
        upload("~/put it/small one.bin", 10),
        upload("~/put it/empty.bin", 0),
        upload("~/put it/b'ig\\.bin", 3_000_001),
        upload(f"{sshd.home}/deep/er/.hidden", 100),
        *(upload(f"~/many/{number}.bin", 300_000) for number in range(40)),
    ]
    seen: list[int] = []
    total = sum(item.size_bytes for item in uploads)
    assert board.put(uploads, seen.append) == total == sum(seen)
    for item in uploads:
        there = Path(item.remote.replace("~", str(sshd.home), 1))
        assert there.read_bytes() == item.source.read_bytes()
    names = {path.name for path in (sshd.home / "put it").iterdir()}
    assert names == {"b'ig\\.bin", "empty.bin", "small one.bin"}
    assert len(list((sshd.home / "many").iterdir())) == 40

    for item in uploads[:3]:
        board.get(item.remote, tmp_path / "back", max_bytes=item.size_bytes)
        assert (tmp_path / "back").read_bytes() == item.source.read_bytes()


def test_put_replaces_a_file(board: SSHTransport, sshd: Sshd, upload: MakeUpload) -> None:
    for size_bytes in (2_000_000, 1_500_000, 10):
        item = upload("~/replaced.bin", size_bytes)
        board.put([item])
        assert (sshd.home / "replaced.bin").read_bytes() == item.source.read_bytes()


def test_get_of_what_cannot_be_had(board: SSHTransport, sshd: Sshd, tmp_path: Path) -> None:
    (sshd.home / "large").write_bytes(bytes(1001))
    local = tmp_path / "local"
    with pytest.raises(DeviceError, match="board: ~/large is larger than 1000 bytes"):
        board.get("~/large", local, max_bytes=1000)
    with pytest.raises(DeviceError, match="board: ~/absent: no such file"):
        board.get("~/absent", local, max_bytes=1000)
    with pytest.raises(DeviceError, match="cannot write"):
        board.get("~/large", tmp_path / "no" / "folder", max_bytes=2000)
    assert list(tmp_path.glob("local*")) == []


def test_close_from_another_thread_frees_who_waits(connect: Connect) -> None:
    board = connect()
    process = board.start(["cat"])
    threading.Timer(0.3, board.close).start()
    began_s = time.monotonic()
    with pytest.raises(UnreachableError, match="closed from this side"):
        list(process.lines(60, 100))
    assert time.monotonic() - began_s < 5
    assert process.close() is None
    with pytest.raises(UnreachableError, match="closed from this side"):
        board.run("true")
    board.close()


def test_nothing_is_left_behind(connect: Connect, sshd: Sshd) -> None:
    before, there = set(threading.enumerate()), set(sshd.home.rglob("*"))
    with connect() as board:
        board.run("true")
    assert set(threading.enumerate()) <= before
    assert set(sshd.home.rglob("*")) == there
