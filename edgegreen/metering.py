"""What a sampler is asked, and how its answer becomes energy, or the reason why there is none. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from edgegreen.agent import sampler
from edgegreen.client.observed import About, Observed
from edgegreen.statistics import energy
from edgegreen.statistics.energy import EnergyReading, Windows
from edgegreen.statistics.trace import Counter, Meter, Readings, Window
from edgegreen.target import PowerMeter, Target

Edges = Mapping[str, tuple[int, int]]


def spec(target: Target) -> dict[str, Any]:
    """What a sampler on the board is to do: it watches the board also where there is no meter."""
    power = target.power or PowerMeter(meter="none")
    return asdict(
        sampler.Spec(
            root=target.sysfs_root,
            family=target.family,
            meter=power.meter,
            rail=power.rail,
            scope=power.scope,
        )
    )


def measure(target: Target, observed: Observed | None, edges: Edges, inferences: int) -> EnergyReading:
    """Energy of one of `inferences` made in the window `active` of `edges`, from the record of a meter."""
    if target.power is None:
        line = "`power: {meter: auto}`"
        return _absent(f"target `{target.name}` names no meter; {line} in its file has the board's own read")
    if not target.is_metered:
        return _absent(f"target `{target.name}` asks for no meter (`meter: none`)")
    if observed is None or observed.meter is None:
        return _absent((observed and observed.error) or "the board said nothing of its meter")
    about, period_s = observed.meter.about, observed.meter.period_s
    if about is None or period_s is None:
        return _absent(observed.meter.why)
    windows = Windows(*(Window(*edges[name]) for name in ("idle_before", "active", "idle_after")))
    found = energy.measure(_seen(about, observed), windows, inferences, _meter(about, period_s, observed))
    if found.absent is None:
        return found
    said = [observed.error, observed.summary.error if observed.summary else None]
    return _absent("; ".join([found.absent, *(words for words in said if words)]))


def _absent(why: str) -> EnergyReading:
    return EnergyReading(None, None, why, ())


def _seen(about: About, observed: Observed) -> Readings | Counter:
    """The record; the agent has undone a counter's wrap-around already."""
    t_ns, values = observed.records["t_ns"], observed.records["value"]
    return Counter(t_ns, values, about.resolution_j) if about.quantity == "energy" else Readings(t_ns, values)


def _meter(about: About, period_s: float, observed: Observed) -> Meter:
    """A reading was taken at some time while it was asked for: its clock is off by half of that at most."""
    took_ns = observed.records["took_ns"]
    return Meter(
        source=f"{about.kind}: {about.source}",
        rail=about.rail,
        scope=about.scope,
        period_s=period_s,
        averaging_s=about.averaging_s,
        update_s=about.update_s,
        resolution_w=about.resolution_w,
        alignment_s=float(np.median(took_ns)) / 2e9 if len(took_ns) else 0.0,
    )
