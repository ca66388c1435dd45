"""The commands beside `deploy`: validate, inspect, convert, cache, targets."""

from __future__ import annotations

import re
import shutil

import numpy as np
import pytest

from cli.harness import DIGITS, REPO, Shell

MODELS = REPO / "tests" / "fixtures" / "models"


class TestValidate:
    def test_all_that_ships_is_right(self, empty: Shell) -> None:
        files = [*(REPO / "recipes").glob("*.yaml"), *(REPO / "targets").glob("*.yaml")]
        done = empty.run("validate", *files)
        assert (done.code, done.err) == (0, "")
        lines = done.out.splitlines()
        assert len(lines) == len(files)
        assert f"{REPO}/recipes/digits.yaml: recipe `digits`, 6 variants: ok" in lines
        assert f"{REPO}/targets/pi5.yaml: target `pi5` (raspberry-pi-5): ok, `host` not set yet" in lines
        assert not any(empty.kept.iterdir())

    def test_every_file_is_judged_and_every_mistake_named(self, empty: Shell) -> None:
        good = empty.recipe(file="good.yaml")
        bad = empty.recipe(file="bad.yaml", baselin="fp32", benchmark="{duration_s: -1}")
        board = empty.folder / "board.yaml"
        board.write_text("host: a\npython: [3]\nfamly: x86\n")
        done = empty.run("validate", bad.name, good.name, board.name, "none.yaml")
        assert done.code == 2
        assert done.out == "good.yaml: recipe `digits`, 2 variants: ok\n"
        said = done.err.splitlines()
        assert said[0].startswith("error: bad.yaml:5: `benchmark.duration_s`: should be greater than 0")
        assert said[1] == "bad.yaml:7: unknown key `baselin`; did you mean `baseline`?"
        assert said[2].startswith("error: board.yaml:2: `python`: should be text")
        assert said[3] == "board.yaml:3: unknown key `famly`; did you mean `family`?"
        assert said[4] == "error: none.yaml: no such file"

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"data": "{evaluation: none.npz}"}, "none.npz does not exist"),
            ({"data": "{evaluation: object.npz}"}, "pickled objects, which are never loaded"),
            ({"data": "{evaluation: unlabelled.npz}"}, "needs labels"),
            ({"data": "{calibration: text.npz}"}, "not an npz file"),
            ({"data": ""}, "variant `int8`: int8 is calibrated on data, never on noise"),
            ({"model": "none.keras"}, "none.keras does not exist"),
        ],
    )
    def test_what_a_recipe_names_is_looked_at(
        self, empty: Shell, changes: dict[str, str], words: str
    ) -> None:
        x = np.zeros((3, 8, 8, 1), np.float32)
        np.savez(empty.folder / "unlabelled.npz", x=x)
        np.savez(empty.folder / "object.npz", x=x, y=np.array([object()] * 3))
        (empty.folder / "text.npz").write_text("no zip")
        done = empty.run("validate", empty.recipe(**changes))
        assert (done.code, done.out) == (2, "")
        assert words in done.err
        assert "Traceback" not in done.err


