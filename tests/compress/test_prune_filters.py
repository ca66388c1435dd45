from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from edgegreen.compress import channels, filter_scores, graph, prune_filters
from edgegreen.config.passes import PruneFilters
from edgegreen.errors import InputError
from edgegreen.sources.keras import open_model

from .conftest import Heard, uneven

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*structure of `inputs` doesn't match:UserWarning"),
]


def width(model: Any, name: str) -> int:
    return int(model.get_layer(name).output.shape[-1])


def noise(model: Any, n: int = 4) -> np.ndarray:
    return np.random.default_rng(3).random((n, *model.inputs[0].shape[1:]), np.float32)


def test_nothing_removed_is_the_same_model(branched: Callable[[], Any], heard: Heard) -> None:
    model = branched()
    made = prune_filters.apply(model, PruneFilters(share=0.0, epochs=0), heard.training())
    np.testing.assert_array_equal(
        graph.compute(model, [noise(model)])[0], graph.compute(made, [noise(model)])[0]
    )


def test_half_of_every_group_goes_and_the_work_with_it(branched: Callable[[], Any], heard: Heard) -> None:
    model = branched()
    made = prune_filters.apply(model, PruneFilters(share=0.5, epochs=0), heard.training())
    found = {
        name: width(made, name) for name in ("stem", "spread", "back", "squeeze", "excite", "left", "right")
    }
    assert found == {"stem": 4, "spread": 8, "back": 4, "squeeze": 2, "excite": 4, "left": 3, "right": 2}
    assert width(made, "hidden") == 6
    assert width(made, "digit") == 3
    assert made.count_params() < 0.35 * model.count_params()
    assert (graph.macs(made) or 0) < 0.4 * (graph.macs(model) or 0)
    assert heard.notes[-1].startswith(f"{model.count_params():,} → {made.count_params():,} parameters, ")


@pytest.mark.parametrize("score", ["l1", "l2", "bn", "taylor"])
def test_filters_that_do_nothing_go_first_and_nothing_is_lost(
    keras: ModuleType, branched: Callable[[], Any], heard: Heard, score: str
) -> None:
    """Every second channel of each group is dead throughout: without them the model computes the same."""
    model = branched()
    marks = channels.read(model)
    dead = {root for group in prune_filters._groups(marks).values() for root in group[::2]}
    for use in marks.uses.values():
        gone = np.array([int(root) in dead for root in marks.roots(use.given)])
        for variable in getattr(use.operation, "weights", ()):
            kept = variable.numpy()
            if variable.name in ("gamma", "beta", "bias") or (
                variable.name in ("kernel", "pointwise_kernel") and use.operation.name != "spread"
            ):
                kept[..., gone] = 0
            variable.assign(kept)
    y = np.arange(40) % 3
    training = heard.on(noise(model, 40), y)
    worth = filter_scores.of(score, model, marks, training)
    assert all(worth[root] < 1e-6 for root in dead if root in worth)
    if score != "bn":  # which has a score for one group only
        made = prune_filters.apply(model, PruneFilters(share=0.5, score=score, epochs=0), training)
        # a gate's sigmoid(0) = ½ meets a channel that is 0: nothing gets through
        want, got = graph.compute(model, [noise(model)]), graph.compute(made, [noise(model)])
        np.testing.assert_allclose(want[0], got[0], atol=1e-5)


def test_by_batch_norm_only_where_there_is_one(branched: Callable[[], Any], heard: Heard) -> None:
    made = prune_filters.apply(branched(), PruneFilters(score="bn", epochs=0), heard.training())
    assert [width(made, name) for name in ("stem", "back", "excite", "left")] == [4, 4, 4, 6]
    assert heard.notes[0] == (
        "left alone: squeeze, left, right, hidden: no batch normalisation with a scale follows each filter"
    )


def test_taylor_is_the_gradient_of_a_gate(keras: ModuleType, heard: Heard) -> None:
    """Against the loss's own change when a channel is scaled down a little, sample by sample."""
    layers = keras.layers
    model = uneven(
        keras.Sequential([keras.Input((5,)), layers.Dense(4, activation="tanh", name="h"), layers.Dense(1)])
    )
    x, y = noise(model, 30), np.random.default_rng(0).random((30, 1)).astype("f4")
    training = heard.on(x, y, "mse")
    marks = channels.read(model)
    worth = filter_scores.of("taylor", model, marks, training)
    given = marks.roots(marks.uses[id(model.get_layer("h"))].given)
    hidden = graph.compute(keras.Model(model.inputs, model.get_layer("h").output), [x[:-10]])[0]
    kernel, bias = (np.float64(one) for one in model.layers[-1].get_weights())
    for channel, root in enumerate(given):
        ends = []
        for gate in (1 - 1e-5, 1 + 1e-5):
            gated = hidden.copy()
            gated[:, channel] *= gate
            ends.append(((gated @ kernel + bias - y[:-10]) ** 2)[:, 0])
        assert worth[int(root)] == pytest.approx(np.abs((ends[1] - ends[0]) / 2e-5).mean(), rel=1e-3)


