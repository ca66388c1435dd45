"""`lock`, `deploy --locked`, `verify`: on this machine and on a board over SSH, with exit codes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from builders import measurement, run
from click.testing import CliRunner
from provision.conftest import bare_python, index, published  # noqa: F401
from sshd import Sshd

from cli.conftest import add_board
from cli.harness import Shell
from edgegreen.cli import cli
from edgegreen.history import spool
from edgegreen.provision.kit import PROOF

FP32 = "{fp32: {format: tflite, precision: fp32}}"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["verify", "20990101"], "no run is called `20990101`"),
        (["verify", "latest", "--within", "five"], "`five` is no share such as 5% or 0.05"),
        (["verify", "latest", "--within", "500%"], "is no share"),
        (["verify", "latest", "--within", "5"], "did you mean 5% or 0.05?"),
        (["compare", "latest", "latest", "--slower-max", "5"], "did you mean 5% or 0.05?"),
        (["lock", "nowhere.yaml"], "nowhere.yaml: no such file"),
    ],
)
def test_what_cannot_be_begun(arguments: list[str], said: str) -> None:
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == 2
    assert said in done.stderr


def test_a_run_of_before_there_was_an_origin() -> None:
    spool.folder().mkdir(parents=True)
    (spool.folder() / "20261122-040000-abc123.json").write_text(run(measurement()).to_json())
    done = CliRunner().invoke(cli, ["verify", "latest"])
    assert (done.exit_code, "does not say what it was made from" in done.stderr) == (2, True)


def test_no_lock_and_names_that_cannot_be_in_one(tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(b"\0\0\0\0TFL3")
    recipe = tmp_path / "tiny.yaml"
    recipe.write_text("name: tiny\nmodel: model.tflite\nvariants: {a: {format: tflite}}\n")
    without = CliRunner().invoke(cli, ["deploy", str(recipe), "--locked"])
    assert (without.exit_code, "tiny.lock: there is no lock" in without.stderr) == (2, True)
    address = CliRunner().invoke(cli, ["lock", str(recipe), "-t", "ssh://me@10.0.0.7"])
    assert address.exit_code == 2
    assert "edgegreen targets add NAME ssh://me@10.0.0.7" in address.stderr
    assert not recipe.with_suffix(".lock").exists()


@pytest.mark.slow
def test_one_board_that_differs_fails_alone(shell: Shell, sshd: Sshd) -> None:
    recipe = shell.recipe(variants=FP32)
    board = add_board(shell, sshd, "board")
    locked = shell.run("lock", recipe, "--target", board, "--target", "local", "--build")
    assert locked.code == 0, locked.err
    assert locked.out.startswith(f"{shell.folder / 'recipe.lock'}: 3 files, ")
    assert locked.out.endswith(" tools, 1 built, targets board, local\n")
    lock = shell.folder / "recipe.lock"
    assert "127.0.0.1" not in lock.read_text()
    assert str(shell.folder) not in lock.read_text()

    same = shell.run("deploy", recipe, "--locked", "--target", board)
    assert same.code == 0, same.err

    text = lock.read_text()
    kernel = text.split("kernel: ")[1].splitlines()[0]
    lock.write_text(text.replace(f"kernel: {kernel}", "kernel: Linux 2.0", 1))  # the board's, which is first
    root = shell.folder / "board-root"
    shutil.rmtree(root)
    differs = shell.run("deploy", recipe, "--locked", "--target", board, "--target", "local")
    assert differs.code == 2
    assert f"✗ board (connect): not what was locked: kernel: locked Linux 2.0, found {kernel}" in differs.out
    assert "fp32" in differs.rows  # on this machine
    assert not root.exists()  # nothing was sent


@pytest.mark.slow
def test_a_file_built_otherwise_is_refused(shell: Shell) -> None:
    recipe = shell.recipe(variants=FP32)
    assert shell.run("lock", recipe, "--build").code == 0
    lock = shell.folder / "recipe.lock"
    digest = lock.read_text().split("artifacts:\n  fp32: ")[1][:64]
    lock.write_text(lock.read_text().replace(digest, "ab" * 32))
    done = shell.run("deploy", recipe, "--locked")
    assert done.code == 2
    assert f"locked sha256 abababababab…, found sha256 {digest[:12]}…" in done.out
    assert "fp32" not in done.rows


@pytest.mark.slow
def test_a_colleague_gets_the_locked_wheels(
    tmp_path: Path,
    home: Path,
    sshd: Sshd,
    bare_python: Path,  # noqa: F811
    published: Path,  # noqa: F811
) -> None:
    shell = Shell(tmp_path, home)
    board = add_board(shell, sshd, "bare", python=bare_python)
    variants = "{plain: {format: tflite}}"
    recipe = shell.recipe(model=str(PROOF / "model.tflite"), data="", variants=variants, baseline="plain")
    assert shell.run("lock", recipe, "--target", board).code == 0
    lock = (shell.folder / "recipe.lock").read_text()
    assert "file: ai_edge_litert-2.3.0-" in lock

    shutil.rmtree(home / "provision")  # as on another machine, with another board
    shutil.rmtree(shell.folder / "bare-root")
    done = shell.run("deploy", recipe, "--locked", "--target", board)
    assert done.code == 0, done.err
    assert "bare: provisioning" in done.err
    assert "litert 2.3.0" in done.rows["plain"]

    shutil.rmtree(shell.folder / "bare-root")
    digest = lock.split("sha256: ")[1][:64]
    (shell.folder / "recipe.lock").write_text(lock.replace(digest, "ab" * 32))
    other = shell.run("deploy", recipe, "--locked", "--target", board)
    assert (other.code, "is not what was locked" in other.out) == (5, True)


@pytest.mark.slow
def test_verify_builds_and_measures_again(shell: Shell) -> None:
    recipe = shell.recipe(variants=FP32)
    assert shell.run("deploy", recipe).code == 0
    done = shell.run("verify", "latest", "--within", "95%")
    assert done.code in (0, 2)  # 2: the machine was too busy for a reading to be trusted
    assert "models: 1 built" in done.err
    assert "the same file" in done.out
    assert "equal" in done.out

    shell.recipe(variants=FP32, benchmark="{duration_s: 0.2, warmup_s: 0.02}")
    refused = shell.run("verify", "latest")
    assert refused.code == 2
    assert "recipe.benchmark: then sha256 " in refused.err
    assert len(shell.runs) == 2
    shell.env["MLFLOW_TRACKING_URI"] = "http://127.0.0.1:9"
    forced = shell.run("verify", "latest", "--force", "--cached", "--json")
    assert forced.err.count("note: not sent to MLflow: ") == 1
    assert "models: 1 unchanged" in forced.err
    assert [one["what"] for one in forced.json["origin"]] == ["recipe.benchmark"]
    assert forced.json["trials"][0]["checks"][0]["reproduces"] is True
