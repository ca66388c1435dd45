"""The tree of layers and what stands below it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from costs.graphs import dense, graph, plain
from rich.cells import cell_len

from edgegreen.costs.layers import Costs
from edgegreen.costs.layers import costs as costs_of
from edgegreen.report import costs
from edgegreen.sources import ModelSummary
from report.test_listings import console

RANDOM = np.random.default_rng(0)


def summary(found: Costs | None, absent: str | None = None) -> ModelSummary:
    return ModelSummary("TFLite model", (), (), {}, 0, 0, found, absent)


def named(*names: str) -> list[tuple[str, Any]]:
    layer = costs_of(graph(plain("r", "RELU", ("x",), 3))).layers[0]
    return [(name, layer) for name in names]


def drawn(*names: str) -> list[str]:
    return [line.guide + line.name for line in costs.tree(named(*names))]


def test_neighbours_of_one_path_stand_together_and_what_all_share_goes() -> None:
    assert drawn("net/stem", "net/block1/conv", "net/block1/relu", "net/block2/a/conv", "out") == [
        "├ stem", "├ block1", "│ ├ conv", "│ └ relu", "├ block2/a/conv", "└ out",
    ]  # fmt: skip
    assert drawn("a/x", "b/y", "a/x", "a/x") == ["├ a/x", "├ b/y", "└ a", "  ├ x", "  └ x"]
    assert drawn("same", "same", "/same/") == ["├ same", "├ same", "└ same"]


@pytest.mark.parametrize("width", [80, 100, 140])
def test_figures_are_whole_at_any_width(width: int) -> None:
    name = "model/a_block_of_a_long_name/and_a_layer_of_another"
    kernel = RANDOM.normal(size=(3000, 2000)).astype(np.float32)
    shown, out = console(width)
    found = costs_of(graph(dense(name, kernel, "x"), dense("b", kernel.T, name)))
    costs.show(summary(found), shown)
    text = out.getvalue()
    assert max(map(cell_len, text.splitlines())) <= width
    row = next(line for line in text.splitlines() if "6.00M" in line)
    assert "6.00M 6.00M 24012" in " ".join(row.split())
    assert "…" not in "".join(row.split("6.00M")[1:])
    assert "Energy, estimated" in text
    assert "not measured: M. Horowitz" in " ".join(text.split())


def test_where_the_cost_sits_and_what_passes_could_win() -> None:
    big, small = (RANDOM.normal(size=shape).astype(np.float32) for shape in ((100, 100), (100, 10)))
    shown, out = console(200)
    costs.show(summary(costs_of(graph(dense("a", big, "x"), dense("b", small, "a")))), shown)
    text = out.getvalue()
    assert "MACs                     a 91 %" in text
    assert "prune_filters 50% MACs 11.0k 5.50k ÷ 2.00 1" in " ".join(text.split())
    assert "– fold: no layer that only scales" in text


def test_what_is_not_known_is_said_and_no_total_is_made_of_it() -> None:
    shown, out = console(120)
    custom = plain("c", "edgetpu-custom-op", ("x",), 3, role="unknown", macs=None)
    costs.show(summary(costs_of(graph(custom))), shown)
    text = out.getvalue()
    assert "– edgetpu-custom-op: what edgetpu-custom-op computes is known to its runtime only" in text
    assert "– no estimate of the energy" in text
    assert "Where the cost sits" not in text
    total = next(line for line in text.splitlines() if line.startswith("total"))
    assert total.split()[1:3] == ["–", "–"]


def test_no_costs_at_all() -> None:
    shown, out = console(80)
    costs.show(summary(None, "OpenVINO cannot read m.onnx"), shown)
    assert out.getvalue() == "\n– costs: OpenVINO cannot read m.onnx\n"


def test_a_name_cannot_move_the_cursor(tmp_path: Path) -> None:
    shown, out = console(120)
    costs.show(summary(costs_of(graph(plain("evil\x1b[2J", "RELU\x07", ("x",), 3)))), shown)
    assert "\x1b" not in out.getvalue()
    assert "\x07" not in out.getvalue()
