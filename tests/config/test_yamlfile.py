"""Every mistake in a YAML file is named with file, line and what to write instead; nothing else is raised."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgegreen.config import yamlfile
from edgegreen.errors import InputError
from edgegreen.recipe import Recipe
from edgegreen.target import Target

# Words of the libraries underneath, which mean nothing to who wrote the file.
JARGON = re.compile(
    r"[Ii]nput should|function-|lax-or|validator|valid string|an object|array|tuple\[|Extra inputs|Field"
)
GOOD = """\
name: keyword-spotting
model: kws_ref_model                # beside the recipe
data: {calibration: calibration.npz, evaluation: evaluation.npz, metric: top1}
variants:
  fp32-tflite: {format: tflite, precision: fp32}
  int8-tflite: &int8 {format: tflite, precision: int8}
  int8-io: {<<: *int8, io: int8}
benchmark: {duration_s: 10, threads: [1, 4]}
baseline: fp32-tflite
budgets: {accuracy_drop_max: 0.01, latency_p95_ms_max: 10}
"""


def parse(text: str, model: type[Any] = Recipe) -> Any:
    return yamlfile.parse(text, model, "r.yaml", folder=Path("/recipes"))


def complaints(text: str, model: type[Any] = Recipe) -> list[str]:
    """The lines of the error, each checked to be one a person understands."""
    with pytest.raises(InputError) as caught:
        parse(text, model)
    lines = caught.value.message.splitlines()
    assert lines
    for line in lines:
        assert re.match(r"r\.yaml(:\d+)?: \S", line)
        assert not JARGON.search(line)
        assert len(line) < 250
    return lines


def test_a_good_file_needs_no_words() -> None:
    recipe = parse(GOOD)
    assert recipe.variants["int8-io"].io == "int8"
    assert recipe.variants["int8-io"].precision == "int8"


MINIMAL = "name: a\nmodel: m.keras\n"
PATH_OR_DOWNLOAD = "a path, or `key: value` lines (url, file, sha256, files)"
# What stands in the file, and the one line that is said of it.
KIND = [  # of the wrong kind, where one kind and where several will do
    ("model: 3\nname: a", f"1: `model`: should be {PATH_OR_DOWNLOAD}, not `3`"),
    ("name: a\nmodel:", f"2: `model`: should be {PATH_OR_DOWNLOAD}, not nothing"),
    ("name: a\nmodel: [b]", f"2: `model`: should be {PATH_OR_DOWNLOAD}, not a list"),
    (
        MINIMAL + "data: {metric: top2}",
        "3: `data.metric`: should be one of top1, top5, mse, auc, "
        "or `key: value` lines (python, higher_is_better), not `top2`; did you mean `top5`?",
    ),
    (MINIMAL + "input_shape: [1, a]", "3: `input_shape[1]`: should be a whole number, not `a`"),
    (MINIMAL + "input_shape: {a: [1, b]}", "3: `input_shape.a[1]`: should be a whole number, not `b`"),
    (MINIMAL + "input_shape: b", "3: `input_shape`: should be a list, or `key: value` lines, not `b`"),
    (MINIMAL + "variants: [a, b]", "3: `variants`: should be `key: value` lines, not a list"),
    (MINIMAL + "benchmark: {threads: 4}", "3: `benchmark.threads`: should be a list, not `4`"),
    (
        MINIMAL + "benchmark: {threads: [1, b]}",
        "3: `benchmark.threads[1]`: should be a whole number, not `b`",
    ),
    (MINIMAL + "benchmark: {threads: [b]}", "3: `benchmark.threads[0]`: should be a whole number, not `b`"),
    (MINIMAL + 'benchmark: {warmup_s: "1"}', '3: `benchmark.warmup_s`: should be a number, not `"1"`'),
    (MINIMAL + "benchmark: {warmup_s: 1:30}", "3: `benchmark.warmup_s`: should be a number, not `1:30`"),
    ("name: 8\nmodel: m", "1: `name`: should be text, not `8`; put it in quotes"),
]
VALUE = [  # of the right kind, and yet
    (MINIMAL + "benchmark: {threads: []}", "3: `benchmark.threads`: should not be empty"),
    (
        MINIMAL + "benchmark: {warmup_s: .inf}",
        "3: `benchmark.warmup_s`: should be a finite number, not `Infinity`",
    ),
    (
        MINIMAL + "budgets: {energy_mj_max: .nan}",
        "3: `budgets.energy_mj_max`: should be a finite number, not `NaN`",
    ),
    (
        MINIMAL + "budgets: {energy_mj_max: 0}",
        "3: `budgets.energy_mj_max`: should be greater than 0, not `0`",
    ),
    (
        MINIMAL + "data: {metric: {python: m}}",
        "3: `data.metric.python`: should be `file.py:function`, not `m`",
    ),
    ("name: a\nmodel: ''", "2: `model`: should not be empty"),
    (
        MINIMAL + "variants:\n  a: {format: tflit}",
        "4: `variants.a.format`: should be one of tflite, openvino, onnx, tensorrt, edgetpu, not `tflit`; "
        "did you mean `tflite`?",
    ),
    # What comes by a merge has no line of its own.
    (
        MINIMAL + "benchmark:\n  <<: {warmup_s: -1}",
        "3: `benchmark.warmup_s`: should be greater than or equal to 0, not `-1`",
    ),
]
KEY = [  # unknown, or missing
    (MINIMAL + "budget: {}", "3: unknown key `budget`; did you mean `budgets`?"),
    (
        MINIMAL + "variants:\n  a: {format: tflite, precison: int8}",
        "4: unknown key `variants.a.precison`; did you mean `precision`?",
    ),
    (
        MINIMAL + "data:\n  calibration: {urll: https://a/b}",
        "4: unknown key `data.calibration.urll`; did you mean `url`?",
    ),
    (
        MINIMAL + "zzz: 1",
        "3: unknown key `zzz` (known here: baseline, benchmark, budgets, data, footprint, "
        "input_shape, model, name, regression, search, seed, signature, variants)",
    ),
    (
        MINIMAL + "variants:\n  a: {format: tflite, threads: [2]}",
        "4: unknown key `variants.a.threads`; it belongs under `benchmark`",
    ),
    (
        MINIMAL + "variants:\n  fp32: {format: tflite}\nbaseline: fp3",
        "5: `baseline`: `fp3` is not a variant of this recipe (fp32); did you mean `fp32`?",
    ),
    ("name: a", "1: `model` is missing"),
    (MINIMAL + "variants:\n  a: {precision: int8}", "4: `format` is missing in `variants.a`"),
    (MINIMAL + "variants:\n  8: {format: tflite}", "4: the key `8` is not text; put it in quotes"),
]
SYNTAX = [  # no YAML at all, or what YAML has and recipes do not use
    ("name: a\nname: b\nmodel: m", "2: not valid YAML: the key `name` is there twice"),
    (MINIMAL + "data:\n  metric: mse\n  metric: auc", "5: not valid YAML: the key `metric` is there twice"),
    ("name: a\n\tmodel: b", "2: not valid YAML: a tab; YAML is indented with spaces"),
    ("name: a: b", "1: not valid YAML: a `:` where none can stand; put the text in quotes"),
    ("name: *b", "1: not valid YAML: `*b` stands for nothing; text with a `*` needs quotes"),
    ("name: [a\nmodel: m", "2: not valid YAML: expected ',' or ']', but got ':'"),
    ("name: a\n---\nname: b", "2: not valid YAML: but found another document"),
    ("", " expected `key: value` lines, found nothing"),
    ("# nothing yet\n", " expected `key: value` lines, found nothing"),
    ("- a\n- b", " expected `key: value` lines, found a list"),
    ("hello", " expected `key: value` lines, found text"),
    ("name: !!binary aGVsbG8=", "1: a kind of value that is not used here (`name`)"),
    ("name: !shell rm", "1: a kind of value that is not used here (`name`)"),
    ('model: "m\\e[31m"', "1: an unprintable character (U+001B)"),
    ('name: a\nmodel: "\\ud800"', "2: an unprintable character (U+D800)"),
]


CASES = [*KIND, *VALUE, *KEY, *SYNTAX]


@pytest.mark.parametrize(("text", "said"), CASES, ids=range(len(CASES)))
def test_one_mistake_one_line(text: str, said: str) -> None:
    assert complaints(text) == [f"r.yaml:{said}"]


def test_all_mistakes_are_said_at_once_in_the_order_of_the_file() -> None:
    text = """\
