"""The command line: arguments, exit codes, where output goes. No logic.

stdout carries the result, stderr progress and messages. Heavy imports wait until a command runs.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import click

from edgegreen.cli import (
    compare,
    deploy,
    encoding,
    history,
    init,
    lab,
    models,
    output,
    reproduce,
    runs,
    search,
    targets,
    track,
)
from edgegreen.cli.common import complain
from edgegreen.errors import EdgegreenError, Interrupted

COMMANDS = (
    init.init, deploy.deploy, deploy.convert, models.inspect, models.validate, targets.targets,
    history.runs, runs.show, runs.report, history.export, history.import_, compare.compare, track.track,
    models.cache, search.search, reproduce.lock, reproduce.verify, lab.lab,
)  # fmt: skip


class Commands(click.Group):
    """Groups whose commands end in edgegreen's own errors and exit codes."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; an EdgegreenError is said in red and becomes the exit code."""
        try:
            return super().invoke(ctx)
        except EdgegreenError as error:
            complain(error)
            ctx.exit(error.exit_code)
        except KeyboardInterrupt:
            complain(Interrupted("interrupted"))
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


for command in COMMANDS:
    cli.add_command(command)


def main(arguments: Sequence[str] | None = None) -> None:
    """The console script; the exit code is the highest of all that happened."""
    outlet = output.settle()
    encoding.settle((sys.stdout, sys.stderr))
    try:
        cli.main(args=arguments, prog_name="edgegreen")
    except SystemExit as ended:
        if untold := output.untold(outlet):
            complain(untold)
            sys.exit(max(ended.code if isinstance(ended.code, int) else 0, untold.exit_code))
        raise
