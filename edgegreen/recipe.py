"""Recipe: one model, its data, the variants to build, how to benchmark, the budgets.

Read from YAML once, checked, frozen. Nothing here opens a model or a data file; see `sources/` and
`data.py` for that.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, PrivateAttr, ValidationInfo, field_serializer, field_validator, model_validator

from edgegreen.agent.normalize import Normalize
from edgegreen.config import yamlfile
from edgegreen.config.edgetpukeys import EdgeTpuKeys
from edgegreen.config.passes import Pass
from edgegreen.config.references import Beside, Download, beside_the_recipe
from edgegreen.config.searchkeys import PassSpaces
from edgegreen.config.tensorrtkeys import TensorRT
from edgegreen.config.yamlfile import Frozen, Matching
from edgegreen.formats import CALIBRATED, FORMATS, MIXING, Format, Precision, Quantizer, file_of

Name = Annotated[
    str,
    Matching(
        r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}",
        "letters, digits, `.`, `_` and `-`, at most 64, a letter or digit first",
    ),
]
Governor = Annotated[str, Matching(r"[A-Za-z0-9_-]{1,15}", "the name of a CPU governor, such as `powersave`")]
PowerMode = (
    Annotated[int, Field(ge=0, le=999)]
    | Annotated[str, Matching(r"[^\s<>]{1,64}", "the number or name of a power mode, such as `MAXN_SUPER`")]
)
Positive = Annotated[float, Field(gt=0)]
Shape = Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)]


class Hook(Frozen):
    """A metric of your own: a Python function on the host that is given the device's outputs."""

    python: Annotated[str, Matching(r"[^:]+\.py:[A-Za-z_]\w*", "`file.py:function`")]
    """`file.py:function`, relative to the recipe; called as `function(outputs, y) -> float`."""
    higher_is_better: bool = True

    @field_validator("python")
    @classmethod
    def _filebeside_the_recipe(cls, value: str, info: ValidationInfo) -> str:
        return str(beside_the_recipe(Path(value), info))


Loss = Literal["crossentropy", "mse"]
Metric = Literal["top1", "top5", "mse", "auc"]


Real = float | Annotated[tuple[float, ...], Field(min_length=1)]


class Normalization(Frozen):
    """What the model was trained with: (raw − mean) / std, or (raw − mean) · scale."""

    mean: Real = 0.0
    """In the data's own units; one for all, or one for each channel."""
    std: Real | None = None
    scale: Real | None = None
    """Stands for `std`: 1 / std."""

    @model_validator(mode="after")
    def _one_scale(self) -> Self:
        if (self.std is None) == (self.scale is None):
            raise ValueError("give either `std` or `scale`")
        if 0 in _several(self.std if self.scale is None else self.scale):
            raise ValueError("0 leaves nothing of the data")
        if len({len(self.steps.mean), len(self.steps.scale)} - {1}) > 1:
            raise ValueError("`mean` and `std` or `scale` are for different numbers of channels")
        return self

    @property
    def steps(self) -> Normalize:
        """As the board and the host do it."""
        scale = tuple(1 / one for one in _several(self.std)) if self.scale is None else _several(self.scale)
        return Normalize(_several(self.mean), scale)


def _several(values: Real | None) -> tuple[float, ...]:
    return values if isinstance(values, tuple) else (values or 0.0,)


