from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edgegreen.compress import graph, low_rank
from edgegreen.config.passes import LowRank

from .conftest import Heard, uneven

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*structure of `inputs` doesn't match:UserWarning"),
]

KERNELS = arrays(
    np.float32, st.tuples(st.integers(1, 7), st.integers(1, 7)), elements=st.floats(-1, 1, width=32)
)


@given(kernel=KERNELS)
def test_at_full_rank_the_factors_are_the_kernel(kernel: np.ndarray) -> None:
    first, second = low_rank.factors(kernel, min(kernel.shape))
    np.testing.assert_allclose(first @ second, kernel, atol=1e-5)


@given(kernel=KERNELS, energy=st.floats(0.1, 1))
def test_the_energy_is_kept_by_no_more_than_it_takes(kernel: np.ndarray, energy: float) -> None:
    rank = low_rank.rank_of(kernel, LowRank(energy=energy))

    def kept(rank: int) -> float:
        first, second = low_rank.factors(kernel, rank) if rank else (np.zeros((1, 1)), np.zeros((1, 1)))
        return float(np.square((first @ second).astype(np.float64)).sum())

    whole = float(np.square(kernel.astype(np.float64)).sum())
    assert kept(rank) >= energy * whole * (1 - 1e-4)
    assert rank == 1 or kept(rank - 1) <= energy * whole * (1 + 1e-4)


def test_what_saves_work_is_split_and_computes_nearly_the_same(keras: ModuleType, heard: Heard) -> None:
    layers = keras.layers
    model = uneven(
        keras.Sequential(
            [
                keras.Input((6, 6, 8)),
                layers.Conv2D(16, 1, strides=2, activation="relu", name="pointwise"),
                layers.Conv2D(8, 3, name="spatial"),
                layers.Flatten(name="flatten"),
                layers.Dense(16, use_bias=False, name="full"),
                layers.Dense(12, name="sparse"),
                layers.Dense(3, name="thin"),
            ]
        )
    )
    random = np.random.default_rng(0)
    for name, kernel in (
        ("pointwise", (random.normal(size=(8, 2)) @ random.normal(size=(2, 16)))[None, None]),
        ("full", np.eye(8, 16)),
        ("sparse", np.outer(np.arange(16) % 2, np.ones(12))),
        ("thin", np.outer(np.ones(12), np.ones(3))),
    ):
        model.get_layer(name).kernel.assign(kernel)
    made = low_rank.apply(model, LowRank(energy=0.999, epochs=0), heard.training())
    names = [layer.name for layer in made.layers]
    assert names == [
        "pointwise_narrow", "pointwise", "spatial", "flatten", "full", "sparse", "thin_narrow", "thin",
    ]  # fmt: skip
    assert heard.notes[:2] == [
        "left alone: sparse: its zeros or shared values would be lost",
        "split pointwise (2 of 8), thin (1 of 3)",
    ]
    assert (graph.macs(made) or 0) < (graph.macs(model) or 0)
    x = random.random((3, 6, 6, 8), np.float32)
    np.testing.assert_allclose(graph.compute(model, [x])[0], graph.compute(made, [x])[0], rtol=1e-4)
