"""`search`: many variants tried on one board, the best of them written as a recipe."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgegreen.cli import track
from edgegreen.cli.common import BUDGET_MISSED, CACHE, EXECUTOR, OK, RECIPE, complain, show_tables
from edgegreen.errors import ConversionError, Interrupted

if TYPE_CHECKING:
    from edgegreen.search.run import Result

UNITS_S = {"s": 1, "m": 60, "h": 3600}


class Duration(click.ParamType[float]):
    """`90s`, `30m`, `2h` → seconds."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The seconds."""
        match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", str(value))
        if match is None or not float(match[1]):
            self.fail(f"{value!r} is no duration; write it as 90s, 30m or 2h", param, ctx)
        return float(match[1]) * UNITS_S[match[2] or "s"]


@click.command(short_help="Find the best variant within an accuracy limit.")
@RECIPE
@click.option(
    "--target", "-t", default="local", metavar="NAME|ssh://user@host[:port]",
    help="Where to measure. Default: local, this machine.",
)  # fmt: skip
@click.option(
    "--objective", type=click.Choice(["energy", "latency", "size", "compressed"]), default="latency",
    help="What is to be small, besides the loss of accuracy. Default: latency.",
)  # fmt: skip
@click.option(
    "--accuracy-drop-max", "limit", type=click.FloatRange(0), metavar="DROP",
    help="Largest loss of accuracy, in the metric's own unit. Default: the recipe's budget, or 0.01.",
)  # fmt: skip
@click.option("--trials", type=click.IntRange(1, 100_000), default=40, help="Candidates in all. Default: 40.")
@click.option("--timeout", type=Duration(), metavar="30m", help="Ask for no more candidates after this long.")
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), help="Stands for the recipe's `seed`.")
@click.option("--resume", metavar="SEARCH", help="Take up a search again: its id, or `latest`.")
@click.option(
    "--output", "-o", type=click.Path(path_type=Path), default=Path("best.yaml"),
    help="Where to write the best as a recipe. Default: best.yaml.",
)  # fmt: skip
@CACHE
@EXECUTOR
@click.option("--all", "all_", is_flag=True, help="List everything that was tried, too.")
@click.option("--dry-run", is_flag=True, help="Print what would be tried and do nothing.")
def search(
    recipe: Path,
    *,
    target: str,
    objective: str,
    limit: float | None,
    trials: int,
    timeout: float | None,
    seed: int | None,
    resume: str | None,
    output: Path,
    all_: bool,
    dry_run: bool,
) -> None:
    """Search the best of what the RECIPE's model can become: passes, precision, runtime, threads.

    Candidates are measured on the target as `deploy` does, and chosen by their accuracy on validation
    data. Only the best is then measured on the evaluation data.
    """
    from edgegreen.judging.objectives import OBJECTIVES
    from edgegreen.report import search as report
    from edgegreen.report import terminal
    from edgegreen.report.progress import progress
    from edgegreen.search import run
    from edgegreen.search.conductor import Budget

    name = next(one for one in OBJECTIVES if one == objective)
    wanted = run.Wanted(recipe, target, name, Budget(trials, timeout), output, limit, seed, resume)
    if dry_run:
        space = run.look(wanted)
        report.show_space(space.told(), space.size, terminal.console())
        return
    with progress(terminal.console(stderr=True)) as shown:
        found = run.run(wanted, shown)
    out = terminal.console()
    report.show(found.outcome, out)
    if all_:
        report.show_all(found.outcome, out)
    if found.waits:
        click.echo(f"note: {found.waits.line}", err=True)
    code = _ended(found, output)
    for kept in found.measured:
        track.after_run(kept)
    sys.exit(code)


def _ended(found: Result, output: Path) -> int:
    """Say how it ended; the exit code. Raises what it was ended by."""
    again = f"the same command with `--resume {found.search_id}` goes on"
    if found.interrupted:
        done = sum(not one.given for one in found.outcome.tried)
        raise Interrupted(f"interrupted; {done} candidates tried, and kept", hint=again)
    if found.broken:
        found.broken.hint = f"{found.broken.hint}; {again}" if found.broken.hint else again
        raise found.broken
    if found.judged is None:
        return BUDGET_MISSED
    from edgegreen.judging import comparison

    rows = comparison.of(found.judged)
    click.echo(f"\n{output} on the evaluation data, which had no part in the choice:")
    show_tables(found.judged, rows, profiled=False)
    if found.reproduced is False:
        complain(ConversionError(f"{output} does not build the file that was chosen"))
    codes = [failure.exit_code for failure in found.judged.failures]
    codes += [ConversionError.exit_code] * (found.reproduced is False)
    return max([OK, *codes, *(BUDGET_MISSED for row in rows if row.missed)])
