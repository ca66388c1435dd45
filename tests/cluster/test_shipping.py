"""A recipe on its way to a worker: nothing lost that decides what is built, nothing sent that does not."""

from __future__ import annotations

import shutil
from pathlib import Path
from threading import Event

import pytest
from places import REPO

from edgegreen.artifact import File
from edgegreen.cache.sharing import Shared
from edgegreen.cache.store import Cache
from edgegreen.cluster import task
from edgegreen.cluster.shipping import Shipment, Shipping, unpack
from edgegreen.config.datakeys import Hook
from edgegreen.errors import ConversionError, InputError
from edgegreen.executor import Executor, parse
from edgegreen.recipe import Recipe, load

DIGITS = REPO / "recipes" / "digits.yaml"


@pytest.fixture
def ours(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "ours", shared=Shared(f"file://{tmp_path}/shared"))


@pytest.fixture
def theirs(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "theirs", shared=Shared(f"file://{tmp_path}/shared"))


def sent(recipe: Recipe, ours: Cache, theirs: Cache) -> tuple[Shipment, Recipe]:
    shipment = Shipping(ours).pack(recipe, recipe.variants)
    return shipment, unpack(shipment, theirs, Event())


def test_a_recipe_arrives_with_its_files(ours: Cache, theirs: Cache, tmp_path: Path) -> None:
    recipe = load(DIGITS)

    shipment, arrived = sent(recipe, ours, theirs)

    assert (arrived.variants, arrived.seed, arrived.name) == (recipe.variants, recipe.seed, recipe.name)
    for mine, other in (
        (recipe.model, arrived.model),
        (recipe.data.calibration, arrived.data.calibration),
        (recipe.data.evaluation, arrived.data.evaluation),
    ):
        assert isinstance(mine, Path)
        assert isinstance(other, Path)
        assert other.is_relative_to(tmp_path / "theirs")
        assert (other.name, File.of(other).sha256) == (mine.name, File.of(mine).sha256)
    assert arrived.data.training is None  # nothing here trains
    assert len(shipment.inputs) == 3
    assert str(DIGITS.parent) not in str(shipment)
    assert ours.entries() == []  # no second copy of the data on this disk


def test_passes_keep_their_parameters_and_files(ours: Cache, theirs: Cache, tmp_path: Path) -> None:
    model, score = tmp_path / "model.keras", tmp_path / "score.py"
    shutil.copyfile(REPO / "recipes" / "digits" / "model.keras", model)
    score.write_text("def score(outputs, y): return 1.0\n")
    written = tmp_path / "recipe.yaml"
    written.write_text(
        "name: x\nmodel: model.keras\nseed: 7\n"
        f"data: {{training: {REPO}/recipes/digits/training.npz, validation: 0.2, loss: mse,"
        " metric: {python: 'score.py:score', higher_is_better: false}}\n"
        "variants:\n"
        "  a: {format: tflite, precision: fp32, passes: [{prune: {pattern: '2:4', epochs: 3}},"
        " {distill: {teacher: model.keras}}]}\n"
    )
    recipe = load(written)

    _, arrived = sent(recipe, ours, theirs)

    prune, distill = arrived.variants["a"].passes
    assert prune == recipe.variants["a"].passes[0]
    assert distill.distill is not None
    assert isinstance(distill.distill.teacher, Path)
    assert distill.distill.teacher == arrived.model  # one file under two names travels once
    assert arrived.data.training is not None
    assert (arrived.data.validation, arrived.data.loss, arrived.seed) == (None, "mse", 7)
    hook = arrived.data.metric
    assert isinstance(hook, Hook)
    assert Path(hook.python.rpartition(":")[0]).read_text() == score.read_text()
    assert not hook.higher_is_better


def test_a_model_of_several_files_stays_together(ours: Cache, theirs: Cache, tmp_path: Path) -> None:
    folder = tmp_path / "saved"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"pb")
    (folder / "variables" / "variables.index").write_bytes(b"index")
    recipe = Recipe.model_validate({"name": "x", "model": folder})

    _, arrived = sent(recipe, ours, theirs)

    assert isinstance(arrived.model, Path)
    found = {
        path.relative_to(arrived.model).as_posix() for path in arrived.model.rglob("*") if path.is_file()
    }
    assert found == {"saved_model.pb", "variables/variables.index"}


def test_what_is_not_in_the_shared_cache_is_said(ours: Cache, tmp_path: Path) -> None:
    shipment = Shipping(ours).pack(load(DIGITS), {})
    elsewhere = Cache(tmp_path / "theirs", shared=Shared(f"file://{tmp_path}/another"))

    with pytest.raises(ConversionError, match=f"not in the shared cache file://{tmp_path}/another"):
        unpack(shipment, elsewhere, Event())


def test_a_cache_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    ours = Cache(tmp_path / "ours", shared=Shared(f"file://{tmp_path}/file"))

    with pytest.raises(ConversionError, match="shared cache"):
        Shipping(ours).pack(load(DIGITS), {})


@pytest.mark.parametrize(
    ("text", "executor"),
    [
        ("local", Executor()),
        ("local:4", Executor(at_once=4)),
        ("dask://lab:8786", Executor("tcp://lab:8786")),
        ("dask://[::1]:8786/", Executor("tcp://[::1]:8786")),
    ],
)
def test_executors(text: str, executor: Executor) -> None:
    assert parse(text) == executor


@pytest.mark.parametrize("text", ["", "local:0", "local:", "dask://lab", "ray://lab:1", "dask://a b:1", "4"])
def test_what_is_no_executor(text: str) -> None:
    with pytest.raises(InputError, match="is no executor"):
        parse(text)


def test_versions_that_differ_are_named() -> None:
    here = {"nncf": "3.4.0", "openvino": "2026.4", "keras": None}

    assert task.differing(here, dict(here)) == ""
    assert task.differing(here, here | {"openvino": "2026.3", "nncf": None, "more": "1"}) == (
        "nncf is not installed (3.4.0 here), openvino 2026.3 (2026.4 here)"
    )


def test_what_the_nanny_set_is_taken_out_and_nothing_else() -> None:
    pytest.importorskip("distributed")
    environment = {
        "MALLOC_TRIM_THRESHOLD_": "65536",
        "OMP_NUM_THREADS": "8",
        "MKL_NUM_THREADS": "1",
        "A": "1",
    }

    task._without_the_nannys(environment)

    assert environment == {"OMP_NUM_THREADS": "8", "A": "1"}
