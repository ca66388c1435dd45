"""`track`, and what `deploy` says of MLflow: a line on stderr, whatever happens, and no exit code."""

from __future__ import annotations

import pytest
from builders import measurement, run
from click.testing import CliRunner

from cli.harness import Shell
from edgegreen.cli import cli, track
from edgegreen.errors import UnreachableError
from edgegreen.history import spool
from edgegreen.history.kept import Kept
from edgegreen.history.series import nowhere
from edgegreen.report.contents import Contents
from edgegreen.tracking import sending
from edgegreen.tracking.sending import Sent

SERVER = "http://user:s3cret@127.0.0.1:9"


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, float]]:
    """What would be sent, and within which time; it is refused when there is nothing in it."""
    found: list[tuple[str, float]] = []

    def send(contents: Contents, limit_s: float) -> Sent:
        found.append((contents.run.run_id, limit_s))
        if not contents.rows:
            raise UnreachableError("http://127.0.0.1:9: it cannot be reached")
        return Sent("http://127.0.0.1:9", "edgegreen/kws")

    monkeypatch.setattr(sending, "send", send)
    return found


def test_without_a_server_deploy_sends_nothing(
    heard: list[object], capsys: pytest.CaptureFixture[str]
) -> None:
    track.after_run(Kept(run(measurement()), nowhere))
    assert (heard, capsys.readouterr()) == ([], ("", ""))


def test_with_one_it_says_where(
    heard: list[tuple[str, float]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", SERVER)
    track.after_run(Kept(run(measurement()), nowhere))
    assert heard == [("20261122-040000-abc123", 30)]
    assert capsys.readouterr() == (
        "",
        "note: sent to MLflow: experiment edgegreen/kws at http://127.0.0.1:9\n",
    )


def test_what_goes_wrong_is_a_line(
    heard: list[object], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", SERVER)
    track.after_run(Kept(run(), nowhere))
    assert capsys.readouterr().err == (
        "note: not sent to MLflow: http://127.0.0.1:9: it cannot be reached "
        "→ `edgegreen track 20261122-040000-abc123` sends it\n"
    )


def test_a_kept_run_later(heard: list[tuple[str, float]]) -> None:
    spool.folder().mkdir(parents=True)
    of = run(measurement())
    (spool.folder() / f"{of.run_id}.json").write_text(of.to_json())
    done = CliRunner().invoke(cli, ["track", "latest", "--timeout", "60"])
    assert (done.exit_code, done.stdout) == (
        0,
        "run 20261122-040000-abc123 is in experiment edgegreen/kws at http://127.0.0.1:9\n",
    )
    assert heard == [(of.run_id, 60)]


def test_later_it_fails_where_it_cannot_be_sent() -> None:
    spool.folder().mkdir(parents=True)
    of = run(measurement())
    (spool.folder() / f"{of.run_id}.json").write_text(of.to_json())
    done = CliRunner().invoke(cli, ["track", "latest"])
    assert (done.exit_code, "MLFLOW_TRACKING_URI is not set" in done.stderr) == (2, True)


@pytest.mark.slow
def test_a_dead_server_costs_deploy_a_line(shell: Shell) -> None:
    shell.env["MLFLOW_TRACKING_URI"] = SERVER
    done = shell.run("deploy", shell.recipe(variants="{fp32: {format: tflite, precision: fp32}}"))
    assert done.code == 0
    (line,) = [line for line in done.err.splitlines() if "MLflow" in line]
    assert line.startswith("note: not sent to MLflow: ")
    assert "s3cret" not in done.err
    assert len(shell.runs) == 1
