"""What is fixed on this machine: what counts as another recipe, what is refused, built files."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edgegreen.convert import Build
from edgegreen.errors import ConversionError, InputError
from edgegreen.locked import host
from edgegreen.locked.lock import BoardLock, Lock
from edgegreen.plan import Plan
from edgegreen.prepare import prepare

RECIPE = """\
# by hand
name: tiny
model: model.tflite
data: {evaluation: evaluation.npz, metric: top1}
variants:
  one: {format: tflite}
  two: {format: tflite}
"""


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """Of a recipe in a folder of its own, on this machine."""
    (tmp_path / "tiny.yaml").write_text(RECIPE, encoding="utf-8")
    for name in ("model.tflite", "evaluation.npz"):
        (tmp_path / name).write_bytes(b"\0\0\0\0TFL3" + name.encode())
    return prepare(tmp_path / "tiny.yaml")


def locked(plan: Plan, **changes: Any) -> Lock:
    board = BoardLock(family="x86", board="a machine")
    made = Lock(version=1, origin=host.of(plan.recipe), targets={"local": board})
    return made.model_copy(update=changes)


def keep(plan: Plan, lock: Lock) -> Path:
    assert plan.recipe.written
    path = plan.recipe.written.file.with_suffix(".lock")
    path.write_text(lock.to_yaml(), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "same",
    [
        RECIPE.replace("# by hand", "# by somebody else\n"),
        RECIPE.replace("data: {evaluation: evaluation.npz, metric: top1}",
                       "data:\n  metric: 'top1' # the share\n  evaluation: evaluation.npz"),
        "model: model.tflite\n" + RECIPE.replace("model: model.tflite\n", ""),
    ],
)  # fmt: skip
def test_how_a_recipe_is_written_does_not_count(same: str) -> None:
    assert host.sections(same) == host.sections(RECIPE)


@pytest.mark.parametrize(
    ("other", "key"),
    [
        (RECIPE.replace("top1", "top5"), "data"),
        (RECIPE.replace("  one: {format: tflite}\n", "") + "  one: {format: tflite}\n", "variants"),
        (RECIPE + "seed: 1\n", "seed"),
    ],
)
def test_what_it_says_counts_and_is_named(other: str, key: str) -> None:
    then, now = host.sections(RECIPE), host.sections(other)
    assert {name for name in {*then, *now} if then.get(name) != now.get(name)} == {key}


def test_nothing_differs(plan: Plan) -> None:
    lock = locked(plan)
    keep(plan, lock)
    assert host.required(plan) == lock


def test_all_that_differs_is_named(plan: Plan, tmp_path: Path) -> None:
    lock = locked(plan)
    tools = lock.origin.tools | {"numpy": "1.0"}
    keep(plan, locked(plan, origin=lock.origin.model_copy(update={"tools": tools, "host": "VMS"})))
    (tmp_path / "evaluation.npz").write_bytes(b"changed")
    (tmp_path / "tiny.yaml").write_text(RECIPE.replace("top1", "top5"), encoding="utf-8")

    with pytest.raises(InputError) as error:
        host.required(prepare(tmp_path / "tiny.yaml"))

    first, *differences = error.value.message.splitlines()
    assert first.endswith("tiny.lock: this is not what was locked")
    named = [line.split(": locked ")[0].strip() for line in differences]
    assert named == ["recipe.data", "files.data.evaluation", "tools.numpy", "host"]
    assert differences[2].startswith("  tools.numpy: locked 1.0, found ")
    assert error.value.exit_code == 2


def test_a_target_that_is_not_locked(plan: Plan) -> None:
    keep(plan, locked(plan, targets={"pi5": BoardLock(family="raspberry-pi-5", board="a Pi")}))
    with pytest.raises(InputError, match="target `local` is not locked") as error:
        host.required(plan)
    assert "it has pi5" in str(error.value.hint)


def test_a_built_file_that_is_another(plan: Plan) -> None:
    futures: dict[str, Future[Any]] = {name: Future() for name in ("same", "other", "failed", "free")}
    lock = locked(plan, artifacts=dict.fromkeys(("same", "other", "failed"), "ab" * 32))
    built = host.as_locked(Build(futures, {}, Future(), frozenset()), lock)
    assert not built.artifacts["same"].done()

    for name in ("same", "free"):
        futures[name].set_result(SimpleNamespace(sha256="ab" * 32))
    futures["other"].set_result(SimpleNamespace(sha256="cd" * 32))
    futures["failed"].set_exception(ConversionError("no"))

    assert built.artifacts["same"].result().sha256 == "ab" * 32
    assert built.artifacts["free"] is futures["free"]
    with pytest.raises(InputError, match=r"locked sha256 abababababab…, found sha256 cdcdcdcdcdcd…"):
        built.artifacts["other"].result()
    with pytest.raises(ConversionError):
        built.artifacts["failed"].result()
