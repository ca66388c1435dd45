"""A trained model as TensorFlow has it in memory: what keras.py and savedmodel.py give to tensorflow.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from edgegreen.sources.model import Port


@dataclass(frozen=True)
class Opened:
    """A model in TensorFlow: `call` takes and gives flat lists of tensors, in the source's own order.

    `kept` owns the variables: they go when it goes.
    """

    inputs: tuple[Port, ...]
    outputs: tuple[str, ...]
    call: Callable[[list[Any]], list[Any]]
    variables: list[Any]
    kept: Any
