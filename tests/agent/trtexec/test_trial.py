"""Trials of an agent that finds a stand-in for trtexec on its PATH (see fake_trtexec): never a real one."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import fake_trtexec
import numpy as np
import psutil
import pytest
from fake_trtexec import Fake

from agent.talk import Talk, gone, job
from agent.test_trial import gathered, times
from edgegreen.client.messages import parse

pytestmark = pytest.mark.slow  # a process for each run of trtexec, and seconds of window
PORTS = {"inputs": [["x", [1, 2], "float32"]], "outputs": [["y", [1, 2], "float32"]]}


def asked(model: Path, **changes: Any) -> dict[str, Any]:
    engine = {"precision": "int8", "timeout_s": 60.0, **PORTS, **changes.pop("engine", {})}
    return job(model, runtime="tensorrt", engine=engine, min_runs=4, warmup_s=0.02, duration_s=0.1, **changes)


@pytest.fixture
def board(tmp_path: Path, pyz: Path) -> Path:
    """edgegreen's folder there, with the agent and a model in place."""
    store = tmp_path / "root" / "store"
    store.mkdir(parents=True)
    (store / "agent.pyz").write_bytes(pyz.read_bytes())
    (store / "model.onnx").write_bytes(b"a model")
    return tmp_path / "root"


@pytest.fixture
def model(board: Path) -> Path:
    return board / "store" / "model.onnx"


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    np.savez(tmp_path / "data.npz", x=np.arange(20, dtype="f4").reshape(10, 2))
    return tmp_path / "data.npz"


def talk(board: Path, fake: Fake) -> Talk:
    path = f"{fake.folder}{os.pathsep}/usr/bin{os.pathsep}/bin"
    return Talk(board / "store" / "agent.pyz", env={"PATH": path, "HOME": str(board)})


def run(board: Path, fake: Fake, wanted: dict[str, Any]) -> list[dict[str, Any]]:
    with talk(board, fake) as agent:
        agent.send({"verb": "measure", "id": "t1", "job": wanted})
        return agent.answer()


@pytest.mark.parametrize("version", ["8.2", "11.1"])
def test_a_whole_trial(version: str, board: Path, model: Path, samples: Path, tmp_path: Path) -> None:
    fake = fake_trtexec.install(tmp_path / "bin", version)
    wanted = asked(model, samples=str(samples), evaluate=True, evaluate_max=3, profile=True, idle_s=0.05)
    *events, last = run(board, fake, wanted)
    assert last["event"] == "measured", last
    assert last["runtime"] == {
        "name": "tensorrt", "version": {"8.2": "8.2.1", "10.3": "10.3.0", "11.1": "11.1.0"}[version],
        "delegate": None, "fell_back": None,
    }  # fmt: skip
    np.testing.assert_array_equal(
        gathered(events)[0], [[0, 2], [12, 14], [24, 26]]
    )  # samples 0, 3, 6; doubled
    calls, periods = times(events, "invoke"), times(events, "end_to_end")
    assert len(calls) >= 4
    assert set(calls.tolist()) == {1_000_000}
    assert set((periods / 1000).round().tolist()) == {1000}
    edges = [event for event in events if event["event"] == "window"]
    assert [event["name"] for event in edges] == ["idle_before", "active", "idle_after"]
    assert edges[0]["end_ns"] <= edges[1]["start_ns"] < edges[1]["end_ns"] <= edges[2]["start_ns"]
    assert last["peak_rss_bytes"] >= 0
    assert last["rss_before_load_bytes"] > 1 << 20
    assert last["first_inference_ms"] == 1.0
    assert {one["precision"] for one in last["executed"] if one["role"] == "compute"} == {"i8", "f16"}
    assert last["profile"]["call_ms"] == pytest.approx(0.8)
    stages = dict.fromkeys(event["stage"] for event in events if event["event"] == "progress")
    assert list(stages) == [
        "load", "parse", "idle", "warmup", "latency", "end_to_end", "accuracy", "profile",
    ]  # fmt: skip
    for event in (*events, last):
        parse(__import__("json").dumps(event).encode())  # the host understands them all


