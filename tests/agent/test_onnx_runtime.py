"""ONNX Runtime as it is here, on the CPU; and builds with GPU providers, which are stand-ins."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from places import REPO
from sources import onnx_models

from edgegreen.agent import execution, runtimes
from edgegreen.agent.model import Model
from edgegreen.agent.runtimes import onnxruntime as adapter
from edgegreen.agent.runtimes.onnxnodes import nodes
from edgegreen.agent.runtimes.onnxruntime import CPU, CUDA, TENSORRT
from edgegreen.agent.runtimes.tensors import Unsupported
from edgegreen.convert import qdq

SHAPE = (1, 3, 16, 12)
PROOF = REPO / "edgegreen" / "provision" / "proof" / "model.onnx"
NO_KERNEL = "cudaErrorNoKernelImageForDevice: no kernel image is available for execution on the device"


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(onnx_models.conv_net(tmp_path_factory.mktemp("net") / "net.onnx", batch="N", width=12))


@pytest.fixture(scope="module")
def int8(net: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("int8") / "int8.onnx"
    feeds = ({"image.1": x, "extra/in:0": e} for x, e in (sample(seed) for seed in range(8)))
    qdq.quantise(Path(net), feeds, path, symmetric=False)
    return str(path)


def sample(seed: int) -> list[np.ndarray[Any, Any]]:
    random = np.random.default_rng(seed)
    return [random.random(SHAPE, np.float32), random.random((1, 4), np.float32)]


class TestOnTheCpu:
    def test_it_computes_what_the_model_says_and_keeps_what_it_gave(self, net: str) -> None:
        model = Model(runtimes.load("onnxruntime", [net], 2), (0, 1), (0, 1))
        given = [model.run(sample(seed)) for seed in range(3)]
        for seed, outputs in enumerate(given):  # none is a view of the next one's memory
            feeds = dict(zip(onnx_models.SHAPES, sample(seed), strict=True))
            wanted = onnx.reference.ReferenceEvaluator(net).run(None, feeds)
            for want, got in zip(wanted, outputs, strict=True):
                np.testing.assert_allclose(want, got, rtol=1e-3, atol=1e-5)

    def test_what_ran_and_in_what(self, net: str, int8: str) -> None:
        floats, integers = (runtimes.load("onnxruntime", [path], 1) for path in (net, int8))
        ran = [one for one in floats.operators() if one.role == "compute"]
        assert [one.precision for one in ran] == ["f32"] * 3
        assert {(one.delegated, one.ms) for one in ran} == {(None, None)}
        told = [one for one in execution.told(integers) or [] if one["role"] == "compute"]
        # Also the convolution whose output is both used and given out; see convert/qdq.py.
        assert sorted((one["type"], one["precision"], one["count"]) for one in told) == [
            ("QGemm", "i8", 1), ("QLinearConv", "i8", 2),
        ]  # fmt: skip
        assert (integers.delegate, integers.fell_back) == (None, None)

    def test_the_times_of_its_operators(
        self, net: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        found = execution.profile(
            "onnxruntime", [net], 1, device="CPU", feed=lambda _: None, tick=lambda _: None
        )
        assert found is not None
        assert found["runs"] == runtimes.RUNTIMES["onnxruntime"].profiled_runs
        assert 0 < found["operators_ms"] < found["call_ms"]
        assert sum(one["type"] in {"Conv", "FusedConv"} for one in found["operators"]) == 2
        adapter.leave_nothing()
        assert list(tmp_path.iterdir()) == []

    def test_a_shape_that_is_open(self, tmp_path: Path) -> None:
        path = onnx_models.conv_net(tmp_path / "open.onnx", width="W")
        with pytest.raises(Unsupported, match=r"`image.1` has the dynamic shape .*`input_shape`"):
            runtimes.load("onnxruntime", [str(path)], 1)

    def test_weights_alone_in_8_bits_are_no_int8(self, tmp_path: Path) -> None:
        weights = numpy_helper.from_array(np.ones((4, 2), np.int8), "w")
        scale = numpy_helper.from_array(np.float32(0.5), "s")
        port = helper.make_tensor_value_info
        graph = helper.make_graph(
            [
                helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "qs", "qz"]),
                helper.make_node("MatMulInteger", ["q", "w", "qz"], ["i"]),
                helper.make_node("Cast", ["i"], ["f"], to=TensorProto.FLOAT),
                helper.make_node("Mul", ["qs", "s"], ["m"]),
                helper.make_node("Mul", ["f", "m"], ["y"]),
            ],
            "dynamic",
            [port("x", TensorProto.FLOAT, [1, 4])],
            [port("y", TensorProto.FLOAT, [1, 2])],
            [weights, scale],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.save(model, tmp_path / "m.onnx")
        (product,) = [
            one
            for one in runtimes.load("onnxruntime", [str(tmp_path / "m.onnx")], 1).operators()
            if one.role == "compute"
        ]
        assert (product.kind, product.precision) == ("DynamicQuantizeMatMul", "dynamic")


class Build:
    """Stands in for an onnxruntime built for a Jetson: sessions are the CPU's, whatever they say they are.

    `broken` has the providers whose inference fails, and with what; without one, all work.
    """

    def __init__(self, providers: list[str], broken: dict[str, str] | None = None) -> None:
        self.providers, self.broken = providers, broken or {}
        self.OrtValue, self.SessionOptions = onnxruntime.OrtValue, onnxruntime.SessionOptions
        self.asked: list[tuple[list[str], list[dict[str, str]]]] = []

    def get_available_providers(self) -> list[str]:
        return self.providers

    def InferenceSession(  # noqa: N802
        self, path: str, options: Any, providers: list[str], provider_options: list[dict[str, str]]
    ) -> Any:
        self.asked.append((providers, provider_options))
        error = self.broken.get(providers[0])

        class Session(onnxruntime.InferenceSession):  # type: ignore[misc]
            def get_providers(self) -> list[str]:
                return providers

            def run_with_iobinding(self, *arguments: Any) -> None:
                if error:
                    raise RuntimeError(error)
                super().run_with_iobinding(*arguments)

        return Session(path, options, providers=[CPU])


def loaded(library: Any, path: str, device: str = "AUTO") -> adapter.OnnxRuntime:
    return adapter.OnnxRuntime("onnxruntime", "1", adapter.Maker(library, path, 1, device, profile=False))


class TestProviders:
    JETSON = (TENSORRT, CUDA, CPU)

    def test_a_device_that_this_build_does_not_have(self, net: str) -> None:
        with pytest.raises(Unsupported, match=r"^this onnxruntime has no CUDA; it has CPU$"):
            runtimes.load("onnxruntime", [net], 1, device="CUDA")

    def test_a_provider_that_is_listed_and_cannot_be_started(
        self, net: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The real library, which leaves such a provider out and goes on."""
        monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CUDA, CPU])
        with warnings.catch_warnings(action="ignore"):
            auto = runtimes.load("onnxruntime", [net], 1)
            with pytest.raises(Unsupported, match="CUDA cannot be started here"):
                runtimes.load("onnxruntime", [net], 1, device="CUDA")
        auto.invoke()
        assert "CUDA did not run the model: CUDA cannot be started here" in str(auto.fell_back)
        assert {one.delegated for one in auto.operators()} == {None}

    def test_the_first_inference_proves_it_and_the_next_best_takes_over(self, net: str) -> None:
        build = Build(list(self.JETSON), {TENSORRT: "no engine", CUDA: NO_KERNEL})
        model = Model(loaded(build, net), (0, 1), (0, 1))  # type: ignore[arg-type]
        got = model.run(sample(0))
        want = Model(runtimes.load("onnxruntime", [net], 1), (0, 1), (0, 1)).run(sample(0))
        np.testing.assert_array_equal(want[0], got[0])
        assert model.runtime.fell_back == (
            f"TensorRT did not run the model: no engine; CUDA did not run the model: {NO_KERNEL}"
        )
        assert [providers for providers, _ in build.asked] == [[*self.JETSON], [CUDA, CPU], [CPU]]

    def test_a_device_that_was_named_does_not_fall_back(self, net: str) -> None:
        runtime = loaded(Build(list(self.JETSON), {CUDA: NO_KERNEL}), net, "CUDA")
        with pytest.raises(RuntimeError, match="cudaErrorNoKernelImageForDevice"):
            runtime.invoke()

    def test_tensorrt_is_told_of_int8_and_keeps_its_engines(self, net: str, int8: str) -> None:
        for path, wanted in ((net, None), (int8, "1")):
            build = Build(list(self.JETSON))
            loaded(build, path, "TENSORRT").operators()
            (first, _, _), (again, _, _) = (options for _, options in build.asked)
            assert first == again
            assert (first["trt_engine_cache_enable"], first.get("trt_int8_enable")) == ("1", wanted)
            assert Path(first["trt_engine_cache_path"]).is_dir()
        adapter.leave_nothing()
        assert not Path(first["trt_engine_cache_path"]).exists()

    def test_asked_for_is_not_got(self, net: str) -> None:
        """All nodes of these sessions run on the CPU, and so the profile says."""
        runtime = loaded(Build(list(self.JETSON)), net)
        assert {one.delegated for one in runtime.operators()} == {False}
        assert runtime.delegate is None


