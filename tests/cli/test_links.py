"""Links that break, and what an unchanged second deploy costs on a long one."""

from __future__ import annotations

import getpass
import re
import shutil
import socket
from pathlib import Path

import pytest
from delay_proxy import DelayProxy
from sshd import Sshd

from cli.conftest import add_board
from cli.harness import Shell, child_of
from cli.test_interrupts import large

pytestmark = pytest.mark.slow  # whole runs, several each, over links that break

ROUND_TRIPS = 13


@pytest.fixture
def far(shell: Shell, sshd: Sshd, proxy: DelayProxy) -> str:
    """A board behind the proxy."""
    sshd.trust_port(proxy.port)
    return add_board(shell, sshd, "far", port=proxy.port)


def test_a_link_cut_in_the_middle_of_an_upload(shell: Shell, proxy: DelayProxy, far: str) -> None:
    recipe = shell.recipe(data=large(shell))
    size = (shell.folder / "large.npz").stat().st_size
    proxy.cut_after_bytes = size // 2
    done = shell.run("deploy", recipe, "--target", far, "--target", "local", "--variant", "fp32")
    assert done.code == 4
    assert "1.00×" in done.rows["fp32"]  # of the other target
    assert re.search("^✗ far .deploy.: .*the connection broke", done.out, re.MULTILINE)
    assert "what was sent is not sent again" in done.out
    assert not list((shell.folder / "far-root" / "store").glob("*.npz"))
    proxy.cut_after_bytes, proxy.bytes_up = None, 0
    assert shell.run("deploy", recipe, "--target", far, "--variant", "fp32").code == 0
    assert proxy.bytes_up < 0.95 * size  # a busy machine writes little before the cut


def test_a_link_cut_in_the_middle_of_a_measurement(shell: Shell, proxy: DelayProxy, far: str) -> None:
    recipe = shell.recipe(benchmark="{duration_s: 0.8, warmup_s: 0.02}")
    with shell.start("deploy", recipe, "--target", far) as going:
        going.until("far: 2/2")
        proxy.cut()
        done = going.end(10)
    assert done.code == 4
    assert "1.00×" in done.rows["fp32"]
    assert re.search("^✗ the rest .measure.: .*the connection broke", done.out, re.MULTILINE)
    (run,) = shell.runs
    assert [result["variant"] for result in run["results"]] == ["fp32"]
    assert [failure["stage"] for failure in run["failures"]] == ["measure"]
    assert any(line.startswith("far: failed: ") for line in done.err.splitlines())


def test_a_board_that_comes_back_goes_on_where_it_was(
    shell: Shell, proxy: DelayProxy, sshd: Sshd, far: str
) -> None:
    add_board(shell, sshd, "far", port=proxy.port, patience_s=60)
    recipe = shell.recipe(benchmark="{duration_s: 0.8, warmup_s: 0.02}")
    with shell.start("deploy", recipe, "--target", far) as going:
        going.until("far: 2/2")
        proxy.cut()
        going.until("the connection broke")
        done = going.end()
    assert done.code == 0, done.out
    assert (
        len(re.findall("^far: .*the connection broke.*; trying again in 1 s$", done.err, re.MULTILINE)) == 1
    )
    assert done.err.count("far: 1/2") == 1  # what was measured stays
    assert done.err.count("far: 2/2") == 2
    assert done.err.count("far: connecting") == 2
    (run,) = shell.runs
    assert [result["variant"] for result in run["results"]] == ["fp32", "int8"]
    assert run["failures"] == []


def test_a_trial_that_takes_the_board_down_each_time_is_given_up(
    shell: Shell, sshd: Sshd, proxy: DelayProxy, far: str
) -> None:
    add_board(shell, sshd, "far", port=proxy.port, patience_s=60)
    recipe = shell.recipe(benchmark="{duration_s: 0.8, warmup_s: 0.02}")
    with shell.start("deploy", recipe, "--target", far) as going:
        for _ in range(2):
            going.until("far: 1/2")
            proxy.cut()
        done = going.end()
    assert done.code == 5
    assert re.search(
        "^✗ fp32 .measure.: fp32: the board went away 2 times while this trial ran", done.out, re.MULTILINE
    )
    assert "does it reboot under load?" in done.out
    assert "int8" in done.rows  # the next one is measured


def test_an_agent_that_is_killed_is_started_again(shell: Shell, sshd: Sshd) -> None:
    board = add_board(shell, sshd, "board", patience_s=60)
    with shell.start("deploy", shell.recipe(benchmark="{duration_s: 0.8}"), "--target", board) as going:
        going.until("board: 1/2")
        trial = child_of(sshd.pid, ".pyz trial")
        trial.parent().kill()
        done = going.end()
    assert done.code == 0, done.out
    assert "the agent on the board ended with exit code 137" in done.err
    assert list(done.rows)[-2:] == ["fp32", "int8"]


def test_two_at_once_take_turns(shell: Shell, board: str) -> None:
    recipe = shell.recipe(benchmark="{duration_s: 1.5, warmup_s: 0.02}")
    with shell.start("deploy", recipe, "--target", board, "--variant", "fp32") as first:
        first.until("board: 1/1")
        with shell.start("deploy", shell.recipe(file="second.yaml"), "--target", board) as second:
            told = second.until("is measuring there")
            assert f"board: {getpass.getuser()}@{socket.gethostname()} is measuring there" in told
            assert "waiting until the board is free" in told
            assert first.process.poll() is None
            done = second.end()
        assert first.end().code == 0
    assert done.code == 0, done.out


