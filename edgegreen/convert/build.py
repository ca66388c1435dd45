"""Build every variant of a recipe: one thread each, which takes it from the cache or has a worker make it.

The source is loaded only when something is not in the cache. Whatever one variant runs into is its own
future's exception; the others go on. Threads do nothing but wait; the work is done in processes (workers.py).
"""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event, Lock
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from edgegreen import data, holdout
from edgegreen.agent.normalize import Normalize
from edgegreen.artifact import Artifact
from edgegreen.cache import Cache, Entry, Made
from edgegreen.compress.training import TrainingData
from edgegreen.convert import apart, compressing, job, keys, refusals, yardstick
from edgegreen.convert.model import Job, Recording
from edgegreen.convert.yardstick import Yardstick
from edgegreen.errors import EdgegreenError
from edgegreen.formats import Quantizer
from edgegreen.recipe import Recipe, Variant
from edgegreen.sources import kind_of, load
from edgegreen.sources import outputs as stored
from edgegreen.sources.load import Workshop, from_facts, to_facts
from edgegreen.sources.model import ModelFile, Source
from edgegreen.sources.request import Request
from edgegreen.workers import Lane, Report, Workers, cores, how_many

T = TypeVar("T")
Outputs = list[NDArray[Any]]
EXPECTED_SAMPLES = 32
JOBS = job.__name__
# What a quantizer's worker imports beforehand.
MODULES: dict[Quantizer, tuple[str, ...]] = {
    "ai-edge-quantizer": ("ai_edge_quantizer", "ai_edge_litert.interpreter"),
    "tensorflow": (),
    "nncf": ("openvino", "nncf"),
}


@dataclass(frozen=True)
class BuildEvent:
    """Word of what goes on: `variant` is None for the source model, `done` a share from 0 to 1 or unknown.

    `stage` is "loading", "installing …", "converting", "choosing precision", "checking", "evaluating",
    "cached", "done", "failed". `note` is something that stays to be read.
    """

    variant: str | None
    stage: str
    done: float | None = None
    note: str | None = None


@dataclass(frozen=True)
class Reference:
    """The source model's outputs on the whole evaluation set, on this host; none without such a set.

    Those of its float model file (see sources/model.py), which is checked against the source itself.
    """

    folder: Path | None

    def batches(self) -> Iterator[tuple[int, Outputs]]:
        """(number of the first sample, one array per output, samples first), memory-mapped, in order."""
        if self.folder is not None:
            yield from stored.batches(self.folder)


@dataclass(frozen=True)
class Build:
    """What is being built, by variant. A future that failed raises InputError or ConversionError.

    `expected` are the built file's own outputs on this host, for the first samples of the evaluation set
    (None without one, or when outputs differ in shape): what a board's runtime should give for the same file.
    `unchanged` names the variants found in the cache, whose futures are done in a moment.
    """

    artifacts: Mapping[str, Future[Artifact]]
    expected: Mapping[str, Future[Outputs | None]]
    reference: Future[Reference]
    unchanged: frozenset[str]


@contextmanager
def build(
    recipe: Recipe, variants: Mapping[str, Variant], cache: Cache, on_event: Callable[[BuildEvent], None]
) -> Iterator[Build]:
    """Build `variants` of the recipe's model while the block runs; leaving it ends all that still works.

    `on_event` is called from several threads. Raises InputError, before any work, for a model or data
    that are not what they should be, and for variants that cannot be built from them.
    """
    recipe = holdout.resolved(recipe, cache)
    request = _request(recipe)
    refusals.check(
        variants, request.format, kind_of(request.path),
        calibrated=request.calibration is not None, trained=recipe.data.training is not None,
    )  # fmt: skip
    training = compressing.training_data(recipe, variants, request.evaluation, cache)
    stick = yardstick.of(recipe, variants, request.evaluation, cache)
    calibrated = any(one.calibrated for one in variants.values())
    if note := apart.note_on(request.calibration if calibrated else None, request.evaluation, cache):
        on_event(BuildEvent(None, "checking", note=note))
    with tempfile.TemporaryDirectory(prefix="edgegreen-") as logs:
        work = _Work(
            request, training=training, yardstick=stick, variants=variants, cache=cache,
            on_event=on_event, logs=Path(logs),
        )  # fmt: skip
        try:
            yield work.start()
        finally:
            work.end()


def _request(recipe: Recipe) -> Request:
    wanted = recipe.data
    return Request.of(
        data.locate(recipe.model, "model"),
        signature=recipe.signature,
        input_shape=recipe.input_shape,
        calibration=data.locate(wanted.calibration, "calibration") if wanted.calibration else None,
        evaluation=data.locate(wanted.evaluation, "evaluation") if wanted.evaluation else None,
        normalize=wanted.normalize.steps if wanted.normalize else None,
    )


