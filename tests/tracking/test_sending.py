"""A run sent to a real MLflow server, to one that is not there, to one that says nothing; and no secret said.

`tox -e mlflow-server` makes a server; EDGEGREEN_MLFLOW_PYTHON names its Python.
"""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from builders import measurement, metered, run
from waiting import until

from edgegreen.errors import InputError, UnreachableError
from edgegreen.history.series import nowhere
from edgegreen.judging import comparison
from edgegreen.measurement import Origin, Run
from edgegreen.report.contents import Contents
from edgegreen.tracking import sending

VARIABLE = "EDGEGREEN_MLFLOW_PYTHON"
SECRET = "s3cret/word"
needs_client = pytest.mark.skipif(
    importlib.util.find_spec("mlflow") is None and os.environ.get("EDGEGREEN_REQUIRE_MLFLOW") != "1",
    reason="mlflow-skinny is not installed: the extra `mlflow`",
)


def contents(*items: Any, **wanted: Any) -> Contents:
    of = run(*items, **wanted)
    return Contents(of, comparison.of(of), nowhere)


def origin(model: str) -> Origin:
    return Origin(
        recipe_file=None, recipe_text=None, files={"model": model}, tools={}, host="Linux", git=None
    )


def send(of: Contents, uri: str, limit_s: float = 60) -> sending.Sent:
    return sending.send(of, limit_s, os.environ | {"MLFLOW_TRACKING_URI": uri})


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real one, with its runs in SQLite."""
    python = os.environ.get(VARIABLE)
    if not (python and Path(python).exists()):
        reason = f"{VARIABLE} names no Python with mlflow; `tox -e mlflow-server` makes one"
        if os.environ.get("EDGEGREEN_REQUIRE_MLFLOW") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    folder, port = tmp_path_factory.mktemp("mlflow"), free_port()
    command = [
        python, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
        "--backend-store-uri", f"sqlite:///{folder}/runs.db",
        "--artifacts-destination", str(folder / "artifacts"),
    ]  # fmt: skip
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {
        "MLFLOW_DISABLE_TELEMETRY": "true"
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
    uri = f"http://127.0.0.1:{port}"
    try:
        until(lambda: _healthy(uri) or process.poll() is not None, limit_s=90)
        assert process.poll() is None, (folder / "log").read_text()[-2000:]
        yield uri
    finally:
        process.terminate()
        process.wait(30)


def _healthy(uri: str) -> bool:
    try:
        with urllib.request.urlopen(f"{uri}/health", timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def asked(uri: str, path: str, **query: Any) -> Any:
    """The server's own answer: not through the client that sent."""
    request = urllib.request.Request(
        f"{uri}/api/2.0/mlflow/{path}", json.dumps(query).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def kept(uri: str, experiment: str) -> dict[str, dict[str, Any]]:
    """The runs of an experiment by name: `id`, `status`, `tags`, `params`, `metrics`."""
    with urllib.request.urlopen(
        f"{uri}/api/2.0/mlflow/experiments/get-by-name?experiment_name={experiment}", timeout=10
    ) as answer:
        number = json.load(answer)["experiment"]["experiment_id"]
    found = asked(uri, "runs/search", experiment_ids=[number])["runs"]
    return {
        one["info"]["run_name"]: {
            "id": one["info"]["run_id"],
            "status": one["info"]["status"],
            **{
                part: {item["key"]: item["value"] for item in one["data"].get(part, [])}
                for part in ("tags", "params", "metrics")
            },
        }
        for one in found
    }


@pytest.mark.slow
@needs_client
def test_a_run_with_its_rows_and_its_report(server: str) -> None:
    of = contents(metered("a", mj=1 / 3), metered("a", mj=0.5, threads=4), measurement("b"))
    sent = send(of, server.replace("//", "//user:s3cret@"))
    assert (sent.server, sent.experiment) == (server, "edgegreen/keyword-spotting")
    found = kept(server, sent.experiment)
    parent = found.pop(of.run.run_id)
    assert found.keys() == {"a@pi5, 1 thread", "a@pi5, 4 threads", "b@pi5"}
    assert {one["tags"]["mlflow.parentRunId"] for one in found.values()} == {parent["id"]}
    assert {one["status"] for one in (parent, *found.values())} == {"FINISHED"}
    assert found["a@pi5, 1 thread"]["metrics"]["energy_mj"] == 1 / 3
    assert found["b@pi5"]["params"]["runtime"] == "litert"
    assert parent["metrics"]["rows"] == 3

    def artifact(name: str) -> str:
        where = f"{server}/get-artifact?path={name}&run_uuid={parent['id']}"
        with urllib.request.urlopen(where, timeout=10) as answer:
            return str(answer.read().decode())

    assert Run.model_validate_json(artifact("run.json")) == of.run
    assert artifact("report.html").startswith("<!doctype html>")


@pytest.mark.slow
@needs_client
def test_sent_again_it_is_completed_and_not_doubled(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "again")
    send(
        contents(
            measurement("a"), measurement("b", verdict="invalid", reasons=("hot",)), origin=origin("5f")
        ),
        server,
    )
    first = kept(server, "again")
    send(contents(measurement("a"), measurement("b", p50=2.0), measurement("c"), origin=origin("ab")), server)
    second = kept(server, "again")
    assert second.keys() == {*first, "c@pi5"}
    assert second["a@pi5"]["id"] == first["a@pi5"]["id"]
    assert second["b@pi5"]["metrics"]["latency_p50_ms"] == 2.0
    (parent,) = [one for one in second.values() if "mlflow.parentRunId" not in one["tags"]]
    assert (parent["metrics"]["rows"], parent["metrics"]["rows_not_trusted"]) == (3, 0)
    assert parent["tags"]["edgegreen.sha256.model"] == "ab"


@pytest.mark.slow
@needs_client
@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("http://user:s3cret@127.0.0.1:{port}", "http://127.0.0.1:{port}: it cannot be reached"),
        ("http://user:s3cret@127.0.0.1:99999", "no address that MLflow can use"),
        ("file:///tmp/s3cret", "MLflow keeps no runs in folders any more"),
    ],
)
def test_no_server(uri: str, said: str) -> None:
    port = free_port()
    with pytest.raises(UnreachableError) as raised:
        send(contents(measurement()), uri.format(port=port))
    assert said.format(port=port) in str(raised.value)
    assert "s3cret" not in str(raised.value)


