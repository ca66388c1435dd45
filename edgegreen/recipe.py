"""Recipe: one model, its data, the variants to build, how to benchmark, the budgets.

Read from YAML once, checked, frozen. Nothing here opens a model or a data file; see `sources/` and
`data.py` for that.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from edgegreen import yamlfile
from edgegreen.yamlfile import Frozen

Format = Literal["tflite", "openvino"]
Precision = Literal["fp32", "fp16", "dynamic", "int8", "int16x8", "weight_int8"]
Quantizer = Literal["ai-edge-quantizer", "tensorflow", "nncf"]

# What each format can be built as, and by which quantizers (the first is the default).
PRECISIONS: dict[Format, tuple[Precision, ...]] = {
    "tflite": ("fp32", "fp16", "dynamic", "int8", "int16x8", "weight_int8"),
    "openvino": ("fp32", "fp16", "int8"),
}
QUANTIZERS: dict[Format, tuple[Quantizer, ...]] = {
    "tflite": ("ai-edge-quantizer", "tensorflow"),
    "openvino": ("nncf",),
}
# Precisions whose activations are quantised: they need real data to calibrate on.
CALIBRATED: tuple[Precision, ...] = ("int8", "int16x8")

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=64)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Download(Frozen):
    """A file (or a folder of files) known by its digest.

    Looked for in the download cache, then in `$EDGEGREEN_ASSETS`, then fetched from `url`.
    """

    url: Annotated[str, Field(pattern=r"^https://")] | None = None
    """Where to fetch it. For a folder: the address its files' names are appended to."""
    file: str | None = None
    """For a file nobody serves: its path below `$EDGEGREEN_ASSETS`."""
    sha256: Sha256 | None = None
    files: dict[str, Sha256] | None = None
    """For a folder, such as a SavedModel: relative path → digest of each of its files."""

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        if (self.url is None) == (self.file is None):
            raise ValueError("give either `url` or `file`")
        if (self.sha256 is None) == (self.files is None):
            raise ValueError("give `sha256` (one file) or `files` (a folder: path → sha256)")
        for name in self.files or {}:
            if name.startswith("/") or ".." in name.split("/"):
                raise ValueError(f"`{name}` leaves the folder")
        return self


class Hook(Frozen):
    """A metric of your own: a Python function on the host that is given the device's outputs."""

    python: Annotated[str, Field(pattern=r"^[^:]+\.py:[A-Za-z_]\w*$")]
    """`file.py:function`, relative to the recipe; called as `function(outputs, y) -> float`."""
    higher_is_better: bool = True


Metric = Literal["top1", "top5", "mse", "auc"]


class Data(Frozen):
    """npz files with `x` (samples, ...) and `y`; several inputs are `x0`, `x1`, ..."""

    calibration: Path | Download | None = None
    """Representative inputs; integer variants are calibrated on these and nothing else."""
    evaluation: Path | Download | None = None
    """What accuracy is measured on, on the device. Never used to build a variant."""
    metric: Metric | Hook = "top1"


