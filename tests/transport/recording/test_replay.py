"""What a program and a board did comes back without them: output, exit codes, faults of the link."""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

import pytest

from edgegreen.artifact import File
from edgegreen.deployment import deploy
from edgegreen.errors import DeviceError, InputError, UnreachableError
from edgegreen.target import Target
from edgegreen.transport import Process, Transport
from edgegreen.transport.local import LocalTransport
from edgegreen.transport.recording import Recorder, ReplayTransport, boards_in, replayed, tape

# Answers each line, until it is told to end: a stand-in for a program one speaks with.
TALKER = """
import sys
for line in sys.stdin:
    if line == "end\\n":
        print("bad news", file=sys.stderr)
        sys.exit(3)
    print("to", line, end="", flush=True)
    print("done", flush=True)
"""
HERE = Target(host="local").called("bench")


def ask(process: Process, text: str, count: int = 2) -> list[bytes]:
    process.write(text.encode())
    lines = process.lines(10.0, 1000)
    return [next(lines) for _ in range(count)]


class Dropping(LocalTransport):
    """This machine, over a link that breaks while the first command runs."""

    broke = False

    def run(self, command: str, **rest: object) -> object:  # type: ignore[override]
        if not Dropping.broke:
            Dropping.broke = True
            raise UnreachableError("bench: the link broke", transient=True)
        return super().run(command)


def replay(folder: Path) -> Transport:
    return ReplayTransport.open(replayed(f"replay:{folder}"))


