"""`edgegreen targets …` on a board that a lab lends: leased as for a deploy, given back whatever happens."""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack

import pytest

from lab.labs import Lab

pytestmark = pytest.mark.slow
FIRST = "labgrid:name=jetson_1"


def test_the_doctor_waits_for_its_turn(lab: Lab) -> None:
    with ExitStack() as stack:
        with lab.held("jetson_1", "far/anna"):
            going = stack.enter_context(lab.shell.start("targets", "doctor", FIRST, "--json"))
            going.until(f"{FIRST}: waiting for a board: 1st in the queue, jetson_1 held by anna@far")
        done = going.end()
    assert done.code in (0, 5), done.err  # this machine may not be fit for a run
    assert done.json["target"] == "jetson_1"
    assert {one["check"]: one["gravity"] for one in done.json["findings"]}["link"] == "fine"
    assert f"jetson_1: leased from {lab.address} for {FIRST}" in done.err
    assert lab.is_free()


@pytest.mark.parametrize("command", [("probe",), ("provision",), ("clean",), ("add", "from-the-lab")])
def test_others_lease_as_well(lab: Lab, command: tuple[str, ...]) -> None:
    done = lab.shell.run("targets", *command, FIRST, EDGEGREEN_LOCK=str(lab.folder / "lock"))
    assert done.code == 0, done.err
    assert f"jetson_1: leased from {lab.address}" in done.err
    assert lab.is_free()
    if command[0] == "add":
        written = (lab.shell.folder / "targets" / "from-the-lab.yaml").read_text()
        assert f"port: {lab.boards['jetson_1'].port}\n" in written


def test_sigterm_gives_the_board_and_the_reservation_back(lab: Lab) -> None:
    """One is at a board that says nothing, one waits for it."""
    os.kill(lab.boards["jetson_1"].pid, signal.SIGSTOP)
    with ExitStack() as stack:
        works = stack.enter_context(lab.shell.start("targets", "probe", FIRST))
        works.until("jetson_1: leased from")
        waits = stack.enter_context(lab.shell.start("targets", "provision", FIRST))
        waits.until("waiting for a board")
        for going in (waits, works):
            going.signal(signal.SIGTERM)
            done = going.end(10)
            assert done.code == 130, done.err
            assert done.err.rstrip().endswith("interrupted")
            assert lab.is_free() == (going is works)
    os.kill(lab.boards["jetson_1"].pid, signal.SIGCONT)


def test_a_failure_gives_it_back(lab: Lab) -> None:
    lab.boards["jetson_1"].stop()
    done = lab.shell.run("targets", "doctor", FIRST, "--json")
    lab.boards["jetson_1"].start()
    assert done.code == 4
    assert done.json["findings"][0]["check"] == "link"
    assert lab.is_free()
