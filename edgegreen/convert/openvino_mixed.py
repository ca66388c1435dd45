"""Float .tflite or IR → OpenVINO IR with some operators left in float, so that the accuracy holds. In a worker.

NNCF's own accuracy control does it: it ranks groups of operators by what their quantisation does to the outputs,
and takes one group after the other back to float. It knows a largest number of rounds and no clock, and would
give nothing when stopped: here its validation tells it to end with what it has when the time is up, and the
plain int8 model is at hand for when it was still ranking.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from edgegreen import metrics
from edgegreen.artifact import Mixed
from edgegreen.convert import mixed, openvino
from edgegreen.convert.judge import Bench, Judged, open_benches, score, within
from edgegreen.convert.model import Job
from edgegreen.convert.openvino import Orders, Samples
from edgegreen.convert.sensitivity import STAGE, Bounds, Found, Operator
from edgegreen.sources import host
from edgegreen.sources import openvino as source
from edgegreen.sources.model import ModelFile
from edgegreen.workers import Report

RANKING_SAMPLES = 64
# What a constant weight passes on its way from 8 bits to its operator.
OF_WEIGHTS = ("Constant", "Convert", "Subtract", "Multiply", "Reshape", "FakeQuantize")


def convert(
    report: Report, job: Job, folder: Path, bounds: Bounds = mixed.BOUNDS
) -> tuple[ModelFile, Mixed]:
    """Write the variant into `folder`. Raises ConversionError when only float keeps to the limit."""
    report("converting")
    bench, held_out = open_benches(job)
    model = source.read(job.hub.files[0])
    orders = openvino.orders_of(model, job.hub)
    plain = openvino.quantise(report, job, model, orders[0])
    everything = _judge(job, plain, orders, bench)
    steps, stopped, chosen, judged = 1, None, plain, everything
    if not within(everything.drop, mixed.limit_of(job)):
        control = _Control(report, job, bench, orders, bounds)
        better = control.run(source.read(job.hub.files[0]))
        steps, stopped = steps + control.steps, control.stopped
        if better is not None and (found := _judge(job, better, orders, bench)).drop <= everything.drop:
            chosen, judged = better, found
    operators = quantised(plain)
    still = {one.name for one in quantised(chosen)}
    kept = frozenset(number for number, one in enumerate(operators) if one.name not in still)
    outcome = Found(kept, judged, everything, steps, stopped)
    mixed.refuse_float(job, outcome, len(operators) if still else 0)
    built = openvino.save(job, chosen, orders, folder)
    return built, mixed.describe(job, outcome, operators, bench, mixed.held_out_drop(job, built, held_out))


def quantised(model: Any) -> list[Operator]:
    """Operators whose input or weights come in 8 bits, in the order of the graph."""
    found = []
    for op in model.get_ordered_ops():
        kind = op.get_type_name()
        if kind in OF_WEIGHTS or kind in ("Parameter", "Result"):
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
        return bench.judge(host.outputs(built, bench.inputs, job.request.threads))


class _TimeUp(Exception):
    """Raised through NNCF when there is no time left."""


class _Control:
    """NNCF's accuracy control, with a clock. `steps` counts validations, `stopped` says what cut it short."""

    def __init__(
        self, report: Report, job: Job, bench: Bench, orders: Orders, bounds: Bounds,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self.report, self.job, self.bench, self.bounds, self.clock = report, job, bench, bounds, clock
        self.orders, self.steps, self.stopped = orders, 0, None
        self.feed = Samples(report, job, orders[0])
        self.started_s, self.initial = clock(), 0.0

    def run(self, model: Any) -> Any | None:
        """The model with operators back in float; None when the time was up before there was one."""
        import nncf
        from nncf.quantization.advanced_parameters import AdvancedAccuracyRestorerParameters

        try:
            return nncf.quantize_with_accuracy_control(
                model,
                calibration_dataset=nncf.Dataset(self.feed),
                validation_dataset=nncf.Dataset(range(self.bench.n), self._row),
                validation_fn=self._validate,
                max_drop=mixed.limit_of(self.job),
                subset_size=self.feed.count,
                advanced_accuracy_restorer_parameters=AdvancedAccuracyRestorerParameters(
                    max_num_iterations=self.bounds.steps,
                    ranking_subset_size=min(RANKING_SAMPLES, self.bench.n),
                    num_ranking_workers=1,  # each holds a copy of the model
                ),
            )
        except _TimeUp:
            return None

    def _row(self, number: int) -> Sequence[Any]:
        """A sample for ranking."""
        if self._late():
            raise _TimeUp
        return self.feed.fitted(self.bench.inputs[number])

    def _validate(self, compiled: Any, numbers: Any) -> tuple[float, list[list[Any]]]:
        """The metric, larger being better, and each sample's outputs in the file's order.

        The float model's own once the bounds are reached: NNCF then ends with the model that it has.
        """
        outputs = []
        for number in numbers:
            answer = compiled(self.feed.fitted(self.bench.inputs[number]))
            outputs.append([answer[index].copy() for index in range(len(compiled.outputs))])
        if len(outputs) < self.bench.n:
            return 0.0, outputs  # NNCF's way of asking what this function returns
        rows = [[row[index] for index in self.orders[1]] for row in outputs]
        value = score(self.bench.metric, self.bench.labels, rows)
        value = value if metrics.higher_is_better(self.bench.metric) else -value
        if not self.steps:
            self.initial = value
        self.steps += 1
        self.report(STAGE, min(1.0, max(self.steps / self.bounds.steps, self._spent())))
        return (self.initial if self._late() else value), outputs

    def _spent(self) -> float:
        """The share of the time that is gone."""
        return (self.clock() - self.started_s) / max(self.bounds.seconds, 1e-9)

    def _late(self) -> bool:
        if self.stopped is None and self.steps > self.bounds.steps:
            self.stopped = f"after {self.steps} steps"
        if self.stopped is None and self._spent() >= 1:
            self.stopped = f"after {self.clock() - self.started_s:.0f} s"
        return self.stopped is not None
