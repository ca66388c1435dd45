"""What is wrong in a YAML file, in words: pydantic's and ruamel.yaml's errors → one line each. Pure."""

from __future__ import annotations

import difflib
import json
import re
import typing
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic_core import ErrorDetails

Place = tuple[int | str, ...]
"""Keys and indexes from the top of the file to a value."""

# What a value should have been, by pydantic's type of error.
KINDS = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "`key: value` lines",
    "model_type": "`key: value` lines",
}
SYNTAX = (
    (r"found character '\\t'.*", "a tab; YAML is indented with spaces"),
    (r'found duplicate key "(.*?)" with value .*', r"the key `\1` is there twice"),
    (r"mapping values are not allowed here", "a `:` where none can stand; put the text in quotes"),
    (r"found undefined alias '(.*)'", r"`*\1` stands for nothing; text with a `*` needs quotes"),
    (r".*(maximum )?recursion.*", "nested too deeply"),
)
NAMED = 8  # keys that a line names, of many that there could be


@dataclass(frozen=True)
class Mistake:
    """One of pydantic's errors: `place` is where in the file.

    Where a value can be of several types, pydantic complains of each of them: `fork` is the place of
    such a value, and `branch` pydantic's name of the type.
    """

    item: ErrorDetails
    place: Place
    fork: Place | None
    branch: str

    @property
    def is_of_kind(self) -> bool:
        """Whether the value is no such thing at all, rather than one with a mistake inside."""
        return self.place == self.fork and self.item["type"] in (*KINDS, "literal_error")


def explain(
    errors: Sequence[ErrorDetails], tree: Any, lines: Mapping[Place, int], model: type[BaseModel]
) -> list[tuple[int, str]]:
    """Line number and text of every mistake, in the file's order."""
    found = [_locate(item, tree) for item in errors]
    forks: dict[Place, list[Mistake]] = defaultdict(list)
    for mistake in found:
        if mistake.fork is not None:
            forks[mistake.fork].append(mistake)
    told = [mistake for mistake in found if mistake.fork is None and not _follows(mistake, found)]
    texts = {(lines[mistake.place], _text(mistake, model)) for mistake in told}
    for fork, branches in forks.items():
        names = {mistake.branch for mistake in branches}
        fitting = names - {mistake.branch for mistake in branches if mistake.is_of_kind}
        if len(fitting) == 1:
            told = [mistake for mistake in branches if mistake.branch in fitting]
            texts |= {(lines[mistake.place], _text(mistake, model)) for mistake in told}
        else:
            texts.add((lines[fork], _should_be([m for m in branches if m.place == fork], model)))
    return sorted((line, " ".join(text.split())) for line, text in texts)


def syntax(problem: str) -> str:
    """ruamel.yaml's words for what is not YAML, in ours, on one line."""
    line = " ".join(problem.split())
    for pattern, words in SYNTAX:
        if re.fullmatch(pattern, line):
            return re.sub(pattern, words, line)
    return line


def _locate(item: ErrorDetails, tree: Any) -> Mistake:
    place: list[int | str] = []
    fork, branch = None, ""
    node = tree
    for part in item["loc"]:
        inside = (
            part in node if isinstance(node, dict) else isinstance(node, list) and part in range(len(node))
        )
        if inside:
            place.append(part)
            node = node[part]
        elif part != "[key]" and (item["type"] != "missing" or part != item["loc"][-1]) and not branch:
            fork, branch = tuple(place), str(part)
    return Mistake(item, tuple(place), fork, branch)


def _follows(mistake: Mistake, found: Sequence[Mistake]) -> bool:
    """A list counts as too short when its entries are wrong; that is said already."""
    at = mistake.place
    return mistake.item["type"] == "too_short" and any(
        other.place[: len(at)] == at and len(other.place) > len(at) for other in found
    )


