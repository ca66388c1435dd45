"""Names that OpenVINO makes up, numbered anew by place: the same model gives the same file.

`Constant_29339` counts all nodes that its process ever made, so a worker that has converted something before
would write other names, and the file would have another digest.
"""

from __future__ import annotations

import re
from typing import Any

MADE_UP = re.compile(r"([A-Z][A-Za-z0-9]*)_\d+(?=/|$)")  # `Convolution_17`, `Convolution_17/fq_weights_1`


def number_anew(model: Any) -> None:
    """Rename the nodes of an OpenVINO model whose names have such numbers, in the order they compute."""
    operators = model.get_ordered_ops()
    numbers: dict[str, int] = {}
    for operator in operators:
        if match := MADE_UP.match(operator.get_friendly_name()):
            numbers.setdefault(match[0], len(numbers))
    for operator in operators:
        name = operator.get_friendly_name()
        if match := MADE_UP.match(name):
            operator.set_friendly_name(f"{match[1]}_{numbers[match[0]]}{name[match.end() :]}")
