"""What passes could win: done to copies of weights, counted on small graphs."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from costs.graphs import dense, graph, plain
from edgegreen.costs import prospects
from edgegreen.costs.graph import Graph, Node, Tensor
from edgegreen.costs.prospects import Prospect

RANDOM = np.random.default_rng(0)


def weights(*shape: int) -> np.ndarray:
    return RANDOM.normal(size=shape).astype(np.float32)


def by_pass(one: Graph) -> dict[str, Prospect]:
    return {found.passes: found for found in prospects.prospects(one)}


FLOATS = arrays.arrays(np.float32, st.integers(1, 300), elements=st.floats(-10, 10, width=32))


@settings(max_examples=50, deadline=None)
@given(FLOATS)
def test_pruned_keeps_the_largest(values: np.ndarray) -> None:
    made = prospects.pruned(values)
    count = round(0.8 * values.size)
    assert np.count_nonzero(made == 0) >= count
    kept = made != 0
    np.testing.assert_array_equal(made[kept], values[kept])
    if kept.any() and count:
        assert np.abs(values[kept]).min() >= np.sort(np.abs(values))[count - 1]


@settings(max_examples=50, deadline=None)
@given(FLOATS, st.integers(2, 16))
def test_clustered_has_few_values_keeps_zeros_and_stays_near(values: np.ndarray, clusters: int) -> None:
    made = prospects.clustered(values, clusters)
    assert len(np.unique(made)) <= clusters
    assert np.all(made[values == 0] == 0)
    spread = np.ptp(values[values != 0]) if np.any(values != 0) else 0.0
    assert np.abs(made - values).max() <= spread + 1e-4


def test_clusters_are_better_than_even_steps() -> None:
    values = weights(5000)
    even = np.linspace(values.min(), values.max(), 16)
    rounded = even[np.abs(values[:, None] - even).argmin(axis=1)]
    assert np.mean((prospects.clustered(values) - values) ** 2) < np.mean((rounded - values) ** 2)


def test_sizes_are_of_the_deflated_weights_and_fall() -> None:
    kernel = weights(64, 100)
    found = by_pass(graph(dense("d", kernel, "x")))
    assert found["prune 80%"].now == len(zlib.compress(kernel.tobytes(), 6))
    sizes = [found[name].then or 0 for name in ("prune 80%", "cluster 16", "prune 80% + cluster 16")]
    assert sizes[2] < min(sizes[:2]) < (found["prune 80%"].now or 0) / 3


def test_int8_takes_a_byte_a_weight_and_leaves_the_rest() -> None:
    layer = dense("d", weights(64, 100), "x")
    bias = Tensor("d/b", (100,), "float32")
    found = by_pass(graph(dense("d", weights(64, 100), "x", constants=(*layer.constants, bias))))["int8"]
    assert (found.now, found.then) == (6400 * 4 + 400, 6400 + 400)


def test_a_large_kernel_is_sampled_and_says_so() -> None:
    found = by_pass(graph(dense("d", weights(400, 400), "x")))["prune 80%"]
    whole = len(zlib.compress(weights(400, 400).tobytes(), 6))
    assert found.now == pytest.approx(whole, rel=0.01)
    assert "from the first 65,536 weights" in found.assumes


def test_halved_filters_take_their_share_of_the_layers_behind() -> None:
    chain = graph(
        dense("a", weights(8, 16), "x"), plain("r", "RELU", ("a",), 16), dense("b", weights(16, 32), "r"),
        dense("c", weights(32, 4), "b"),
    )  # fmt: skip
    found = by_pass(chain)["prune_filters 50%"]
    assert found.layers == ("a", "b")
    assert (found.now, found.then) == (128 + 512 + 128, 64 + 128 + 64)


def test_filters_that_are_added_to_the_inputs_or_given_out_stay() -> None:
    residual = graph(
        dense("a", weights(8, 8), "x"), plain("s", "ADD", ("a", "x"), 8), dense("b", weights(8, 4), "s")
    )
    assert by_pass(residual)["prune_filters 50%"].then is None
    between = graph(
        dense("a", weights(8, 8), "x"), dense("e", weights(8, 8), "x"), plain("s", "ADD", ("a", "e"), 8),
        dense("b", weights(8, 4), "s"),
    )  # fmt: skip
    found = by_pass(between)["prune_filters 50%"]
    assert found.layers == ("a", "e")
    assert found.then == (found.now or 0) // 2
    given_out = graph(dense("a", weights(8, 8), "x"), dense("b", weights(8, 4), "a"), outputs=("a", "b"))
    assert by_pass(given_out)["prune_filters 50%"].absent is not None


def test_low_rank_pays_where_the_rank_is_low() -> None:
    thin = (weights(64, 2) @ weights(2, 64)).astype(np.float32)
    assert prospects.rank_for(thin) <= 2
    found = by_pass(graph(dense("full", weights(64, 64), "x"), dense("thin", thin, "full")))["low_rank"]
    assert found.layers == ("thin",)
    assert found.then == 4096 + 128 * prospects.rank_for(thin)
    none = by_pass(graph(dense("full", weights(64, 64), "x")))["low_rank"]
    assert none.then is None
    assert none.absent is not None
    assert "none of the 1 dense and 1×1 layers" in none.absent


def test_a_scale_beside_a_product_folds_and_one_alone_does_not() -> None:
    def scale(name: str, source: str, channels: int) -> Node:
        constant = Tensor(f"{name}/c", (channels,), "float32")
        return plain(name, "MUL", (source,), channels, constants=(constant,), affine=True)

    after = graph(dense("a", weights(8, 8), "x"), scale("m", "a", 8), plain("r", "RELU", ("m",), 8))
    found = by_pass(after)["fold"]
    assert found.layers == ("m",)
    assert (found.now or 0) - (found.then or 0) == 3 * 8 * 4
    before = graph(scale("m", "x", 8), dense("a", weights(8, 8), "m"))
    assert by_pass(before)["fold"].layers == ("m",)
    apart = graph(
        dense("a", weights(8, 8), "x"),
        plain("r", "RELU", ("a",), 8),
        scale("m", "r", 8),
        plain("t", "TANH", ("m",), 8),
    )
    assert by_pass(apart)["fold"].absent is not None


def test_integers_are_past_it() -> None:
    found = prospects.prospects(graph(dense("d", RANDOM.integers(-127, 127, (64, 64)).astype(np.int8), "x")))
    assert {one.then for one in found} == {None}
    assert all(one.absent for one in found)
    assert prospects.prospects(graph(plain("r", "RELU", ("x",), 3))) == ()