def test_what_was_said_is_said_again(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", TALKER]

    def use(transport: Transport) -> list[object]:
        found: list[object] = [transport.run("echo out; echo err >&2; exit 7"), transport.run("kill -9 $$")]
        process = transport.start(argv)
        found += ask(process, "a\n") + ask(process, "b\n")
        process.write(b"end\n")
        found += [list(process.lines(10.0, 1000)), process.close(), process.stderr_tail()]
        with pytest.raises(DeviceError, match="no such file") as caught:
            transport.get(f"{tmp_path}/absent", tmp_path / "x", 10)
        return [*found, caught.value.message.partition(": ")[2]]

    with Recorder(tmp_path, HERE, "r") as recorder, recorder.around(LocalTransport()) as transport:
        first = use(transport)
    assert first[2:5] == [b"to a", b"done", b"to b"]
    assert first[6:9] == [[], 3, "bad news\n"]
    with replay(tmp_path) as again:
        assert again.name == "replay:bench"
        assert use(again) == first


def test_a_fetched_file_comes_back(tmp_path: Path) -> None:
    (tmp_path / "there").write_bytes(b"\x00\xff")
    with Recorder(tmp_path, HERE, "r") as recorder, recorder.around(LocalTransport()) as transport:
        transport.get(f"{tmp_path}/there", tmp_path / "first", 10)
    (tmp_path / "there").unlink()
    replay(tmp_path).get(f"{tmp_path}/there", tmp_path / "again", 10)
    assert (tmp_path / "again").read_bytes() == b"\x00\xff"


def test_nothing_is_sent_when_files_are_put_on_a_recording(tmp_path: Path) -> None:
    agent = tmp_path / "agent.pyz"
    agent.write_bytes(b"agent")
    model = tmp_path / "model.tflite"
    model.write_bytes(b"model")
    with Recorder(tmp_path, HERE, "r") as recorder, recorder.around(LocalTransport()) as transport:
        first = deploy(transport, f"{tmp_path}/root", [File.of(agent)])
    assert first.sent_bytes == 5
    (tmp_path / "root" / "store" / Path(first.agent).name).unlink()
    again = deploy(replay(tmp_path), f"{tmp_path}/root", [File.of(agent), File.of(model)])
    assert (again.agent, again.sent_bytes) == (first.agent, 0)
    assert list((tmp_path / "root" / "store").iterdir()) == []


def test_what_was_repeated_for_the_links_sake_is_answered_at_once(tmp_path: Path) -> None:
    Dropping.broke = False
    with Recorder(tmp_path, HERE, "r") as recorder:
        with pytest.raises(UnreachableError), recorder.around(Dropping()) as transport:
            transport.run("echo 1")
        with recorder.around(Dropping()) as transport:  # as whoever takes a link up again does
            transport.run("echo 1")
    again = replay(tmp_path)
    assert [again.run("echo 1").stdout for _ in range(2)] == [b"1\n", b"1\n"]


def test_a_link_that_never_came_back_breaks_again(tmp_path: Path) -> None:
    Dropping.broke = False
    with pytest.raises(UnreachableError), Recorder(tmp_path, HERE, "r") as recorder:
        recorder.around(Dropping()).run("echo 1")
    (part,) = tmp_path.glob("bench/*.part")
    with pytest.raises(UnreachableError, match="the link broke") as caught:
        replay(part).run("echo 1")
    assert caught.value.transient


def test_what_was_never_asked_has_no_answer(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", TALKER]
    with Recorder(tmp_path, HERE, "r") as recorder, recorder.around(LocalTransport()) as transport:
        process = transport.start(argv)
        ask(process, "a\n", 1)
        process.close()
    again = replay(tmp_path)
    with pytest.raises(InputError, match="no command like `uname -a`") as caught:
        again.run("uname -a")
    assert "--record" in str(caught.value.hint)
    with pytest.raises(InputError, match="no program like"):
        again.start(["other"])
    with pytest.raises(InputError, match="was not fetched"):
        again.get("~/x", tmp_path / "x", 1)
    process = again.start(argv)
    with pytest.raises(InputError, match="no answer to b'b"):
        process.write(b"b\n")
    with pytest.raises(InputError, match="ends before the answer"):
        ask(process, "a\n", 2)


def test_which_board_is_meant_and_all_that_was_recorded_of_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such recording"):
        boards_in(tmp_path / "absent")
    with pytest.raises(InputError, match="no recording"):
        boards_in(tmp_path)
    for board, title in (("one", "first recipe"), ("one", "second"), ("two", "second")):
        with Recorder(tmp_path, HERE.called(board), title) as recorder:
            recorder.around(LocalTransport()).run(f"echo {title}")
    assert boards_in(tmp_path) == [tmp_path / "one", tmp_path / "two"]
    with pytest.raises(InputError, match="2 boards") as caught:
        replayed(f"replay:{tmp_path}")
    assert f"replay:{tmp_path}/two" in str(caught.value.hint)
    both = replayed(f"replay:{tmp_path}/one")
    assert both.name == "replay:one"
    assert ReplayTransport.open(both).run("echo first recipe").stdout == b"first recipe\n"
    assert ReplayTransport.open(both).run("echo second").stdout == b"second\n"
    one = replayed(f"replay:{tmp_path}/one/first-recipe.jsonl.gz")
    with pytest.raises(InputError, match="no command like `echo second`"):
        ReplayTransport.open(one).run("echo second")
    with Recorder(tmp_path, Target(family="x86", host="local").called("two"), "third") as recorder:
        recorder.around(LocalTransport()).run("true")
    with pytest.raises(InputError, match="recorded of a target that reads otherwise"):
        replayed(f"replay:{tmp_path}/two")


def test_a_board_that_was_never_reached_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError), Recorder(tmp_path, HERE, "r"):
        raise UnreachableError("off")
    assert list(tmp_path.rglob("*.gz*")) == []


def test_a_recording_that_is_not_whole_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tape, "MAX_BYTES", (1 << 20) + 1000)
    recorder = Recorder(tmp_path, HERE, "r").__enter__()
    with recorder.around(LocalTransport()) as link:
        assert len(link.run("seq 1000").stdout) > 1000  # what is recorded goes on
    with pytest.raises(InputError, match=r"r\.jsonl\.gz\.part is not whole: it would be larger"):
        recorder.__exit__(None)
    assert [path.name for path in (tmp_path / "bench").iterdir()] == ["r.jsonl.gz.part"]


def test_a_recording_says_nothing_of_where_the_board_is(tmp_path: Path) -> None:
    target = Target(
        family="jetson-orin", host="10.1.2.3", user="anna", port=2222, identity_file=Path("~/.ssh/lab"),
        proxy_jump="gate.example", python="/home/anna/venv/bin/python", power={"meter": "ina3221"},
    ).called("ssh://anna@10.1.2.3:2222")  # fmt: skip
    with Recorder(tmp_path, target, "r") as recorder, recorder.around(LocalTransport()) as link:
        link.run("echo 10.1.$((1+1)).3 /home/anna/x")
    (path,) = tmp_path.rglob("*.gz")
    found = replayed(f"replay:{path}")
    assert (found.family, found.python, found.host) == ("jetson-orin", "/home/user/venv/bin/python", None)
    assert found.power == target.power
    text = gzip.decompress(path.read_bytes()).decode() + str(path.relative_to(tmp_path))
    assert [word for word in ("anna", "10.1.2.3", "2222", ".ssh", "gate") if word in text] == []
    said = ReplayTransport.open(found).run("echo 10.1.$((1+1)).3 /home/anna/x")
    assert said.stdout.startswith(b"board-")
