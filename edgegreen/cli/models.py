"""`inspect`, `validate` and `cache`: files, without a board."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from edgegreen.cli.common import complain
from edgegreen.errors import EdgegreenError, InputError


@click.command(short_help="Show what a model is and costs.")
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


@click.command(short_help="Check recipe and target files.")
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
            complain(error)
    if wrong:
        sys.exit(InputError.exit_code)


@click.group(invoke_without_command=True, short_help="Look at the built models, or clear them.")
@click.pass_context
def cache(ctx: click.Context) -> None:
    """Look at the built models that are kept, or clear them."""
    if ctx.invoked_subcommand is None:
        from edgegreen.cache.store import Cache
        from edgegreen.report import listings, terminal

        listings.show_cache(Cache.default(), terminal.console())


@cache.command("clear")
def clear_cache() -> None:
    """Remove every built model that no running edgegreen uses."""
    from edgegreen.cache.store import Cache
    from edgegreen.report import words

    click.echo(f"{words.size(Cache.default().clear())} freed")
