"""`compare` and `deploy --against`: which runs, where it is printed, exit codes."""

from __future__ import annotations

import html
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from builders import measurement, run
from click.testing import CliRunner, Result

from cli.harness import Shell
from edgegreen.cli import cli
from edgegreen.config.limitkeys import Regression
from edgegreen.history import spool
from edgegreen.measurement import Measurement

BEFORE, AFTER = "20261121-040000-aaaaaa", "20261122-040000-bbbbbb"


def keep(run_id: str, item: Measurement, **wanted: Any) -> None:
    spool.folder().mkdir(parents=True, exist_ok=True)
    of = run(item).model_copy(update={"run_id": run_id, **wanted})
    spool.file_of(run_id).write_text(of.to_json())


@pytest.fixture(autouse=True)
def two_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEGREEN_HOME", str(tmp_path / "compared"))
    keep(BEFORE, measurement(p50=1.0))
    keep(AFTER, measurement(p50=0.8))


def compare(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["compare", *arguments])


def test_by_names_as_other_commands_take_them() -> None:
    done = compare("20261121", "latest")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith(f"before {BEFORE}  keyword-spotting · 2026-11-22 04:00 UTC\nnow    {AFTER}")
    assert "faster" in done.stdout
    assert not spool.file_of(BEFORE).exists()  # the database has it, and knows it by its file still
    assert "slower" in compare(AFTER, str(spool.file_of(BEFORE))).stdout


def test_json() -> None:
    done = compare(BEFORE, AFTER, "--json")
    found = json.loads(done.stdout)
    assert (found["before"]["run_id"], found["after"]["run_id"]) == (BEFORE, AFTER)
    assert found["trials"][0]["latency"]["ratio"] == pytest.approx(0.8)


@pytest.mark.parametrize("as_json", [False, True])
def test_what_differs_needs_force(*, as_json: bool) -> None:
    keep(AFTER, measurement(p50=0.8, threads=4))
    more = ["--json"] * as_json
    done = compare(BEFORE, AFTER, *more)
    assert done.exit_code == 2
    assert "error: 1 of 1 trials not compared: they differ in threads" in done.stderr
    assert "--force" in done.stderr
    assert "faster" not in done.stdout
    forced = compare(BEFORE, AFTER, "--force", *more)
    assert (forced.exit_code, forced.stderr) == (0, "")
    assert "faster" in forced.stdout


def test_limits_are_those_of_the_later_run_and_options_go_before_them() -> None:
    keep(BEFORE, measurement(p50=0.5), regression=Regression(slower_max=0.1, accuracy_drop_max=0.0))
    assert compare(AFTER, BEFORE).exit_code == 0
    keep(AFTER, measurement(p50=0.8), regression=Regression(slower_max=0.1))
    done = compare(BEFORE, AFTER)
    assert (done.exit_code, done.stderr) == (1, "")
    assert "! int8-tflite: p50 +60 %, and the limit is +10 %" in done.stdout
    assert compare(BEFORE, AFTER, "--slower-max", "0.7").exit_code == 0
    energy = compare(BEFORE, AFTER, "--slower-max", "0.7", "--energy-more-max", "0.1")
    assert energy.exit_code == 1
    assert "energy was not compared" in energy.stdout
    assert compare(BEFORE, AFTER, "--accuracy-drop-max", "-1").exit_code == 2


def test_reports_of_a_run_against_another() -> None:
    keep(AFTER, measurement(p50=1.2), regression=Regression(slower_max=0.1))

    def report(*arguments: str) -> Result:
        return CliRunner().invoke(cli, ["report", AFTER, *arguments])

    told = report("--format", "md", "--against", BEFORE)
    assert (told.exit_code, told.stderr) == (0, "")
    assert told.stdout.startswith("## ❌ keyword-spotting: 1 of 1 trial worse than before\n")
    junit = ET.fromstring(report("--format", "junit", "--against", BEFORE).stdout)
    (case,) = junit.iter("failure")
    assert (case.get("type"), case.get("message")) == ("regression", "p50 +20 %, and the limit is +10 %")
    assert [suite.get("failures") for suite in junit] == ["1"]
    assert "failure" not in report("--format", "junit").stdout.replace("failures", "")
    keep(BEFORE, measurement(threads=4))
    apart = report("--format", "junit", "--against", BEFORE)
    assert "not compared, as they differ in threads: 4 → 1" in apart.stdout
    assert "≠" not in report("--format", "md", "--against", BEFORE, "--force").stdout


def test_a_comparison_is_asked_for_where_there_is_none() -> None:
    for arguments, message in (
        (["--format", "csv", "--against", BEFORE], "--against goes with html, md, junit, not with csv"),
        (["--format", "md", "--force"], "--force goes with --against only"),
        (["--format", "md", "--against", ""], "no run is called ``"),
    ):
        done = CliRunner().invoke(cli, ["report", AFTER, *arguments])
        assert (done.exit_code, message in done.stderr) == (2, True), arguments


def test_a_report_of_runs_with_nothing_in_common_says_so_in_every_format() -> None:
    keep(BEFORE, measurement("fp32"))
    why = f"no trial in common with run {BEFORE} (variants: fp32 → int8-tflite)"
    for name in ("html", "md", "junit"):
        done = CliRunner().invoke(cli, ["report", AFTER, "--format", name, "--against", BEFORE])
        said = re.sub(r"\\", "", html.unescape(done.stdout))
        assert (done.exit_code, why in said, why in done.stderr) == (2, True, True), name
    done = compare(BEFORE, AFTER)
    assert (done.exit_code, f"≠ {why}" in done.stdout, why in done.stderr) == (2, True, True)
    assert json.loads(compare(BEFORE, AFTER, "--json").stdout)["trials"] == []


