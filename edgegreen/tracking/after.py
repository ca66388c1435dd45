"""What every command that measures does in the end, where the user has an MLflow server."""

from __future__ import annotations

import os

from edgegreen.errors import EdgegreenError
from edgegreen.history.kept import Kept
from edgegreen.judging import comparison
from edgegreen.report.contents import Contents
from edgegreen.tracking import sending


def send(kept: Kept) -> str | None:
    """Send a run that is kept; what became of it in one line, None where no server is set. Never raises."""
    if not sending.wanted(os.environ):
        return None
    contents = Contents(kept.run, comparison.of(kept.run), kept.series)
    try:
        sent = sending.send(contents, sending.AFTER_A_RUN_S)
    except EdgegreenError as error:
        later = error.hint or f"`edgegreen track {kept.run.run_id}` sends it"
        return f"not sent to MLflow: {error.message} → {later}"
    except KeyboardInterrupt:
        return "not sent to MLflow: interrupted"
    return f"sent to MLflow: experiment {sent.experiment} at {sent.server}"
