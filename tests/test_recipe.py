"""What a recipe may say, what it means when it says nothing, and what does not fit together."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from edgegreen import recipe
from edgegreen.config import yamlfile
from edgegreen.config.datakeys import Hook
from edgegreen.config.references import Download
from edgegreen.errors import InputError
from edgegreen.formats import Format, Precision
from edgegreen.recipe import Recipe, Variant

FOLDER = Path("/recipes")
DIGEST = "5f938a8eea605438cc7360aa13c987bc6d7bd0c8d931b2917361ae7ae4eeda2f"


def read(text: str) -> Recipe:
    return yamlfile.parse("name: a\n" + text, Recipe, "r.yaml", folder=FOLDER)


def said(text: str) -> str:
    with pytest.raises(InputError) as caught:
        read(text)
    return caught.value.message


def test_the_recipe_of_the_design(tmp_path: Path) -> None:
    path = tmp_path / "kws.yaml"
    path.write_text("""\
name: keyword-spotting
model: kws_ref_model                # file or folder beside the recipe, or {url, sha256}
data: {calibration: calibration.npz, evaluation: evaluation.npz, metric: top1}
variants:
  fp32-tflite: {format: tflite, precision: fp32}
  int8-tflite: {format: tflite, precision: int8}
  int8-openvino: {format: openvino, precision: int8}
