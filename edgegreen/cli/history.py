"""`runs`, `export` and `import`: all runs that are kept, or those that are asked for; runs from elsewhere."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from edgegreen.cli.common import OK, check_place, complain
from edgegreen.errors import InputError

if TYPE_CHECKING:
    from edgegreen.history.filters import Filter
    from edgegreen.history.shelf import Shelf

Command = TypeVar("Command", bound=Callable[..., Any])
FILTERS = (
    click.option("--recipe", metavar="NAME", help="Of this recipe."),
    click.option("--target", "-t", metavar="NAME", help="With this target."),
    click.option("--variant", "-v", metavar="NAME", help="With this variant."),
    click.option("--since", metavar="DATE|7d", help="Begun since then: a date (UTC), or 12h, 7d, 2w ago."),
    click.option("--until", metavar="DATE|7d", help="Begun by then; a day counts to its end."),
    click.option("--git", metavar="COMMIT", help="Of this commit, or the beginning of one."),
    click.option("--verdict", type=click.Choice(["valid", "invalid"]), help="With such a reading."),
    click.option("--failed", is_flag=True, help="In which something failed."),
)


def filtered(command: Command) -> Command:
    """Give a command the options that say which runs are meant."""
    for option in reversed(FILTERS):
        command = option(command)
    return command


@click.command(short_help="List the runs that are kept.")
@filtered
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="As many at most.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def runs(limit: int, *, as_json: bool, **wanted: Any) -> None:
    """List the runs that are kept, the newest first; with options, those that are all of what these say."""
    from dataclasses import asdict

    from edgegreen.history import shelf
    from edgegreen.report import listings, terminal

    with shelf.opened() as known:
        _say_what_waits(known)
        found = known.find(_filter(**wanted), limit)
        broken = [] if any(wanted.values()) else known.broken()[:limit]
    if not (found or broken):
        click.echo(f"note: no run {'matches' if any(wanted.values()) else 'is kept'}", err=True)
    if as_json:
        listed = [asdict(one) | {"started_at": one.started_at.isoformat()} for one in found]
        click.echo(json.dumps(listed, indent=2))
        for one in broken:
            complain(one.why)
    elif found or broken:
        listings.show_runs(found, broken, terminal.console())


@click.command(short_help="Write the results of many runs as CSV or Parquet.")
@filtered
@click.option("--csv", "csv_to", type=click.Path(path_type=Path), metavar="FILE", help="As CSV; - is stdout.")
@click.option(
    "--parquet", "parquet_to", type=click.Path(path_type=Path), metavar="FILE|FOLDER",
    help="As Parquet: a file, or a folder with a part for each recipe.",
)  # fmt: skip
def export(csv_to: Path | None, parquet_to: Path | None, **wanted: Any) -> None:
    """Write the results of all kept runs, or of those that the options mean: a row each, with every figure.

    The columns are those of `report --format csv`, with their units in their names. Rows are in the order
    of time. A run that cannot be read is named on stderr, and left out.
    """
    from edgegreen import export as exporting
    from edgegreen.history import shelf

    if (csv_to is None) == (parquet_to is None):
        raise InputError("one of --csv and --parquet says what to write")
    write = exporting.csv if csv_to else exporting.parquet
    to = csv_to or parquet_to
    assert to is not None
    if str(to) != "-" and not (parquet_to and to.is_dir()):
        check_place("--csv" if csv_to else "--parquet", to)
    with shelf.opened() as known:
        if known.away:
            raise known.away  # a part of the runs is not what was asked for
        _say_what_waits(known)
        rows, runs = write(exporting.entries(known, _filter(**wanted), complain), to)
    click.echo(f"{rows} rows of {runs} runs" + ("" if str(to) == "-" else f" in {to}"), err=True)


@click.command("import", short_help="Take the runs of another history, or of JSON files, into this one.")
@click.argument("files", type=click.Path(path_type=Path), metavar="FILE...", nargs=-1, required=True)
def import_(files: tuple[Path, ...]) -> None:
    """Put the runs of each FILE into the history, which EDGEGREEN_DB may name.

    FILE is another history in SQLite (history.db), whose runs bring their series along, or a run's JSON. A
    run that is there already stays as it is. The exit code is 2 when a file or a run cannot be read.
    """
    from edgegreen.history import importing

    code = OK
    for file in files:
        try:
            found = importing.take(file)
        except InputError as error:
            complain(error)
            code = error.exit_code
            continue
        listed = found.taken + found.there + len(found.broken)
        there = f", {found.there} were there" if found.there else ""
        click.echo(f"{file}: {found.taken} of {listed} runs taken in{there}")
        for broken in found.broken:
            complain(broken)
            code = broken.exit_code
    sys.exit(code)


def _say_what_waits(known: Shelf) -> None:
    if known.away:
        click.echo(f"note: these are the runs of the spool alone: {known.away.message}", err=True)
    elif known.not_taken:
        click.echo(f"note: runs wait in the spool: {known.not_taken.line}", err=True)


def _filter(since: str | None, until: str | None, **wanted: Any) -> Filter:
    from edgegreen.history.filters import Filter, moment

    return Filter(
        since=moment(since) if since else None, until=moment(until, end=True) if until else None, **wanted
    )
