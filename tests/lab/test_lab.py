"""Boards of a lab, leased: labgrid's coordinator and exporters, OpenSSH servers, whole runs in processes."""

from __future__ import annotations

import re
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import pytest
import waiting
from cli.harness import Going

from edgegreen.lab import owner
from edgegreen.lab.coordinator import Coordinator
from lab import labs
from lab.labs import QUICK, Lab, deploy, start, targets

pytestmark = pytest.mark.slow
JETSON = "labgrid:board=jetson"
FIRST, SECOND = "labgrid:name=jetson_1", "labgrid:name=jetson_2"


@contextmanager
def holding(lab: Lab, place: str, seconds: float = 60) -> Iterator[Going]:
    """A deploy that measures there by now."""
    with start(lab, f"labgrid:name={place}", seconds=seconds) as going:
        going.until(f"{place}: 1/1 as-it-is")
        yield going


def test_three_contenders_for_two_boards(lab: Lab) -> None:
    with ExitStack() as stack:
        runs = [one.end() for one in [stack.enter_context(start(lab, JETSON, seconds=2)) for _ in range(3)]]

    assert [run.code for run in runs] == [0, 0, 0], runs
    assert set.union(*map(targets, runs)) == set(labs.BOARDS)
    (waited,) = [run for run in runs if "waiting for a board" in run.err]
    assert re.search(r"1st in the queue, jetson_1 held by \w+@\S+ for \d+ s, jetson_2 held by ", waited.err)
    place = waited.json["results"][0]["conditions"]["place"]
    assert place["name"] in labs.BOARDS
    assert place["tags"]["board"] == "jetson"
    assert place["coordinator"] == lab.address


def test_one_run_on_two_boards_of_a_lab(lab: Lab) -> None:
    two = {"variants": "{as-it-is: {format: tflite}, left-out: {format: tflite}}", "baseline": "left-out"}
    recipe = lab.shell.recipe(**QUICK | two)
    done = lab.shell.run("deploy", recipe, "-t", SECOND, "-t", FIRST, "--variant", "as-it-is", "--json", "-")
    assert done.code == 0, done.err
    assert [row["target"] for row in done.json["results"]] == ["jetson_1", "jetson_2"]
    assert "labgrid:name=jetson_1: leased jetson_1" in done.err.splitlines()


def test_a_dry_run_leases_nothing(lab: Lab) -> None:
    done = lab.shell.run(
        "deploy", lab.shell.recipe(**QUICK), "--target", JETSON, "--dry-run", LG_COORDINATOR="127.0.0.1:1"
    )
    assert done.code == 0, done.err
    assert JETSON in done.out


def test_what_a_killed_run_holds_is_reaped(lab: Lab) -> None:
    with holding(lab, "jetson_1") as killed:
        killed.signal(signal.SIGKILL)
        killed.process.wait()
        with start(lab, FIRST) as next_one:
            next_one.until("waiting for a board: 1st in the queue, jetson_1 held by ")
            tried = lab.shell.run("lab", "reap", "--dry-run")
            assert re.match(rf"jetson_1: would be freed; .*, process {killed.process.pid}, run ", tried.out)
            listed = lab.shell.run("lab", "list").out
            assert re.search(r"^jetson_1 .*board=jetson.* held by .* for \d+ s$", listed, re.MULTILINE)
            assert re.search(r"^jetson_2 .* free$", listed, re.MULTILINE)
            assert re.search(r"^waiting, 1: .* for name=jetson_1$", listed, re.MULTILINE)
            assert lab.shell.run("lab", "reap").out.startswith("jetson_1: freed; ")
            assert next_one.end().code == 0


def test_what_the_dead_queue_for_is_reaped(lab: Lab) -> None:
    """Else a killed run keeps its turn until its reservation expires, a minute later."""
    us = owner.current("run")
    dead = str(replace(us, start_s=us.start_s - 60))
    with lab.held("jetson_1", "far/anna"), Coordinator(lab.address, dead) as link:
        mine = link.reserve({"name": "jetson_1"})
        done = lab.shell.run("lab", "reap")
        assert done.out.startswith(f"reservation {mine.token}: freed; ")
        assert link.poll(mine.token) is None


def test_the_living_and_others_are_not_reaped(lab: Lab) -> None:
    other = owner.Owner("far", "anna", 1, 1, "00000000", "run")
    with holding(lab, "jetson_1") as going, lab.held("jetson_2", str(other)):
        assert lab.reservations() == []  # dropped as soon as the place was taken
        done = lab.shell.run("lab", "reap")
        assert done.code == 0
        assert done.out == ""
        assert "jetson_2: left alone; whether anna@far still lives cannot be known here" in done.err
        assert set(lab.holders()) == {"jetson_1", "jetson_2"}
        going.signal(signal.SIGTERM)
        assert going.end().code == 130


def test_sigterm_gives_the_board_and_the_reservation_back(lab: Lab) -> None:
    with holding(lab, "jetson_1") as measures, start(lab, FIRST) as waits:
        waits.until("waiting for a board")
        for going in (waits, measures):
            going.signal(signal.SIGTERM)
            assert going.end(10).code == 130
            assert lab.is_free() == (going is measures)


