"""The published JSON Schemas are those of the code, and say the same as edgegreen does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from places import REPO
from ruamel.yaml import YAML

from edgegreen import recipe, schemas, target

RECIPES = sorted((REPO / "recipes").glob("*.yaml"))
TARGETS = sorted((REPO / "targets").glob("*.yaml"))


def validator(kind: str) -> jsonschema.Draft202012Validator:
    schema = json.loads((REPO / "docs" / "schema" / f"{kind}.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def tree(text: str) -> Any:
    """As an editor reads it."""
    return YAML(typ="safe", pure=True).load(text)


@pytest.mark.parametrize("kind", ["recipe", "target"])
def test_the_published_one_is_the_codes(kind: str, tmp_path: Path) -> None:
    schemas.write(tmp_path / "new")
    name = f"{kind}.schema.json"
    fresh = (tmp_path / "new" / name).read_text(encoding="utf-8")
    assert (REPO / "docs" / "schema" / name).read_text(encoding="utf-8") == fresh, (
        "run `python -m edgegreen.schemas docs/schema`"
    )


@pytest.mark.parametrize(
    ("kind", "path"),
    [*(("recipe", path) for path in RECIPES), *(("target", path) for path in TARGETS)],
    ids=lambda value: value.stem if isinstance(value, Path) else value,
)
def test_what_ships_is_valid_to_both(kind: str, path: Path) -> None:
    # A target may be all comments but for its family: an editor reads that as a mapping, too.
    validator(kind).validate(tree(path.read_text(encoding="utf-8")))
    (recipe if kind == "recipe" else target).load(path)


MINIMAL = "name: a\nmodel: m.keras\n"


@pytest.mark.parametrize(
    "text",
    [
        "name: a",
        "name: a b\nmodel: m",
        "name: a\nmodel: 3",
        "name: a\nmodel: {url: 'http://a.example/m', sha256: abc}",
        "name: a\nmodel: {urll: 'https://a.example/m'}",
        MINIMAL + "budget: {}",
        MINIMAL + "data: {metric: top2}",
        MINIMAL + "data: {metric: {python: iou}}",
        MINIMAL + "variants: {a: {precision: int8}}",
        MINIMAL + "variants: {a: {format: tflit}}",
        MINIMAL + "variants: {a b: {format: tflite}}",
        MINIMAL + "benchmark: {threads: []}",
        MINIMAL + "benchmark: {threads: [0]}",
        MINIMAL + "benchmark: {duration_s: '10'}",
        MINIMAL + "benchmark: {governors: ['']}",
        MINIMAL + "benchmark: {power_modes: [-1]}",
        MINIMAL + "budgets: {energy_mj_max: 0}",
        MINIMAL + "footprint: {grid_gco2e_per_kwh: 0}",
        MINIMAL + "footprint: {inferences_per_hour: sometimes}",
        MINIMAL + "footprint: {battery_usable: 1.2}",
        MINIMAL + "input_shape: [1, -1]",
    ],
)
def test_a_mistake_in_a_recipe_is_one_to_an_editor(text: str) -> None:
    validator("recipe").validate(tree(MINIMAL))
    assert not validator("recipe").is_valid(tree(text))


@pytest.mark.parametrize(
    "text",
    ["famly: linux", "allow_tuning: 1", "family: pi", "port: 0", "runtimes: []", "host: a b", "host: pi@b",
     "power: {meter: shelly}", "power: {meter: tasmota, address: a, rail: b}", "power: {meter: shely}"],
)  # fmt: skip
def test_a_mistake_in_a_target_is_one_to_an_editor(text: str) -> None:
    validator("target").validate(tree("host: '::1'\nport: 22\npower: {meter: shelly, address: a}"))
    assert not validator("target").is_valid(tree(text))


@pytest.mark.parametrize("kind", ["recipe", "target"])
def test_an_editor_can_explain_keys(kind: str) -> None:
    document = json.loads(schemas.text(kind))
    assert document["description"]
    for name, part in document["$defs"].items() if "$defs" in document else ():
        assert part["description"], name
