"""A run as one HTML file that needs nothing else: no network, no folder beside it.

`page` puts it together, `columns` and `summary` say what stands in it, `plots` makes small what is drawn.
"""

from edgegreen.report.html.page import render

__all__ = ["render"]