def test_a_place_of_a_dead_exporter_is_given_back(lab: Lab) -> None:
    lab.kill("lab2")
    done = deploy(lab, "labgrid:board=nano")
    assert done.code == 4
    assert f"behind: no exporter at {lab.address} offers a NetworkService for it" in done.err
    assert lab.is_free()
    lab.restart()


def test_a_restarted_coordinator_learns_who_has_what(lab: Lab) -> None:
    with holding(lab, "jetson_1", seconds=8) as measures, start(lab, FIRST) as waits:
        waits.until("waiting for a board")
        lab.restart()
        measures.until("the coordinator is back; jetson_1 is ours as before")
        waits.until("waiting for a board", 30)
        first, second = measures.end(), waits.end()
    assert first.code == second.code == 0, first.err + second.err


def test_a_place_that_went_to_somebody_else_is_left(lab: Lab) -> None:
    with holding(lab, "jetson_1") as going:
        going.process.send_signal(signal.SIGSTOP)
        lab.restart()
        with lab.held("jetson_1", "far/anna"):
            going.process.send_signal(signal.SIGCONT)
            done = going.end(30)
    assert done.code == 4
    assert "jetson_1 is lost: anna@far has it now" in done.err


def test_a_board_that_is_off_is_power_cycled(lab: Lab) -> None:
    lab.boards["jetson_2"].stop()
    done = deploy(lab, SECOND)
    assert done.code == 0, done.err
    assert "jetson_2: power-cycled, as it did not answer any more" in done.err
    assert lab.switched == [("jetson_2", False), ("jetson_2", True)]


def test_a_board_that_hangs_is_power_cycled_but_once(lab: Lab) -> None:
    with ExitStack() as stack:
        with lab.held("jetson_1", "far/anna"):
            going = stack.enter_context(start(lab, JETSON, seconds=60))
            going.until("jetson_2: 1/1 as-it-is")
        lab.boards["jetson_2"].stop()
        going.until("jetson_2: power-cycled, as it did not answer any more")
        going.until("jetson_2: 1/1 as-it-is")  # measured anew
        lab.boards["jetson_2"].stop()
        done = going.end()
    assert done.code == 5  # a trial that a board goes away from twice is given up
    assert "asking for another place" not in done.err  # what it has measured, or failed at, stays its own
    assert lab.switched == [("jetson_2", False), ("jetson_2", True)]
    lab.boards["jetson_2"].start()


def test_through_an_isolated_exporter(lab: Lab) -> None:
    """The jump host is the first board's server, whose name and port are ~/.ssh/config's."""
    before = logins(lab)
    done = deploy(lab, "labgrid:board=nano")
    assert done.code == 0, done.err
    assert targets(done) == {"behind"}
    assert logins(lab) == before + 1


def logins(lab: Lab) -> int:
    return lab.boards["jetson_1"].log().count("Accepted publickey")


def test_a_reservation_that_a_ci_job_made(lab: Lab) -> None:
    with Coordinator(lab.address, "ci/job") as job:
        mine = job.reserve({"name": "jetson_2"})
        done = deploy(lab, JETSON, LG_TOKEN=mine.token)
        assert done.code == 0, done.err
        assert targets(done) == {"jetson_2"}
        assert lab.reservations() == ["allocated"]  # it is the job's to cancel
        job.cancel(mine.token)


def test_what_cannot_be_is_said_at_once(lab: Lab) -> None:
    none = deploy(lab, "labgrid:board=toaster")
    assert none.code == 2
    assert "no place of 127.0.0.1:" in none.err
    assert "jetson_1 arch=aarch64 board=jetson" in none.err
    began_s = time.monotonic()
    late = deploy(lab, f"{JETSON}?coordinator=127.0.0.1:1&timeout=1")
    assert late.code == 4
    assert "no labgrid coordinator answers at 127.0.0.1:1" in late.err
    assert time.monotonic() - began_s < 20


def test_waiting_ends_in_time(lab: Lab) -> None:
    with lab.held("jetson_1", "far/anna"):
        done = deploy(lab, f"{FIRST}?timeout=2")
    assert done.code == 4
    assert "no board came free within 2 s; held: jetson_1 by anna@far" in done.err


def test_pytest_takes_boards_of_a_lab(lab: Lab) -> None:
    test = lab.shell.folder / "test_board.py"
    test.write_text("def test_it(eg_deploy):\n    assert eg_deploy().run.results[0].target == 'jetson_1'\n")
    recipe = lab.shell.recipe(**QUICK)
    command = [
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "-q",
        f"--eg-target={FIRST}",
        f"--eg-recipe={recipe}",
    ]
    with Going([sys.executable, *command, str(test)], lab.shell.folder, lab.shell.env) as going:
        done = going.end()
    assert "1 passed" in done.out, done.out + done.err
    waiting.until(lab.is_free)
