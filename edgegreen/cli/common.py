"""What several commands have: arguments, exit codes, how a run's tables and errors are printed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from edgegreen import executor
from edgegreen.config import shares
from edgegreen.errors import EdgegreenError, InputError, Interrupted

if TYPE_CHECKING:
    from edgegreen.history.kept import Kept
    from edgegreen.judging.comparison import Row
    from edgegreen.measurement import Run

K = TypeVar("K", bound="Kept")
OK, BUDGET_MISSED = 0, 1
RECIPE = click.argument("recipe", type=click.Path(path_type=Path))
VARIANT = click.option("--variant", "-v", "only", multiple=True, metavar="NAME", help="Only this variant.")

CACHE = click.option(
    "--cache", metavar="URL", expose_value=False, callback=lambda _ctx, _option, url: _share(url),
    help="A cache shared with others: s3://bucket/folder or file:///folder. Default: $EDGEGREEN_CACHE.",
)  # fmt: skip


EXECUTOR = click.option(
    "--executor", metavar="local[:N]|dask://host:8786", expose_value=False,
    callback=lambda _ctx, _option, text: _build_by(text),
    help="Where models are built: here, N at once, or on a Dask cluster. Default: $EDGEGREEN_EXECUTOR.",
)  # fmt: skip


def share(_context: click.Context, _option: click.Parameter, text: str | None) -> float | None:
    """An option's share; None where it is not given. Raises click.BadParameter."""
    try:
        return None if text is None else shares.parse(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def _build_by(text: str | None) -> None:
    """By the environment, as for the cache."""
    if text is not None:
        executor.parse(text)
        os.environ[executor.VARIABLE] = text


def _share(url: str | None) -> None:
    """The environment is where all that builds, in this process and in others, finds it."""
    if url is not None:
        os.environ["EDGEGREEN_CACHE"] = url


def said(kept: K) -> K:
    """A run that was found, once it is said why it may not be the one that was meant."""
    if kept.remark:
        click.echo(f"note: {kept.remark}", err=True)
    return kept


def show_tables(run: Run, rows: Sequence[Row], *, profiled: bool, full: bool = False) -> None:
    """Print the run's tables, and what its energies mean."""
    from edgegreen.report import fleet, green, profile, terminal

    terminal.show(run, rows, terminal.console())
    fleet.show(run, rows, terminal.console())
    if profiled:
        profile.show(run.results, terminal.console())
    green.show(run, rows, terminal.console(), full=full)


def complain(error: EdgegreenError) -> None:
    """Say an error on stderr, and what to do about it."""
    word = "interrupted" if isinstance(error, Interrupted) else "error"
    if not os.environ.get("NO_COLOR"):
        word = click.style(word, fg="red", bold=True)
    message = error.message.removeprefix("interrupted; ")
    click.echo(f"{word}: {message}" if message != "interrupted" else word, err=True)
    if error.hint:
        click.echo(f"  → {error.hint}", err=True)


def check_place(option: str, path: Path) -> None:
    """Raise InputError before any work when a file cannot be written there."""
    if path.is_dir():
        raise InputError(f"{option} {path}: a folder, not a file")
    if not path.absolute().parent.is_dir():
        raise InputError(f"{option} {path}: no such folder")


def write(path: Path, text: str) -> None:
    """Write a result to a file, or none: half of one would be taken for the whole. Raises InputError."""
    try:
        file = path.open("w", encoding="utf-8", newline="")
        try:
            with file:
                file.write(text)
        except OSError:
            if path.is_file():
                path.resolve().unlink()
            raise
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from None