class _Work:
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
    ) -> None:
        self.variants, self.on_event = variants, on_event
        self.training, self.yardstick = training, yardstick
        compressed = {
            name: compressing.of(request, variant.passes, training) for name, variant in variants.items()
        }
        self.keys = {
            name: keys.of_artifact(compressed[name], variant, yardstick) for name, variant in variants.items()
        }
        self.unchanged = frozenset(name for name, key in self.keys.items() if cache.has(key))
        self.missing = [variant for name, variant in variants.items() if name not in self.unchanged]
        tools = how_many(len(self.missing) + 1, request.size_bytes)
        threads = max(1, cores() // tools)
        self.request = replace(request, threads=threads)
        self.requests = {name: replace(one, threads=threads) for name, one in compressed.items()}
        stop = Event()
        self.shop = Workshop(cache, Workers(logs, tools, stop), stop)
        self._pool = ThreadPoolExecutor(2 * len(variants) + 3, "edgegreen-build")
        self._shared: dict[str, Future[Any]] = {}
        self._lock = Lock()

    def start(self) -> Build:
        """Set everything going."""
        self._warm()
        artifacts = {name: self._pool.submit(self._artifact, name) for name in self.variants}
        return Build(
            artifacts=artifacts,
            expected={
                name: self._pool.submit(self._expected, artifact) for name, artifact in artifacts.items()
            },
            reference=self._pool.submit(self._reference),
            unchanged=self.unchanged,
        )

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

    def _artifact(self, name: str) -> Artifact:
        """The variant, from the cache or made."""
        key = self.keys[name]
        try:
            if entry := self.shop.cache.get(key):
                artifact = _artifact_of(entry)
                self.request.check_data(artifact.inputs)  # the source, which is not loaded now, would do it
                self.on_event(BuildEvent(name, "cached"))
                return artifact
            entry = self.shop.cache.obtain(key, lambda folder: self._make(name, folder), self.shop.stop)
            self.on_event(BuildEvent(name, "done"))
            return _artifact_of(entry)
        except EdgegreenError:
            self.on_event(BuildEvent(name, "failed"))
            raise

    def _make(self, name: str, folder: Path) -> Made:
        variant = self.variants[name]
        request = self._compressed(name)
        source = self._source(request)
        hub = self._tflite_hub(request, source) if variant.format == "tflite" else source.model
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

    def _expected(self, future: Future[Artifact]) -> Outputs | None:
        """The artifact's outputs on the first evaluation samples."""
        if self.request.evaluation is None:
            return None
        made = future.result()
        entry = self._recorded(made.key, lambda: _model_file(made), made.normalize, EXPECTED_SAMPLES)
        batches = [arrays for _, arrays in stored.batches(entry.folder)]
        if len({tuple(array.shape[1:] for array in arrays) for arrays in batches}) > 1:
            return None  # lists of detections, say: as many as there are
        return [np.concatenate(column) for column in zip(*batches, strict=True)]

    def _reference(self) -> Reference:
        if self.request.evaluation is None:
            return Reference(None)
        key = load.source_key(self.request)

        def model() -> ModelFile:
            return self._source(self.request).model

        return Reference(self._recorded(key, model, self.request.normalize, None).folder)

    def _recorded(
        self, key: str, model: Callable[[], ModelFile], normalize: Normalize | None, limit: int | None
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

        return self.shop.cache.obtain(keys.of_outputs(key, self.request, limit), make, self.shop.stop)

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

        return self._once(f"source {request.compressed}", work)

    def _tflite_hub(self, request: Request, source: Source) -> ModelFile:
        return self._once(
            f"hub {request.compressed}",
            lambda: load.tflite_hub(request, source, self.shop, self._reporter(None)),
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


def _artifact_of(entry: Entry) -> Artifact:
    made = from_facts(Artifact, entry.facts)
    return replace(made, files=tuple(replace(file, path=entry.folder / file.path) for file in made.files))


def _model_file(artifact: Artifact) -> ModelFile:
    return ModelFile(
        format=artifact.format,
        files=tuple(file.path for file in artifact.files),
        inputs=tuple(tensor.name for tensor in artifact.inputs),
        outputs=tuple(tensor.name for tensor in artifact.outputs),
        input_order=artifact.input_order,
        output_order=artifact.output_order,
        built_by=artifact.built_by,
    )


def _lane(variant: Variant) -> Lane:
    """Where it is converted: only TensorFlow's own quantiser needs the worker with tensorflow."""
    return "tensorflow" if variant.quantizer == "tensorflow" and variant.precision != "fp32" else "tools"
