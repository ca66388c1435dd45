"""Where edgegreen keeps what it makes on the host: cache, downloads, tool environments, runs."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def home() -> Path:
    """`$EDGEGREEN_HOME`, or the user's data folder. Not created here."""
    if chosen := os.environ.get("EDGEGREEN_HOME"):
        return Path(chosen).expanduser()
    return platformdirs.user_data_path("edgegreen")
