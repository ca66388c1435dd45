"""Nothing that was spooled is lost, whatever befalls process or database; nobody's run is taken away."""

from __future__ import annotations

import errno
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from places import REPO
from postgres import PASSWORD, USER, Server

from edgegreen import building, session
from edgegreen.errors import InputError
from edgegreen.history import engine, intake, keeping, runs, series, shelf, spool
from edgegreen.history.filters import Filter
from edgegreen.prepare import prepare
from history.putting import spooled

ONE, TWO = "20261122-040000-000001", "20261122-050000-000002"
PUTTING = [sys.executable, str(Path(__file__).parent / "putting.py")]


@contextmanager
def started(*arguments: object) -> Iterator[subprocess.Popen[str]]:
    """A process that keeps runs."""
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(REPO), str(REPO / "tests")])}
    process = subprocess.Popen(
        [*PUTTING, *map(str, arguments)], env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def listed(**wanted: Any) -> list[str]:
    with shelf.opened() as known:
        return [one.run_id for one in known.find(Filter(**wanted))]


def in_spool() -> list[str]:
    return sorted(path.name for path in spool.folder().iterdir())


def test_what_is_done_moves_into_the_database(database: str) -> None:
    made = spooled(ONE, "a", "b")
    place = intake.keep(made)
    assert place.name == engine.shown(engine.url())
    assert in_spool() == []
    kept = runs.find(ONE)
    assert kept.run == made
    for behind in (kept.series(made.results[1]), place.series(made.results[1])):
        assert behind is not None
        assert (len(behind.invoke_ns), behind.windows) == (199, {"active": (0, 9)})


def test_runs_of_processes_that_are_gone_are_taken_in(database: str) -> None:
    """As are those of older edgegreens, which knew no database."""
    spooled(ONE, "a")
    spooled(TWO, "b")
    (spool.folder() / "20261122-060000-000003.lock").touch()  # of one killed before its first result
    assert listed() == [TWO, ONE]
    assert in_spool() == []
    assert listed(variant="a") == [ONE]


def test_a_run_that_goes_on_is_read_and_left_alone_until_its_process_is_killed(database: str) -> None:
    with started("hold", TWO) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "holds\n"
        spooled(ONE, "b")
        assert listed() == [TWO, ONE]
        assert (listed(variant="a"), listed(variant="b")) == ([TWO], [ONE])
        kept = runs.find("latest")
        assert kept.run.run_id == TWO
        assert kept.series(kept.run.results[0]) is not None
        assert in_spool() == [TWO, f"{TWO}.json", f"{TWO}.lock"]
        with spool.claimed(TWO) as mine:
            assert not mine
        process.kill()
        process.wait()
    assert listed() == [TWO, ONE]
    assert in_spool() == []
    assert runs.find(TWO).series(kept.run.results[0]) is not None


def test_a_run_taken_up_again_has_its_earlier_series_from_the_database(database: str) -> None:
    first = intake.keep(spooled(ONE, "a"))
    with spool.claimed(ONE):
        both = spooled(ONE, "a", "b")
        (series.folder_of(spool.file_of(ONE)) / series.name_of(both.results[0])).unlink()
        kept = runs.find(ONE)
        assert [len(kept.run.results), *(bool(kept.series(item)) for item in both.results)] == [2, True, True]
    assert listed() == [ONE]
    assert all(first.series(item) for item in both.results)


def test_a_broken_file_is_in_nobodys_way(database: str) -> None:
    spooled(ONE, "a")
    spool.file_of(TWO).write_text('{"schema": 1')
    spool.file_of(ONE).with_name("20261122-070000-000004.json").write_text(spool.file_of(ONE).read_text())
    with shelf.opened() as known:
        assert [one.run_id for one in known.broken()] == [TWO]
        assert ONE in known.ids()
    assert {f"{TWO}.json", "20261122-070000-000004.json"} <= set(in_spool())  # the latter is not of its name


class TestAway:
    """A database that cannot take a run: it waits in the spool, and says why."""

    def refused(self, words: str) -> InputError:
        made = spooled(ONE, "a")
        with pytest.raises(InputError, match=words) as caught:
            intake.keep(made)
        assert spool.file_of(ONE).exists()
        assert runs.load(ONE) == made  # by its whole name, without the database, or from what is there of it
        return caught.value

    def test_a_server_that_is_off(self, monkeypatch: pytest.MonkeyPatch, postgres: Server) -> None:
        monkeypatch.setenv("EDGEGREEN_DB", "postgresql+psycopg://me:hidden@127.0.0.1:1/x")
        error = self.refused(r"the history in postgresql\+psycopg://me:\*\*\*@127.0.0.1:1/x: .*refused")
        assert "hidden" not in str(error)
        monkeypatch.setenv("EDGEGREEN_DB", postgres.new())
        assert listed() == [ONE]

    def test_what_waits_is_found_meanwhile(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("EDGEGREEN_DB", "postgresql+psycopg://me:hidden@127.0.0.1:1/x")
        for ref in ("latest", ONE, "2026"):
            with pytest.raises(InputError, match="refused"):
                runs.find(ref)
        with pytest.raises(InputError, match="refused"):
            listed()
        made = spooled(ONE, "a")
        spooled(TWO, "b")
        assert listed() == [TWO, ONE]
        assert runs.find("latest").run.run_id == TWO
        whole, part = runs.find(ONE), runs.find(ONE[:12])
        assert whole.run == part.run == made
        assert whole.series(made.results[0]) is not None
        assert whole.remark is None  # there is one of that id only
        assert "looked for in the spool alone" in str(part.remark)
        with pytest.raises(InputError, match="refused"):
            runs.find("2027")
        with pytest.raises(InputError, match="refused"):  # limits are judged against it
            runs.find("latest", recipe="kws")
        assert {f"{ONE}.json", f"{TWO}.json"} <= set(in_spool())

    def test_a_database_that_another_program_has_locked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(engine, "SQLITE_TIMEOUT_S", 0.1)
        assert listed() == []
        with closing(sqlite3.connect(str(engine.url().database), isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            self.refused("database is locked")
        assert listed() == [ONE]

    def test_one_that_may_only_be_read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        intake.keep(spooled(TWO, "b"))
        file = engine.url().database
        monkeypatch.setenv("EDGEGREEN_DB", f"sqlite:///file:{file}?mode=ro&uri=true")
        self.refused("readonly database")
        with shelf.opened() as known:  # everything can be seen all the same
            assert [one.run_id for one in known.find(Filter())] == [TWO, ONE]
            assert "readonly" in str(known.not_taken)
        monkeypatch.delenv("EDGEGREEN_DB")
        assert listed() == [TWO, ONE]
        assert in_spool() == []

    def test_a_user_who_may_only_read(self, monkeypatch: pytest.MonkeyPatch, postgres: Server) -> None:
        address = postgres.new()
        monkeypatch.setenv("EDGEGREEN_DB", address)
        intake.keep(spooled(TWO, "b"))
        postgres.run(f"CREATE ROLE reader LOGIN PASSWORD '{PASSWORD}' IN ROLE pg_read_all_data")
        monkeypatch.setenv("EDGEGREEN_DB", address.replace(f"//{USER}:", "//reader:"))
        self.refused("permission denied for table run")
        assert listed() == [TWO, ONE]
        assert runs.find(TWO).series(runs.load(TWO).results[0]) is not None

    def test_a_file_that_is_no_database(self, home: Path) -> None:
        (home / "history.db").write_text("something else, and more than a hundred bytes of it. " * 40)
        self.refused("file is not a database")

    def test_without_a_spool_the_database_has_it(self, database: str, home: Path) -> None:
        made = spooled(ONE, "a")
        spool.folder().rename(home / "gone")
        spool.folder().write_text("in the way")
        intake.keep(made)
        spool.folder().unlink()
        assert runs.load(ONE) == made


def test_what_is_kept_nowhere_is_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither database nor spool: the run is lost, not its series alone, and none waits."""
    monkeypatch.setenv("EDGEGREEN_DB", "postgresql+psycopg://me:hidden@127.0.0.1:1/x")
    made = spooled(TWO, "a")
    behind = runs.find(TWO).series(made.results[0])
    assert behind is not None
    spool.folder().rename(spool.folder().with_name("gone"))
    spool.folder().write_text("in the way")
    keeping_it = keeping.Keeping(ONE)
    keeping_it.save_series(made.results[0], behind)
    keeping_it.add(made.results[0], lambda: made)
    said = keeping_it.move(made)
    assert f"run {ONE} is not kept: the history in postgresql" in str(said)
    assert "wait" not in str(said)
    assert "cannot keep the run in" in str(keeping_it.lost)


def test_a_lost_run_leaves_nothing_behind(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full: some series still found room, the run did not. They can be asked for to the end."""
    monkeypatch.setenv("EDGEGREEN_DB", "postgresql+psycopg://me:hidden@127.0.0.1:1/x")
    made = spooled(TWO, "a", "b")
    behind = runs.find(TWO).series(made.results[0])
    assert behind is not None
    spool.remove(TWO)

    def full(self: Path, *_: object, **__: object) -> int:
        self.touch()  # a name found room
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    keeping_it = keeping.Keeping(ONE)
    with keeping_it.claimed():
        keeping_it.save_series(made.results[0], behind)
        monkeypatch.setattr(Path, "write_text", full)
        keeping_it.add(made.results[0], lambda: made)
        assert sorted(in_spool()) == [ONE, f"{ONE}.lock", f"{ONE}.part"]
    assert f"run {ONE} is not kept" in str(keeping_it.move(made))
    assert in_spool() == []
    left = [keeping_it.series(item) for item in made.results]
    assert left[1] is None
    assert left[0] is not None
    assert len(left[0].invoke_ns) == len(behind.invoke_ns)


def test_what_a_killed_process_left_of_a_lost_run_is_removed(home: Path) -> None:
    made = spooled(ONE, "a")
    spooled(TWO, "b")
    spool.file_of(ONE).unlink()
    spool.file_of(ONE).with_suffix(".part").touch()
    folder = series.folder_of(spool.file_of(ONE))
    spool.sweep()
    assert series.load(folder, made.results[0])  # it may be about to write its first result
    os.utime(folder, (0, 0))
    with spool.claimed(ONE):
        spool.sweep()
        assert series.load(folder, made.results[0])  # a process has it
    spool.sweep()
    assert in_spool() == [TWO, f"{TWO}.json"]


class TestAddresses:
    """What EDGEGREEN_DB may be; a password is in no message."""

    @pytest.mark.parametrize(
        ("address", "words", "hint"),
        [
            ("nonsense", "is no address of a database", "postgresql"),
            ("mysql://me:hidden@host/x", "no history is kept in `mysql`", "postgresql"),
            ("postgresql+asyncpg://me:hidden@host/x", r"kept in `postgresql\+asyncpg`", "postgresql"),
            ("postgresql://me:hid@den@host/x", "the host has an @", "%40"),
            ("postgresql+psycopg://me:hidden@no.such.host.invalid/x", "no.such.host.invalid", "EDGEGREEN_DB"),
            ("sqlite:////nowhere/x.db", "unable to open database file", "EDGEGREEN_DB"),
        ],
    )
    def test_what_cannot_be(
        self, monkeypatch: pytest.MonkeyPatch, address: str, words: str, hint: str
    ) -> None:
        monkeypatch.setenv("EDGEGREEN_DB", address)
        with pytest.raises(InputError, match=words) as caught:
            listed()
        assert hint in str(caught.value.hint)
        assert not any(part in str(caught.value) for part in ("hidden", "hid@", "den@"))

    def test_a_wrong_password_and_no_such_database(
        self, monkeypatch: pytest.MonkeyPatch, postgres: Server
    ) -> None:
        monkeypatch.setenv("EDGEGREEN_DB", postgres.url("postgres", "mistaken"))
        with pytest.raises(InputError, match="password authentication failed") as caught:
            listed()
        assert "mistaken" not in str(caught.value)
        monkeypatch.setenv("EDGEGREEN_DB", postgres.url("nothing"))
        with pytest.raises(InputError, match='database "nothing" does not exist') as caught:
            listed()
        assert "createdb" in str(caught.value.hint)

    def test_without_the_driver(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "psycopg", None)
        monkeypatch.setenv("EDGEGREEN_DB", "postgresql://host/x")
        with pytest.raises(InputError, match="needs the package psycopg") as caught:
            listed()
        assert "edgegreen[postgres]" in str(caught.value.hint)


def test_who_waits_for_a_run_has_it_alone_afterwards() -> None:
    """The lock's file goes when it is let go of; a lock on the file that is gone would be none."""
    with ThreadPoolExecutor(1) as pool, ExitStack() as waiting:
        with spool.claimed(ONE):
            second = pool.submit(waiting.enter_context, spool.claimed(ONE, 10))
            time.sleep(0.2)
            assert not second.done()
        assert second.result()
        with spool.claimed(ONE) as third:
            assert not third
    assert in_spool() == []


def test_a_run_that_another_process_is_at_is_not_taken_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "CLAIM_S", 0)
    earlier = spooled(ONE, "a").model_copy(update={"recipe": "digits"})
    one = session.Session(prepare(REPO / "recipes" / "digits.yaml"), building.Silence(), earlier)
    with spool.claimed(ONE), pytest.raises(InputError, match="is being measured by another process"):
        one.run()


@pytest.mark.slow
def test_eight_processes_at_once_lose_nothing(database: str) -> None:
    """Beginning with a database without tables, and all of them taking in what others left."""
    left = [spooled(f"20261121-00000{n}-000000", "left") for n in range(5)]
    each = 6
    processes = []
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(REPO), str(REPO / "tests")])}
    for number in range(8):
        command = [*PUTTING, "keep", str(number), str(each)]
        processes.append(subprocess.Popen(command, env=env, text=True, stderr=subprocess.PIPE))
    said = [process.communicate(timeout=120)[1] for process in processes]
    assert said == [""] * 8
    assert len(listed()) == 8 * each + len(left)
    assert in_spool() == []
    with shelf.opened() as known:
        for run_id in known.ids():
            kept = known.get(run_id)
            assert all(kept.series(item) is not None for item in kept.run.results), run_id
