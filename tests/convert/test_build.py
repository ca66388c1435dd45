"""Whole builds of real models, each variant run on this host."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import CancelledError
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from waiting import until

from convert.conftest import ALL, BY_TENSORFLOW, INT8_IO, KWS, Built, kws_recipe, run
from edgegreen import metrics
from edgegreen.artifact import Artifact, File
from edgegreen.cache.store import Cache
from edgegreen.config.datakeys import Data
from edgegreen.convert import build
from edgegreen.errors import ConversionError, InputError
from edgegreen.formats import file_of
from edgegreen.recipe import Recipe, Variant
from edgegreen.sources import host, onnxfile, openvino, tflite, tflitefile
from edgegreen.sources.model import ModelFile
from edgegreen.sources.samples import rows

FLOAT = {name: variant for name, variant in ALL.items() if not variant.calibrated}


def artifact(built: Built, name: str) -> Artifact:
    return built.build.artifacts[name].result()


def model_file(made: Artifact) -> ModelFile:
    files = tuple(file.path for file in made.files)
    kind = file_of(made.format)
    return ModelFile(kind, files, (), (), made.input_order, made.output_order, "")


def top1(made: Artifact, evaluation: Path) -> float:
    """Accuracy of the built file on this host."""
    score = metrics.score("top1", np.load(evaluation)["y"])
    for number, outputs in enumerate(host.outputs(model_file(made), rows(evaluation, "evaluation"), 1)):
        score.update(number, outputs)
    return score.value()


def convolutions(model: Any) -> list[Any]:
    """The weights of a .tflite's convolutions."""
    tensors = model.subgraphs[0].tensors
    return [t for t in tensors if len(t.shape) == 4 and tflitefile.is_constant(model, t)]