@pytest.mark.parametrize(
    ("wrong", "kind", "error"),
    [
        ({"fails": "no-operator-8.log"}, "load",
         "trtexec could not build the engine: TensorRT has no operator `GridSample`"),
        ({"fails": "out-of-memory-10.log"}, "memory", "not build the engine: Error[1]: [defaultAlloc"),
        ({"runs": "old-engine-8.log"}, "load", "could not run the engine: Error[1]: [stdArchiveReader"),
        ({"dies": 11}, "load", "trtexec could not build the engine: died of signal 11"),
        ({"times": "[\n"}, "invoke", "trtexec's times.json cannot be read: not JSON"),
        ({"median": 2.5}, "invoke", "exported times have a median of 1 ms, its summary says 2.5 ms"),
        ({"build_s": 30}, "load", "trtexec was still building the engine after 1 s"),
    ],
)  # fmt: skip
def test_what_goes_wrong_is_told(wrong: dict[str, Any], kind: str, error: str, board: Path) -> None:
    tmp_path, model = board.parent, board / "store" / "model.onnx"
    fake = fake_trtexec.install(tmp_path / "bin", **wrong)
    engine = {"timeout_s": 1.0} if "build_s" in wrong else {}
    last = run(board, fake, asked(model, engine=engine))[-1]
    assert (last["event"], last["kind"]) == ("failed", kind)
    assert error in last["error"]
    assert not list((board / "engines").glob("*.engine")) or "build" not in error


def test_layers_that_cannot_be_read_cost_nothing_else(board: Path, model: Path, tmp_path: Path) -> None:
    fake = fake_trtexec.install(tmp_path / "bin", layers='{"Layers": [')
    last = run(board, fake, asked(model))[-1]
    assert (last["event"], last["executed"]) == ("measured", None)


def test_without_trtexec(board: Path, model: Path, tmp_path: Path) -> None:
    last = run(board, Fake(tmp_path / "nowhere"), asked(model))[-1]
    assert last["error"].startswith("there is no trtexec on the board: neither /usr/src/tensorrt/bin/trtexec")


def test_int8_takes_tensorrt_8(board: Path, model: Path, tmp_path: Path) -> None:
    fake = fake_trtexec.install(tmp_path / "usr" / "bin", "7.1")
    (tmp_path / "usr" / "lib").mkdir()
    (tmp_path / "usr" / "lib" / "libnvinfer.so.7.1.3").touch()  # TensorRT 7 does not say what it is
    last = run(board, fake, asked(model))[-1]
    assert "TensorRT 7.1.3 takes no int8 model with its scales in it" in last["error"]
    *events, last = run(board, fake, asked(model, engine={"precision": "fp16"}))
    assert (last["event"], last["executed"]) == ("measured", None)
    assert set(times(events, "invoke").tolist()) == {1_000_000}


@pytest.mark.parametrize("how", ["the host goes", "the agent is killed"])
def test_a_build_ends_with_the_host(how: str, board: Path, model: Path, tmp_path: Path) -> None:
    fake = fake_trtexec.install(tmp_path / "bin", build_s=60)
    with talk(board, fake) as agent:
        agent.send({"verb": "measure", "id": "t1", "job": asked(model)})
        agent.until("build")
        (build,) = [
            child
            for child in psutil.Process(agent.process.pid).children(recursive=True)
            if any("--onnx=" in word for word in child.cmdline())
        ]
        if how == "the host goes":
            assert agent.process.stdin
            agent.process.stdin.close()
        else:
            agent.process.send_signal(signal.SIGKILL)
        assert gone(build)
    assert not list((board / "engines").glob("*.engine"))


def test_the_probe_names_it(board: Path, tmp_path: Path) -> None:
    with talk(board, fake_trtexec.install(tmp_path / "bin")) as agent:
        agent.send({"verb": "probe"})
        assert "tensorrt" in agent.answer()[-1]["runtimes"]
