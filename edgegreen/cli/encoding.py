"""Output where it is not UTF-8: a plain character stands for each that cannot be written.

In one place for all that is printed, so that no report needs a second way of drawing. One character for one,
so that columns stay in line.
"""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterable
from typing import TextIO

HANDLER = "edgegreen.plain"
PLAIN = str.maketrans(
    {
        **dict(zip("▁▂▃▄▅▆▇█", "_.-=+*%#", strict=True)),
        **dict(zip("┤├┬└─│━", "+++`-|=", strict=True)),
        **dict(zip("…·→←‹›−–×÷±≤≥≠°µ✗✓★●○◇↺", "~.><<>--x/~<>#'uxv*oO0r", strict=True)),
    }
)


def settle(streams: Iterable[TextIO]) -> None:
    """Make each stream write plain characters for those that its encoding lacks; `?` where there is none."""
    codecs.register_error(HANDLER, _plain)
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper) and codecs.lookup(stream.encoding).name != "utf-8":
            stream.reconfigure(errors=HANDLER)


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end].translate(PLAIN)
    return "".join(one if one.isascii() else "?" for one in lacking), error.end
