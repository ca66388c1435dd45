"""A run as Markdown for GitHub: the body of a comment, the summary of a step. Verdict first, then the tables.

A comment holds 65,536 characters. What does not fit loses detail, the least important first, and says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edgegreen.agent.wire import printable
from edgegreen.judging.choice import least_energy
from edgegreen.judging.compared import Against, Compared
from edgegreen.judging.comparison import Row
from edgegreen.measurement import Failure, Origin, Run
from edgegreen.report import fleet, ratios, terminal, words
from edgegreen.report.contents import Contents

MAX_BYTES = 65_536  # as bytes, which are no fewer than characters, however these are counted
SPECIAL = re.compile(r"([\\`*_\[\]<>#|~$&])")
# `@name` would call people, `#12` link an issue; an empty comment between keeps them as they are.
CALLING = re.compile(r"(?<!\w)(@|\\#)(?=\w)")
GRAVE = "✗!≠?"  # marks, the gravest first
CUT = 300
FILES_MOST = 6


@dataclass(frozen=True)
class Detail:
    """How much is told.

    `intervals` are folded away below each table, `remarks` are those that are not grave. `most` limits each
    list: targets, rows, notes. `width` limits texts, in characters.
    """

    intervals: bool = True
    remarks: bool = True
    most: int | None = None
    width: int | None = None

    @property
    def left_out(self) -> str:
        """In words; empty when nothing is."""
        said = [*(() if self.intervals else ("intervals",)), *(() if self.remarks else ("remarks",))]
        said += [] if self.most is None else [f"what is beyond the first {self.most} of each list"]
        return ", ".join(said)


def report(contents: Contents) -> str:
    """As much of it as a comment holds."""
    for detail in _details():
        text = _text(contents, detail)
        if len(text.encode()) < MAX_BYTES:
            break
    return text


def _details() -> Iterator[Detail]:
    yield Detail()
    yield Detail(intervals=False)
    yield Detail(intervals=False, remarks=False, width=CUT)
    for power in range(8, -1, -1):
        yield Detail(intervals=False, remarks=False, most=2**power, width=CUT)


def _text(contents: Contents, detail: Detail) -> str:
    run = contents.run
    parts, elsewhere = terminal.by_target(run, contents.rows)
    blocks = [f"## {_verdict(contents)}"]
    blocks += _fleet(contents, detail)
    for part in parts[: detail.most]:
        blocks += _part(run, part, detail)
    if elsewhere:
        blocks.append("\n".join(_failure(one, detail) for one in elsewhere[: detail.most]))
    if contents.against:
        blocks += _against(contents.against, detail)
    if detail.left_out:
        blocks.append(
            f"*Too long for a comment; left out: {detail.left_out}. "
            f"`edgegreen report {run.run_id} --format csv` has everything.*"
        )
    when = f"{run.started_at:%Y-%m-%d %H:%M} UTC"
    made = f"<br>{_made(run.origin)}" if run.origin else ""
    blocks.append(f"<sub>run {run.run_id} · {when} · edgegreen {_plain(run.edgegreen)}{made}</sub>")
    return "\n\n".join(blocks) + "\n"


def _made(origin: Origin) -> str:
    """Commit and digests in a line, by their beginnings: the HTML report has the whole of them."""
    said = []
    if origin.git:
        said.append(f"commit {origin.git.sha[:12]}" + (" and changes besides" if origin.git.modified else ""))
    said += [f"{key} {digest[:12]}" for key, digest in list(origin.files.items())[:FILES_MOST]]
    left_out = len(origin.files) - FILES_MOST
    said += [f"{left_out} more files"] * (left_out > 0)
    return _plain("made from " + " · ".join(said or ["a recipe that names no file"]))


def _verdict(contents: Contents) -> str:
    """The answer in a line."""
    run, rows, found = contents.run, contents.rows, contents.against
    missed = sum(bool(row.missed) for row in rows)
    doubtful = sum(row.measurement.verdict != "valid" for row in rows)
    said = [f"{missed} of {words.count(rows, 'row')} over budget"] * (missed > 0)
    said += [f"{len(run.failures)} failed"] * bool(run.failures)
    trials = found.trials if found else ()
    worse, withheld = sum(bool(one.missed) for one in trials), sum(not one.compared for one in trials)
    said += [f"{worse} of {words.count(trials, 'trial')} worse than before"] * (worse > 0)
    said += [f"{withheld} not compared"] * (withheld > 0)
    said += ["nothing to compare with"] if found and found.nothing_common else []
    mark = "❌" if said else "✅"
    if not rows and not run.failures:
        mark, said = "❌", ["nothing was measured"]
    if not said:
        wanted = any(run.budgets.on(row.measurement.target).given for row in rows)
        said = [f"{words.count(rows, 'row')}, " + ("every budget met" if wanted else "no budgets set")]
    said += [f"{doubtful} not to be trusted"] * (doubtful > 0)
    return f"{mark} {_plain(run.recipe)}: {', '.join(said)}"


def _fleet(contents: Contents, detail: Detail) -> Iterator[str]:
    """The blocks over all boards, where there are several."""
    found = fleet.of(contents.run, contents.rows)
    if found is None:
        return
    yield f"### {len(found.measured)} boards\n{fleet.HEADING}"
    headings = ["Variant", *found.headings, *found.marks]
    cells = [
        [_plain(one) for one in (line.name, *line.cells, *(str(count or "") for count in line.counts))]
        for line in found.lines[: detail.most]
    ]
    yield _table(headings, ["left", *["right"] * (len(headings) - 1)], cells)
    said = [f"- **{mark}** rows {fleet.COUNTED[mark][1]}" for mark in found.marks]
    said += [f"- **✗** {_plain(found.told_of_lost, detail.width)}"] if found.told_of_lost else []
    if said:
        yield "\n".join(said)


def _part(run: Run, part: terminal.Part, detail: Detail) -> Iterator[str]:
    """A target's blocks: heading, table, notes, intervals."""
    rows = sorted(part.rows, key=lambda row: not row.missed)[: detail.most] if detail.most else part.rows
    board = words.board(part.rows[0].measurement.conditions)
    yield f"### {_plain(part.target, detail.width)}" + (f"\n{_plain(board, detail.width)}" if board else "")
    columns = terminal.columns_of(part.rows)
    headings = [words.metric(part.rows) if one.key == "accuracy" else one.heading for one in columns]
    cells = [[_name(row), *(_cell(column, row) for column in columns[1:])] for row in rows]
    failed = [one for one in part.failures if one.variant]
    cells += [
        [f"{_plain(one.name)} ✗", *[words.ABSENT] * (len(columns) - 1)] for one in failed[: detail.most]
    ]
    yield _table(headings, [one.justify for one in columns], cells)
    if notes := list(_notes(run, part, columns, detail)):
        yield "\n".join(notes)
    if detail.intervals:
        yield _intervals(part.rows)


