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

from edgegreen.cache.entry import Made
from edgegreen.cache.keys import key_of, versions
from edgegreen.cache.store import Cache
from edgegreen.costs.layers import Costs
from edgegreen.errors import ConversionError, InputError
from edgegreen.formats import Format
from edgegreen.sources import onnx, onnxhub, onnxlower, openvino, tensorflow, tflite, torch
from edgegreen.sources.files import SourceFormat
from edgegreen.sources.model import ModelFile, ModelSummary, Source
from edgegreen.sources.request import Request
from edgegreen.sources.toolenv import ToolEnvironment
from edgegreen.workers.pool import Workers
from edgegreen.workers.report import Report, silent
from edgegreen.workers.worker import Lane

T = TypeVar("T")

# Format → the lane it is loaded in, the job, and the distributions whose versions decide the result.
LOADERS: dict[SourceFormat, tuple[Lane, Callable[..., Source], tuple[str, ...]]] = {
    "keras": ("tensorflow", tensorflow.load, ("tensorflow", "keras", "ai-edge-litert")),
    "savedmodel": ("tensorflow", tensorflow.load, ("tensorflow", "ai-edge-litert")),
    "onnx": ("tools", openvino.load, ("openvino",)),
    "torch": ("tools", torch.adopt, ("openvino",)),
    "openvino": ("tools", openvino.load, ("openvino",)),
    "tflite": ("tools", tflite.load, ("ai-edge-litert",)),
}
# Format → the tool that takes part, in its own environment; what makes a .tflite there; the job to adopt it.
TOOLS: dict[SourceFormat, tuple[ToolEnvironment, Callable[..., Path], Callable[..., ModelFile]]] = {
    "onnx": (onnx.tool(), onnx.to_tflite, onnx.adopt),
    "torch": (torch.TOOL, torch.to_tflite, torch.adopt_tflite),
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
    tools = versions(*LOADERS[request.format][2])
    return key_of("source", **request.identity, tools=tools, pinned=pinned(request.format))


def pinned(format_: SourceFormat) -> list[str]:
    """What is installed into an environment of its own for models of this format; empty when nothing is."""
    return list(TOOLS[format_][0].requirements) if format_ in TOOLS else []


def load(request: Request, shop: Workshop, report: Report) -> Source:
    """The source, loaded.

    Raises InputError when the model or the data are wrong, ConversionError when it cannot be run, or what
    was made of it computes something else; CancelledError when told to stop.
    """
    lane, job, _ = LOADERS[request.format]

    def make(folder: Path) -> Made:
        if lane == "tensorflow":
            require_tensorflow(request)
        if request.format == "torch":
            made = _exported(request, folder, shop, report)
        else:
            made = shop.workers.run(lane, job, request, folder, on_report=report)
        return Made(f"source model {request.path.name}", to_facts(made.moved(folder, HERE)))

    entry = shop.cache.obtain(source_key(request), make, shop.stop)
    return from_facts(Source, entry.facts).moved(HERE, entry.folder)


def _exported(request: Request, folder: Path, shop: Workshop, report: Report) -> Source:
    """A torch program, which torch exports in its tool environment, and a worker adopts."""
    report("loading")
    with tempfile.TemporaryDirectory(prefix="edgegreen-") as scratch:
        made = torch.to_onnx(request, Path(scratch), shop.stop, _installing(torch.TOOL, report))
        return shop.workers.run("tools", torch.adopt, request, made, folder, on_report=report)


def _installing(tool: ToolEnvironment, report: Report) -> Callable[[], None]:
    return lambda: report(f"installing {tool.requirements[0]}")


def has_hub(request: Request) -> bool:
    """Whether the float .tflite of such a model has to be made apart from its source."""
    return request.format in TOOLS


def tflite_hub(request: Request, source: Source, shop: Workshop, report: Report) -> ModelFile:
    """The float .tflite of a source: what its TFLite variants are made from. Raises as `load` does."""
    if source.model.format in ("tflite", "edgetpu"):
        return source.model

    tool, convert, adopt = TOOLS[request.format]

    def make(folder: Path) -> Made:
        with tempfile.TemporaryDirectory(prefix="edgegreen-") as scratch:
            made = convert(request, source, Path(scratch), shop.stop, _installing(tool, report))
            hub = shop.workers.run("tools", adopt, request, source, made, folder, on_report=report)
        return Made(f"float .tflite of {request.path.name}", to_facts(hub.moved(folder, HERE)))

    key = key_of("hub", source=source_key(request), tool=pinned(request.format))
    entry = shop.cache.obtain(key, make, shop.stop)
    return from_facts(ModelFile, entry.facts).moved(HERE, entry.folder)


def onnx_hub(request: Request, source: Source, shop: Workshop, report: Report) -> ModelFile:
    """The float .onnx of a source: what its ONNX variants are made from. Raises as `load` does."""

    def make(folder: Path) -> Made:
        run = shop.workers.run
        if own := request.path if request.format == "onnx" else source.onnx:
            hub = run("tools", onnxhub.of_onnx, own, source, folder, on_report=report)
        else:
            require_tensorflow(request, "making ONNX of it")
            hub = run("tensorflow", onnxhub.of_tflite, source.model, source, folder, on_report=report)
        return Made(f"float .onnx of {request.path.name}", to_facts(hub.moved(folder, HERE)))

    tools = versions(*onnxhub.NEEDED)
    entry = shop.cache.obtain(key_of("onnx hub", source=source_key(request), tools=tools), make, shop.stop)
    return from_facts(ModelFile, entry.facts).moved(HERE, entry.folder)


def tensorrt_hub(request: Request, source: Source, shop: Workshop, report: Report) -> ModelFile:
    """The same at an opset that boards' TensorRT takes, if it can be had; a user's own .onnx at its own."""
    hub = onnx_hub(request, source, shop, report)
    if request.format == "onnx":
        return hub

    def make(folder: Path) -> Made:
        older = shop.workers.run("tools", onnxlower.lower, request, source, hub, folder, on_report=report)
        return Made(f"float .onnx of {request.path.name} for TensorRT", to_facts(older.moved(folder, HERE)))

    tools = versions(*onnxhub.NEEDED)
    key = key_of("tensorrt hub", source=source_key(request), tools=tools, opsets=list(onnxlower.OPSETS))
    entry = shop.cache.obtain(key, make, shop.stop)
    return from_facts(ModelFile, entry.facts).moved(HERE, entry.folder)


# Formats whose variants are made from a file of the format's own; the others from the loaded source.
HUBS: dict[Format, Callable[[Request, Source, Workshop, Report], ModelFile]] = {
    "tflite": tflite_hub,
    "edgetpu": tflite_hub,
    "onnx": onnx_hub,
    "tensorrt": tensorrt_hub,
}


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
    """The summary of an .onnx, IR or .pt2 with its costs, or with the reason why they are not known."""

    def make(_: Path) -> Made:
        path = _onnx_of(request, shop) if request.format == "torch" else request.path
        found = shop.workers.run("tools", openvino.costs_of, path)
        return Made(f"costs of {request.path.name}", to_facts(found))

    key = key_of("costs", **request.identity, tools=versions(*LOADERS[request.format][2]))
    try:
        return replace(summary, costs=from_facts(Costs, shop.cache.obtain(key, make, shop.stop).facts))
    except (ConversionError, InputError) as error:
        return replace(summary, costs_absent=error.line)


def _onnx_of(request: Request, shop: Workshop) -> Path:
    """The .onnx of a torch program; ConversionError rather than installing torch to look at a model."""
    if not torch.TOOL.ready:
        raise ConversionError("not known before `edgegreen convert` has installed torch for itself, once")
    made = load(request, shop, silent).onnx
    assert made is not None
    return made


def require_tensorflow(request: Request, what: str = "reading Keras files and SavedModels") -> None:
    """Raise InputError, saying what to install for `what`, when tensorflow is not there."""
    if importlib.util.find_spec("tensorflow") is None:
        raise InputError(
            f"{request.path}: {what} takes tensorflow, which is not installed",
            hint="pip install 'edgegreen[tensorflow]', or export the model to .tflite or .onnx",
        )


def to_facts(value: Any) -> dict[str, Any]:
    """A dataclass as plain JSON."""
    tree: dict[str, Any] = TypeAdapter(type(value)).dump_python(value, mode="json")
    return tree


def from_facts(kind: type[T], tree: dict[str, Any]) -> T:
    """The dataclass back from `to_facts`."""
    return TypeAdapter(kind).validate_python(tree)
