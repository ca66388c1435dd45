"""`format: tensorrt` through the command line, on this machine and over SSH, with a stand-in for trtexec.

What is real: the model, its Q/DQ form, calibration, the agent, SSH, the outputs (ONNX Runtime's of the same
file). What is not: trtexec and its times (see fake_trtexec). No engine of TensorRT was ever built here.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import fake_trtexec
import numpy as np
import psutil
import pytest
from sources.onnx_models import conv_net, data
from sshd import Sshd

from cli.conftest import add_board
from cli.harness import Shell, child_of

pytestmark = pytest.mark.slow  # whole runs, and a process for each run of the stand-in


@pytest.fixture
def shell(tmp_path: Path, home: Path) -> Shell:
    """A user's shell, which finds the stand-in where there is one."""
    made = Shell(tmp_path, home)
    made.env["PATH"] = f"{tmp_path / 'bin'}{os.pathsep}{made.env['PATH']}"
    return made


def recipe(shell: Shell, variants: str, benchmark: str = "tensorrt: {samples: 2}") -> Path:
    """For a model with two inputs and outputs, some of whose names have colons and slashes."""
    conv_net(shell.folder / "net.onnx", batch=1)
    arrays = dict(np.load(data(shell.folder / "calibration.npz", 12)))
    np.savez(shell.folder / "evaluation.npz", y=np.zeros(12, "i8"), **arrays)
    return shell.recipe(
        model="net.onnx",
        data="{calibration: calibration.npz, evaluation: evaluation.npz}",
        variants=variants,
        baseline="",
        benchmark=f"{{duration_s: 0.1, warmup_s: 0.02, {benchmark}}}",
    )


def test_halves_and_int8(shell: Shell, tmp_path: Path) -> None:
    fake = fake_trtexec.install(tmp_path / "bin", infers=True)
    variants = ", ".join(f"{p}: {{format: tensorrt, precision: {p}}}" for p in ("fp16", "int8"))
    done = shell.run("deploy", recipe(shell, f"{{{variants}}}"), "--json", "run.json", "--profile")
    assert done.code == 0, done.err
    results = json.loads((shell.folder / "run.json").read_text())["results"]
    assert [result["precision"] for result in results] == ["fp16", "int8"]
    for result in results:
        assert result["runtime"]["name"] == "tensorrt"
        assert result["accuracy"]["n"] == 2
        assert not result["conditions"]["outputs_doubted"]  # the same as the host's, by the same file
        assert result["execution"]["compute"] == {"f16": 1, "i8": 1}
        assert result["profile"]["operators"][0]["name"] == "/conv1/Conv+/relu/Relu_myl0_1"
        assert result["latency_ms"]["p50"] == 1.0
    assert "fp16, int8: accuracy over 2 of 12 samples" in done.out
    builds = [set(line) & {"--fp16", "--int8"} for line in fake.builds]
    assert builds == [{"--fp16"}, {"--fp16", "--int8"}]


FLOATS = """{"Layers": [{"Name": "conv1", "LayerType": "CaskConvolution",
  "Inputs": [{"Format/Datatype": "Row major linear FP32"}], "Outputs": []}]}"""


def test_an_old_tensorrt_and_fp16_that_ran_in_floats(shell: Shell, tmp_path: Path) -> None:
    """The model is the user's own, of opset 17."""
    fake_trtexec.install(tmp_path / "bin", "8.2", infers=True, layers=FLOATS)
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "libnvinfer.so.8.2.1").touch()
    done = shell.run(
        "deploy", recipe(shell, "{fp16: {format: tensorrt, precision: fp16}}"), "--json", "run.json"
    )
    assert done.code == 0, done.err
    assert "the model is of ONNX opset 17, and TensorRT 8.2.1 takes 13 at most" in done.err + done.out
    (row,) = json.loads((shell.folder / "run.json").read_text())["results"]
    assert row["verdict"] == "invalid"
    assert "asked for fp16, ran in f32: none of 1 convolutions and matrix products in f16" in row["reasons"]


def test_over_ssh_and_away_again(shell: Shell, tmp_path: Path) -> None:
    """Ctrl-C ends a build on the board; `clean` takes the engines away."""
    fake = fake_trtexec.install(tmp_path / "bin", build_s=60, infers=True)
    folder = tmp_path / "sshd"
    env = f'SetEnv HOME="{folder}/home" EDGEGREEN_LOCK="{folder}/lock" PATH="{fake.folder}:/usr/bin:/bin"'
    with_int8 = recipe(shell, "{int8: {format: tensorrt, precision: int8}}")
    server = Sshd(folder, env).start()
    try:
        add_board(shell, server, "jetson")
        with shell.start("deploy", with_int8, "--target", "jetson") as going:
            going.until("jetson: 1/1 int8")
            assert server._process
            build = child_of(server._process.pid, "--onnx=")
            going.signal()
            assert going.end(10).code == 130
            assert not psutil.wait_procs([build], timeout=5)[1]
        fake_trtexec.install(tmp_path / "bin", infers=True)
        done = shell.run("deploy", with_int8, "--target", "jetson")
        assert done.code == 0, done.err
        engines = shell.folder / "jetson-root" / "engines"
        assert [path.suffix for path in engines.iterdir() if path.is_file()] == [".engine"]
        assert shell.run("targets", "clean", "jetson").code == 0
        assert not engines.exists()
    finally:
        server.stop()


def test_without_trtexec(shell: Shell) -> None:
    done = shell.run("deploy", recipe(shell, "{int8: {format: tensorrt, precision: int8}}"))
    assert done.code == 5
    assert "local (deploy): there is no trtexec (neither /usr/src/tensorrt/bin/trtexec nor on" in done.out
    assert "`sudo apt install libnvinfer-bin`" in done.out