class TestKws:
    """MLPerf Tiny's keyword spotting, a SavedModel, with its data: every variant there is."""

    @pytest.mark.parametrize("name", KWS)
    def test_every_format_has_the_same_macs(self, kws: Built, name: str) -> None:
        path = artifact(kws, name).files[0].path
        if path.suffix != ".tflite":
            found = openvino.costs_of(lambda stage, done=None: None, path)
        else:
            found = tflite.costs_of(path, tflitefile.read(path))
        assert found.total.macs == 2_656_768
        assert found.total.incomplete == ()
        arithmetic = {one.arithmetic for one in found.layers if one.macs}
        hybrid = {"dynamic": "int8", "int8": "int8", "int16x8": "int16 × int8"}
        wanted = hybrid.get(KWS[name].precision or "", "float32")
        if name == "fp16-tensorrt":
            wanted = "float16"  # the others keep halves in the file and compute in floats
        if name == "tensorflow-dynamic":
            arithmetic.discard("float32")  # kernels below 1024 weights are left alone
        assert arithmetic == {wanted}

    @pytest.mark.parametrize("name", KWS)
    def test_agrees_with_the_source(self, kws: Built, name: str) -> None:
        found = artifact(kws, name).agreement
        assert found is not None
        assert (found.n, found.on) == (64, "64 calibration samples")
        at_least = {"fp32": 100, "fp16": 55, "int8": 18}.get(str(artifact(kws, name).precision), 25)
        assert at_least < found.sqnr_db
        assert found.top1 is not None
        assert found.top1 >= 0.95

    @pytest.mark.parametrize(
        "name", ["int8-tflite", "int8-io", "tensorflow-int8", "int8-openvino", "int8-onnx", "int8-tensorrt"]
    )
    def test_int8_reaches_the_quality_of_mlperf(self, kws: Built, assets: Path, name: str) -> None:
        assert top1(artifact(kws, name), assets / "kws/kws01_evaluation.npz") >= 0.90

    def test_tensorrt_gets_an_opset_that_old_parsers_take(self, kws: Built) -> None:
        for precision in ("fp32", "fp16", "int8"):
            assert onnxfile.read(artifact(kws, f"{precision}-tensorrt").files[0].path).opset == 13
        assert onnxfile.read(artifact(kws, "int8-onnx").files[0].path).opset == 17

    def test_the_reference_scores_as_the_float_model(self, kws: Built, assets: Path) -> None:
        score = metrics.score("top1", np.load(assets / "kws/kws01_evaluation.npz")["y"])
        for start, outputs in kws.build.reference.result().batches():
            score.update(start, outputs)
        assert score.value() == pytest.approx(0.914, abs=0.002)
        assert score.value() == top1(artifact(kws, "fp32-tflite"), assets / "kws/kws01_evaluation.npz")

    @pytest.mark.parametrize("name", KWS)
    def test_expected_are_the_files_own_outputs(self, kws: Built, assets: Path, name: str) -> None:
        (expected,) = kws.build.expected[name].result() or []
        evaluation = rows(assets / "kws/kws01_evaluation.npz", "evaluation", 32)
        again = [row[0] for row in host.outputs(model_file(artifact(kws, name)), evaluation, 1)]
        np.testing.assert_allclose(expected, np.concatenate(again), atol=1e-6)

    @pytest.mark.parametrize(
        ("name", "weights", "io"),
        [
            ("fp32-tflite", "float32", "float32"),
            ("fp16-tflite", "float16", "float32"),
            ("tensorflow-fp16", "float16", "float32"),
            ("dynamic-tflite", "int8", "float32"),
            ("weight_int8-tflite", "int8", "float32"),
            ("int8-tflite", "int8", "float32"),
            ("int8-io", "int8", "int8"),
            ("tensorflow-int8", "int8", "float32"),
            ("tensorflow-int8-io", "int8", "int8"),
            ("int16x8-tflite", "int8", "float32"),
            ("tensorflow-int16x8", "int8", "float32"),
        ],
    )
    def test_types_are_what_was_asked_for(self, kws: Built, name: str, weights: str, io: str) -> None:
        model = tflitefile.read(artifact(kws, name).files[0].path)
        kernels = {tflitefile.dtype_of(kernel) for kernel in convolutions(model)}
        assert kernels == {weights}
        inputs, outputs = tflitefile.ports(model)
        assert {port.dtype for port in (*inputs, *outputs)} == {io}

    def test_convolutions_are_quantised_per_channel(self, kws: Built) -> None:
        model = tflitefile.read(artifact(kws, "int8-tflite").files[0].path)
        assert len(convolutions(model)) == 9
        assert all(len(kernel.quantization.scale) == 64 for kernel in convolutions(model))

    def test_sizes(self, kws: Built) -> None:
        size = {name: artifact(kws, name).size_bytes for name in KWS}
        assert size["fp16-tflite"] < 0.65 * size["fp32-tflite"]
        assert size["int8-tflite"] < 0.55 * size["fp32-tflite"]
        for name in KWS:
            made = artifact(kws, name)
            assert made.compressed_bytes < made.size_bytes == sum(f.path.stat().st_size for f in made.files)
        assert [file.path.suffix for file in artifact(kws, "int8-openvino").files] == [".xml", ".bin"]

    def test_the_tools_are_named(self, kws: Built) -> None:
        aeq, tf = version("ai-edge-quantizer"), version("tensorflow")
        by = {name: artifact(kws, name).built_by for name in KWS}
        assert by["fp32-tflite"] == f"tensorflow {tf}"
        assert by["int8-tflite"] == f"ai-edge-quantizer {aeq} ← tensorflow {tf}"
        assert by["tensorflow-int8"] == f"tensorflow {tf}"
        assert (
            by["int8-onnx"]
            == f"onnxruntime {version('onnxruntime')} ← tf2onnx {version('tf2onnx')} ← tensorflow {tf}"
        )
        assert (
            by["int8-openvino"] == f"nncf {version('nncf')}, openvino {version('openvino')} ← tensorflow {tf}"
        )

    def test_the_source_is_loaded_once(self, kws: Built) -> None:
        # Said by the thread that asks for it, then by the worker.
        assert [event.stage for event in kws.events if event.variant is None].count("converting") == 1
        for name in KWS:
            stages = [event.stage for event in kws.events if event.variant == name]
            assert stages[-1] == "done"
            assert "checking" in stages

    def test_the_same_variant_by_another_name_is_no_new_work(self, kws: Built) -> None:
        named = Variant(format="tflite", precision="int8", quantizer="ai-edge-quantizer")
        again = run(kws.recipe, {"other": named, "float": ALL["fp32-tflite"]}, kws.cache.folder)
        assert artifact(again, "other") == artifact(kws, "int8-tflite")
        assert [event.stage for event in again.events if not event.note] == ["cached", "cached"]
        again.cache.close()