@pytest.mark.slow
@needs_client
def test_a_server_that_says_nothing_costs_no_more_than_it_may() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        began_s = time.monotonic()
        with pytest.raises(UnreachableError, match=r"not done after 5 s, 0 of 1 rows are there") as raised:
            send(contents(measurement()), f"http://127.0.0.1:{mute.getsockname()[1]}", limit_s=5)
    assert time.monotonic() - began_s < 8
    assert raised.value.hint == "`edgegreen track 20261122-040000-abc123` sends the rest"


class Refusing(BaseHTTPRequestHandler):
    """Refuses with a page that repeats who asked."""

    status = 401

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.end_headers()
        scheme, _, coded = self.headers["Authorization"].partition(" ")
        self.wfile.write(f"{scheme}: {base64.b64decode(coded).decode()}".encode())

    def log_message(self, *_: Any) -> None:
        pass


@pytest.mark.slow
@needs_client
@pytest.mark.parametrize(("status", "said"), [(401, "it refuses us"), (418, "Basic: ***")])
def test_what_a_server_answers_is_said_without_secrets(
    status: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Refusing, "status", status)
    with HTTPServer(("127.0.0.1", 0), Refusing) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        with pytest.raises(UnreachableError) as raised:
            send(contents(measurement()), f"http://user:s3cret@127.0.0.1:{server.server_port}")
        server.shutdown()
    assert said in str(raised.value)
    assert "s3cret" not in str(raised.value)


def test_without_a_server_or_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="MLFLOW_TRACKING_URI is not set"):
        send(contents(measurement()), " ")
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(InputError, match="mlflow is not installed"):
        send(contents(measurement()), "http://127.0.0.1:9")


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
        (f"https://user:{SECRET}@host:5000/mlflow?token=x", "https://host:5000"),
        ("https://user:s3?cret@host", "https://host"),
        ("https://host/s3cret?token=s3cret#s3cret", "https://host"),
        ("postgresql://me:s3cret@db/runs", "postgresql://db"),
        ("sqlite:////home/me/runs.db", "sqlite://"),
        ("databricks", "MLflow"),
    ],
)
def test_of_an_address_the_host_alone_is_shown(uri: str, shown: str) -> None:
    assert sending.host_of(uri) == shown


def test_no_message_has_a_secret() -> None:
    environment = {
        "MLFLOW_TRACKING_URI": "http://user:s3%21cret@host:5000/x?key=k3y",
        "MLFLOW_TRACKING_TOKEN": "t0ken",
    }
    text = "no http://user:s3%21cret@host:5000/x?key=k3y: user:s3!cret, k3y, Bearer t0ken\nmore"
    assert sending._clean(text, environment) == "no http://host:5000: ***, ***, Bearer ***"
