from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest

from edgegreen.agent.normalize import Normalize
from edgegreen.compress import fold, graph
from edgegreen.config.passes import Fold
from edgegreen.errors import InputError

from .conftest import Heard, uneven

PLAIN = Normalize((0.0,), (1 / 255,))
CENTRED = Normalize((127.5,), (1 / 127.5,))
SCALES = Normalize((100.0,), (1 / 50, 1 / 60, 1 / 70))
CHANNELS = Normalize((123.0, 116.0, 103.0), (1 / 58, 1 / 57, 1 / 56))


def branches(keras: ModuleType, padding: str, *front: Any) -> Any:
    """Odd sizes, so that TensorFlow's SAME pads unevenly; four kinds of kernels at the input."""
    layers = keras.layers
    image = keras.Input((9, 8, 3), name="image")
    x = image
    for layer in front:
        x = layer(x)
    ways = [
        layers.Conv2D(4, 3, strides=2, padding=padding, use_bias=False)(x),
        layers.Conv2D(4, 2, dilation_rate=2, padding=padding)(layers.ZeroPadding2D(((0, 1), (2, 0)))(x)),
        layers.DepthwiseConv2D(3, depth_multiplier=2, padding=padding, use_bias=False)(x),
        layers.SeparableConv2D(4, 3, strides=2, depth_multiplier=2, padding=padding)(x),
        layers.Dense(4)(x),
    ]
    ways = [layers.GlobalAveragePooling2D()(layers.ReLU()(layers.BatchNormalization()(one))) for one in ways]
    x = layers.Dense(3)(layers.Concatenate()(ways))
    return uneven(keras.Model(image, layers.BatchNormalization(name="logits")(x)))


def agree(model: Any, made: Any, normalize: Normalize | None) -> None:
    raw = np.random.default_rng(2).integers(0, 256, (3, *model.inputs[0].shape[1:])).astype(np.uint8)
    want = graph.compute(model, [normalize(raw) if normalize else raw])[0]
    got = graph.compute(made, [raw])[0]
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-5 * np.abs(want).max())


def kinds(model: Any) -> list[str]:
    return [graph.kind_of(layer) for layer in model.layers]


@pytest.mark.parametrize(
    ("padding", "normalize"), [("same", PLAIN), ("same", CENTRED), ("same", SCALES), ("valid", CENTRED)]
)
def test_the_recipes_normalisation_goes_into_every_first_kernel(
    keras: ModuleType, heard: Heard, padding: str, normalize: Normalize
) -> None:
    model = branches(keras, padding)
    made = fold.apply(model, Fold(), heard.training(normalize))
    assert "BatchNormalization" not in kinds(made)
    assert made.output_names == ["logits"]
    agree(model, made, normalize)
    assert heard.notes[0] == "6 batch normalisations folded"
    assert heard.notes[1].endswith("; the model takes raw values")


def test_layers_at_the_front_are_folded_with_it(keras: ModuleType, heard: Heard) -> None:
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((5, 5, 3)),
            layers.Rescaling(1 / 255, offset=-0.5),
            layers.Normalization(mean=[0.1, 0.2, 0.3], variance=[1.0, 2.0, 3.0]),
            layers.Conv2D(4, 3),
        ]
    )
    made = fold.apply(uneven(model), Fold(), heard.training(SCALES))
    assert kinds(made) == ["Conv2D"]
    agree(model, made, SCALES)


def test_into_a_dense_layer_behind_a_flattening(keras: ModuleType, heard: Heard) -> None:
    layers = keras.layers
    model = uneven(keras.Sequential([keras.Input((2, 3, 3)), layers.Flatten(), layers.Dense(4)]))
    made = fold.apply(model, Fold(), heard.training(CHANNELS))
    assert isinstance(made, keras.Sequential)
    agree(model, made, CHANNELS)


def test_zero_padding_that_no_operator_can_stand_for_is_refused(keras: ModuleType, heard: Heard) -> None:
    with pytest.raises(InputError, match=r"another raw value in each channel \(103, 116, 123\)"):
        fold.apply(branches(keras, "same"), Fold(), heard.training(CHANNELS))


def test_without_a_recipes_word_the_front_is_folded_where_it_can_be(keras: ModuleType, heard: Heard) -> None:
    front = keras.layers.Normalization(mean=[1.0, 2.0, 3.0], variance=[1.0, 4.0, 9.0])
    model = branches(keras, "same", front)
    made = fold.apply(model, Fold(), heard.training())
    assert "Normalization" in kinds(made)
    assert "another raw value" in heard.notes[-1]
    agree(model, made, None)


def test_a_first_layer_that_cannot_take_it(keras: ModuleType, heard: Heard) -> None:
    layers = keras.layers
    model = keras.Sequential([keras.Input((4, 4, 3)), layers.MaxPooling2D(2), layers.Conv2D(2, 1)])
    with pytest.raises(InputError, match="a MaxPooling2D takes the normalised input"):
        fold.apply(model, Fold(), heard.training(CENTRED))


def test_batch_norm_that_follows_no_kernel_alone_stays(keras: ModuleType, heard: Heard) -> None:
    layers = keras.layers
    image = keras.Input((4, 4, 3))
    conv = layers.Conv2D(4, 1, name="twice")(image)
    normed = layers.BatchNormalization(name="kept")(conv)
    after = layers.BatchNormalization(name="also")(layers.Conv2D(4, 1, activation="relu")(normed))
    model = uneven(keras.Model(image, [layers.Add()([conv, normed]), after]))
    made = fold.apply(model, Fold(input=False), heard.training())
    assert heard.notes[1].startswith("left alone: kept, also: ")
    agree(model, made, None)
