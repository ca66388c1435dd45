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
    from edgegreen.measurement import Run
    from edgegreen.plan import Plan

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
    "--target", "-t", "targets", multiple=True, metavar="NAME|ssh://user@host[:port]",
    help="Where to run; several run side by side. Default: local, this machine.",
)  # fmt: skip
@VARIANT
@click.option(
    "--retry-invalid", type=click.IntRange(0, 100), metavar="N",
    help="Repeat a trial whose reading cannot be trusted up to N times; the best is kept.",
)  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Print the plan and do nothing.")
@click.option("--profile", is_flag=True, help="Show the slowest operators too, where the runtime times them.")
@click.option(
    "--json", "json_to", metavar="PATH|-", help="Write the run as JSON; - is stdout, without the table."
)
def deploy(
    recipe: Path,
    *,
    targets: tuple[str, ...],
    only: tuple[str, ...],
    retry_invalid: int | None,
    dry_run: bool,
    profile: bool,
    json_to: str | None,
) -> None:
    """Build the RECIPE's variants, run them on each target, print the comparison."""
    from dataclasses import replace

    from edgegreen.prepare import prepare
    from edgegreen.report import listings, terminal

    plan = replace(prepare(recipe, targets, only, retry_invalid=retry_invalid), profile=profile)
    for remark in plan.remarks:
        click.echo(f"note: {remark}", err=True)
    if dry_run:
        listings.show_plan(plan, terminal.console())
        return
    if json_to not in (None, "-"):
        _check_place(Path(json_to))
    from edgegreen import session
    from edgegreen.report.progress import progress

    with progress(terminal.console(stderr=True)) as shown:
        one = session.Session(plan, shown)
        run = one.run()
    code = _present(run, plan, json_to)
    if one.not_kept:
        _complain(one.not_kept)
        code = max(code, one.not_kept.exit_code)
    if one.interrupted:
        done = f"{len(run.results)} of {len(plan.trials)} trials measured"
        raise Interrupted(f"interrupted; {done}" + (f", kept in {one.file}" if one.file.exists() else ""))
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


def _present(run: Run, plan: Plan, json_to: str | None) -> int:
    """Write the result where it is wanted; the exit code is the highest of all that happened."""
    from edgegreen import comparison, metrics
    from edgegreen.report import profile, terminal

    rows = comparison.rows(
        run.results,
        plan.baseline,
        plan.recipe.budgets,
        higher_is_better=metrics.higher_is_better(plan.recipe.data.metric),
    )
    if json_to == "-":
        click.echo(run.to_json())
        terminal.show_failures(run.failures, terminal.console(stderr=True))
    else:
        # First: whatever becomes of the file, this is seen.
        terminal.show(run, rows, terminal.console(), plan.recipe.budgets)
        if plan.profile:
            profile.show(run.results, terminal.console())
        if json_to:
            _write(Path(json_to), run.to_json() + "\n")
    codes = [failure.exit_code for failure in run.failures]
    return max([OK, *codes, *(BUDGET_MISSED for row in rows if row.missed)])


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
