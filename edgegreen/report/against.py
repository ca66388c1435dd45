"""Two runs compared, as a person reads them: a line for each reading of each trial, remarks below.

Marks are those of the other tables: `!` over a limit, `?` not to be trusted; and `≠` not compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console
from rich.measure import Measurement as Width
from rich.table import Table
from rich.text import Text

from edgegreen.against import Against, Compared, Side
from edgegreen.changes import Change
from edgegreen.report import fitting, intervals, words
from edgegreen.report.terminal import note

STYLES = {
    **dict.fromkeys(("faster", "less", "better"), "green"),
    **dict.fromkeys(("slower", "more", "worse"), "red"),
    "not to be trusted": "yellow",
}
HEADINGS = ("Variant", "Reading", "Ratio", "Bar", "", "Seen from")
BAR_WIDTHS = (31, 21, 15, 11)
Cells = tuple[Text | str, Text | str, Text | str]
"""Below Ratio, the word, and Seen from."""
Line = tuple[Compared, str, Change | Cells | None]
"""One of the table: a trial, what was read, and how it changed."""
NAME_WIDTHS = (50, 40, *fitting.NAME_WIDTHS)
EXPLAINED = "ratio: now over before, with its 95 % interval; seen from: the least change seen 8 times in 10"
NOISE = "the interval knows the noise within each run, not what differs from one start to the next"
STARTS = "the interval knows what differs from one start to the next, by the starts that are pooled"
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
        for mark, text, style in _notes(mine):
            out.print(note(mark, text, style))
    out.print()
    for run, absent in ((found.before, found.only_before), (found.after, found.only_after)):
        names = ", ".join(dict.fromkeys(f"{one.variant} on {one.target}" for one in absent))
        if names:
            out.print(note(words.ABSENT, f"in {run.run_id} only: {names}", "dim"))
    out.print(note("·", EXPLAINED, "dim"))
    pooled = all(one.latency.by == "starts" for one in found.trials if one.latency)
    out.print(note("·", STARTS if pooled else NOISE, "dim"))
    out.print(note("·", UNCHANGED, "dim"))


def heading(which: str, side: Side) -> Text:
    """Which run, and when."""
    when = f"{side.started_at:%Y-%m-%d %H:%M} UTC"
    more = f" + {len(side.more)} more" if side.more else ""
    return Text.assemble((f"{which:<7}", "dim"), (side.run_id, "bold"), f"{more}  {side.recipe} · {when}")


def fitted(tables: Iterable[Table], out: Console) -> Table:
    """The first of these tables that fits; of none, the last."""
    for made in tables:
        if Width.get(out, out.options.update(width=1000), made).maximum <= out.width:
            break
    return made


def _tables(trials: Sequence[Compared]) -> Iterator[Table]:
    """All layouts of one table, the best first."""
    lines = [(one, reading, change) for one in trials for reading, change in _readings(one)]
    for headings, name_width, bar_width in _layouts(lines):
        yield _table(lines, trials, headings, name_width, bar_width)


def _layouts(lines: Sequence[Line]) -> Iterator[tuple[list[str], int, int]]:
    """Headings, room for a name, for a bar: bars get narrow and go, names are cut, the last column goes.

    Where one kind of reading is all there is, its column becomes a heading before anything goes.
    """
    left = list(HEADINGS)
    if any(isinstance(change, Change) for _, _, change in lines):
        for bar_width in BAR_WIDTHS:
            yield left, NAME_WIDTHS[0], bar_width
        if len({reading for _, reading, _ in lines}) == 1:
            left = [one for one in left if one != "Reading"]
            yield left, NAME_WIDTHS[0], BAR_WIDTHS[-1]
    for gone in (("Bar",), ("Bar", "Seen from")):
        for name_width in NAME_WIDTHS:
            yield [one for one in left if one not in gone], name_width, BAR_WIDTHS[-1]


def _table(
    lines: Sequence[Line],
    trials: Sequence[Compared],
    headings: Sequence[str],
    name_width: int,
    bar_width: int,
) -> Table:
    reach = intervals.reach(change.ci95 for _, _, change in lines if isinstance(change, Change))
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    shown = {"Bar": intervals.heading(bar_width, reach)}
    if "Reading" not in headings:
        shown["Ratio"] = f"Ratio of {lines[0][1]}"
    for title in headings:
        right = title == "Seen from"
        made.add_column(shown.get(title, title), no_wrap=True, justify="right" if right else "left")
    before = None
    for one, reading, change in lines:
        name = "" if one is before else _name(one, trials, name_width)
        row = dict(zip(("Ratio", "", "Seen from"), cells(change), strict=True))
        row |= {"Variant": name, "Reading": reading, "Bar": _bar(change, bar_width, reach)}
        made.add_row(*(row[title] for title in headings))
        before = one
    return made


def _bar(change: Change | Cells | None, width: int, reach: float) -> Text:
    if not isinstance(change, Change):
        return Text("")
    bar = intervals.bar(change.ratio, change.ci95, width, reach)
    return Text(bar, style=STYLES.get(change.word, "dim"))


def _name(one: Compared, among: Sequence[Compared], width: int) -> Text:
    marks = [(" !", "bold red")] * bool(one.missed)
    marks += [(" ?", "bold yellow")] * (not one.trusted)
    marks += [(" ≠", "bold yellow")] * (not one.compared)
    return Text.assemble(fitting.cut(called(one, among), width - 2 * len(marks)), *marks)


def called(one: Compared, among: Sequence[Compared]) -> str:
    """The variant, and what tells it from its twins."""
    twins = [(twin.runtime, twin.threads, twin.tuning) for twin in among if twin.variant == one.variant]
    return ", ".join([one.variant, *words.setting((one.runtime, one.threads, one.tuning), twins)])


def _readings(one: Compared) -> Iterator[tuple[str, Change | Cells | None]]:
    """A line each: latency always, energy where there is one, size and accuracy where they changed."""
    yield "p50", one.latency
    if one.energy:
        yield "energy", one.energy
    if one.size_change_bytes:
        sign = "+" if one.size_change_bytes > 0 else "−"
        yield "size", (f"{sign}{words.size(abs(one.size_change_bytes))}", "", "")
    if one.accuracy_change:
        yield one.metric or "accuracy", _accuracy(one, one.accuracy_change)


def _accuracy(one: Compared, change: float) -> Cells:
    """The change, with its interval and the word for it where there is one."""
    if one.metric not in words.SHARES:
        return f"{change:+.3g}".replace("-", "−"), "", ""
    points, seen = f"{100 * change:+.2f}", one.accuracy_seen
    if seen is None:
        return f"{points} points".replace("-", "−"), "", ""
    low, high = (f"{100 * limit:+.2f}" for limit in seen.ci95)
    told = f"{points} ({low}…{high}) points".replace("-", "−")
    return told, Text(seen.word, style=STYLES.get(seen.word, "")), f"{100 * seen.detectable:.2g} points"


def cells(change: Change | Cells | None) -> Cells:
    """The ratio with its interval, the word for it, and what would be seen."""
    if isinstance(change, tuple):
        return change
    if change is None:
        return Text(words.ABSENT, style="dim"), Text("not compared", style="dim"), ""
    low, high = change.ci95
    ratio = f"{_figure(change.ratio)} ({_figure(low)}…{_figure(high)})"
    return ratio, Text(change.word, style=STYLES.get(change.word, "")), f"{100 * change.detectable:.2g} %"


def _figure(ratio: float) -> str:
    """Three decimals near 1, where they matter."""
    return f"{ratio:.3f}" if 0.1 <= ratio < 10 else words.number(ratio)


def _notes(trials: Sequence[Compared]) -> Iterator[tuple[str, str, str]]:
    """Each remark once, with the trials it is about."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for one in trials:
        said = [("!", text, "red") for text in one.missed]
        said += [("~" if one.compared else "≠", str(text), "yellow") for text in one.differences]
        said += [("?", text, "yellow") for text in one.doubts]
        said += [("·", text, "dim") for text in one.notes]
        for remark in said:
            found.setdefault(remark, []).append(called(one, trials))
    for (mark, text, style), names in found.items():
        joint = "; " if any("," in name for name in names) else ", "
        who = "all" if len(names) == len(trials) > 1 else joint.join(names)
        yield mark, f"{who}: {text}", style
