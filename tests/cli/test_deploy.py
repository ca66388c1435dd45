"""The happy path on this machine: the table, the JSON contract, and what goes where."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cli.harness import DIGITS, Done, Shell, but_for_noise, runs_in
from edgegreen.measurement import Run

MODELS = Path(__file__).parent.parent / "fixtures" / "models"
LATENCY = dict.fromkeys(("p50", "p90", "p95", "p99", "mean", "stdev", "min", "max", "n", "ci95"))
# The design's JSON contract, schema 1. None stands for any value; what is inside `conditions` is free.
RESULT = {
    "variant": None, "target": None, "format": None, "precision": None, "threads": None, "tuning": None,
    "runtime": {"name": None, "version": None, "delegate": None, "fell_back": None},
    "artifact": {"sha256": None, "size_bytes": None, "compressed_bytes": None, "built_by": None,
        "mixed": None, "compilation": None},
    "latency_ms": LATENCY, "end_to_end_ms": LATENCY,
    "load_ms": None, "first_inference_ms": None, "throughput_ips": None, "peak_rss_bytes": None,
    "accuracy": dict.fromkeys(("metric", "value", "n", "baseline", "change_ci95")),
    "power": None, "energy": None, "energy_absent": None,
    "conditions": None, "verdict": None, "reasons": None,
    "execution": dict.fromkeys(("operators", "delegated", "compute", "conversions", "kinds")),
    "profile": None, "passes": None,
}  # fmt: skip
RUN = dict.fromkeys(
    ("schema", "run_id", "recipe", "started_at", "edgegreen", "results", "failures", "baseline",
     "higher_is_better", "budgets", "regression", "footprint", "origin", "planned")
)  # fmt: skip
FAILURE = dict.fromkeys(("target", "variant", "stage", "error", "setting"))


def has_exactly(tree: Any, keys: dict[str, Any]) -> None:
    """Fail unless `tree` has these keys and no other, all the way down."""
    assert tree.keys() == keys.keys()
    for key, inner in keys.items():
        if inner is not None:
            has_exactly(tree[key], inner)


def test_the_first_deploy_builds_deploys_and_measures(cold: tuple[Path, Done]) -> None:
    home, done = cold
    assert done.code == 0
    title, headings, *rows = done.out.split("\n")[:-1]
    notes = rows[2:]
    del rows[2:]
    assert title.startswith("local  ")
    assert "Python 3." in title
    assert " ".join(headings.split()) == (
        "Variant Runtime Ran in Threads Size Accuracy p50 ms p95 ms First ms Memory Speed"
    )
    assert [row.split()[0] for row in rows] == ["fp32", "int8"]
    for row, precision in zip(rows, ("f32", "i8"), strict=True):
        assert re.search(rf"litert \d\S* \+ XNNPACK +{precision} +1 +[\d.]+ kB", row)
    assert all(float(row.split(" %")[0].split()[-1].strip("*")) > 97 for row in rows)
    if not re.search(r"^\? fp32\b", "\n".join(notes), re.MULTILINE):  # a calm machine
        assert rows[0].endswith("1.00×")
    legend = ("* best of its column", "– speed: no row of a baseline with as many threads here", "")
    assert re.search(
        r"^~ int8: .*8 of 9 operators in XNNPACK.* left: SOFTMAX", "\n".join(notes), re.MULTILINE
    )
    against = [note for note in notes if note not in legend and not note.startswith("~ int8: ")]
    assert but_for_noise(note.partition(": ")[2] for note in against) == []
    assert "models: 2 built\n" in done.err
    assert done.err.endswith("local: done\n")
    assert len(runs_in(home)) == 1
    assert not list((home / "runs").iterdir())


def test_progress_and_results_keep_apart_and_plain(shell: Shell) -> None:
    done = shell.run("deploy", shell.recipe())
    assert done.code == 0
    assert "connecting" not in done.out
    assert not re.search("Variant|best of|litert", done.err)
    steps = done.err.splitlines()
    assert len(steps) == len(set(steps)) < 15
    assert {line.split(":")[0] for line in steps} == {"models", "local"}
    assert "models: 2 unchanged" in steps
    assert [line for line in steps if "/2 " in line] == ["local: 1/2 fp32", "local: 2/2 int8"]
    for text in (done.out, done.err):
        assert not re.search(r"[\x00-\x09\x0b-\x1f]", text)


def test_json_on_stdout_is_the_contract_and_nothing_else(shell: Shell) -> None:
    before = np.datetime64("now")
    done = shell.run("deploy", shell.recipe(), "--json", "-")
    assert done.code == 0
    run = done.json
    has_exactly(run, RUN)
    assert (run["schema"], run["recipe"], run["failures"]) == (1, "digits", [])
    assert np.datetime64(run["started_at"].removesuffix("Z")) >= before
    assert [(r["variant"], r["target"], r["threads"]) for r in run["results"]] == [
        ("fp32", "local", 1), ("int8", "local", 1),
    ]  # fmt: skip
    for result in run["results"]:
        has_exactly(result, RESULT)
        believable(result)
    assert run["results"][0]["accuracy"]["value"] == run["results"][0]["accuracy"]["baseline"]
    assert Run.model_validate_json(done.out).to_json() == done.out.strip()
    assert shell.runs == [run]


def believable(result: dict[str, Any]) -> None:
    """Fail when figures of one reading contradict each other."""
    invoke, whole = result["latency_ms"], result["end_to_end_ms"]
    for times in (invoke, whole):
        order = [times[key] for key in ("min", "p50", "p90", "p95", "p99", "max")]
        assert order[0] > 0
        assert order == sorted(order)
        assert times["ci95"][0] <= times["p50"] <= times["ci95"][1]
        assert times["n"] >= 50
    assert whole["p50"] > invoke["p50"]
    assert result["throughput_ips"] < 1000 / invoke["min"]
    assert result["load_ms"] > 0
    assert result["first_inference_ms"] > invoke["min"]
    assert 1e6 < result["peak_rss_bytes"] < 1e9
    assert result["accuracy"]["n"] == 450
    assert result["accuracy"]["value"] > 0.97
    low, high = result["accuracy"]["change_ci95"]
    assert low < result["accuracy"]["value"] - result["accuracy"]["baseline"] < high
    assert (result["power"], result["energy"], but_for_noise(result["reasons"])) == (None, None, [])
    assert (result["verdict"] == "valid") == (not result["reasons"])
    assert result["energy_absent"]
    assert result["artifact"]["sha256"].isalnum()
    assert result["conditions"]["fed"] == "first sample of evaluation.npz"
    precision = {"fp32": "f32", "int8": "i8"}[result["variant"]]
    assert (result["execution"]["compute"], result["profile"]) == ({precision: 4}, None)


def test_json_in_a_file_comes_beside_the_table(shell: Shell) -> None:
    done = shell.run("deploy", shell.recipe(), "--variant", "int8", "--json", "run.json")
    assert done.code == 0
    assert list(done.rows) == ["local", "Variant", "int8"]
    assert json.loads((shell.folder / "run.json").read_text()) == shell.runs[0]


@pytest.mark.slow
def test_a_profile_comes_below_the_table(shell: Shell) -> None:
    variants = "{int8: {format: tflite, precision: int8}, ir: {format: openvino, precision: fp32}}"
    done = shell.run(
        "deploy", shell.recipe(variants=variants, baseline=""), "--profile", "--json", "run.json"
    )
    assert done.code == 0, done.err
    _, _, below = done.out.partition("\n\n")
    assert re.search(r"^local · int8  litert \S+ \+ XNNPACK: 9 operators, not timed$", below, re.MULTILINE)
    assert re.search(r"^CONV_2D +i8 +XNNPACK +3$", below, re.MULTILINE)
    assert re.search(r"^SOFTMAX +i8 +litert +1$", below, re.MULTILINE)
    assert re.search(r"^– litert \S+ does not tell how long single operators take$", below, re.MULTILINE)
    assert re.search(r"^local · ir  openvino .* calls of [\d.]+ ms with the profiler on", below, re.MULTILINE)
    assert re.search(r"^Convolution_\d+ +Convolution +\w+ +0\.\d{3} +\d+ %$", below, re.MULTILINE)
    tflite, ir = json.loads((shell.folder / "run.json").read_text())["results"]
    assert tflite["profile"] is None
    profile = ir["profile"]
    assert profile["runs"] >= 10
    assert 0 < profile["operators_ms"] <= profile["call_ms"]
    shares = [one["share"] for one in profile["operators"]]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) <= 1.0


def test_only_the_variants_asked_for(shell: Shell) -> None:
    done = shell.run("deploy", shell.recipe(), "--variant", "int8", "--json", "-")
    assert [result["variant"] for result in done.json["results"]] == ["int8"]
    assert "local: 1/1 int8" in done.err
    assert "note: baseline fp32 is left out; speed counts from int8\n" in done.err
    assert "fp32" not in "".join(line for line in done.err.splitlines() if not line.startswith("note:"))


def test_a_dry_run_prints_the_plan_and_touches_nothing(empty: Shell) -> None:
    recipe = empty.recipe(benchmark="{duration_s: 3, threads: [1, 4]}")
    empty.kept.rmdir()
    with socket.create_server(("127.0.0.1", 0)) as board:
        empty.target("board", host="127.0.0.1", port=board.getsockname()[1])
        done = empty.run("deploy", recipe, "--target", "board", "--target", "local", "--dry-run")
        board.settimeout(0)
        with pytest.raises(BlockingIOError):
            board.accept()
    assert (done.code, done.err) == (0, "")
    title, headings, *rows = done.out.splitlines()
    assert title == "digits: 2 variants × 2 targets = 8 trials, 3 s each; baseline fp32"
    assert headings.split() == ["Target", "Variant", "Format", "Precision", "Runtime", "Threads"]
    assert [(row.split()[0], row.split()[1], row.split()[-1]) for row in rows] == [
        (target, variant, threads)
        for target in ("board", "local") for variant in ("fp32", "int8") for threads in "14"
    ]  # fmt: skip
    assert not empty.kept.exists()
    assert not list(empty.folder.rglob("*.json"))
    told = empty.run("deploy", recipe, "--target", "board", "--target", "local", "--dry-run", "--json", "-")
    assert (told.json["baseline"], len(told.json["trials"]), told.err) == ("fp32", 8, "")
    assert told.json["trials"][-1] == {
        "target": "local", "variant": "int8", "format": "tflite", "precision": "int8",
        "runtimes": ["litert", "tflite-runtime"], "threads": 4, "tuning": None,
    }  # fmt: skip
    one = empty.run("deploy", empty.recipe(), "--variant", "int8", "--dry-run").out.splitlines()[0]
    assert one == "digits: 1 variant × 1 target = 1 trial, 0.1 s each; baseline int8"


def test_a_dry_run_on_many_boards_is_short_and_looks_at_the_files(empty: Shell) -> None:
    for number in range(30):
        empty.target(f"pi-{number}", host="10.0.0.1")
    recipe = empty.recipe()
    done = empty.run("deploy", recipe, "--target", "pi-*", "--dry-run")
    assert "2 trials on each of pi-0 … pi-29 (30)\n" in done.out
    assert len(done.out.splitlines()) == 6
    assert len(empty.run("deploy", recipe, "--target", "pi-*", "--dry-run", "--all").out.splitlines()) == 62
    assert "--all goes with --dry-run only" in empty.run("deploy", recipe, "--all").err
    for more in ((), ("--dry-run",)):
        absent = empty.run("deploy", empty.recipe(model="none.keras"), *more)
        assert (absent.code, absent.out) == (2, "")
        assert re.search(r"error: \S*recipe\.yaml:2: `model`: \S*none\.keras does not exist", absent.err)


def test_a_missed_budget_is_marked_and_exits_1(shell: Shell) -> None:
    recipe = shell.recipe(budgets="{size_bytes_max: 50000, accuracy_drop_max: 0.5}")
    summary = shell.folder / "summary.md"
    done = shell.run("deploy", recipe, GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY=str(summary))
    assert done.code == 1
    assert re.search(r"^::error title=Budget missed%3A fp32 on local::size 118,", done.err, re.MULTILINE)
    assert summary.read_text(encoding="utf-8").startswith("## ❌ digits: 1 of 2 rows over budget")
    assert done.rows["fp32"].startswith("fp32 !")
    assert re.match(r"int8 [ ?] ", done.rows["int8"])  # a `?` where other programs disturbed it, and no `!`
    assert re.search(r"^! fp32: size 118,\d+ bytes > 50,000 bytes$", done.out, re.MULTILINE)
    assert len(shell.runs[0]["results"]) == 2


def test_a_budget_on_what_is_not_measured_is_missed(shell: Shell) -> None:
    done = shell.run("deploy", shell.recipe(budgets="{energy_mj_max: 5}"), "--variant", "int8")
    assert done.code == 1
    assert "! int8: energy was not measured, and the budget wants ≤ 5 mJ" in done.out


def test_a_finished_model_without_data_is_shipped_as_it_is(empty: Shell) -> None:
    recipe = empty.recipe(model=str(MODELS / "two_in_two_out.tflite"), data="", variants="", baseline="")
    done = empty.run("deploy", recipe)
    assert done.code == 0, done.err
    assert done.rows["as-shipped"].split()[-1] == "1.00×"
    assert "– accuracy: the recipe names no evaluation data" in done.out
    (result,) = empty.runs[0]["results"]
    assert (result["accuracy"], result["precision"]) == (None, None)
    assert result["artifact"]["built_by"] == "its author"
    assert result["conditions"]["fed"] == "seeded noise"


def test_every_number_of_threads_is_a_row(shell: Shell) -> None:
    recipe = shell.recipe(benchmark="{duration_s: 0.05, warmup_s: 0.01, threads: [1, 2]}")
    done = shell.run("deploy", recipe, "--variant", "fp32")
    rows = [line for line in done.out.splitlines() if line.startswith("fp32 ")]
    assert [re.split(r" {2,}", row)[3] for row in rows] == ["1", "2"]
    assert "local: 2/2 fp32, 2 threads" in done.err


def test_a_hook_scores_what_comes_back(shell: Shell) -> None:
    (shell.folder / "hook.py").write_text(
        "def confident(outputs, y):\n    return float(outputs.max(1).mean())\n"
    )
    npz = f"calibration: {DIGITS / 'calibration.npz'}, evaluation: {DIGITS / 'evaluation.npz'}"
    data = f"{{{npz}, metric: {{python: 'hook.py:confident'}}}}"
    done = shell.run("deploy", shell.recipe(data=data), "--variant", "fp32", "--json", "-")
    accuracy = done.json["results"][0]["accuracy"]
    assert accuracy["metric"] == "confident"
    assert 0.9 < accuracy["value"] <= 1
    assert accuracy["value"] == pytest.approx(accuracy["baseline"], abs=1e-5)


def test_data_that_are_no_numbers_are_told(shell: Shell) -> None:
    """The board's NaN would be taken for a broken runtime's."""
    x = np.full((450, 8, 8, 1), np.nan, np.float32)
    np.savez(shell.folder / "nan.npz", x=x, y=np.zeros(450, np.int64))
    data = f"{{evaluation: nan.npz, calibration: {DIGITS / 'calibration.npz'}}}"
    done = shell.run("deploy", shell.recipe(data=data), "--variant", "fp32")
    assert (done.code, done.out) == (2, "")  # before any work
    assert "nan.npz: sample 0 has NaN or infinite values" in done.err


def test_a_home_that_cannot_be_written(empty: Shell) -> None:
    done = empty.run("deploy", empty.recipe(), EDGEGREEN_HOME="/proc/edgegreen")
    assert (done.code, done.out) == (2, "")
    assert "Traceback" not in done.err
    assert "/proc/edgegreen" in done.err
    assert "EDGEGREEN_HOME" in done.err


def test_a_run_that_cannot_be_kept_is_shown_all_the_same(shell: Shell) -> None:
    (shell.kept / "runs").write_text("in the way")
    done = shell.run("deploy", shell.recipe(), "--variant", "fp32")
    assert done.code == 2
    assert "1.00×" in done.rows["fp32"]
    assert "error: cannot keep the series of " in done.err
