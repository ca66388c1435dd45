"""`edgegreen init`: asked on a terminal, given on the command line, refused before any work."""

from __future__ import annotations

import numpy as np
from places import REPO

from cli.harness import Shell
from cli.test_terminal import Terminal

MODEL = REPO / "tests" / "fixtures" / "models" / "two_in_two_out.tflite"


def test_what_it_writes_runs(empty: Shell) -> None:
    done = empty.run("init", MODEL)
    assert done.code == 0, done.err
    assert done.out.splitlines()[-1] == "  → edgegreen deploy two_in_two_out.yaml"
    assert "two_in_two_out.yaml: 1 variant of two_in_two_out.tflite" in done.out
    assert "without calibration, evaluation, training data" in done.out
    ran = empty.run("deploy", "two_in_two_out.yaml", "--dry-run")
    assert (ran.code, "as-shipped" in ran.out) == (0, True), ran.err


def test_on_a_terminal_it_asks(empty: Shell) -> None:
    np.savez(empty.folder / "x.npz", x=np.zeros((2, 3)))
    window = Terminal(empty, "init", "--output", "mine.yaml")
    window.until("SavedModel folder):")
    window.press(f"{MODEL}\n")
    for part in ("calibration", "evaluation", "training"):
        window.until(f"{part} data (npz; empty for none):")  # and no `[]`, as there is no default
        if part == "evaluation":
            for name, words in (
                ("nope.npz", "No such file"),
                (MODEL, "not an npz file"),
                ("x.npz", "no `y`"),
            ):
                window.raw = ""
                window.press(f"{name}\n")
                window.until(words)
                window.until(f"{part} data (npz; empty for none):")  # asked again
        window.press("\n")
    assert window.end() == 0, window.raw
    assert (empty.folder / "mine.yaml").is_file()


def test_on_a_terminal_a_model_that_is_not_there_ends_it(empty: Shell) -> None:
    window = Terminal(empty, "init")
    window.until("SavedModel folder):")
    window.press("nowhere.keras\n")
    window.until("error: nowhere.keras: no such file")
    assert window.end() == 2
    assert "calibration" not in window.raw


def test_mistakes_are_told_before_any_work(empty: Shell) -> None:
    (empty.folder / "two_in_two_out.yaml").write_text("mine")
    for arguments, said in (
        ([], "no model is named"),
        (["nowhere.tflite"], "nowhere.tflite: no such file"),
        (["two_in_two_out.tflit"], "two_in_two_out.tflit: no such file"),
        ([MODEL], "two_in_two_out.yaml: is there already"),
        (
            [MODEL, "--force", "--calibration", "no.npz"],
            "calibration data no.npz: No such file or directory\n",
        ),
    ):
        done = empty.run("init", *arguments)
        assert (done.code, said in done.err) == (2, True), done.err
    assert (empty.folder / "two_in_two_out.yaml").read_text() == "mine"
