"""Runs that are kept, listed and shown again: after a real deploy, by the real command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli.harness import Done, Shell, runs_in
from edgegreen.cli import cli


@pytest.fixture
def kept(cold: tuple[Path, Done], monkeypatch: pytest.MonkeyPatch) -> tuple[str, Done]:
    """The id of the run of the first deploy, and what that printed."""
    home, done = cold
    monkeypatch.setenv("EDGEGREEN_HOME", str(home))
    (one,) = runs_in(home)
    return one["run_id"], done


def run(*arguments: str) -> Result:
    """The command in this process: a process each would cost a second."""
    return CliRunner().invoke(cli, arguments)


def test_what_deploy_printed_is_shown_again(
    kept: tuple[str, Done], empty: Shell, cold: tuple[Path, Done]
) -> None:
    run_id, deployed = kept
    done = empty.run("show", "latest", EDGEGREEN_HOME=str(cold[0]))
    assert (done.code, done.err) == (0, "")
    first, blank, *rest = done.out.splitlines()
    assert first.startswith(f"{run_id}  digits · 20")
    assert blank == ""
    assert "\n".join(rest).startswith(deployed.out)
    details = "\n".join(rest)[len(deployed.out) :]
    for words in (
        "fp32 on local\n",
        "int8 on local\n",
        "verdict ",
        "free memory ",
        "not told by this board: ",
    ):
        assert words in details
    assert "energy   – target `local` names no meter; `power: {meter: auto}` in its file" in details
    assert run("show", run_id[:-2], "--brief").output == deployed.out


def test_json_is_what_was_kept(kept: tuple[str, Done], cold: tuple[Path, Done]) -> None:
    run_id, _ = kept
    assert [json.loads(run("show", run_id, "--json").output)] == runs_in(cold[0])
    one = json.loads(run("show", run_id, "--json", "--variant", "int8").output)
    assert [result["variant"] for result in one["results"]] == ["int8"]


def test_one_variant_keeps_its_marks(kept: tuple[str, Done]) -> None:
    whole, part = (
        run("show", "latest", "--brief", *more).output for more in ((), ("-v", "int8", "-t", "local"))
    )
    (row,) = [line.split() for line in part.splitlines() if line.startswith("int8")]
    assert row in [line.split() for line in whole.splitlines()]
    assert "\nfp32" not in part


def test_runs_are_listed(kept: tuple[str, Done]) -> None:
    heading, line = run("runs").output.splitlines()
    assert heading.split("  ")[0] == "Run"
    assert [line.split()[0], *line.split()[-5:-2], line.split()[-1]] == [kept[0], "digits", "local", "2", "0"]


def test_a_broken_file_is_named_and_the_others_are_listed(empty: Shell) -> None:
    assert run("runs").output == "note: no run is kept\n"
    runs = empty.kept / "runs"
    runs.mkdir()
    (runs / "20261122-040000-abc123.json").write_text('{"schema": 1')
    done = run("runs", "--limit", "1")
    assert done.exit_code == 0
    assert "20261122-040000-abc123 ✗" in done.output
    assert "not a run that this edgegreen can read" in done.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("show nope", "no run is called `nope`"),
        ("show nothing.json", "nothing.json: no such file"),
        ("show latest --variant nope", "has no variant `nope`"),
        ("show latest --target nope", "has no target `nope`"),
        ("show latest --battery-mah 5", "`battery_mah` and `battery_v` go together"),
        ("show latest --per-hour often", "`inferences_per_hour`: should be a number, or one of continuous"),
        ("show latest --grid -1", "`grid_gco2e_per_kwh`: should be greater than 0"),
        ("report nope -f md", "no run is called `nope`"),
        ("report latest -f docx", "'docx' is not one of 'html', 'md', 'csv'"),
        ("report latest -f md -o /nowhere/x.md", "--output /nowhere/x.md: no such folder"),
        ("report latest -f md -v nope", "has no variant `nope`"),
        ("runs --limit 0", "Invalid value for '--limit'"),
    ],
)
def test_mistakes_exit_2_and_name_what(kept: tuple[str, Done], arguments: str, words: str) -> None:
    done = run(*arguments.split())
    assert done.exit_code == 2
    assert words in " ".join(done.output.split())


def test_battery_life_without_a_meter_is_a_reason_and_no_number(kept: tuple[str, Done]) -> None:
    text = run("show", "latest", "--brief", "--battery-wh", "10", "--per-hour", "60", "--grid", "400").output
    assert "– battery life, CO2e: there is no energy; target `local` names no meter" in text
    assert "In use" not in text


def test_reports_go_to_stdout_or_to_a_file(kept: tuple[str, Done], tmp_path: Path) -> None:
    run_id, _ = kept
    told = run("report", run_id, "--format", "csv", "--variant", "int8").output.splitlines()
    assert len(told) == 2
    assert told[1].startswith(f"{run_id},digits,")
    file = tmp_path / "report.md"
    done = run("report", "latest", "--format", "md", "--output", str(file))
    assert (done.exit_code, done.output) == (0, "")
    assert file.read_text(encoding="utf-8") == run("report", "latest", "-f", "md").output
    assert run("report", run_id, "-f", "json").output == run("show", run_id, "--json").output


def test_no_run_that_matches_is_said(kept: tuple[str, Done]) -> None:
    found = run("runs", "--recipe", "nope")
    assert (found.exit_code, found.stdout, found.stderr) == (0, "", "note: no run matches\n")
    assert run("runs", "--recipe", "nope", "--json").stdout == "[]\n"


def test_a_folder_of_targets_that_is_not_there_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEGREEN_TARGETS", "/nope")
    assert run("targets", "list").stderr == "note: EDGEGREEN_TARGETS: no folder /nope\n"
