"""A run sent to MLflow within a bounded time, by a process of its own; what went wrong in one line.

Secrets may stand in the address and in MLflow's variables: no message has them.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

from edgegreen.agent.wire import one_line, printable
from edgegreen.errors import InputError, UnreachableError
from edgegreen.report.contents import Contents
from edgegreen.tracking import told

VARIABLE = "MLFLOW_TRACKING_URI"
SECRETS = ("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN", "DATABRICKS_TOKEN")
AFTER_A_RUN_S = 30.0  # that a deploy takes longer at most
# What the client would do otherwise: wait two minutes for each of seven tries, and report its use home.
ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "GIT_PYTHON_REFRESH": "quiet",
}
# From what a foreign error has in its text to what it means; the first that fits. The texts themselves are
# long, and repeat addresses with what is secret in them.
MEANINGS = (
    (("certificate", "SSLError"), "its certificate is not trusted"),
    (("timed out", "timeout exception"), "it does not answer"),
    (("Max retries", "Connection", "Failed to resolve"), "it cannot be reached"),
    (("Unauthorized", "UNAUTHENTICATED", "PERMISSION_DENIED", "error code 401", "error code 403"),
     "it refuses us; MLFLOW_TRACKING_USERNAME and _PASSWORD, or _TOKEN, say who we are"),
    (("in maintenance mode",), "MLflow keeps no runs in folders any more; it wants a server or a database"),
    (("InvalidUrl", "InvalidURL", "Unsupported", "scheme"), "this is no address that MLflow can use here"),
)  # fmt: skip


@dataclass(frozen=True)
class Sent:
    """Where a run is now."""

    server: str
    experiment: str


def wanted(environment: Mapping[str, str]) -> bool:
    """Whether the user has a tracking server."""
    return bool(environment.get(VARIABLE, "").strip())


def send(contents: Contents, limit_s: float, environment: Mapping[str, str] | None = None) -> Sent:
    """Send a run with all its rows. One that was sent before is completed.

    Raises InputError where no server is named or mlflow is not there, UnreachableError for all that goes
    wrong after that, or takes longer.
    """
    environment = os.environ if environment is None else environment
    if not wanted(environment):
        raise InputError(f"{VARIABLE} is not set", hint="such as http://127.0.0.1:5000")
    if importlib.util.find_spec("mlflow") is None:
        raise InputError("mlflow is not installed", hint="pip install 'edgegreen[mlflow]'")
    what = told.of(contents)
    server = host_of(environment[VARIABLE])
    heard, late = _run(json.dumps(asdict(what)), limit_s, environment)
    if done := next((one for one in heard if "place" in one), None):
        return Sent(server, _clean(done["experiment"], environment))
    if late:
        n = sum("sent" in one for one in heard)
        raise UnreachableError(
            f"{server}: not done after {limit_s:g} s, {n} of {len(what.children)} rows are there",
            hint=f"`edgegreen track {contents.run.run_id}` sends the rest",
        )
    trouble = next((one["trouble"] for one in heard if "trouble" in one), "MLflow's client came to no end")
    known = (means for signs, means in MEANINGS if any(sign in trouble for sign in signs))
    raise UnreachableError(f"{server}: {next(known, None) or _clean(trouble, environment)}")


def _run(text: str, limit_s: float, environment: Mapping[str, str]) -> tuple[list[dict[str, Any]], bool]:
    """What the sender said, and whether its time ran out."""
    paths = [str(Path(entry or ".").absolute()) for entry in sys.path]
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "edgegreen.tracking.sender"],
            input=text.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # MLflow's remarks, which name the address
            env={**ENVIRONMENT, **environment, "PYTHONPATH": os.pathsep.join(paths)},
            timeout=limit_s,
            check=False,
            start_new_session=True,  # Ctrl-C in the terminal is ours to handle
        )
    except subprocess.TimeoutExpired as error:
        return _messages(error.stdout or b""), True
    except OSError as error:
        raise UnreachableError(f"cannot start MLflow's client: {error.strerror}") from None
    return _messages(done.stdout), False


def _messages(out: bytes) -> list[dict[str, Any]]:
    """Every whole line."""
    return [json.loads(line) for line in out.split(b"\n")[:-1]]


def host_of(uri: str) -> str:
    """An address without whatever may be secret in it: user, password, path, query."""
    scheme, colon, rest = uri.strip().partition("://")
    if not colon:
        return "MLflow"  # a path or a name
    return printable(f"{scheme}://{re.split(r'[/?#]', rest.rpartition('@')[2])[0]}")


def _clean(text: str, environment: Mapping[str, str]) -> str:
    """A foreign message on one line, without anything of the address but its host, and without passwords."""
    uri = environment[VARIABLE].strip()
    text = text.partition("\n")[0].replace(uri, host_of(uri))
    rest = uri.partition("://")[2]
    user, at, _ = rest.rpartition("@")
    parts = [user, *user.split(":", 1)] if at else []
    query = rest.partition("?")[2]
    parts += [
        query,
        *(value for _, value in parse_qsl(query)),
        *(environment.get(name, "") for name in SECRETS),
    ]
    for part in sorted({*parts, *map(unquote, parts)} - {""}, key=len, reverse=True):
        text = text.replace(part, "***")
    return one_line(printable(text), 300)
