"""A run and its repetition, as a person reads them: a line for each check of each trial, remarks, a verdict.

Marks are those of the other tables: `!` does not reproduce, `?` cannot be told.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from edgegreen.judging.changes import per_cent
from edgegreen.judging.verified import Check, Repeated, Verified
from edgegreen.report import fitting, words
from edgegreen.report.against import fitted, heading
from edgegreen.report.ratios import NOISE, called, cells
from edgegreen.report.terminal import note

NAME_WIDTHS = (50, 40, *fitting.NAME_WIDTHS)
HEADINGS = ("Variant", "Reading", "Then, now", "", "Seen from")
EXPLAINED = "ratio: now over then, with its 95 % interval; seen from: the least change seen 8 times in 10"
STYLES = {True: "green", False: "red", None: "yellow"}
VERDICTS = {True: "reproduces", False: "does not reproduce", None: "cannot be told"}


def show(found: Verified, out: Console) -> None:
    """Print the whole comparison."""
    out.print(heading("then", found.before))
    out.print(heading("now", found.after))
    for target in dict.fromkeys(one.compared.target for one in found.trials):
        mine = [one for one in found.trials if one.compared.target == target]
        out.print()
        out.print(Text(target, style="bold"))
        out.print(fitted(_tables(mine), out))
        for mark, text, style in _notes(mine, found.within):
            out.print(note(mark, text, style))
    out.print()
    for one in found.absent:
        out.print(note("?", f"{one.variant} on {one.target}: could not be repeated", "yellow"))
    for difference in found.origin:
        out.print(note("~", str(difference), "yellow"))
    out.print(note("·", EXPLAINED, "dim"))
    out.print(note("·", f"{NOISE}: hence within {100 * found.within:.3g} %", "dim"))
    out.print(Text(_verdict(found), style=f"bold {STYLES[found.reproduces]}"))


def _verdict(found: Verified) -> str:
    """In one line, with how many trials of all that makes it so."""
    ends = [*(one.reproduces for one in found.trials), *(None for _ in found.absent)]
    told = [one for one in ends if one is found.reproduces]
    return f"{VERDICTS[found.reproduces]}: {len(told)} of {words.count(ends, 'trial')}"


def _tables(trials: Sequence[Repeated]) -> Iterator[Table]:
    """Names are cut, and then the last column goes."""
    for headings in (HEADINGS, HEADINGS[:-1]):
        for name_width in NAME_WIDTHS:
            yield _table(trials, headings, name_width)


def _table(trials: Sequence[Repeated], headings: Sequence[str], name_width: int) -> Table:
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for title in headings:
        made.add_column(title, no_wrap=True, justify="right" if title == "Seen from" else "left")
    for one in trials:
        name: Text | str = _name(one, trials, name_width)
        for check in one.checks:
            made.add_row(name, *_check(check)[: len(headings) - 1])
            name = ""
    return made


def _name(one: Repeated, among: Sequence[Repeated], width: int) -> Text:
    mark = {True: "", False: " !", None: " ?"}[one.reproduces]
    text = called(one.compared, [other.compared for other in among])
    return Text.assemble(fitting.cut(text, width - len(mark)), (mark, f"bold {STYLES[one.reproduces]}"))


def _check(check: Check) -> tuple[Text | str, ...]:
    word = Text(check.word, style=STYLES[check.reproduces] if check.reproduces is not True else "")
    if check.change:
        ratio, _, seen_from = cells(check.change)
        return check.what, ratio, word, seen_from
    if check.files:
        then, now = (digest[:12] for digest in check.files)
        return check.what, f"{then}…" if then == now else f"{then}… → {now}…", word, ""
    if check.values:
        then, now = (f"{value:.6g}" for value in check.values)
        return check.what, then if then == now else f"{then} → {now}", word, ""
    return check.what, Text(words.ABSENT, style="dim"), word, ""


def _notes(trials: Sequence[Repeated], within: float) -> Iterator[tuple[str, str, str]]:
    """Each remark once, with the trials it is about."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for one in trials:
        said = [
            ("~" if one.compared.compared else "?", str(text), "yellow") for text in one.compared.differences
        ]
        said += [("?", text, "yellow") for text in one.compared.doubts]
        said += [("·", text, "dim") for text in (*one.compared.notes, *_blunt(one, within))]
        for remark in said:
            found.setdefault(remark, []).append(called(one.compared, [other.compared for other in trials]))
    for (mark, text, style), names in found.items():
        who = "all" if len(names) == len(trials) > 1 else "; ".join(names)
        yield mark, f"{who}: {text}", style


def _blunt(one: Repeated, within: float) -> Iterator[str]:
    """Where the readings are too unsteady to tell a change of that size: that they agree says little."""
    for check in one.checks:
        if check.reproduces and check.change and check.change.detectable > within:
            least = per_cent(check.change.detectable)
            yield f"{check.what}: less than {least} would hardly be seen: measure longer to know more"
