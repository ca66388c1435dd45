"""The comparison with another run, as a table of the page: a line a trial, a column a reading. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgegreen.judging.accuracies import AccuracySeen
from edgegreen.judging.against import SAME_FILE
from edgegreen.judging.changes import Change
from edgegreen.judging.compared import Against, Compared
from edgegreen.judging.comparison import Row
from edgegreen.measurement import Measurement
from edgegreen.report import ratios, words
from edgegreen.report.html.summary import Kind, Remark, Word, listed

WORDS: dict[str, Kind] = {
    **dict.fromkeys(("faster", "less", "better"), "good"),
    **dict.fromkeys(("slower", "more", "worse"), "bad"),
    "not to be trusted": "doubt",
}
MARKS: dict[str, Kind] = {
    "!": "bad",
    "?": "doubt",
    "≠": "doubt",
    "~": "plain",
    "·": "plain",
    words.ABSENT: "plain",
}
GRAVE: tuple[Kind, ...] = ("bad", "doubt", "plain")


@dataclass(frozen=True)
class Cell:
    """What is shown, what it sorts by (None: below the others), and the word for a change."""

    text: str
    value: float | None
    word: Word | None = None


@dataclass(frozen=True)
class Column:
    """One of the table; `shown` says whether a trial has anything in it."""

    heading: str
    about: str
    cell: Callable[[Compared], Cell]
    shown: Callable[[Compared], bool] = lambda _: True


@dataclass(frozen=True)
class Line:
    """A trial in both runs; `row` is its number among the page's rows."""

    name: str
    target: str
    row: int | None
    status: tuple[Word, ...]
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Changes:
    """The whole comparison. `columns` follow the trial's name, its target and its status."""

    of: Against
    columns: tuple[Column, ...]
    lines: tuple[Line, ...]
    remarks: tuple[Remark, ...]
    known: str | None
    """What the intervals know, and what not."""

    @property
    def several_targets(self) -> bool:
        """Whether lines differ in it."""
        return len({line.target for line in self.lines}) > 1


def of(found: Against, rows: Sequence[Row]) -> Changes:
    """The table's columns, those that tell something of these trials, and its lines."""
    columns = tuple(one for one in COLUMNS if any(map(one.shown, found.trials)))
    numbers = {_key(row.measurement, row.measurement.runtime.name): n for n, row in enumerate(rows)}
    by_target: dict[str, list[Compared]] = {}
    for one in found.trials:
        by_target.setdefault(one.target, []).append(one)
    lines = [
        Line(
            ratios.called(one, by_target[one.target]),
            one.target,
            numbers.get(_key(one, one.runtime)),
            status(one),
            tuple(column.cell(one) for column in columns),
        )
        for one in found.trials
    ]
    return Changes(found, columns, tuple(lines), tuple(_remarks(found, lines)), ratios.known(found))


def _key(one: Compared | Measurement, runtime: str) -> tuple[object, ...]:
    """What tells a trial from all others of its run."""
    return one.variant, one.target, runtime, one.threads, one.tuning


def verdict(found: Against) -> Word | None:
    """The worst of it in a sentence; None where nothing fails."""
    trials = words.count(found.trials, "trial")
    if found.nothing_common:
        return Word("bad", f"Not compared: {found.nothing_common}")
    if worse := sum(bool(one.missed) for one in found.trials):
        return Word("bad", f"Worse than before: {worse} of {trials} beyond a limit")
    if withheld := sum(not one.compared for one in found.trials):
        return Word("bad", f"Not compared with the run before: {withheld} of {trials}")
    return None


def status(one: Compared) -> tuple[Word, ...]:
    """What to make of a comparison, the most important first; never empty."""
    said = [Word("bad", "beyond a limit")] * bool(one.missed)
    said += [Word("doubt", "not compared")] * (not one.compared)
    said += [Word("doubt", "not to be trusted")] * (not one.trusted)
    return tuple(said) or (Word("plain", "compared"),)


def _remarks(found: Against, lines: Sequence[Line]) -> list[Remark]:
    """The gravest first. That a word is the start's, and not the model's, goes before all other doubts."""
    several = len({line.target for line in lines}) > 1
    names = {
        id(one): line.name + (f" on {line.target}" if several else "")
        for one, line in zip(found.trials, lines, strict=True)
    }
    said = [
        Remark(
            "doubt" if text == SAME_FILE else MARKS[mark],
            text,
            listed([names[id(one)] for one in about], len(lines)),
        )
        for (mark, text, _), about in ratios.remarks(found.trials).items()
    ]
    said += [Remark(MARKS[mark], text, "") for mark, text, _ in ratios.of_all(found)]
    return sorted(said, key=lambda one: (GRAVE.index(one.kind), one.text != SAME_FILE))


def _ratio(change: Change | None) -> Cell:
    text, word, _ = ratios.cells(change)
    shown = str(word)
    return Cell(str(text), change.ratio if change else None, Word(WORDS.get(shown, "plain"), shown))


def _seen_from(change: Change | AccuracySeen | None, unit: str) -> Cell:
    if change is None:
        return Cell(words.ABSENT, None)
    return Cell(f"{100 * change.detectable:.2g} {unit}", change.detectable)


def _size(one: Compared) -> Cell:
    change = one.size_change_bytes
    shown = f"{'+' if change > 0 else '−'}{words.size(abs(change))}" if change else "as before"
    return Cell(shown, change)


def _accuracy(one: Compared) -> Cell:
    if one.accuracy_change is None:
        return Cell(words.ABSENT, None)
    text, word, _ = ratios.accuracy(one, one.accuracy_change)
    shown = Word(WORDS.get(str(word), "plain"), str(word)) if word else None
    return Cell(str(text), one.accuracy_change, shown) if one.accuracy_change else Cell("as before", 0.0)


SEEN_FROM = "The least change that would have been seen 8 times in 10, with such series as these."
COLUMNS = (
    Column(
        "p50, now / before",
        "How a call's median time changed: 0.9 is a tenth less than before. In brackets the 95 % interval.",
        lambda one: _ratio(one.latency),
    ),
    Column("Seen from", SEEN_FROM, lambda one: _seen_from(one.latency, "%"), lambda one: bool(one.latency)),
    Column(
        "Energy, now / before",
        "How the energy of an inference above idle changed, likewise.",
        lambda one: _ratio(one.energy),
        lambda one: bool(one.energy),
    ),
    Column("Seen from", SEEN_FROM, lambda one: _seen_from(one.energy, "%"), lambda one: bool(one.energy)),
    Column(
        "Size",
        "How many bytes the model's files have more, or less.",
        _size,
        lambda one: bool(one.size_change_bytes),
    ),
    Column(
        "Accuracy",
        "How the recipe's metric changed; points are hundredths. In brackets the 95 % interval.",
        _accuracy,
        lambda one: one.accuracy_change is not None,
    ),
    Column(
        "Seen from", SEEN_FROM, lambda one: _seen_from(one.accuracy_seen, "points"),
        lambda one: bool(one.accuracy_change and one.accuracy_seen),
    ),
)  # fmt: skip
