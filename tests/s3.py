"""A real server that speaks S3 (moto's), on a loopback port; skipped where none is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sshd import free_port

BUCKET = "lab"


@contextmanager
def running(folder: Path) -> Iterator[dict[str, str]]:
    """The environment in which s3://lab/ is a bucket of this server."""
    program = os.environ.get("EDGEGREEN_S3_SERVER") or shutil.which("moto_server")
    if program is None or not Path(program).exists():
        reason = "no moto_server: `tox -e s3-server` makes one"
        if os.environ.get("EDGEGREEN_REQUIRE_S3") == "1":
            pytest.fail(f"{reason}, but EDGEGREEN_REQUIRE_S3=1")
        pytest.skip(reason)
    port = free_port()
    with (folder / "s3.log").open("wb") as log:
        command = [program, "--host", "127.0.0.1", "--port", str(port)]
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        address = f"http://127.0.0.1:{port}"
        _make_bucket(f"{address}/{BUCKET}", server)
        yield {
            "AWS_ENDPOINT_URL": address,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
    finally:
        server.kill()
        server.wait()


def _make_bucket(address: str, server: subprocess.Popen[bytes]) -> None:
    deadline_s = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(urllib.request.Request(address, method="PUT"), timeout=5):
                return
        except (urllib.error.URLError, ConnectionError):
            if server.poll() is not None or time.monotonic() > deadline_s:
                raise
            time.sleep(0.05)
