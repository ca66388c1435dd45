"""Open a Keras file (.keras, .h5) with Keras 3. Runs in the TensorFlow worker only."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from edgegreen.errors import InputError
from edgegreen.sources.model import Port
from edgegreen.sources.opened import Opened


def open_model(path: Path) -> Opened:
    """Load the model; nobody's code in it is run. Raises InputError when Keras cannot, with the reason."""
    import keras
    import tensorflow as tf

    try:
        model = keras.models.load_model(path, custom_objects=_old_layers(), compile=False, safe_mode=True)
    except Exception as error:
        raise _reason(path, error) from error
    if not getattr(model, "inputs", None):
        raise InputError(
            f"{path}: the model has no fixed inputs (it was never built, or is a subclass of Model)",
            hint="save it as a SavedModel, whose signature says what goes in",
        )

    def call(values: list[Any]) -> list[Any]:
        # One structure in, whatever the model was made with: a flat list, in the order of model.inputs.
        outputs = model(values if len(values) > 1 else values[0], training=False)
        return list(tf.nest.flatten(outputs))

    names = getattr(model, "output_names", None)
    if not names:  # a Sequential has none, and its tensors' names are made up
        names = [model.layers[-1].name] if len(model.outputs) == 1 else [one.name for one in model.outputs]
    return Opened(
        inputs=tuple(Port(one.name, tuple(one.shape), str(one.dtype)) for one in model.inputs),
        outputs=tuple(names),
        call=call,
        variables=[variable.value for variable in model.variables],
        kept=model,
    )


def _old_layers() -> dict[str, Any]:
    """Layers as older Keras wrote them: its DepthwiseConv2D has `groups: 1`, which Keras 3 refuses."""
    import keras

    class DepthwiseConv2D(keras.layers.DepthwiseConv2D):  # type: ignore[misc]
        def __init__(self, *arguments: Any, groups: int = 1, **options: Any) -> None:
            if groups != 1:
                raise ValueError(f"a DepthwiseConv2D with groups={groups} means nothing")
            super().__init__(*arguments, **options)

    return {"DepthwiseConv2D": DepthwiseConv2D}


def _reason(path: Path, error: Exception) -> InputError:
    text = str(error)
    if "Lambda" in text and ("safe_mode" in text or "unsafe" in text.lower()):
        return InputError(
            f"{path}: has a Lambda layer, which is Python code stored in the file; it is not run",
            hint="replace the layer by one of Keras' own, or save the model as a SavedModel",
        )
    if unknown := re.search(r"Could not locate (class|function) '(\w+)'", text):
        return InputError(
            f"{path}: uses the {unknown[1]} `{unknown[2]}`, which Keras does not have",
            hint="save the model as a SavedModel, which needs no Python code of yours",
        )
    return InputError(f"{path}: Keras cannot load it: {_first_line(text) or type(error).__name__}")


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")[:300]