class Data(Frozen):
    """npz files with `x` (samples, ...) and `y`; several inputs are `x0`, `x1`, ..."""

    calibration: Beside | Download | None = None
    """Representative inputs; integer variants are calibrated on these and nothing else."""
    evaluation: Beside | Download | None = None
    """What accuracy is measured on, on the device. Never used to build a variant."""
    training: Beside | Download | None = None
    """What passes train on, and precision is chosen on: `x` and `y`, apart from the evaluation data."""
    normalize: Normalization | None = None
    """What raw samples go through before the model takes them; left out: they are what it takes."""
    validation: Beside | Download | Annotated[float, Field(gt=0, lt=1)] | None = None
    """What a search chooses on; a share such as 0.2 is cut off `training`, and passes do not see it."""
    metric: Metric | Hook = "top1"
    loss: Loss | None = None
    """What passes train for; left out: what fits the metric."""

    @model_validator(mode="after")
    def _share_of_something(self) -> Self:
        if isinstance(self.validation, float) and self.training is None:
            raise ValueError("`validation` is a share of `training`, which is missing")
        return self


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
        if self.quantizer and self.quantizer not in FORMATS[self.format].quantizers:
            raise ValueError(
                f"{self.format} is not quantised by `{self.quantizer}`, but by "
                + ", ".join(FORMATS[self.format].quantizers)
            )
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


class Benchmark(Frozen):
    """How each trial is timed; see docs/method.md."""

    duration_s: Annotated[float, Field(gt=0, le=86400)] = 10.0
    """Length of the timed window."""
    metered_duration_s: Annotated[float, Field(gt=0, le=86400)] | None = None
    """Its length on targets with a power meter, which take their time; `duration_s` when left out."""
    warmup_s: Annotated[float, Field(ge=0, le=3600)] = 0.5
    min_warmup_runs: Annotated[int, Field(ge=1, le=1_000_000)] = 10
    min_runs: Annotated[int, Field(ge=2, le=1_000_000)] = 50
    """The window lasts until both this many runs and `duration_s` are reached."""
    idle_s: Annotated[float, Field(gt=0, le=3600)] = 10.0
    """Idle time before and after the window, for targets with a power meter only."""
    cool_to_c: Annotated[float, Field(ge=0, le=150)] | None = None
    """Each trial waits until the board's hottest zone is this cool (°C). Left out: none waits."""
    cool_timeout_s: Annotated[float, Field(gt=0, le=86400)] = 300.0
    """After this it begins all the same, and its row says so."""
    retry_invalid: Annotated[int, Field(ge=0, le=100)] = 0
    """How often a trial is repeated whose reading cannot be trusted; the best attempt is kept."""
    timeout_s: Annotated[float, Field(gt=0)] = 600.0
    """A trial that says nothing for this long has hung."""
    threads: Annotated[tuple[Annotated[int, Field(ge=1, le=1024)], ...], Field(min_length=1)] = (1,)
    """One trial, and one row, for each."""
    governors: tuple[Governor, ...] = ()
    """CPU governors, each of which every trial is run under; for targets with `allow_tuning`."""
    power_modes: tuple[PowerMode, ...] = ()
    """nvpmodel's modes of a Jetson, by number or name, likewise."""
    tensorrt: TensorRT = TensorRT()
    """Of variants with `format: tensorrt`."""

    def window_s(self, *, metered: bool) -> float:
        """The length of the timed window on a target with, or without, a power meter."""
        return self.metered_duration_s or self.duration_s if metered else self.duration_s

    @field_validator("threads")
    @classmethod
    def _each_once(cls, threads: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(threads)) < len(threads):
            raise ValueError("a number of threads is there twice")
        return threads

    @field_validator("governors", "power_modes")
    @classmethod
    def _each_setting_once(cls, settings: tuple[int | str, ...]) -> tuple[int | str, ...]:
        twice = [one for one in settings if settings.count(one) > 1]
        if twice:
            raise ValueError(f"`{twice[0]}` is there twice")
        return settings


class Limits(Frozen):
    """What a row must keep to; a miss makes the exit code 1."""

    accuracy_drop_max: Annotated[float, Field(ge=0)] | None = None
    """Largest loss against the float model on the host, in the metric's own unit (0.01 = one point)."""
    latency_p50_ms_max: Positive | None = None
    latency_p95_ms_max: Positive | None = None
    latency_p99_ms_max: Positive | None = None
    first_inference_ms_max: Positive | None = None
    """Of the first call after loading, which nothing has warmed up."""
    size_bytes_max: Annotated[int, Field(gt=0)] | None = None
    peak_rss_bytes_max: Annotated[int, Field(gt=0)] | None = None
    energy_mj_max: Positive | None = None
    """Of one inference, above idle."""
    power_w_max: Positive | None = None
    """While the model runs, idle power with it."""
    valid: bool | None = None
    """`true`: every reading has to be one that can be trusted."""

    @property
    def given(self) -> dict[str, Any]:
        """Those that are set, by key. One on a reading that is absent, or not to be trusted, is not kept."""
        values = {key: getattr(self, key) for key in Limits.model_fields}
        return {key: limit for key, limit in values.items() if limit is not None and limit is not False}