def event(name: str, op: str, provider: str, *types: str, took: int = 5, at: int = 0) -> dict[str, Any]:
    """As the profiler of 1.31 writes it."""
    shapes = [{one: [1, 4]} for one in types]
    return {
        "cat": "Node", "name": f"{name}_kernel_time", "ph": "X", "dur": took, "ts": at,
        "args": {
            "op_name": op, "provider": provider, "node_index": name[-1:], "input_type_shape": shapes,
            "output_type_shape": shapes[:1],
        },
    }  # fmt: skip


class TestEvents:
    def test_who_ran_what(self, net: str, monkeypatch: pytest.MonkeyPatch) -> None:
        made_up = [
            event("t1", "TRTKernel_graph_main_1", TENSORRT, "float"),
            event("c2", "Conv", CUDA, "float", "float", at=1),
            event("s3", "NonMaxSuppression", CPU, "float", at=2),
        ]
        runtime = loaded(Build([TENSORRT, CUDA, CPU]), net)
        monkeypatch.setattr(adapter.Maker, "profiled", lambda *_: made_up)
        engine, conv, rest = runtime.operators()
        assert (engine.kind, engine.precision, engine.role) == ("TensorRT engine (TensorRT)", None, "compute")
        assert (conv.kind, conv.precision, conv.role, conv.delegated) == (
            "Conv (CUDA)",
            "f32",
            "compute",
            True,
        )
        assert (rest.kind, rest.delegated) == ("NonMaxSuppression (CPU)", False)
        assert runtime.delegate == "TensorRT and CUDA"

    def test_times_are_those_of_all_runs_but_the_first(self) -> None:
        run = {"cat": "Session", "name": "model_run", "dur": 9, "ts": 0}
        began = enumerate([900, 10, 20])
        events = [event("a1", "Relu", CPU, "float", took=took, at=at) for at, took in began]
        (only,), runs = nodes([*events[::-1], run, run, run])  # in whatever order they were written
        assert runs == 3
        assert only.operator(delegated=None, runs=runs).ms == pytest.approx(0.015)

    @pytest.mark.parametrize(
        "garbled", [{}, {"cat": "Node", "name": "x_kernel_time"}, {"cat": "Node", "ts": 3}]
    )
    def test_events_that_say_little(self, garbled: dict[str, Any]) -> None:
        assert nodes([garbled, event("a1", "Relu", CPU, "float")])[0][0].name == "a1"


