"""What MLflow is told of a run: every figure under a name with its unit, and nothing twice."""

from __future__ import annotations

from typing import Any

from builders import measurement, metered, run

from edgegreen.config.limitkeys import Budgets
from edgegreen.history.series import nowhere
from edgegreen.judging import comparison
from edgegreen.measurement import Commit, Failure, Measurement, Origin, Tuning
from edgegreen.report.contents import Contents
from edgegreen.report.table import COLUMNS
from edgegreen.tracking import told

MADE = Origin(
    recipe_file="kws.yaml", recipe_text="name: kws", files={"model": "ab" * 32}, tools={}, host="Linux",
    git=Commit(sha="f0" * 20, modified=True),
)  # fmt: skip


def of(*items: Measurement, **wanted: Any) -> told.Told:
    made = run(*items, **wanted)
    return told.of(Contents(made, comparison.of(made), nowhere))


def test_what_was_chosen_measured_and_said() -> None:
    item = metered(mj=1 / 3, tuning=Tuning(governor="powersave"), verdict="invalid", reasons=("hot", "busy"))
    (child,) = of(item).children
    assert child.name == "int8-tflite@pi5"
    assert (child.params["threads"], child.params["governor"], child.params["metric"]) == (
        "1",
        "powersave",
        "top1",
    )
    assert child.metrics["energy_mj"] == 1 / 3
    assert child.metrics["latency_p95_ms"] == item.latency_ms.p95
    assert (child.tags["edgegreen.reasons"], child.tags["edgegreen.emulated"]) == ("hot; busy", "false")


def test_every_column_of_a_row_is_somewhere_once() -> None:
    (child,) = of(metered(reasons=("hot",), verdict="invalid")).children
    tags = {name.removeprefix("edgegreen.") for name in child.tags}
    assert not child.params.keys() & child.metrics.keys()
    assert set(told.CHOSEN) <= COLUMNS.keys()
    absent = COLUMNS.keys() - child.params.keys() - child.metrics.keys() - tags
    assert absent == {
        "passes",
        "governor",
        "power_mode",
        "energy_absent",
        "speedup",
        "missed_budgets",
        "remarks",
        "tpu_operators",
        "tpu_operators_of",
        "tpu_streamed_bytes",
    }


def test_children_have_the_names_that_tell_them_apart() -> None:
    names = [
        one.name for one in of(metered(), metered(threads=4), metered(target="nano"), metered("b")).children
    ]
    assert names == ["int8-tflite@pi5, 1 thread", "int8-tflite@pi5, 4 threads", "int8-tflite@nano", "b@pi5"]


def test_the_parent_is_the_run() -> None:
    failed = Failure(target="pi5", variant="b", stage="measure", error="gone")
    sent = of(metered(), failures=(failed,), budgets=Budgets(latency_p50_ms_max=1), origin=MADE)
    assert (sent.parent.name, sent.failed) == ("20261122-040000-abc123", True)
    assert sent.parent.metrics == {"rows": 1, "rows_over_budget": 1, "rows_not_trusted": 0, "failures": 1}
    tags = sent.parent.tags
    assert tags["edgegreen.sha256.model"] == "ab" * 32
    assert (tags["mlflow.source.git.commit"], tags["edgegreen.git_modified"]) == ("f0" * 20, "true")
    assert (tags["edgegreen.recipe"], tags["edgegreen.version"]) == ("keyword-spotting", "0.1.0")
    assert sent.files["report.html"].startswith("<!doctype html>")
    assert '"schema": 1' in sent.files["run.json"]


def test_a_row_measured_anew_is_another_one() -> None:
    first, again, other = (of(measurement(p50=p50)).children[0] for p50 in (1.0, 1.0, 1.1))
    assert first.tags[told.TRIAL] == again.tags[told.TRIAL] != other.tags[told.TRIAL]


def test_no_text_is_longer_than_servers_take() -> None:
    (child,) = of(measurement(passes=("p" * 9000,), verdict="invalid", reasons=("r\n" * 9000,))).children
    assert len(child.params["passes"]) == 500
    assert len(child.tags["edgegreen.reasons"]) == 5000
