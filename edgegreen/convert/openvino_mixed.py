"""Float .tflite or IR → OpenVINO IR with some operators left in float, so that the accuracy holds.

NNCF's own accuracy control does it: it ranks groups of operators by how much better the model is with one of
them in float, and takes group after group back. What "better" means is ours: how close the outputs are to the
float model's, as a metric over a few samples moves in steps. (Given outputs to compare by itself, NNCF 3.4
ranks the wrong way round: it begins with the groups that help least.)

NNCF knows a largest number of rounds and no clock, and would give nothing when stopped. Here its validation
tells it to end with what it has when the time is up; the plain int8 model is at hand if it was still ranking.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from edgegreen.convert import mixed, openvino
from edgegreen.convert.judge import Bench, Judged, open_benches
from edgegreen.convert.model import Job
from edgegreen.convert.openvino import Orders, Samples
from edgegreen.convert.sensitivity import STAGE, Bounds, Found, Operator
from edgegreen.mixture import Mixed, within
from edgegreen.sources import host
from edgegreen.sources import openvino as source
from edgegreen.sources.model import ModelFile
from edgegreen.sources.outputs import Row
from edgegreen.workers.report import Report

RANKING_SAMPLES = 64
WHOLE = 1.0  # what the float model is worth to NNCF, which divides by it
# What a constant weight passes on its way from 8 bits to its operator.
OF_WEIGHTS = ("Constant", "Convert", "Subtract", "Multiply", "Reshape", "FakeQuantize")
# What only moves values: it is in 8 bits when its neighbours are.
MOVES = (
    "Concat", "Gather", "MaxPool", "Pad", "Parameter", "Result", "ShapeOf", "Slice", "Split", "Squeeze",
    "StridedSlice", "Transpose", "Unsqueeze", "VariadicSplit",
)  # fmt: skip


def convert(report: Report, job: Job, folder: Path, bounds: Bounds = mixed.BOUNDS) -> tuple[ModelFile, Mixed]:
    """Write the variant into `folder`. Raises ConversionError when only float keeps to the limit."""
    report("converting")
    bench, held_out = open_benches(job)
    model = source.read(job.hub.files[0])
    orders = openvino.orders_of(model, job.hub)
    plain = openvino.quantise(report, job, model, orders[0])
    everything = _judge(job, plain, orders, bench)
    operators = quantised(plain)
    found = Found(frozenset(), everything, everything, 1, None)
    chosen = plain
    control = _Control(report, job, bench, orders, bounds=bounds)
    for control.sure in (True, False):
        if control.keeps(found) or control.stopped:
            break
        better = control.run(model)
        kept = _kept(operators, better)
        if (
            len(kept) < len(operators)
            and (judged := _judge(job, better, orders, bench)).drop <= everything.drop
        ):
            chosen, found = better, replace(found, kept=kept, judged=judged)
    found = replace(found, steps=control.steps, stopped=control.stopped)
    mixed.refuse_float(job, found, len(operators))
    built = openvino.save(job, chosen, orders, folder)
    return built, mixed.describe(job, found, operators, bench, mixed.held_out_drop(job, built, held_out))


def _kept(operators: Sequence[Operator], model: Any | None) -> frozenset[int]:
    """Numbers of those that are in float in this model; all of them when there is none."""
    still = {one.name for one in quantised(model)} if model is not None else set()
    return frozenset(number for number, one in enumerate(operators) if one.name not in still)


def quantised(model: Any) -> list[Operator]:
    """Operators that compute on 8 bits: their input or weights come so. In the order of the graph."""
    found = []
    for op in model.get_ordered_ops():
        kind = op.get_type_name()
        if kind in OF_WEIGHTS + MOVES:
            continue
        nodes = [op.input_value(index).get_node() for index in range(op.get_input_size())]
        if any(node.get_type_name() == "FakeQuantize" or _eight_bits(node) for node in nodes):
            found.append(Operator(op.get_friendly_name(), kind, 0.0))
    return found


def _eight_bits(node: Any) -> bool:
    """Whether a constant of 8 bits ends here."""
    while node.get_type_name() in OF_WEIGHTS and node.get_input_size():
        node = node.input_value(0).get_node()
    return node.get_type_name() == "Constant" and node.get_element_type().get_type_name() in ("i8", "u8")


def _judge(job: Job, model: Any, orders: Orders, bench: Bench) -> Judged:
    """The model as it would be shipped: its file, with weights left in float compressed."""
    with tempfile.TemporaryDirectory(prefix="edgegreen-") as scratch:
        built = openvino.save(job, model, orders, Path(scratch))
        return bench.judge(host.outputs(built, bench.inputs, job.request.threads), mixed.limit_of(job))


class _TimeUp(Exception):
    """Raised through NNCF when there is no time left."""


class _Control:
    """NNCF's accuracy control, with a clock.

    `steps` counts what was tried, the plain int8 model included; `stopped` says what cut it short. While
    `sure`, the upper bound of a drop has to keep to the limit, else the drop (see `sensitivity`).
    """

    def __init__(self, report: Report, job: Job, bench: Bench, orders: Orders, *, bounds: Bounds) -> None:
        self.report, self.bench, self.bounds = report, bench, bounds
        self.limit = mixed.limit_of(job)
        self.feed, self.outputs = Samples(report, job, orders[0]), orders[1]
        self.steps, self.sure = 1, True
        self.stopped: str | None = None
        self._started_s = time.monotonic()
        self._of_float = False

    def keeps(self, found: Found) -> bool:
        """Whether what was found keeps to the limit."""
        return found.judged is not None and within(self._lost(found.judged), self.limit)

    def run(self, model: Any) -> Any | None:
        """The model with operators back in float; None when the time was up before there was one."""
        import nncf
        from nncf.quantization.advanced_parameters import AdvancedAccuracyRestorerParameters

        self._of_float = True  # NNCF validates the float model first
        try:
            return nncf.quantize_with_accuracy_control(
                model,
                calibration_dataset=nncf.Dataset(self.feed),
                validation_dataset=nncf.Dataset(range(self.bench.n)),
                validation_fn=self._validate,
                max_drop=self.limit + 1e-9,  # for the rounding of what is subtracted from WHOLE
                subset_size=self.feed.count,
                advanced_accuracy_restorer_parameters=AdvancedAccuracyRestorerParameters(
                    max_num_iterations=self.bounds.steps,
                    ranking_subset_size=max(1, min(RANKING_SAMPLES, self.bench.n - 1)),
                    num_ranking_workers=1,  # each holds a copy of the model
                ),
            )
        except _TimeUp:
            return None

    def _validate(self, compiled: Any, numbers: Any) -> tuple[float, list[float]]:
        """WHOLE less the drop, and how close each sample's outputs are to the float model's.

        For a part of the samples, that is for ranking, the mean of the latter. Once the bounds are reached,
        nothing is said to be lost: NNCF then ends with the model that it has.
        """
        rows, close = [], []
        for number in numbers:
            answer = compiled(self.feed.fitted(self.bench.inputs[number]))
            rows.append([np.array(answer[index]) for index in self.outputs])
            close.append(closeness(self.bench.floats[number], rows[-1]))
        if len(rows) < self.bench.n:
            if not self._of_float and self._late():
                raise _TimeUp
            return float(np.mean(close)), close
        if self._of_float:
            self._of_float = False
            return WHOLE, close
        lost = self._lost(self.bench.judge(rows, self.limit))
        self.steps += 1
        self.report(STAGE, min(1.0, max(self.steps / self.bounds.steps, self._spent())))
        return (WHOLE if self._late() else WHOLE - lost), close

    def _lost(self, judged: Judged) -> float:
        return judged.upper if self.sure else judged.drop

    def _spent(self) -> float:
        """The share of the time that is gone."""
        return (time.monotonic() - self._started_s) / max(self.bounds.seconds, 1e-9)

    def _late(self) -> bool:
        if self.stopped is None and self.steps >= self.bounds.steps:
            self.stopped = f"after {self.steps} steps"
        if self.stopped is None and self._spent() >= 1:
            self.stopped = f"after {time.monotonic() - self._started_s:.0f} s"
        return self.stopped is not None


def closeness(want: Row, got: Row) -> float:
    """0 when the outputs are equal, else −Σ (want − got)² / Σ want²."""
    noise = sum(
        float(((a.reshape(-1) - b.reshape(-1)).astype(np.float64) ** 2).sum())
        for a, b in zip(want, got, strict=True)
    )
    signal = sum(float((a.astype(np.float64) ** 2).sum()) for a in want)
    return -noise / max(signal, 1e-30)
