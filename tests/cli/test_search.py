"""`edgegreen search` as its users have it: over SSH and here, with real models, Optuna and its journal."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from cli.harness import DIGITS, Shell

DATA = ", ".join(f"{name}: {DIGITS / name}.npz" for name in ("calibration", "evaluation", "training"))
PLAIN = {"data": f"{{{DATA}}}", "search": "{passes: {}, formats: [tflite], precisions: [int8, fp32, fp16]}"}
ONE = "{fp32: {format: tflite, precision: fp32}}"


@pytest.mark.slow
def test_a_search_from_beginning_to_best_yaml(shell: Shell, board: str, tmp_path: Path) -> None:
    """The labels that judge are all wrong: that has no part in the choice, and is found out at the end."""
    with np.load(DIGITS / "evaluation.npz") as arrays:
        np.savez(tmp_path / "wrong.npz", x=arrays["x"], y=(arrays["y"] + 1) % 10)
    wrong = DATA.replace(str(DIGITS / "evaluation.npz"), str(tmp_path / "wrong.npz"))
    recipe = shell.recipe(**(PLAIN | {"data": f"{{{wrong}}}"}), variants=ONE)
    arguments = ("search", recipe, "--target", board, "--objective", "size", "--seed", "3")
    shell.env["MLFLOW_TRACKING_URI"] = "http://127.0.0.1:9"
    done = shell.run(*arguments, "--trials", "1", "--all")
    assert done.err.count("note: not sent to MLflow: ") == 2  # the candidates' run, and the winner's
    del shell.env["MLFLOW_TRACKING_URI"]
    assert re.search(r"→ best within a loss of 1\.0 points: trial-000, int8 tflite, 1 thread", done.out), (
        done.err
    )
    front, _, judged = done.out.partition("best.yaml on the evaluation data, which had no part in the choice")
    assert re.search(r"trial-000 ★ .* (9\d\.\d|100\.0) %", front)
    assert re.search(r"^fp32 .*dominated by trial-000", front, re.MULTILINE)
    assert re.search(r"^best.* 0\.\d %", judged, re.MULTILINE)
    assert "Judged on evaluation data, once: top1 0.0" in (shell.folder / "best.yaml").read_text()
    # What was chosen on are 249 samples of the training data; what judges, the 450 for that.
    samples = {run["recipe"]: {one["accuracy"]["n"] for one in run["results"]} for run in shell.runs}
    assert samples == {"digits.search": {249}, "digits": {450}}
    # Taken up again, it goes on where it was; but as the same search only.
    more = shell.run(*arguments, "--trials", "2", "--all", "--resume", "latest")
    assert len(re.findall(r"^trial-\d+ +\d", more.out.rpartition("Tried")[2], re.MULTILINE)) == 2, more.err
    other = shell.run(*arguments, "--resume", "latest", "--accuracy-drop-max", "0.5")
    assert (other.code, "has another accuracy drop: 0.01, not 0.5" in other.err) == (2, True)


@pytest.mark.parametrize(
    ("changes", "arguments", "said"),
    [
        ({"data": f"{{training: {DIGITS}/training.npz}}"}, (), "judges its result on evaluation data"),
        ({"data": f"{{evaluation: {DIGITS}/evaluation.npz}}"}, (), "chooses on data apart from the"),
        ({}, ("--objective", "energy"), "local has no power meter, and the objective is energy"),
        ({}, ("--resume", "latest"), "no search is kept"),
        ({}, ("--timeout", "soon"), "write it as 90s, 30m or 2h"),
        ({"search": "{formats: [openvino], precisions: [dynamic]}"}, (), "there is nothing to search"),
        ({"variants": "{trial-1: {format: tflite, precision: fp32}}", "baseline": ""}, (), "`trial-1`"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_before_any_work(
    changes: dict[str, str], arguments: tuple[str, ...], said: str, empty: Shell
) -> None:
    done = empty.run("search", empty.recipe(**(PLAIN | changes)), *arguments)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert "Traceback" not in done.err


def test_a_dry_run_shows_the_space(empty: Shell) -> None:
    done = empty.run("search", empty.recipe(data=f"{{{DATA}}}"), "--dry-run")
    assert done.code == 0, done.err
    assert "int8 tflite" in done.out
    assert re.search(r"[\d,]+ candidates", done.out)
    assert not (empty.kept / "runs").exists()


@pytest.mark.slow
def test_ten_trials_end_in_a_recipe_that_builds_the_same_file_with_an_empty_cache(empty: Shell) -> None:
    space = "{passes: {prune: {sparsity: {min: 0.3, max: 0.7}, epochs: 1}}, precisions: [int8, fp32]}"
    recipe = empty.recipe(data=f"{{{DATA}}}", search=space, seed="5")
    done = empty.run("search", recipe, "--objective", "compressed", "--trials", "10", limit_s=600)
    assert "does not build the file that was chosen" not in done.err
    found = re.search(r"sha256 of the file: ([0-9a-f]{64})", (empty.folder / "best.yaml").read_text())
    assert found, done.err
    empty.run("cache", "clear")
    again = empty.run("deploy", "best.yaml", "--json", "-", limit_s=200)
    results = json.loads(again.out)["results"]
    assert found[1] in {one["artifact"]["sha256"] for one in results}
