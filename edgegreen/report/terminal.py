"""The table a person reads: one per target, one row a variant, reasons below.

Marks do not need colour: `*` best of its column, `!` over budget, `?` not to be trusted, `~` worth
knowing of how it ran, `↺` replayed from a recording, `◇` emulated, `✗` failed, `–` not measured. On a narrow
terminal the least important columns go first, and are named; then long names are cut (`fitting`). A row is
one line, and a figure is whole.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, TextIO, cast

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from edgegreen.config.limitkeys import Limits
from edgegreen.judging import execution, fakewins
from edgegreen.judging.choice import least_energy
from edgegreen.judging.comparison import Row
from edgegreen.measurement import NO_ACCURACY, Failure, Measurement, Run
from edgegreen.report import fitting, words

PIPE_WIDTH = 2000  # nothing is cut, and a note (which may have a command to copy) is one line
EMULATED = "emulated: times and energies here are those of no board, and are compared with nothing"


@dataclass(frozen=True)
class Column:
    """One column: its heading, what it shows of a row, and the `best` mark it takes.

    `rank` says how early it goes when the terminal is too narrow: the highest first, 0 never.
    """

    heading: str
    show: Callable[[Row], str]
    rank: int
    key: str = ""
    justify: Literal["left", "right"] = "right"


COLUMNS = (
    Column("Variant", lambda row: row.measurement.variant, 0, justify="left"),
    Column(
        "Runtime",
        lambda row: words.runtime(row.measurement.runtime, row.measurement.execution),
        4,
        justify="left",
    ),
    Column("Ran in", lambda row: execution.ran(row.measurement.execution) or words.ABSENT, 5, justify="left"),
    Column("On TPU", lambda row: words.on_tpu(row.measurement), 3, justify="left"),
    Column("Threads", lambda row: str(row.measurement.threads), 6),
    Column("Mode", lambda row: words.power_mode(row.measurement.tuning), 6, justify="left"),
    Column("Governor", lambda row: words.governor(row.measurement.tuning), 6, justify="left"),
    Column("Size", lambda row: words.size(row.measurement.artifact.size_bytes), 3, "size"),
    Column("Deflated", lambda row: words.size(row.measurement.artifact.compressed_bytes), 4),
    Column("Accuracy", words.accuracy, 0, "accuracy"),
    Column("p50 ms", lambda row: words.number(row.measurement.latency_ms.p50), 0, "p50"),
    Column("p95 ms", lambda row: words.number(row.measurement.latency_ms.p95), 2, "p95"),
    Column("First ms", lambda row: words.number(row.measurement.first_inference_ms), 7, "first"),
    Column("Memory", lambda row: words.size(row.measurement.peak_rss_bytes), 5, "memory"),
    Column("Power W", lambda row: words.power(row.measurement), 4),
    Column("mJ/inference", lambda row: words.energy(row.measurement), 0, "energy"),
    Column("Speed", lambda row: f"{words.number(row.speedup)}×" if row.speedup else words.ABSENT, 1),
)
OF_A_METER = ("Power W", "mJ/inference")  # there only where a meter was wanted
OF_THE_RUNTIME = ("Ran in",)  # there only where a runtime told
OF_AN_EDGETPU = ("On TPU",)  # there only where its compiler told
OF_COMPRESSION = ("Deflated",)  # there only where it says something else than the size
OF_A_SWEEP = ("Governor", "Mode")  # there only where rows differ in them
# What stands for columns that have to stay where there is little room.
SHORT = {
    "Runtime": Column("Runtime", lambda row: row.measurement.runtime.name, 4, justify="left"),
    "Threads": Column("Thr.", lambda row: str(row.measurement.threads), 6),
}


class Trimmed:
    """A stream without the blanks at the ends of lines that fill a table's last column."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.encoding = stream.encoding

    def write(self, text: str) -> int:
        """Whole lines at a time, as a Console gives them."""
        self._stream.write(re.sub(r" +(?=\n)", "", text))
        return len(text)

    def flush(self) -> None:
        """As of the stream."""
        self._stream.flush()


def console(*, stderr: bool = False) -> Console:
    """A console that keeps plain and whole lines when it writes to a pipe or a file."""
    # Names and errors are printed as they are: `[red]` in one is no markup, `:x:` no picture.
    plain = partial(Console, stderr=stderr, highlight=False, markup=False, emoji=False)
    made = plain()
    if made.is_terminal:
        return made
    return plain(width=PIPE_WIDTH, file=None if stderr else cast("TextIO", Trimmed(sys.stdout)))


