"""Who reads a target's meter, the board or we, and how its record becomes energy, or why there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import numpy as np

from edgegreen.agent import sampler
from edgegreen.agent.meters.base import About
from edgegreen.client.observed import Observed
from edgegreen.meters.record import Record
from edgegreen.meters.recording import AskClock, Recording
from edgegreen.statistics import energy
from edgegreen.statistics.energy import EnergyReading, Windows
from edgegreen.statistics.trace import Counter, Meter, Readings, Window
from edgegreen.target import PowerMeter, Target

Edges = Mapping[str, tuple[int, int]]


def spec(target: Target) -> dict[str, Any]:
    """What a sampler on the board is to do: it watches the board also where it has no meter to read."""
    power = target.power if isinstance(target.power, PowerMeter) else PowerMeter(meter=sampler.NO_METER)
    return asdict(
        sampler.Spec(
            root=target.sysfs_root,
            family=target.family,
            meter=power.meter,
            rail=power.rail,
            scope=power.scope,
        )
    )


@contextmanager
def recording(target: Target, ask_clock: AskClock) -> Iterator[Callable[[Observed | None], Record]]:
    """Read the target's meter during the block, if it is this machine that reads it.

    At the end of the block, the function it gives turns what the board's sampler said into the record of the
    target's meter, whoever has read it. `ask_clock` makes an exchange with the board's clock.
    """
    if target.power is None or isinstance(target.power, PowerMeter):
        yield of_board
        return
    if target.recording is not None:
        why = "a meter that the host reads is not part of a recording, and this row is replayed from one"
        yield lambda _observed: Record.none("host", why)
        return
    here = Recording(target.power, ask_clock)
    try:
        here.start()
        yield lambda _observed: here.finish()
    finally:
        here.cancel()


def of_board(observed: Observed | None) -> Record:
    """The record of a meter on the board: the clock of its readings is that of the windows."""
    found = observed.meter if observed else None
    if observed is None or found is None:
        return Record.none("board", (observed and observed.error) or "the board said nothing of its meter")
    if found.about is None or found.period_s is None:
        return Record.none("board", found.why)
    took_ns = observed.records["took_ns"]
    said = (observed.error, observed.summary.error if observed.summary else None)
    return Record(
        read_on="board",
        about=About(**asdict(found.about)),
        why=found.why,
        period_s=found.period_s,
        # A reading was taken at some time while it was asked for.
        alignment_s=float(np.median(took_ns)) / 2e9 if len(took_ns) else 0.0,
        readings=observed.records,
        summary=sampler.Summary(**asdict(observed.summary)) if observed.summary else None,
        troubles=tuple(words for words in said if words),
    )


def power(record: Record) -> Readings:
    """What the meter said, as power; of a counter the mean power since the reading before."""
    t_ns, values = record.readings["t_ns"], record.readings["value"].astype(np.float64)
    if record.about is None or record.about.quantity != "energy":
        return Readings(t_ns, values)
    passed_s = np.diff(t_ns) / 1e9
    told = passed_s > 0
    return Readings(t_ns[1:][told], np.diff(values)[told] / passed_s[told])


def measure(target: Target, record: Record, edges: Edges, inferences: int) -> EnergyReading:
    """Energy of one of `inferences` made in the window `active` of `edges`, from the record of a meter."""
    if target.power is None:
        line = "`power: {meter: auto}`"
        return _absent(f"target `{target.name}` names no meter; {line} in its file has the board's own read")
    if not target.is_metered:
        return _absent(f"target `{target.name}` asks for no meter (`meter: none`)")
    if record.about is None or record.period_s is None:
        return _absent(record.why)
    windows = Windows(*(Window(*edges[name]) for name in ("idle_before", "active", "idle_after")))
    meter = _meter(record.about, record.period_s, record.alignment_s)
    found = energy.measure(_seen(record.about, record), windows, inferences, meter)
    if found.absent is None:
        return found
    return _absent("; ".join([found.absent, *record.troubles]))


def _absent(why: str) -> EnergyReading:
    return EnergyReading(None, None, why, ())


def _seen(about: About, record: Record) -> Readings | Counter:
    """The readings; the agent has undone a counter's wrap-around already."""
    t_ns, values = record.readings["t_ns"], record.readings["value"]
    return Counter(t_ns, values, about.resolution_j) if about.quantity == "energy" else Readings(t_ns, values)


def _meter(about: About, period_s: float, alignment_s: float) -> Meter:
    return Meter(
        source=f"{about.kind}: {about.source}",
        rail=about.rail,
        scope=about.scope,
        period_s=period_s,
        averaging_s=about.averaging_s,
        update_s=about.update_s,
        resolution_w=about.resolution_w,
        alignment_s=alignment_s,
    )
