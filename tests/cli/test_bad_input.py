"""Exit code 2: what is wrong is named, with its line and what to do, before anything is connected to."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cli.harness import DIGITS, REPO, Done, Shell

TWO_IN_TWO_OUT = REPO / "tests" / "fixtures" / "models" / "two_in_two_out.tflite"
X, Y = (np.load(DIGITS / "evaluation.npz")[name] for name in "xy")


@pytest.fixture
def refused(empty: Shell) -> Callable[..., str]:
    """Deploys to a board that must never hear of it; gives the complaint."""

    def deploy(recipe: Path | str, *more: str) -> str:
        with socket.create_server(("127.0.0.1", 0)) as board:
            empty.target("bystander", host="127.0.0.1", port=board.getsockname()[1])
            done = empty.run("deploy", recipe, "--target", "bystander", *more)
            board.settimeout(0)
            with pytest.raises(BlockingIOError):
                board.accept()
        return complaint(done)

    return deploy


def complaint(done: Done) -> str:
    """What a command said that was refused."""
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: ")
    assert "Traceback" not in done.err
    return done.err


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"benchmrk": "{duration_s: 1}"}, "recipe.yaml:7: unknown key `benchmrk`; did you mean `benchmark`?"),
        ({"benchmark": "{duration_s: long}"}, "recipe.yaml:5: `benchmark.duration_s`: should be a number"),
        ({"benchmark": "{threads: 2}"}, "recipe.yaml:5: `benchmark.threads`: should be a list"),
        ({"baseline": "fp64"}, "`fp64` is not a variant of this recipe (fp32, int8)"),
        ({"variants": "{a: {format: tflight}}"}, "should be one of tflite, openvino"),
        ({"variants": "{a: {format: tflite, precision: int7}}"}, "did you mean `int8`?"),
        ({"name": ""}, "`name` is missing"),
        ({"model": "{url: 'http://x.org/m.tflite', sha256: ab}"}, "recipe.yaml:2:"),
        ({"name": "[unclosed"}, "recipe.yaml"),
    ],
)
def test_a_recipe_with_a_mistake(
    empty: Shell, refused: Callable[..., str], changes: dict[str, str], words: str
) -> None:
    said = refused(empty.recipe(**changes))
    assert words in said
    assert "recipe.yaml:" in said


def test_all_mistakes_are_told_at_once(empty: Shell, refused: Callable[..., str]) -> None:
    said = refused(empty.recipe(benchmark="{duration_s: -1, thread: [1]}", bseline="fp32"))
    assert said.count("recipe.yaml:") == 3


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"x": X}, "the evaluation npz has no `y`"),
        ({"x": X, "y": Y[:10]}, "`x` has 450, `y` has 10"),
        ({"x": np.array([object()] * 3), "y": Y[:3]}, "pickled objects, which are never loaded"),
        ({"x": X, "y": np.array([object()] * 450)}, "pickled objects, which are never loaded"),
        ({"images": X, "y": Y}, "expected `x`, or `x0`, `x1`, …"),
        ({"x": X[:0], "y": Y[:0]}, "no samples"),
        ({"x": X, "y": np.array(["one"] * 450)}, "`y` is of type <U3"),
    ],
)
def test_evaluation_data_that_are_none(
    empty: Shell, refused: Callable[..., str], data: dict[str, np.ndarray], words: str
) -> None:
    np.savez(empty.folder / "broken.npz", **data)
    assert words in refused(
        empty.recipe(
            data="{evaluation: broken.npz}", variants="{a: {format: openvino, precision: fp32}}", baseline=""
        )
    )


def test_files_that_are_not_what_they_should_be(empty: Shell, refused: Callable[..., str]) -> None:
    (empty.folder / "text.npz").write_text("no zip")
    (empty.folder / "text.tflite").write_text("I am not a model")
    (empty.folder / "model.pt").write_bytes(b"\x80\x02")
    cut = (DIGITS / "evaluation.npz").read_bytes()[:5000]
    (empty.folder / "cut.npz").write_bytes(cut)
    plain = {"variants": "{a: {format: tflite, precision: fp32}}", "baseline": ""}
    for changes, *words in (
        ({"data": "{evaluation: none.npz}"}, "none.npz does not exist", "relative to the recipe"),
        ({"data": "{evaluation: text.npz}"}, "text.npz", "not an npz file"),
        ({"data": "{evaluation: cut.npz}"}, "cut.npz", "not an npz file"),
        (
            {"model": str(TWO_IN_TWO_OUT), "data": f"{{evaluation: {DIGITS / 'evaluation.npz'}}}"},
            "recipe.yaml:3: `data.evaluation`",
            "have `x`, but the model has 2 inputs",
        ),
        ({"model": "none.tflite"}, "none.tflite does not exist", "relative to the recipe"),
        ({"model": "text.tflite"}, "text.tflite: not a readable TFLite model", "is it whole"),
        ({"model": "model.pt"}, "`.pt` is no model format", "loading one runs code; export it"),
        ({"model": "."}, "a folder without saved_model.pb is no SavedModel"),
    ):
        said = refused(empty.recipe(**(plain | {"data": ""} | changes)))
        assert all(word in said for word in words), (said, words)


def test_what_is_calibrated_is_never_calibrated_on_noise(empty: Shell, refused: Callable[..., str]) -> None:
    said = refused(empty.recipe(data=f"{{evaluation: {DIGITS / 'evaluation.npz'}}}"))
    assert "variant `int8`: int8 is calibrated on data, never on noise, and the recipe names none" in said
    assert "data: {calibration: calibration.npz}" in said
    assert "fp32" not in said


def test_data_of_another_shape_than_the_model(shell: Shell) -> None:
    """Known only once the model is: from the cache here, so nothing is built either."""
    np.savez(shell.folder / "flat.npz", x=X.reshape(450, 64), y=Y)
    data = f"{{calibration: {DIGITS / 'calibration.npz'}, evaluation: flat.npz}}"
    done = shell.run("deploy", shell.recipe(data=data))
    assert done.code == 2
    assert "evaluation data flat.npz: `x` has samples of shape 64" in done.out.replace(f"{shell.folder}/", "")
    assert "takes 8×8×1" in done.out


def test_names_that_nothing_has(empty: Shell, refused: Callable[..., str]) -> None:
    recipe = empty.recipe()
    empty.recipe(file="recipe2.yaml")
    for arguments, *words in (
        (["recipes.yaml"], "recipes.yaml: no such file", "did you mean recipe.yaml?"),
        (["."], ".: a folder, not a file"),
        ([recipe, "--target", "bystandr"], "no target called `bystandr`; did you mean `bystander`?"),
        ([recipe, "--target", "none.yaml"], "none.yaml: no such file"),
        ([recipe, "--target", "ssh://me:secret@pi"], "a password does not belong in an address"),
        ([recipe, "--target", "ssh://"], "is not ssh://[user@]host[:port]"),
        ([recipe, "--variant", "int4"], "no variant called `int4`", "this recipe has fp32, int8"),
        ([recipe, "--json", "none/run.json"], "--json none/run.json: no such folder"),
        ([recipe, "--json", "boards"], "boards"),
    ):
        said = refused(*arguments)
        assert all(word in said for word in words), (said, words)
        assert "secret" not in said


def test_a_target_without_a_host_says_which_line_to_fill_in(
    empty: Shell, refused: Callable[..., str]
) -> None:
    said = refused(empty.recipe(), "--target", "jetson")
    file = Path(said.removeprefix("error: ").partition(":")[0])
    line = int(said.split(":")[2])
    assert "`host` is not set, so `jetson` cannot be reached" in said
    assert file.read_text().splitlines()[line - 1].startswith("# host:")
    assert "copy it to ./targets/jetson.yaml and fill in that line" in said


def test_targets_with_mistakes(empty: Shell, refused: Callable[..., str]) -> None:
    recipe = empty.recipe()
    empty.target("odd", hots="a", port=70000, family="raspberry-pi-6")
    said = refused(recipe, "--target", "odd")
    assert "odd.yaml:1: unknown key `hots`; did you mean `host`?" in said
    assert "odd.yaml:2: `port`" in said
    assert "did you mean `raspberry-pi-5`?" in said
    empty.target("runsnone", host="127.0.0.1", runtimes="[openvino]")
    said = refused(recipe, "--target", "runsnone")
    assert "runsnone: `runtimes: [openvino]` runs none of fp32, int8" in said
    (empty.folder / "copy").mkdir()
    (empty.folder / "copy" / "bystander.yaml").write_text("host: elsewhere\n")
    assert "two targets are called `bystander`" in refused(recipe, "--target", "copy/bystander.yaml")