ALL_CACHED = """
import json, sys, time
from pathlib import Path
from convert.conftest import KWS, kws_recipe, run
import psutil
recipe = kws_recipe(Path(sys.argv[1]))
began = time.perf_counter()
built = run(recipe, KWS, Path(sys.argv[2]))
took = time.perf_counter() - began
known = ("tensorflow", "keras", "openvino", "nncf", "ai_edge_quantizer", "onnx", "onnxruntime")
heavy = [m for m in known if m in sys.modules]
stages = sorted({event.stage for event in built.events if not event.note})
shape = [array.shape for _, outputs in built.build.reference.result().batches() for array in outputs]
sizes = {name: future.result().size_bytes for name, future in built.build.artifacts.items()}
print(json.dumps([stages, heavy, len(psutil.Process().children()), shape, sizes]))
"""


def test_when_everything_is_cached_no_worker_starts_and_nothing_heavy_is_imported(
    kws: Built, assets: Path
) -> None:
    tests = Path(__file__).parent.parent
    command = [sys.executable, "-c", ALL_CACHED, str(assets), str(kws.cache.folder)]
    said = subprocess.run(command, cwd=tests, capture_output=True, text=True, check=True)
    assert said.stderr == ""
    stages, heavy, children, shape, sizes = json.loads(said.stdout)
    assert (stages, heavy, children, shape) == (["cached"], [], 0, [[900, 12]])
    assert sizes == {name: artifact(kws, name).size_bytes for name in KWS}


class TestKeras:
    @pytest.mark.slow
    def test_several_inputs_and_outputs_keep_their_order(self, models: Path, tmp_path: Path) -> None:
        """In every file: each output is compared with the model's own, and no two are alike."""
        data = Data(calibration=models / "multi.npz", evaluation=models / "multi.npz")
        variants = {**ALL, "int8-io": INT8_IO, "tensorflow-int8": BY_TENSORFLOW["tensorflow-int8"]}
        built = run(Recipe(name="multi", model=models / "multi.keras", data=data), variants, tmp_path)
        wanted = list(np.load(models / "multi_outputs.npz").values())
        for name in variants:
            made = artifact(built, name)
            assert [tensor.name for tensor in made.outputs] == ["yak", "ant", "mole"]
            for expected, want in zip(built.build.expected[name].result() or [], wanted, strict=True):
                noise = ((expected - want[:32]) ** 2).sum() / (want[:32] ** 2).sum()
                assert noise < 0.01, name
        built.cache.close()

    @pytest.mark.slow
    def test_without_data(self, assets: Path, tmp_path: Path) -> None:
        recipe = Recipe(name="resnet8", model=assets / "resnet8/pretrainedResnet.h5")
        with pytest.raises(InputError, match="int8 is calibrated on data"):
            run(recipe, ALL, tmp_path)
        assert not tmp_path.joinpath("entries").exists()
        built = run(recipe, FLOAT, tmp_path)
        for name in FLOAT:
            agreement = artifact(built, name).agreement
            assert agreement is not None
            assert agreement.on == "64 samples of seeded noise"
            assert built.build.expected[name].result() is None
        assert list(built.build.reference.result().batches()) == []
        built.cache.close()

    @pytest.mark.slow
    def test_what_eight_bits_destroy_is_no_artifact(self, models: Path, tmp_path: Path) -> None:
        data = Data(calibration=models / "fragile.npz", evaluation=models / "fragile.npz")
        wanted = {name: ALL[name] for name in ("fp32-tflite", "int8-tflite", "weight_int8-tflite")}
        built = run(Recipe(name="fragile", model=models / "fragile.keras", data=data), wanted, tmp_path)
        with pytest.raises(ConversionError, match=r"^built, but computes something else: "):
            artifact(built, "int8-tflite")
        with pytest.raises(ConversionError):
            built.build.expected["int8-tflite"].result()
        assert artifact(built, "fp32-tflite").precision == "fp32"
        assert artifact(built, "weight_int8-tflite").precision == "weight_int8"
        failed = [event.variant for event in built.events if event.stage == "failed"]
        assert failed == ["int8-tflite"]
        assert [start for start, _ in built.build.reference.result().batches()] == [0]
        built.cache.close()


