"""The recipes that come along, their data, and the page that explains the keys."""

from __future__ import annotations

import hashlib
import json
import platform
import re
import shutil
import subprocess
import sys
import typing
import urllib.request
import zipfile
import zlib
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from places import REPO
from pydantic import BaseModel

from edgegreen import data, formats, recipe
from edgegreen.config import datakeys, yamlfile
from edgegreen.config.benchmarkkeys import Benchmark
from edgegreen.config.datakeys import Data, Hook
from edgegreen.config.limitkeys import Budgets
from edgegreen.config.references import Download
from edgegreen.config.tensorrtkeys import TensorRT
from edgegreen.recipe import Recipe, Search, Variant

RECIPES = REPO / "recipes"
DIGITS = RECIPES / "digits"
MADE = ("model.keras", "calibration.npz", "evaluation.npz")
PAGE = (REPO / "docs" / "recipes.md").read_text(encoding="utf-8")
# The heading below which each type's table of keys stands.
TABLES: dict[str, type[BaseModel]] = {
    "Top level": Recipe,
    "Downloads": Download,
    "`data`": Data,
    "A metric of your own": Hook,
    "`variants`": Variant,
    "`benchmark`": Benchmark,
    "`budgets`": Budgets,
    "TensorRT": TensorRT,
    "`search`": Search,
}


def shipped(name: str) -> Recipe:
    return recipe.load(RECIPES / f"{name}.yaml")


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(url: str, **_: object) -> None:
        pytest.fail(f"tried to fetch {url}")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_recipe_loads_and_is_called_like_its_file(path: Path) -> None:
    loaded = recipe.load(path)
    assert loaded.name == path.stem
    assert loaded.variants
    if any(variant.calibrated for variant in loaded.variants.values()):
        assert loaded.data.calibration is not None
    for ref in (loaded.model, loaded.data.calibration, loaded.data.evaluation):
        if isinstance(ref, Download) and ref.url:
            # A branch moves; a commit does not.
            assert re.match(r"https://raw\.githubusercontent\.com/mlcommons/tiny/[0-9a-f]{40}/", ref.url)


def test_digits_is_the_example_to_start_from() -> None:
    loaded = shipped("digits")
    assert list(loaded.variants) == [
        "fp32-tflite", "fp16-tflite", "dynamic-tflite", "int8-tflite", "fp32-openvino", "int8-openvino",
    ]  # fmt: skip
    assert loaded.baseline == "fp32-tflite"
    assert (loaded.benchmark.duration_s, loaded.benchmark.threads) == (2.0, (1,))
    assert loaded.budgets.accuracy_drop_max == 0.01
    for ref in (loaded.model, loaded.data.calibration, loaded.data.evaluation):
        assert data.locate(typing.cast(Path, ref), "file").is_file()


def test_digits_files_are_small_and_those_of_the_readme() -> None:
    readme = (DIGITS / "README.md").read_text(encoding="utf-8")
    for name in MADE:
        content = (DIGITS / name).read_bytes()
        assert f"| {hashlib.sha256(content).hexdigest()} | {len(content)} | {name} |" in readme
    assert sum((DIGITS / name).stat().st_size for name in MADE) < 400_000


def test_digits_data_are_images_and_labels_and_no_image_is_in_both_files() -> None:
    seen = {}
    for name, n in (("calibration", 100), ("evaluation", 450)):
        with np.load(DIGITS / f"{name}.npz", allow_pickle=False) as arrays:
            x, y = arrays["x"], arrays["y"]
        assert (x.shape, x.dtype, y.shape) == ((n, 8, 8, 1), np.float32, (n,))
        assert np.array_equal(np.unique(x * 16), np.arange(17))
        assert np.array_equal(np.unique(y), np.arange(10))
        seen[name] = {image.tobytes() for image in x}
        assert len(seen[name]) == n
    assert not seen["calibration"] & seen["evaluation"]


