"""Compiling for the Edge TPU by a stand-in for Google's compiler (edgetpu_standins.py), here and over SSH."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from pathlib import Path
from threading import Event, Timer
from typing import Any

import numpy as np
import pytest
from edgetpu_standins import compile_model, compiler
from sshd import Sshd

from convert.conftest import run
from edgegreen.artifact import Agreement, Artifact, File, TensorSpec
from edgegreen.cache.store import Cache
from edgegreen.config.datakeys import Data
from edgegreen.convert import edgetpu, opversions
from edgegreen.errors import ConversionError, InputError
from edgegreen.recipe import Recipe, Variant
from edgegreen.sources import host, tflitefile
from edgegreen.sources.model import ModelFile

MODEL = Path(__file__).parents[2] / "edgegreen/provision/proof/model.tflite"
Compile = Callable[..., tuple[Artifact, bool]]


def made() -> Artifact:
    """A file as job.make leaves it. Nobody here looks at whether it is quantised."""
    inputs, outputs = tflitefile.ports(tflitefile.read(MODEL))

    def specs(ports: Any) -> tuple[TensorSpec, ...]:
        return tuple(TensorSpec(port.name, tuple(port.dims), port.dtype) for port in ports)

    return Artifact(
        key="quantised", format="tflite", precision="int8", files=(File.of(MODEL),),
        inputs=specs(inputs), outputs=specs(outputs), input_order=(0,), output_order=(0,), built_by="hand",
        agreement=Agreement(20.0, None, 8, "noise"), compressed_bytes=1,
    )  # fmt: skip


@pytest.fixture
def compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Compile:
    """Compile it with the variant's keys given; the cache is the test's."""
    monkeypatch.delenv(edgetpu.VARIABLE, raising=False)
    cache = Cache(tmp_path / "cache")

    def work(stop: Event | None = None, **keys: Any) -> tuple[Artifact, bool]:
        variant = Variant(format="edgetpu", precision="int8", **keys)
        return edgetpu.compiled(made(), variant, cache, stop or Event(), lambda *_: None)

    return work


def test_what_comes_of_it(compiled: Compile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(edgetpu.VARIABLE, str(compiler(tmp_path / "bin")))
    found, made_here = compiled()
    assert (found.format, found.precision, made_here) == ("edgetpu", "int8", True)
    assert found.built_by == "edgetpu_compiler 16.0.384591198 ← hand"
    assert found.agreement == made().agreement
    assert found.compilation is not None
    assert (found.compilation.operators, found.compilation.on_tpu) == (13, 13)
    assert tflitefile.is_compiled(tflitefile.read(found.files[0].path))
    assert File.of(found.files[0].path) == found.files[0]
    assert compiled() == (found, False)


def test_it_is_found_on_the_path(compiled: Compile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(compiler(tmp_path / "bin").parent), prepend=":")
    assert compiled()[0].format == "edgetpu"


@pytest.mark.parametrize("by", ["key", "variable"])
def test_a_relative_path_holds_although_it_runs_elsewhere(
    compiled: Compile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    compiler(tmp_path / "bin")
    monkeypatch.chdir(tmp_path)
    if by == "variable":
        monkeypatch.setenv(edgetpu.VARIABLE, "bin/edgetpu_compiler")
    found, _ = compiled(**({"compiler": "./bin/edgetpu_compiler"} if by == "key" else {}))
    assert found.format == "edgetpu"


def test_a_machine_that_is_none(compiled: Compile) -> None:
    with pytest.raises(InputError, match="`compile_on`: no target called `nosuch`"):
        compiled(compile_on="nosuch")


def test_without_a_compiler_it_is_said_how_to_get_one(compiled: Compile, tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match=r"there is no `edgetpu_compiler` on local \(Linux ") as caught:
        compiled()
    assert "x86-64" in (caught.value.hint or "")
    with pytest.raises(ConversionError, match=r"there is no `.*/none` on local"):
        compiled(compiler=f"{tmp_path}/none")
    with pytest.raises(
        ConversionError, match=r"`echo` on local .* is no edgetpu_compiler: it says `--version`"
    ):
        compiled(compiler="echo")


@pytest.mark.parametrize(
    ("log", "mode", "why"),
    [
        ("float.txt", "works", r"16\.0\.384591198: Invalid model: .*model\.tflite; Model not quantized"),
        ("too-new.txt", "works", "Didn't find op for builtin opcode 'CONV_2D' version '6'"),
        ("mapped.txt", "silent", "said that the model was compiled, and left no file"),
    ],
)
def test_success_is_the_line_and_the_file(
    compiled: Compile, tmp_path: Path, log: str, mode: str, why: str
) -> None:
    with pytest.raises(ConversionError, match=why):
        compiled(compiler=str(compiler(tmp_path / "bin", log, mode)))


def test_it_is_ended_when_it_takes_too_long_or_is_told_to_stop(
    compiled: Compile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = str(compiler(tmp_path / "bin", mode="slow"))
    monkeypatch.setattr(edgetpu, "GRACE_S", -0.5)
    with pytest.raises(ConversionError, match=r"did not end within 0\.5 s") as caught:
        compiled(compiler=slow, compile_timeout_s=1)
    assert "compile_timeout_s" in (caught.value.hint or "")
    stop, start = Event(), time.monotonic()
    Timer(0.3, stop.set).start()
    with pytest.raises(CancelledError):
        compiled(stop=stop, compiler=slow, compile_timeout_s=60)
    assert time.monotonic() - start < 5


def test_fail_on_fallback() -> None:
    some = edgetpu.edgetpulog.parse((MODEL.parents[3] / "tests/fixtures/edgetpu/partly.txt").read_text())
    found = edgetpu.replace(made(), compilation=some.compilation)
    edgetpu.refuse_fallback(found, Variant(format="edgetpu", precision="int8"))
    with pytest.raises(ConversionError, match="`fail_on_fallback`: 3 of 267 operators are left to the CPU"):
        edgetpu.refuse_fallback(found, Variant(format="edgetpu", precision="int8", fail_on_fallback=True))


def test_on_another_machine(
    compiled: Compile, sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edgetpu.target, "find", lambda spec: sshd.target())
    monkeypatch.setattr(edgetpu.transport, "connect", lambda target: _connect(sshd))
    there = compiler(sshd.home / "bin with a space")
    found, _ = compiled(compile_on="ssh://builder", compiler=f"~/bin with a space/{there.name}")
    assert tflitefile.is_compiled(tflitefile.read(found.files[0].path))
    with pytest.raises(ConversionError, match="there is no `edgetpu_compiler` on "):
        compiled(compile_on="ssh://builder")


def _connect(sshd: Sshd) -> Any:
    from edgegreen.transport.ssh import SSHTransport

    return SSHTransport.connect(sshd.target(), config_files=[sshd.config])


def test_a_compiled_model_goes_as_it_is_and_is_run_by_nobody_here(tmp_path: Path) -> None:
    model = compile_model(MODEL, tmp_path / "x_edgetpu.tflite")
    inputs, _ = tflitefile.ports(tflitefile.read(model))
    shape = [int(size or 1) for size in inputs[0].dims or ()]
    np.savez(tmp_path / "samples.npz", x=np.zeros((4, *shape[1:]), np.float32), y=np.zeros(4, np.int64))
    recipe = Recipe(name="x", model=model, data=Data(evaluation=tmp_path / "samples.npz"))
    variant = Variant(format="edgetpu", fail_on_fallback=True)
    built = run(recipe, {"as-shipped": variant}, tmp_path / "cache")
    found = built.build.artifacts["as-shipped"].result()
    assert found.files[0].sha256 == File.of(model).sha256
    assert (found.format, found.agreement, found.built_by) == ("edgetpu", None, "its author")
    assert found.compilation is not None
    assert (found.compilation.on_tpu, found.compilation.on_cpu) == (1, 0)
    assert built.build.expected["as-shipped"].result() is None
    assert built.build.reference.result().folder is None
    with pytest.raises(InputError, match="compiled for an Edge TPU"):
        run(recipe, {"cpu": Variant(format="tflite")}, tmp_path / "cache")


def test_a_quantised_file_is_compiled_as_it_is(assets: Path, tmp_path: Path) -> None:
    recipe = Recipe(name="x", model=assets / "kws/kws_ref_model_int8.tflite")
    variant = Variant(format="edgetpu", compiler=str(compiler(tmp_path / "bin")))
    found = run(recipe, {"tpu": variant}, tmp_path / "cache").build.artifacts["tpu"].result()
    assert found.built_by == "edgetpu_compiler 16.0.384591198 ← its author"
    assert (found.format, found.precision) == ("edgetpu", None)


@pytest.mark.slow
@pytest.mark.parametrize("quantizer", ["ai-edge-quantizer", "tensorflow"])
def test_a_float_model_becomes_one_in_versions_the_compiler_knows(
    assets: Path, tmp_path: Path, quantizer: Any
) -> None:
    data = Data(calibration=assets / "kws/kws01_calibration.npz")
    recipe = Recipe(name="kws", model=assets / "kws/kws_ref_model", data=data)
    cache = tmp_path / "cache"
    variant = Variant(
        format="edgetpu", precision="int8", quantizer=quantizer, compiler=str(compiler(tmp_path / "bin"))
    )
    plain = Variant(format="tflite", precision="int8", quantizer=quantizer, io="int8")
    built = run(recipe, {"tpu": variant, "cpu": plain}, cache)
    tpu = built.build.artifacts["tpu"].result()
    assert tpu.agreement is not None
    assert tpu.agreement.sqnr_db > 15
    assert tpu.precision == "int8"
    (quantised,) = [
        entry.folder / "model.tflite"
        for entry in built.cache.entries()
        if entry.what.startswith("int8 edgetpu")
    ]
    model = tflitefile.read(quantised)
    versions = {str(tflitefile.op_name(model, op)): model.operatorCodes[op.opcodeIndex].version
                for op in model.subgraphs[0].operators}  # fmt: skip
    assert versions == {
        "CONV_2D": 3, "DEPTHWISE_CONV_2D": 3, "AVERAGE_POOL_2D": 2, "FULLY_CONNECTED": 4, "SOFTMAX": 2,
        **({"RESHAPE": 1} if "RESHAPE" in versions else {}),
    }  # fmt: skip
    scales = {
        str(tflitefile.op_name(model, op)): len(model.subgraphs[0].tensors[op.inputs[1]].quantization.scale)
        for op in model.subgraphs[0].operators
        if tflitefile.op_name(model, op) in ("CONV_2D", "FULLY_CONNECTED")
    }
    assert scales == {"CONV_2D": 64, "FULLY_CONNECTED": 1}
    assert {port.dtype for ports in tflitefile.ports(model) for port in ports} == {"int8"}


def test_versions_are_those_of_tensorflows_own_and_change_nothing(assets: Path, tmp_path: Path) -> None:
    """MLPerf's int8 model, of a converter of the compiler's time, with its versions taken away."""
    path = tmp_path / "model.tflite"
    path.write_bytes((assets / "kws/kws_ref_model_int8.tflite").read_bytes())
    model = tflitefile.read(path)
    before = [code.version for code in model.operatorCodes]
    assert max(before) > 1
    shape = [int(size or 1) for size in tflitefile.ports(model)[0][0].dims or ()]
    row = [np.random.default_rng(0).normal(size=shape).astype(np.float32)]

    def outputs() -> Any:
        file = ModelFile("tflite", (path,), (), (), (0,), (0,), "")
        return [one.tolist() for one in next(iter(host.outputs(file, [row], 1)))]

    expected = outputs()
    for code in model.operatorCodes:
        code.version = 1
    tflitefile.write(model, path)
    opversions.fit(path)
    assert [code.version for code in tflitefile.read(path).operatorCodes] == before
    assert outputs() == expected


def test_a_convolution_in_groups_is_refused(tmp_path: Path) -> None:
    use = opversions.Use(None, (tensor(1, 8, 8, 16), tensor(32, 3, 3, 4)), (tensor(1, 8, 8, 32),))
    assert opversions.NEEDED["CONV_2D"](use) == 6 > opversions.NEWEST["CONV_2D"]
    use = opversions.Use(None, (tensor(1, 8, 8, 16), tensor(32, 3, 3, 16)), (tensor(1, 8, 8, 32),))
    assert opversions.NEEDED["CONV_2D"](use) == 3


def tensor(*shape: int) -> Any:
    from ai_edge_litert import schema_py_generated as schema

    made_ = schema.TensorT()
    made_.shape = np.array(shape, np.int32)
    return made_
