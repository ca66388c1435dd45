"""Two runs compared, on the terminal: a line for each reading of each trial, remarks below.

Where it is narrow, bars get narrow, names move above their readings, bars go, the last column goes; a figure
stays whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.measure import Measurement as Width
from rich.table import Table
from rich.text import Text

from edgegreen.judging.changes import Change
from edgegreen.judging.compared import Against, Compared, Side
from edgegreen.report import fitting, intervals, ratios
from edgegreen.report.ratios import Cells
from edgegreen.report.terminal import note

HEADINGS = ("Variant", "Reading", "Ratio", "Bar", "", "Seen from")
BAR_WIDTHS = (31, 21, 15, 11)
NAME_WIDTH = 50
Line = tuple[Text, str, Change | Cells | None]
"""One of the table: the trial's name (empty but for its first line), what was read, and how it changed."""
EXPLAINED = "ratio: now over before, with its 95 % interval; seen from: the least change seen 8 times in 10"
UNCHANGED = "sizes and accuracies without a line are as before, or not known of both runs"


def show(found: Against, out: Console) -> None:
    """Print the whole comparison."""
    out.print(heading("before", found.before))
    out.print(heading("now", found.after))
    for target in dict.fromkeys(one.target for one in found.trials):
        mine = [one for one in found.trials if one.target == target]
        out.print()
        out.print(Text(target, style="bold"))
        out.print(fitted(_tables(mine), out))
        for mark, text, style in ratios.notes(mine):
            out.print(note(mark, text, style))
    out.print()
    for mark, text, style in ratios.of_all(found):
        out.print(note(mark, text, style))
    if not found.trials:
        return
    out.print(note("·", EXPLAINED, "dim"))
    if known := ratios.known(found):
        out.print(note("·", known, "dim"))
    out.print(note("·", UNCHANGED, "dim"))


def heading(which: str, side: Side) -> Text:
    """Which run, and when."""
    when = f"{side.started_at:%Y-%m-%d %H:%M} UTC"
    more = f" + {len(side.more)} more" if side.more else ""
    return Text.assemble((f"{which:<7}", "dim"), (side.run_id, "bold"), f"{more}  {side.recipe} · {when}")


def fitted(tables: Iterable[RenderableType], out: Console) -> RenderableType:
    """The first of these tables that fits; of none, the last."""
    for made in tables:
        if Width.get(out, out.options.update(width=1000), made).maximum <= out.width:
            break
    return made


def _tables(trials: Sequence[Compared]) -> Iterator[RenderableType]:
    """All layouts of one table, the best first.

    Where one kind of reading is all there is, its column becomes a heading before names move up.
    """
    lines = list(_lines(trials))
    drawn = any(isinstance(change, Change) for _, _, change in lines)
    without = [one for one in HEADINGS if one != "Bar"]
    for bar_width in BAR_WIDTHS if drawn else ():
        yield _table(lines, HEADINGS, bar_width)
    if drawn and len({reading for _, reading, _ in lines}) == 1:
        yield _table(lines, [one for one in HEADINGS if one != "Reading"], BAR_WIDTHS[-1])
    if not drawn:
        yield _table(lines, without)
    for bar_width in BAR_WIDTHS[-2:] if drawn else ():
        yield _named_above(lines, HEADINGS, bar_width)
    yield _named_above(lines, without)
    yield _named_above(lines, without[:-1])


def _lines(trials: Sequence[Compared]) -> Iterator[Line]:
    for one in trials:
        marks = [(f" {mark}", style) for mark, style in ratios.marks(one)]
        called = fitting.cut(ratios.called(one, trials), NAME_WIDTH - 2 * len(marks))
        name = Text.assemble(called, *marks)
        for reading, change in ratios.readings(one):
            yield name, reading, change
            name = Text()


def _table(lines: Sequence[Line], headings: Sequence[str], bar_width: int = BAR_WIDTHS[-1]) -> Table:
    rows, shown = _filled(lines, bar_width)
    if "Reading" not in headings:
        shown["Ratio"] = f"Ratio of {lines[0][1]}"
    made = _columns(headings, shown)
    for row in rows:
        made.add_row(*(row[title] for title in headings))
    return made


def _named_above(lines: Sequence[Line], headings: Sequence[str], bar_width: int = BAR_WIDTHS[-1]) -> Group:
    """The same with each trial's name on a line of its own."""
    rows, shown = _filled(lines, bar_width)
    left = [title for title in headings if title != "Variant"]
    for row in rows:
        row["Reading"].pad_left(2)
    widths = {title: max(row[title].cell_len for row in rows) for title in left}
    widths = {title: max(widths[title], cell_len(shown.get(title, title))) for title in left}
    parts: list[RenderableType] = [_columns(left, shown, widths)]
    for row in rows:
        if row["Variant"]:
            table = _columns(left, shown, widths, titled=False)
            parts += [row["Variant"], table]
        table.add_row(*(row[title] for title in left))
    return Group(*parts)


def _columns(
    headings: Sequence[str],
    shown: Mapping[str, str],
    widths: Mapping[str, int] | None = None,
    *,
    titled: bool = True,
) -> Table:
    """A table with these columns, and no row yet."""
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim", show_header=titled)
    for title in headings:
        made.add_column(
            shown.get(title, title), no_wrap=True, justify="right" if title == "Seen from" else "left",
            width=widths[title] if widths else None,
        )  # fmt: skip
    return made


def _filled(lines: Sequence[Line], bar_width: int) -> tuple[list[dict[str, Text]], dict[str, str]]:
    """Each line's cells by their headings; and what is shown for headings that depend on them."""
    reach = intervals.reach(change.ci95 for _, _, change in lines if isinstance(change, Change))
    rows = []
    for name, reading, change in lines:
        told = ratios.cells(change)
        ratio, word, seen_from = (Text(cell) if isinstance(cell, str) else cell for cell in told)
        row = {"Variant": name, "Reading": Text(reading), "Bar": _bar(change, bar_width, reach)}
        rows.append(row | {"Ratio": ratio, "": word, "Seen from": seen_from})
    return rows, {"Bar": intervals.heading(bar_width, reach)}


def _bar(change: Change | Cells | None, width: int, reach: float) -> Text:
    if not isinstance(change, Change):
        return Text("")
    bar = intervals.bar(change.ratio, change.ci95, width, reach)
    return Text(bar, style=ratios.STYLES.get(change.word, "dim"))
