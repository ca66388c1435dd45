"""The small tables below the main ones: efficiency of variants and boards, battery life, carbon dioxide.

The figures are those of `edgegreen.judging.green`; what they assume stands in words below them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from edgegreen.config.footprintkeys import Footprint
from edgegreen.judging import green
from edgegreen.judging.comparison import Row
from edgegreen.judging.green import Absent, Estimate, Figure, Standing
from edgegreen.measurement import Measurement, Run
from edgegreen.report import fitting, words
from edgegreen.report.terminal import note

# Units: name, how many base units it has, from which value on it is used.
HOURS = (("d", 24.0, 48.0), ("h", 1.0, 0.0))
GRAMS = (("t", 1e6, 1e6), ("kg", 1e3, 1e3), ("g", 1.0, 0.1), ("mg", 1e-3, 0.0))

PARTS = ("module", "rail sum", "package")  # scopes that leave out some of the board


def show(run: Run, rows: Sequence[Row], out: Console, *, full: bool = False) -> None:
    """Print how efficient every row is, and what it means for the run's footprint, if there is one.

    Nothing where there is none and no choice between boards to make; `full`: wherever energy was measured.
    """
    metered = {row.measurement.target for row in rows if row.measurement.energy}
    if len(metered) > (0 if full or run.footprint else 1):
        _efficiency(rows).show(out)
        if run.footprint:
            _in_use(rows, run.footprint).show(out)
    elif run.footprint:
        for why in dict.fromkeys(row.measurement.energy_absent for row in rows):
            out.print(note(words.ABSENT, f"battery life, CO2e: there is no energy; {why}", "dim"))


@dataclass(frozen=True)
class _Column:
    """A heading and, as in the main table, how early the column goes when there is little room."""

    heading: str
    rank: int = 0
    justify: Literal["left", "right"] = "right"


VARIANT = _Column("Variant", justify="left")
TARGET = _Column("Target", justify="left")
SETTINGS = {
    "Runtime": _Column("Runtime", justify="left"),
    "Threads": _Column("Threads"),
    "Mode": _Column("Mode", justify="left"),
    "Governor": _Column("Governor", justify="left"),
}
SHORT = {"Threads": _Column("Thr.")}
EFFICIENCY = (
    _Column("mJ/inference"), _Column("Inferences/J", 2), _Column("gross/J", 3), _Column("To best", 1),
)  # fmt: skip
IN_USE = (_Column("Average W", 3), _Column("Battery"), _Column("CO2e/10⁶", 2), _Column("CO2e/year", 1))


@dataclass(frozen=True)
class _Line:
    """A row: its name, the marks behind it that are never cut, and its cells by the column's heading."""

    name: Text
    marks: str = ""
    cells: Mapping[str, Text] = field(default_factory=dict)


class _Section:
    """A titled table with marked notes below it. A note says for which rows it holds, if not for all."""

    def __init__(
        self, title: str, rows: Sequence[Row], *figures: _Column, target_column: bool = False
    ) -> None:
        self.title, self.rows, self.figures = title, rows, figures
        self.items = [row.measurement for row in rows]
        self.targets = list(dict.fromkeys(item.target for item in self.items))
        self._telling = fitting.telling(rows)
        self._columns = [VARIANT, *[TARGET] * target_column, *(SETTINGS[name] for name in self._telling)]
        self._columns += figures
        self._lines: list[_Line] = []
        self._notes: dict[tuple[str, str], list[str]] = {}

    def note(self, mark: str, text: str, item: Measurement | None = None) -> None:
        """Say something below the table: of a row, or of all."""
        named = self._notes.setdefault((mark, text), [])
        if item is not None:
            name = words.trial(item, self.rows)
            named.append(f"{name} on {item.target}" if len(self.targets) > 1 else name)

    def add(self, item: Measurement, *cells: Text) -> None:
        """A row, with the marks of its reading."""
        settings = {
            "Target": item.target,
            "Runtime": item.runtime.name,
            "Threads": str(item.threads),
            "Mode": words.power_mode(item.tuning),
            "Governor": words.governor(item.tuning),
        }
        named = {column.heading: cell for column, cell in zip(self.figures, cells, strict=True)}
        marks = " ?" if item.verdict == "invalid" else ""
        told = {heading: Text(value) for heading, value in settings.items()}
        self._lines.append(_Line(Text(item.variant), marks, told | {"Thr.": told["Threads"]} | named))

    def group(self, name: str) -> None:
        """A line above rows that belong together."""
        self._lines.append(_Line(Text(f"{name}:", style="dim")))

    def cell(self, item: Measurement, figure: Figure, shown: Callable[[Estimate], str]) -> Text:
        """A figure, or a dash whose reason is noted."""
        if isinstance(figure, Absent):
            self.note(words.ABSENT, figure.why, item)
            return Text(words.ABSENT, style="dim")
        return Text(shown(figure))

    def note_meters(self) -> None:
        """What the boards' meters see, and what they do not."""
        seen: dict[str, str] = {item.target: words.scope(item) for item in self.items if item.power}
        for scope in dict.fromkeys(seen.values()):
            who = ", ".join(target for target, its in seen.items() if its == scope)
            self.note("·", f"{who}: {scope}")

    def show(self, out: Console) -> None:
        """Print it all."""
        out.print(Text(self.title, style="bold"))
        table, left = fitting.fitted(out, self._columns, ("Target", *self._telling), SHORT, self._table)
        out.print(table)
        gone = [column.heading for column in self.figures if column not in left]
        if gone:
            self.note("…", f"too narrow for {', '.join(gone)}")
        every = len(self.items)
        for (mark, text), named in self._notes.items():
            who = list(dict.fromkeys(named))
            out.print(note(mark, f"{', '.join(who)}: {text}" if 0 < len(who) < every else text, "dim"))
        out.print()

    def _table(self, columns: Sequence[_Column], name_width: int) -> Table:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
        for column in columns:
            table.add_column(column.heading, justify=column.justify, no_wrap=True)
        for line in self._lines:
            name = line.name.copy()
            name.truncate(name_width - len(line.marks), overflow="ellipsis")
            name.append(line.marks, "bold yellow")
            table.add_row(name, *(line.cells.get(column.heading, Text()) for column in columns[1:]))
        return table


