"""What a run comes to, in words: the verdict, the best of each target, the budgets, remarks. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from edgegreen.config.limitkeys import Budgets, Limits
from edgegreen.judging import limits
from edgegreen.judging.comparison import Row
from edgegreen.measurement import Measurement, Run
from edgegreen.report import terminal, words

Kind = Literal["good", "doubt", "bad", "plain"]
NAMED = 6  # rows that a remark names one by one
BEST_OF = {"p50": "Fastest", "energy": "Least energy", "accuracy": "Most accurate", "size": "Smallest"}
KINDS: Mapping[str, Kind] = {"!": "bad", "?": "doubt", "~": "plain"}


@dataclass(frozen=True)
class Word:
    """A word or sentence, and how good the news is."""

    kind: Kind
    text: str


@dataclass(frozen=True)
class Best:
    """The best of one target, one cell for each of `BEST_OF`; None where nothing stands out."""

    target: str
    cells: tuple[str | None, ...]


@dataclass(frozen=True)
class Budget:
    """One limit of the recipe: how many rows are held to it, and the names of those that miss it."""

    name: str
    limit: str
    n: int
    missed: tuple[str, ...]


@dataclass(frozen=True)
class Remark:
    """Something to know of some rows."""

    kind: Kind
    text: str
    about: str


def names(rows: Sequence[Row]) -> list[str]:
    """Each row's name, which tells it from all others."""
    several = len({row.measurement.target for row in rows}) > 1
    return [
        words.trial(row.measurement, rows) + (f" on {row.measurement.target}" if several else "")
        for row in rows
    ]


def verdict(run: Run, rows: Sequence[Row]) -> Word:
    """The run in one sentence."""
    n = words.count(rows, "row")
    over = sum(bool(row.missed) for row in rows)
    doubtful = sum(row.measurement.verdict != "valid" for row in rows)
    miss, are = ("misses" if over == 1 else "miss"), ("is" if doubtful == 1 else "are")
    emulated = all(row.measurement.emulated for row in rows)
    of_all = "all " if len(rows) > 1 else ""
    limited = any(run.budgets.on(row.measurement.target).given for row in rows)
    # The worst first: what is true of the run and comes first here is what it says.
    said = (
        (not rows, Word("bad", "Nothing was measured")),
        (over, Word("bad", f"Not within budget: {over} of {n} {miss} a limit")),
        (run.failures, Word("bad", f"Incomplete: {words.count(run.failures, 'trial')} failed, {n} measured")),
        (doubtful, Word("doubt", f"{doubtful} of {n} {are} not to be trusted")),
        (emulated, Word("doubt", "Measured on emulated boards only: the speeds are those of no board")),
        (limited, Word("good", f"Within budget: {of_all}{n}")),
    )
    otherwise = Word("good", f"Measured: {n}; the recipe sets no budgets")
    return next((word for is_so, word in said if is_so), otherwise)


def status(row: Row, budgets: Budgets) -> tuple[Word, ...]:
    """What to make of a row, the most important first; never empty."""
    item = row.measurement
    found = [Word("bad", "over budget")] * bool(row.missed)
    found += [Word("doubt", "not to be trusted")] * (item.verdict != "valid")
    found += [Word("doubt", "emulated")] * item.emulated
    limited = budgets.on(item.target).given
    found = found or [Word("good", "within budget" if limited else "valid")]
    return (*found, *[Word("plain", "replayed")] * (words.replayed(item) is not None))


def best(rows: Sequence[Row]) -> list[Best]:
    """Each target's best; targets in which nothing stands out are left out."""
    found = []
    for target in dict.fromkeys(row.measurement.target for row in rows):
        mine = [row for row in rows if row.measurement.target == target]
        cells = tuple(_best_of(key, mine) for key in BEST_OF)
        if any(cells):
            found.append(Best(target, cells))
    return found


def _best_of(key: str, rows: Sequence[Row]) -> str | None:
    """`int8-tflite: 1.20 ms`; the first of several that are alike."""
    won = [row for row in rows if key in row.best]
    if not won:
        return None
    shown = {
        "p50": lambda: f"{words.number(won[0].measurement.latency_ms.p50)} ms",
        "energy": lambda: f"{words.energy(won[0].measurement)} mJ",
        "accuracy": lambda: words.accuracy(won[0]),
        "size": lambda: words.size(won[0].measurement.artifact.size_bytes),
    }[key]()
    more = f" and {len(won) - 1} more" if len(won) > 1 else ""
    return f"{words.trial(won[0].measurement, rows)}{more}: {shown}"


