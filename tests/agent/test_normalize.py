from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edgegreen.agent import runtimes
from edgegreen.agent.model import Model
from edgegreen.agent.normalize import Normalize
from edgegreen.agent.runtimes.tensors import Tensor, encode


def test_per_channel_and_for_all() -> None:
    raw = np.array([[[0, 100, 255]]], np.uint8)
    made = Normalize((10.0,), (1.0, 2.0, 0.5))(raw)
    assert made.dtype == np.float32
    assert made.tolist() == [[[-10.0, 180.0, 122.5]]]


@given(st.binary(min_size=1, max_size=50))
def test_bytes_become_int8_by_a_shortcut_as_by_the_formula(content: bytes) -> None:
    tensor = Tensor("x", (len(content),), "int8", 1.0, -128)
    raw = np.frombuffer(content, np.uint8)
    assert encode(tensor, raw).tolist() == encode(tensor, raw.astype(np.float32)).tolist()
    assert (encode(tensor, raw).astype(int) + 128).tolist() == list(content)


def test_a_model_is_fed_normalised_samples(models: Path) -> None:
    runtime = runtimes.load("litert", [str(models / "two_in_two_out.tflite")], 1)
    raw = [np.array([[10, 90, 0, 0]], np.uint8), np.full((1, 2, 2), 100, np.uint8)]
    plain = Model(runtime, [1, 0], [1, 0]).run([value.astype(np.float32) / 100 for value in raw])
    normalised = Model(runtime, [1, 0], [1, 0], Normalize((0.0,), (0.01,))).run(raw)
    for one, other in zip(plain, normalised, strict=True):
        np.testing.assert_array_equal(one, other)
