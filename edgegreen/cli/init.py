"""`init`: a recipe to start from."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from edgegreen.cli.common import complain
from edgegreen.errors import InputError

FILE = click.Path(path_type=Path)


@click.command(short_help="Write a recipe for a model.")
@click.argument("model", type=FILE, required=False)
@click.option("--calibration", type=FILE, metavar="NPZ", help="Typical inputs, as `x`.")
@click.option("--evaluation", type=FILE, metavar="NPZ", help="Inputs and labels to measure accuracy on.")
@click.option("--training", type=FILE, metavar="NPZ", help="Inputs and labels for passes that train.")
@click.option("--output", "-o", type=FILE, help="Default: the model's name and .yaml, in this folder.")
@click.option("--force", is_flag=True, help="Overwrite a file that is there.")
def init(
    model: Path | None,
    calibration: Path | None,
    evaluation: Path | None,
    training: Path | None,
    output: Path | None,
    *,
    force: bool,
) -> None:
    """Look into a MODEL and write a recipe for it that runs.

    Data files called calibration.npz, evaluation.npz and training.npz beside the model are taken by
    themselves. On a terminal, what is not given is asked for.
    """
    from edgegreen import sources, starter

    asks = sys.stdin.isatty()
    if model is None:
        if not asks:
            raise InputError("no model is named", hint="edgegreen init MODEL")
        model = click.prompt(
            "Model (.keras, .h5, .onnx, .pt2, .tflite, .xml or a SavedModel folder)", type=FILE
        )
    sources.format_of(model)  # before more is asked
    path = output or Path(f"{starter.name_of(model)}.yaml")
    if not force:
        starter.check_place(path)
    given = {"calibration": calibration, "evaluation": evaluation, "training": training}
    named = starter.beside(model)
    if asks and not any(given.values()):
        named = _asked(named)
    named |= {part: path for part, path in given.items() if path is not None}
    if sys.stderr.isatty():
        click.echo(f"looking into {model} …", err=True)
    found = starter.look(model, named)
    made = starter.write(found, path)
    without = [part for part in starter.PARTS if part not in named]
    count = len(made.variants)
    click.echo(f"{path}: {count} variant{'s' * (count != 1)} of {model.name}")
    if named:
        click.echo(f"  with {', '.join(named)} data")
    if without:
        click.echo(f"  without {', '.join(without)} data; the file says what they are for")
    click.echo(f"  → edgegreen deploy {path}")


def _asked(found: dict[str, Path]) -> dict[str, Path]:
    """The data files, asked for one by one; what lies beside the model is the default."""
    from edgegreen import starter

    named = {}
    for part, what in starter.PARTS.items():
        click.echo(what)
        if path := _asked_for(part, found.get(part)):
            named[part] = path
    return named


def _asked_for(part: str, found: Path | None) -> Path | None:
    """One data file, asked for until there is one that can be read, or none is wanted."""
    from edgegreen import starter

    while True:
        default = str(found or "")
        said = click.prompt(
            f"  {part} data (npz; empty for none)", default=default, show_default=bool(default)
        )
        if not said.strip():
            return None
        path = Path(said.strip())
        try:
            starter.check_readable(part, path)
        except InputError as error:
            complain(error)
        else:
            return path
