"""`targets`: the boards that can be named; asked, looked after, equipped."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args

import click

from edgegreen.cli.common import OK, complain
from edgegreen.errors import InputError
from edgegreen.formats import RuntimeName

if TYPE_CHECKING:
    from edgegreen.building import Progress
    from edgegreen.target import Target

T = TypeVar("T")
CHANGING = ("provision", "clean")


@click.group()
def targets() -> None:
    """The boards that can be named."""


@targets.command("list")
def list_targets() -> None:
    """List every target that --target knows, and the file it stands in."""
    from edgegreen import target
    from edgegreen.report import listings, terminal

    for folder in target.absent_folders():
        click.echo(f"note: EDGEGREEN_TARGETS: no folder {folder}", err=True)
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


SPEC = click.argument("spec", metavar="NAME|FILE|ssh://user@host[:port]|labgrid:TAGS|local")


@targets.command("probe")
@SPEC
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.option("--yaml", "as_yaml", is_flag=True, help="As a target file.")
def probe_target(spec: str, as_json: bool, as_yaml: bool) -> None:
    """Ask a board what it is, in one round trip; nothing has to be installed there."""
    if as_json and as_yaml:
        raise InputError("--json or --yaml, not both")
    from edgegreen import probe

    probed = _on_board(spec, "probe", lambda board, _: probe.probe(board))
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
    from edgegreen import probe
    from edgegreen.probe import targetfile

    path = targetfile.place(name, folder, force)
    probed = _on_board(spec, "add", lambda board, _: probe.probe(board))
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
    from edgegreen.probe import doctor
    from edgegreen.report import boards, terminal

    checkup = _on_board(spec, "doctor", lambda board, _: doctor.visit(board))
    if as_json:
        click.echo(boards.findings_json(checkup))
    else:
        boards.show_findings(checkup, terminal.console())
    sys.exit(checkup.exit_code)


@targets.command("provision", short_help="Bring the runtimes that a board lacks.")
@click.argument("name", metavar="NAME|ssh://user@host[:port]|labgrid:TAGS")
@click.option(
    "--runtime", "-r", "only", multiple=True, type=click.Choice(get_args(RuntimeName)),
    help="Only this runtime. Default: one for each format, or those that the target names.",
)  # fmt: skip
@click.option("--renew", is_flag=True, help="Choose anew what was brought and locked before.")
def provision_target(name: str, only: tuple[Any, ...], renew: bool) -> None:
    """Bring the runtimes that the board's Python lacks: fetched here, no network needed there."""
    import dataclasses

    from edgegreen import provision
    from edgegreen.report import words

    def equip(board: Target, shown: Progress) -> tuple[str, provision.Report]:
        told = lambda stage, done: shown.step(board.name, "provisioning", stage, done)  # noqa: E731
        return board.name, provision.on_target(board, only, told, renew=renew)

    called, report = _on_board(name, "provision", equip)
    click.echo(f"{called}  {words.board({'board': dataclasses.asdict(report.board)})}")
    for line in report.lines:
        click.echo(line)
    for remark in report.remarks:
        click.echo(f"note: {remark}", err=True)
    for error in report.failures:
        complain(error)
    sys.exit(max((error.exit_code for error in report.failures), default=OK))


@targets.command("clean", short_help="Remove what edgegreen put on a board.")
@click.argument("name", metavar="NAME|ssh://user@host[:port]|labgrid:TAGS")
def clean_target(name: str) -> None:
    """Remove what edgegreen put on a board: models, data, agent, runtimes.

    All of it is brought again when it is needed.
    """
    from edgegreen import provision
    from edgegreen.report import words

    called, freed = _on_board(name, "clean", lambda board, _: (board.name, provision.clean(board)))
    click.echo(f"{called}: {words.size(freed)} freed" if freed is not None else f"{called}: nothing there")


def _on_board(spec: str, purpose: str, work: Callable[[Target, Progress], T]) -> T:
    """What `work` gives on this board, which a lab may have to lend first; word of that goes to stderr."""
    from edgegreen import fleet
    from edgegreen.measuring import borrowing
    from edgegreen.report import terminal
    from edgegreen.report.progress import progress

    one = fleet.find(spec)
    if one.recording and purpose in CHANGING:
        raise InputError(f"`{spec}` is a recording: there is no board to change")
    with progress(terminal.console(stderr=True)) as shown:
        return borrowing.on_board(one, lambda board: work(board, shown), purpose, shown)
