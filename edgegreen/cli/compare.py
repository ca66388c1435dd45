"""`compare`, and what `deploy --against` shares with it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from edgegreen.cli.common import BUDGET_MISSED, OK, complain, said, share
from edgegreen.errors import InputError

if TYPE_CHECKING:
    from edgegreen.judging.compared import Against


@click.command(short_help="Compare two runs: faster, slower, or no difference seen.")
@click.argument("before")
@click.argument("after")
@click.option("--force", is_flag=True, help="Also compare trials that differ in board, runtime or settings.")
@click.option("--slower-max", callback=share, metavar="SHARE", help="Largest rise of p50: 5%, or 0.05.")
@click.option(
    "--energy-more-max", callback=share, metavar="SHARE", help="Largest rise of an inference's energy."
)
@click.option(
    "--accuracy-drop-max",
    type=click.FloatRange(min=0),
    metavar="DROP",
    help="Largest loss, in the metric's own unit.",
)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def compare(before: str, after: str, *, force: bool, as_json: bool, **limits: float | None) -> None:
    """Compare the run AFTER with the run BEFORE, trial by trial: ratios with 95 % intervals, in plain words.

    Each is a run's id or the beginning of one, `latest`, or a JSON file; or several with commas between them,
    whose trials are pooled as independent starts. Trials that ran on another board, with another runtime or
    under other settings are named, and not compared (exit code 2) without --force. Runs without a trial in
    common are not compared, nor is a run with itself (exit code 2).

    Limits on a regression are those of AFTER's recipe, each replaced by the option for it; one that is not
    kept to makes the exit code 1.
    """
    from edgegreen.judging import against
    from edgegreen.report import against as table
    from edgegreen.report import terminal

    now = said(against.Source.of(after))
    given = {name: limit for name, limit in limits.items() if limit is not None}
    held = now.run.regression.model_copy(update=given)
    found = against.compare(said(against.Source.of(before)), now, held, force=force)
    if as_json:
        click.echo(found.to_json())
    else:
        table.show(found, terminal.console())
    sys.exit(exit_code(found))


def exit_code(found: Against) -> int:
    """2 where trials were not compared, and says so; 1 where a limit is not kept to; else 0."""
    if found.nothing_common:
        complain(InputError(f"run {found.after.run_id} has {found.nothing_common}"))
        return InputError.exit_code
    if found.withheld:
        withheld = [one for one in found.trials if not one.compared]
        named = dict.fromkeys(difference.what for one in withheld for difference in one.differences)
        complain(
            InputError(
                f"{len(withheld)} of {len(found.trials)} trials not compared: "
                f"they differ in {', '.join(named)}",
                hint="--force compares them all the same",
            )
        )
        return InputError.exit_code
    return BUDGET_MISSED if found.missed else OK
