"""What boards do, done to a real one in QEMU: each time it is told in words, and nothing measured is lost.

The command line runs as its users have it. One board, of its own, for the whole module; each test leaves it
as it found it. The first ones need it bare; the runtime that the one of 1970 brings serves the rest.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from device_tests.emulator import Running
from device_tests.emulator.fixtures import booted

pytest.importorskip("cli.harness", reason="needs the tests of edgegreen's own repository beside it")
from cli.harness import FOREIGN, Done, Going
from delay_proxy import DelayProxy

# A cold cache means downloads, and a boot for the disk.
pytestmark = [pytest.mark.emulated, pytest.mark.timeout(1800)]

BOARD = "raspberry-pi-5"
MODEL = Path(__file__).parent.parent / "tests" / "fixtures" / "models" / "two_in_two_out.tflite"
LIMIT_S = 240.0
PROMPT_S = 4.0
AGENT = "[p]yz$"  # for pgrep -f; the brackets keep it from finding the shell that asks
TRIAL = "[p]yz trial"
LOCKS = "/run/lock/edgegreen.lock /tmp/edgegreen.lock"
FREE_KB = "$(df -k --output=avail / | tail -1)"

# Takes memory until the kernel kills somebody else for it; little by little, so that one is enough.
BALLOON = """
import re
kills = lambda: int(re.search(r"oom_kill (\\d+)", open("/proc/vmstat").read())[1])
open("/proc/self/oom_score_adj", "w").write("-1000")
before, held = kills(), []
while kills() == before:
    held.append(b"x" * (1 << 20))
"""


class Desk:
    """Somebody who works with the board: a folder with recipes and targets, and edgegreen's own home."""

    def __init__(self, board: Running, folder: Path, kept: Path) -> None:
        self.board, self.folder, self.kept = board, folder, kept
        self.env = {key: value for key, value in os.environ.items() if key not in FOREIGN}
        self.env |= board.environment() | {
            "EDGEGREEN_HOME": str(kept),
            "EDGEGREEN_TARGETS": str(folder),
            "EDGEGREEN_LOCK": str(folder / "lock"),  # of this machine, where it is a target too
        }

    def recipe(self, *, threads: str = "[1]", duration_s: float = 0.2) -> Path:
        path = self.folder / "recipe.yaml"
        path.write_text(
            f"name: tiny\nmodel: {MODEL}\nvariants: {{tiny: {{format: tflite}}}}\n"
            f"benchmark: {{duration_s: {duration_s}, warmup_s: 0.02, threads: {threads}}}\n"
        )
        return path

    def target(self, name: str, **fields: object) -> str:
        """Write a target that means the board, with other `fields` if given; gives its name."""
        own = {
            "family": self.board.board.family,
            "host": self.board.host,
            "port": self.board.port,
            "user": self.board.user,
        }
        (self.folder / f"{name}.yaml").write_text("".join(f"{k}: {v}\n" for k, v in (own | fields).items()))
        return name

    def start(self, *arguments: str | Path) -> Going:
        return Going([sys.executable, "-m", "edgegreen", *map(str, arguments)], self.folder, self.env)

    def run(self, *arguments: str | Path) -> Done:
        with self.start(*arguments) as going:
            return going.end(LIMIT_S)

    @property
    def last_run(self) -> dict[str, Any]:
        """What was kept of the last run."""
        return json.loads(self.run("show", "latest", "--json").out)


