"""Figures of layers and their sum, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from costs.graphs import dense, graph, plain
from edgegreen.costs import energy
from edgegreen.costs.graph import Tensor
from edgegreen.costs.layers import costs

WEIGHTS = np.array([[0, 0, 0.5], [0.5, 2, 3], [0, 1, 2], [0, 0, 0]], np.float32)


def test_one_layer() -> None:
    (layer,) = costs(graph(dense("d", WEIGHTS, "x"))).layers
    assert (layer.parameters, layer.macs) == (12, 12)
    assert (layer.read_bytes, layer.written_bytes) == (4 * 4 + 12 * 4, 3 * 4)
    assert layer.intensity == pytest.approx(12 / 76)
    assert layer.sparsity == pytest.approx(6 / 12)
    assert layer.distinct == 5
    assert layer.absent is None


def test_the_estimate_is_arithmetic_and_bytes_from_a_cache_or_from_dram() -> None:
    """12 MACs of 3.7 + 0.9 pJ; 76 bytes of 100 or 2600 pJ for each 8."""
    (layer,) = costs(graph(dense("d", WEIGHTS, "x"))).layers
    assert layer.energy_estimate is not None
    assert layer.energy_estimate.arithmetic_uj == pytest.approx(12 * 4.6e-6)
    assert layer.energy_estimate.low_uj == pytest.approx(12 * 4.6e-6 + 76 * 12.5e-6)
    assert layer.energy_estimate.high_uj == pytest.approx(12 * 4.6e-6 + 76 * 325e-6)
    int8 = energy.estimate(1_000_000, "int8", 0)
    assert int8 is not None
    assert int8.low_uj == int8.high_uj == pytest.approx(0.3)


def test_what_has_no_published_cost_is_left_without_an_estimate() -> None:
    found = costs(graph(dense("d", WEIGHTS, "x", arithmetic="int16 × int8"), plain("r", "RELU", ("d",), 3)))
    assert [one.energy_estimate is None for one in found.layers] == [True, False]
    assert "int16 × int8" in (found.layers[0].absent or "")
    assert found.total.energy_estimate is None
    assert (found.total.macs, found.total.incomplete) == (12, ())


def test_a_layer_that_nobody_knows_leaves_the_total_a_lower_bound() -> None:
    custom = plain("c", "edgetpu-custom-op", ("d",), 3, role="unknown", macs=None)
    found = costs(graph(dense("d", WEIGHTS, "x"), custom))
    unknown = found.layers[1]
    assert (unknown.macs, unknown.parameters, unknown.read_bytes, unknown.energy_estimate) == (None,) * 4
    assert unknown.absent == "what edgetpu-custom-op computes is known to its runtime only"
    assert (found.total.macs, found.total.incomplete) == (12, ("edgetpu-custom-op",))
    assert found.total.intensity is found.total.energy_estimate is None
    alone = costs(graph(plain("c", "edgetpu-custom-op", ("x",), 3, role="unknown", macs=None))).total
    assert (alone.macs, alone.parameters) == (None, None)


def test_open_shapes_are_no_shapes() -> None:
    node = dense("d", WEIGHTS, "x", macs=None, outputs=(Tensor("d", None, "float32"),))
    (layer,) = costs(graph(node)).layers
    assert layer.macs == 12
    assert (layer.written_bytes, layer.intensity, layer.energy_estimate) == (None, None, None)
    assert "leaves open" in (layer.absent or "")


def test_shared_weights_count_once_in_the_total() -> None:
    square = np.eye(3, dtype=np.float32)
    first = dense("a", square, "x")
    second = dense("b", square, "a", constants=first.constants, kernel=first.kernel)
    found = costs(graph(first, second))
    assert [one.parameters for one in found.layers] == [9, 9]
    assert (found.total.parameters, found.total.macs) == (9, 18)
    assert found.total.sparsity == pytest.approx(6 / 9)


def test_views_move_nothing_and_lookups_read_what_they_take() -> None:
    table = Tensor("t", (1000, 3), "float32")
    view = plain("v", "RESHAPE", ("x",), 3, role="view")
    rows = plain("r", "GATHER", ("v",), 3, role="lookup", constants=(table,))
    first, second = costs(graph(view, rows)).layers
    assert (first.read_bytes, first.written_bytes, first.macs, first.intensity) == (0, 0, 0, None)
    assert (second.parameters, second.read_bytes, second.written_bytes) == (3000, 24, 12)


@pytest.mark.parametrize(
    ("shape", "dtype", "want"), [((3,), "int4", 2), ((2, 5), "bfloat16", 20), ((), "int8", 1)]
)
def test_bytes_of_a_tensor(shape: tuple[int, ...], dtype: str, want: int) -> None:
    assert Tensor("t", shape, dtype).size_bytes == want
    assert Tensor("t", shape, "string").size_bytes is None
