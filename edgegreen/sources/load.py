"""Load a source model through the cache: in a worker when it is not there, not at all when it is."""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event
from typing import Any, TypeVar

from pydantic import TypeAdapter

from edgegreen.cache import Cache, Made
from edgegreen.costs.layers import Costs
from edgegreen.errors import ConversionError, InputError
from edgegreen.keys import key_of, versions
from edgegreen.sources import onnx, openvino, tensorflow, tflite
from edgegreen.sources.files import SourceFormat
from edgegreen.sources.model import ModelFile, ModelSummary, Source
from edgegreen.sources.request import Request
from edgegreen.workers import Lane, Report, Workers

T = TypeVar("T")

# Format → the lane it is loaded in, the job, and the distributions whose versions decide the result.
LOADERS: dict[SourceFormat, tuple[Lane, Callable[..., Source], tuple[str, ...]]] = {
    "keras": ("tensorflow", tensorflow.load, ("tensorflow", "keras", "ai-edge-litert")),
    "savedmodel": ("tensorflow", tensorflow.load, ("tensorflow", "ai-edge-litert")),
    "onnx": ("tools", openvino.load, ("openvino",)),
    "openvino": ("tools", openvino.load, ("openvino",)),
    "tflite": ("tools", tflite.load, ("ai-edge-litert",)),
}
HERE = Path()


@dataclass(frozen=True)
class Workshop:
    """What work is done with: the cache that keeps results, the workers, and the event that stops it all."""

    cache: Cache
    workers: Workers
    stop: Event


def source_key(request: Request) -> str:
    """The cache key of the loaded source."""
    return key_of("source", **request.identity, tools=versions(*LOADERS[request.format][2]))


def load(request: Request, shop: Workshop, report: Report) -> Source:
    """The source, loaded.

    Raises InputError when the model or the data are wrong, ConversionError when it cannot be run, or what
    was made of it computes something else; CancelledError when told to stop.
    """
    lane, job, _ = LOADERS[request.format]

    def make(folder: Path) -> Made:
        if lane == "tensorflow":
            require_tensorflow(request)
        made = shop.workers.run(lane, job, request, folder, on_report=report)
        return Made(f"source model {request.path.name}", to_facts(made.moved(folder, HERE)))

    entry = shop.cache.obtain(source_key(request), make, shop.stop)
    return from_facts(Source, entry.facts).moved(HERE, entry.folder)


def has_hub(request: Request) -> bool:
    """Whether the float .tflite of such a model has to be made apart from its source."""
    return request.format in ("onnx", "openvino")


def tflite_hub(request: Request, source: Source, shop: Workshop, report: Report) -> ModelFile:
    """The float .tflite of a source: what its TFLite variants are made from. Raises as `load` does."""
    if source.model.format == "tflite":
        return source.model

    def make(folder: Path) -> Made:
        def on_install() -> None:
            report(f"installing {onnx.tool().requirements[0]}")

        with tempfile.TemporaryDirectory(prefix="edgegreen-") as scratch:
            made = onnx.to_tflite(request, source, Path(scratch), shop.stop, on_install)
            hub = shop.workers.run("tools", onnx.adopt, request, source, made, folder, on_report=report)
        return Made(f"float .tflite of {request.path.name}", to_facts(hub.moved(folder, HERE)))

    key = key_of("hub", source=source_key(request), tool=list(onnx.tool().requirements))
    entry = shop.cache.obtain(key, make, shop.stop)
    return from_facts(ModelFile, entry.facts).moved(HERE, entry.folder)


def summarise(request: Request, shop: Workshop) -> ModelSummary:
    """What a Keras file or a SavedModel is. Raises as `load` does."""

    def make(_: Path) -> Made:
        require_tensorflow(request)
        with tempfile.TemporaryDirectory(prefix="edgegreen-") as scratch:
            summary = shop.workers.run("tensorflow", tensorflow.summarise, request, Path(scratch))
        return Made(f"summary of {request.path.name}", to_facts(summary))

    key = key_of("summary with costs", **request.identity, tools=versions(*LOADERS[request.format][2]))
    return from_facts(ModelSummary, shop.cache.obtain(key, make, shop.stop).facts)


def with_costs(summary: ModelSummary, request: Request, shop: Workshop) -> ModelSummary:
    """The summary of an .onnx or IR with its costs, or with the reason why OpenVINO cannot tell them."""

    def make(_: Path) -> Made:
        found = shop.workers.run("tools", openvino.costs_of, request.path)
        return Made(f"costs of {request.path.name}", to_facts(found))

    key = key_of("costs", **request.identity, tools=versions(*LOADERS[request.format][2]))
    try:
        return replace(summary, costs=from_facts(Costs, shop.cache.obtain(key, make, shop.stop).facts))
    except (ConversionError, InputError) as error:
        return replace(summary, costs_absent=error.line)


def require_tensorflow(request: Request) -> None:
    """Raise InputError, saying what to install, when tensorflow is not there."""
    if importlib.util.find_spec("tensorflow") is None:
        raise InputError(
            f"{request.path}: reading Keras files and SavedModels takes tensorflow, which is not installed",
            hint="pip install 'edgegreen[tensorflow]', or export the model to .tflite or .onnx",
        )


def to_facts(value: Any) -> dict[str, Any]:
    """A dataclass as plain JSON."""
    tree: dict[str, Any] = TypeAdapter(type(value)).dump_python(value, mode="json")
    return tree


def from_facts(kind: type[T], tree: dict[str, Any]) -> T:
    """The dataclass back from `to_facts`."""
    return TypeAdapter(kind).validate_python(tree)
