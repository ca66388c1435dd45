"""How many multiply-accumulates (MACs) a product takes; None where a shape is not known.

Each of an output's terms counts as one, those with the zeros of a padding too, as is usual. Biases,
activations, pooling and other element-wise work have none.
"""

from __future__ import annotations

from math import prod

from edgegreen.costs.graph import Shape


def convolution(output: Shape | None, kernel: Shape | None) -> int | None:
    """`output`: shape in any layout; `kernel` as in `graph.Kernel`. Grouped and depthwise ones as well."""
    return None if output is None or kernel is None else prod(output) * prod(kernel[:-1])


def transposed(inputs: Shape | None, window: Shape, outputs_of_group: int) -> int | None:
    """A transposed convolution: each input is multiplied by a whole window of each output of its group."""
    return None if inputs is None else prod(inputs) * prod(window) * outputs_of_group


def matrix(output: Shape | None, inner: int | None) -> int | None:
    """A matrix product: `inner` is the extent that is summed over."""
    return None if output is None or inner is None else prod(output) * inner


def recurrent(inputs: Shape | None, weights: int) -> int | None:
    """All matrices of a recurrent layer (`weights` elements), once per step of `inputs` (…, features)."""
    return None if inputs is None else prod(inputs[:-1]) * weights
