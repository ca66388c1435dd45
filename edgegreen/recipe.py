"""Recipe: one model, its data, the variants to build, how to benchmark, the budgets.

Read from YAML once, checked, frozen. Nothing here opens a model or a data file; see `sources/` and
`data.py` for that.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, PrivateAttr, ValidationInfo, field_validator, model_validator

from edgegreen import formats
from edgegreen.config import yamlfile
from edgegreen.config.benchmarkkeys import Benchmark
from edgegreen.config.datakeys import Data
from edgegreen.config.edgetpukeys import EdgeTpuKeys
from edgegreen.config.footprintkeys import Footprint
from edgegreen.config.limitkeys import Budgets, Regression
from edgegreen.config.mistakes import did_you_mean
from edgegreen.config.passes import Pass
from edgegreen.config.references import Beside, Download
from edgegreen.config.searchkeys import PassSpaces
from edgegreen.config.yamlfile import Frozen, Matching
from edgegreen.formats import CALIBRATED, FORMATS, MIXING, Format, Precision, Quantizer, file_of

Name = Annotated[
    str,
    Matching(
        r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}",
        "letters, digits, `.`, `_` and `-`, at most 64, a letter or digit first",
    ),
]
Shape = Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)]


class Variant(EdgeTpuKeys):
    """One way to build the model."""

    passes: tuple[Pass, ...] = ()
    """What is done to the model before it is converted, in this order."""
    format: Format
    precision: Precision | None = None
    """Left out for a model that is shipped as it is."""
    quantizer: Quantizer | None = None
    io: Literal["float", "int8"] = "float"
    """Type of the model's inputs and outputs; `int8` for full-integer variants only."""
    accuracy_drop_max: Annotated[float, Field(ge=0)] | None = None
    """As many operators stay in float as it takes for the metric to drop by no more."""
    device: Annotated[str, Field(min_length=1, max_length=16)] | None = None
    """What of the board runs it, in its runtime's words; left out: the runtime chooses."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.precision and self.precision not in FORMATS[self.format].precisions:
            raise ValueError(
                f"{self.format} has no precision `{self.precision}`, but "
                + ", ".join(FORMATS[self.format].precisions)
            )
        if problem := formats.quantizer_mistake(self.format, self.precision, self.quantizer):
            raise ValueError(problem)
        if self.device is not None and not FORMATS[self.format].devices.have(self.device):
            raise ValueError(
                f"`device: {self.device}` does not go with `format: {self.format}`, which takes "
                + FORMATS[self.format].devices.words
            )
        if self.io == "int8" and (file_of(self.format), self.precision) != ("tflite", "int8"):
            raise ValueError("`io: int8` goes with `format: tflite, precision: int8` only")
        if problem := self.edgetpu_mistake(self.format):
            raise ValueError(problem)
        if self.accuracy_drop_max is not None and not self.calibrated:
            raise ValueError(f"`accuracy_drop_max` goes with `precision: {'` or `'.join(CALIBRATED)}` only")
        if self.accuracy_drop_max is not None and not set(MIXING) & set(FORMATS[self.format].quantizers):
            raise ValueError(f"`accuracy_drop_max` does not go with `format: {self.format}`")
        quantizer = self.quantizer or FORMATS[self.format].quantizers[0]
        if self.accuracy_drop_max is not None and quantizer not in MIXING:
            raise ValueError(f"`quantizer: {quantizer}` knows no `accuracy_drop_max`; leave one of them out")
        return self

    @property
    def calibrated(self) -> bool:
        """Whether building it takes calibration data."""
        return self.precision in CALIBRATED

    @property
    def ends(self) -> Literal["float", "int8"]:
        """What really goes in and comes out: int8 for an Edge TPU, because floats are left to the CPU."""
        return "int8" if self.format == "edgetpu" else self.io


class Search(Frozen):
    """What `edgegreen search` may try. Keys left out have defaults that fit the model and the recipe."""

    formats: Annotated[tuple[Format, ...], Field(min_length=1)] | None = None
    precisions: Annotated[tuple[Precision, ...], Field(min_length=1)] | None = None
    threads: Annotated[tuple[Annotated[int, Field(ge=1, le=1024)], ...], Field(min_length=1)] | None = None
    passes: PassSpaces | None = None
    """Passes by name, with the values to try of their parameters; `{}`: none."""


@dataclass(frozen=True)
class Written:
    """A recipe as its file has it."""

    file: Path
    text: str


class Recipe(Frozen):
    """One model, its data, the variants to build, how to benchmark, the budgets."""

    name: Name
    model: Beside | Download
    """File or folder beside the recipe: .keras, .h5, SavedModel, .onnx, .pt2, .tflite, OpenVINO .xml."""
    input_shape: Shape | dict[str, Shape] | None = None
    """Needed when a dimension other than the batch is dynamic; by input name when there are several."""
    signature: str | None = None
    """For a SavedModel with several signatures."""
    data: Data = Data()
    variants: dict[Name, Variant] = {}
    """Left out: the default set for this kind of model."""
    benchmark: Benchmark = Benchmark()
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    """Of everything that is random in a pass."""
    baseline: Name | None = None
    """The variant others are compared with; the first one when left out."""
    budgets: Budgets = Budgets()
    regression: Regression = Regression()
    footprint: Footprint | None = None
    search: Search = Search()
    _written: Written | None = PrivateAttr(None)

    @property
    def written(self) -> Written | None:
        """The file it was read from; None for one that was made in Python."""
        return self._written

    @field_validator("baseline")
    @classmethod
    def _baseline_exists(cls, baseline: str | None, info: ValidationInfo) -> str | None:
        variants = info.data.get("variants")  # absent when they have mistakes of their own
        if baseline and variants and baseline not in variants:
            raise ValueError(
                f"`{baseline}` is not a variant of this recipe ({', '.join(variants)})"
                + did_you_mean(baseline, variants)
            )
        return baseline


def load(path: Path) -> Recipe:
    """Read a recipe; raises InputError with file, line and a suggestion."""
    text = yamlfile.read_text(path)
    recipe = yamlfile.parse(text, Recipe, str(path), folder=path.parent)
    recipe._written = Written(path, text)
    return recipe


def default_variants(
    kind: Literal["float", "quantised", "compiled", "openvino"], *, calibrated: bool
) -> dict[str, Variant]:
    """The variants of a recipe that names none.

    `kind` says what the source model can become (see `sources`); without calibration data the
    full-integer variants are left out.
    """
    if kind in ("quantised", "compiled"):
        return {"as-shipped": Variant(format="tflite" if kind == "quantised" else "edgetpu")}
    formats: tuple[Format, ...] = ("openvino",) if kind == "openvino" else ("tflite", "openvino")
    wanted: tuple[Precision, ...] = ("fp32", "fp16", "dynamic", "int8")
    return {
        f"{precision}-{format_}": Variant(format=format_, precision=precision)
        for format_ in formats
        for precision in wanted
        if precision in FORMATS[format_].precisions and (calibrated or precision not in CALIBRATED)
    }
