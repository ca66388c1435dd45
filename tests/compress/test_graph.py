from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from edgegreen.compress import graph
from edgegreen.sources.keras import open_model

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*structure of `inputs` doesn't match:UserWarning"),
]


def same(model: Any, other: Any, samples: int = 2) -> float:
    """The largest difference of their outputs on noise."""
    random = np.random.default_rng(1)
    x = [random.random((samples, *one.shape[1:]), np.float32) for one in model.inputs]
    pairs = zip(graph.compute(model, x), graph.compute(other, x), strict=True)
    return max(float(np.abs(one - two).max()) for one, two in pairs)


def shared(keras: ModuleType) -> Any:
    """A nested model used twice, its layers called as one outside; the last is a model, too."""
    layers = keras.layers
    inner = keras.Sequential(
        [keras.Input((6,)), layers.Dense(5, activation="relu", name="a"), layers.Dense(6, name="b")],
        name="inner",
    )
    tail = keras.Sequential([keras.Input((6,)), layers.Dense(2, name="last")], name="tail")
    first = keras.Input((6,), name="first")
    twice = inner(inputs=inner(first), training=False)
    return keras.Model(first, tail(layers.Dense(6, name="a")(inputs=twice)))


def chain(keras: ModuleType) -> Any:
    layers = keras.layers
    inner = keras.Sequential([layers.Dense(5), layers.ReLU()])
    return keras.Sequential(
        [keras.Input((4, 4, 1), name="image"), layers.Conv2D(3, 3), layers.Flatten(), inner, layers.Dense(2)]
    )


def normalised(keras: ModuleType) -> Any:
    """Its first layer has learned mean and variance, and computes with copies of them."""
    first = keras.layers.Normalization()
    first.adapt(np.random.default_rng(0).normal(5, 3, (64, 6)))
    return keras.Sequential([keras.Input((6,)), first, keras.layers.Dense(3)])


def augmented(keras: ModuleType) -> Any:
    """What its first layers do in training they would do whenever they are not told otherwise."""
    layers = keras.layers
    ends = [layers.RandomFlip(), layers.GaussianNoise(1.0), layers.Flatten(), layers.Dense(3)]
    return keras.Sequential([keras.Input((4, 4, 1)), *ends])


@pytest.mark.parametrize("made", [shared, chain, normalised, augmented, "branched"])
def test_a_copy_computes_the_same_under_the_same_names(
    keras: ModuleType, branched: Callable[[], Any], made: Any, tmp_path: Path
) -> None:
    model = branched() if made == "branched" else made(keras)
    copy = graph.rebuild(model, lambda _: None)
    assert isinstance(copy, keras.Sequential) == isinstance(model, keras.Sequential)
    assert [one.name for one in copy.inputs] == [one.name for one in model.inputs]
    assert getattr(copy, "output_names", None) == getattr(model, "output_names", None)
    if made not in (chain, normalised, augmented):
        assert type(copy.input) is type(model.input)
    assert same(model, copy) == 0
    copy.save(tmp_path / "copy.keras")
    assert same(model, open_model(tmp_path / "copy.keras").kept) == 0


def test_a_shared_model_is_flattened_and_stays_shared(keras: ModuleType) -> None:
    copy = graph.rebuild(shared(keras), lambda _: None)
    assert [layer.name for layer in copy.layers] == ["first", "a", "b", "a_", "tail"]
    read = graph.read(copy)
    assert [len(read.calls_of(copy.get_layer(name))) for name in ("a", "b", "a_")] == [2, 2, 1]


def test_multiplications_are_counted_by_hand(keras: ModuleType) -> None:
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((6, 6, 2)),
            layers.Conv2D(4, 3, groups=2),  # 4·4 places, 3·3·1·4
            layers.DepthwiseConv2D(2, depth_multiplier=2),  # 3·3 places, 2·2·4·2
            layers.Conv2DTranspose(3, 2),  # from 3·3 places, 2·2·8·3
            layers.Flatten(),
            layers.Dense(5),  # 4·4·3 · 5
        ]
    )
    assert graph.macs(model) == 16 * 36 + 9 * 32 + 9 * 96 + 48 * 5
