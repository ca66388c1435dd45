"""Quoting for a board's shell: the one place where text becomes part of a command line.

What is quoted here means the same to sh, bash, zsh, busybox and fish, whichever the user logs in with
(csh is not supported).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from edgegreen.errors import InputError

_PLAIN = re.compile(r"[A-Za-z0-9_./:,+-]+")


def quote(text: str) -> str:
    """`text` as one word, whatever it holds. Raises InputError for a NUL, which no word can hold."""
    if "\0" in text:
        raise InputError(f"{text[:80]!r}: a path or argument cannot hold a NUL character")
    if _PLAIN.fullmatch(text):
        return text
    # A backslash inside '…' is itself to sh and an escape to fish; inside "…" both read \\ as one backslash.
    return "'" + re.sub(r"['\\]", _outside, text) + "'"


def word(text: str) -> str:
    """`text` as one word, with `~` or `~/` at its start meaning the home folder."""
    if text == "~":
        return '"$HOME"'
    if text.startswith("~/"):
        return '"$HOME"/' + (quote(text[2:]) if text[2:] else "")
    return quote(text)


def words(argv: Iterable[str]) -> str:
    """A command line that runs `argv` (`~/` at the start of an argument means the home folder)."""
    return " ".join(word(argument) for argument in argv)


def encode(command: str) -> bytes:
    """The command line in bytes; file names that are no UTF-8 travel as Python reads them (surrogates)."""
    try:
        return command.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise InputError(f"{error.object[error.start : error.end]!r} cannot be part of a command") from None


def _outside(character: re.Match[str]) -> str:
    return "'\"\\\\\"'" if character[0] == "\\" else "'\"'\"'"
