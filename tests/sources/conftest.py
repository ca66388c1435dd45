"""Models to load, and what to load them with. The session's models are shared with tests/convert."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest
from filelock import FileLock

from edgegreen.cache.store import Cache
from edgegreen.sources.load import Workshop
from edgegreen.workers.pool import Workers

MAKER = Path(__file__).parent.parent / "made_models.py"


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of tests/made_models.py's models, made once for all processes of the test run."""
    pytest.importorskip(
        "tensorflow", reason="small Keras models are made with tensorflow", exc_type=ImportError
    )
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "made-models"
    with FileLock(folder.with_suffix(".lock")):
        if not folder.is_dir():
            making = folder.with_suffix(".making")
            making.mkdir(exist_ok=True)
            environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
            command = [sys.executable, str(MAKER), str(making)]
            subprocess.run(command, env=environment, check=True, capture_output=True)
            making.rename(folder)
    return folder


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    """A cache and workers that all tests of the session share, so that tensorflow is imported once."""
    stop = Event()
    workers = Workers(tmp_path_factory.mktemp("logs"), tools=1, stop=stop)
    yield Workshop(Cache(tmp_path_factory.mktemp("cache")), workers, stop)
    workers.close()
