"""Puts a board into the settings that a plan asks for, and back into its own.

The agent does it, and puts everything back also when nobody asks it to (`agent/guard.py`); here it is known
when, and whether a trial really ran under its setting.
"""

from __future__ import annotations

from collections.abc import Iterator

from edgegreen.agent.tuning import Order
from edgegreen.client import Agent
from edgegreen.client.observed import Observed, Snapshot
from edgegreen.errors import DeviceError
from edgegreen.measurement import Tuning
from edgegreen.target import Target

SETTLE_S = 0.5  # after a change; the trial's own load, idle time and warm-up come on top


class Tuner:
    """One board's settings. Does nothing to a target that does not allow it."""

    def __init__(self, agent: Agent, target: Target) -> None:
        self._agent, self._target = agent, target
        self._refused: dict[Tuning, DeviceError] = {}

    def restore(self) -> list[str]:
        """Put back whatever was changed, also by a run that came to a bad end; what that was, in words.

        Raises DeviceError, UnreachableError.
        """
        return self._agent.tune(self._order(Tuning())) if self._target.allow_tuning else []

    def set(self, wanted: Tuning | None) -> None:
        """Have this setting, if any, for the next trial.

        Asked before each trial: where it is there already, that is looked up and nothing else. A setting
        that was refused is not tried again. Raises DeviceError, UnreachableError.
        """
        if wanted is None:
            return
        if wanted in self._refused:
            raise self._refused[wanted]
        try:
            self._agent.tune(self._order(wanted))
        except DeviceError as error:
            self._refused[wanted] = DeviceError(f"{wanted}: {error.message}", hint=error.hint)
            raise self._refused[wanted] from None

    def _order(self, wanted: Tuning) -> Order:
        return Order(
            governor=wanted.governor,
            power_mode=wanted.power_mode,
            root=self._target.sysfs_root,
            folder=self._target.folder,
            settle_s=SETTLE_S,
        )


def doubts(wanted: Tuning | None, observed: Observed | None) -> tuple[str, ...]:
    """Why the trial did not run under its setting, or not to its end."""
    if wanted is None or observed is None:
        return ()
    found = [
        reason for shot in (observed.before, observed.after) if shot for reason in _differs(wanted, shot)
    ]
    return tuple(dict.fromkeys(found))


def _differs(wanted: Tuning, shot: Snapshot) -> Iterator[str]:
    for name, governor in shot.governor.items():
        if wanted.governor is not None and governor not in (None, wanted.governor):
            yield f"the governor of {name} was {governor} {shot.when} the trial, not {wanted.governor}"
    if wanted.power_mode is not None and shot.power_mode is not None:
        known = (shot.power_mode.id, shot.power_mode.name.upper())
        asked = wanted.power_mode if isinstance(wanted.power_mode, int) else wanted.power_mode.upper()
        if asked not in known:
            yield f"the power mode was {shot.power_mode.name} {shot.when} the trial, not {wanted.power_mode}"