# Budget → what it is called, and how its limit reads.
LIMITS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "accuracy_drop_max": ("loss of accuracy against the float model", lambda v: f"≤ {v:g}"),
    "latency_p50_ms_max": ("p50 of latency", lambda v: f"≤ {v:g} ms"),
    "latency_p95_ms_max": ("p95 of latency", lambda v: f"≤ {v:g} ms"),
    "latency_p99_ms_max": ("p99 of latency", lambda v: f"≤ {v:g} ms"),
    "first_inference_ms_max": ("first inference", lambda v: f"≤ {v:g} ms"),
    "size_bytes_max": ("size of the files", lambda v: f"≤ {words.size(v)}"),
    "peak_rss_bytes_max": ("memory", lambda v: f"≤ {words.size(v)}"),
    "energy_mj_max": ("energy of one inference", lambda v: f"≤ {v:g} mJ"),
    "power_w_max": ("power while running", lambda v: f"≤ {v:g} W"),
    "valid": ("readings that can be trusted", lambda _: "all"),
}


def budgets(run: Run, rows: Sequence[Row]) -> list[Budget]:
    """Each of the recipe's budgets by itself. Emulated boards are held to none of speed or energy."""
    held: dict[tuple[str, Any], list[tuple[str, Row]]] = {}
    for called, row in zip(names(rows), rows, strict=True):
        for key, limit in run.budgets.on(row.measurement.target).given.items():
            mine = held.setdefault((key, limit), [])
            of_speed = key in limits.LIMITED and limits.LIMITED[key].of_speed
            if not (row.measurement.emulated and of_speed):
                mine.append((called, row))
    return [_budget(run, key, limit, mine) for (key, limit), mine in held.items()]


def _budget(run: Run, key: str, limit: Any, held: Sequence[tuple[str, Row]]) -> Budget:
    name, shown = LIMITS[key]
    if held and limit != getattr(run.budgets, key):
        name += f" on {', '.join(dict.fromkeys(row.measurement.target for _, row in held))}"
    only, higher = Limits.model_validate({key: limit}), run.higher_is_better
    missed = [called for called, row in held if limits.missed(row.measurement, only, higher_is_better=higher)]
    return Budget(name, shown(limit), len(held), tuple(missed))


def remarks(rows: Sequence[Row]) -> list[Remark]:
    """Why rows miss a budget, are not to be trusted, or ran in another way than one might think."""
    called = {id(row.measurement): text for row, text in zip(rows, names(rows), strict=True)}
    found = [(KINDS[mark], text, about) for (mark, text, _), about in terminal.remarks(rows).items()]
    origins: dict[str, list[Measurement]] = {}
    for item in (row.measurement for row in rows):
        for text in (words.replayed(item), terminal.EMULATED if item.emulated else None):
            if text:
                origins.setdefault(text, []).append(item)
    found += [("plain", text, about) for text, about in origins.items()]
    return [
        Remark(kind, text, listed([called[id(item)] for item in about], len(rows)))
        for kind, text, about in found
    ]


def listed(called: Sequence[str], n: int) -> str:
    """The first few names, and how many more; `all rows` where it is all of several."""
    if len(called) == n > 1:
        return f"all {n} rows"
    more = len(called) - NAMED
    return "; ".join(called[:NAMED]) + (f"; and {more} more" if more > 0 else "")


def boards(rows: Sequence[Row]) -> list[tuple[str, str, str]]:
    """Each target, the machine it is, and what its power was read from."""
    first: dict[str, Measurement] = {}
    for row in rows:
        first.setdefault(row.measurement.target, row.measurement)
    return [
        (target, words.board(item.conditions) or words.ABSENT, _meter(item)) for target, item in first.items()
    ]


def _meter(item: Measurement) -> str:
    if item.power is None:
        return item.energy_absent or "none"
    where = f", {item.power.rail}" if item.power.rail else ""
    return f"{item.power.source}{where}; {words.scope(item)}"
