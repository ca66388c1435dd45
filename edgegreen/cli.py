"""The command line: arguments, exit codes, where output goes. No logic.

stdout carries the result, stderr progress and messages. Heavy imports wait until a command runs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgegreen.errors import EdgegreenError, InputError, Interrupted

if TYPE_CHECKING:
    from edgegreen.comparison import Row
    from edgegreen.measurement import Run

OK, BUDGET_MISSED = 0, 1


class Commands(click.Group):
    """Groups whose commands end in edgegreen's own errors and exit codes."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; an EdgegreenError is said in red and becomes the exit code."""
        try:
            return super().invoke(ctx)
        except EdgegreenError as error:
            _complain(error)
            ctx.exit(error.exit_code)
        except KeyboardInterrupt:
            _complain(Interrupted("interrupted"))
            ctx.exit(Interrupted.exit_code)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="edgegreen", message="edgegreen %(version)s")
def cli() -> None:
    """Deploy a trained model to real boards, and read what to ship where.

    A recipe (YAML) names a model, its data and the variants to build. edgegreen converts and quantises it,
    brings it to each target over SSH, runs it there, and prints one table: accuracy on the device, latency,
    memory, size.

    Exit codes: 0 done, 1 a budget is not met, 2 bad input, 3 a conversion failed, 4 a target could not be
    reached, 5 failed on the device, 130 interrupted.
    """


RECIPE = click.argument("recipe", type=click.Path(path_type=Path))
VARIANT = click.option("--variant", "-v", "only", multiple=True, metavar="NAME", help="Only this variant.")


@cli.command(short_help="Build, run on each target, compare.")
@RECIPE
@click.option(
    "--target", "-t", "targets", multiple=True, metavar="NAME|ssh://user@host[:port]|replay:PATH",
    help="Where to run; several run side by side. Default: local, this machine.",
)  # fmt: skip
@VARIANT
@click.option(
    "--retry-invalid", type=click.IntRange(0, 100), metavar="N",
    help="Repeat a trial whose reading cannot be trusted up to N times; the best is kept.",
)  # fmt: skip
@click.option(
    "--resume", metavar="RUN",
    help="Take up a kept run again: what it has measured of the same models stays.",
)  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Print the plan and do nothing.")
@click.option("--profile", is_flag=True, help="Show the slowest operators too, where the runtime times them.")
@click.option(
    "--json", "json_to", metavar="PATH|-", help="Write the run as JSON; - is stdout, without the table."
)
@click.option(
    "--record", type=click.Path(path_type=Path), metavar="FOLDER",
    help="Record what goes to and comes from each target, for `--target replay:FOLDER`.",
)  # fmt: skip
def deploy(
    recipe: Path,
    *,
    targets: tuple[str, ...],
    only: tuple[str, ...],
    retry_invalid: int | None,
    resume: str | None,
    dry_run: bool,
    profile: bool,
    json_to: str | None,
    record: Path | None,
) -> None:
    """Build the RECIPE's variants, run them on each target, print the comparison."""
    from dataclasses import replace

    from edgegreen.prepare import prepare
    from edgegreen.report import listings, terminal

    plan = prepare(recipe, targets, only, retry_invalid=retry_invalid, record_to=record)
    plan = replace(plan, profile=profile)
    for remark in plan.remarks:
        click.echo(f"note: {remark}", err=True)
    if dry_run:
        listings.show_plan(plan, terminal.console())
        return
    if json_to not in (None, "-"):
        _check_place(Path(json_to))
    from edgegreen import runs, session
    from edgegreen.report.progress import progress

    earlier = runs.load(resume) if resume else None
    with progress(terminal.console(stderr=True)) as shown:
        one = session.Session(plan, shown, earlier)
        run = one.run()
    code = _present(run, json_to, profiled=profile)
    if one.not_kept:
        _complain(one.not_kept)
        code = max(code, one.not_kept.exit_code)
    if one.interrupted:
        done = f"{len(run.results)} of {len(plan.trials)} trials measured"
        kept = one.file.exists()
        raise Interrupted(
            f"interrupted; {done}" + (f", kept in {one.file}" if kept else ""),
            hint=f"the same command with `--resume {one.run_id}` measures the rest" if kept else None,
        )
    sys.exit(code)


@cli.command(short_help="Build a recipe's variants and check them.")
@RECIPE
@VARIANT
@click.option("--output", "-o", type=click.Path(path_type=Path), help="Copy the built files to this folder.")
def convert(recipe: Path, only: tuple[str, ...], output: Path | None) -> None:
    """Build the RECIPE's variants and check each against the source model, on this machine."""
    from edgegreen import session
    from edgegreen.prepare import prepare
    from edgegreen.report import listings, terminal
    from edgegreen.report.progress import progress

    plan = prepare(recipe, ["local"], only, measured=False)
    with progress(terminal.console(stderr=True)) as shown:
        built, failed = session.build_only(plan, shown, output)
    listings.show_artifacts(built, failed, terminal.console(), output)
    sys.exit(max((error.exit_code for error in failed.values()), default=OK))