def test_digits_model_holds_no_optimizer_and_no_date() -> None:
    with zipfile.ZipFile(DIGITS / "model.keras") as saved:
        assert {member.date_time for member in saved.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        config = json.loads(saved.read("config.json"))
        assert b"optimizer" not in saved.read("model.weights.h5")
    assert config["config"]["name"] == "digits"
    assert not config["compile_config"]


def run(*command: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *map(str, command)], capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.skipif(not find_spec("tensorflow"), reason="needs tensorflow")
@pytest.mark.skipif(not find_spec("sklearn"), reason="needs scikit-learn, from the dependency group `train`")
def test_digits_are_reproduced_by_the_script(tmp_path: Path) -> None:
    done = run(DIGITS / "train.py", "--output", tmp_path)
    assert done.returncode == 0, done.stderr
    accuracy = float(re.search(r"([\d.]+)%", done.stdout)[1])  # type: ignore[index]
    assert accuracy >= 97
    for name in ("calibration", "evaluation"):
        with np.load(DIGITS / f"{name}.npz") as ours, np.load(tmp_path / f"{name}.npz") as theirs:
            assert np.array_equal(ours["x"], theirs["x"])
            assert np.array_equal(ours["y"], theirs["y"])
    made_with = dict(
        re.findall(r"(tensorflow|keras|numpy|h5py) ([\d.]+\d)", (DIGITS / "README.md").read_text())
    )
    assert len(made_with) == 4
    if platform.machine() == "x86_64" and all(version(name) == number for name, number in made_with.items()):
        differing = [name for name in MADE if (tmp_path / name).read_bytes() != (DIGITS / name).read_bytes()]
        assert not differing


@pytest.mark.usefixtures("no_network")
def test_mlperf_recipes_find_everything_in_the_assets(assets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEGREEN_ASSETS", str(assets.parent))
    kws, resnet = shipped("mlperf-tiny-kws"), shipped("mlperf-tiny-ic")
    model = data.locate(kws.model, "model")
    assert (model / "saved_model.pb").read_bytes() == (
        assets / "kws/kws_ref_model/saved_model.pb"
    ).read_bytes()
    assert sorted(path.name for path in (model / "variables").iterdir()) == [
        "variables.data-00000-of-00001", "variables.index",
    ]  # fmt: skip
    for ref, n in ((kws.data.calibration, 100), (kws.data.evaluation, 900)):
        assert ref is not None
        with data.open_samples(data.locate(ref, "data"), "data") as samples:
            assert (samples.n, samples.shapes) == (n, ((49, 10, 1),))
    assert data.locate(resnet.model, "model") == assets / "resnet8" / "pretrainedResnet.h5"


@pytest.mark.usefixtures("no_network")
def test_the_model_that_mlperf_ships_is_the_one_of_the_assets(
    assets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Upstream calls it by another name than the assets do.
    copy = tmp_path / "kws_ref_model.tflite"
    shutil.copy(assets / "kws" / "kws_ref_model_int8.tflite", copy)
    monkeypatch.setenv("EDGEGREEN_ASSETS", str(tmp_path))
    loaded = shipped("mlperf-tiny-kws-int8")
    assert data.locate(loaded.model, "model") == copy
    assert [variant.precision for variant in loaded.variants.values()] == [None]
    assert loaded.data == shipped("mlperf-tiny-kws").data.model_copy(update={"calibration": None})


@pytest.fixture
def energyrunner(assets: Path, tmp_path: Path) -> Path:
    """A checkout of energyrunner as far as the script reads it, made from the samples of the assets."""
    order = np.random.default_rng(0).permutation(1000)
    x, y = np.empty((1000, 490), np.int8), np.empty(1000, np.int64)
    for name, part in (("calibration", order[:100]), ("evaluation", order[100:])):
        with np.load(assets / "kws" / f"kws01_{name}.npz") as arrays:
            x[part] = np.rint(arrays["x"].reshape(-1, 490) / np.float32(0.5847029089927673) + 83).astype(
                np.int8
            )
            y[part] = arrays["y"]
    folder = tmp_path / "energyrunner" / "datasets" / "kws01"
    folder.mkdir(parents=True)
    for index, features in enumerate(x):
        (folder / f"tst_{index:06}.bin").write_bytes(features.tobytes())
    labels = "".join(f"tst_{index:06}.bin,12,{label}\n" for index, label in enumerate(y))
    (folder / "y_labels.csv").write_text(labels)
    return tmp_path / "energyrunner"


def test_kws_data_are_made_from_energyrunner(energyrunner: Path, assets: Path, tmp_path: Path) -> None:
    done = run(RECIPES / "mlperf-tiny" / "make_kws_data.py", energyrunner, "--output", tmp_path)
    assert done.stderr == ""
    for name in ("kws01_calibration.npz", "kws01_evaluation.npz"):
        made, known = tmp_path / "mlperf-tiny" / "kws" / name, assets / "kws" / name
        with np.load(made) as ours, np.load(known) as theirs:
            assert np.array_equal(ours["x"], theirs["x"])
            assert np.array_equal(ours["y"], theirs["y"])
        if "ng" not in zlib.ZLIB_RUNTIME_VERSION:
            assert made.read_bytes() == known.read_bytes()
            assert f"{made}: " in done.stdout
            assert done.returncode == 0


def test_kws_data_that_are_not_the_known_ones_are_said_to_be(energyrunner: Path, tmp_path: Path) -> None:
    (energyrunner / "datasets" / "kws01" / "tst_000459.bin").write_bytes(bytes(490))
    script = RECIPES / "mlperf-tiny" / "make_kws_data.py"
    done = run(script, energyrunner, "--output", tmp_path)
    assert done.returncode == 1
    assert "not those of the recipe" in done.stdout
    lost = run(script, tmp_path / "nowhere", "--output", tmp_path)
    assert lost.returncode == 1
    assert "is this a checkout of energyrunner?" in lost.stderr


def section(heading: str) -> str:
    """What stands below a heading of the page, up to the next one of any depth."""
    found = re.search(rf"(?ms)^#+ {re.escape(heading)}$(.*?)(?=^#+ |\Z)", PAGE)
    assert found, f"no heading {heading}"
    return found[1]


@pytest.mark.parametrize(
    ("heading", "model"), TABLES.items(), ids=lambda value: getattr(value, "__name__", "")
)
def test_the_page_has_every_key_with_its_default(heading: str, model: type[BaseModel]) -> None:
    table = section(heading).split("| key |")[1].split("\n\n")[0]
    rows = dict(re.findall(r"(?m)^\| `(\w+)` \| [^|]+ \| ([^|]+) \|", table))
    assert rows == {name: default_of(model, name) for name in model.model_fields}


def default_of(model: type[BaseModel], name: str) -> str:
    """A key's default as the page writes it."""
    field = model.model_fields[name]
    if field.is_required():
        return "required"
    match field.default:
        case None:
            return "–"
        case BaseModel():
            return "`{}`"
        case str() as text:
            return f"`{text}`"
        case other:
            return f"`{json.dumps(other)}`"


def test_the_page_has_every_word_a_key_can_take() -> None:
    for words in (formats.Format, formats.Precision, formats.Quantizer, datakeys.Metric):
        assert [word for word in typing.get_args(words) if f"`{word}`" not in PAGE] == []


def test_the_page_tells_the_default_variants() -> None:
    told = section("The default variants")
    for kind in ("float", "quantised", "openvino"):
        names = recipe.default_variants(typing.cast(typing.Any, kind), calibrated=True)
        assert [name for name in names if f"`{name}`" not in told] == []


@pytest.mark.parametrize("example", re.findall(r"(?ms)^```yaml\n(.*?)^```", PAGE))
def test_the_examples_of_the_page_are_valid(example: str) -> None:
    for key, line in (("name", "name: example"), ("model", "model: model.keras")):
        if not re.search(rf"(?m)^{key}:", example):
            example += line + "\n"
    yamlfile.parse(example, Recipe, "docs/recipes.md")
