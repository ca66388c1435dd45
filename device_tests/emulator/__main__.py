"""`python -m device_tests.emulator`: what is missing, build a board, boot one and keep it until Ctrl-C."""

from __future__ import annotations

import signal
import sys
import time
from threading import Event

import click

from device_tests.emulator import kernel, needs, rootdisk
from device_tests.emulator.boards import BOARDS, find
from device_tests.emulator.running import boot as booted
from edgegreen.errors import EdgegreenError


def _tell(text: str) -> None:
    click.echo(text, err=True)


@click.group()
def main() -> None:
    """Emulated boards: aarch64 Debian in QEMU, for those who have no board at hand."""


@main.command("list")
def list_() -> None:
    """The boards there are."""
    for name, board in BOARDS.items():
        load = board.load
        click.echo(
            f"{name:<22} {board.suite:<9} {load.meter:<8} {load.idle_w:g}–{load.busy_w:g} W  {board.model}"
        )


@main.command()
def check() -> None:
    """What emulation needs and this machine lacks; exit code 1 if anything."""
    lacking = needs.missing()
    for name, package in lacking.items():
        click.echo(f"{name} is missing: it is in the Debian package {package}")
    if lacking:
        click.echo(f"→ {needs.install_command(lacking.values())}")
        sys.exit(1)
    click.echo("everything is there")


@main.command()
@click.argument("board")
def build(board: str) -> None:
    """Build what BOARD boots from, unless the cache has it."""
    needs.require()
    began_s = time.monotonic()
    disk = rootdisk.made(find(board).suite, kernel.made(_tell), _tell)
    used_mb = disk.stat().st_blocks * 512 / 1e6
    click.echo(f"{board}: {disk} ({used_mb:.0f} MB on disk), {time.monotonic() - began_s:.1f} s")


@main.command()
@click.argument("board")
@click.option(
    "--port", type=click.IntRange(1, 65535), help="Port of 127.0.0.1 for SSH; a free one if left out."
)
def boot(board: str, port: int | None) -> None:
    """Boot BOARD, print how to reach it, and keep it until Ctrl-C."""
    stop = Event()
    with booted(board, port=port, tell=_tell) as running:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        click.echo(f"ready after {running.boot_s:.1f} s: {running.address}")
        click.echo(f"\n{running.target_yaml()}")
        click.echo(f"ssh -F {running.ssh_config} -p {running.port} {running.user}@{running.host}")
        known = " ".join(f"{name}={value}" for name, value in running.environment().items())
        click.echo(f"{known} edgegreen deploy recipes/digits.yaml --target {running.board.target_name}")
        click.echo(f"console: {running.console}; Ctrl-C switches the board off")
        while not stop.wait(0.5) and not running.process.has_ended():
            pass


def cli() -> None:
    """Run `main`; what went wrong is told in words."""
    try:
        main()
    except EdgegreenError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    cli()
