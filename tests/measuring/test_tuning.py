"""Whether a trial ran under the setting it was asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edgegreen.agent import conditions
from edgegreen.client.observed import RECORD, Observed, PowerMode, Snapshot
from edgegreen.measurement import Tuning
from edgegreen.measuring import tuning


def shot(when: Any, governor: str | None, mode: tuple[str, int | None] | None) -> Snapshot:
    """This machine's, but for its settings."""
    raw = conditions.snapshot(busy_s=0.0) | {"governor": {"policy0": governor, "policy4": governor}}
    taken = Snapshot(id="t1", when=when, **(raw | {"power_mode": None}))
    return replace(taken, power_mode=PowerMode(*mode) if mode else None)


def observed(before: Snapshot | None, after: Snapshot | None) -> Observed:
    return Observed(None, np.empty(0, RECORD), (), before, after, None, None)


@pytest.mark.parametrize("mode", [2, "MAXN_SUPER", "maxn_super"])
def test_it_did(mode: int | str) -> None:
    shots = [shot(when, "powersave", ("MAXN_SUPER", 2)) for when in ("before", "after")]
    assert tuning.doubts(Tuning(governor="powersave", power_mode=mode), observed(*shots)) == ()


def test_it_did_not_to_its_end() -> None:
    shots = shot("before", "powersave", ("15W", 0)), shot("after", "schedutil", ("25W", 1))
    assert tuning.doubts(Tuning(governor="powersave", power_mode=0), observed(*shots)) == (
        "the governor of policy0 was schedutil after the trial, not powersave",
        "the governor of policy4 was schedutil after the trial, not powersave",
        "the power mode was 25W after the trial, not 0",
    )


def test_what_was_not_asked_for_or_cannot_be_seen_is_no_doubt() -> None:
    wanted = Tuning(governor="powersave", power_mode=0)
    assert tuning.doubts(wanted, None) == ()
    assert tuning.doubts(wanted, observed(shot("before", None, None), None)) == ()
    assert tuning.doubts(None, observed(shot("before", "x", ("15W", 0)), None)) == ()
    assert tuning.doubts(Tuning(), observed(shot("before", "x", ("15W", 0)), None)) == ()