class TestInspect:
    def test_a_tflite_file(self, empty: Shell) -> None:
        done = empty.run("inspect", MODELS / "two_in_two_out.tflite")
        assert (done.code, done.err) == (0, "")
        lines = [line.split() for line in done.out.splitlines() if line]
        assert lines[0][:2] == ["TFLite", "model:"]
        assert ["input", "serving_default_a:0", "1", "×", "4", "int8"] in lines
        assert [line[0] for line in lines if line[0] in ("input", "output")] == ["input"] * 2 + ["output"] * 2
        assert ["ARG_MAX", "1"] in lines

    def test_a_keras_file(self, shell: Shell) -> None:
        """By a worker with tensorflow."""
        done = shell.run("inspect", DIGITS / "model.keras")
        assert done.code == 0, done.err
        assert done.out.startswith("Keras model: 29,098 parameters, 112 kB\n")
        assert re.search(r"^input +image +\? × 8 × 8 × 1 +float32$", done.out, re.MULTILINE)
        assert re.search(r"^CONV_2D +3$", done.out, re.MULTILINE)

    def test_an_onnx_file(self, empty: Shell) -> None:
        onnx = pytest.importorskip("onnx")
        helper, kind = onnx.helper, onnx.TensorProto.FLOAT
        x = helper.make_tensor_value_info("x", kind, ["batch", 4])
        y = helper.make_tensor_value_info("y", kind, ["batch", 2])
        w = onnx.numpy_helper.from_array(np.ones((4, 2), np.float32), "w")
        graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "g", [x], [y], [w])
        onnx.save(helper.make_model(graph), empty.folder / "m.onnx")
        done = empty.run("inspect", "m.onnx")
        assert done.code == 0, done.err
        assert done.out.startswith("ONNX model: 8 parameters, ")
        assert re.search(r"^input +x +\? × 4 +float32$", done.out, re.MULTILINE)
        assert re.search(r"^MatMul +1$", done.out, re.MULTILINE)

    def test_as_json(self, empty: Shell) -> None:
        done = empty.run("inspect", MODELS / "two_in_two_out.tflite", "--json")
        assert (done.code, done.err) == (0, "")
        summary = done.json
        assert list(summary) == [
            "kind", "inputs", "outputs", "ops", "parameters", "size_bytes", "costs", "costs_absent",
            "compiled",
        ]  # fmt: skip
        assert {one["type"] for one in summary["costs"]["layers"]} == set(summary["ops"])
        assert summary["costs"]["energy_basis"]["year"] == 2014
        assert summary["inputs"][1] == {"name": "serving_default_a:0", "shape": [1, 4], "dtype": "int8"}
        assert summary["size_bytes"] == (MODELS / "two_in_two_out.tflite").stat().st_size

    @pytest.mark.parametrize(
        ("name", "words"),
        [
            ("none.tflite", "error: none.tflite: no such file\n"),
            ("text.tflite", "not a readable TFLite model"),
            ("recipe.yaml", "`.yaml` is no model format known here"),
            (".", "a folder without saved_model.pb"),
        ],
    )
    def test_what_is_no_model(self, empty: Shell, name: str, words: str) -> None:
        (empty.folder / "text.tflite").write_text("no model")
        empty.recipe()
        done = empty.run("inspect", name)
        assert (done.code, done.out) == (2, "")
        assert words in done.err


class TestConvert:
    def test_built_files_are_checked_listed_and_copied(self, shell: Shell) -> None:
        done = shell.run("convert", shell.recipe(), "--output", "out/put")
        assert done.code == 0, done.err
        assert done.err == "models: 2 unchanged\n"
        headings, fp32, int8, how, where = done.out.splitlines()
        assert " ".join(headings.split()) == "Variant Size Deflated SQNR Same top-1 Built by"
        assert re.match(r"fp32 +118 kB +\d+ kB +\d+\.\d dB +64/64 +tensorflow \d", fp32)
        assert re.match(
            r"int8 +\S+ kB +\S+ kB +\d\d\.\d dB +6\d/64 +ai-edge-quantizer \S+ ← tensorflow", int8
        )
        assert how.startswith(
            "SQNR and top-1 against the float model, after passes, on 64 calibration samples"
        )
        assert where == "copied to out/put"
        copied = shell.folder / "out" / "put"
        assert sorted(path.name for path in copied.iterdir()) == ["fp32.tflite", "int8.tflite"]
        assert re.match("TFLite model: .*, 36.4 kB\n", shell.run("inspect", copied / "int8.tflite").out)

    def test_a_place_that_cannot_be_written(self, shell: Shell) -> None:
        done = shell.run("convert", shell.recipe(), "--output", "recipe.yaml")
        assert done.code == 2
        assert "error: cannot write to recipe.yaml: " in done.err

    def test_only_some(self, shell: Shell) -> None:
        done = shell.run("convert", shell.recipe(), "--variant", "int8")
        assert list(done.rows)[:2] == ["Variant", "int8"]
        assert "fp32" not in done.out