def show(run: Run, rows: Sequence[Row], out: Console) -> None:
    """Print the whole run: a table per target, then what failed elsewhere."""
    parts, elsewhere = by_target(run, rows)
    for part in parts:
        _show_target(part, out, run.budgets.on(part.target))
    show_failures(elsewhere, out)


@dataclass(frozen=True)
class Part:
    """What a run's table of one target is made of; `rows` is not empty."""

    target: str
    rows: Sequence[Row]
    failures: Sequence[Failure]


def by_target(run: Run, rows: Sequence[Row]) -> tuple[list[Part], list[Failure]]:
    """A part for each target that has rows, and what failed elsewhere.

    What failed for all targets is in each part.
    """
    targets = list(dict.fromkeys(row.measurement.target for row in rows))
    parts = []
    for target in targets:
        mine = [row for row in rows if row.measurement.target == target]
        failures = [
            failure
            for failure in run.failures
            if failure.target in (target, None) and not _told_by_a_row(failure, mine)
        ]
        parts.append(Part(target, mine, failures))
    elsewhere = [failure for failure in run.failures if failure.target not in targets]
    return parts, [failure for failure in elsewhere if failure.target or not targets]


def _told_by_a_row(failure: Failure, rows: Sequence[Row]) -> bool:
    """Whether a measured row says the same: a metric that failed does not undo what the board measured."""
    found = (row.measurement for row in rows if row.measurement.variant == failure.variant)
    return any(failure.error in reason for item in found for reason in item.reasons)


def show_failures(failures: Sequence[Failure], out: Console) -> None:
    """A line for each reason, with all it befell; boards that failed alike share one."""
    for alike in _alike(failures):
        first, which = alike[0], ""
        if first.target and not first.variant:
            where = words.some([one.target or "" for one in alike])
            which = ", the first" if len(alike) > 1 else ""
        else:
            variants = ("; " if any(one.setting for one in alike) else ", ").join(one.name for one in alike)
            where = f"{first.target} · {variants}" if first.target else variants
        out.print(note("✗", f"{where} ({first.stage}{which}): {first.error}", "red"))


def _alike(failures: Sequence[Failure]) -> Iterable[list[Failure]]:
    """Those of a target for one reason; whole targets by what was said but for addresses and numbers."""
    found: dict[tuple[str | None, str, str], list[Failure]] = {}
    for one in failures:
        whole = one.target and not one.variant
        said = re.sub(r"\S*[\d/]\S*", "…", one.error) if whole else one.error
        found.setdefault((None if whole else one.target, one.stage, said), []).append(one)
    return found.values()


def _by_reason(failures: Sequence[Failure]) -> dict[tuple[str | None, str, str], list[Failure]]:
    found: dict[tuple[str | None, str, str], list[Failure]] = {}
    for failure in failures:
        found.setdefault((failure.target, failure.stage, failure.error), []).append(failure)
    return found


def _show_target(part: Part, out: Console, budgets: Limits) -> None:
    rows, failures = part.rows, part.failures
    board = words.board(rows[0].measurement.conditions)
    out.print(Text.assemble((part.target, "bold"), f"  {board}" if board else ""))
    table, columns = fitting.fitted(
        out,
        columns_of(rows),
        fitting.telling(rows),
        SHORT,
        lambda columns, name_width: _table(columns, name_width, rows, failures),
    )
    out.print(table)
    if chosen := least_energy(rows):
        out.print(note("→", words.choice(chosen, budgets, rows), "bold"))
    for mark, text, style in notes(columns, rows, failures):
        out.print(note(mark, text, style))
    out.print()


def columns_of(rows: Sequence[Row]) -> list[Column]:
    """The columns that say something of these rows."""
    metered = any(words.is_metered(row.measurement) for row in rows)
    told = any(row.measurement.execution for row in rows)
    hidden = [*(() if metered else OF_A_METER), *(() if told else OF_THE_RUNTIME)]
    hidden += () if any(row.measurement.artifact.compilation for row in rows) else OF_AN_EDGETPU
    hidden += () if fakewins.deflate_apart([row.measurement for row in rows]) else OF_COMPRESSION
    hidden += [
        name for name in OF_A_SWEEP if len({fitting.TELLING[name](row.measurement) for row in rows}) == 1
    ]
    return [column for column in COLUMNS if column.heading not in hidden]


