"""What holds the layers together: cheap imports, an agent that stands alone, registries that agree."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import get_args

import pytest
from places import REPO

from edgegreen import recipe, target
from edgegreen.config import datakeys
from edgegreen.formats import CALIBRATED, FORMATS, Format, Precision, Quantizer, RuntimeName

PACKAGE = REPO / "edgegreen"
HEAVY = {
    "tensorflow",
    "keras",
    "openvino",
    "nncf",
    "ai_edge_quantizer",
    "ai_edge_litert",
    "onnx",
    "onnxruntime",
}
# What `--help` has no use for either: 0.2 s are not many.
NOT_FOR_HELP = HEAVY | {"paramiko", "numpy", "pydantic", "rich", "ruamel", "psutil", "pebble"}
OF_THE_HISTORY = {"sqlalchemy", "alembic", "psycopg", "pyarrow"}


def imported_by(*arguments: str) -> set[str]:
    """Top-level packages in memory after this command line."""
    code = (
        "import json, sys\nfrom edgegreen import cli\n"
        "try: cli.main(sys.argv[1:])\nexcept SystemExit as end: assert not end.code, end.code\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=REPO,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stderr.splitlines()[-1]))


@pytest.mark.parametrize("arguments", [("--help",), ("deploy", "--help"), ("--version",)])
def test_help_imports_nothing_heavy(arguments: tuple[str, ...]) -> None:
    assert imported_by(*arguments) & (NOT_FOR_HELP | OF_THE_HISTORY) == set()


def test_a_dry_run_imports_no_converter_no_runtime_and_no_ssh() -> None:
    used = imported_by("deploy", "recipes/digits.yaml", "--target", "local", "--dry-run")
    assert used & (HEAVY | OF_THE_HISTORY | {"paramiko"}) == set()


def test_the_history_is_imported_by_what_asks_it_alone() -> None:
    assert imported_by("validate", "recipes/digits.yaml") & OF_THE_HISTORY == set()
    used = imported_by("runs")
    assert "sqlalchemy" in used
    assert used & (HEAVY | {"paramiko", "psycopg", "pyarrow"}) == set()


def test_importing_the_package_costs_nothing() -> None:
    code = "import sys; before = set(sys.modules); import edgegreen; print(sorted(set(sys.modules) - before))"
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True, cwd=REPO,
        env=os.environ | {"PYTHONPATH": str(REPO)},
    )  # fmt: skip
    packages = {name.partition(".")[0] for name in ast.literal_eval(done.stdout)}
    assert packages <= {"edgegreen", *sys.stdlib_module_names}


AGENT = sorted((PACKAGE / "agent").rglob("*.py"))
# Present on the board, imported where they are used.
ON_THE_BOARD = {"numpy", "ai_edge_litert", "tflite_runtime", "openvino"}


@cache
def imports(path: Path) -> tuple[tuple[str, int, bool], ...]:
    """Each import: what, how many dots it starts with, and whether it runs when the module is imported."""
    tree = ast.parse(path.read_text(encoding="utf-8"))

    def walk(node: ast.AST, at_once: bool) -> Iterator[tuple[str, int, bool]]:
        match node:
            case ast.Import():
                yield from ((alias.name, 0, at_once) for alias in node.names)
            case ast.ImportFrom():
                yield node.module or "", node.level, at_once
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                for child in node.orelse:
                    yield from walk(child, at_once)
            case _:
                inside = at_once and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
                for child in ast.iter_child_nodes(node):
                    yield from walk(child, inside)

    return tuple(walk(tree, True))


def test_there_is_an_agent() -> None:
    assert len(AGENT) > 5
    found = {name for path in AGENT for name, _, _ in imports(path)}
    assert "numpy" in found  # or this test would see nothing


@pytest.mark.parametrize("path", AGENT, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_the_agent_stands_on_the_standard_library_and_itself(path: Path) -> None:
    depth = len(path.relative_to(PACKAGE / "agent").parts)
    for name, level, at_once in imports(path):
        top = name.partition(".")[0]
        assert level <= depth, f"`from {'.' * level}{name}` leaves the agent"
        if level == 0:
            allowed = set(sys.stdlib_module_names) if at_once else sys.stdlib_module_names | ON_THE_BOARD
            assert top in allowed, f"{path.name} imports {name}" + (" at its top" if at_once else "")


def importers(package: str) -> set[str]:
    """Modules of edgegreen that import `package`, anywhere in them."""
    return {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        for name, level, _ in imports(path)
        if not level and name.partition(".")[0] == package
    }


def test_each_foreign_library_has_its_seam() -> None:
    assert {path.partition("/")[0] for path in importers("paramiko")} == {"transport"}
    assert importers("ruamel") == {"config/yamlfile.py"}
    assert {path.partition("/")[0] for path in importers("rich")} == {"report"}
    assert importers("pyjoulescope_driver") == {"meters/joulescope.py"}
    assert importers("ppk2_api") == {"meters/ppk2.py"}
    for library in ("tensorflow", "keras", "nncf", "ai_edge_quantizer", "onnx"):
        assert {path.partition("/")[0] for path in importers(library)} <= {"sources", "convert", "compress"}


def test_nothing_is_unpickled() -> None:
    for library in ("pickle", "marshal", "shelve", "dill", "cloudpickle"):
        assert importers(library) == set()


class TestRegistries:
    """One name, one meaning, wherever it stands."""

    def test_runtimes(self) -> None:
        from edgegreen.agent import runtimes

        assert set(runtimes.RUNTIMES) == set(get_args(RuntimeName))
        assert {name for traits in FORMATS.values() for name in traits.runtimes} == set(get_args(RuntimeName))
        for traits in FORMATS.values():
            assert {runtimes.RUNTIMES[name].devices for name in traits.runtimes} == {traits.devices}

    def test_meters(self) -> None:
        from edgegreen.agent import meters, sampler
        from edgegreen.agent.meters.base import SCOPES

        assert set(get_args(target.MeterKind)) == {*meters.METERS, meters.AUTO, sampler.NO_METER}
        assert set(get_args(target.Scope)) == set(SCOPES)
        assert set(meters.FAMILIES) == set(target.FAMILIES)

    def test_meters_that_the_host_reads(self) -> None:
        from edgegreen import meters
        from edgegreen.config import meterkeys

        assert set(meters.METERS) == set(meterkeys.KINDS)
        assert not set(meters.METERS) & set(get_args(target.MeterKind))
        tags = [(kind, tag.tag) for kind, tag in map(get_args, get_args(meterkeys.HostMeter))]
        assert tags == [(kind, kind.__name__) for kind in meterkeys.KINDS.values()]
        assert [get_args(kind.model_fields["meter"].annotation) for kind, _ in tags] == [
            (name,) for name in meterkeys.KINDS
        ]

    def test_the_host_takes_what_the_sampler_says(self) -> None:
        from edgegreen.agent import sampler
        from edgegreen.agent.meters.base import About
        from edgegreen.client import observed

        for ours, theirs in ((observed.About, About), (observed.Summary, sampler.Summary)):
            assert [field.name for field in fields(ours)] == [field.name for field in fields(theirs)]
        assert observed.RECORD.itemsize == sampler.RECORD.size

    def test_formats(self) -> None:
        assert set(FORMATS) == set(get_args(Format))

    def test_precisions(self) -> None:
        from edgegreen.convert import job

        every = set(get_args(Precision))
        assert {precision for traits in FORMATS.values() for precision in traits.precisions} == every
        assert set(CALIBRATED) < every
        assert set(job.FLOORS_DB) == every
        assert set(job.WEIGHTS) == every - {"fp32"}

    def test_quantizers(self) -> None:
        from edgegreen.convert import job

        every = set(get_args(Quantizer))
        assert {name for traits in FORMATS.values() for name in traits.quantizers} == every
        assert set(job.CONVERTERS) == every
        for kind, traits in FORMATS.items():
            assert job.quantizer_of(recipe.Variant(format=kind)) == traits.quantizers[0]

    def test_metrics(self) -> None:
        from edgegreen import metrics

        assert set(metrics.METRICS) == set(get_args(datakeys.Metric))

    def test_budgets_and_exit_codes_of_the_help(self) -> None:
        from edgegreen import cli, errors

        told = cli.cli.help or ""
        for kind in (errors.InputError, errors.ConversionError, errors.UnreachableError, errors.DeviceError):
            assert f"{kind.exit_code} " in told


def test_every_module_says_in_its_first_lines_what_it_is_for() -> None:
    silent = [
        str(path.relative_to(REPO))
        for path in PACKAGE.rglob("*.py")
        if len(ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "") < 20
    ]
    assert set(silent) <= {"edgegreen/__main__.py"}


def test_the_public_names_are_not_hidden_by_modules_of_the_same_name() -> None:
    code = (
        "import edgegreen, pkgutil\n"
        "modules = {one.name for one in pkgutil.iter_modules(edgegreen.__path__)}\n"
        "print([name for name in edgegreen.__all__ if name in modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPO)
    assert done.stdout.strip() == "[]"
