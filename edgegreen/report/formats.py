"""The formats a run can be reported in.

A new one is a module with a function `report(contents) -> str`, and a line in FORMATS. Modules are named and
not imported, so that the command line can list them and start at once.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgegreen.report.contents import Contents

FORMATS: dict[str, str] = {
    "html": "edgegreen.report.html",
    "md": "edgegreen.report.markdown",
    "csv": "edgegreen.report.table",
    "json": "edgegreen.report.asjson",
    "junit": "edgegreen.report.junit",
}
WITH_AGAINST = ("html", "md", "junit")
"""Those that tell how a run compares with another one."""


def report(name: str, contents: Contents) -> str:
    """The whole text of a report, with its last line ended. `name` is one of FORMATS."""
    text: str = importlib.import_module(FORMATS[name]).report(contents)
    return text
