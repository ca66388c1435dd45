"""YAML file → validated, frozen type, with errors that name file, line and the nearest right word.

The only place that reads YAML. What comes out is a pydantic model; no dict travels further down. How a
mistake is put into words is in `mistakes.py`.
"""

from __future__ import annotations

import datetime
import difflib
import io
import json
import re
import sys
import unicodedata
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError
from pydantic_core import core_schema
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLWarning
from ruamel.yaml.scalarbool import ScalarBoolean

from edgegreen.config import mistakes
from edgegreen.errors import InputError


class Frozen(BaseModel):
    """Base of every type read from YAML: immutable, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)


Positive = Annotated[float, Field(gt=0)]


@dataclass(frozen=True)
class Matching:
    """A string that matches `pattern` from end to end; `words` says to people what that is."""

    pattern: str
    words: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> Any:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return handler(schema) | {"pattern": f"^(?:{self.pattern})$"}

    def _check(self, value: str) -> str:
        if not re.fullmatch(self.pattern, value):
            raise ValueError(f"should be {self.words}, not `{value[:60]}`")
        return value


M = TypeVar("M", bound=Frozen)
MAX_BYTES = 1_000_000
MAX_VALUES = 100_000  # aliases of aliases can make a small file a large tree
MAX_DEPTH = 20
UNPRINTABLE = ("Cc", "Cs", "Zl", "Zp")  # Unicode: control, surrogate, line and paragraph separator


def load(path: Path, model: type[M], **context: object) -> M:
    """Read `path` as a `model`.

    `context` reaches the model's validators as `info.context`.
    Raises InputError naming the file and the line of every mistake.
    """
    return parse(read_text(path), model, str(path), **context)


def read_text(path: Path) -> str:
    """The file's text; raises InputError when it is absent, unreadable or no text."""
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file", hint=_nearest_file(path)) from None
    except IsADirectoryError:
        raise InputError(f"{path}: a folder, not a file", hint=_yaml_in(path)) from None
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    if len(content) > MAX_BYTES:
        raise InputError(f"{path}: larger than {MAX_BYTES} bytes; this is no recipe or target")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path}: not a text file (in UTF-8)") from None


def parse(text: str, model: type[M], where: str, **context: object) -> M:
    """`load` for text already in hand; `where` names it in errors."""
    reader = _Reader(where)
    tree = reader.tree(text)
    try:
        # Through JSON, so that strict checking knows lists as tuples and strings as paths.
        return model.model_validate_json(json.dumps(tree), strict=True, context=context)
    except ValidationError as error:
        lines = mistakes.explain(error.errors(), tree, reader.lines, model)
        raise InputError("\n".join(f"{where}:{line}: {text}" for line, text in lines)) from None


def plain(text: str, where: str) -> dict[str, Any]:
    """The values in a file's text alone: no comments, quotes or anchors. Raises InputError."""
    return _Reader(where).tree(text)


def line_of(text: str, place: mistakes.Place) -> int:
    """The line of a value, or of the nearest one around it that the text itself has. Raises InputError."""
    reader = _Reader("the text")
    reader.tree(text)
    return next(line for n in range(len(place), -1, -1) if (line := reader.lines.get(place[:n])))


def dump(values: dict[str, Any]) -> str:
    """Plain values as YAML: a line each, in their own order."""
    out = io.StringIO()
    writer = YAML(typ="rt", pure=True)
    writer.width = sys.maxsize
    writer.dump(values, out)
    return out.getvalue()


class _Reader:
    """Text → plain values of dict, list, str, int, float, bool and None, and the line of each."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.lines: dict[mistakes.Place, int] = {}
        self._count = 0

    def tree(self, text: str) -> dict[str, Any]:
        root = _yaml(text, self.where)
        if not isinstance(root, CommentedMap):
            found = {CommentedSeq: "a list", type(None): "nothing"}.get(type(root), "text")
            raise InputError(f"{self.where}: expected `key: value` lines, found {found}")
        tree: dict[str, Any] = self._plain(root, (), 1)
        return tree

    def _plain(self, node: Any, place: mistakes.Place, line: int) -> Any:
        self.lines[place] = line
        self._count += 1
        if self._count > MAX_VALUES or len(place) > MAX_DEPTH:
            raise self._wrong(line, "too many values, or too deep in one another, for a recipe or target")
        match node:
            case CommentedMap():
                # Keys that came by a merge (`<<: *anchor`) have no line of their own.
                lines = {key: at[0] + 1 for key, at in (node.lc.data or {}).items()}
                return {
                    self._key(key, lines.get(key, line)): self._plain(
                        child, (*place, key), lines.get(key, line)
                    )
                    for key, child in node.items()
                }
            case CommentedSeq():
                return [
                    self._plain(child, (*place, index), node.lc.item(index)[0] + 1)
                    for index, child in enumerate(node)
                ]
            case str():
                return self._text(node, line)
            case ScalarBoolean():  # ruamel's `true` that has an anchor; an int to everybody else
                return bool(node)
            case None | bool() | int() | float():
                return node
            case datetime.date():  # 2026-11-22 is the text it looks like
                return str(node)
        raise self._wrong(line, f"a kind of value that is not used here (`{place[-1]}`)")

    def _key(self, key: Any, line: int) -> str:
        if not isinstance(key, str):
            raise self._wrong(line, f"the key `{key}` is not text; put it in quotes")
        return self._text(key, line)

    def _text(self, text: str, line: int) -> str:
        # They would reach the terminal, break lines of messages apart, or (lone surrogates) reach no file.
        bad = next((c for c in text if unicodedata.category(c) in UNPRINTABLE and c not in "\t\n"), None)
        if bad is not None:
            raise self._wrong(line, f"an unprintable character (U+{ord(bad):04X})")
        return str(text)

    def _wrong(self, line: int, text: str) -> InputError:
        return InputError(f"{self.where}:{line}: {text}")


def _yaml(text: str, where: str) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", YAMLWarning)  # an anchor may be used anew
            return YAML(typ="rt", pure=True).load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f":{mark.line + 1}" if mark else ""
        problem = mistakes.syntax(str(error.problem or error.context or "not understood"))
        raise InputError(f"{where}{line}: not valid YAML: {problem}") from None
    except Exception as error:
        # Characters YAML does not allow; and what ruamel.yaml itself stumbles over: RecursionError, …
        position = getattr(error, "position", None)
        line = f":{text.count(chr(10), 0, position) + 1}" if isinstance(position, int) else ""
        problem = mistakes.syntax(str(error) or type(error).__name__)
        raise InputError(f"{where}{line}: not valid YAML: {problem}") from None


def _nearest_file(path: Path) -> str | None:
    try:
        names = [entry.name for entry in path.parent.iterdir()]
    except OSError:
        return f"the folder {path.parent} cannot be read" if not path.parent.is_dir() else None
    close = difflib.get_close_matches(path.name, names, n=1, cutoff=0.75)
    return f"did you mean {path.parent / close[0]}?" if close else None


def _yaml_in(folder: Path) -> str | None:
    inside = sorted(path for path in folder.glob("*.y*ml") if path.is_file())
    return f"did you mean {inside[0]}?" if inside else None
