"""Open a SavedModel by one of its signatures. Runs in the TensorFlow worker only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgegreen.errors import InputError
from edgegreen.sources.model import Port
from edgegreen.sources.opened import Opened

DEFAULT = "serving_default"


def open_model(path: Path, signature: str | None) -> Opened:
    """Load the SavedModel's signature, `serving_default` or the only one when none is named.

    Raises InputError when it cannot be loaded, or when the signature is not there or not told.
    """
    import tensorflow as tf

    try:
        loaded = tf.saved_model.load(str(path))
    except Exception as error:
        if "add_slot" in str(error):  # TensorFlow looks for Keras 2 to load an optimizer, and goes on without
            raise InputError(
                f"{path}: was saved with an optimizer of Keras 2, which takes tf-keras to load",
                hint="pip install 'edgegreen[tensorflow]' brings it",
            ) from error
        reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise InputError(f"{path}: TensorFlow cannot load it: {reason[:300]}") from error
    function = loaded.signatures[_chosen(path, list(loaded.signatures), signature)]
    inputs = dict(sorted(function.structured_input_signature[1].items()))
    outputs = tuple(sorted(function.structured_outputs))

    def call(values: list[Any]) -> list[Any]:
        found = function(**dict(zip(inputs, values, strict=True)))
        return [found[name] for name in outputs]

    return Opened(
        inputs=tuple(Port(name, _dims(spec.shape), spec.dtype.name) for name, spec in inputs.items()),
        outputs=outputs,
        call=call,
        variables=list(function.variables),
        kept=loaded,
    )


def _chosen(path: Path, known: list[str], wanted: str | None) -> str:
    listed = ", ".join(f"`{name}`" for name in sorted(known))
    if not known:
        raise InputError(
            f"{path}: the SavedModel has no signatures",
            hint="save it with `signatures=`, or use a Keras file",
        )
    if wanted is not None and wanted not in known:
        raise InputError(f"{path}: no signature `{wanted}`; there is {listed}")
    if wanted is None and DEFAULT not in known and len(known) > 1:
        raise InputError(
            f"{path}: which of its signatures? There are {listed}",
            hint=f"add the one you deploy to the recipe: `signature: {min(known)}`",
        )
    return wanted or (DEFAULT if DEFAULT in known else known[0])


def _dims(shape: Any) -> tuple[int | None, ...] | None:
    return None if shape.rank is None else tuple(shape.as_list())