name: x y
model: {url: "http://plain.example/m", sha256: abc}
data: {calibration: c.npz, evalution: e.npz}
variants:
  a: {format: tflite, precision: int9}
  b:
    format: openvino
    precision: dynamic
benchmark: {duration_s: "10", threads: [1, true]}
budgets: {latency_p95_ms_max: fast}
"""
    lines = complaints(text)
    assert [int(line.split(":")[1]) for line in lines] == [1, 2, 2, 3, 5, 6, 9, 9, 10]
    assert "did you mean `evaluation`?" in lines[3]
    assert "did you mean `int8`?" in lines[4]
    assert "openvino has no precision `dynamic`" in lines[5]


@pytest.mark.parametrize("word", ["no", "on", "off", "yes", "y", "NO", "2026-11-22", "1:30", "0o", "nul"])
def test_words_that_yaml_1_1_would_turn_into_something_else_stay_text(word: str) -> None:
    assert str(parse(f"name: a\nmodel: {word}\n").model) == f"/recipes/{word}"
    assert list(
        parse(f"name: a\nmodel: b\nvariants: {{a{word.replace(':', '')}: {{format: tflite}}}}\n").variants
    )


def test_anchors_of_any_value_and_anchors_used_anew() -> None:
    recipe = parse(
        MINIMAL
        + "data: {metric: {python: &f m.py:f, higher_is_better: &no false}}\n"
        + "variants: {a: &v {format: &f tflite}, b: &v {format: *f}, c: *v}\n"
    )
    assert recipe.data.metric.higher_is_better is False
    assert recipe.variants["b"] == recipe.variants["c"]


def test_a_version_number_is_not_silently_shortened() -> None:
    # 3.10 is the number 3.1 to YAML.
    assert complaints("python: 3.10", Target) == [
        "r.yaml:1: `python`: should be text, not `3.1`; put it in quotes"
    ]


def test_line_numbers_hold_with_windows_line_ends_and_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + b"name: a\r\nmodel: m\r\nbudget: {}\r\n")
    with pytest.raises(InputError, match=r"r\.yaml:3: unknown key `budget`"):
        yamlfile.load(path, Recipe, folder=tmp_path)


def test_aliases_of_aliases_do_not_fill_the_memory() -> None:
    lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x,x]"]
    lines += [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 15)]
    started = time.monotonic()
    assert "too many values" in complaints("\n".join(lines))[0]
    assert time.monotonic() - started < 10


def test_deep_nesting_is_no_recursion_error() -> None:
    assert "too deep" in complaints("a: " + "[" * 50 + "]" * 50)[0]
    assert "too deep" in complaints("a: " + "[" * 500 + "]" * 500)[0]
    complaints("name: a\nmodel: m\nvariants: &a\n  b: *a\n")


def test_a_number_of_thousands_of_digits_is_no_value_error() -> None:
    complaints(MINIMAL + "budgets: {size_bytes_max: " + "9" * 5000 + "}")


class TestFiles:
    """What can be wrong with the file itself."""

    def said(self, path: Path) -> InputError:
        with pytest.raises(InputError) as caught:
            yamlfile.load(path, Recipe)
        assert str(path) in caught.value.message
        assert "\n" not in caught.value.message
        return caught.value

    def test_absent_with_the_nearest_name(self, tmp_path: Path) -> None:
        (tmp_path / "digits.yaml").write_text(GOOD)
        error = self.said(tmp_path / "digit.yaml")
        assert error.message.endswith("no such file")
        assert error.hint == f"did you mean {tmp_path / 'digits.yaml'}?"

    def test_absent_with_its_folder(self, tmp_path: Path) -> None:
        error = self.said(tmp_path / "nowhere" / "digits.yaml")
        assert error.hint == f"the folder {tmp_path / 'nowhere'} cannot be read"

    def test_a_folder(self, tmp_path: Path) -> None:
        (tmp_path / "digits.yaml").write_text(GOOD)
        error = self.said(tmp_path)
        assert "a folder" in error.message
        assert error.hint == f"did you mean {tmp_path / 'digits.yaml'}?"

    def test_binary(self, tmp_path: Path) -> None:
        (tmp_path / "m.keras").write_bytes(b"PK\x03\x04\xff\xfe\x00")
        assert "not a text file" in self.said(tmp_path / "m.keras").message

    def test_utf_16(self, tmp_path: Path) -> None:
        (tmp_path / "r.yaml").write_bytes(GOOD.encode("utf-16"))
        assert "UTF-8" in self.said(tmp_path / "r.yaml").message

    def test_text_with_a_nul(self, tmp_path: Path) -> None:
        (tmp_path / "r.yaml").write_bytes(b"name: a\nmodel: b\0\n")
        assert "r.yaml:2: not valid YAML" in self.said(tmp_path / "r.yaml").message

    def test_huge(self, tmp_path: Path) -> None:
        (tmp_path / "r.yaml").write_text("#" * (yamlfile.MAX_BYTES + 1))
        assert "larger than" in self.said(tmp_path / "r.yaml").message

    @pytest.mark.skipif(sys.platform != "linux", reason="/dev/zero")
    def test_endless(self) -> None:
        assert "larger than" in self.said(Path("/dev/zero")).message

    @pytest.mark.skipif(sys.platform != "linux", reason="/proc")
    def test_unreadable_for_the_system(self) -> None:
        self.said(Path("/proc/self/mem"))  # EIO, also for root

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
    def test_no_permission(self, tmp_path: Path) -> None:
        (tmp_path / "r.yaml").write_text(GOOD)
        (tmp_path / "r.yaml").chmod(0)
        assert self.said(tmp_path / "r.yaml").message.endswith("Permission denied")

    def test_a_name_too_long(self, tmp_path: Path) -> None:
        self.said(tmp_path / ("x" * 300 + ".yaml"))


def must_be_calm(text: str) -> None:
    """It is a recipe, or an InputError whose every line names the file."""
    try:
        parse(text)
    except InputError:
        complaints(text)


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=80))
def test_any_text_raises_nothing_but_input_errors(text: str) -> None:
    must_be_calm(text)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_recipe_with_anything_put_into_it_raises_nothing_but_input_errors(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(GOOD)))
    end = data.draw(st.integers(start, min(start + 20, len(GOOD))))
    junk = data.draw(st.text(alphabet="{}[]:,-?&*!|>'\"%@`#\t\n 0a~<.\\\x85\u2028", max_size=6))
    must_be_calm(GOOD[:start] + junk + GOOD[end:])


KEYS = sorted({*Recipe.model_fields, "url", "sha256", "files", "python", "threads", "format", "metric", "a"})
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10) | st.sampled_from(KEYS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=6))
def test_any_tree_of_values_raises_nothing_but_input_errors(tree: dict[str, Any]) -> None:
    must_be_calm(json.dumps(tree))  # JSON is YAML
