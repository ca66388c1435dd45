"""From a float model to a row of the table, with stand-ins for the compiler and the library that say so."""

from __future__ import annotations

import pytest
from edgetpu_standins import compiler, library

from cli.harness import Shell


@pytest.mark.slow
def test_a_model_for_the_edge_tpu(shell: Shell) -> None:
    path = compiler(shell.folder / "bin", "partly.txt")
    recipe = shell.recipe(variants="{tpu: {format: edgetpu, precision: int8}}", baseline="")
    none = shell.run("deploy", recipe)
    assert none.code == 3
    assert "there is no `edgetpu_compiler` on local" in none.err + none.out

    missing = shell.run("deploy", recipe, EDGEGREEN_EDGETPU_COMPILER=str(path))
    assert missing.code == 5
    assert "the Edge TPU's library cannot be loaded: libedgetpu.so.1" in missing.out + missing.err

    library(shell.kept / "board" / "lib", "works", "-DSTANDARD")
    done = shell.run("deploy", recipe, "--json", "-", EDGEGREEN_EDGETPU_COMPILER=str(path))
    (row,) = done.json["results"]
    assert row["runtime"]["delegate"] == "Edge TPU"
    assert (row["artifact"]["compilation"]["on_tpu"], row["artifact"]["compilation"]["operators"]) == (
        264,
        267,
    )
    assert row["conditions"]["accelerator"]["clock"] == "standard"
    # The stand-in computes nothing, and is found out: outputs are compared with those of the quantised file.
    assert "this board's runtime computes something else than the host with the same file" in row["reasons"]
    table = shell.run("show", done.json["run_id"]).out
    assert "264/267, 0 B streamed" in table
    assert "the Edge TPU's clock is standard" in table
    assert "3 of 267 operators are left to the CPU" in table
