"""Static shapes from dynamic ones, and data against shapes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgegreen.agent.npz import Samples
from edgegreen.artifact import TensorSpec
from edgegreen.errors import InputError
from edgegreen.sources import shapes
from edgegreen.sources.model import Port

PICTURE = Port("picture", (None, 32, 32, 3), "float32")
STEPS = Port("steps", (None, None, 6), "float32")
UNKNOWN = Port("anything", None, "float32")


def fixed(ports: list[Port], wanted: Any = None, samples: Any = ()) -> list[tuple[int, ...]]:
    return [spec.shape for spec in shapes.static(ports, wanted, samples)]


@given(st.lists(st.none() | st.integers(1, 9), min_size=1, max_size=4))
def test_a_dynamic_batch_is_one_and_static_extents_stay(dims: list[int | None]) -> None:
    port = Port("x", (None, *[size or 5 for size in dims]), "float32")
    assert fixed([port]) == [(1, *[size or 5 for size in dims])]


@pytest.mark.parametrize("wanted", [(1, 20, 6), (20, 6), {"steps": (1, 20, 6)}, {"steps": (20, 6)}])
def test_input_shape_with_or_without_the_batch_and_the_name(wanted: Any) -> None:
    assert fixed([STEPS], wanted) == [(1, 20, 6)]


def test_by_name_for_those_that_need_it() -> None:
    assert fixed([PICTURE, STEPS], {"steps": (20, 6)}) == [(1, 32, 32, 3), (1, 20, 6)]


def test_an_unknown_rank_is_taken_whole() -> None:
    assert fixed([UNKNOWN], (1, 7, 7)) == [(1, 7, 7)]


@pytest.mark.parametrize(
    ("ports", "samples", "line"),
    [
        ([STEPS], (), "`input_shape: [1, N, 6]`"),
        ([STEPS], ((20, 6),), "`input_shape: [1, 20, 6]`"),
        ([STEPS], ((20, 7),), "`input_shape: [1, N, 6]`"),
        ([UNKNOWN], ((9,),), "`input_shape: [1, 9]`"),
        ([PICTURE, STEPS], ((32, 32, 3), (20, 6)), "`input_shape: {steps: [1, 20, 6]}`"),
    ],
    ids=["no data", "data", "data that do not fit", "unknown rank", "several inputs"],
)
def test_what_is_missing_is_named_with_the_line_to_add(ports: list[Port], samples: Any, line: str) -> None:
    with pytest.raises(InputError, match="has the dynamic shape") as caught:
        shapes.static(ports, None, samples)
    assert line in str(caught.value.hint)


@pytest.mark.parametrize(
    ("ports", "wanted", "words"),
    [
        ([STEPS], (1, 20, 7), "`input_shape` 1×20×7 does not fit input `steps`, whose shape is ?×?×6"),
        ([STEPS], (20,), "does not fit"),
        ([STEPS], (2, 20, 6), "the batch is 1"),
        ([STEPS], (1, 0, 6), "extents are 1 or more"),
        ([STEPS], {"step": (20, 6)}, "names `step`, but the inputs are steps"),
        ([PICTURE, STEPS], (1, 20, 6), "one shape, but the model has 2 inputs: picture, steps"),
    ],
)
def test_a_wrong_input_shape(ports: list[Port], wanted: Any, words: str) -> None:
    with pytest.raises(InputError) as caught:
        shapes.static(ports, wanted)
    assert words in caught.value.message


class TestData:
    def check(self, path: Path, *inputs: tuple[int, ...], **arrays: Any) -> None:
        np.savez(path, **arrays)
        specs = [TensorSpec(f"in{i}", shape, "float32") for i, shape in enumerate(inputs)]
        with Samples(str(path)) as samples:
            shapes.check_data(samples, specs, "calibration", path)

    def test_those_that_fit(self, tmp_path: Path) -> None:
        path = tmp_path / "d.npz"
        self.check(path, (1, 49, 10, 1), x=np.zeros((5, 49, 10, 1)))
        self.check(path, (1, 49, 10, 1), x=np.zeros((5, 49, 10)))
        self.check(path, (16000,), x=np.zeros((5, 16000)))
        self.check(path, (1, 4), (1, 2), x0=np.zeros((5, 4)), x1=np.zeros((5, 2)))

    def test_both_shapes_are_named(self, tmp_path: Path) -> None:
        with pytest.raises(InputError) as caught:
            self.check(tmp_path / "d.npz", (1, 32, 32, 3), x=np.zeros((5, 3, 32, 32)))
        assert "`x` has samples of shape 3×32×32" in caught.value.message
        assert "`in0` takes 32×32×3" in caught.value.message
        assert str(tmp_path / "d.npz") in caught.value.message

    def test_the_number_of_inputs(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=r"have `x`, but the model has 2 inputs: `in0` 1×4, `in1` 1×2"):
            self.check(tmp_path / "d.npz", (1, 4), (1, 2), x=np.zeros((5, 4)))
