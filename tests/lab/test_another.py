"""A place that is of no use is given back, and another one taken that fits, each once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
import waiting

from edgegreen.errors import UnreachableError
from edgegreen.lab import owner, spec
from edgegreen.lab.coordinator import Coordinator
from edgegreen.lab.lease import Lease
from edgegreen.lab.line import Told
from lab import labs
from lab.labs import Lab, deploy, start, targets

pytestmark = pytest.mark.slow
ANY, JETSON = "labgrid:arch=aarch64", "labgrid:board=jetson"
NO_ANSWER = UnreachableError("10.0.0.7: no answer within 10 s")


@pytest.fixture
def dead(lab: Lab) -> Iterator[Lab]:
    """The lab without the exporter of both jetsons; `behind` still has one."""
    lab.kill("lab1")
    yield lab
    lab.restart()


@contextmanager
def lease(lab: Lab, wish: str, notes: list[str]) -> Iterator[Lease]:
    """A place for this test's own process; does not wait for one that is held."""
    told = Told(lambda _: None, notes.append, lambda _: None, lambda error: notes.append(error.message))
    asked = spec.parse(f"{wish}?coordinator={lab.address}&timeout=0")
    with Lease(asked, owner.current("test"), told) as one:
        yield one


def test_places_of_a_dead_exporter_are_passed_over(dead: Lab) -> None:
    with ExitStack() as stack:
        with dead.held("behind", "far/anna"):
            going = stack.enter_context(start(dead, ANY))
            going.until("waiting for a board: 1st in the queue, behind held by anna@far")
            assert set(dead.holders()) == {"behind"}  # both were given back
            assert dead.reservations() == ["waiting"]
        done = going.end()
    assert done.code == 0, done.err
    assert targets(done) == {"behind"}
    passed = re.findall(
        rf"^{ANY}: (\w+) is given back: .* offers a NetworkService.*; asking for another",
        done.err,
        re.MULTILINE,
    )
    assert sorted(passed) == list(labs.BOARDS)


def test_the_error_names_every_place_that_was_tried(dead: Lab) -> None:
    done = deploy(dead, JETSON)
    assert done.code == 4
    assert "no place that fits can be reached: " in done.err
    for place in labs.BOARDS:
        assert f"{place}: no exporter at {dead.address} offers a NetworkService" in done.err
    notes: list[str] = []
    with (
        dead.held("behind", "far/anna"),
        pytest.raises(
            UnreachableError,
            match=r"within 0 s; held: behind by anna@far; tried: jetson_\d: no exporter .*; j",
        ),
        lease(dead, ANY, notes),
    ):
        pytest.fail("there was none to have")
    assert len(notes) == 2


def test_no_place_is_tried_twice(lab: Lab) -> None:
    notes: list[str] = []
    with lease(lab, JETSON, notes) as one:
        (first,) = lab.holders()
        one.change(NO_ANSWER)
        assert notes == [f"{first} is given back: {NO_ANSWER.message}; asking for another place"]
        (second,) = lab.holders()
        assert {first, second} == set(labs.BOARDS)
        assert lab.reservations() == []
        with pytest.raises(UnreachableError, match=rf"{first}: 10.0.0.7: no answer .*; {second}: it is off"):
            one.change(UnreachableError("it is off"))


def test_a_ci_jobs_place_is_exchanged_for_one_of_our_own(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    with Coordinator(lab.address, "ci/job") as job:
        mine = job.reserve({"name": "jetson_1"})
        monkeypatch.setenv("LG_TOKEN", mine.token)
        with lease(lab, JETSON, []) as one:
            assert lab.holders() == {"jetson_1": "ci/job"}
            one.change(NO_ANSWER)
            assert lab.holders() == {"jetson_2": str(owner.current("test"))}
        assert lab.reservations() == ["allocated"]  # it is the job's to cancel
        job.cancel(mine.token)


def test_another_is_kept_through_a_restart_of_the_coordinator(lab: Lab) -> None:
    notes: list[str] = []
    with lease(lab, JETSON, notes) as one:
        one.change(NO_ANSWER)
        second = lab.holders().keys()
        lab.restart()
        waiting.until(lambda: len(notes) == 3)
        assert [note for note in notes if "ours as before" in note] == [notes[2]]
        assert lab.holders().keys() == second


def test_a_board_that_stays_dead_is_exchanged(lab: Lab) -> None:
    """After its one power cycle; where nothing was measured yet."""
    lab.broken.add("jetson_1")
    lab.boards["jetson_1"].stop()
    with ExitStack() as stack:
        with lab.held("jetson_2", "far/anna"):
            going = stack.enter_context(start(lab, JETSON))
            going.until("jetson_1: power-cycled, as it did not answer any more")
        done = going.end()
    lab.boards["jetson_1"].start()
    assert done.code == 0, done.err
    assert targets(done) == {"jetson_2"}
    assert done.json["failures"] == []
    assert re.search(
        rf"^{JETSON}: jetson_1 is given back: .*; asking for another place$", done.err, re.MULTILINE
    )
    assert lab.switched == [("jetson_1", False), ("jetson_1", True)]
