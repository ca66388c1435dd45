"""`lock` and `verify`: the same thing again, and whether it was."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from edgegreen.cli import track
from edgegreen.cli.common import OK, RECIPE, check_place, complain, said, share, write
from edgegreen.errors import InputError, Interrupted

EXIT = {True: OK, False: 1, None: InputError.exit_code}  # of a run that reproduces, does not, cannot be told


@click.command(short_help="Hold fixed what a run of a recipe is made from.")
@RECIPE
@click.option(
    "--target", "-t", "targets", multiple=True, metavar="NAME",
    help="A board to lock; several, side by side. Default: local, this machine.",
)  # fmt: skip
@click.option("--build", is_flag=True, help="Build the variants, and lock the digests of what was built.")
@click.option(
    "--output", "-o", type=click.Path(path_type=Path), metavar="FILE",
    help="Where to write it; left out: beside the recipe, where `deploy --locked` looks.",
)  # fmt: skip
def lock(recipe: Path, targets: tuple[str, ...], *, build: bool, output: Path | None) -> None:
    """Write the RECIPE's lock: digests of model, data and recipe, tools, and what each board is.

    `edgegreen deploy RECIPE --locked` refuses whatever differs from it. Runtimes that a board lacks are
    brought there, as on a first deploy.
    """
    from edgegreen.locked import lock as file
    from edgegreen.locked import writing
    from edgegreen.prepare import prepare
    from edgegreen.report import terminal
    from edgegreen.report.progress import progress

    plan = prepare(recipe, targets)
    place = output or file.place(plan.recipe)
    check_place("--output", place)
    with progress(terminal.console(stderr=True)) as shown:
        made = writing.make(plan, shown, build=build)
    write(place, made.to_yaml())
    click.echo(f"{place}: {made.summary}")


@click.command(short_help="Repeat a run, and say whether it reproduces.")
@click.argument("run")
@click.option(
    "--target", "-t", "targets", multiple=True, metavar="NAME|FILE",
    help="Only this target of the run's. Default: all of them.",
)  # fmt: skip
@click.option(
    "--recipe", type=click.Path(path_type=Path), metavar="FILE",
    help="The run's recipe. Default: the one of that name here, or in ./recipes.",
)  # fmt: skip
@click.option(
    "--within", default="5%", show_default=True, callback=share, metavar="SHARE",
    help="As much may p50 and energy change from one start to the next.",
)  # fmt: skip
@click.option(
    "--retry-invalid", type=click.IntRange(0, 100), metavar="N",
    help="Repeat a trial whose reading cannot be trusted up to N times; the best is kept.",
)  # fmt: skip
@click.option("--cached", is_flag=True, help="Take what is built already, instead of building it anew.")
@click.option("--force", is_flag=True, help="Also where recipe, data, board, runtime or settings differ.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def verify(
    run: str,
    targets: tuple[str, ...],
    *,
    recipe: Path | None,
    within: float,
    retry_invalid: int | None,
    cached: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Build and measure a kept RUN again, and compare trial by trial.

    A trial reproduces when the built file is the same, the accuracy is equal, and p50 and energy are as
    before, within their interval or the share of --within. Exit code 1 when one does not, 2 when one cannot
    be compared. RUN is a run's id or the beginning of one, `latest`, or a JSON file.
    """
    from edgegreen import repeating
    from edgegreen.judging import verified
    from edgegreen.judging.against import Source
    from edgegreen.report import terminal
    from edgegreen.report import verified as table
    from edgegreen.report.progress import progress

    source = said(Source.of(run))
    repetition = repeating.of(source.run, recipe, targets, retry_invalid=retry_invalid)
    refused = repetition.refuse()
    if refused and not force:
        raise refused
    with (
        progress(terminal.console(stderr=True)) as shown,
        repeating.session(repetition, shown, cached=cached) as one,
    ):
        again = one.run()
    if waits := one.keep():
        click.echo(f"note: {waits.line}", err=True)
    terminal.show_failures(again.failures, terminal.console(stderr=True))
    if one.interrupted:
        raise Interrupted(
            f"interrupted; {len(again.results)} of {len(repetition.plan.trials)} trials repeated"
        )
    codes = [failure.exit_code for failure in again.failures]
    if lost := one.keeping.lost:
        complain(lost)
        codes.append(lost.exit_code)
    if not again.results:
        sys.exit(max(codes))
    found = verified.of(
        Source(repetition.run, source.series),
        Source(again, one.keeping.series),
        (*repetition.made_otherwise, *repetition.beside),
        within=within,
        force=force,
    )
    if as_json:
        click.echo(found.to_json())
    else:
        table.show(found, terminal.console())
    track.after_run(Source(again, one.keeping.series))
    sys.exit(max([EXIT[found.reproduces], *codes]))
