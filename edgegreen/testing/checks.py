"""Budgets that fail a test, with words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pytest

from edgegreen.testing.outcome import Outcome

if TYPE_CHECKING:
    from edgegreen.config.limitkeys import Limits
    from edgegreen.judging.comparison import Row


def eg_check(what: Outcome | Row | Iterable[Row], *, valid: bool = False, **budgets: float) -> None:
    """Fail the test, in words, for every budget that is missed: the recipe's own, and those given here.

    Given are the keys of a recipe's `budgets`: `latency_p95_ms_max=10`, `energy_mj_max=5`,
    `accuracy_drop_max=0.01` … A budget on a reading that is absent, or not to be trusted, is missed. Of an
    `Outcome` whatever could not be done fails too. With `valid`, any reading that is not to be trusted fails.
    (Of rows alone, a smaller accuracy counts as worse, but for mse; an outcome knows its metric.)
    """
    __tracebackhide__ = True
    said = shortfalls(what, valid=valid, **budgets)
    if said:
        pytest.fail("\n".join(said), pytrace=False)


def shortfalls(what: Outcome | Row | Iterable[Row], *, valid: bool = False, **budgets: float) -> list[str]:
    """What `eg_check` fails for, a line each."""
    from edgegreen.judging import limits
    from edgegreen.judging.comparison import Row
    from edgegreen.report import words

    wanted = budgets_of(**budgets)
    outcome = what if isinstance(what, Outcome) else None
    rows = what.rows if isinstance(what, Outcome) else (what,) if isinstance(what, Row) else tuple(what)
    said = [f"✗ {line}" for line in outcome.failures_of()] if outcome else []
    for row in rows:
        item = row.measurement
        higher = not (item.accuracy and item.accuracy.metric == "mse")
        if outcome:
            higher = outcome.higher_is_better
        name = f"{item.target} · {words.trial(item, rows)}"
        missed = dict.fromkeys([*row.missed, *limits.missed(item, wanted, higher_is_better=higher)])
        said += [f"! {name}: {line}" for line in missed]
        said += [f"? {name}: {line}" for line in item.reasons if valid]
    return said


def budgets_of(**budgets: float) -> Limits:
    """The budgets of these names. Raises TypeError for what is none, as a call with a wrong keyword does."""
    from pydantic import ValidationError

    from edgegreen.config.limitkeys import Limits

    unknown = [name for name in budgets if name not in Limits.model_fields]
    if unknown:
        raise TypeError(f"there is no budget `{unknown[0]}`; there are {', '.join(Limits.model_fields)}")
    try:
        return Limits.model_validate(budgets)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise TypeError(f"budget `{first['loc'][0]}`: {first['msg']}") from None
