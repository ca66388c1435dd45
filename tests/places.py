"""Where things are in the repository."""

from __future__ import annotations

from pathlib import Path

REPO = Path(__file__).parent.parent
