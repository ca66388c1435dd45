"""A run as JSON: schema 1, as `deploy --json` writes it."""

from __future__ import annotations

from edgegreen.report.contents import Contents


def report(contents: Contents) -> str:
    """The run, and nothing that follows from it."""
    return contents.run.to_json() + "\n"
