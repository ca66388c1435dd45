"""Build variants of a model: `build` runs the conversions side by side, through the cache.

The way from a source model to a hub (a float model file) is `sources/`; from the hub to each variant, here.
"""

from __future__ import annotations

from edgegreen.convert.build import build, make
from edgegreen.convert.built import Build, BuildEvent, Reference

__all__ = ["Build", "BuildEvent", "Reference", "build", "make"]
