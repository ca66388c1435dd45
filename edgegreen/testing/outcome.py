"""What one deployment came to, as a test sees it. Light: whoever makes one imports the types in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from edgegreen.judging.comparison import Row
    from edgegreen.measurement import Run


@dataclass(frozen=True)
class Outcome:
    """A run on one target, its rows compared with the baseline and the recipe's budgets.

    `log` are the steps it took, a line each. `higher_is_better` says which way the recipe's metric counts.
    """

    run: Run
    rows: tuple[Row, ...]
    log: tuple[str, ...]
    higher_is_better: bool

    @property
    def sent_anything(self) -> bool:
        """Whether any file had to be brought to the board."""
        return any(line.endswith(": sending") for line in self.log)

    def row(self, variant: str, *, threads: int | None = None, runtime: str | None = None) -> Row:
        """The one row of `variant`; fails the test when there is none, or more than one."""
        __tracebackhide__ = True
        found = [
            row
            for row in self.rows
            if row.measurement.variant == variant
            and threads in (None, row.measurement.threads)
            and runtime in (None, row.measurement.runtime.name)
        ]
        if len(found) != 1:
            there = ", ".join(dict.fromkeys(row.measurement.variant for row in self.rows)) or "none"
            why = self.failures_of(variant) or [f"rows: {there}" + "; name threads or runtime" * bool(found)]
            pytest.fail(f"{len(found)} rows of `{variant}`. " + "\n".join(why), pytrace=False)
        return found[0]

    def failures_of(self, variant: str | None = None) -> list[str]:
        """What failed, in words; only what befell `variant`, if given."""
        return [
            f"{' · '.join(filter(None, (one.target, one.variant and one.name)))} ({one.stage}): {one.error}"
            for one in self.run.failures
            if variant is None or one.variant in (None, variant)
        ]