class Budgets(Limits):
    """The limits of every target, and those that hold on single ones."""

    targets: dict[Annotated[str, Field(min_length=1)], Limits] = {}
    """By a target's name: the limits that hold there instead; a limit that is `null` there is lifted."""

    def on(self, target: str) -> Limits:
        """The limits that hold on a target; those of a board hold for its replay as well."""
        own = self.targets.get(target) or self.targets.get(target.removeprefix("replay:")) or Limits()
        given = {name: getattr(self, name) for name in Limits.model_fields}
        return Limits(**given | {name: getattr(own, name) for name in own.model_fields_set})

    @field_serializer("targets")
    def _as_given(self, targets: dict[str, Limits]) -> dict[str, dict[str, Any]]:
        """What was left out is not what was lifted."""
        return {name: own.model_dump(exclude_unset=True) for name, own in targets.items()}


class Regression(Frozen):
    """How much worse than in the run of `deploy --against` a trial may be; more makes the exit code 1."""

    slower_max: Annotated[float, Field(ge=0)] | None = None
    """Largest rise of p50, as a share: 0.05 is 5 %."""
    energy_more_max: Annotated[float, Field(ge=0)] | None = None
    """Largest rise of the energy of an inference, as a share."""
    accuracy_drop_max: Annotated[float, Field(ge=0)] | None = None
    """Largest loss against that run, in the metric's own unit (0.01 = one point)."""


class Footprint(Frozen):
    """How the model will be used, and on what: from energy to battery life and carbon dioxide."""

    battery_wh: Positive | None = None
    """What the battery holds, in watt-hours."""
    battery_mah: Positive | None = None
    """The same in milliampere-hours, which take `battery_v`."""
    battery_v: Positive | None = None
    """The battery's nominal voltage."""
    battery_usable: Annotated[float, Field(gt=0, le=1)] = 1.0
    """The share of it that reaches the board: depth of discharge, age, the converter's loss."""
    inferences_per_hour: Positive | Literal["continuous"] | None = None
    """How often the model runs; the board idles in between. `continuous`: one after another."""
    grid_gco2e_per_kwh: Positive | None = None
    """Grams of CO2 equivalent a kilowatt-hour of your grid. There is no default."""

    @model_validator(mode="after")
    def _one_battery(self) -> Self:
        if (self.battery_mah is None) != (self.battery_v is None):
            raise ValueError("`battery_mah` and `battery_v` go together")
        if self.battery_wh is not None and self.battery_mah is not None:
            raise ValueError("give either `battery_wh`, or `battery_mah` and `battery_v`")
        return self

    @property
    def lacks(self) -> str | None:
        """What has to be told for all its figures, in words; None when nothing has."""
        if self.inferences_per_hour is not None:
            return None
        wanted = {"battery life": self.capacity_wh, "CO2e of a year": self.grid_gco2e_per_kwh}
        figures = [figure for figure, given in wanted.items() if given is not None]
        if not figures:
            return None
        return f"`footprint`: no {' and no '.join(figures)} without `inferences_per_hour`"

    @property
    def capacity_wh(self) -> float | None:
        """What the battery holds, however it was told."""
        if self.battery_mah is not None and self.battery_v is not None:
            return self.battery_mah * self.battery_v / 1000
        return self.battery_wh


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
            raise ValueError(f"`{baseline}` is not a variant of this recipe ({', '.join(variants)})")
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