class Variant(Frozen):
    """One way to build the model."""

    format: Format
    precision: Precision | None = None
    """Left out for a model that is shipped as it is."""
    quantizer: Quantizer | None = None
    io: Literal["float", "int8"] = "float"
    """Type of the model's inputs and outputs; `int8` for full-integer variants only."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.precision and self.precision not in PRECISIONS[self.format]:
            raise ValueError(
                f"{self.format} has no precision `{self.precision}`, but "
                + ", ".join(PRECISIONS[self.format])
            )
        if self.quantizer and self.quantizer not in QUANTIZERS[self.format]:
            raise ValueError(
                f"{self.format} is not quantised by `{self.quantizer}`, but by "
                + ", ".join(QUANTIZERS[self.format])
            )
        if self.io == "int8" and (self.format, self.precision) != ("tflite", "int8"):
            raise ValueError("`io: int8` goes with `format: tflite, precision: int8` only")
        return self

    @property
    def calibrated(self) -> bool:
        """Whether building it takes calibration data."""
        return self.precision in CALIBRATED


class Benchmark(Frozen):
    """How each trial is timed; see docs/method.md."""

    duration_s: Annotated[float, Field(gt=0, le=86400)] = 10.0
    """Length of the timed window."""
    warmup_s: Annotated[float, Field(ge=0, le=3600)] = 0.5
    min_warmup_runs: Annotated[int, Field(ge=1, le=1_000_000)] = 10
    min_runs: Annotated[int, Field(ge=2, le=1_000_000)] = 50
    """The window lasts until both this many runs and `duration_s` are reached."""
    timeout_s: Annotated[float, Field(gt=0)] = 600.0
    """A trial that says nothing for this long has hung."""
    threads: Annotated[tuple[Annotated[int, Field(ge=1, le=1024)], ...], Field(min_length=1)] = (1,)


class Budgets(Frozen):
    """What a variant must keep to; a miss makes the exit code 1."""

    accuracy_drop_max: Annotated[float, Field(ge=0)] | None = None
    """Largest loss against the float model on the host, in the metric's own unit (0.01 = one point)."""
    latency_p50_ms_max: Annotated[float, Field(gt=0)] | None = None
    latency_p95_ms_max: Annotated[float, Field(gt=0)] | None = None
    size_bytes_max: Annotated[int, Field(gt=0)] | None = None
    peak_rss_bytes_max: Annotated[int, Field(gt=0)] | None = None
    energy_mj_max: Annotated[float, Field(gt=0)] | None = None
    """A budget on a reading that is absent is not met."""


class Recipe(Frozen):
    """One model, its data, the variants to build, how to benchmark, the budgets."""

    name: Name
    model: Path | Download
    """File or folder beside the recipe: .keras, .h5, SavedModel, .onnx, .tflite, OpenVINO .xml."""
    input_shape: tuple[int, ...] | dict[str, tuple[int, ...]] | None = None
    """Needed when a dimension other than the batch is dynamic; by input name when there are several."""
    signature: str | None = None
    """For a SavedModel with several signatures."""
    data: Data = Data()
    variants: dict[Name, Variant] = {}
    """Left out: the default set for this kind of model."""
    benchmark: Benchmark = Benchmark()
    baseline: Name | None = None
    """The variant others are compared with; the first one when left out."""
    budgets: Budgets = Budgets()

    @field_validator("model", "data")
    @classmethod
    def _beside_the_recipe(
        cls, value: Path | Download | Data, info: ValidationInfo
    ) -> Path | Download | Data:
        folder: Path = (info.context or {}).get("folder", Path())
        match value:
            case Path():
                return folder / value.expanduser()
            case Data():
                paths = {
                    name: folder / path.expanduser()
                    for name in ("calibration", "evaluation")
                    if isinstance(path := getattr(value, name), Path)
                }
                if isinstance(value.metric, Hook):
                    hook = str(folder / Path(value.metric.python).expanduser())
                    return value.model_copy(
                        update=paths | {"metric": value.metric.model_copy(update={"python": hook})}
                    )
                return value.model_copy(update=paths)
        return value

    @model_validator(mode="after")
    def _baseline_exists(self) -> Self:
        if self.baseline and self.variants and self.baseline not in self.variants:
            raise ValueError(f"baseline `{self.baseline}` is not a variant ({', '.join(self.variants)})")
        return self


def load(path: Path) -> Recipe:
    """Read a recipe; raises InputError with file, line and a suggestion."""
    return yamlfile.load(path, Recipe, folder=path.parent)


def default_variants(
    kind: Literal["float", "quantised", "openvino"], *, calibrated: bool
) -> dict[str, Variant]:
    """The variants of a recipe that names none.

    `kind` says what the source model can become (see `sources`); without calibration data the
    full-integer variants are left out.
    """
    if kind == "quantised":
        return {"as-shipped": Variant(format="tflite")}
    formats: tuple[Format, ...] = ("openvino",) if kind == "openvino" else ("tflite", "openvino")
    wanted: tuple[Precision, ...] = ("fp32", "fp16", "dynamic", "int8")
    return {
        f"{precision}-{format_}": Variant(format=format_, precision=precision)
        for format_ in formats
        for precision in wanted
        if precision in PRECISIONS[format_] and (calibrated or precision not in CALIBRATED)
    }
