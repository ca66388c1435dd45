"""A run as one HTML file that needs nothing else: no network, no folder beside it.

`page` puts it together, `columns`, `summary` and `changes` say what stands in it,
`plots` makes small what is drawn.
"""

from edgegreen.report.contents import Contents
from edgegreen.report.html.page import render

__all__ = ["render", "report"]


def report(contents: Contents) -> str:
    """The page, with the series that are kept of the run, and how it compares with another one."""
    return render(contents.run, contents.rows, contents.series, contents.against)