def _against(found: Against, detail: Detail) -> Iterator[str]:
    """The comparison's blocks: with which run, then for each target the ratios and remarks."""
    before = found.before
    more = f" and {len(before.more)} more" if before.more else ""
    when = f"{before.started_at:%Y-%m-%d %H:%M} UTC"
    yield f"### {_plain(f'Against {before.run_id}{more}', detail.width)}\n{_plain(before.recipe)} · {when}"
    for target in list(dict.fromkeys(one.target for one in found.trials))[: detail.most]:
        mine = [one for one in found.trials if one.target == target]
        shown = sorted(mine, key=lambda one: not one.failed)[: detail.most] if detail.most else mine
        cells = [line for one in shown for line in _changes(one, mine)]
        headings = (_plain(target), "Reading", "Ratio (95 % interval)", "Word", "Seen from")
        yield _table(headings, ["left", "left", "left", "left", "right"], cells)
        said = [one for one in ratios.notes(mine) if detail.remarks or one[0] in GRAVE]
        if told := [f"- **{_plain(mark)}** {_plain(text, detail.width)}" for mark, text, _ in said]:
            yield "\n".join(told[: detail.most])
    told = [f"- **{mark}** {_plain(text, detail.width)}" for mark, text, _ in ratios.of_all(found)]
    if known := ratios.known(found):  # whole however short the rest is
        told.append(f"- **·** {_plain(known)}")
    if told:
        yield "\n".join(told)


