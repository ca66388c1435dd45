"""Links that break, and what an unchanged second deploy costs on a long one."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from delay_proxy import DelayProxy
from sshd import Sshd

from cli.conftest import add_board
from cli.harness import Shell
from cli.test_interrupts import large

ROUND_TRIPS = 12


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
    assert proxy.bytes_up < 0.7 * size


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
    assert "far: failed" in done.err.splitlines()


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