def spies(folder: Path) -> tuple[str, Path]:
    """A folder for PYTHONPATH where tensorflow cannot be imported and every Python tells its command line."""
    spy, log = folder / "spy", folder / "pythons.log"
    spy.mkdir()
    (spy / "sitecustomize.py").write_text(
        f"import sys\nopen({str(log)!r}, 'a').write(' '.join(sys.orig_argv) + '\\n')\n"
    )
    for name in ("tensorflow", "keras", "ai_edge_quantizer", "nncf"):
        (spy / f"{name}.py").write_text("raise SystemExit('imported for nothing')\n")
    return str(spy), log


def test_an_unchanged_second_deploy_costs_next_to_nothing(shell: Shell, sshd: Sshd, tmp_path: Path) -> None:
    spy, log = spies(tmp_path)
    add_board(shell, sshd, "far")
    recipe = shell.recipe(benchmark="{duration_s: 0.05, warmup_s: 0.01}")
    assert shell.run("deploy", recipe, "--target", "far").code == 0
    store = shell.folder / "far-root" / "store"
    before = {path.name: path.stat().st_ino for path in store.iterdir()}
    payload = min(path.stat().st_size for path in store.iterdir())
    with DelayProxy(sshd.port, one_way_s=0.01) as way:
        sshd.trust_port(way.port)
        add_board(shell, sshd, "far", port=way.port)
        with shell.start("deploy", recipe, "--target", "far", PYTHONPATH=spy) as going:
            going.until("far: 1/2")
            round_trips = way.round_trips  # the measurement's own included: this was its first word
            done = going.end()
        sent = way.bytes_up
    assert done.code == 0, done.out
    assert "models: 2 unchanged" in done.err.splitlines()
    assert "sending" not in done.err
    assert round_trips <= ROUND_TRIPS
    assert sent < payload / 2
    assert {path.name: path.stat().st_ino for path in store.iterdir()} == before
    pythons = log.read_text().splitlines()
    assert "deploy" in pythons[0]
    assert all(".pyz" in line for line in pythons[1:]), pythons  # no worker, nothing but the agent


def test_a_lost_file_is_sent_again_alone(shell: Shell, proxy: DelayProxy, far: str) -> None:
    recipe = shell.recipe()
    assert shell.run("deploy", recipe, "--target", far, "--variant", "int8").code == 0
    (model,) = (shell.folder / "far-root" / "store").glob("*.tflite")
    size = model.stat().st_size
    model.unlink()
    proxy.bytes_up = 0
    assert shell.run("deploy", recipe, "--target", far, "--variant", "int8").code == 0
    assert size < proxy.bytes_up < size + 20_000
    shutil.rmtree(shell.folder / "far-root")
    assert shell.run("deploy", recipe, "--target", far, "--variant", "int8").code == 0


def test_a_run_that_broke_off_is_taken_up_again(
    shell: Shell, proxy: DelayProxy, sshd: Sshd, far: str
) -> None:
    recipe = shell.recipe(benchmark="{duration_s: 0.8, warmup_s: 0.02}")
    with shell.start("deploy", recipe, "--target", far) as going:
        going.until("far: 2/2")
        proxy.cut()
        assert going.end().code == 4
    (broken,) = shell.runs
    done = shell.run("deploy", recipe, "--target", far, "--resume", broken["run_id"])
    assert done.code == 0, done.out
    assert "far: 1/2" not in done.err
    (whole,) = shell.runs  # the same one
    assert whole["run_id"] == broken["run_id"]
    assert whole["failures"] == []
    assert [result["variant"] for result in whole["results"]] == ["fp32", "int8"]
    assert whole["results"][0] == broken["results"][0]
    add_board(shell, sshd, "far", port=1)  # nothing is there, and nobody asks
    again = shell.run("deploy", recipe, "--target", far, "--resume", "latest")
    assert (again.code, again.rows) == (0, done.rows)
    more = shell.run("deploy", recipe, "--target", far, "--target", "local", "--resume", "latest")
    assert more.code == 2
    assert "is of the targets far, not far, local" in more.err
    other = shell.run("deploy", shell.recipe(name="other"), "--target", far, "--resume", "latest")
    assert other.code == 2
    assert "is of recipe `digits`, not `other`" in other.err
    assert shell.runs == [whole]


def test_what_was_built_anew_is_measured_anew(shell: Shell) -> None:
    assert shell.run("deploy", shell.recipe()).code == 0
    done = shell.run(
        "deploy",
        shell.recipe(
            variants="{fp32: {format: tflite, precision: fp32}, int8: {format: tflite, precision: dynamic}}"
        ),
        "--resume",
        "latest",
    )
    assert done.code == 0, done.err
    assert "local: int8 was built anew and is measured again" in done.err
    assert "local: 1/2" not in done.err
    (run,) = shell.runs
    assert [result["precision"] for result in run["results"]] == ["fp32", "dynamic"]
