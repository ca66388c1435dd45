"""`deploy` and `convert`: what a recipe is for."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgegreen.cli import track
from edgegreen.cli.common import (
    BUDGET_MISSED,
    CACHE,
    EXECUTOR,
    OK,
    RECIPE,
    VARIANT,
    check_place,
    complain,
    said,
    show_tables,
    write,
)  # fmt: skip
from edgegreen.cli.compare import exit_code
from edgegreen.errors import InputError, Interrupted

if TYPE_CHECKING:
    from edgegreen.history.series import SeriesOf
    from edgegreen.judging.against import Source
    from edgegreen.judging.compared import Against
    from edgegreen.locked.lock import Lock
    from edgegreen.measurement import Run
    from edgegreen.plan import Plan
    from edgegreen.report.contents import Contents
    from edgegreen.session import Session


@click.command(short_help="Build, run on each target, compare.")
@RECIPE
@click.option(
    "--target", "-t", "targets", multiple=True, metavar="NAME|ssh://user@host[:port]|replay:PATH|labgrid:TAGS",
    help="Where to run; several run side by side, 'pi-*' is all that fit. Default: local, this machine.",
)  # fmt: skip
@click.option("--tag", "tags", multiple=True, metavar="TAG", help="Only targets with this tag.")
@VARIANT
@click.option(
    "--retry-invalid", type=click.IntRange(0, 100), metavar="N",
    help="Repeat a trial whose reading cannot be trusted up to N times; the best is kept.",
)  # fmt: skip
@click.option(
    "--resume", metavar="RUN",
    help="Take up a kept run again: what it has measured of the same models stays.",
)  # fmt: skip
@click.option(
    "--against", metavar="RUN|latest|FILE",
    help="Compare with this run, or several with commas; `latest` is the one of this recipe before this run.",
)  # fmt: skip
@CACHE
@EXECUTOR
@click.option("--force", is_flag=True, help="With --against: also where board, runtime or settings differ.")
@click.option(
    "--locked", is_flag=True,
    help="Refuse whatever differs from the recipe's lock, which `edgegreen lock` writes.",
)  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Print the plan and do nothing.")
@click.option(
    "--all", "all_", is_flag=True, help="With --dry-run: each trial on a line, however many boards."
)
@click.option("--profile", is_flag=True, help="Show the slowest operators too, where the runtime times them.")
@click.option(
    "--json",
    "json_to",
    metavar="PATH|-",
    help="Write the run (with --dry-run: the plan) as JSON; - is stdout, without the table.",
)
@click.option(
    "--record", type=click.Path(path_type=Path), metavar="FOLDER",
    help="Record what goes to and comes from each target, for `--target replay:FOLDER`.",
)  # fmt: skip
def deploy(
    recipe: Path,
    *,
    targets: tuple[str, ...],
    tags: tuple[str, ...],
    only: tuple[str, ...],
    retry_invalid: int | None,
    resume: str | None,
    against: str | None,
    force: bool,
    locked: bool,
    dry_run: bool,
    all_: bool,
    profile: bool,
    json_to: str | None,
    record: Path | None,
) -> None:
    """Build the RECIPE's variants, run them on each target, print the comparison."""
    from dataclasses import replace

    from edgegreen.prepare import prepare
    from edgegreen.report import planned, terminal

    if force and against is None:
        raise InputError("--force goes with --against only")
    if all_ and not dry_run:
        raise InputError("--all goes with --dry-run only")
    plan = prepare(recipe, targets, only, tags=tags, retry_invalid=retry_invalid, record_to=record)
    plan = replace(plan, profile=profile)
    lock = _lock(plan) if locked else None
    for remark in plan.remarks:
        click.echo(f"note: {remark}", err=True)
    if json_to not in (None, "-"):
        check_place("--json", Path(json_to))
    if dry_run:
        if json_to != "-":
            planned.show(plan, terminal.console(), each=all_)
        if json_to:
            _write(json_to, planned.to_json(plan))
        return
    sys.exit(_carry_out(plan, lock, resume=resume, against=against, force=force, json_to=json_to))


@click.command(short_help="Build a recipe's variants and check them.")
@RECIPE
@VARIANT
@click.option("--output", "-o", type=click.Path(path_type=Path), help="Copy the built files to this folder.")
@CACHE
@EXECUTOR
def convert(recipe: Path, only: tuple[str, ...], output: Path | None) -> None:
    """Build the RECIPE's variants and check each against the source model, on this machine."""
    from edgegreen import building
    from edgegreen.prepare import prepare
    from edgegreen.report import listings, terminal
    from edgegreen.report.progress import progress

    plan = prepare(recipe, ["local"], only, measured=False)
    with progress(terminal.console(stderr=True)) as shown:
        built, failed = building.build_only(plan, shown, output)
    listings.show_artifacts(built, failed, terminal.console(), output)
    sys.exit(max((error.exit_code for error in failed.values()), default=OK))


