"""One run in full: below the table, what stands behind each row. Conditions, meter, sampler, verdict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from rich.console import Console
from rich.text import Text

from edgegreen.history.series import SeriesOf, nowhere
from edgegreen.judging.comparison import Row
from edgegreen.measurement import Measurement, Run
from edgegreen.report import conditions, traces, words
from edgegreen.report.terminal import note


def show_heading(run: Run, out: Console) -> None:
    """Which run it was."""
    when = f"{run.started_at:%Y-%m-%d %H:%M} UTC"
    out.print(Text.assemble((run.run_id, "bold"), f"  {run.recipe} · {when} · edgegreen {run.edgegreen}"))
    if run.baseline is None:
        out.print(note(words.ABSENT, "speed and budgets: this run's file does not keep them", "dim"))
    out.print()


def show_rows(rows: Sequence[Row], out: Console, series: SeriesOf = nowhere) -> None:
    """Everything behind each row, by target, and what is seen of the series.

    What all rows of a target say is said once, before them.
    """
    drawn = False
    for target in dict.fromkeys(row.measurement.target for row in rows):
        items = [row.measurement for row in rows if row.measurement.target == target]
        told = [_lines(item, series, out.width) for item in items]
        drawn = drawn or any(line.about == "calls" for lines in told for line in lines)
        alike = _alike(told)
        if alike:
            out.print(Text.assemble(("every row", "bold"), f" on {target}"))
            _show_lines(alike, out)
            out.print()
        for item, lines in zip(items, told, strict=True):
            out.print(Text.assemble((words.trial(item, rows), "bold"), f" on {target}"))
            own = [line for line in lines if line not in alike]
            _show_lines([line for line in own if line.about], out)
            _show_conditions(item, out)
            _show_lines([line for line in own if not line.about], out)
            out.print()
    if drawn:
        out.print(note("·", traces.EXPLAINED, "dim"))


class Line(NamedTuple):
    """A line about a row; `about` is what stands before it, empty for what the board does not tell."""

    about: str
    text: str


def _lines(item: Measurement, series: SeriesOf, width: int) -> list[Line]:
    found = facts(item) | traces.facts(series, item, width)
    lines = [Line(name, text) for name, told in found.items() for text in told]
    untold = conditions.known(item.conditions)[1]
    return [*lines, Line("", f"not told by this board: {', '.join(untold)}")]


def _alike(told: Sequence[Sequence[Line]]) -> list[Line]:
    """What several rows all say, but for their verdicts."""
    first, *others = told
    return [
        line for line in first if others and line.about != "verdict" and all(line in one for one in others)
    ]


def _show_lines(lines: Sequence[Line], out: Console) -> None:
    before = ""
    for about, text in lines:
        if about:
            out.print(note(f"{'' if about == before else about:<8}", text, ""))
        else:
            out.print(note(words.ABSENT, text, "dim"))
        before = about


def _show_conditions(item: Measurement, out: Console) -> None:
    made, _ = conditions.table(item.conditions)
    if not made.row_count:
        out.print(note(words.ABSENT, "conditions: the board told nothing of them", "dim"))
        return
    out.print(made)
    for text in conditions.notes(item.conditions):
        out.print(note("·", text, "dim"))


def facts(item: Measurement) -> dict[str, Iterator[str]]:
    """What is no condition, in lines: the verdict, the energy and where it comes from."""
    return {
        "verdict": _verdict(item),
        "energy": _energy(item),
        "power": _power(item),
        "meter": _meter(item.conditions.get("meter"), item.energy_absent),
        "sampler": _sampler(item.conditions.get("sampler")),
    }


def _verdict(item: Measurement) -> Iterator[str]:
    yield f"{item.verdict}, on an emulated board" if item.emulated else item.verdict
    yield from item.reasons


def _energy(item: Measurement) -> Iterator[str]:
    if item.energy is None:
        yield f"{words.ABSENT} {item.energy_absent or 'it was not measured'}"
    else:
        gross = words.number(item.energy.gross_mj)
        yield f"{words.energy(item)} mJ an inference above idle, {gross} mJ with idle"


def _power(item: Measurement) -> Iterator[str]:
    if item.power:
        idle, active = (f"{watts:.4g} W" for watts in (item.power.idle_w, item.power.active_w))
        worth = f"{item.power.n_effective:.0f}"
        yield f"{idle} idle, {active} running; {item.power.n} readings, worth {worth} independent ones"


def _meter(told: Any, absent: str | None) -> Iterator[str]:
    """What was read, why it was chosen, what it sees, and how often; nothing that `absent` says already."""
    if not isinstance(told, Mapping) or told.get("why") == absent:
        return
    about = told.get("about")
    if isinstance(about, Mapping):
        yield f"{about.get('kind')}: {about.get('source')}, {about.get('rail')} ({about.get('scope')})"
    yield f"chosen: {told.get('why')}" if about else str(told.get("why"))
    if isinstance(about, Mapping):
        if about.get("misses"):
            yield f"not in it: {about['misses']}"
        yield "; ".join(_pace(told, about))


def _pace(told: Mapping[str, Any], about: Mapping[str, Any]) -> Iterator[str]:
    yield f"read every {_seconds(told.get('period_s'))}"
    if about.get("quantity") == "energy":
        yield "a counter, which misses no time"
    else:
        yield f"a reading is the mean over {_seconds(about.get('averaging_s'))}"
    if _is_number(about.get("update_s")):
        yield f"a new one every {_seconds(about['update_s'])}"
    for key, unit in (("resolution_w", "mW"), ("resolution_j", "mJ")):
        if _is_number(about.get(key)):
            yield f"in steps of {words.number(about[key] * 1000)} {unit}"


def _seconds(value: Any) -> str:
    return f"{value:.3g} s" if _is_number(value) else "an unknown time"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def _sampler(told: Any) -> Iterator[str]:
    """The sampler's own account of its work."""
    if not isinstance(told, Mapping):
        return
    gaps = told.get("gap_count")
    the_longest = f" (the longest {_seconds(told.get('longest_gap_s'))})" if gaps else ""
    failed, missed = told.get("failed"), told.get("missed")
    yield f"readings {told.get('n')}, failed {failed}, missed {missed}, gaps {gaps}{the_longest}"
    match [told.get(name) for name in ("read_ms_mean", "read_ms_max", "cpu_s", "wall_s")]:
        case [float(mean), float(longest), float(cpu_s), float(wall_s)] if wall_s:
            share = f"{100 * cpu_s / wall_s:.2g} % of a core"
            yield f"a reading took {mean:.3g} ms ({longest:.3g} at most); {share}"
    if told.get("error"):
        yield f"its last error: {told['error']}"
