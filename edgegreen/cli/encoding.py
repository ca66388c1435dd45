"""Output where it is not UTF-8: a plain character stands for each that cannot be written.

In one place for all that is printed, so that no report needs a second way of drawing. One character for one
where that says the same; two, as `->`, where one would say something else (`2 > 3`). Those take from the
blanks before the next column, so that columns stay in line.
"""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterable
from typing import TextIO

HANDLER = "edgegreen.plain"
PLAIN: dict[int, str] = str.maketrans(
    {
        **dict(zip("▁▂▃▄▅▆▇█", "_.-=+*%#", strict=True)),
        **dict(zip("┤├┬└─│━", "+++`-|=", strict=True)),
        **dict(zip("·‹›−–×÷≈≠°µ✗✓★●○◇↺", ".<>--x/~#'uxv*oO0r", strict=True)),
        "…": "..",
        "→": "->",
        "←": "<-",
        "±": "+-",
        "≤": "<=",
        "≥": ">=",
    }
)
TO_NEXT_COLUMN = re.compile(r"(?P<cell>[!-~]*(?: [!-~]+)*)(?P<blanks> {2,})")


def settle(streams: Iterable[TextIO]) -> None:
    """Make each stream write plain characters for those that its encoding lacks; `?` where there is none."""
    codecs.register_error(HANDLER, _plain)
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper) and codecs.lookup(stream.encoding).name != "utf-8":
            stream.reconfigure(errors=HANDLER)


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text, end = error.object, error.end
    plain = "".join(one if one.isascii() else "?" for one in text[error.start : end].translate(PLAIN))
    spare = len(plain) - (end - error.start)
    if spare and (rest := TO_NEXT_COLUMN.match(text, end)):
        return plain + rest["cell"], rest.end("cell") + min(spare, len(rest["blanks"]) - 1)
    return plain, end
