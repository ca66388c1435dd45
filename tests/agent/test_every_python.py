"""The agent runs on the Pythons boards have: 3.7 to 3.14."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from agent.pythons import Version, dotted, interpreters
from agent.talk import Talk, job
from edgegreen import bundle

SOURCES = sorted(bundle.AGENT.rglob("*.py"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(bundle.AGENT).as_posix())
def test_sources_are_python_3_7_standard_library_and_relative(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 7))
    inside_functions = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef)
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module or ""]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            package = name.partition(".")[0]
            foreign = package not in sys.stdlib_module_names and package != "__future__"
            for_types = any(node in branch.body for branch in ast.walk(tree) if isinstance(branch, ast.If))
            assert not foreign or id(node) in inside_functions or for_types, f"{name} is imported at the top"
            assert package != "edgegreen", "the agent imports itself by relative names only"


@pytest.mark.parametrize("version", sorted(v for v in interpreters() if v >= (3, 7)), ids=dotted)
def test_the_agent_runs(pyz: Path, version: Version, models: Path) -> None:
    with Talk(pyz, python=interpreters()[version], env={"PATH": "/usr/bin:/bin"}) as talk:
        talk.send({"verb": "probe"})
        (facts,) = talk.answer()
        assert facts["python"] == dotted(version)
        assert facts["memory_total_bytes"] > 0
        last = talk.ask(job(models / "int4.tflite"))
    # As far as it comes without numpy and a runtime: a trial that starts, and says what is missing.
    assert last["event"] == "measured" or "numpy" in last["error"] or "ai_edge_litert" in last["error"]


@pytest.mark.parametrize("version", sorted(v for v in interpreters() if v < (3, 7)), ids=dotted)
def test_older_pythons_are_told_in_words(pyz: Path, version: Version) -> None:
    done = subprocess.run([interpreters()[version], str(pyz)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == f"edgegreen needs Python 3.7 or newer on the board, this is {dotted(version)}\n"
