"""What a comparison of two runs says of a trial, in cells and remarks, for the terminal and Markdown alike.

Marks are those of the other tables: `!` over a limit, `?` not to be trusted; and `≠` not compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.text import Text

from edgegreen.judging.changes import Change, per_cent
from edgegreen.judging.compared import Against, Compared
from edgegreen.report import words

STYLES = {
    **dict.fromkeys(("faster", "less", "better"), "green"),
    **dict.fromkeys(("slower", "more", "worse"), "red"),
    "not to be trusted": "yellow",
}
NOISE = "the interval knows the noise within each run, not what differs from one start to the next"
STARTS = "the interval knows what differs from one start to the next, by the starts that are pooled"
ONLY_MOST = 20  # trials that one of the runs has alone, and are named
Cells = tuple[Text | str, Text | str, Text | str]
"""Below Ratio, the word, and Seen from."""


def called(one: Compared, among: Sequence[Compared]) -> str:
    """The variant, and what tells it from its twins."""
    twins = [(twin.runtime, twin.threads, twin.tuning) for twin in among if twin.variant == one.variant]
    return ", ".join([one.variant, *words.setting((one.runtime, one.threads, one.tuning), twins)])


def marks(one: Compared) -> list[tuple[str, str]]:
    """The marks behind a trial's name, with their styles."""
    found = [("!", "bold red")] * bool(one.missed)
    found += [("?", "bold yellow")] * (not one.trusted)
    return found + [("≠", "bold yellow")] * (not one.compared)


def readings(one: Compared) -> Iterator[tuple[str, Change | Cells | None]]:
    """A line each: latency always, energy where there is one, size and accuracy where they changed."""
    yield "p50", one.latency
    if one.energy:
        yield "energy", one.energy
    if one.size_change_bytes:
        sign = "+" if one.size_change_bytes > 0 else "−"
        yield "size", (f"{sign}{words.size(abs(one.size_change_bytes))}", "", "")
    if one.accuracy_change:
        yield one.metric or "accuracy", accuracy(one, one.accuracy_change)


def accuracy(one: Compared, change: float) -> Cells:
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
    return ratio, Text(change.word, style=STYLES.get(change.word, "")), per_cent(change.detectable)


def _figure(ratio: float) -> str:
    """Three decimals near 1, where they matter."""
    return f"{ratio:.3f}" if 0.1 <= ratio < 10 else words.number(ratio)


def of_all(found: Against) -> Iterator[tuple[str, str, str]]:
    """What is to be said of the whole comparison: of what the runs are, which trials only one of them has."""
    if found.nothing_common:
        yield "≠", found.nothing_common, "yellow"
    for text in found.notes:
        yield "·", text, "yellow"
    for run, absent in ((found.before, found.only_before), (found.after, found.only_after)):
        names = list(dict.fromkeys(f"{one.variant} on {one.target}" for one in absent))
        if names:
            yield words.ABSENT, f"in {run.run_id} only: {words.some(names, ONLY_MOST)}", "dim"


def known(found: Against) -> str | None:
    """What the intervals of the ratios know, and what they do not; None where there are none."""
    by = {one.latency.by for one in found.trials if one.latency}
    return (STARTS if by == {"starts"} else NOISE) if by else None


def notes(trials: Sequence[Compared]) -> Iterator[tuple[str, str, str]]:
    """Each remark once, with the trials of a target that it is about."""
    for (mark, text, style), about in remarks(trials).items():
        names = [called(one, trials) for one in about]
        joint = "; " if any("," in name for name in names) else ", "
        who = "all" if len(names) == len(trials) > 1 else joint.join(names)
        yield mark, f"{who}: {text}", style


def remarks(trials: Sequence[Compared]) -> dict[tuple[str, str, str], list[Compared]]:
    """What is to be said of trials: mark, text and style, and those it is about."""
    found: dict[tuple[str, str, str], list[Compared]] = {}
    for one in trials:
        said = [("!", text, "red") for text in one.missed]
        said += [("~" if one.compared else "≠", str(text), "yellow") for text in one.differences]
        said += [("?", text, "yellow") for text in one.doubts]
        said += [("·", text, "dim") for text in one.notes]
        for remark in said:
            found.setdefault(remark, []).append(one)
    return found
