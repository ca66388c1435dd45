"""Structured pruning: the filters that matter least, and all that depends on them, are removed.

The model that comes out is a smaller one of the same kind: fewer outputs of convolutions and dense layers,
and in what follows fewer inputs, scales, offsets. What hangs together is found in channels.py, what a filter
is worth in filter_scores.py. Within each group of layers that hang together the same share goes; one filter
at least stays. Removing in several rounds, with training in between, is the procedure of Molchanov et al.
(2017, arXiv:1611.06440).
"""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgegreen.compress import channels as marking
from edgegreen.compress import filter_scores, graph
from edgegreen.compress.channels import OUTPUT, Channels, Use
from edgegreen.compress.graph import Part
from edgegreen.compress.training import Training
from edgegreen.config.passes import PruneFilters
from edgegreen.errors import InputError

Group = tuple[str, ...]
"""Names of layers whose filters hang together."""
# The axes of each weight that run along a layer's inputs and along its outputs.
AXES: dict[str, dict[str, tuple[int | None, int | None]]] = {
    "Dense": {"kernel": (-2, -1), "bias": (None, -1)},
    "Conv": {"kernel": (-2, -1), "bias": (None, -1)},
    "Transpose": {"kernel": (-1, -2), "bias": (None, -1)},
    "Separable": {"depthwise_kernel": (-2, None), "pointwise_kernel": (-2, -1), "bias": (None, -1)},
    "Depthwise": {"kernel": (-2, None), "depthwise_kernel": (-2, None), "bias": (None, -1)},
    "BatchNormalization": dict.fromkeys(("gamma", "beta", "moving_mean", "moving_variance"), (-1, None)),
    "PReLU": {"alpha": (-1, None)},
}
KINDS = ("Transpose", "Separable", "Depthwise", "Dense", "Conv", "BatchNormalization", "PReLU")


def apply(model: Any, parameters: PruneFilters, training: Training) -> Any:
    """A smaller model, fine-tuned. Raises InputError for a layer that is not there."""
    before = model.count_params(), graph.macs(model)
    widths: dict[Group, int] = {}
    for step in range(1, parameters.steps + 1):
        channels = marking.read(model)
        worth = filter_scores.of(parameters.score, model, channels, training)
        groups = _groups(channels)
        widths = widths or {group: len(roots) for group, roots in groups.items()}
        if step == 1:
            shares = _shares(channels, groups, parameters.share)
            _tell_left_alone(channels, groups, worth, training)
        gone = {
            root
            for group, share in shares.items()
            for root in _least(
                groups[group], worth, _left(widths[group], share * step / parameters.steps, parameters)
            )
        }
        model = without(model, channels, gone)
        training.report(training.name, step / (parameters.steps + 1))
        if step < parameters.steps:
            training.fit(model, parameters, epochs=parameters.step_epochs)
    training.fit(model, parameters)
    training.note(graph.change(before, (model.count_params(), graph.macs(model))))
    return model


def without(model: Any, channels: Channels, gone: set[int]) -> Any:
    """The model without the channels whose marks have these roots; `channels` are the model's own."""

    def replace(operation: Any) -> list[Part] | None:
        use = channels.uses.get(id(operation))
        if use is None:
            return None
        stays = [
            np.array([int(root) not in gone for root in channels.roots(marks)])
            for marks in (use.taken, use.given)
        ]
        return None if all(one.all() for one in stays) else [_cut(use, *stays)]

    return graph.rebuild(model, replace)


