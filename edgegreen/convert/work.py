"""All threads and workers of one build: what is taken from the cache, made here, or ordered elsewhere."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Event, Lock
from typing import Any, TypeVar

import numpy as np

from edgegreen.agent.normalize import Normalize
from edgegreen.artifact import Artifact
from edgegreen.cache.entry import Entry, Made
from edgegreen.cache.store import Cache
from edgegreen.compress.training import TrainingData
from edgegreen.convert import compressing, edgetpu, job, keys
from edgegreen.convert.built import Build, BuildEvent, Outputs, Reference
from edgegreen.convert.elsewhere import Elsewhere, Part
from edgegreen.convert.model import Job, Recording
from edgegreen.convert.yardstick import Yardstick
from edgegreen.errors import EdgegreenError, InputError
from edgegreen.formats import Format, Quantizer, file_of
from edgegreen.recipe import Recipe, Variant
from edgegreen.sources import kind_of, load
from edgegreen.sources import outputs as stored
from edgegreen.sources.load import Workshop, from_facts, to_facts
from edgegreen.sources.model import ModelFile, Source
from edgegreen.sources.request import Request
from edgegreen.workers.pool import Depot, Workers
from edgegreen.workers.report import Report
from edgegreen.workers.room import cores, how_many
from edgegreen.workers.worker import Lane

T = TypeVar("T")
EXPECTED_SAMPLES = 32
JOBS = job.__name__
# What a quantizer's worker imports beforehand.
MODULES: dict[Quantizer, tuple[str, ...]] = {
    "ai-edge-quantizer": ("ai_edge_quantizer", "ai_edge_litert.interpreter"),
    "tensorflow": (),
    "nncf": ("openvino", "nncf"),
    "onnxruntime": ("onnx", "onnxruntime.quantization"),
    "onnxruntime-symmetric": ("onnx", "onnxruntime.quantization"),
}


class Work:
    """All threads and workers of one build."""

    def __init__(
        self,
        request: Request,
        *,
        training: TrainingData,
        yardstick: Yardstick | None,
        variants: Mapping[str, Variant],
        cache: Cache,
        on_event: Callable[[BuildEvent], None],
        logs: Path,
        recipe: Recipe,
        stop: Event,
        at_once: int | None = None,
        depot: Depot | None = None,
        elsewhere: Elsewhere | None = None,
    ) -> None:
        self.recipe, self.variants, self.on_event, self.elsewhere = recipe, variants, on_event, elsewhere
        self.training, self.yardstick = training, yardstick
        compressed = {
            name: compressing.of(request, variant.passes, training) for name, variant in variants.items()
        }
        self.keys = {
            name: keys.of_artifact(compressed[name], variant, yardstick) for name, variant in variants.items()
        }
        self.runs_here = kind_of(request.path) != "compiled"
        self.to_compile = {
            name for name, variant in variants.items() if variant.format == "edgetpu" and self.runs_here
        }
        known = cache.known(self.keys.values())
        cached = {name for name, key in self.keys.items() if key in known}
        self.unchanged = frozenset(cached - self.to_compile)  # of a compiled model only its compiler knows
        self.missing = [variant for name, variant in variants.items() if name not in cached]
        tools = how_many(min(len(self.missing) + 1, at_once or cores()), request.size_bytes)
        threads = max(1, cores() // tools)
        self.request = replace(request, threads=threads)
        self.requests = {name: replace(one, threads=threads) for name, one in compressed.items()}
        self.shop = Workshop(cache, Workers(logs, tools, stop, at_once, depot), stop)
        # A thread for each artifact, for its outputs, and for what it is made from.
        self._pool = ThreadPoolExecutor(4 * len(variants) + 4, "edgegreen-build")
        self._shared: dict[str, Future[Any]] = {}
        self._lock = Lock()

    def start(self) -> Build:
        """Set everything going."""
        if self.elsewhere is None:
            self._warm()
        elif self._lacks():
            self._begin_elsewhere()  # what is wrong with it is no variant's own mistake
        artifacts = {name: self._pool.submit(self._artifact, name) for name in self.variants}
        return Build(
            artifacts=artifacts,
            expected={
                name: self._pool.submit(self._expected, name, artifact)
                for name, artifact in artifacts.items()
            },
            reference=self._pool.submit(self._reference),
            unchanged=self.unchanged,
        )

    def make(self, part: Part) -> None:
        """See `make`."""
        cache = self.shop.cache
        # What is kept here is wanted because it is not, or not whole, in the shared cache.
        kept = [key for key in self._keys_of(part) if cache.get(key)]
        if part.what == "reference":
            self._reference()
        elif part.variant and part.what == "variant":
            artifact = self._pool.submit(self._artifact, part.variant)
            artifact.result()
            self._expected(part.variant, artifact)
        else:
            request = self._compressed(part.variant) if part.variant else self.request
            request, source = self._loaded(request, calibrated=False)  # one that is fails by itself
            if part.what == "hub":
                self._hub("tflite", request, source)
        for key in kept:
            cache.share(key)

    def end(self) -> None:
        """Stop whatever still runs, and wait until it has."""
        with self._lock:  # so that nothing is submitted once the pool is shut down
            self.shop.stop.set()
        self.shop.workers.close()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _warm(self) -> None:
        """Start the workers that will be needed, so that they import while the source is loaded."""
        quantizers = {job.quantizer_of(variant) for variant in self.missing if variant.precision}
        lane = load.LOADERS[self.request.format][0]
        loading = bool(self.missing) and not self.shop.cache.has(load.source_key(self.request))
        wanted = (loading and lane == "tensorflow") or "tensorflow" in quantizers
        if wanted and importlib.util.find_spec("tensorflow"):
            keras = ["keras"] if self.request.format == "keras" else []
            self.shop.workers.warm("tensorflow", ["tensorflow", *keras, JOBS])
        if self.missing:
            modules = [module for name in sorted(quantizers) for module in MODULES[name]]
            self.shop.workers.warm("tools", [*modules, JOBS])

    def _keys_of(self, part: Part) -> list[str]:
        """The keys of what whoever ordered the part will look for."""
        if part.what == "variant" and part.variant:
            key, limit = self.keys[part.variant], EXPECTED_SAMPLES
        elif part.what == "reference":
            key, limit = load.source_key(self.request), None
        else:
            return []
        outputs = [keys.of_outputs(key, self.request, limit)] if self.request.evaluation else []
        return [key, *outputs] if part.what == "variant" else outputs

    def _lacks(self) -> bool:
        """Whether anything has to be made."""
        parts = [Part("reference"), *(Part("variant", name) for name in self.variants)]
        wanted = {key for part in parts for key in self._keys_of(part)}
        return bool(wanted - self.shop.cache.known(wanted))

    def _begin_elsewhere(self) -> None:
        assert self.elsewhere is not None
        begin, tools = self.elsewhere.begin, keys.tools_of(self.request, self.variants.values())
        self._once("elsewhere", lambda: begin(self.recipe, self.variants, tools))

    def _is_made_elsewhere(self, variant: str | None) -> bool:
        """A file that is to be compiled is made where its compiler was chosen."""
        return self.elsewhere is not None and variant not in self.to_compile

    def _obtain(self, part: Part, key: str, make: Callable[[Path], Made]) -> Entry:
        """An entry of this part, from the cache or made: here, or elsewhere."""
        if not self._is_made_elsewhere(part.variant):
            return self.shop.cache.obtain(key, make, self.shop.stop)
        return self.shop.cache.fetch(key, lambda: self._order(part), self.shop.stop)

    def _order(self, part: Part) -> None:
        """Have the part made elsewhere; first, and once, what others are made from as well."""
        assert self.elsewhere is not None
        have_made, stop = self.elsewhere.make, self.shop.stop
        self._begin_elsewhere()
        request = self.requests[part.variant] if part.variant else self.request
        source = Part("source", part.variant)
        self._once(f"source {request.compressed} elsewhere", lambda: have_made(source, stop))
        tflite = part.variant is not None and self.variants[part.variant].format == "tflite"
        if tflite and load.has_hub(request):
            hub = Part("hub", part.variant)
            self._once(f"hub {request.compressed} elsewhere", lambda: have_made(hub, stop))
        have_made(part, stop)

    def _artifact(self, name: str) -> Artifact:
        """The variant, from the cache or made."""
        try:
            artifact, made_here = self._file(name)
            if name in self.to_compile:
                artifact, made_here = edgetpu.compiled(
                    artifact, self.variants[name], self.shop.cache, self.shop.stop, self._reporter(name)
                )
            edgetpu.refuse_fallback(artifact, self.variants[name])
            self.on_event(BuildEvent(name, "done" if made_here else "cached"))
            return artifact
        except EdgegreenError:
            self.on_event(BuildEvent(name, "failed"))
            raise

    def _file(self, name: str) -> tuple[Artifact, bool]:
        """The variant's file, not yet compiled for an Edge TPU, and whether it was made here and now."""
        made_here = False

        def make(folder: Path) -> Made:
            nonlocal made_here
            made_here = True
            return self._make(name, folder)

        artifact = _artifact_of(self._obtain(Part("variant", name), self.keys[name], make))
        if not made_here:
            needed = self.request if self.variants[name].calibrated else self.request.uncalibrated
            needed.check_data(artifact.inputs)  # the source, which is not loaded now, would do it
        ordered = self._is_made_elsewhere(name) and name not in self.unchanged
        return artifact, made_here or ordered

    def _make(self, name: str, folder: Path) -> Made:
        variant = self.variants[name]
        request, source = self._loaded(self._compressed(name), calibrated=variant.calibrated)
        hub = self._hub(variant.format, request, source)
        limited = variant.accuracy_drop_max is not None
        work = Job(request, source, hub, variant, self.yardstick if limited else None)
        made: Artifact = self.shop.workers.run(
            _lane(variant), job.make, work, self.keys[name], folder, on_report=self._reporter(name)
        )
        files = tuple(replace(file, path=file.path.relative_to(folder)) for file in made.files)
        precision = f"{variant.precision} " if variant.precision else ""
        return Made(
            f"{precision}{variant.format} of {self.request.path.name}", to_facts(replace(made, files=files))
        )

    def _expected(self, name: str, future: Future[Artifact]) -> Outputs | None:
        """The artifact's outputs on the first evaluation samples; of a compiled one those of its source."""
        if self.request.evaluation is None or not self.runs_here:
            return None
        made = future.result()
        if name in self.to_compile:
            made, _ = self._file(name)
        part = Part("variant", name)
        entry = self._recorded(part, made.key, lambda: _model_file(made), made.normalize, EXPECTED_SAMPLES)
        batches = [arrays for _, arrays in stored.batches(entry.folder)]
        if len({tuple(array.shape[1:] for array in arrays) for arrays in batches}) > 1:
            return None  # lists of detections, say: as many as there are
        return [np.concatenate(column) for column in zip(*batches, strict=True)]

    def _reference(self) -> Reference:
        if self.request.evaluation is None or not self.runs_here:
            return Reference(None)
        key = load.source_key(self.request)

        def model() -> ModelFile:
            return self._loaded(self.request, calibrated=False)[1].model

        return Reference(self._recorded(Part("reference"), key, model, self.request.normalize, None).folder)

    def _recorded(
        self,
        part: Part,
        key: str,
        model: Callable[[], ModelFile],
        normalize: Normalize | None,
        limit: int | None,
    ) -> Entry:
        """The entry with a model's outputs on the evaluation set, from the cache or made."""
        evaluation = self.request.evaluation
        assert evaluation is not None

        def make(folder: Path) -> Made:
            threads = cores() if limit is None else self.request.threads
            wanted = Recording(model(), evaluation.path, self.request.evaluation_n, limit, threads, normalize)
            report = self._reporter(None) if limit is None else None
            self.shop.workers.run("tools", job.record, wanted, folder, on_report=report)
            return Made(f"outputs of {self.request.path.name}", {})

        return self._obtain(part, keys.of_outputs(key, self.request, limit), make)

    def _compressed(self, name: str) -> Request:
        """The variant's model after its passes, which variants with the same ones share."""
        request, passes = self.requests[name], self.variants[name].passes
        if request.compressed is None:
            return request

        def work() -> Path:
            report = self._reporter(name)
            return compressing.compress(request, passes, self.training, self.shop, report=report, note=noted)

        def noted(text: str) -> None:
            self.on_event(BuildEvent(name, "note", note=text))

        return replace(request, path=self._once(f"compressed {request.compressed}", work))

    def _loaded(self, request: Request, *, calibrated: bool) -> tuple[Request, Source]:
        """The source, and how it was asked for: without calibration data that are at fault, unless needed."""
        try:
            return request, self._source(request)
        except InputError as error:
            without = request.uncalibrated
            if calibrated or without == request:
                raise
            source = self._source(without)  # raises again if something else is wrong
            note = f"{error.message}; what is not calibrated is checked on noise instead"
            self._once(f"note {note}", lambda: self.on_event(BuildEvent(None, "checking", note=note)))
            return without, source

    def _source(self, request: Request) -> Source:
        def work() -> Source:
            self.on_event(BuildEvent(None, "loading"))
            try:
                source = load.load(request, self.shop, self._reporter(None))
                request.check_data(source.inputs)  # one from the cache has not seen this evaluation set
            except EdgegreenError:
                self.on_event(BuildEvent(None, "failed"))
                raise
            self.on_event(BuildEvent(None, "done"))
            return source

        return self._once(f"source {_called(request)}", work)

    def _hub(self, format_: Format, request: Request, source: Source) -> ModelFile:
        if format_ not in load.HUBS:
            return source.model
        return self._once(
            f"{format_} hub {_called(request)}",
            lambda: load.HUBS[format_](request, source, self.shop, self._reporter(None)),
        )

    def _once(self, what: str, work: Callable[[], T]) -> T:
        """Do `work` once for all threads that want it."""
        with self._lock:
            if self.shop.stop.is_set():
                raise CancelledError
            if what not in self._shared:
                self._shared[what] = self._pool.submit(work)
        result: T = self._shared[what].result()
        return result

    def _reporter(self, variant: str | None) -> Report:
        def report(stage: str, done: float | None = None) -> None:
            self.on_event(BuildEvent(variant, stage, done))

        return report


def _called(request: Request) -> str:
    """Apart from other requests of this build: by its passes, and by what it is checked on."""
    return f"{request.compressed} {request.calibration is not None}"


def _artifact_of(entry: Entry) -> Artifact:
    made = from_facts(Artifact, entry.facts)
    return replace(made, files=tuple(replace(file, path=entry.folder / file.path) for file in made.files))


def _model_file(artifact: Artifact) -> ModelFile:
    return ModelFile(
        format=file_of(artifact.format),
        files=tuple(file.path for file in artifact.files),
        inputs=tuple(tensor.name for tensor in artifact.inputs),
        outputs=tuple(tensor.name for tensor in artifact.outputs),
        input_order=artifact.input_order,
        output_order=artifact.output_order,
        built_by=artifact.built_by,
    )


def _lane(variant: Variant) -> Lane:
    """Where it is converted: only TensorFlow's own quantiser needs the worker with tensorflow."""
    return "tensorflow" if variant.quantizer == "tensorflow" else "tools"
