"""What of a recipe a search tries: its formats, and the quantizers that its own variants name."""

from __future__ import annotations

from pathlib import Path

from places import REPO

from edgegreen.recipe import Recipe, Search, Variant
from edgegreen.search.scope import Scope
from edgegreen.target import Target

DIGITS = REPO / "recipes" / "digits"
LOCAL = Target().called("local")


def names(*given: Variant, search: Search | None = None, model: Path = DIGITS / "model.keras") -> list[str]:
    """The conversions that are tried for these variants of a recipe."""
    scope = Scope(Recipe(name="r", model=model, search=search or Search()))
    return [way.name for way in scope.space(LOCAL, given).ways]


def test_formats_of_the_recipe_in_each_precision_that_can_be_built() -> None:
    fp32 = Variant(format="tflite", precision="fp32")
    assert names(fp32) == ["fp32 tflite", "dynamic tflite", "fp16 tflite"]  # int8 would take calibration data
    assert names(fp32, search=Search(formats=("openvino",))) == ["fp32 openvino", "fp16 openvino"]


def test_a_quantizer_that_the_recipe_names_is_tried_beside_the_default_one() -> None:
    by_default = Variant(format="tflite", precision="fp16", quantizer="ai-edge-quantizer")
    other = Variant(format="tflite", precision="dynamic", quantizer="tensorflow")
    assert names(by_default, other, other) == [
        "fp32 tflite", "dynamic tflite", "dynamic tflite by tensorflow", "fp16 tflite",
    ]  # fmt: skip