benchmark: {duration_s: 10, threads: [1, 4]}
baseline: fp32-tflite
budgets: {accuracy_drop_max: 0.01, latency_p95_ms_max: 10, energy_mj_max: 5}
""")
    found = recipe.load(path)
    assert found.model == tmp_path / "kws_ref_model"
    assert found.data.evaluation == tmp_path / "evaluation.npz"
    assert found.variants["int8-openvino"] == Variant(format="openvino", precision="int8")
    assert found.benchmark.threads == (1, 4)
    assert found.budgets.energy_mj_max == 5


def test_what_is_left_out() -> None:
    # Ten seconds, ten warm-up runs and half a second, fifty runs at least: the design's own numbers.
    found = read("model: m.tflite")
    assert (found.benchmark.duration_s, found.benchmark.warmup_s) == (10, 0.5)
    assert (found.benchmark.min_warmup_runs, found.benchmark.min_runs) == (10, 50)
    assert found.benchmark.threads == (1,)
    assert (found.data.calibration, found.data.evaluation, found.data.metric) == (None, None, "top1")
    assert found.budgets.model_dump(exclude_none=True) == {"targets": {}}
    assert (found.variants, found.baseline) == ({}, None)


def test_a_recipe_cannot_be_changed() -> None:
    found = read("model: m.tflite\nvariants:\n  a: {format: tflite}")
    for changed in (found, found.data, found.benchmark, found.variants["a"]):
        with pytest.raises(ValidationError):
            changed.format = "other"


class TestPaths:
    """Every path is relative to the recipe, whatever the working directory is."""

    def test_relative_absolute_and_home(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", "/home/me")
        assert read("model: ../m.keras").model == FOLDER / "../m.keras"
        assert read("model: .").model == FOLDER
        assert read("model: /models/m.keras").model == Path("/models/m.keras")
        assert read("model: ~/m.keras").model == Path("/home/me/m.keras")
        assert read("model: m\ndata: {calibration: ~/c.npz}").data.calibration == Path("/home/me/c.npz")

    def test_no_such_user(self) -> None:
        assert said("model: ~no-such-user-here/m.keras").startswith("r.yaml:2: `model`: ")

    def test_a_hook(self) -> None:
        metric = read("model: m\ndata: {metric: {python: metrics/iou.py:mean_iou}}").data.metric
        assert metric == Hook(python=f"{FOLDER}/metrics/iou.py:mean_iou", higher_is_better=True)

    @pytest.mark.parametrize(
        "reference", ["iou.py", "iou:mean", "iou.py:", "iou.py:a-b", ":f", "iou.py:f()", "a.py:f\\n"]
    )
    def test_no_hook(self, reference: str) -> None:
        assert "should be `file.py:function`" in said(
            f'model: m\ndata: {{metric: {{python: "{reference}"}}}}'
        )


class TestDownload:
    """A file that does not lie beside the recipe is known by its digest, and comes by https or not at all."""

    def test_a_file_and_a_folder(self) -> None:
        one = read(f"model: {{url: 'https://a.example/m.h5', sha256: {DIGEST}}}").model
        assert one == Download(url="https://a.example/m.h5", sha256=DIGEST)
        folder = read(f"model: {{file: kws, files: {{saved_model.pb: {DIGEST}, v/a.index: {DIGEST}}}}}").model
        assert isinstance(folder, Download)
        assert set(folder.files or {}) == {"saved_model.pb", "v/a.index"}

    @pytest.mark.parametrize(
        "url",
        ["http://a.example/m", "ftp://a.example/m", "file:///etc/passwd", "https:///m", "https://a.example"],
    )
    def test_nothing_but_https(self, url: str) -> None:
        assert "`model.url`: should be an https:// address" in said(
            f"model: {{url: '{url}', sha256: {DIGEST}}}"
        )

    @pytest.mark.parametrize(
        ("keys", "reason"),
        [
            ("url: 'https://a/b'", "give `sha256` (one file) or `files`"),
            (f"sha256: {DIGEST}", "give either `url` or `file`"),
            (f"url: 'https://a/b', file: b, sha256: {DIGEST}", "give either `url` or `file`"),
            (
                f"url: 'https://a/b', sha256: {DIGEST}, files: {{a: {DIGEST}}}",
                "give `sha256` (one file) or `files`",
            ),
            ("url: 'https://a/b', sha256: abc", "64 digits of 0–9 and a–f"),
            (f"url: 'https://a/b', sha256: {DIGEST.upper()}", "64 digits of 0–9 and a–f"),
            ("url: 'https://a/b', files: {}", "should not be empty"),
        ],
    )
    def test_what_is_wrong(self, keys: str, reason: str) -> None:
        message = said(f"model: {{{keys}}}")
        assert reason in message
        assert message.startswith("r.yaml:2: `model")
        assert "\n" not in message

    @pytest.mark.parametrize("name", ["../m", "/etc/passwd", "a/../../m", "", ".", "a/", "a//b", "./a"])
    def test_a_folder_is_not_left(self, name: str) -> None:
        assert "is not a path inside the folder" in said(f"model: {{file: a, files: {{'{name}': {DIGEST}}}}}")


class TestVariants:
    """What each format can be built as."""

    # The issue: TFLite fp32, fp16, dynamic, int8, int16x8, weights; OpenVINO fp32, fp16, int8, weights.
    POSSIBLE = {
        "tflite": {"fp32", "fp16", "dynamic", "int8", "int16x8", "weight_int8"},
        "openvino": {"fp32", "fp16", "int8", "weight_int8"},
        "onnx": {"fp32", "int8"},
        "tensorrt": {"fp32", "fp16", "int8"},
        "edgetpu": {"int8"},
    }

    @pytest.mark.parametrize("kind", get_args(Format))
    @pytest.mark.parametrize("precision", get_args(Precision))
    def test_format_and_precision(self, kind: str, precision: str) -> None:
        text = f"model: m\nvariants:\n  v: {{format: {kind}, precision: {precision}}}"
        if precision in self.POSSIBLE[kind]:
            assert read(text).variants["v"].precision == precision
        else:
            assert said(text).startswith(f"r.yaml:4: `variants.v`: {kind} has no precision `{precision}`")

    def test_an_edge_tpus_ends_are_int8(self) -> None:
        keys = "format: edgetpu, precision: int8, device: 'usb:1', fail_on_fallback: true"
        variant = read(f"model: m\nvariants:\n  v: {{{keys}}}").variants["v"]
        assert (variant.ends, variant.io, variant.device, variant.fail_on_fallback) == (
            "int8",
            "float",
            "usb:1",
            True,
        )
        assert Variant(format="edgetpu", precision="int8", io="int8").ends == "int8"
        assert Variant(format="tflite", precision="int8").ends == "float"

    @pytest.mark.parametrize(
        ("keys", "reason"),
        [
            ("format: tflite, compile_on: pc", "`compile_on` goes with `format: edgetpu` only"),
            ("format: tflite, fail_on_fallback: true", "`fail_on_fallback` goes with `format: edgetpu` only"),
            ("format: edgetpu, precision: int8, accuracy_drop_max: 0.1", "and the Edge TPU runs none"),
            ("format: edgetpu, device: gpu", "`format: edgetpu`, which takes usb, pci, or one by its number"),
            ("format: onnx, precision: fp32, device: usb", "which takes AUTO, CPU, CUDA, TENSORRT"),
            (
                "format: edgetpu, compiler: bin/edgetpu_compiler, compile_on: 'ssh://pc'",
                "is a path where `compile_on` says: begin it with / or ~/",
            ),
        ],
    )
    def test_keys_of_an_edge_tpu(self, keys: str, reason: str) -> None:
        assert reason in said(f"model: m\nvariants:\n  v: {{{keys}}}")

    @pytest.mark.parametrize(
        ("keys", "expected"),
        [
            ("compiler: ./edgetpu_compiler", "{folder}/edgetpu_compiler"),
            ("compiler: /opt/edgetpu_compiler", "/opt/edgetpu_compiler"),
            ("compiler: edgetpu_compiler-16", "edgetpu_compiler-16"),
            ("compiler: ~/edgetpu_compiler, compile_on: 'ssh://pc'", "~/edgetpu_compiler"),
        ],
    )
    def test_where_an_edge_tpus_compiler_is(self, tmp_path: Path, keys: str, expected: str) -> None:
        path = tmp_path / "r.yaml"
        path.write_text(f"name: x\nmodel: m\nvariants:\n  v: {{format: edgetpu, {keys}}}\n")
        assert recipe.load(path).variants["v"].compiler == expected.format(folder=tmp_path)

    def test_only_quantised_activations_need_calibration(self) -> None:
        needs = {p for p in get_args(Precision) if Variant(format="tflite", precision=p).calibrated}
        assert needs == {"int8", "int16x8"}
        assert not Variant(format="tflite").calibrated

    @pytest.mark.parametrize(
        ("variant", "reason"),
        [
            (
                "format: openvino, precision: int8, quantizer: tensorflow",
                "is not quantised by `tensorflow`, but by nncf",
            ),
            (
                "format: tflite, precision: int8, quantizer: nncf",
                "is not quantised by `nncf`, but by ai-edge-quantizer, tensorflow",
            ),
            (
                "format: tflite, precision: fp32, quantizer: tensorflow",
                "nothing is quantised at `precision: fp32`: leave out `quantizer`, or ask for fp16, dynamic",
            ),
            ("format: onnx, precision: fp32, quantizer: onnxruntime", "or ask for int8"),
            ("format: tflite, quantizer: tensorflow", "without a `precision` the model is shipped as it is"),
            ("format: tflite, precision: fp32, io: int8", "`io: int8` goes with"),
            ("format: openvino, precision: int8, io: int8", "`io: int8` goes with"),
            ("format: tflite, io: int8", "`io: int8` goes with"),
            ("format: openvino, precision: fp32, device: gpu", "which takes CPU, GPU, NPU, AUTO"),
            (
                "format: tflite, precision: fp16, accuracy_drop_max: 0.01",
                "`accuracy_drop_max` goes with `precision: int8` or `int16x8` only",
            ),
            ("format: tflite, accuracy_drop_max: 0.01", "`accuracy_drop_max` goes with"),
            (
                "format: tflite, precision: int8, quantizer: tensorflow, accuracy_drop_max: 0.01",
                "`quantizer: tensorflow` knows no `accuracy_drop_max`",
            ),
            (
                "format: onnx, precision: int8, accuracy_drop_max: 0.01",
                "`accuracy_drop_max` does not go with `format: onnx`",
            ),
            ("format: tflite, precision: fp32, device: CUDA", "`format: tflite`, which takes none"),
            ("format: tflite, precision: int8, accuracy_drop_max: -1", "accuracy_drop_max"),
        ],
    )
    def test_what_does_not_go_together(self, variant: str, reason: str) -> None:
        assert reason in said(f"model: m\nvariants:\n  v: {{{variant}}}")

    @pytest.mark.parametrize("name", ["a b", "-a", ".a", "a/b", "a\u00e9", "a" * 65, "[red]", ""])
    def test_names_are_safe_as_files_and_on_screen(self, name: str) -> None:
        assert "letters, digits" in said(f"model: m\nvariants:\n  '{name}': {{format: tflite}}")
        assert "letters, digits" in said(f"model: m\nbaseline: '{name}'") or not name

    def test_a_baseline_is_one_of_them(self) -> None:
        variants = "variants: {a: {format: tflite}, b: {format: tflite}}\n"
        assert read(f"model: m\n{variants}baseline: b").baseline == "b"
        assert said(f"model: m\n{variants}baseline: c") == (
            "r.yaml:4: `baseline`: `c` is not a variant of this recipe (a, b)"
        )
        assert read("model: m\nbaseline: int8-tflite").baseline == "int8-tflite"  # of the default set, later

    def test_a_wrong_variant_is_not_also_a_wrong_baseline(self) -> None:
        assert said("model: m\nvariants: {a: {format: onxx}}\nbaseline: a").count("\n") == 0


class TestDefaultVariants:
    """A recipe that names none."""

    FLOAT = [
        "fp32-tflite",
        "fp16-tflite",
        "dynamic-tflite",
        "int8-tflite",
        "fp32-openvino",
        "fp16-openvino",
        "int8-openvino",
    ]

    def test_of_a_float_model(self) -> None:
        variants = recipe.default_variants("float", calibrated=True)
        assert list(variants) == self.FLOAT
        for name, variant in variants.items():
            assert name == f"{variant.precision}-{variant.format}"

    def test_without_calibration_data_nothing_is_calibrated(self) -> None:
        for kind in ("float", "openvino"):
            variants = recipe.default_variants(kind, calibrated=False)
            assert variants
            assert not any(variant.calibrated for variant in variants.values())

    def test_of_openvino_ir(self) -> None:
        variants = recipe.default_variants("openvino", calibrated=True)
        assert list(variants) == ["fp32-openvino", "fp16-openvino", "int8-openvino"]

    def test_of_a_quantised_tflite(self) -> None:
        assert recipe.default_variants("quantised", calibrated=True) == {
            "as-shipped": Variant(format="tflite")
        }


BOUNDS: list[tuple[str, Any, Any]] = [
    # key, a value just inside, one just outside
    ("benchmark: {duration_s: %s}", 0.001, 0),
    ("benchmark: {warmup_s: %s}", 0, -0.1),
    ("benchmark: {min_warmup_runs: %s}", 1, 0),
    ("benchmark: {min_runs: %s}", 2, 1),
    ("benchmark: {timeout_s: %s}", 1, 0),
    ("benchmark: {threads: [%s]}", 1024, 0),
    ("input_shape: [1, %s]", 1, -1),
    ("budgets: {accuracy_drop_max: %s}", 0, -0.01),
    ("budgets: {latency_p50_ms_max: %s}", 0.001, 0),
    ("budgets: {latency_p95_ms_max: %s}", 0.001, 0),
    ("budgets: {latency_p99_ms_max: %s}", 0.001, 0),
    ("budgets: {first_inference_ms_max: %s}", 0.001, 0),
    ("budgets: {power_w_max: %s}", 0.001, -1),
    ("budgets: {targets: {pi5: {energy_mj_max: %s}}}", 0.001, 0),
    ("budgets: {size_bytes_max: %s}", 1, 0),
    ("budgets: {peak_rss_bytes_max: %s}", 1, 1.5),
    ("budgets: {energy_mj_max: %s}", 0.001, 0),
    ("footprint: {battery_wh: %s}", 0.001, 0),
    ("footprint: {battery_v: 5, battery_mah: %s}", 0.001, -1),
    ("footprint: {battery_usable: %s}", 1, 1.01),
    ("footprint: {grid_gco2e_per_kwh: %s}", 0.001, 0),
]


@pytest.mark.parametrize(("line", "good", "bad"), BOUNDS)
def test_bounds(line: str, good: object, bad: object) -> None:
    read(f"model: m\n{line % good}")
    assert re.fullmatch(r"r\.yaml:3: `\S+`: should be .*, not `-?[\d.]+`", said(f"model: m\n{line % bad}"))


def test_each_number_of_threads_is_one_row() -> None:
    assert "twice" in said("model: m\nbenchmark: {threads: [1, 4, 1]}")


class TestFootprint:
    """A battery told in one way, and a rate."""

    def test_one_battery_in_either_unit(self) -> None:
        by_charge = read("model: m\nfootprint: {battery_mah: 5000, battery_v: 3.7}").footprint
        assert by_charge
        assert by_charge.capacity_wh == pytest.approx(18.5)
        by_energy = read("model: m\nfootprint: {battery_wh: 18.5, inferences_per_hour: continuous}").footprint
        assert by_energy
        assert (by_energy.capacity_wh, by_energy.inferences_per_hour) == (18.5, "continuous")
        assert read("model: m\nfootprint: {grid_gco2e_per_kwh: 400}").footprint != by_energy

    @pytest.mark.parametrize(
        ("keys", "reason"),
        [
            ("battery_mah: 5000", "`battery_mah` and `battery_v` go together"),
            ("battery_v: 5", "`battery_mah` and `battery_v` go together"),
            ("battery_wh: 1, battery_mah: 1, battery_v: 1", "give either `battery_wh`, or"),
            ("inferences_per_hour: often", "should be a number, or one of continuous, not `often`"),
            ("inferences_per_hour: 0", "should be greater than 0"),
            ("battery_wH: 3", "did you mean `battery_wh`?"),
        ],
    )
    def test_what_is_wrong(self, keys: str, reason: str) -> None:
        assert reason in said(f"model: m\nfootprint: {{{keys}}}")


class TestNormalization:
    def test_by_deviation_or_by_scale(self) -> None:
        by_std = read("model: m.keras\ndata: {normalize: {mean: [1, 2, 3], std: [2, 4, 8]}}\n").data.normalize
        by_scale = read("model: m.keras\ndata: {normalize: {scale: 0.5}}\n").data.normalize
        assert by_std is not None
        assert by_scale is not None
        assert (by_std.steps.mean, by_std.steps.scale) == ((1, 2, 3), (0.5, 0.25, 0.125))
        assert (by_scale.steps.mean, by_scale.steps.scale) == ((0,), (0.5,))

    @pytest.mark.parametrize(
        ("normalize", "reason"),
        [
            ("{mean: 1}", "give either `std` or `scale`"),
            ("{std: 2, scale: 0.5}", "give either `std` or `scale`"),
            ("{std: 0}", "0 leaves nothing of the data"),
            ("{scale: [1, 0]}", "0 leaves nothing of the data"),
            ("{mean: [1, 2], std: [1, 2, 3]}", "different numbers of channels"),
        ],
    )
    def test_what_normalises_nothing(self, normalize: str, reason: str) -> None:
        assert reason in said(f"model: m.keras\ndata: {{normalize: {normalize}}}\n")
