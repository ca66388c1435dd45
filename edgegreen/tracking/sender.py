"""The process that speaks with MLflow: `python -m edgegreen.tracking.sender`. The only import of mlflow.

It takes a `Told` as JSON on stdin and says what it did on stdout, a JSON object on each line: `sent` for each
row, `place` and `experiment` when all is there, or `trouble`. Whoever started it bounds its time: a call of
MLflow's client may wait for minutes, and nothing but its process's end stops it.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

ENTRIES_AT_ONCE = 8
PAGE = 1000  # of MLflow's search


def main() -> None:
    """Send what stdin tells of; never raises for what MLflow or its server do."""
    # Messages have a descriptor of their own: MLflow prints addresses of runs to stdout.
    with os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8") as out:
        os.dup2(2, 1)

        def say(**message: object) -> None:
            out.write(json.dumps(message) + "\n")

        told = json.load(sys.stdin)
        try:
            say(**_send(told, lambda: say(sent=1)))
        except Exception as error:
            say(trouble=f"{type(error).__name__}: {error}")


def _send(told: dict[str, Any], sent: Callable[[], None]) -> dict[str, str]:
    from mlflow import MlflowClient

    client = MlflowClient()
    experiment = _experiment(client, told["experiment"])
    there = _there(client, experiment, told["parent"]["tags"]["edgegreen.run_id"])
    parent = next((one for one in there if "mlflow.parentRunId" not in one.data.tags), None)
    parent_id = _keep(client, experiment, told["parent"], told, parent.info.run_id if parent else None)
    client.update_run(parent_id, "RUNNING")  # until all is there
    for name, text in told["files"].items():
        client.log_text(parent_id, text, name)
    wanted = {one["tags"]["edgegreen.trial"]: one for one in told["children"]}
    for one in there:
        if one.data.tags.get("mlflow.parentRunId") != parent_id:
            continue
        # Sent before: left as it is. Half sent, or measured anew since: put into MLflow's bin.
        if one.info.status != "FINISHED" or wanted.pop(one.data.tags.get("edgegreen.trial"), None) is None:
            client.delete_run(one.info.run_id)

    def child(entry: dict[str, Any]) -> None:
        entry["tags"]["mlflow.parentRunId"] = parent_id
        run_id = _keep(client, experiment, entry, told, None)
        client.set_terminated(run_id, "FINISHED", told["at_ms"])
        sent()

    with ThreadPoolExecutor(ENTRIES_AT_ONCE) as pool:
        list(pool.map(child, wanted.values()))
    client.set_terminated(parent_id, "FAILED" if told["failed"] else "FINISHED", told["at_ms"])
    return {"place": parent_id, "experiment": client.get_experiment(experiment).name}


def _experiment(client: Any, name: str) -> str:
    """The experiment that MLflow's own variables name, or else this one; made where it is not there."""
    if wanted := os.environ.get("MLFLOW_EXPERIMENT_ID"):
        return wanted
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or name
    found = client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    from mlflow.exceptions import MlflowException

    try:
        return str(client.create_experiment(name))
    except MlflowException as error:
        found = client.get_experiment_by_name(name)  # another process was quicker
        if found is None:
            raise error from None
        return str(found.experiment_id)


def _there(client: Any, experiment: str, run_id: str) -> list[Any]:
    """What was sent of this run before."""
    found, token = [], None
    while True:
        page = client.search_runs(
            [experiment], f"tags.`edgegreen.run_id` = '{run_id}'", max_results=PAGE, page_token=token
        )
        found += list(page)
        token = page.token
        if not token:
            return found


def _keep(
    client: Any, experiment: str, entry: dict[str, Any], told: dict[str, Any], known: str | None
) -> str:
    """Make an entry, or go on with the one that is there; its id."""
    from mlflow.entities import Metric, Param, RunTag

    now_ms = time.time_ns() // 10**6  # of two values of a metric the later one counts
    run_id = known or client.create_run(experiment, told["at_ms"], entry["tags"], entry["name"]).info.run_id
    client.log_batch(
        run_id,
        metrics=[Metric(name, value, now_ms, 0) for name, value in entry["metrics"].items()],
        params=[Param(name, value) for name, value in entry["params"].items()],
        tags=[RunTag(name, value) for name, value in entry["tags"].items()] if known else (),
    )
    return str(run_id)


if __name__ == "__main__":
    main()