HOST = """
import sys
from pathlib import Path
import numpy as np
from edgegreen.convert import halves, qdq
from edgegreen.sources import host
from edgegreen.sources.model import ModelFile
from edgegreen.workers.pool import Workers
import worker_jobs

net, folder = Path(sys.argv[1]), Path(sys.argv[2])
workers = Workers(folder, 1)
workers.warm("tools", ["onnxruntime.quantization"])
assert "onnxruntime" in workers.run("tools", worker_jobs.modules)
workers.close()
feeds = [{"x": np.ones((1, 4), np.float32)}]
qdq.quantise(net, feeds, folder / "q.onnx", symmetric=True)
halves.halve(net, folder / "h.onnx")
made = ModelFile("onnx", (folder / "q.onnx",), ("x",), ("y",), (0,), (0,), "")
assert len(list(host.outputs(made, [[feeds[0]["x"]]], 1))) == 1
"""


@pytest.mark.parametrize("where", ["board", "host"])
def test_the_library_leaves_nothing_in_the_home(tmp_path: Path, where: str) -> None:
    """Its telemetry would: an id and a database. Here where no CI keeps it from that."""
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    program = "from edgegreen.agent.runtimes import onnxruntime; onnxruntime.library('onnxruntime')"
    arguments = ["-c", program] if where == "board" else ["-c", HOST, str(PROOF), str(work)]
    unwanted = ("XDG_CACHE_HOME", "CI", "ORT_DISABLE_TELEMETRY", "ORT_RUNNING_UNIT_TESTS")
    environment = {name: value for name, value in os.environ.items() if name not in unwanted}
    paths = os.pathsep.join([str(REPO), str(REPO / "tests")])
    environment |= {"HOME": str(home), "TMPDIR": str(work), "PYTHONPATH": paths}
    subprocess.run([sys.executable, *arguments], env=environment, check=True, cwd=work)

    assert list(home.iterdir()) == []
    assert [path.name for path in work.iterdir() if path.name.startswith("edgegreen-")] == []
