"""What an emulated board must be for other tests to mean something: reachable, bare, and of known power."""

from __future__ import annotations

import json
import shlex
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from device_tests.emulator import Running
from edgegreen import bundle
from edgegreen.agent import sampler
from edgegreen.client import Agent
from edgegreen.deployment import deploy
from edgegreen.errors import RefusedError
from edgegreen.transport.ssh import SSHTransport

# A cold cache means downloads, and a boot for each disk.
pytestmark = [pytest.mark.emulated, pytest.mark.timeout(1800)]

PYTHON = {"bookworm": "3.11.", "trixie": "3.13."}
LATE_NS = 20_000_000  # from the end of a step to when the meter shows it
# The chip shows the mean of 430 ms until it has the next: a reading can be of what was so long before it.
REACH_NS = 2 * 430_000_000
# Idle for 5 s, then busy for 6 s; prints when either began, and the end.
WORK = """
from time import monotonic_ns as now, sleep
times = [now()]
sleep(5)
times.append(now())
while now() < times[-1] + 6e9:
    pass
print(*times, now())
"""


@pytest.fixture
def transport(emulated: Running) -> Iterator[SSHTransport]:
    with SSHTransport.connect(emulated.target(), config_files=[emulated.ssh_config]) as connected:
        yield connected


@pytest.fixture
def agent_file(transport: SSHTransport, tmp_path: Path) -> str:
    """Where the agent lies on the board, for the user it was sent by."""
    return deploy(transport, "~/.edgegreen", [bundle.pack(tmp_path)]).agent


def in_agent(transport: SSHTransport, agent_file: str, code: str) -> str:
    """What Python code prints on the board that can import the agent's package."""
    program = f"import os, sys; sys.path.insert(0, os.path.expanduser({agent_file!r}))\n{code}"
    done = transport.run(f"python3 -c {shlex.quote(program)}")
    assert done.exit_code == 0, done.stderr.decode()
    return done.stdout.decode()


def test_it_says_what_it_stands_for_and_that_it_is_emulated(
    emulated: Running, transport: SSHTransport
) -> None:
    assert transport.run("id -un").stdout == b"pi\n"
    told = transport.run("cat /proc/device-tree/model").stdout
    assert told == emulated.board.model.encode() + b"\0"
    # What systemd-detect-virt goes by too: QEMU's virtual machines have this node, and boards have not.
    assert transport.run("cat /proc/device-tree/fw-cfg@*/compatible").stdout == b"qemu,fw-cfg-mmio\0"


def test_its_host_key_is_known_to_nobody_else(emulated: Running, tmp_path: Path) -> None:
    (tmp_path / "config").write_text(f"UserKnownHostsFile {tmp_path}/none\nGlobalKnownHostsFile none\n")
    with pytest.raises(RefusedError):
        SSHTransport.connect(emulated.target(), config_files=[tmp_path / "config"])


def test_the_agent_runs_there_and_finds_a_bare_board(
    emulated: Running, transport: SSHTransport, agent_file: str
) -> None:
    with Agent.start(transport, "python3", agent_file) as agent:
        board = agent.probe()
    assert (board.machine, board.bits, board.cpu_count) == ("aarch64", 64, 2)
    assert board.python.startswith(PYTHON[emulated.board.suite])
    assert board.runtimes == {}
    assert transport.run("command -v pip pip3 || python3 -m pip || python3 -m ensurepip").exit_code != 0
    free_kb = int(transport.run("df -k --output=avail ~ | tail -1").stdout)
    assert free_kb > 1_000_000


def test_it_reaches_nothing(transport: SSHTransport) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        connect = f"import socket; socket.create_connection(('10.0.2.2', {port}), 3)"  # QEMU's name for us
        assert transport.run(f"python3 -c {shlex.quote(connect)}").exit_code != 0


def test_what_is_written_to_the_chip_is_what_is_read(
    emulated: Running, transport: SSHTransport, agent_file: str
) -> None:
    if emulated.board.load.meter != "ina3221":
        pytest.skip("this board has no such chip")
    write = (
        "import sys; sys.path.insert(0, '/usr/lib/emulated-board'); import load; load.Ina3221({}).show({})"
    )
    read = "from edgegreen_agent import meters; print(meters.choose('/', 'jetson-orin').meter.read())"
    emulated.ssh("pkill -STOP -f emulated-board/load.py")
    try:
        for watts in (2 * 4.984, 0.8 * 4.984):  # steps of 8 mA at 4984 mV
            emulated.ssh(f"python3 -c {shlex.quote(write.format(watts, watts))}")
            assert float(in_agent(transport, agent_file, read)) == pytest.approx(watts, abs=1e-6)
    finally:
        emulated.ssh("pkill -CONT -f emulated-board/load.py")


def test_the_sampler_reads_the_power_that_was_drawn(
    emulated: Running, transport: SSHTransport, agent_file: str
) -> None:
    load = emulated.board.load
    events, windows = sampled(emulated, transport, agent_file)
    about = next(event["about"] for event in events if event["event"] == "meter")
    assert about["kind"] == load.meter
    records = [r for e in events if e["event"] == "power" for r in sampler.unpack(e["n"], e["data"])]
    assert records
    known = emulated.known_power()
    for record in records:
        shown_w = known.shown_between(record.t_ns - record.took_ns - LATE_NS, record.t_ns + record.took_ns)
        assert min(abs(record.value - watts) for watts in shown_w) < 1e-4
    idle_w, busy_w = (known.mean_w(*windows[what]) for what in ("idle", "busy"))
    assert idle_w < load.idle_w + 0.2 * load.added_w
    assert busy_w > load.idle_w + 0.35 * load.added_w  # one of two processors at work
    if about["kind"] == "ina3221":  # vcgencmd is a process for each reading, so there are few of the other
        assert (about["rail"], about["scope"], about["averaging_s"]) == ("VDD_IN", "module", 0.43)
        for start_ns, end_ns in windows.values():
            inner = [r for r in records if start_ns + REACH_NS < r.t_ns < end_ns]
            true_w = np.mean([known.mean_w(r.t_ns - REACH_NS, r.t_ns) for r in inner])
            assert np.mean([r.value for r in inner]) == pytest.approx(true_w, rel=0.03)


def sampled(
    emulated: Running, transport: SSHTransport, agent_file: str
) -> tuple[list[dict[str, Any]], dict[str, tuple[int, int]]]:
    """What the agent's sampler says while the board is idle and then busy, and the windows of both."""
    spec = {"family": emulated.board.family, "meter": emulated.board.load.meter, "watch": False}
    process = transport.start(["python3", agent_file, "sampler", json.dumps(spec)])
    lines = process.lines(30.0, 1 << 20)
    events = [json.loads(next(lines))]  # `meter`: from here on it samples
    listener = threading.Thread(target=lambda: events.extend(map(json.loads, lines)))
    listener.start()
    try:
        done = transport.run(f"python3 -c {shlex.quote(WORK)}")
        process.close_stdin()
        listener.join(30)
    finally:
        process.close()
    assert events[-1]["event"] == "sampled"
    idle_ns, busy_ns, end_ns = map(int, done.stdout.split())
    return events, {"idle": (idle_ns, busy_ns), "busy": (busy_ns, end_ns)}


def test_it_comes_back_after_a_reboot(emulated: Running) -> None:
    boot_id = "cat /proc/sys/kernel/random/boot_id"
    before = emulated.ssh(f"touch /home/pi/kept; {boot_id}")
    emulated.reboot()
    assert emulated.ssh("ls /home/pi; rm /home/pi/kept", user="pi").split() == ["kept"]
    assert emulated.ssh(boot_id) != before