def _write(json_to: str, text: str) -> None:
    """To standard output, or to a file. Raises InputError."""
    if json_to == "-":
        click.echo(text)
    else:
        write(Path(json_to), text + "\n")


def _lock(plan: Plan) -> Lock:
    """The lock of the plan's recipe, once this machine is as it says."""
    from edgegreen.locked import host

    return host.required(plan)


def _carry_out(
    plan: Plan,
    lock: Lock | None,
    *,
    resume: str | None,
    against: str | None,
    force: bool,
    json_to: str | None,
) -> int:
    """Run the plan, and all that follows; the exit code is the highest of all that happened."""
    from edgegreen import session
    from edgegreen.history import runs
    from edgegreen.history.kept import Kept
    from edgegreen.judging.against import Source, check_apart
    from edgegreen.plan import check_takes_up
    from edgegreen.report import terminal
    from edgegreen.report.progress import progress

    resumed = None if resume is None else said(runs.find(resume))
    earlier = resumed.run if resumed else None
    if earlier:
        check_takes_up(plan, earlier)
    before = None
    if against is not None:  # before any work, as everything that may be wrong with the arguments
        begun = earlier.run_id if earlier else None
        before = said(Source.of(against, recipe=plan.recipe.name, before=begun))
        if resumed:
            check_apart(before, Source(resumed.run, resumed.series))
    with progress(terminal.console(stderr=True)) as shown:
        one = session.Session(plan, shown, earlier, lock=lock)
        run = one.run()
    code = _present(run, json_to, profiled=plan.profile)  # before it is kept: a database may be slow
    _keep(one)
    code = max(code, _judge(run, one.keeping.series, before, force=force, stderr=json_to == "-"))
    if lost := one.keeping.lost:
        complain(lost)
        code = max(code, lost.exit_code)
    if one.interrupted:
        raise _interrupted(one, run)
    track.after_run(Kept(run, one.keeping.series))
    return code


def _keep(one: Session) -> None:
    """Into the history; where that cannot be, say so, and that nothing is lost."""
    if waits := one.keep():
        click.echo(f"note: {waits.line}", err=True)


def _interrupted(one: Session, run: Run) -> Interrupted:
    """What was measured until then, and how to go on."""
    done = f"{len(run.results)} of {len(one.plan.trials)} trials measured"
    return Interrupted(
        f"interrupted; {done}" + (f", kept in {one.keeping.place}" if one.keeping.place else ""),
        hint=f"the same command with `--resume {one.run_id}` measures the rest"
        if one.keeping.place
        else None,
    )


def _present(run: Run, json_to: str | None, *, profiled: bool) -> int:
    """Write the result where it is wanted; the exit code is the highest of all that happened."""
    from edgegreen.judging import comparison
    from edgegreen.report import terminal

    rows = comparison.of(run)
    codes = [failure.exit_code for failure in run.failures]
    if json_to == "-":
        _write(json_to, run.to_json())
        terminal.show_failures(run.failures, terminal.console(stderr=True))
    else:
        show_tables(run, rows, profiled=profiled)  # first: whatever becomes of the file, this is seen
        if json_to:
            try:
                _write(json_to, run.to_json())
            except InputError as error:  # no reason not to keep the run, nor to compare it
                complain(error)
                codes.append(error.exit_code)
    return max([OK, *codes, *(BUDGET_MISSED for row in rows if row.missed)])


def _judge(run: Run, series: SeriesOf, before: Source | None, *, force: bool, stderr: bool) -> int:
    """Compare the run with the one before, if there is one, and tell GitHub; the exit code for that."""
    from edgegreen.judging import comparison
    from edgegreen.judging.against import Source
    from edgegreen.report import github
    from edgegreen.report.contents import Contents

    found, code = None, OK
    if before and run.results:
        found, code = _compared(before, Source(run, series), force=force, stderr=stderr)
    if github.is_here(os.environ):
        _tell_github(Contents(run, comparison.of(run), series, found))
    return code


def _compared(before: Source, after: Source, *, force: bool, stderr: bool) -> tuple[Against | None, int]:
    """How the run compares with the other one, printed; and the exit code that this deserves."""
    from edgegreen.judging import against
    from edgegreen.report import against as table
    from edgegreen.report import terminal

    try:
        found = against.compare(before, after, force=force)
    except InputError as error:
        complain(error)
        return None, error.exit_code
    table.show(found, terminal.console(stderr=stderr))
    return found, exit_code(found)


def _tell_github(contents: Contents) -> None:
    """Annotations go to stderr, where the runner takes them as well: stdout may be JSON."""
    from edgegreen.report import formats, github

    for line in github.commands(contents):
        click.echo(line, err=True)
    try:
        github.summarize(os.environ, formats.report("md", contents))
    except OSError as error:
        complain(InputError(f"cannot write the step's summary: {error.strerror}"))