def _text(mistake: Mistake, model: type[BaseModel]) -> str:
    item, place = mistake.item, mistake.place
    name = f"`{dotted(place)}`: " if place else ""
    match item["type"]:
        case "extra_forbidden":
            known = _keys_at(model, place[:-1], mistake.branch)
            nearest = did_you_mean(str(place[-1]), known) or _elsewhere(str(place[-1]), place[:-1], model)
            return f"unknown key `{dotted(place)}`" + (
                nearest or f" (known here: {', '.join(sorted(known))})"
            )
        case "missing":
            return f"`{item['loc'][-1]}` is missing" + (f" in `{dotted(place)}`" if place else "")
        case "value_error":
            return name + str(item["ctx"]["error"])
        case "too_short" | "string_too_short":
            return name + "should not be empty"
        case kind if kind in KINDS or kind == "literal_error":
            return _should_be([mistake], model)
    return f"{name}{item['msg'].replace('Input should be', 'should be')}, not {_shown(item['input'])}"


def _should_be(branches: Sequence[Mistake], model: type[BaseModel]) -> str:
    """One line for a value that is none of what it could be."""
    item, place = branches[0].item, branches[0].place
    words = [word for mistake in branches for word in _literals(mistake.item)]
    kinds = [_kind(mistake, model) for mistake in branches]
    nearest = did_you_mean(str(item["input"]), words)
    quotes = "; put it in quotes" if kinds == ["text"] and item["input"] is not None else ""
    return f"`{dotted(place)}`: should be {', or '.join(kinds)}, not {_shown(item['input'])}{nearest}{quotes}"


def _kind(mistake: Mistake, model: type[BaseModel]) -> str:
    match mistake.item["type"]:
        case "literal_error":
            return "one of " + ", ".join(_literals(mistake.item))
        case "model_type":
            keys = _keys_at(model, mistake.place, mistake.branch)
            shown = [*keys[:NAMED], *(["…"] * (len(keys) > NAMED))]
            return f"`key: value` lines ({', '.join(shown)})"
        case "string_type" if "path" in mistake.branch:
            return "a path"
        case kind:
            return KINDS[kind]


def _literals(item: ErrorDetails) -> list[str]:
    return re.findall(r"'([^']*)'", item["ctx"]["expected"]) if item["type"] == "literal_error" else []


def _shown(value: Any) -> str:
    match value:
        case None:
            return "nothing"
        case dict():
            return "`key: value` lines"
        case list():
            return "a list"
        case str() if not re.fullmatch(r"[-+.\d]+|true|false|null", value):
            return f"`{value[:60]}`"
    return f"`{json.dumps(value)[:60]}`"  # text that looks like something else is shown in quotes


def dotted(place: Place) -> str:
    """`variants.lean.precision`, `benchmark.threads[1]`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return text.removeprefix(".")


def _keys_at(model: type[BaseModel], place: Place, branch: str) -> list[str]:
    """Keys allowed at `place`, found by walking the types' annotations.

    Where the value can be of several types, those of the one called `branch`, if one is.
    """
    types: list[Any] = [model]
    for part in place:
        models = [t for t in types if isinstance(t, type) and issubclass(t, BaseModel)]
        inner = [t.model_fields[part].annotation for t in models if part in t.model_fields]
        # Not a field of a model: a key of a dict or an index of a list, whose values' types follow.
        types = [leaf for t in inner for leaf in _leaves(t)] if inner else types
    models = [t for t in types if isinstance(t, type) and issubclass(t, BaseModel)]
    named = [t for t in models if t.__name__ == branch] or models
    return [name for t in named for name in t.model_fields]


def _leaves(annotation: Any) -> list[Any]:
    args = typing.get_args(annotation)
    return [leaf for arg in args for leaf in _leaves(arg)] if args else [annotation]


def _elsewhere(key: str, place: Place, model: type[BaseModel]) -> str:
    """Where in the file a key would have its place, if that is not there."""
    under = [name for name in model.model_fields if (name,) != place and key in _keys_at(model, (name,), "")]
    return f"; it belongs under `{under[0]}`" if under else ""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean …?`, to end a line with; empty when nothing known is near."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"; did you mean `{close[0]}`?" if close else ""
