"""JSON Schemas of both YAML kinds, for editors.

`python -m edgegreen.schemas FOLDER` writes them; a test keeps those in docs/schema true.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from edgegreen.config.yamlfile import Frozen
from edgegreen.recipe import Recipe
from edgegreen.target import Target

KINDS: dict[str, type[Frozen]] = {"recipe": Recipe, "target": Target}


def text(kind: str) -> str:
    """The schema of a `recipe` or a `target` as JSON."""
    schema: dict[str, Any] = _closed(KINDS[kind].model_json_schema())
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return json.dumps(schema, indent=2, sort_keys=True) + "\n"


def _closed(schema: Any) -> Any:
    """The same, with no keys allowed but those that match where keys have a pattern."""
    match schema:
        case dict():
            shut = {"additionalProperties": False} if "patternProperties" in schema else {}
            return shut | {key: _closed(value) for key, value in schema.items()}
        case list():
            return [_closed(value) for value in schema]
    return schema


def write(folder: Path) -> None:
    """Write `<kind>.schema.json` for every kind."""
    folder.mkdir(parents=True, exist_ok=True)
    for kind in KINDS:
        (folder / f"{kind}.schema.json").write_text(text(kind), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
