"""What training must not undo: zeros and shared values, kept in a kernel after each step of the optimizer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

FEW_ZEROS = 0.02  # of a kernel: fewer are chance, not somebody's pruning
MOST_CLUSTERS = 256  # distinct values of a kernel: more are not somebody's clustering
LEAST_SHARING = 4  # weights to a value on average, likewise


class Rule(Protocol):
    """Value → the nearest one that is allowed. Traced by TensorFlow; both have the variable's shape."""

    def __call__(self, value: Any) -> Any:
        """The value as it may be."""


class Zeros:
    """Weights where `mask` (of the variable's shape, an array or a tf.Variable) is 0 stay 0."""

    def __init__(self, mask: Any) -> None:
        self.mask = mask

    def __call__(self, value: Any) -> Any:
        """The value with its zeros: none of them negative, which would be other bytes in a file."""
        import tensorflow as tf

        return tf.where(self.mask > 0, value, 0.0)


class Clusters:
    """Weights of one cluster stay equal: each becomes the cluster's mean. A cluster at zero stays there.

    `numbers` has the variable's shape and says which cluster each weight is in, from 0; `zero` is the number
    of the cluster at zero, None when there is none.
    """

    def __init__(self, numbers: NDArray[np.int32], zero: int | None) -> None:
        sizes = np.bincount(numbers.reshape(-1)).astype(np.float32)
        shares = 1 / np.maximum(sizes, 1)
        if zero is not None:
            shares[zero] = 0
        self.numbers, self.shares = numbers, shares

    def __call__(self, value: Any) -> Any:
        """The value with its clusters."""
        import tensorflow as tf

        sums = tf.math.unsorted_segment_sum(value, self.numbers, len(self.shares))
        return tf.gather(tf.where(self.shares > 0, sums * self.shares, 0.0), self.numbers)


class _Kept:
    """A rule of ours after the model's own constraint, which it would otherwise replace."""

    def __init__(self, own: Any, rule: Rule) -> None:
        self.own, self.rule = own, rule

    def __call__(self, value: Any) -> Any:
        return self.rule(value if self.own is None else self.own(value))


@contextmanager
def kept(variable: Any, rule: Rule | None) -> Iterator[None]:
    """Within the block the variable has this rule beside any constraint of its own; None: nothing changes.

    A variable that has a rule already keeps that one: the pass at work knows better than what it finds.
    """
    own = variable.constraint
    if rule is None or isinstance(own, _Kept):
        yield
        return
    variable.constraint = _Kept(own, rule)
    try:
        yield
    finally:
        variable.constraint = own


@contextmanager
def all_kept(variables: Sequence[Any], rule_of: Callable[[Any], Rule | None]) -> Iterator[None]:
    """`kept` for each of the variables, with the rule that `rule_of` gives for it."""
    with ExitStack() as stack:
        for variable in variables:
            stack.enter_context(kept(variable, rule_of(variable)))
        yield


def found_in(variable: Any) -> Rule | None:
    """What an earlier pass made of a kernel: clusters (zeros among them) or zeros; None for neither."""
    weights = np.asarray(variable)
    distinct, numbers = np.unique(weights, return_inverse=True)
    if len(distinct) == 1:  # a layer not trained yet, which starts from zeros or ones
        return None
    if len(distinct) <= min(MOST_CLUSTERS, weights.size // LEAST_SHARING):
        zero = np.flatnonzero(distinct == 0)
        shaped = numbers.reshape(weights.shape).astype(np.int32)
        return Clusters(shaped, int(zero[0]) if len(zero) else None)
    mask = np.asarray(weights != 0, np.float32)
    return Zeros(mask) if mask.mean() < 1 - FEW_ZEROS else None