def _table(
    columns: Sequence[Column], name_width: int, rows: Sequence[Row], failures: Sequence[Failure]
) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in columns:
        heading = words.metric(rows) if column.key == "accuracy" else column.heading
        table.add_column(heading, justify=column.justify, no_wrap=True)
    for row in rows:
        table.add_row(_name(row, name_width), *(_cell(column, row) for column in columns[1:]))
    for failure in failures:
        if failure.variant:
            empty = (Text(words.ABSENT, style="dim") for _ in columns[1:])
            table.add_row(Text(f"{fitting.cut(failure.variant, name_width - 2)} ✗", style="red"), *empty)
    return table


def _name(row: Row, width: int) -> Text:
    """The variant's name with its marks, which stay when the name is cut."""
    found = [(f" {mark}", style) for mark, style in marks(row)]
    return Text.assemble(fitting.cut(row.measurement.variant, width - 2 * len(found)), *found)


def marks(row: Row) -> list[tuple[str, str]]:
    """The marks behind a row's name, with their styles."""
    found = [("!", "bold red")] * bool(row.missed)
    found += [("?", "bold yellow")] * (row.measurement.verdict == "invalid")
    found += [("↺", "bold yellow")] * (words.replayed(row.measurement) is not None)
    return found + [("◇", "bold yellow")] * row.measurement.emulated


def _cell(column: Column, row: Row) -> Text:
    text = Text(column.show(row))
    if column.key in row.best:
        text.stylize("bold green")
        text.append("*", "green")
    elif column.key:
        text.append(" ")  # keeps the figures of a column in line
    if text.plain.startswith(words.ABSENT):
        text.stylize("dim")
    return text


def notes(
    columns: Sequence[Column], rows: Sequence[Row], failures: Sequence[Failure]
) -> list[tuple[str, str, str]]:
    """What is to be said below the table of these `columns`: mark, text and style, the gravest first."""
    said = [
        ("✗", f"{', '.join(map(_what, alike))} ({stage}): {error}", "red")
        for (_, stage, error), alike in _by_reason(failures).items()
    ]
    for (mark, text, style), items in remarks(rows).items():
        said.append((mark, f"{words.trials(items, rows)}: {text}", style))
    origins = dict.fromkeys(words.replayed(row.measurement) for row in rows)
    said += [("↺", origin, "yellow") for origin in origins if origin]
    if any(row.measurement.emulated for row in rows):
        said.append(("◇", EMULATED, "yellow"))
    if any(not _says_of_accuracy(row.measurement) for row in rows):
        said.append((words.ABSENT, "accuracy: the recipe names no evaluation data", "dim"))
    if any(row.speedup is None and not row.measurement.emulated for row in rows):
        said.append((words.ABSENT, "speed: no row of a baseline with as many threads here", "dim"))
    unmetered = [row.measurement for row in rows if words.is_metered(row.measurement)]
    absent = dict.fromkeys(item.energy_absent for item in unmetered if item.energy_absent)
    said += [(words.ABSENT, f"energy: {why}", "dim") for why in absent]
    if any(row.best for row in rows):
        said.append(("*", "best of its column", "dim"))
    gone = [
        column.heading
        for column in columns_of(rows)
        if column not in columns and SHORT.get(column.heading) not in columns
    ]
    if gone:
        said.append(("…", f"too narrow for {', '.join(gone)}; --json has everything", "dim"))
    return said


def remarks(rows: Sequence[Row]) -> dict[tuple[str, str, str], list[Measurement]]:
    """Each remark once, with the rows it is about."""
    found: dict[tuple[str, str, str], list[Measurement]] = {}
    for row in rows:
        said = (
            ("!", row.missed, "red"),
            ("?", row.measurement.reasons, "yellow"),
            ("~", row.warnings, "yellow"),
        )
        for mark, texts, style in said:
            for text in texts:
                found.setdefault((mark, text, style), []).append(row.measurement)
    return found


def _says_of_accuracy(item: Measurement) -> bool:
    """Whether a row has an accuracy, or a reason why it has none."""
    return item.accuracy is not None or any(why.startswith(NO_ACCURACY) for why in item.reasons)


def _what(failure: Failure) -> str:
    """What a failure below a target's table is about: some rows are there, or there was no table."""
    return failure.name if failure.variant or failure.target is None else "the rest"


def note(mark: str, text: str, style: str) -> Padding:
    """A marked note; long ones wrap under themselves."""
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row(Text(mark, style=style), Text(text, style="dim" if style == "dim" else ""))
    return Padding(grid, (0, 0, 0, 0), expand=False)
