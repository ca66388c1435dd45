"""A sweep over governors and power modes through the command line; afterwards the board is as it was."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import sys
from pathlib import Path

import psutil
import pytest
from cli.conftest import add_board
from cli.harness import REPO, Shell, child_of
from delay_proxy import DelayProxy
from fake_nvpmodel import Governors, Nvpmodel, install
from sshd import Sshd
from waiting import until

MODEL = REPO / "tests" / "fixtures" / "models" / "two_in_two_out.tflite"
OWN = ["schedutil"] * 2
pytestmark = [
    pytest.mark.slow,  # whole runs, seconds each
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]


@pytest.fixture
def shell(tmp_path: Path, home: Path) -> Shell:
    """A user's shell; the boards it knows have the fake nvpmodel on their PATH."""
    made = Shell(tmp_path, home)
    made.env["PATH"] = f"{tmp_path / 'bin'}{os.pathsep}{made.env['PATH']}"
    return made


@pytest.fixture
def governors(tmp_path: Path) -> Governors:
    return Governors(tmp_path / "board")


@pytest.fixture
def nvpmodel(tmp_path: Path, governors: Governors) -> Nvpmodel:
    return install(tmp_path / "bin", governors.root)


def recipe(shell: Shell, **benchmark: object) -> Path:
    keys = {"duration_s": 0.1, "warmup_s": 0.01, **benchmark}
    lines = ", ".join(f"{key}: {value}" for key, value in keys.items())
    return shell.recipe(model=str(MODEL), data="", variants="", baseline="", benchmark=f"{{{lines}}}")


def here(shell: Shell, governors: Governors, **keys: object) -> str:
    """The name of a target: this machine, which looks like the board."""
    return shell.target("here", host="local", sysfs_root=governors.root, **{"allow_tuning": "true", **keys})


def test_each_setting_is_a_row_and_all_is_put_back(
    shell: Shell, governors: Governors, nvpmodel: Nvpmodel
) -> None:
    file = recipe(shell, governors="[performance, powersave]", power_modes="[15W, 2]")
    done = shell.run("deploy", file, "--target", here(shell, governors), "--json", "run.json")
    assert done.code == 0, done.err
    results = json.loads((shell.folder / "run.json").read_text())["results"]
    assert [(r["tuning"]["power_mode"], r["tuning"]["governor"]) for r in results] == [
        (mode, governor) for mode in ("15W", 2) for governor in ("performance", "powersave")
    ]
    for result in results:
        name = {"15W": "15W", 2: "MAXN_SUPER"}[result["tuning"]["power_mode"]]
        for when in ("before", "after"):
            seen = result["conditions"][when]
            assert set(seen["governor"].values()) == {result["tuning"]["governor"]}
            assert seen["power_mode"]["name"] == name
    assert (governors.now, nvpmodel.mode) == (OWN, 1)
    assert [line for line in nvpmodel.asked if line != "-q"] == ["-m 0", "-m 2", "-m 1"]  # slow: outermost
    heading, *rows = done.out.splitlines()[1:6]
    assert re.search("Threads +Mode +Governor +Size", heading)
    assert [re.findall(r" 1  +(\S+) +(p\w+) ", row) for row in rows] == [
        [("15W", "performance")], [("15W", "powersave")], [("2", "performance")], [("2", "powersave")],
    ]  # fmt: skip
    assert "as-shipped, power mode 15W, powersave" in done.err


def test_a_setting_that_cannot_be_had_costs_its_own_trials(
    shell: Shell, governors: Governors, tmp_path: Path
) -> None:
    nvpmodel = install(tmp_path / "bin", governors.root, reboot=[0])
    file = recipe(shell, power_modes="[0, 1]", threads="[1, 2]")
    done = shell.run("deploy", file, "--target", here(shell, governors))
    assert done.code == 5
    assert done.out.count("power mode 0: power mode 0 takes a reboot, which edgegreen does not do") == 1
    (run,) = shell.runs
    assert [r["tuning"] for r in run["results"]] == [{"governor": None, "power_mode": 1}] * 2
    assert nvpmodel.asked.count("-m 0") == 1  # it is not asked again for the second trial
    assert (nvpmodel.mode, nvpmodel.rebooted) == (1, False)