def _efficiency(rows: Sequence[Row]) -> _Section:
    """Energy, inferences a joule, and the choice by them: of variants on one board, or of boards."""
    several = len({row.measurement.target for row in rows}) > 1
    section = _Section("Efficiency", rows, *EFFICIENCY, target_column=several)
    for standing in _standings(section.items, by_variant=several):
        _add_standing(section, standing)
    best = green.best_of_each(row.measurement for row in rows if not row.missed)
    if several and best:
        section.group("best")
        for standing in best:
            _add_standing(section, standing)
    section.note("·", "± is a 95 % interval, without the meter's calibration; gross/J has idle power in it")
    section.note_meters()
    if len({item.power.scope for item in section.items if item.power}) > 1:
        section.note("≠", "scopes differ: meters that see different things are not compared")
    return section


def _standings(items: Sequence[Measurement], *, by_variant: bool) -> Iterator[Standing]:
    if not by_variant:
        yield from green.ranking(items)
        return
    for variant in dict.fromkeys(item.variant for item in items):
        yield from green.ranking(item for item in items if item.variant == variant)


def _add_standing(section: _Section, standing: Standing) -> None:
    item = standing.measurement
    figures = green.energy_mj(item), green.per_joule(item), green.per_joule_gross(item)
    cells = [section.cell(item, figure, _plain) for figure in figures]
    place = section.cell(item, standing.to_best, lambda ratio: f"{_plain(ratio)}×")
    if standing.is_best:
        place.append("*", "green")
        section.note("*", "the least energy an inference among those that can be compared")
    elif standing.ties:
        place.append("≈", "yellow")
        section.note("≈", "cannot be told from the best")
    else:
        place.append(" ")  # keeps the figures in line
    section.add(item, *cells, place)


def _in_use(rows: Sequence[Row], footprint: Footprint) -> _Section:
    """Average power, battery life, emissions: the columns that the footprint asks for."""
    battery, grid = footprint.capacity_wh is not None, footprint.grid_gco2e_per_kwh is not None
    asked = {"Battery": battery, "CO2e/10⁶": grid, "CO2e/year": grid}
    section = _Section("In use", rows, *(column for column in IN_USE if asked.get(column.heading, True)))
    for target in section.targets:
        if len(section.targets) > 1:
            section.group(target)
        for item in section.items:
            if item.target == target:
                section.add(item, *_used(section, item, footprint))
    for assumption in assumptions(footprint):
        section.note("·", assumption)
    partly = dict.fromkeys(item.target for item in section.items if item.power and item.power.scope in PARTS)
    if partly:
        section.note(
            "!", f"{', '.join(partly)}: the meter does not see all of the board, which draws more than this"
        )
    return section


def _used(section: _Section, item: Measurement, footprint: Footprint) -> list[Text]:
    use = green.in_use(item, footprint)
    columns = (
        (use.average_w, _plain),
        (use.battery_h, _duration),
        (use.gco2e_per_million, _mass),
        (use.gco2e_per_year, _mass),
    )
    return [section.cell(item, figure, shown) for figure, shown in columns if figure]


def assumptions(footprint: Footprint) -> list[str]:
    """What the figures of a footprint take for granted, a line each."""
    rate, capacity, grid = footprint.inferences_per_hour, footprint.capacity_wh, footprint.grid_gco2e_per_kwh
    said = []
    if rate == "continuous":
        said.append("average power: one inference right after another, as measured")
    elif rate is not None:
        said.append(
            f"average power: idle power as measured, and {rate:,.10g} inferences an hour at their energy "
            "above idle; the board does not sleep in between"
        )
    if capacity is not None:
        share = footprint.battery_usable
        used = "all of it used" if share == 1 else f"{100 * share:.4g} % of it used"
        said.append(f"battery: {capacity:.6g} Wh, {used} (`battery_usable: {share:g}`)")
    if grid is not None:
        said.append(
            f"CO2e: {grid:.6g} g/kWh as you gave it; of a million inferences above idle; of a year of "
            f"{green.HOURS_A_YEAR:.0f} h with idle power; nothing of making the board"
        )
    return said


def _plain(figure: Estimate) -> str:
    return words.estimate(figure.value, figure.low, figure.high)


def _duration(hours: Estimate) -> str:
    return _scaled(hours, HOURS)


def _mass(grams: Estimate) -> str:
    return _scaled(grams, GRAMS)


def _scaled(figure: Estimate, units: Sequence[tuple[str, float, float]]) -> str:
    """In the unit that suits the value: `14.2 ± 0.2 h`."""
    name, size, _ = next(unit for unit in units if figure.value >= unit[2] or unit is units[-1])
    return f"{_plain(figure.times(1 / size))} {name}"