class TestCache:
    def test_it_is_listed_and_cleared(self, shell: Shell) -> None:
        done = shell.run("cache")
        assert (done.code, done.err) == (0, "")
        *_, summary = done.out.splitlines()
        count, size = re.fullmatch(
            rf"(\d+) entries, (\S+ kB) of 20.0 GB, in {shell.kept}/cache", summary
        ).groups()
        assert {"fp32 tflite of model.keras", "int8 tflite of model.keras", "source model model.keras"} <= {
            line.split("  ")[0] for line in done.out.splitlines()
        }
        assert int(count) >= 3
        done = shell.run("cache", "clear")
        assert (done.code, done.out, done.err) == (0, f"{size} freed\n", "")
        assert shell.run("cache").out == f"0 entries, 0 B of 20.0 GB, in {shell.kept}/cache\n"
        assert shell.run("cache", "clear").out == "0 B freed\n"

    def test_a_damaged_model_is_built_anew(self, shell: Shell) -> None:
        (model,) = (
            path for path in (shell.kept / "cache" / "entries").glob("*/model.tflite")
            if '"precision": "int8"' in (path.parent / "entry.json").read_text()
        )  # fmt: skip
        model.write_bytes(model.read_bytes()[:-8] + bytes(8))
        done = shell.run("convert", shell.recipe(), "--variant", "int8")
        assert done.code == 0, done.err
        assert "models: 1 built" in done.err

    def test_a_limit_that_is_none(self, shell: Shell) -> None:
        done = shell.run("cache", EDGEGREEN_CACHE_LIMIT="lots")
        assert done.code == 2
        assert "EDGEGREEN_CACHE_LIMIT=lots is no size" in done.err


class TestTargets:
    def test_all_that_can_be_named(self, empty: Shell) -> None:
        empty.target("bench", host="10.0.0.7", family="x86")
        empty.target("pi5", host="pi5.local", family="raspberry-pi-5")  # before the one that ships
        empty.target("odd", hots="a")
        for done in (empty.run("targets", "list"), empty.run("targets", "list", COLUMNS="40")):
            assert (done.code, done.err) == (0, "")
            lines = [line.split() for line in done.out.splitlines()]
            assert ["bench", "x86", "10.0.0.7", str(empty.targets / "bench.yaml")] in lines
            assert ["pi5", "raspberry-pi-5", "pi5.local", str(empty.targets / "pi5.yaml")] in lines
            assert next(line for line in lines if line[0] == "jetson")[2:4] == ["not", "set"]
            names = [line[0] for line in lines if line[-1].endswith(".yaml")]
            assert names == sorted(set(names))
            assert "odd.yaml:1: unknown key `hots`; did you mean `host`?" in done.out

    def test_targets_beside_come_first(self, empty: Shell) -> None:
        (empty.folder / "targets").mkdir()
        (empty.folder / "targets" / "pi5.yaml").write_text("host: mine\n")
        assert self.shown(empty, "pi5") == ["# targets/pi5.yaml", "host: mine"]

    def test_one_is_shown_whole(self, empty: Shell) -> None:
        first, *rest = self.shown(empty, "jetson")
        assert first == f"# {REPO}/targets/jetson.yaml"
        assert rest == (REPO / "targets" / "jetson.yaml").read_text().splitlines()

    def test_one_that_is_not_there(self, empty: Shell) -> None:
        done = empty.run("targets", "show", "jetsn")
        assert (done.code, done.out) == (2, "")
        assert "no target called `jetsn`; did you mean `jetson`" in done.err
        shutil.rmtree(empty.targets)  # $EDGEGREEN_TARGETS names no folder
        assert empty.run("targets", "list").code == 0

    @staticmethod
    def shown(shell: Shell, name: str) -> list[str]:
        done = shell.run("targets", "show", name)
        assert (done.code, done.err) == (0, "")
        return done.out.splitlines()