def _changes(one: Compared, among: Sequence[Compared]) -> Iterator[list[str]]:
    """A trial's lines, its name in the first."""
    marks = (f"**{mark}**" for mark, _ in ratios.marks(one))
    name = " ".join([_plain(ratios.called(one, among)), *marks])
    for reading, change in ratios.readings(one):
        yield [name, _plain(reading), *(_plain(str(cell)) for cell in ratios.cells(change))]
        name = ""


def _notes(
    run: Run, part: terminal.Part, columns: Sequence[terminal.Column], detail: Detail
) -> Iterator[str]:
    if chosen := least_energy(part.rows):
        yield f"- → {_plain(words.choice(chosen, run.budgets.on(part.target), part.rows), detail.width)}"
    said = [(mark, text) for mark, text, _ in terminal.notes(columns, part.rows, part.failures)]
    said.sort(key=lambda one: GRAVE.index(one[0]) if one[0] in GRAVE else len(GRAVE))
    told = [one for one in said if detail.remarks or one[0] in GRAVE]
    for mark, text in told[: detail.most]:
        shown = "**bold**" if mark == "*" else f"**{_plain(mark)}**"
        yield f"- {shown} {_plain(text, detail.width)}"


def _failure(failure: Failure, detail: Detail) -> str:
    where = f"{failure.target} · {failure.name}" if failure.target else failure.name
    return f"- **✗** {_plain(f'{where} ({failure.stage}): {failure.error}', detail.width)}"


def _name(row: Row) -> str:
    return " ".join([_plain(row.measurement.variant), *(f"**{mark}**" for mark, _ in terminal.marks(row))])


def _cell(column: terminal.Column, row: Row) -> str:
    text = _plain(column.show(row))
    return f"**{text}**" if column.key in row.best else text


def _intervals(rows: Sequence[Row]) -> str:
    """How sure the figures are, folded away."""
    headings = ("Trial", "p50 ms (95 % interval)", "p90", "p99", "max", "Calls", "Accuracy over", "Load ms")
    cells = []
    for row in rows:
        item, latency = row.measurement, row.measurement.latency_ms
        low, high = latency.ci95
        shown = (
            words.trial(item, rows), f"{latency.p50:.4g} ({low:.4g} … {high:.4g})", words.number(latency.p90),
            words.number(latency.p99), words.number(latency.max), f"{latency.n:,}",
            f"{item.accuracy.n:,}" if item.accuracy else words.ABSENT, words.number(item.load_ms),
        )  # fmt: skip
        cells.append([_plain(one) for one in shown])
    table = _table(headings, ["left", *["right"] * (len(headings) - 1)], cells)
    return f"<details><summary>Intervals</summary>\n\n{table}\n\n</details>"


def _table(headings: Sequence[str], justify: Sequence[str], cells: Sequence[Sequence[str]]) -> str:
    rules = [":--" if one == "left" else "--:" for one in justify]
    return "\n".join(f"| {' | '.join(line)} |" for line in (map(_plain, headings), rules, *cells))


def _plain(text: str, width: int | None = None) -> str:
    """Text that stays text: no markup, no HTML, no mention; on one line, cut at `width`."""
    line = printable(" ".join(text.split()))
    if width is not None and len(line) > width:
        line = line[: width - 1] + "…"
    return CALLING.sub(r"\1<!-- -->", SPECIAL.sub(r"\\\1", line))
