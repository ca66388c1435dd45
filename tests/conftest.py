"""Fixtures every test may use."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from places import REPO

pytest_plugins = ["sshd", "browser", "postgres"]  # an OpenSSH server, a Chromium, a PostgreSQL server
# A shell starts what is in its background with Ctrl-C ignored, and what that starts ignores it as well.
signal.signal(signal.SIGINT, signal.default_int_handler)


# A machine with other work to do makes examples slowly, which says nothing of the code.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh EDGEGREEN_HOME, so that no test sees the user's cache or another test's."""
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("EDGEGREEN_HOME", str(folder))
    monkeypatch.delenv("EDGEGREEN_DB", raising=False)
    # Tests run side by side; boards of one test wait for one another as they should.
    monkeypatch.setenv("EDGEGREEN_LOCK", str(folder / "board.lock"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)  # runs of tests are nobody's
    return folder


@pytest.fixture(scope="session")
def assets() -> Path:
    """The MLPerf Tiny models and data; skips when they are not there."""
    folder = Path(os.environ.get("EDGEGREEN_ASSETS", REPO.parent / "shared" / "assets"))
    if not (folder / "mlperf-tiny").is_dir():
        pytest.skip(f"MLPerf Tiny assets not found in {folder}; set EDGEGREEN_ASSETS")
    return folder / "mlperf-tiny"