class TestShippedAsItIs:
    def test_a_quantised_tflite(self, assets: Path, tmp_path: Path) -> None:
        path = assets / "kws/kws_ref_model_int8.tflite"
        data = Data(evaluation=assets / "kws/kws01_evaluation.npz")
        recipe = Recipe(name="kws", model=path, data=data)
        built = run(recipe, {"as-shipped": Variant(format="tflite")}, tmp_path)
        made = artifact(built, "as-shipped")
        assert made.sha256 == File.of(path).sha256
        assert (made.precision, made.agreement, made.built_by) == (None, None, "its author")
        assert top1(made, assets / "kws/kws01_evaluation.npz") >= 0.90
        built.cache.close()

    @pytest.mark.slow
    def test_a_float_tflite_is_its_own_fp32(self, models: Path, kws: Built, tmp_path: Path) -> None:
        path = shutil.copyfile(artifact(kws, "fp32-tflite").files[0].path, tmp_path / "mine.tflite")
        recipe = Recipe(name="mine", model=path, data=kws.recipe.data)
        built = run(recipe, {**ALL, "as-shipped": Variant(format="tflite")}, tmp_path / "cache")
        assert (
            artifact(built, "fp32-tflite").sha256
            == artifact(built, "as-shipped").sha256
            == File.of(path).sha256
        )
        assert artifact(built, "int8-tflite").built_by == f"ai-edge-quantizer {version('ai-edge-quantizer')}"
        for name in ALL:
            assert artifact(built, name).agreement is not None
        built.cache.close()

    @pytest.mark.slow
    def test_an_ir(self, kws: Built, tmp_path: Path) -> None:
        for variant in ("fp16", "int8"):
            for file in artifact(kws, f"{variant}-openvino").files:
                shutil.copyfile(file.path, tmp_path / f"{variant}{file.path.suffix}")
        data = kws.recipe.data
        wanted = {
            **{name: v for name, v in ALL.items() if v.format == "openvino"},
            "own": Variant(format="openvino"),
        }
        half = run(Recipe(name="half", model=tmp_path / "fp16.xml", data=data), wanted, tmp_path / "cache")
        assert [f.sha256 for f in artifact(half, "own").files] == [
            File.of(tmp_path / f"fp16{suffix}").sha256 for suffix in (".xml", ".bin")
        ]
        assert artifact(half, "int8-openvino").agreement is not None
        with pytest.raises(ConversionError, match="weights are float16 already"):
            artifact(half, "fp32-openvino")
        whole = run(Recipe(name="whole", model=tmp_path / "int8.xml", data=data), wanted, tmp_path / "cache")
        assert artifact(whole, "own").size_bytes == artifact(kws, "int8-openvino").size_bytes
        with pytest.raises(ConversionError, match="quantised already"):
            artifact(whole, "fp16-openvino")


