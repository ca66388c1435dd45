"""`track`, and what commands that measure do by themselves where the user has an MLflow server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from edgegreen.cli.common import said

if TYPE_CHECKING:
    from edgegreen.history.kept import Kept


@click.command(short_help="Send a run to MLflow.")
@click.argument("run")
@click.option(
    "--timeout", "limit_s", type=click.FloatRange(min=1), default=300, show_default=True, metavar="SECONDS",
    help="How long it may take.",
)  # fmt: skip
def track(run: str, limit_s: float) -> None:
    """Send a kept RUN to the MLflow server that MLFLOW_TRACKING_URI names, as `deploy` does by itself.

    RUN is a run's id or the beginning of one, `latest`, or a JSON file. A run that was sent before is
    completed. Takes the extra `mlflow`.
    """
    from edgegreen.history import runs
    from edgegreen.judging import comparison
    from edgegreen.report.contents import Contents
    from edgegreen.tracking import sending

    kept = said(runs.find(run))
    sent = sending.send(Contents(kept.run, comparison.of(kept.run), kept.series), limit_s)
    click.echo(f"run {kept.run.run_id} is in experiment {sent.experiment} at {sent.server}")


def after_run(kept: Kept) -> None:
    """Send a run where a server is set. Whatever happens is one line on stderr, and no exit code."""
    from edgegreen.tracking import after

    if line := after.send(kept):
        click.echo(f"note: {line}", err=True)