def test_without_leave_nothing_starts(shell: Shell, governors: Governors) -> None:
    file = recipe(shell, governors="[powersave]")
    willing = here(shell, governors)
    shell.target("other", host="local")
    for more in ((), ("--dry-run",)):
        done = shell.run("deploy", file, "--target", willing, "--target", "other", *more)
        assert done.code == 2
        assert (
            f"{shell.targets / 'other.yaml'}: the recipe's `governors` would change the board's own settings"
            in done.err
        )
        assert str(shell.targets / "here.yaml") not in done.err
        assert "write `allow_tuning: true`" in done.err
    assert shell.runs == []
    assert shell.run("convert", file).code == 0  # builds, and measures nothing


def test_a_dry_run_shows_them(shell: Shell, governors: Governors) -> None:
    file = recipe(shell, governors="[performance, powersave]", power_modes="[0]")
    done = shell.run("deploy", file, "--target", here(shell, governors), "--dry-run")
    assert "= 2 trials" in done.out
    assert "power mode 0, powersave" in done.out
    assert governors.now == OWN


LONG = {"duration_s": 60, "governors": "[powersave, performance]", "power_modes": "[2]"}


def test_ctrl_c(shell: Shell, governors: Governors, nvpmodel: Nvpmodel) -> None:
    with shell.start("deploy", recipe(shell, **LONG), "--target", here(shell, governors)) as going:
        going.until("here: 1/2")
        assert (governors.now, nvpmodel.mode) == (["powersave"] * 2, 2)
        going.signal()
        assert going.end(10).code == 130
        until(lambda: (governors.now, nvpmodel.mode) == (OWN, 1))
        assert not going.orphans


def test_an_agent_that_is_killed(shell: Shell, governors: Governors, nvpmodel: Nvpmodel) -> None:
    with shell.start("deploy", recipe(shell, **LONG), "--target", here(shell, governors)) as going:
        going.until("here: 1/2")
        trial = going.child(".pyz trial")
        parent = trial.parent()
        assert parent
        parent.kill()
        going.until("this trial is repeated")  # by a new agent, after the old one's guard has put all back
        until(lambda: (governors.now, nvpmodel.mode) == (["powersave"] * 2, 2))
        going.child(".pyz trial")
        going.signal()
        going.end(10)
    until(lambda: (governors.now, nvpmodel.mode) == (OWN, 1))


@pytest.mark.parametrize("how", ["link", "session"])
def test_a_dropped_link(shell: Shell, sshd: Sshd, governors: Governors, how: str) -> None:
    """Over a real SSH server: the way there is cut, or all that serves this session is killed."""
    with DelayProxy(sshd.port) as way:
        sshd.trust_port(way.port)
        add_board(shell, sshd, "far", port=way.port, sysfs_root=governors.root, allow_tuning="true")
        file = recipe(shell, duration_s=60, governors="[powersave]")
        with shell.start("deploy", file, "--target", "far") as going:
            going.until("far: 1/1")
            assert governors.now == ["powersave"] * 2
            server = psutil.Process(int((sshd.folder / "pid").read_text()))
            trial = child_of(server.pid, ".pyz trial")
            if how == "link":
                way.cut()
            else:
                for one in trial.parents():
                    if one.pid == server.pid:
                        break
                    with contextlib.suppress(psutil.NoSuchProcess):
                        one.send_signal(signal.SIGKILL)
            assert going.end(15).code in (4, 5)
        until(lambda: governors.now == OWN)
        assert not (shell.folder / "far-root" / "tuning.json").exists()


def test_what_a_power_cut_left_is_put_back_by_the_next_run(
    shell: Shell, governors: Governors, nvpmodel: Nvpmodel
) -> None:
    target = here(shell, governors, root=shell.folder / "kept")
    with shell.start("deploy", recipe(shell, **LONG), "--target", target) as going:
        going.until("here: 1/2")
        guard = going.child(".pyz guard")
        going.remember()
        guard.kill()
        going.signal()
        going.end(10)
    assert nvpmodel.mode == 2
    governors.reboot("boot-2")
    for policy in ("policy0", "policy4"):
        governors.path(policy).write_text("ondemand\n")
    done = shell.run("deploy", recipe(shell), "--target", target)
    assert done.code == 0, done.err
    assert "here: put back what an earlier run had changed: power mode 1" in done.err
    assert (governors.now, nvpmodel.mode) == (["ondemand"] * 2, 1)
