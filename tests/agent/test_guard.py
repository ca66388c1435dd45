"""Whatever ends the agent, the board gets its own settings back. Real processes, on a made-up tree."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from fake_nvpmodel import Governors, Nvpmodel, install
from waiting import until

from agent.talk import Talk, fake_litert, gone, job
from edgegreen.agent.guard import FILE, Guard
from edgegreen.agent.meters import tree
from edgegreen.agent.tuning import Order

OWN = ["schedutil"] * 2


@pytest.fixture
def board(tmp_path: Path) -> Governors:
    return Governors(tmp_path / "board")


@pytest.fixture
def nvpmodel(tmp_path: Path, board: Governors) -> Nvpmodel:
    return install(tmp_path / "bin", board.root)


class Tuned:
    """An agent, and what it is asked to set."""

    def __init__(self, talk: Talk, board: Governors, folder: Path) -> None:
        self.talk, self.board, self.folder = talk, board, folder

    def order(self, governor: str | None = None, power_mode: int | str | None = None) -> Order:
        return Order(governor, power_mode, str(self.board.root), str(self.folder), 0.01)

    def tune(self, governor: str | None = None, power_mode: int | str | None = None) -> dict[str, Any]:
        self.talk.send({"verb": "tune", **self.order(governor, power_mode).wire()})
        (answer,) = self.talk.answer()
        return answer

    @property
    def guard(self) -> psutil.Process:
        """Its process."""
        children = psutil.Process(self.talk.process.pid).children()
        (found,) = [child for child in children if child.cmdline()[-1] == "guard"]
        return found

    @property
    def noted(self) -> dict[str, Any] | None:
        """What the file says was changed."""
        path = self.folder / FILE
        return json.loads(path.read_text()) if path.exists() else None


@pytest.fixture
def agent(pyz: Path, tmp_path: Path, board: Governors) -> Iterator[Callable[[], Tuned]]:
    """Starts agents on the one board."""
    env = fake_litert(tmp_path)
    env["PATH"] = f"{tmp_path / 'bin'}{os.pathsep}{env['PATH']}"
    talks: list[Talk] = []

    def start() -> Tuned:
        talks.append(Talk(pyz, env=env))
        return Tuned(talks[-1], board, tmp_path / "kept")

    yield start
    for talk in talks:
        talk.__exit__()


def test_set_changed_and_put_back_when_asked(
    agent: Callable[[], Tuned], board: Governors, nvpmodel: Nvpmodel
) -> None:
    it = agent()
    assert it.tune("powersave", "MAXN_SUPER") == {
        "v": 1, "event": "tuned", "restored": [], "error": None, "hint": None,
    }  # fmt: skip
    assert (board.now, nvpmodel.mode) == (["powersave"] * 2, 2)
    assert it.noted == {
        "root": str(board.root), "boot_id": "boot-1", "power_mode": 1,
        "governors": {"policy0": "schedutil", "policy4": "schedutil"},
    }  # fmt: skip
    it.tune("performance", 0)
    assert (board.now, nvpmodel.mode) == (["performance"] * 2, 0)
    answer = it.tune()
    assert answer["restored"] == [
        "power mode 1",
        "governor schedutil of policy0",
        "governor schedutil of policy4",
    ]
    assert (board.now, nvpmodel.mode, it.noted) == (OWN, 1, None)


def test_nothing_to_put_back_takes_no_guard(agent: Callable[[], Tuned]) -> None:
    it = agent()
    assert it.tune()["error"] is None
    assert psutil.Process(it.talk.process.pid).children() == []
    assert not it.folder.exists()


def test_what_is_refused_is_told_and_the_next_one_works(agent: Callable[[], Tuned], board: Governors) -> None:
    it = agent()
    answer = it.tune("ondemand")
    assert answer["error"] == "there is no governor `ondemand` for policy0"
    assert answer["hint"] == "this board has performance, powersave, schedutil"
    assert it.tune("powersave")["error"] is None
    it.tune()
    assert board.now == OWN


@pytest.mark.parametrize("end", ["stdin", "SIGTERM", "SIGKILL", "both"])
def test_whatever_ends_the_agent_in_the_middle_of_a_trial(
    agent: Callable[[], Tuned], board: Governors, nvpmodel: Nvpmodel, end: str
) -> None:
    it = agent()
    it.tune("powersave", 2)
    it.talk.send({"verb": "measure", "id": "t1", "job": job(__file__, duration_s=60.0)})
    it.talk.until("latency")
    guard = it.guard
    assert os.getsid(guard.pid) == guard.pid  # a hang-up of the agent's terminal or session passes it by
    if end == "stdin":
        assert it.talk.process.stdin
        it.talk.process.stdin.close()
    else:
        it.talk.process.send_signal(signal.SIGKILL if end == "both" else signal.Signals[end])
        if end == "both":  # as when a service manager ends all of a session
            guard.send_signal(signal.SIGHUP)
            guard.send_signal(signal.SIGTERM)
    until(lambda: (board.now, nvpmodel.mode) == (OWN, 1))
    assert gone(guard)
    assert it.noted is None


def test_a_guard_that_is_killed_is_followed_by_one_that_puts_back(
    agent: Callable[[], Tuned], board: Governors, nvpmodel: Nvpmodel
) -> None:
    it = agent()
    it.tune("powersave", 2)
    it.guard.kill()
    assert "changes the board's settings: it has ended" in it.tune("performance")["error"]
    answer = it.tune("performance")
    assert (answer["error"], answer["restored"][0]) == (None, "power mode 1")
    assert (board.now, nvpmodel.mode) == (["performance"] * 2, 1)
    it.tune()
    assert board.now == OWN


@pytest.mark.parametrize("rebooted", [False, True])
def test_the_next_run_puts_back_what_a_dead_board_left(
    agent: Callable[[], Tuned], board: Governors, nvpmodel: Nvpmodel, rebooted: bool
) -> None:
    first = agent()
    first.tune("powersave", 2)
    first.guard.kill()
    first.talk.process.kill()
    first.talk.process.wait()
    if rebooted:  # the boot has chosen a governor, which is not ours to change
        board.reboot("boot-2")
        for policy in ("policy0", "policy4"):
            board.path(policy).write_text("performance\n")
    assert nvpmodel.mode == 2
    second = agent()
    answer = second.tune()
    assert (answer["error"], answer["restored"][0]) == (None, "power mode 1")
    assert len(answer["restored"]) == (1 if rebooted else 3)
    assert (board.now, nvpmodel.mode) == (["performance"] * 2 if rebooted else OWN, 1)
    assert second.noted is None


def test_what_cannot_be_put_back_is_said_until_it_can(
    board: Governors, tmp_path: Path, nvpmodel: Nvpmodel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{nvpmodel.folder}{os.pathsep}{os.environ['PATH']}")
    back, lean = (Order(name, None, str(board.root), str(tmp_path), 0) for name in (None, "powersave"))
    first, second = Guard(sleep=lambda _: None), Guard(sleep=lambda _: None)
    first.answer(Order(None, 2, str(board.root), str(tmp_path), 0))
    install(nvpmodel.folder, board.root, mode=2, reboot=[1])  # the way back takes a reboot
    assert "power mode 1 takes a reboot" in first.answer(back)["error"]
    first.end()
    assert (tmp_path / FILE).exists()
    answer = second.answer(lean)
    assert answer["error"].startswith("what an earlier run changed cannot be put back: power mode 1 takes")
    assert "sudo nvpmodel -m 1" in answer["hint"]
    assert board.now == OWN
    install(nvpmodel.folder, board.root, mode=1)  # the user has done so
    assert second.answer(back)["error"] is None
    assert not (tmp_path / FILE).exists()
    second.end()


def test_one_run_at_a_time(tmp_path: Path, board: Governors) -> None:
    wanted = Order("powersave", None, str(board.root), str(tmp_path), 0)
    first, second = Guard(patience_s=0.05), Guard(patience_s=0.05)
    assert first.answer(wanted)["error"] is None
    assert "another run has changed this board's settings" in second.answer(wanted)["error"]
    first.end()
    assert second.answer(wanted)["error"] is None
    second.end()
    assert board.now == OWN


@pytest.mark.parametrize("text", ["", "{", "[]", '{"root": "/"}'])
def test_a_note_that_makes_no_sense_is_not_guessed_at(tmp_path: Path, board: Governors, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    guard = Guard(patience_s=0.05)
    answer = guard.answer(Order("powersave", None, str(board.root), str(tmp_path), 0))
    guard.end()
    assert "tuning.json cannot be read" in answer["error"]
    assert board.now == OWN


def test_a_folder_that_takes_no_note_leaves_the_board_alone(tmp_path: Path, board: Governors) -> None:
    (tmp_path / "file").write_text("")
    guard = Guard()
    answer = guard.answer(Order("powersave", None, str(board.root), str(tmp_path / "file" / "in"), 0))
    guard.end()
    assert "nothing is changed" in answer["error"]
    assert board.now == OWN


def test_the_end_tries_more_than_once(tmp_path: Path, board: Governors, nvpmodel: Nvpmodel) -> None:
    tries = 0

    def run(argv: Any, **how: Any) -> tree.Output:
        nonlocal tries
        tries += argv[1:] == ["-m", "1"]
        if tries == 1 and "-m" in argv:
            return tree.Output(255, "NVPM ERROR: failed to set power mode!\n")
        return tree.run([str(nvpmodel.folder / argv[0]), *argv[1:]], **how)

    guard = Guard(run, lambda _: None)
    assert guard.answer(Order(None, 2, str(board.root), str(tmp_path), 0))["error"] is None
    guard.end()
    assert (nvpmodel.mode, tries) == (1, 2)
