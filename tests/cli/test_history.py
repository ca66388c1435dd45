"""The history as a user meets it: filters of `runs`, and a deploy whose database is away or full."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from builders import measurement, run
from click.testing import CliRunner, Result
from history.putting import spooled
from postgres import Server

from cli.harness import Done, Going, Shell, runs_in
from edgegreen.cli import cli
from edgegreen.history import intake
from edgegreen.measurement import Failure

FIRST, SECOND = "20261121-040000-aaaaaa", "20261122-040000-bbbbbb"
FP32 = "{fp32: {format: tflite, precision: fp32}}"


def invoked(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments)


@pytest.fixture
def two_runs() -> None:
    failure = Failure(target="pi5", variant="b", stage="measure", error="no")
    for run_id, made in (
        (FIRST, run(measurement("a", target="orin"))),
        (SECOND, run(measurement("a", verdict="invalid"), failures=(failure,))),
    ):
        intake.keep(made.model_copy(update={"run_id": run_id, "recipe": f"of-{run_id[-1]}"}))


@pytest.mark.usefixtures("two_runs")
class TestRuns:
    """Lists, narrowed down."""

    @pytest.mark.parametrize(
        ("arguments", "found"),
        [
            ("", [SECOND, FIRST]),
            ("--limit 1", [SECOND]),
            ("--recipe of-a", [FIRST]),
            ("--target orin --variant a", [FIRST]),
            ("-t pi5 --failed", [SECOND]),
            ("--verdict invalid", [SECOND]),
            ("--since 2026-11-22 --until 2026-11-22", [SECOND, FIRST]),  # both began then
            ("--git c0ffee", []),
        ],
    )
    def test_filters(self, arguments: str, found: list[str]) -> None:
        lines = invoked("runs", *arguments.split()).stdout.splitlines()
        assert [line.split()[0] for line in lines] == (["Run", *found] if found else [])

    def test_json(self) -> None:
        second, first = json.loads(invoked("runs", "--json").stdout)
        assert (first["run_id"], first["targets"], first["started_at"][:10]) == (
            FIRST,
            ["orin"],
            "2026-11-22",
        )
        assert (second["results"], second["invalid"], second["failures"]) == (1, 1, 1)

    def test_what_is_no_time(self) -> None:
        done = invoked("runs", "--since", "yesterday")
        assert (done.exit_code, "`yesterday` is no time" in done.stderr) == (2, True)


@pytest.mark.usefixtures("two_runs")
def test_runs_are_taken_in_from_files(tmp_path: Path) -> None:
    made = run(measurement("a")).model_copy(update={"run_id": "20261123-040000-cccccc"})
    file, broken = tmp_path / "run.json", tmp_path / "broken.json"
    file.write_text(made.to_json())
    broken.write_text("{}")
    done = invoked("import", str(broken), str(file), str(file))
    assert done.stdout.splitlines() == [
        f"{file}: 1 of 1 runs taken in",
        f"{file}: 0 of 1 runs taken in, 1 were there",
    ]
    assert (done.exit_code, f"error: {broken}: not a run" in done.stderr) == (2, True)
    assert len(json.loads(invoked("runs", "--json").stdout)) == 3
    assert invoked("import", str(file)).exit_code == 0


def waits(done: Done, shell: Shell, words: str) -> None:
    """The deploy went well, and says in one line that its run waits, where, and why."""
    assert (done.code, "1.00×" in done.rows["fp32"]) == (0, True)
    (line,) = [line for line in done.err.splitlines() if line.startswith("note: ")]
    (path,) = (shell.kept / "runs").glob("*.json")
    assert f"run {path.stem} is not in the history yet, and waits in {path}: " in line
    assert words in line


def test_while_the_database_is_away_what_waits_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEGREEN_DB", "postgresql+psycopg://me:hidden@127.0.0.1:1/x")
    spooled(FIRST, "a")
    listed, shown, exported = (
        invoked(*words.split()) for words in ("runs", "show latest --brief", "export --csv -")
    )
    assert (listed.exit_code, shown.exit_code, exported.exit_code) == (0, 0, 2)
    assert FIRST in listed.stdout
    assert listed.stderr.startswith("note: these are the runs of the spool alone: the history in postgresql")
    assert shown.stderr.startswith("note: `latest` is looked for in the spool alone: ")
    assert exported.stdout == ""
    assert "hidden" not in listed.stderr + shown.stderr + exported.stderr


@pytest.mark.slow
def test_a_database_that_is_away_costs_nothing(shell: Shell, postgres: Server) -> None:
    address = postgres.new()
    recipe = shell.recipe(variants=FP32)
    postgres.stop()
    try:
        waits(shell.run("deploy", recipe, EDGEGREEN_DB=address), shell, "refused")
    finally:
        postgres.start()
    done = shell.run("runs", EDGEGREEN_DB=address)
    assert (done.code, done.err, len(done.out.splitlines())) == (0, "", 2)
    assert not list((shell.kept / "runs").iterdir())
    shown = shell.run("report", "latest", "--format", "html", EDGEGREEN_DB=address)
    assert shown.code == 0
    assert "the series behind this row are not there" not in shown.out


@pytest.mark.slow
def test_a_disk_that_is_full_costs_nothing(shell: Shell) -> None:
    """A real file system of 64 kB, with the history alone on it."""
    disk = shell.folder / "disk"
    disk.mkdir()
    mount = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    script = 'mount -t tmpfs -o size=64k none "$0" && exec "$@"'
    if not shutil.which("unshare") or subprocess.call([*mount, script, disk, "true"]):
        pytest.skip("a small file system needs user namespaces, which are not allowed here")
    command = [sys.executable, "-m", "edgegreen", "deploy", str(shell.recipe(variants=FP32))]
    env = shell.env | {"EDGEGREEN_DB": f"sqlite:///{disk / 'history.db'}"}
    with Going([*mount, script, str(disk), *command], shell.folder, env) as going:
        waits(going.end(), shell, "full")
    assert shell.run("runs").code == 0  # on a disk with room
    assert [len(one["results"]) for one in runs_in(shell.kept)] == [1]


@pytest.mark.slow
def test_a_killed_deploy_loses_nothing_that_was_measured(shell: Shell) -> None:
    recipe = shell.recipe(benchmark="{duration_s: 3, warmup_s: 0.02}")
    with shell.start("deploy", recipe) as going:
        going.until("local: 2/2")
        listed = shell.run("runs")  # while it goes on
        assert re.search(r"digits +local +1 ", listed.out)
        going.process.kill()
        going.end()
    assert list((shell.kept / "runs").glob("*.json"))
    done = shell.run("deploy", recipe, "--resume", "latest")
    assert done.code == 0
    (whole,) = runs_in(shell.kept)
    assert [one["variant"] for one in whole["results"]] == ["fp32", "int8"]
    page = Path(shell.folder / "page.html")
    assert shell.run("report", "latest", "--format", "html", "-o", page).code == 0
    assert "the series behind this row are not there" not in page.read_text()
