"""A process that keeps runs, as `deploy` does: it spools each and then moves it into the history.

python putting.py keep NUMBER COUNT     so many runs, named by the number
python putting.py hold RUN_ID           one result written, and then it goes on and on
"""

from __future__ import annotations

import sys
import time

import numpy as np
from builders import measurement, run

from edgegreen.history import intake, series, spool
from edgegreen.history.series import Series
from edgegreen.measurement import Run


def spooled(run_id: str, *variants: str) -> Run:
    """Written to the spool, with its series, as a session does."""
    made = run(*map(measurement, variants)).model_copy(update={"run_id": run_id})
    spool.folder().mkdir(parents=True, exist_ok=True)
    for item in made.results:
        times = np.arange(1, 200, dtype=np.int64)
        series.save(series.folder_of(spool.file_of(run_id)), item, Series(times, times, {"active": (0, 9)}))
    spool.file_of(run_id).write_text(made.to_json())
    return made


def main(what: str, *arguments: str) -> None:
    """Keep, or hold."""
    if what == "keep":
        number, count = map(int, arguments)
        for n in range(count):
            intake.keep(spooled(f"20261122-{n:06}-{number:06x}", "a", "b"))
    else:
        with spool.claimed(arguments[0]) as mine:
            spooled(arguments[0], "a")
            sys.stdout.write("holds\n" if mine else "does not hold\n")
            sys.stdout.flush()
            time.sleep(60)


if __name__ == "__main__":
    main(*sys.argv[1:])
