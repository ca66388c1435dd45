"""`show` and `report`: one run of those that are kept."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgegreen.cli.common import VARIANT, check_place, said, show_tables, write
from edgegreen.cli.compare import exit_code
from edgegreen.errors import InputError
from edgegreen.report.formats import FORMATS

if TYPE_CHECKING:
    from edgegreen.history.kept import Kept
    from edgegreen.judging.compared import Against

TARGET = click.option("--target", "-t", "targets", multiple=True, metavar="NAME", help="Only this target.")


@click.command(short_help="Show a run again, and what stands behind it.")
@click.argument("run")
@TARGET
@VARIANT
@click.option("--brief", is_flag=True, help="The tables alone.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.option("--battery-wh", type=float, metavar="WH", help="What the battery holds.")
@click.option("--battery-mah", type=float, metavar="MAH", help="The same, together with --battery-v.")
@click.option("--battery-v", type=float, metavar="V", help="The battery's nominal voltage.")
@click.option("--battery-usable", type=float, metavar="SHARE", help="The share of it that is used (0 to 1).")
@click.option(
    "--per-hour", "inferences_per_hour", metavar="N|continuous", help="How often the model runs.",
    callback=lambda _ctx, _option, value: _number_or_text(value),
)  # fmt: skip
@click.option("--grid", "grid_gco2e_per_kwh", type=float, metavar="G", help="Your grid's gCO2e a kWh.")
def show(
    run: str, targets: tuple[str, ...], only: tuple[str, ...], brief: bool, as_json: bool, **footprint: Any
) -> None:
    """Show a kept RUN: its table, and behind each row conditions, meter and verdict.

    RUN is a run's id or the beginning of one, `latest`, or a JSON file. Battery life and emissions are shown
    for the recipe's `footprint`; what is given here takes its place.
    """
    from edgegreen.history import runs
    from edgegreen.judging import comparison, green
    from edgegreen.report import choices, terminal
    from edgegreen.report import run as details

    kept = said(runs.find(run))
    whole = kept.run
    chosen = runs.only(whole, targets, only)
    chosen = chosen.model_copy(update={"footprint": green.footprint(whole.footprint, footprint)})
    if as_json:
        click.echo(chosen.to_json())
        return
    rows = [row for row in comparison.of(whole) if row.measurement in chosen.results]
    profiled = any(row.measurement.profile for row in rows)
    if brief:
        show_tables(chosen, rows, profiled=profiled)
        return
    details.show_heading(chosen, terminal.console())
    show_tables(chosen, rows, profiled=profiled, full=True)
    choices.show(rows, terminal.console(), higher_is_better=whole.higher_is_better)
    details.show_rows(rows, terminal.console(), kept.series)


@click.command(short_help="Write a run as HTML, Markdown, CSV, JSON or JUnit.")
@click.argument("run")
@click.option("--format", "-f", "name", type=click.Choice(list(FORMATS)), required=True, help="As what.")
@click.option(
    "--output", "-o", type=click.Path(path_type=Path), metavar="FILE", help="Where to; stdout when left out."
)
@TARGET
@VARIANT
@click.option(
    "--against", metavar="RUN|latest|FILE",
    help="html, md, junit: how it compares with this run, as `deploy --against` judges it.",
)  # fmt: skip
@click.option("--force", is_flag=True, help="With --against: also where board, runtime or settings differ.")
def report(
    run: str,
    *,
    name: str,
    output: Path | None,
    targets: tuple[str, ...],
    only: tuple[str, ...],
    against: str | None,
    force: bool,
) -> None:
    """Write a kept RUN in another format.

    RUN is a run's id or the beginning of one, `latest`, or a JSON file. md is made for a comment on GitHub,
    csv has a line for each row, json is what `deploy --json` writes, junit is for what shows test results.
    """
    from edgegreen.history import runs
    from edgegreen.history.kept import Kept
    from edgegreen.judging import comparison
    from edgegreen.report import formats
    from edgegreen.report.contents import Contents

    if output is not None:
        check_place("--output", output)
    if force and against is None:
        raise InputError("--force goes with --against only")
    if against is not None and name not in formats.WITH_AGAINST:
        raise InputError(
            f"--against goes with {', '.join(formats.WITH_AGAINST)}, not with {name}",
            hint="`edgegreen compare --json` writes a comparison for programs",
        )
    kept = said(runs.find(run))
    chosen = runs.only(kept.run, targets, only)
    rows = [row for row in comparison.of(kept.run) if row.measurement in chosen.results]
    found = None if against is None else _against(against, Kept(chosen, kept.series), force=force)
    text = formats.report(name, Contents(chosen, rows, kept.series, found))
    if output is None:
        click.echo(text, nl=False)
    else:
        write(output, text)
    if found is not None and found.nothing_common:
        sys.exit(exit_code(found))


def _against(ref: str, now: Kept, *, force: bool) -> Against:
    """How the run compares with the one that `ref` means. Raises InputError."""
    from edgegreen.judging import against

    before = said(against.Source.of(ref, recipe=now.run.recipe, before=now.run.run_id))
    return against.compare(before, against.Source(now.run, now.series), force=force)


def _number_or_text(value: str | None) -> float | str | None:
    try:
        return value if value is None else float(value)
    except ValueError:
        return value