def test_what_is_not_understood_is_left_alone_and_said(keras: ModuleType, heard: Heard) -> None:
    layers = keras.layers
    image = keras.Input((6, 6, 2))
    x = layers.Conv2D(8, 3, name="free")(image)
    x = layers.Conv2D(8, 3, name="normed")(x)
    x = layers.Conv2D(8, 1, groups=2, name="grouped")(layers.LayerNormalization(name="norm")(x))
    x = layers.Dense(6, name="tied")(layers.Flatten()(x))
    x = layers.Add()([layers.Dense(6, name="also")(x), layers.Softmax(name="soft")(x)])
    model = keras.Model(image, x)
    made = prune_filters.apply(model, PruneFilters(epochs=0), heard.training())
    names = ("free", "normed", "grouped", "tied", "also")
    assert [width(made, name) for name in names] == [4, 8, 8, 6, 6]
    assert heard.notes[:-1] == [
        "left alone: normed: `norm` is a LayerNormalization, which may look at all channels at once",
        "left alone: tied: `soft` is a Softmax, which may look at all channels at once",
    ]


def test_shared_layers_lose_the_same(keras: ModuleType, heard: Heard, tmp_path: Path) -> None:
    layers = keras.layers
    block = keras.Sequential([keras.Input((8,)), layers.Dense(6, activation="relu", name="in")], name="block")
    out = layers.Dense(8, activation="relu", name="out")
    first = keras.Input((4,))
    x = layers.Dense(8, name="first")(first)
    for _ in range(2):
        x = layers.Add()([x, out(block(x))])
    model = keras.Model(first, layers.Dense(2, name="last")(x))
    made = prune_filters.apply(model, PruneFilters(share=0.25, epochs=0), heard.training())
    assert [width_of(made, name) for name in ("first", "in", "out", "last")] == [6, 4, 6, 2]
    made.save(tmp_path / "made.keras")
    assert open_model(tmp_path / "made.keras").kept.count_params() == made.count_params()


def width_of(model: Any, name: str) -> int:
    return int(model.get_layer(name).units)


@pytest.mark.parametrize(
    ("share", "words"),
    [
        ({"stm": 0.5}, "no layer `stm`"),
        ({"digit": 0.5}, "`digit` can lose no filter: it is the model's output"),
        ({"stem": 0.5, "back": 0.25}, "lose the same filters"),
    ],
)
def test_shares_that_do_not_fit(branched: Callable[[], Any], heard: Heard, share: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        prune_filters.apply(branched(), PruneFilters(share=share, epochs=0), heard.training())


def test_in_rounds_by_layer_to_a_round_number(keras: ModuleType, heard: Heard) -> None:
    layers = keras.layers
    dense = {"first": 8, "second": 12, "third": 6}
    hidden = [layers.Dense(units, activation="relu", name=name) for name, units in dense.items()]
    model = keras.Sequential([keras.Input((5,)), *hidden, layers.Dense(3, activation="softmax")])
    training = heard.on(noise(model, 40), np.arange(40) % 3)
    parameters = PruneFilters(
        share={"second": 0.5, "third": 0.5}, steps=2, epochs=0, multiple_of=4, score="taylor"
    )

    def made() -> Any:
        keras.utils.set_random_seed(0)
        return prune_filters.apply(graph.rebuild(model, lambda _: None), parameters, training)

    one, other = made(), made()
    assert [width(one, name) for name in dense] == [8, 8, 4]
    for some, others in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(some, others)


def test_resnet8_loses_30_percent(assets: Path, heard: Heard, keras: ModuleType) -> None:
    model = open_model(assets / "resnet8" / "pretrainedResnet.h5").kept
    made = prune_filters.apply(model, PruneFilters(share=0.3, epochs=0), heard.training())
    assert (made.count_params(), graph.macs(made)) == (38_738, 6_069_506)
    assert (model.count_params(), graph.macs(model)) == (78_666, 12_501_632)
