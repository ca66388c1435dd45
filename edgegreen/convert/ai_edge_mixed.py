"""Float .tflite → .tflite with some operators left in float, so that the accuracy holds. Runs in a worker.

ai-edge-quantizer's recipes name operators by the tensors they give. Statistics of activations are taken once,
for all candidates.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgegreen.convert import ai_edge, mixed
from edgegreen.convert.judge import Bench, Judged, open_benches
from edgegreen.convert.model import Job
from edgegreen.convert.sensitivity import Bounds, Kept, Operator, search
from edgegreen.mixture import Mixed
from edgegreen.sources import host
from edgegreen.sources.model import ModelFile
from edgegreen.sources.outputs import Row
from edgegreen.workers.report import Report

GLANCE_SAMPLES = 64


def convert(report: Report, job: Job, folder: Path, bounds: Bounds = mixed.BOUNDS) -> tuple[ModelFile, Mixed]:
    """Write the variant into `folder`. Raises ConversionError when only float keeps to the limit."""
    report("converting")
    bench, held_out = open_benches(job)
    recipe = ai_edge.recipe(job)
    statistics = ai_edge.calibrate(report, job, recipe)
    operators = quantisable(job.hub.files[0], recipe)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        making = _Quantizing(job, recipe, statistics, operators, Path(scratch))
        found = search(operators, _Judging(making, bench), mixed.limit_of(job), bounds=bounds, report=report)
        mixed.refuse_float(job, found, len(operators))
        built = making.build(found.kept)
        path = Path(shutil.copyfile(built.files[0], folder / "model.tflite"))
    model = ai_edge.model_file(job, path)
    return model, mixed.describe(job, found, operators, bench, mixed.held_out_drop(job, model, held_out))


def quantisable(path: Path, recipe: Any) -> list[Operator]:
    """The main graph's operators that `recipe` quantises, in order.

    The cost of one with weights is its multiplications: weights times positions of the output, which
    holds for convolutions, depthwise ones and products alike; of others, the values it gives.
    """
    from ai_edge_quantizer import algorithm_manager, recipe_manager
    from ai_edge_quantizer.utils import tfl_flatbuffer_utils as flatbuffers

    manager = recipe_manager.RecipeManager()
    manager.load_quantization_recipe(recipe)
    model = flatbuffers.read_model(str(path))
    graph, found = model.subgraphs[0], []
    for op in graph.operators:
        kind = flatbuffers.TFL_OP_CODE_TO_NAME.get(model.operatorCodes[op.opcodeIndex].builtinCode)
        name = flatbuffers.get_op_scope(op, graph.tensors)
        if kind is None:
            continue
        algorithm, _ = manager.get_quantization_configs(kind, name)
        if algorithm != algorithm_manager.AlgorithmName.NO_QUANTIZE:
            found.append(Operator(name, str(kind.value), _cost(model, graph, op)))
    return found


def _cost(model: Any, graph: Any, op: Any) -> float:
    shapes = [graph.tensors[index].shape for index in op.outputs]
    values = sum(_product(shape) for shape in shapes)
    tensors = [graph.tensors[index] for index in op.inputs if index >= 0]
    weights = [one for one in tensors if model.buffers[one.buffer].data is not None and len(one.shape) > 1]
    if not weights:
        return float(values)
    return float(_product(shapes[0][:-1]) * sum(_product(one.shape) for one in weights))


def _product(shape: Any) -> int:
    found = 1
    for size in [] if shape is None else shape:
        found *= max(1, int(size))
    return found


@dataclass(frozen=True)
class _Quantizing:
    """What every candidate is made by: the recipe for all operators, statistics, and where to write."""

    job: Job
    recipe: Any
    statistics: Any
    operators: Sequence[Operator]
    scratch: Path

    def build(self, kept: Kept) -> ModelFile:
        """The candidate as a file, in the place of the one before. Raises whatever the quantizer does."""
        from ai_edge_quantizer import algorithm_manager, qtyping

        left = [
            {
                "regex": f"^{re.escape(self.operators[number].name)}$",
                "operation": qtyping.TFLOperationName(self.operators[number].kind),
                "algorithm_key": algorithm_manager.AlgorithmName.NO_QUANTIZE,
            }
            for number in sorted(kept)
        ]
        path = self.scratch / "candidate.tflite"
        path.write_bytes(ai_edge.quantise(self.job, [*self.recipe, *left], self.statistics))
        return ai_edge.model_file(self.job, path)


@dataclass(frozen=True)
class _Judging:
    """Candidates, run on this host. One that the quantizer or the runtime refuses is none."""

    making: _Quantizing
    bench: Bench

    def glance(self, kept: Kept) -> float | None:
        few = self.bench.first(GLANCE_SAMPLES)
        outputs = self._outputs(kept, few)
        return None if outputs is None else few.sqnr_db(outputs)

    def judge(self, kept: Kept) -> Judged | None:
        outputs = self._outputs(kept, self.bench)
        return None if outputs is None else self.bench.judge(outputs, mixed.limit_of(self.making.job))

    def _outputs(self, kept: Kept, bench: Bench) -> list[Row] | None:
        try:
            built = self.making.build(kept)
            return list(host.outputs(built, bench.inputs, self.making.job.request.threads))
        except Exception:  # some mixtures neither can do; the next one they can
            return None
