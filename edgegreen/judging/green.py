"""What a measured energy means: inferences a joule, the best board, battery life, carbon dioxide. Pure.

Every figure comes from a reading and its 95 % interval; without a reading there is none, and the reason.
Nothing is taken from a data sheet, and no intensity of a grid is known here: the user gives it. Formulas,
their sources and what they assume: docs/green.md.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import ValidationError

from edgegreen.config import mistakes
from edgegreen.config.footprintkeys import Footprint
from edgegreen.errors import InputError
from edgegreen.measurement import Energy, Measurement, Power

HOURS_A_YEAR = 8760.0
BATTERY = {"battery_wh", "battery_mah", "battery_v"}
MILLIJOULES_A_KWH = 3.6e9
NOT_TOLD_FROM_IDLE = "what the model adds cannot be told from idle power"


@dataclass(frozen=True)
class Estimate:
    """A value and its 95 % interval; `high` is infinite where nothing bounds it."""

    value: float
    low: float
    high: float

    def times(self, factor: float) -> Estimate:
        """In another unit, or of as many; `factor` is exact and above 0."""
        return Estimate(self.value * factor, self.low * factor, self.high * factor)

    def into(self, numerator: float) -> Estimate | Absent:
        """`numerator` over this: exact, as dividing turns an interval round and loses nothing of it."""
        if self.value <= 0:
            return Absent("the reading that it is divided by is not above zero")
        return Estimate(
            numerator / self.value,
            numerator / self.high,
            numerator / self.low if self.low > 0 else math.inf,
        )


@dataclass(frozen=True)
class Absent:
    """Why there is no figure."""

    why: str


Figure = Estimate | Absent


@dataclass(frozen=True)
class Standing:
    """A row among others: how many times the energy of the best an inference of it takes.

    `to_best` is 1 for the best itself, and absent for what cannot be ranked.
    """

    measurement: Measurement
    to_best: Figure
    is_best: bool = False

    @property
    def ties(self) -> bool:
        """Whether it is another than the best, and cannot be told from it."""
        return isinstance(self.to_best, Estimate) and not self.is_best and self.to_best.low <= 1


@dataclass(frozen=True)
class Use:
    """One row in use, as a Footprint says. What needs a battery or a grid is None without one."""

    average_w: Figure
    battery_h: Figure | None
    gco2e_per_million: Figure | None
    gco2e_per_year: Figure | None


def footprint(kept: Footprint | None, given: Mapping[str, float | str | None]) -> Footprint | None:
    """A run's footprint with what is `given` (by a Footprint's keys, None: not) in its place.

    Raises InputError for what makes no sense.
    """
    wanted = {key: value for key, value in given.items() if value is not None}
    if not wanted:
        return kept
    before = kept.model_dump(exclude_defaults=True) if kept else {}
    if BATTERY & wanted.keys():  # one battery in place of another
        before = {key: value for key, value in before.items() if key not in BATTERY}
    whole = before | wanted
    try:
        return Footprint.model_validate(whole, strict=True)
    except ValidationError as error:
        found = mistakes.explain(error.errors(), whole, defaultdict(int), Footprint)
        raise InputError("; ".join(text for _, text in found)) from None


def energy_mj(item: Measurement) -> Figure:
    """Energy of one inference above idle."""
    known = _read(item)
    if isinstance(known, Absent):
        return known
    energy, _ = known
    return Estimate(energy.per_inference_mj, *energy.ci95_mj)


def per_joule(item: Measurement) -> Figure:
    """Inferences a joule of the energy above idle."""
    energy = energy_mj(item)
    if isinstance(energy, Absent):
        return energy
    return energy.into(1000) if energy.value > 0 else Absent(NOT_TOLD_FROM_IDLE)


def per_joule_gross(item: Measurement) -> Figure:
    """Inferences a joule of all the energy while the model runs.

    The interval of the gross energy is not kept. It is taken to be as wide as that of the energy above
    idle, whose variance holds that of the gross one and that of idle.
    """
    known = _read(item)
    if isinstance(known, Absent):
        return known
    energy, _ = known
    half = _half(energy)
    return Estimate(energy.gross_mj, energy.gross_mj - half, energy.gross_mj + half).into(1000)


def ratio(of: Estimate, to: Estimate) -> Figure:
    """One mean over another that was measured apart from it.

    Fieller's interval (1954, J. Royal Statistical Society B 16:175–185) from the two 95 % intervals
    themselves, which have different degrees of freedom: MOVER-R (Newcombe 2016, Statistical Methods in
    Medical Research 25:1774–1778). Both are taken to be symmetric.
    """
    a, b, half_a, half_b = of.value, to.value, (of.high - of.low) / 2, (to.high - to.low) / 2
    room = b**2 - half_b**2
    if b <= 0 or room <= 0:
        return Absent("the energy of the best cannot be told from nothing")
    reach = math.sqrt((a * half_b) ** 2 + half_a**2 * room)
    return Estimate(a / b, (a * b - reach) / room, (a * b + reach) / room)


def ranking(items: Iterable[Measurement]) -> list[Standing]:
    """Rows by the energy of an inference above idle, the least first; those that cannot be ranked last.

    Only rows whose meters have the same scope are compared: a module is no board, and no wall. Rows that
    are not valid, were emulated, or have no energy are not ranked.
    """
    scopes: dict[str, list[tuple[Estimate, Measurement]]] = {}
    last: list[Standing] = []
    for item in items:
        energy = _rankable(item)
        if isinstance(energy, Absent) or item.power is None:
            last.append(Standing(item, energy))
        else:
            scopes.setdefault(item.power.scope, []).append((energy, item))
    found = [standing for scope in scopes for standing in _within(scopes[scope], scope, scopes)]
    return sorted(found, key=lambda standing: isinstance(standing.to_best, Absent)) + last


def best_of_each(items: Iterable[Measurement]) -> list[Standing]:
    """The targets by their best rows; `items` are those worth shipping. A target without any is left out."""
    fit = [(energy.value, item) for item in items if isinstance(energy := _rankable(item), Estimate)]
    best: dict[str, Measurement] = {}
    for _, item in sorted(fit, key=lambda pair: pair[0]):
        best.setdefault(item.target, item)
    return ranking(best.values())


def in_use(item: Measurement, footprint: Footprint) -> Use:
    """Average power, battery life and emissions of a row that is used as `footprint` says."""
    per_hour, grid = footprint.inferences_per_hour, footprint.grid_gco2e_per_kwh
    power = average_w(item, per_hour)
    battery = million = year = None
    if footprint.capacity_wh is not None:
        battery = battery_h(power, footprint.capacity_wh * footprint.battery_usable)
    if grid is not None:
        energy = energy_mj(item)
        million = energy if isinstance(energy, Absent) else energy.times(1e6 / MILLIJOULES_A_KWH * grid)
        year = power if isinstance(power, Absent) else power.times(HOURS_A_YEAR / 1000 * grid)
    return Use(power, battery, million, year)


def average_w(item: Measurement, per_hour: float | Literal["continuous"] | None) -> Figure:
    """Power of a board that runs the model `per_hour` times an hour, or one after another, and else idles.

    Idle power and the share u of the time that the model runs make it (1 − u)·idle + u·active. Of their
    intervals only that of the difference is kept; however it is shared between the two, the sum is off by
    no more than max(u, 1 − u) of it.
    """
    known = _read(item)
    if isinstance(known, Absent):
        return known
    if per_hour is None:
        return Absent("how often the model runs is not said: `inferences_per_hour`, or --per-hour")
    energy, power = known
    most = item.throughput_ips
    rate = most if isinstance(per_hour, str) else per_hour / 3600
    if rate > most * (1 + 1e-9):
        return Absent(f"{3600 * rate:.6g} inferences an hour are more than it does ({3600 * most:.6g})")
    share = min(1.0, rate / most)
    watts = power.idle_w + rate * energy.per_inference_mj / 1000
    reach = max(share, 1 - share) * most * _half(energy) / 1000
    return Estimate(watts, watts - reach, watts + reach)


def battery_h(average: Figure, usable_wh: float) -> Figure:
    """Hours until so many watt-hours are used up at this average power."""
    return average if isinstance(average, Absent) else average.into(usable_wh)


def _read(item: Measurement) -> tuple[Energy, Power] | Absent:
    if item.energy is None or item.power is None:
        return Absent(item.energy_absent or "energy was not measured")
    return item.energy, item.power


def _half(energy: Energy) -> float:
    low, high = energy.ci95_mj
    return (high - low) / 2


def _rankable(item: Measurement) -> Figure:
    """The energy above idle of a row that may be ranked."""
    energy = energy_mj(item)
    if isinstance(energy, Absent):
        return energy
    if item.emulated:
        return Absent("an emulated board's energy predicts nothing")
    return energy if item.verdict == "valid" else Absent("the reading is not to be trusted")


def _within(rows: list[tuple[Estimate, Measurement]], scope: str, scopes: Iterable[str]) -> list[Standing]:
    """The ranking of rows of one scope."""
    if len(rows) == 1:
        lone = any(other != scope for other in scopes)
        why = f"no other meter to compare sees a {scope}" if lone else "no other to compare it with"
        return [Standing(rows[0][1], Absent(why))]
    ordered = sorted(rows, key=lambda row: row[0].value)
    best, item = ordered[0]
    first = Standing(item, Estimate(1, 1, 1), is_best=True)
    return [first, *(Standing(other, ratio(energy, best)) for energy, other in ordered[1:])]
