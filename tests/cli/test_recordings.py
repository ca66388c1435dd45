"""A run over SSH recorded, and replayed when the board is gone: the same figures, marked."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest
from sshd import Sshd

from cli.conftest import add_board
from cli.harness import Shell

pytestmark = pytest.mark.slow  # whole runs, recorded and replayed

TWO = "{fp32: {format: tflite, precision: fp32}, int8: {format: tflite, precision: int8}}"


@pytest.fixture
def passing(openssh: None, tmp_path: Path) -> Sshd:
    """A board's SSH server that will not be there later."""
    return Sshd(tmp_path / "sshd").start()


def test_a_recorded_run_is_replayed_without_its_board(shell: Shell, passing: Sshd) -> None:
    try:
        add_board(shell, passing, "bench")
        recipe = shell.recipe(variants=TWO)
        first = shell.run("deploy", recipe, "-t", "bench", "--record", "kept-runs", "--json", "first.json")
        assert first.code == 0, first.err
    finally:
        passing.stop()
    (kept,) = (shell.folder / "kept-runs" / "bench").iterdir()
    text = gzip.decompress(kept.read_bytes()).decode()
    hidden = ("127.0.0.1", f":{passing.port}", f" {passing.port}", str(passing.identity))
    assert [word for word in hidden if word in text] == []
    assert shell.run("deploy", recipe, "-t", "bench").code == 4
    again = shell.run("deploy", recipe, "-t", "replay:kept-runs", "--json", "again.json")
    assert again.code == 0, again.err

    measured, played = shell.runs[0]["results"], shell.runs[2]["results"]
    assert [(row["variant"], row["target"]) for row in played] == [
        ("fp32", "replay:bench"), ("int8", "replay:bench"),
    ]  # fmt: skip
    for one, other in zip(measured, played, strict=True):
        mark = other["conditions"].pop("replayed")
        assert (mark["board"], mark["edgegreen"]) == ("bench", shell.runs[0]["edgegreen"])
        assert mark["recorded_at"] >= shell.runs[0]["started_at"].removesuffix("Z")
        board = one["conditions"].pop("board") | {"hostname": "bench"}
        assert other["conditions"].pop("board") == board
        assert json.loads(json.dumps(other).replace("replay:bench", "bench")) == one
    assert "replayed" not in first.out
    probed = shell.run("targets", "probe", "replay:kept-runs")
    assert probed.code == 0, probed.err
    assert "glibc" in probed.out
    cleaned = shell.run("targets", "clean", "replay:kept-runs")
    assert (cleaned.code, "is a recording: there is no board to change" in cleaned.err) == (2, True)
    assert re.search(r"(?m)^int8 .*↺ ", again.out)
    assert (
        len(re.findall(r"(?m)^↺ replayed from a recording of bench of .* nothing was measured", again.out))
        == 1
    )

    only = shell.run(
        "deploy", recipe, "-t", "replay:kept-runs/bench/digits.jsonl.gz", "-v", "int8", "--json", "-"
    )
    assert only.json["results"][0]["latency_ms"] == measured[1]["latency_ms"]
    assert only.json["results"][0]["accuracy"] == measured[1]["accuracy"]

    other = shell.recipe(variants=TWO, benchmark="{duration_s: 0.1, warmup_s: 0.02, threads: [1, 2]}")
    part = shell.run("deploy", other, "-t", "replay:kept-runs", "-v", "int8")
    assert part.code == 2
    assert (
        "this trial was not recorded. From the nearest that was, it differs: `threads` is 2, recorded 1"
        in part.out
    )
    assert len(re.findall("(?m)^int8 .*↺", part.out)) == 1  # what was recorded is still shown


def test_a_recording_is_of_a_board_and_needs_a_place(shell: Shell) -> None:
    (shell.folder / "file").touch()
    done = shell.run("deploy", shell.recipe(), "-v", "int8", "--record", "file")
    assert done.code == 2
    assert "✗ local (connect): cannot record to file/local/digits+int8.jsonl.gz" in done.out
    done = shell.run("deploy", shell.recipe(), "-t", "replay:absent")
    assert (done.code, done.out) == (2, "")
    assert "no such recording: absent" in done.err
    assert "Traceback" not in done.err


def test_a_run_that_is_interrupted_keeps_what_was_heard(shell: Shell) -> None:
    recipe = shell.recipe(benchmark="{duration_s: 30, warmup_s: 0.02}")
    with shell.start("deploy", recipe, "--record", "kept-runs") as going:
        going.until("1/2 fp32")
        going.child(".pyz trial")
        going.signal()
        assert going.end().code == 130
    (part,) = (shell.folder / "kept-runs").glob("*/*")
    assert part.name == "digits.jsonl.gz.part"
    assert b'"probed' in gzip.decompress(part.read_bytes())
    done = shell.run("deploy", recipe, "-t", f"replay:{part}")
    assert done.code != 0
    assert re.search("✗ (fp32|int8|replay:local)[^:]*: ", done.out)
    assert "Traceback" not in done.err