@cli.command("runs", short_help="List the runs that are kept.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="As many at most.")
def list_runs(limit: int) -> None:
    """List the runs that are kept, the newest first."""
    from edgegreen import runs
    from edgegreen.report import listings, terminal

    listings.show_runs(runs.kept(limit), terminal.console())


@cli.command(short_help="Show a run again, and what stands behind it.")
@click.argument("run")
@click.option("--target", "-t", "targets", multiple=True, metavar="NAME", help="Only this target.")
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
    from edgegreen import comparison, green, runs
    from edgegreen.report import run as details
    from edgegreen.report import terminal

    whole = runs.load(run)
    chosen = runs.only(whole, targets, only)
    chosen = chosen.model_copy(update={"footprint": green.footprint(whole.footprint, footprint)})
    if as_json:
        click.echo(chosen.to_json())
        return
    rows = [row for row in comparison.of(whole) if row.measurement in chosen.results]
    profiled = any(row.measurement.profile for row in rows)
    if brief:
        _show_tables(chosen, rows, profiled=profiled)
        return
    details.show_heading(chosen, terminal.console())
    _show_tables(chosen, rows, profiled=profiled, full=True)
    details.show_rows(rows, terminal.console())


@cli.command(short_help="Show what a model is and costs.")
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--signature", metavar="NAME", help="Which of a SavedModel's signatures.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def inspect(model: Path, signature: str | None, as_json: bool) -> None:
    """Show what a MODEL is: inputs, outputs, operators, parameters; and what it costs, layer by layer."""
    from edgegreen import sources
    from edgegreen.report import costs, listings, terminal

    summary = sources.inspect(model, signature)
    if as_json:
        import dataclasses
        import json

        click.echo(json.dumps(dataclasses.asdict(summary), indent=2))
    else:
        listings.show_model(summary, terminal.console())
        costs.show(summary, terminal.console())


@cli.command(short_help="Check recipe and target files.")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
def validate(files: tuple[Path, ...]) -> None:
    """Check recipe and target FILES; every mistake is named with its line."""
    from edgegreen import check

    wrong = 0
    for path in files:
        try:
            click.echo(f"{path}: {check.file(path)}")
        except EdgegreenError as error:
            wrong += 1
            _complain(error)
    if wrong:
        sys.exit(InputError.exit_code)


@cli.group()
def targets() -> None:
    """The boards that can be named."""


@targets.command("list")
def list_targets() -> None:
    """List every target that --target knows, and the file it stands in."""
    from edgegreen import target
    from edgegreen.report import listings, terminal

    listings.show_targets(target.load_all(), terminal.console())


@targets.command("show")
@click.argument("name")
def show_target(name: str) -> None:
    """Print a target's file."""
    from edgegreen import target

    path = target.file(name)
    target.load(path)
    click.echo(f"# {path}")
    click.echo(path.read_text(encoding="utf-8"), nl=False)


SPEC = click.argument("spec", metavar="NAME|FILE|ssh://user@host[:port]|local")


@targets.command("probe")
@SPEC
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.option("--yaml", "as_yaml", is_flag=True, help="As a target file.")
def probe_target(spec: str, as_json: bool, as_yaml: bool) -> None:
    """Ask a board what it is, in one round trip; nothing has to be installed there."""
    if as_json and as_yaml:
        raise InputError("--json or --yaml, not both")
    from edgegreen import probe, target

    probed = probe.probe(target.find(spec))
    if as_yaml:
        from edgegreen.probe import targetfile

        click.echo(targetfile.text(probed), nl=False)
        return
    from edgegreen.report import boards, terminal

    if as_json:
        click.echo(boards.board_json(probed))
    else:
        boards.show_board(probed, terminal.console())


@targets.command("add")
@click.argument("name")
@SPEC
@click.option(
    "--output", "-o", "folder", type=click.Path(path_type=Path), default=Path("targets"), show_default=True,
    help="The folder to write it to.",
)  # fmt: skip
@click.option("--force", is_flag=True, help="Overwrite a file that is there.")
def add_target(name: str, spec: str, folder: Path, force: bool) -> None:
    """Ask a board what it is, and write the target file NAME.yaml of it."""
    from edgegreen import probe, target
    from edgegreen.probe import targetfile

    path = targetfile.place(name, folder, force)
    probed = probe.probe(target.find(spec))
    targetfile.write(path, probed)
    click.echo(f"{path}: {probed.identity.name}, family {probed.identity.family}")


@targets.command("doctor")
@SPEC
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def doctor_target(spec: str, as_json: bool) -> None:
    """Say what would spoil a run on a board, and what to do about it.

    ✗ stops a run, ! spoils its readings. Exit code 5 when something stops a run, 4 when the board could not
    be reached.
    """
    from edgegreen import target
    from edgegreen.probe import doctor
    from edgegreen.report import boards, terminal

    checkup = doctor.visit(target.find(spec))
    if as_json:
        click.echo(boards.findings_json(checkup))
    else:
        boards.show_findings(checkup, terminal.console())
    sys.exit(checkup.exit_code)


@targets.command("provision", short_help="Bring the runtimes that a board lacks.")
@click.argument("name", metavar="NAME|ssh://user@host[:port]")
@click.option(
    "--runtime", "-r", "only", multiple=True, type=click.Choice(["litert", "tflite-runtime", "openvino"]),
    help="Only this runtime. Default: one for each format, or those that the target names.",
)  # fmt: skip
@click.option("--renew", is_flag=True, help="Choose anew what was brought and locked before.")
def provision_target(name: str, only: tuple[Any, ...], renew: bool) -> None:
    """Bring the runtimes that the board's Python lacks: fetched here, no network needed there."""
    import dataclasses

    from edgegreen import provision, target
    from edgegreen.report import terminal, words
    from edgegreen.report.progress import progress

    one = target.find(name)
    with progress(terminal.console(stderr=True)) as shown:
        told = lambda stage, done: shown.step(one.name, "provisioning", stage, done)  # noqa: E731
        report = provision.on_target(one, only, told, renew=renew)
    click.echo(f"{one.name}  {words.board({'board': dataclasses.asdict(report.board)})}")
    for line in report.lines:
        click.echo(line)
    for remark in report.remarks:
        click.echo(f"note: {remark}", err=True)
    for error in report.failures:
        _complain(error)
    sys.exit(max((error.exit_code for error in report.failures), default=OK))


@targets.command("clean", short_help="Remove what edgegreen put on a board.")
@click.argument("name", metavar="NAME|ssh://user@host[:port]")
def clean_target(name: str) -> None:
    """Remove what edgegreen put on a board: models, data, agent, runtimes.

    All of it is brought again when it is needed.
    """
    from edgegreen import provision, target
    from edgegreen.report import words

    one = target.find(name)
    freed = provision.clean(one)
    click.echo(
        f"{one.name}: {words.size(freed)} freed" if freed is not None else f"{one.name}: nothing there"
    )


@cli.group(invoke_without_command=True, short_help="Look at the built models, or clear them.")
@click.pass_context
def cache(ctx: click.Context) -> None:
    """Look at the built models that are kept, or clear them."""
    if ctx.invoked_subcommand is None:
        from edgegreen.cache import Cache
        from edgegreen.report import listings, terminal

        listings.show_cache(Cache.default(), terminal.console())


@cache.command("clear")
def clear_cache() -> None:
    """Remove every built model that no running edgegreen uses."""
    from edgegreen.cache import Cache
    from edgegreen.report import words

    click.echo(f"{words.size(Cache.default().clear())} freed")


def _present(run: Run, json_to: str | None, *, profiled: bool) -> int:
    """Write the result where it is wanted; the exit code is the highest of all that happened."""
    from edgegreen import comparison
    from edgegreen.report import terminal

    rows = comparison.of(run)
    if json_to == "-":
        click.echo(run.to_json())
        terminal.show_failures(run.failures, terminal.console(stderr=True))
    else:
        _show_tables(run, rows, profiled=profiled)  # first: whatever becomes of the file, this is seen
        if json_to:
            _write(Path(json_to), run.to_json() + "\n")
    codes = [failure.exit_code for failure in run.failures]
    return max([OK, *codes, *(BUDGET_MISSED for row in rows if row.missed)])


def _show_tables(run: Run, rows: Sequence[Row], *, profiled: bool, full: bool = False) -> None:
    from edgegreen.report import green, profile, terminal

    terminal.show(run, rows, terminal.console())
    if profiled:
        profile.show(run.results, terminal.console())
    green.show(run, rows, terminal.console(), full=full)


def _number_or_text(value: str | None) -> float | str | None:
    try:
        return value if value is None else float(value)
    except ValueError:
        return value


def _check_place(path: Path) -> None:
    """Raise InputError before any work when the JSON cannot go there."""
    if path.is_dir():
        raise InputError(f"--json {path}: a folder, not a file")
    if not path.absolute().parent.is_dir():
        raise InputError(f"--json {path}: no such folder")


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from None


def _complain(error: EdgegreenError) -> None:
    word = "interrupted" if isinstance(error, Interrupted) else "error"
    if not os.environ.get("NO_COLOR"):
        word = click.style(word, fg="red", bold=True)
    message = error.message.removeprefix("interrupted; ")
    click.echo(f"{word}: {message}" if message != "interrupted" else word, err=True)
    if error.hint:
        click.echo(f"  → {error.hint}", err=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """The console script."""
    cli.main(args=arguments, prog_name="edgegreen")
