"""YAML file → validated, frozen type, with errors that name file, line and the nearest right word.

The only place that reads YAML. What comes out is a pydantic model; no dict travels further down.
"""

from __future__ import annotations

import difflib
import json
import typing
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from edgegreen.errors import InputError


class Frozen(BaseModel):
    """Base of every type read from YAML: immutable, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


M = TypeVar("M", bound=Frozen)
MAX_BYTES = 1_000_000


def load(path: Path, model: type[M], **context: object) -> M:
    """Read `path` as a `model`.

    `context` reaches the model's validators as `info.context`.
    Raises InputError naming the file and the line of every mistake.
    """
    return parse(read_text(path), model, str(path), **context)


def read_text(path: Path) -> str:
    """The file's text; raises InputError when it is absent, unreadable or no text."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{path}: larger than {MAX_BYTES} bytes; this is no recipe or target")
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file", hint=_nearest_file(path)) from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: not a text file") from None
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None


def parse(text: str, model: type[M], where: str, **context: object) -> M:
    """`load` for text already in hand; `where` names it in errors."""
    tree = _tree(text, where)
    try:
        # Through JSON, so that strict checking knows lists as tuples and strings as paths.
        return model.model_validate_json(json.dumps(tree, default=str), strict=True, context=context)
    except ValidationError as error:
        lines = sorted({_explain(item, tree, model, where) for item in error.errors()})
        raise InputError("\n".join(text for _, text in lines)) from None


def _tree(text: str, where: str) -> CommentedMap:
    try:
        tree = YAML(typ="rt", pure=True).load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f":{mark.line + 1}" if mark else ""
        problem = " ".join(str(error.problem or error.context or "not YAML").split())
        raise InputError(f"{where}{line}: not valid YAML: {problem}") from None
    except YAMLError as error:
        raise InputError(f"{where}: not valid YAML: {str(error).splitlines()[0]}") from None
    if not isinstance(tree, CommentedMap):
        raise InputError(f"{where}: expected `key: value` lines, found {type(tree).__name__}")
    return tree


def _explain(item: Any, tree: CommentedMap, model: type[BaseModel], where: str) -> tuple[int, str]:
    path, line = _locate(tree, item["loc"])
    dotted = ".".join(str(part) for part in path)
    match item["type"]:
        case "extra_forbidden":
            key = path[-1]
            text = f"unknown key `{dotted}`" + _did_you_mean(str(key), _keys_at(model, path[:-1]))
        case "missing":
            owner = ".".join(str(part) for part in item["loc"][:-1])
            text = f"`{item['loc'][-1]}` is missing" + (f" in `{owner}`" if owner else "")
        case "literal_error":
            words = item["ctx"]["expected"].replace("'", "").replace(" or ", ", ").split(", ")
            text = f"`{dotted}: {item['input']}` is not one of {', '.join(words)}"
            text += _did_you_mean(str(item["input"]), words)
        case "value_error":
            text = f"`{dotted}`: {item['ctx']['error']}" if dotted else str(item["ctx"]["error"])
        case _:
            reason = item["msg"].replace("Input should be", "should be").replace("valid ", "")
            text = f"`{dotted}`: {reason[:1].lower() + reason[1:]}"
    return line, f"{where}:{line}: {text}"


def _locate(tree: Any, loc: tuple[int | str, ...]) -> tuple[list[int | str], int]:
    """The part of `loc` that is really in the file (pydantic adds union tags), and its line."""
    path: list[int | str] = []
    line = 1
    node = tree
    for part in loc:
        if isinstance(node, CommentedMap) and part in node:
            line = node.lc.key(part)[0] + 1
        elif isinstance(node, CommentedSeq) and isinstance(part, int) and part < len(node):
            line = node.lc.item(part)[0] + 1
        else:
            continue
        path.append(part)
        node = node[part]
    return path, line


def _keys_at(model: type[BaseModel], path: list[int | str]) -> list[str]:
    """Keys allowed at `path`, found by walking the types' annotations."""
    types: list[Any] = [model]
    for part in path:
        models = [t for t in types if isinstance(t, type) and issubclass(t, BaseModel)]
        inner = [t.model_fields[part].annotation for t in models if part in t.model_fields]
        # Not a field of a model: a key of a dict or an index of a list, whose values' types follow.
        types = [leaf for t in inner for leaf in _leaves(t)] if inner else types
    return [
        name for t in types if isinstance(t, type) and issubclass(t, BaseModel) for name in t.model_fields
    ]


def _leaves(annotation: Any) -> list[Any]:
    args = typing.get_args(annotation)
    return [leaf for arg in args for leaf in _leaves(arg)] if args else [annotation]


def _did_you_mean(word: str, known: list[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"; did you mean `{close[0]}`?" if close else f" (known here: {', '.join(sorted(known))})"


def _nearest_file(path: Path) -> str | None:
    try:
        names = [entry.name for entry in path.parent.iterdir()]
    except OSError:
        return f"the folder {path.parent} cannot be read" if not path.parent.is_dir() else None
    close = difflib.get_close_matches(path.name, names, n=1, cutoff=0.6)
    return f"did you mean {path.parent / close[0]}?" if close else None