class TestData:
    def test_an_evaluation_set_that_does_not_fit(self, kws: Built, models: Path) -> None:
        data = Data(calibration=kws.recipe.data.calibration, evaluation=models / "legacy.npz")
        recipe = kws.recipe.model_copy(update={"data": data})
        built = run(recipe, {"fp32": ALL["fp32-tflite"]}, kws.cache.folder)
        for future in (built.build.artifacts["fp32"], built.build.expected["fp32"], built.build.reference):
            with pytest.raises(InputError, match=r"evaluation data .*legacy\.npz") as caught:
                future.result()
            assert "49×10" in caught.value.message
            assert "8×8×3" in caught.value.message
        built.cache.close()

    def test_a_model_that_is_none(self, tmp_path: Path) -> None:
        (tmp_path / "m.tflite").write_text("hello")
        with pytest.raises(InputError, match="not a readable TFLite model"):
            run(Recipe(name="m", model=tmp_path / "m.tflite"), FLOAT, tmp_path / "cache")


class TestLeaving:
    @pytest.mark.slow
    def test_early_ends_everything_at_once(self, assets: Path, tmp_path: Path) -> None:
        events: list[Any] = []
        others = set(psutil.Process().children())  # the workers of fixtures that last longer
        with build(kws_recipe(assets), KWS, Cache(tmp_path), events.append) as found:
            until(lambda: any(event.stage == "converting" for event in events))
            began = time.monotonic()
        assert time.monotonic() - began < 3
        assert set(psutil.Process().children()) <= others
        for future in (*found.artifacts.values(), *found.expected.values(), found.reference):
            with pytest.raises(CancelledError):
                future.result(timeout=0)
        assert list((tmp_path / "making").iterdir()) == []

    @pytest.mark.slow
    def test_by_ctrl_c(self, assets: Path, tmp_path: Path) -> None:
        """In a process of its own, as a terminal would: SIGINT while TensorFlow and the tools are at work."""
        command = [sys.executable, "-c", INTERRUPTED, str(assets), str(tmp_path)]
        tests = Path(__file__).parent.parent
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, cwd=tests, stdout=pipe, stderr=pipe, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "converting\n"
        workers = psutil.Process(process.pid).children()
        assert workers
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=10)
        assert "KeyboardInterrupt" in said
        assert not psutil.wait_procs(workers, timeout=2)[1]
        assert list((tmp_path / "making").iterdir()) == []


INTERRUPTED = """
import sys
from pathlib import Path
from threading import Event
from convert.conftest import KWS, kws_recipe
from edgegreen.cache.store import Cache
from edgegreen.convert import build
converting = Event()
def on_event(event):
    if event.stage == "converting":
        converting.set()
with build(kws_recipe(Path(sys.argv[1])), KWS, Cache(Path(sys.argv[2])), on_event) as found:
    converting.wait()
    print("converting", flush=True)
    [future.result() for future in found.artifacts.values()]
"""

TWICE = """
import sys
from pathlib import Path
from convert.conftest import ALL, kws_recipe, run
wanted = {name: ALL[name] for name in ("fp32-tflite", "int8-tflite", "fp16-openvino")}
built = run(kws_recipe(Path(sys.argv[1])), wanted, Path(sys.argv[2]))
loaded = [event.stage for event in built.events if event.variant is None and not event.note].count("checking")
print(loaded, all(future.result() for future in built.build.artifacts.values()))
"""


@pytest.mark.slow
def test_two_processes_at_once_do_the_work_once_and_quietly(assets: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", TWICE, str(assets), str(tmp_path)]
    tests = Path(__file__).parent.parent
    pipe = subprocess.PIPE
    both = [subprocess.Popen(command, cwd=tests, stdout=pipe, stderr=pipe, text=True) for _ in range(2)]
    heard = [one.communicate(timeout=120) for one in both]
    assert [stderr for _, stderr in heard] == ["", ""]
    said = [stdout.split() for stdout, _ in heard]
    assert sorted(words[0] for words in said) == ["0", "1"]  # one of them loaded the model
    assert [words[1] for words in said] == ["True", "True"]
    alone = run(kws_recipe(assets), {"fp32-tflite": ALL["fp32-tflite"]}, tmp_path)
    assert [event.stage for event in alone.events if not event.note] == ["cached"]
    alone.cache.close()
