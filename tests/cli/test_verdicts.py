"""Models that were built or run, and compute something else: never an ordinary row."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from cli.harness import DIGITS, Shell, but_for_noise
from edgegreen.agent.runtimes.openvino import library

pytestmark = pytest.mark.slow  # whole runs with models and runtimes that fail

VARIABLE = "EDGEGREEN_TFLITE_RUNTIME_PYTHON"
# A runtime with a kernel that gets a sign wrong, and is otherwise the real one.
BROKEN_INIT = "__path__.append({folder!r})\n"
BROKEN = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("ai_edge_litert.real", {file!r})
real = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(real)

class Interpreter(real.Interpreter):
    def get_tensor(self, index):
        return -super().get_tensor(index)
"""


@pytest.fixture
def outlier(empty: Shell) -> dict[str, str]:
    """A model that 8 bits destroy: one activation is a million times the others, and of no account."""
    ov = library("openvino")
    ops = ov.opset13
    random = np.random.default_rng(0)
    first, last = (random.normal(size=size).astype("f4") for size in ((4, 64), (64, 3)))
    scale = np.ones((1, 64), "f4")
    scale[0, 0], last[0] = 1e6, 0
    x = ops.parameter([1, 4], np.float32, name="x")
    hidden = ops.multiply(ops.tanh(ops.matmul(x, ops.constant(first), False, False)), ops.constant(scale))
    y = ops.matmul(hidden, ops.constant(last), False, False)
    ov.save_model(ov.Model([y], [x], "outlier"), empty.folder / "outlier.xml", compress_to_fp16=False)
    samples = random.normal(size=(40, 4)).astype("f4")
    labels = (np.tanh(samples @ first) * scale @ last).argmax(1)
    np.savez(empty.folder / "outlier.npz", x=samples, y=labels)
    return {
        "model": "outlier.xml",
        "data": "{calibration: outlier.npz, evaluation: outlier.npz}",
        "variants": "{fp32: {format: openvino, precision: fp32}, int8: {format: openvino, precision: int8}}",
    }


def test_a_conversion_that_destroys_the_model_fails_alone(empty: Shell, outlier: dict[str, str]) -> None:
    done = empty.run("deploy", empty.recipe(**outlier, budgets="{size_bytes_max: 1}"))
    assert done.code == 3  # not 1, for the budget
    assert re.search(r"^fp32 ! .* 1\.00×$", done.rows["fp32"])
    assert done.rows["int8"].startswith("int8 ✗")
    assert "✗ int8 (convert): built, but computes something else" in done.out
    assert "models: 1 built, 1 failed" in done.err.splitlines()
    (run,) = empty.runs
    assert [result["variant"] for result in run["results"]] == ["fp32"]
    assert run["results"][0]["accuracy"]["value"] > 0.9
    assert [(f["target"], f["variant"], f["stage"]) for f in run["failures"]] == [(None, "int8", "convert")]

    done = empty.run("convert", empty.recipe(**outlier), "--output", "built")
    assert done.code == 3
    assert re.search(r"40/40 +openvino \d", done.rows["fp32"])
    assert "✗ int8: built, but computes something else" in done.out
    assert sorted(path.name for path in (empty.folder / "built").iterdir()) == ["fp32.bin", "fp32.xml"]


def test_the_exit_code_is_the_highest(shell: Shell) -> None:
    shell.target("bare", host="local", python="no-such-python")
    recipe = shell.recipe(budgets="{size_bytes_max: 1}")
    done = shell.run("deploy", recipe, "--target", "bare", "--target", "local", "--variant", "int8")
    assert done.code == 5  # not 1, for the budget
    assert done.rows["int8"].startswith("int8 !")


def test_a_runtime_that_computes_something_else_than_the_host(shell: Shell) -> None:
    spec = importlib.util.find_spec("ai_edge_litert.interpreter")
    assert spec is not None
    assert spec.origin is not None
    package = shell.folder / "broken" / "ai_edge_litert"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(BROKEN_INIT.format(folder=str(Path(spec.origin).parent)))
    (package / "interpreter.py").write_text(BROKEN.format(file=spec.origin))
    python = shell.folder / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={package.parent} exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    shell.target("broken", host="local", python=python)
    done = shell.run("deploy", shell.recipe(), "--target", "broken", "--target", "local")
    assert re.findall(r"^(fp32|int8) (\?)?", done.out, re.MULTILINE)[:2] == [("fp32", "?"), ("int8", "?")]
    reason = "this board's runtime computes something else than the host with the same file"
    assert done.out.count(f"? fp32, int8: {reason}") == 1
    found = [(r["target"], but_for_noise(r["reasons"])) for r in shell.runs[0]["results"]]
    assert found == [("broken", [reason])] * 2 + [("local", [])] * 2
    assert "*" not in done.out.partition("local  ")[0]  # nothing invalid is best of anything


def test_dynamic_range_models_on_an_old_runtime(empty: Shell) -> None:
    """ai-edge-quantizer's dynamic models compute nonsense in tflite-runtime 2.14, and it says nothing."""
    python = os.environ.get(VARIABLE, "")
    if not (python and Path(python).exists()):
        reason = f"{VARIABLE} names no Python with tflite-runtime; `tox -e tflite-runtime` makes one"
        if os.environ.get("EDGEGREEN_REQUIRE_TFLITE_RUNTIME") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    empty.target("old", host="local", python=python)
    variants = "{fp32: {format: tflite, precision: fp32}, dynamic: {format: tflite, precision: dynamic}}"
    done = empty.run("deploy", empty.recipe(variants=variants), "--target", "old")
    fp32, dynamic = empty.runs[0]["results"]
    assert fp32["runtime"]["name"] == "tflite-runtime"
    assert (but_for_noise(fp32["reasons"]), dynamic["verdict"]) == ([], "invalid")
    assert dynamic["accuracy"]["value"] < 0.5 < fp32["accuracy"]["value"]
    assert done.rows["dynamic"].startswith("dynamic ?")
    assert "? dynamic: this board's runtime computes something else than the host" in done.out


class TestMetricThatFails:
    """What the board measured is kept when only the score is wrong."""

    def test_the_row_stays_without_an_accuracy(self, shell: Shell) -> None:
        (shell.folder / "bad.py").write_text(
            "def metric(outputs, y):\n    print('noise')\n    return 1 / 0\n"
        )
        data = f"{{evaluation: {DIGITS / 'evaluation.npz'}, metric: {{python: 'bad.py:metric'}}}}"
        recipe = shell.recipe(data=data, variants="{fp32: {format: tflite, precision: fp32}}")
        done = shell.run("deploy", recipe, "--json", "-")
        assert done.code == 2
        found = json.loads(done.out)  # and what the hook prints is no part of it
        (row,) = found["results"]
        assert row["latency_ms"]["n"] > 2
        assert (row["accuracy"], row["verdict"]) == (None, "invalid")
        assert any("ZeroDivisionError" in reason for reason in row["reasons"])
        assert any("ZeroDivisionError" in failure["error"] for failure in found["failures"])
        assert "ZeroDivisionError" in done.err