def test_a_run_and_itself() -> None:
    for done in (
        compare("latest", "latest"),
        compare(AFTER, AFTER[:12]),
        CliRunner().invoke(cli, ["report", AFTER, "--format", "md", "--against", AFTER]),
    ):
        assert (done.exit_code, done.stdout) == (2, "")
        assert f"error: both are one run, {AFTER}" in done.stderr
        assert "`edgegreen runs` lists" in done.stderr


def test_several_runs_a_side() -> None:
    other = "20261120-040000-cccccc"
    keep(other, measurement(p50=1.1), started_at=datetime(2026, 11, 20, tzinfo=UTC))
    done = compare(f"{BEFORE},20261120", AFTER)
    assert done.exit_code == 0
    assert done.stdout.startswith(f"before {BEFORE} + 1 more  keyword-spotting")
    assert "starts that are pooled: 2 before, 1 now" in done.stdout
    assert "what differs from one start to the next, by the starts" in " ".join(done.stdout.split())
    named = json.loads(compare(f"{BEFORE},{other}", AFTER, "--json").stdout)["before"]
    assert (named["run_id"], named["more"]) == (BEFORE, [other])
    twice = compare(f"{BEFORE},{BEFORE}", AFTER)
    assert (twice.exit_code, f"run {BEFORE} is named twice" in twice.stderr) == (2, True)
    assert compare(",".join([BEFORE] * 20), AFTER).exit_code == 2  # longer than a file's name may be


def test_a_run_that_is_not_there() -> None:
    done = compare(BEFORE, "20990101")
    assert done.exit_code == 2
    assert "no run is called `20990101`" in done.stderr


def test_force_alone_means_nothing() -> None:
    done = CliRunner().invoke(cli, ["deploy", "recipe.yaml", "--force"])
    assert (done.exit_code, "--force goes with --against" in done.stderr) == (2, True)


def test_deploy_against_the_run_before(shell: Shell) -> None:
    recipe = shell.recipe(variants="{fp32: {format: tflite, precision: fp32}}")
    unset = shell.run("deploy", recipe, "--against", "")  # an unset variable of a CI job
    assert (unset.code, "no run is called ``" in unset.err) == (2, True)
    first = shell.run("deploy", recipe, "--against", "latest")
    assert first.code == 2
    assert "no earlier run of recipe `digits` is in the history" in first.err
    assert shell.runs == []
    (shell.folder / "link.json").symlink_to("nowhere/run.json")
    unwritten = shell.run("deploy", recipe, "--json", "link.json")
    assert (unwritten.code, "error: cannot write link.json" in unwritten.err) == (2, True)
    assert "note:" not in unwritten.err  # the run is in the history all the same
    strict = shell.recipe(
        variants="{fp32: {format: tflite, precision: fp32}}",
        regression="{slower_max: 1000, energy_more_max: 1}",
    )
    on_github = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(shell.folder / "summary.md")}
    done = shell.run("deploy", strict, "--against", "latest", "--json", "run.json", **on_github)
    assert done.code == 1
    assert "::error title=Regression%3A fp32 on local::" in done.err
    assert "energy was not compared, and the limit is" in done.err
    assert "1 of 1 trial worse than before" in (shell.folder / "summary.md").read_text(encoding="utf-8")
    before, after = (one["run_id"] for one in shell.runs)
    table, below = done.out.split(f"before {before}  digits")
    assert "98." in table
    assert f"now    {after}  digits" in below
    assert "energy was not compared, and the limit is +100 %" in below
    assert json.loads((shell.folder / "run.json").read_text())["run_id"] == after


@pytest.mark.slow
def test_accuracy_is_paired_over_the_samples_of_two_deploys(shell: Shell) -> None:
    for precision in ("fp32", "int8"):
        variants = f"{{model: {{format: tflite, precision: {precision}}}}}"
        done = shell.run("deploy", shell.recipe(variants=variants, baseline="model"))
        assert done.code == 0, done.err
    ids = [one["run_id"] for one in shell.runs]
    scores = [one["results"][0]["accuracy"] for one in shell.runs]
    (trial,) = shell.run("compare", *ids, "--json", "--accuracy-drop-max", "0.001").json["trials"]
    seen = trial["accuracy_seen"]
    assert (seen["by"], seen["samples"]) == ("paired", 450)
    assert (seen["gained"] - seen["lost"]) / 450 == pytest.approx(scores[1]["value"] - scores[0]["value"])
    # The float file on the board answers as the float model on the host: the change is the same, seen twice.
    assert scores[0]["value"] == scores[0]["baseline"]
    assert scores[1]["change_ci95"] == seen["ci95"]
    assert any("450 samples do not settle whether it is over 0.001" in note for note in trial["notes"])
    alone = (
        shell.folder / "alone.json"
    )  # without its series, as runs are that were kept before there were hits
    alone.write_text(shell.run("show", ids[0], "--json").out)
    (unpaired,) = shell.run("compare", alone, ids[1], "--json").json["trials"]
    wider = unpaired["accuracy_seen"]
    assert (wider["by"], wider["samples"]) == ("unpaired", None)
    assert wider["ci95"][1] - wider["ci95"][0] > seen["ci95"][1] - seen["ci95"][0]