def _cut(use: Use, taken: NDArray[np.bool_], given: NDArray[np.bool_]) -> Part:
    """The layer with what stays of its inputs and outputs."""
    layer, kind = use.operation, graph.kind_of(use.operation)
    axes = next((AXES[name] for name in KINDS if name in kind), {})
    left = int(given.sum())
    changes: dict[str, Any] = {}
    if kind in marking.FILTERS:
        changes["units" if kind == "Dense" else "filters"] = left
    if kind == "Reshape" and layer.target_shape[-1] != -1:
        changes["target_shape"] = (*layer.target_shape[:-1], left)
    weights = []
    for variable in getattr(layer, "weights", ()):
        value, (along_inputs, along_outputs) = variable.numpy(), axes[variable.name]
        inputs = _widened(taken, value, along_inputs, variable.name)
        for axis, stays in ((along_inputs, inputs), (along_outputs, given)):
            if axis is not None and value.shape[axis] == len(stays):
                value = np.compress(stays, value, axis=axis)
        weights.append(value)
    return graph.copy_of(layer, weights, **changes)


def _widened(taken: NDArray[np.bool_], value: Any, axis: int | None, name: str) -> NDArray[np.bool_]:
    """What stays of a pointwise kernel's inputs: the depthwise one before it may make several of each."""
    if name != "pointwise_kernel" or axis is None:
        return taken
    return np.repeat(taken, value.shape[axis] // len(taken))


def _groups(channels: Channels) -> dict[Group, list[int]]:
    """Roots of marks that may be removed, by the layers that made them; in the order of the model."""
    owners: dict[int, list[str]] = defaultdict(list)
    for mark, owner in enumerate(channels.owners):
        if owner is not None and channels.reason(mark) is None:
            owners[channels.root(mark)].append(owner)
    groups: dict[Group, list[int]] = defaultdict(list)
    for root, names in owners.items():
        groups[tuple(dict.fromkeys(names))].append(root)
    return groups


def _shares(
    channels: Channels, groups: Mapping[Group, list[int]], share: float | dict[str, float]
) -> dict[Group, float]:
    """What share of each group goes. Raises InputError for names and shares that do not fit the model."""
    if not isinstance(share, dict):
        return dict.fromkeys(groups, share)
    known = list(dict.fromkeys(owner for owner in channels.owners if owner))
    for name in share:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            raise InputError(
                f"prune_filters: the model has no layer `{name}` with filters",
                hint=f"did you mean `{near[0]}`?" if near else f"it has {', '.join(known)}",
            )
        if not any(name in group for group in groups):
            raise InputError(f"prune_filters: `{name}` can lose no filter: {_reason(channels, name)}")
    found = {}
    for group in groups:
        wanted = {share[name] for name in group if name in share}
        if len(wanted) > 1:
            raise InputError(
                f"prune_filters: {', '.join(f'`{name}`' for name in group)} lose the same filters, "
                f"and `share` gives them {' and '.join(map(str, sorted(wanted)))}"
            )
        if wanted:
            found[group] = wanted.pop()
    return found


def _left(width: int, share: float, parameters: PruneFilters) -> int:
    """How many of `width` filters stay when `share` of them goes: one at least, and a round number."""
    left = max(1, round(width * (1 - share)))
    return -(-left // parameters.multiple_of) * parameters.multiple_of


def _least(roots: list[int], worth: filter_scores.Worth, left: int) -> list[int]:
    """Those to go, worth least, so that `left` are left. None where some have no score."""
    if any(root not in worth for root in roots):
        return []
    return sorted(roots, key=lambda root: worth[root])[: max(0, len(roots) - left)]


def _reason(channels: Channels, name: str) -> str:
    reasons = (channels.reason(mark) for mark, owner in enumerate(channels.owners) if owner == name)
    return next((reason for reason in reasons if reason), "")


def _tell_left_alone(
    channels: Channels, groups: Mapping[Group, list[int]], worth: filter_scores.Worth, training: Training
) -> None:
    """Say which layers keep filters, and why; that the last layer does goes without saying."""
    left: dict[str, list[str]] = defaultdict(list)
    for name in dict.fromkeys(owner for owner in channels.owners if owner):
        reason = _reason(channels, name)
        if reason and reason != OUTPUT:
            left[reason].append(name)
    for group, roots in groups.items():
        if any(root not in worth for root in roots):
            left["no batch normalisation with a scale follows each filter"] += group
    for reason, names in left.items():
        training.note(f"left alone: {', '.join(names)}: {reason}")