@pytest.fixture(scope="module")
def board(request: pytest.FixtureRequest) -> Iterator[Running]:
    chosen = request.config.getoption("--emulated-board")
    with booted(chosen[0] if chosen else BOARD) as running:
        yield running


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One EDGEGREEN_HOME for all, so that wheels are fetched once."""
    return tmp_path_factory.mktemp("kept")


@pytest.fixture
def desk(board: Running, tmp_path: Path, kept: Path) -> Desk:
    return Desk(board, tmp_path, kept)


@pytest.fixture
def pi(desk: Desk) -> str:
    """The name of the target that means the board."""
    return desk.target("pi")


def rows(run: dict[str, Any]) -> list[int]:
    """The threads of the rows there are; a row is a variant and its threads."""
    return [result["threads"] for result in run["results"]]


def stop(board: Running, pattern: str) -> None:
    """Stop processes of the board, as those do that hang."""
    board.ssh(f"kill -STOP $(pgrep -f '{pattern}')")


def assert_nothing_is_left(board: Running) -> None:
    """No process of ours on the board, and nobody holds the lock."""
    for _ in range(50):
        left = board.ssh(f"pgrep -af '{AGENT}|{TRIAL}|[p]yz sampler|[p]yz unpack' || :")
        if not left:
            break
        time.sleep(0.1)
    assert left == ""
    board.ssh(f"for lock in {LOCKS}; do ! [ -e $lock ] || flock -n $lock true; done")


def test_a_full_disk_is_said_before_anything_is_sent(desk: Desk, pi: str, board: Running) -> None:
    board.ssh(f"fallocate -l $(({FREE_KB} - 500))K /balloon")
    try:
        done = desk.run("deploy", desk.recipe(), "--target", pi, "--target", "local")
    finally:
        board.ssh("rm /balloon")
    assert done.code == 5
    assert re.search(
        r"^✗ pi \(deploy\): needs \d\.\d MB, 0\.\d MB are free on / → make room", done.out, re.MULTILINE
    )
    assert "pi: sending" not in done.err
    assert [result["target"] for result in desk.last_run["results"]] == ["local"]


def test_a_weak_link_and_ctrl_c_while_a_runtime_is_unpacked(desk: Desk, board: Running) -> None:
    """4 MB/s, 0.1 s there and back; frozen for a while and then cut. What was sent is not sent again."""
    with DelayProxy(board.port, one_way_s=0.05, bytes_per_s=4e6) as way:
        known = board.known_hosts.read_text().splitlines()[0]
        with board.known_hosts.open("a") as stream:
            stream.write(known.replace(f":{board.port} ", f":{way.port} ") + "\n")
        far = desk.target("far", port=way.port, root="~/far")
        with desk.start("deploy", desk.recipe(), "--target", far) as going:
            going.until("far: provisioning", LIMIT_S)
            sent_until(way, 4e6)
            way.frozen = True
            time.sleep(8)
            way.frozen = False
            sent_until(way, 10e6)
            way.cut()
            going.until("trying again in 1 s")
            board.ssh("until ls -d /home/pi/far/runtimes/*.part-*; do sleep 0.1; done")
            done = interrupted(going)
        sent = way.bytes_up
    assert done.err.count("the connection broke") == 1  # not while it was frozen
    wheels = sum(path.stat().st_size for path in (desk.kept / "provision" / "wheels").glob("*/*.whl"))
    assert wheels < sent < wheels + 5e6
    assert_nothing_is_left(board)
    assert desk.run("targets", "clean", desk.target("far", root="~/far")).code == 0
    assert board.ssh("ls -d /home/pi/far || :") == ""


def sent_until(way: DelayProxy, size_bytes: float) -> None:
    """Wait until so much went to the board."""
    while way.bytes_up < size_bytes:
        time.sleep(0.02)


def test_a_disk_that_fills_up_while_a_runtime_is_unpacked(desk: Desk, pi: str, board: Running) -> None:
    with desk.start("deploy", desk.recipe(), "--target", pi) as going:
        going.until("pi: provisioning", LIMIT_S)
        board.ssh("until ls -d /home/pi/.edgegreen/runtimes/*.part-*; do sleep 0.1; done")
        board.ssh(f"fallocate -l {FREE_KB}K /balloon || :")
        done = going.end(LIMIT_S)
    board.ssh("rm /balloon")
    assert done.code == 5
    assert re.search(
        r"^✗ pi \(deploy\): cannot unpack .*: No space left on device → ", done.out, re.MULTILINE
    )
    assert board.ssh("ls /home/pi/.edgegreen/runtimes") == ""  # nothing half made
    assert_nothing_is_left(board)


def test_a_clock_in_1970(desk: Desk, pi: str, board: Running) -> None:
    """Zip archives know no year before 1980, and byte code goes by the time of its source."""
    board.ssh("date -s @100000")
    try:
        checkup = desk.run("targets", "doctor", pi)
        done = desk.run("deploy", desk.recipe(), "--target", pi)
        assert board.ssh("date +%Y") == "1970\n"
    finally:
        board.ssh(f"date -s @{int(time.time())}")
    assert re.search("^! the clock says it is before 2020: it was never set", checkup.out, re.MULTILINE)
    assert done.code == 0, done.out
    assert "pi: provisioning" in done.err  # of what an earlier test left half done
    run = desk.last_run
    (result,) = run["results"]
    assert run["started_at"] > "2026"
    assert 0 < result["latency_ms"]["p50"] < 100


def test_a_read_only_disk(desk: Desk, pi: str, board: Running) -> None:
    """What is there already is measured all the same; what is not cannot be brought."""
    new = desk.target("new", root="~/elsewhere")
    board.ssh("mount -o remount,ro /")
    try:
        done = desk.run("deploy", desk.recipe(), "--target", new, "--target", pi)
    finally:
        board.ssh("mount -o remount,rw /")
    assert done.code == 5
    assert re.search(
        r"^✗ new \(deploy\): cannot use .*: Read-only file system → a disk that fails", done.out, re.MULTILINE
    )
    assert [result["target"] for result in desk.last_run["results"]] == [pi]


def test_a_reboot_in_the_middle_of_a_trial(desk: Desk, pi: str, board: Running) -> None:
    with desk.start("deploy", desk.recipe(threads="[1, 2]", duration_s=3), "--target", pi) as going:
        going.until("pi: 2/2")
        board.ssh(f"until pgrep -f '{TRIAL}'; do sleep 0.1; done")
        board.reboot()
        done = going.end(LIMIT_S)
    assert done.code == 0, done.out
    assert re.search("^pi: .*the connection broke: .*; trying again in 1 s$", done.err, re.MULTILINE)
    assert "pi: the board has rebooted\n" in done.err
    assert [done.err.count(f"pi: {number}/2") for number in (1, 2)] == [1, 2]
    assert rows(desk.last_run) == [1, 2]


def test_an_agent_that_hangs_while_somebody_else_waits(desk: Desk, pi: str, board: Running) -> None:
    """The second person has an account of her own on the board; both get all their rows."""
    board.ssh(
        "grep -q ^ann: /etc/passwd || { echo ann:x:1001:1001::/home/ann:/bin/bash >>/etc/passwd; "
        "echo 'ann:*:20000:0:99999:7:::' >>/etc/shadow; echo ann:x:1001: >>/etc/group; }; "
        "cp -a /home/pi /home/ann && chown -R 1001:1001 /home/ann"
    )
    ann = desk.target("ann", user="ann")
    recipe = desk.recipe(duration_s=3)
    with desk.start("deploy", recipe, "--target", pi) as first:
        first.until("pi: 1/1")
        board.ssh(f"until pgrep -f '{TRIAL}'; do sleep 0.1; done")
        stop(board, AGENT)
        with desk.start("deploy", recipe, "--target", ann) as second:
            told = second.until("is measuring there")
            assert re.fullmatch(
                r"ann: \S+@\S+ is measuring there, for \d+ s now; waiting until the board is free", told
            )
            first.until("nothing came for 60 s, though the connection lives; this trial is repeated", LIMIT_S)
            assert second.end(LIMIT_S).code == 0
        done = first.end(LIMIT_S)
    assert done.code == 0, done.out
    assert_nothing_is_left(board)


def test_ctrl_c_leaves_nothing_and_the_rest_is_measured_later(desk: Desk, pi: str, board: Running) -> None:
    recipe = desk.recipe(threads="[1, 2]", duration_s=2)
    with desk.start("deploy", recipe, "--target", pi) as going:
        going.until("pi: 2/2", LIMIT_S)
        board.ssh(f"until pgrep -f '{TRIAL}'; do sleep 0.1; done")
        done = interrupted(going)
    assert_nothing_is_left(board)
    assert rows(desk.last_run) == [1]
    (again,) = re.findall("`(--resume .*)`", done.err)
    done = desk.run("deploy", recipe, "--target", pi, *again.split())
    assert done.code == 0
    assert "pi: 1/2" not in done.err
    assert rows(desk.last_run) == [1, 2]


def interrupted(going: Going) -> Done:
    """Send it Ctrl-C, and see it end soon."""
    at_s = going.signal()
    done = going.end(LIMIT_S)
    assert time.monotonic() - at_s < PROMPT_S
    assert done.code == 130
    return done


def test_a_trial_that_is_killed_for_want_of_memory(desk: Desk, pi: str, board: Running) -> None:
    board.ssh("mount -o remount,size=95% /dev/shm; fallocate -l 1600M /dev/shm/balloon")
    try:
        # Long enough for the memory to run out within it, on however slow an emulator.
        with desk.start("deploy", desk.recipe(threads="[1, 2]", duration_s=20), "--target", pi) as going:
            going.until("pi: 1/2")
            board.ssh(f"until pgrep -f '{TRIAL}'; do sleep 0.1; done; python3 -c '{BALLOON}'")
            done = going.end(LIMIT_S)
    finally:
        board.ssh("rm /dev/shm/balloon")
    assert done.code == 5
    assert re.search(
        r"^✗ tiny, 1 thread \(measure\): litert: the trial was killed by the kernel: out of memory in stage",
        done.out,
        re.MULTILINE,
    )
    assert "close other programs there" in done.out
    assert rows(desk.last_run) == [2]
