"""Ctrl-C at any moment: a prompt end, nothing measured lost, no process left, and the next run works."""

from __future__ import annotations

import re
import signal
import socket
import time

import numpy as np
import psutil
import pytest
from delay_proxy import DelayProxy
from sshd import Sshd

from cli.conftest import add_board
from cli.harness import DIGITS, Done, Going, Shell

PROMPT_S = 2.5
LONG = "{duration_s: 30, warmup_s: 0.02}"


def interrupted(going: Going, number: int = signal.SIGINT) -> Done:
    """Send it a signal, and see it end as it should."""
    at_s = going.signal(number)
    done = going.end(10)
    assert time.monotonic() - at_s < PROMPT_S
    assert done.code == 130
    assert "Traceback" not in done.err
    assert any(line.startswith("interrupted") for line in done.err.splitlines()[-2:])
    assert not going.orphans
    return done


def test_while_the_source_is_loaded(empty: Shell) -> None:
    with empty.start("deploy", empty.recipe()) as going:
        going.child("edgegreen.workers.process")
        time.sleep(1)  # in the middle of importing tensorflow
        done = interrupted(going)
    assert done.out == ""
    assert done.err.endswith("interrupted: 0 of 2 trials measured\n")
    assert empty.runs == []
    assert not list((empty.kept / "cache" / "making").iterdir())


def test_while_models_are_converted(empty: Shell) -> None:
    """`convert` stops as well, and what was built before stays built."""
    recipe = empty.recipe()
    with empty.start("convert", recipe) as going:
        going.child("edgegreen.workers.process")
        time.sleep(0.5)
        assert interrupted(going).out == ""


def test_while_it_connects(shell: Shell) -> None:
    """To a host that takes connections and says nothing, as one does that hangs."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        shell.target("mute", host="127.0.0.1", port=mute.getsockname()[1])
        with shell.start("deploy", shell.recipe(), "--target", "mute") as going:
            going.until("mute: connecting")
            with mute.accept()[0]:
                time.sleep(0.3)
                done = interrupted(going)
    assert done.out == ""
    assert "mute: stopped" in done.err.splitlines()
    assert shell.runs == []


def test_while_it_uploads(shell: Shell, sshd: Sshd, proxy: DelayProxy) -> None:
    """Over a link that has just stopped moving; the next run sends the rest."""
    sshd.trust_port(proxy.port)
    add_board(shell, sshd, "far", port=proxy.port)
    recipe = shell.recipe(data=large(shell))
    with shell.start("deploy", recipe, "--target", "far") as going:
        going.until("far: sending")
        while proxy.bytes_up < 1_000_000:
            time.sleep(0.001)
        proxy.frozen = True
        interrupted(going)
    proxy.frozen = False
    sent = proxy.bytes_up
    assert not list((shell.folder / "far-root" / "store").glob("*.npz"))
    assert shell.run("deploy", recipe, "--target", "far", "--variant", "int8").code == 0
    assert proxy.bytes_up - sent < (shell.folder / "large.npz").stat().st_size


def large(shell: Shell) -> str:
    """Evaluation data of 3 MB; the recipe's line for them."""
    random = np.random.default_rng(0)
    x, y = random.random((12_000, 8, 8, 1), np.float32), random.integers(0, 10, 12_000)
    np.savez(shell.folder / "large.npz", x=x, y=y)
    return f"{{calibration: {DIGITS / 'calibration.npz'}, evaluation: large.npz}}"


@pytest.mark.slow
def test_while_it_measures(shell: Shell, sshd: Sshd, board: str) -> None:
    """Two targets: what each has measured is shown and kept."""
    recipe = shell.recipe(benchmark="{duration_s: 1, warmup_s: 0.02}")
    with shell.start("deploy", recipe, "--target", board, "--target", "local") as going:
        going.until("board: 2/2")
        going.child(".pyz trial")
        done = interrupted(going)
    assert done.out.startswith("board  ")
    assert re.search("^fp32 .*1.00×$", done.out, re.MULTILINE)
    (run,) = shell.runs
    assert [r["variant"] for r in run["results"] if r["target"] == board] == ["fp32"]
    assert run["failures"] == []
    n = len(run["results"])
    assert f"interrupted: {n} of 4 trials measured, kept in {shell.kept / 'history.db'}\n" in done.err
    assert done.err.endswith(f"  → the same command with `--resume {run['run_id']}` measures the rest\n")
    assert not sshd_trials(sshd)
    assert shell.run("deploy", shell.recipe(), "--target", board).code == 0


def sshd_trials(sshd: Sshd) -> list[int]:
    """Agents and trials that still run on the board."""
    deadline_s = time.monotonic() + 5
    while True:
        server = psutil.Process(int((sshd.folder / "pid").read_text()))
        found = [one.pid for one in server.children(recursive=True) if ".pyz" in " ".join(one.cmdline())]
        if not found or time.monotonic() > deadline_s:
            return found
        time.sleep(0.05)


def test_json_of_a_terminated_run_is_whole(shell: Shell) -> None:
    """As a CI job is that takes too long."""
    recipe = shell.recipe(benchmark="{duration_s: 0.8, warmup_s: 0.02}")
    with shell.start("deploy", recipe, "--json", "-") as going:
        going.until("local: 2/2")
        done = interrupted(going, signal.SIGTERM)
    assert [result["variant"] for result in done.json["results"]] == ["fp32"]
    assert shell.runs == [done.json]


@pytest.mark.slow
def test_a_second_ctrl_c_is_no_worse(shell: Shell) -> None:
    with shell.start("deploy", shell.recipe(benchmark=LONG)) as going:
        going.until("local: 1/2")
        going.child(".pyz trial")
        going.signal()
        time.sleep(0.05)
        going.signal()
        assert going.end(10).code in (130, -signal.SIGINT)
        assert not going.orphans
    assert shell.run("deploy", shell.recipe(), "--variant", "int8").code == 0
