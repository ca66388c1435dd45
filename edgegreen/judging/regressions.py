"""A recipe's `regression:`: how much worse than before a trial may be, and whether it is."""

from __future__ import annotations

from collections.abc import Iterator

from edgegreen.config.limitkeys import Regression
from edgegreen.judging import accuracies
from edgegreen.judging.changes import Change, per_cent
from edgegreen.judging.compared import EMULATED, Compared
from edgegreen.judging.limits import LIMITED
from edgegreen.judging.pairing import Pair


def unseen(pair: Pair, one: Compared, limits: Regression) -> Iterator[str]:
    """Where a rise beyond its limit would probably not have been seen, or a drop may be on either side."""
    for what, change, limit in _of_speed(one, limits):
        if limit is not None and change and change.word == "no difference seen" and change.detectable > limit:
            least, allowed = per_cent(change.detectable), f"the limit is {per_cent(limit, 3)}"
            more = "oftener" if change.by == "starts" else "longer"
            yield f"{what}: less than {least} would hardly be seen, and {allowed}: measure {more}"
    yield from accuracies.unsettled(pair, one.accuracy_seen, limits.accuracy_drop_max)


def _of_speed(one: Compared, limits: Regression) -> tuple[tuple[str, Change | None, float | None], ...]:
    return ("p50", one.latency, limits.slower_max), ("energy", one.energy, limits.energy_more_max)


def over(pair: Pair, one: Compared, limits: Regression, *, higher_is_better: bool) -> Iterator[str]:
    """The limits that are not kept to, in words.

    An absent reading keeps to none, nor does one that is not to be trusted. A slower or costlier one counts
    where the change is one that is seen at all, a drop of accuracy as it is.
    """
    for what, change, limit in _of_speed(one, limits):
        if limit is None or EMULATED in one.notes:
            continue
        allowed = f"the limit is +{per_cent(limit, 3)}"
        if change is None:
            yield f"{what} was not compared, and {allowed}"
        elif change.word == "not to be trusted":
            yield f"{what} is not to be trusted, and {allowed}"
        elif change.word in ("slower", "more") and change.ratio - 1 > limit:
            yield f"{what} +{per_cent(change.ratio - 1, 3)}, and {allowed}"
    if limits.accuracy_drop_max is None:
        return
    if one.accuracy_change is None:
        yield f"accuracy was not compared, and the limit of its drop is {limits.accuracy_drop_max:g}"
        return
    if any(map(LIMITED["accuracy_drop_max"].doubted, (pair.before, pair.after))):
        yield f"accuracy is not to be trusted, and the limit of its drop is {limits.accuracy_drop_max:g}"
        return
    drop = -one.accuracy_change if higher_is_better else one.accuracy_change
    if drop > limits.accuracy_drop_max + 1e-9:
        yield f"accuracy dropped by {drop:.4g}, and the limit is {limits.accuracy_drop_max:g}"
