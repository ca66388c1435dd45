"""A recipe to start from, for a model that is at hand: what `edgegreen init` writes.

What the file says is read off the model and the data. What they do not tell is left out, with a word on it.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgegreen import data, metrics, recipe, sources
from edgegreen.agent.npz import Samples
from edgegreen.artifact import TensorSpec
from edgegreen.config import yamlfile
from edgegreen.config.datakeys import Metric
from edgegreen.errors import InputError
from edgegreen.recipe import Recipe, Variant
from edgegreen.sources.model import ModelSummary

PARTS = {
    "calibration": "Shows the int8 converters how large each layer's values get.",
    "evaluation": "What accuracy is measured on, on every board. Never used to build anything.",
    "training": "For passes that train, and for `edgegreen search`.",
}
LACKING = {
    "calibration": "`x` with a hundred typical inputs or so; without, there are no int8 variants",
    "evaluation": "`x` and `y`; without, no accuracy is measured",
    "training": "`x` and `y`; for passes that train, and for `edgegreen search`",
}
ANY_MODEL = ("model", "saved_model")  # names of files that say nothing


@dataclass(frozen=True)
class Starter:
    """All that the recipe is written from. `data` are the parts that there are, by name."""

    model: Path
    summary: ModelSummary
    data: Mapping[str, Path]
    metric: Metric | None
    variants: Mapping[str, Variant]


def name_of(model: Path) -> str:
    """What its recipe is called: as the model's file, or its folder, in letters that a name may have."""
    said = model.absolute().parent.name if model.stem in ANY_MODEL else model.stem
    return re.sub(r"[^A-Za-z0-9._-]+", "-", said).strip("-._")[:64] or "model"


def beside(model: Path) -> dict[str, Path]:
    """The data that lie beside the model under the names that they have here."""
    found = {part: model.parent / f"{part}.npz" for part in PARTS}
    return {part: path for part, path in found.items() if path.is_file()}


def look(model: Path, named: Mapping[str, Path]) -> Starter:
    """Look into a model and its data.

    Raises InputError: the file is no model, data are no npz or do not go with the model, or there are
    evaluation data and no metric fits their labels; ConversionError when the model cannot be loaded.
    """
    for part, path in named.items():
        check_readable(part, path)  # before the model is loaded
    summary = sources.inspect(model)
    metric = None
    for part, path in named.items():
        with data.open_samples(path, part) as samples:
            _check_shapes(part, path, samples, summary.inputs)
            if part == "evaluation":
                metric = _metric(path, samples.labels(), summary.outputs)
    kind = sources.kind_of(model)
    variants = recipe.default_variants(kind, calibrated="calibration" in named)
    return Starter(model, summary, dict(named), metric, variants)


def check_readable(part: str, path: Path) -> None:
    """Raise InputError unless it is an npz, with labels where they are needed."""
    with data.open_samples(path, part) as samples:
        if part == "evaluation" and not samples.has_labels:
            raise _unlabelled(path)


def check_place(path: Path) -> None:
    """Raise InputError where there is something already."""
    if path.exists():
        raise InputError(f"{path}: is there already", hint="`--output` names another, --force overwrites it")


def write(starter: Starter, path: Path) -> Recipe:
    """Write the recipe, and read it back. Raises InputError when it cannot be written."""
    made = text(starter, path.absolute().parent)
    try:
        path.write_text(made, encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from None
    return recipe.load(path)


def text(starter: Starter, folder: Path) -> str:
    """The recipe's text, for a file in `folder`; checked to be one."""
    made = "".join(f"{line}\n" for line in _lines(starter, folder))
    yamlfile.parse(made, Recipe, "the recipe")
    return made


def _lines(starter: Starter, folder: Path) -> Iterator[str]:
    summary = starter.summary
    yield f"# A {summary.kind}: {_ports(summary.inputs)} → {_ports(summary.outputs)}."
    yield "# docs/recipes.md explains every key. Paths are relative to this file."
    yield f"name: {json.dumps(name_of(starter.model))}"
    yield f"model: {_path(starter.model, folder)}"
    yield "data:" if starter.data else "# data:"
    for part, what in PARTS.items():
        if part in starter.data:
            yield f"  # {what}"
            yield f"  {part}: {_path(starter.data[part], folder)}"
        else:
            yield f"  # {part}: {part}.npz  # {LACKING[part]}"
    if starter.metric:
        yield f"  metric: {starter.metric}"
    yield "# One row of the table each. The names are free."
    yield "variants:"
    for name, variant in starter.variants.items():
        precision = f", precision: {variant.precision}" if variant.precision else ""
        yield f"  {name}: {{format: {variant.format}{precision}}}"
    yield "benchmark:"
    yield "  # Seconds of timed inference for each row. The default, 10, gives steadier percentiles."
    yield "  duration_s: 2"
    yield f"baseline: {next(iter(starter.variants))}"
    if starter.metric and starter.metric != "mse":
        yield "# A row that misses one is marked, and the exit code is 1."
        yield "budgets:"
        yield "  accuracy_drop_max: 0.01"


def _path(path: Path, folder: Path) -> str:
    return json.dumps(Path(os.path.relpath(path.absolute(), folder)).as_posix(), ensure_ascii=False)


def _ports(ports: tuple[TensorSpec, ...]) -> str:
    said = ("×".join("?" if d < 0 else str(d) for d in port.shape) + f" {port.dtype}" for port in ports)
    return ", ".join(said)


def _check_shapes(part: str, path: Path, samples: Samples, inputs: tuple[TensorSpec, ...]) -> None:
    """Samples that the model cannot take are told now, not on the board."""
    wanted = [port.shape[1:] for port in inputs]
    fits = len(samples.shapes) == len(wanted) and all(
        len(have) == len(want) and all(w in (-1, h) for h, w in zip(have, want, strict=True))
        for have, want in zip(samples.shapes, wanted, strict=True)
    )
    if not fits:
        have = ", ".join("×".join(map(str, shape)) or "one value" for shape in samples.shapes)
        takes = ", ".join("×".join("?" if d < 0 else str(d) for d in want) or "one value" for want in wanted)
        raise InputError(f"{part} data {path}: a sample is {have}, and the model takes {takes}")


def _unlabelled(path: Path) -> InputError:
    return InputError(f"evaluation data {path}: there is no `y` to score the outputs by")


def _metric(path: Path, labels: NDArray[np.generic] | None, outputs: tuple[TensorSpec, ...]) -> Metric:
    """The metric that goes with the labels and the model's first output."""
    if labels is None:
        raise _unlabelled(path)
    shape = outputs[0].shape[1:]
    size = math.prod(shape)
    if size > 1 and len(shape) == 1:
        try:
            if metrics.class_numbers(labels).max(initial=0) < size:
                return "top1"
        except InputError:
            pass  # no classes; values, perhaps
    flat = metrics.numbers(labels)
    if size == 1 and bool(np.isin(flat, (0, 1)).all()):
        return "auc"
    if math.prod(flat.shape[1:]) == size:
        return "mse"
    raise InputError(
        f"evaluation data {path}: no metric goes with a `y` of shape {'×'.join(map(str, labels.shape))} and "
        f"an output of {'×'.join(map(str, outputs[0].shape))}",
        hint="leave evaluation data out here, and name a function of your own in the recipe: "
        "`metric: {python: metric.py:score}`",
    )
