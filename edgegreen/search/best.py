"""`best.yaml`: a recipe with a search's winner, which builds the same file again, and how it was found."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from edgegreen.agent.wire import one_line, printable
from edgegreen.cache import keys
from edgegreen.config.datakeys import Hook
from edgegreen.config.limitkeys import Limits
from edgegreen.errors import InputError
from edgegreen.judging.front import Outcome, Tried
from edgegreen.recipe import Recipe, Variant
from edgegreen.report import words
from edgegreen.report.search import shown

MARK = "# Written by `edgegreen search`"
NAME = "best"
OMITTED = ("variants", "search", "name", "seed", "baseline", "budgets", "benchmark", "data")
# Keys and names that YAML reads as text without quotes; one with a digit or a dot first may be a number.
PLAIN_KEY = re.compile(r"(?!(?:null|true|false|yes|no|on|off)$)[a-z][a-z0-9_-]*", re.IGNORECASE)
TOOLS = ("tensorflow", "keras", "ai-edge-quantizer", "ai-edge-litert", "openvino", "nncf")


@dataclass(frozen=True)
class Found:
    """A search's winner, and what there is to say of it. `judging` is the recipe that it is judged by."""

    judging: Recipe
    outcome: Outcome
    winner: Tried
    variant: Variant
    baseline: tuple[str, Variant]
    search_id: str

    @property
    def name(self) -> str:
        """What the winner is called in the file: as the recipe calls it, if it is the recipe's own."""
        if self.winner.given:
            return self.winner.name
        return NAME if self.baseline[0] != NAME else f"{NAME}-found"


def check_place(path: Path) -> None:
    """Raise InputError, before any work, where the file cannot be written or is somebody else's."""
    if path.is_dir():
        raise InputError(f"--output {path}: a folder, not a file")
    if not path.absolute().parent.is_dir():
        raise InputError(f"--output {path}: no such folder")
    if path.exists():
        try:
            ours = path.read_text(encoding="utf-8").startswith(MARK)
        except (OSError, UnicodeDecodeError):
            ours = False
        if not ours:
            raise InputError(
                f"{path} is there already, and no search wrote it", hint="`--output` names another file"
            )


def write(found: Found, path: Path, judged: str | None = None) -> None:
    """Write the recipe to `path`; `judged` is a line on how it did on the evaluation data."""
    lines = [*_comments(found, judged), "", *_recipe(found, path.absolute().parent)]
    try:
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from None


def _comments(found: Found, judged: str | None) -> Iterator[str]:
    """How it was found, a line each; nothing that comes from elsewhere becomes a line of YAML."""
    winner, score, item = found.winner, found.winner.score, found.winner.measurement
    assert score is not None
    assert item is not None
    tools = ", ".join(f"{name} {version}" for name, version in keys.versions(*TOOLS).items() if version)
    tried = len([one for one in found.outcome.tried if not one.given])
    yield f"{MARK}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC: search {found.search_id}, {winner.name}."
    for said in (
        winner.what,
        f"The smallest {found.outcome.objective.name} with a loss of at most {found.outcome.limit:g} among "
        f"{tried} candidates and {words.count([one for one in found.outcome.tried if one.given], 'variant')} "
        f"of the recipe, on {item.target}, by {words.runtime(item.runtime)}.",
        f"Chosen on validation data: {shown(found.outcome.objective, score.value)}, loss {score.drop:.4g} "
        f"({item.accuracy.n if item.accuracy else 0} samples).",
        *([f"Judged on evaluation data, once: {judged}"] if judged else []),
        f"sha256 of the file: {item.artifact.sha256}",
        f"Built with {tools}; with these, the same file is built again.",
    ):
        yield f"# {one_line(printable(said), 400)}"


def _recipe(found: Found, folder: Path) -> Iterator[str]:
    """The recipe's lines, paths relative to `folder`."""
    recipe, item = found.judging, found.winner.measurement
    assert item is not None
    yield f"name: {_flow(recipe.name)}"
    yield f"seed: {recipe.seed}"
    for key, value in _given(recipe, folder).items():
        if key not in OMITTED:
            yield f"{key}: {_flow(value)}"
    yield "data:"
    for key, value in _given(recipe.data, folder).items():
        yield f"  {key}: {_flow(value)}"
    yield "variants:"
    for name, variant in {found.baseline[0]: found.baseline[1], found.name: found.variant}.items():
        yield f"  {_key(name)}: {_flow(_given(variant, folder))}"
    yield f"baseline: {_flow(found.baseline[0])}"
    benchmark = _given(recipe.benchmark, folder) | {"threads": [item.threads]}
    yield f"benchmark: {_flow({k: v for k, v in benchmark.items() if k not in ('governors', 'power_modes')})}"
    budgets = _given(recipe.budgets, folder) | {"accuracy_drop_max": found.outcome.limit}
    for own in budgets.get("targets", {}).values():
        own.pop("accuracy_drop_max", None)  # the search's limit stands for them all
    yield f"budgets: {_flow(budgets)}"


def _given(model: BaseModel, folder: Path) -> dict[str, Any]:
    """What was said of it, as plain values."""
    plain: dict[str, Any] = _plain(model, folder)
    return plain


def _plain(value: Any, folder: Path) -> Any:
    match value:
        case Hook():
            file, _, function = value.python.rpartition(":")
            return {
                "python": f"{_relative(Path(file), folder)}:{function}",
                "higher_is_better": value.higher_is_better,
            }
        case BaseModel():
            given = {
                name: getattr(value, name)
                for name in type(value).model_fields
                if name in value.model_fields_set
            }
            silent = () if type(value) is Limits else (None, ())  # a target's None lifts the recipe's limit
            return {name: _plain(one, folder) for name, one in given.items() if one not in silent}
        case Path():
            return _relative(value, folder)
        case Mapping():
            return {key: _plain(one, folder) for key, one in value.items()}
        case tuple() | list():
            return [_plain(one, folder) for one in value]
    return value


def _relative(path: Path, folder: Path) -> str:
    return Path(os.path.relpath(path.absolute(), folder)).as_posix()


def _flow(value: Any) -> str:
    """YAML of one line; JSON is such, but for keys that need no quotes to a reader."""
    match value:
        case dict():
            return "{" + ", ".join(f"{_key(key)}: {_flow(one)}" for key, one in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(_flow, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def _key(name: str) -> str:
    return name if PLAIN_KEY.fullmatch(name) else json.dumps(name)
