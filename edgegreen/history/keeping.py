"""A run on its way: into the spool after every result, and into the history when it is done.

What cannot be kept costs the run nothing: it is noted here, for whoever shows the run.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from edgegreen.errors import InputError
from edgegreen.history import journal, series, spool
from edgegreen.history.series import Series, SeriesOf
from edgegreen.measurement import Failure, Measurement, Run

CLAIM_S = 5.0  # longer than another process takes to put an earlier part of the run into the history


class Keeping:
    """Keeps one run; called by several threads."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.place: str | None = None
        """Where the run is, in words, once it is done: a database, or its file in the spool."""
        self.series: SeriesOf = series.in_folder(series.folder_of(self.file))
        """Where its series come from."""
        self._stored = self._written = False
        self._unwritten: InputError | None = None
        self._series_lost: InputError | None = None
        self._saving = threading.Lock()

    @property
    def file(self) -> Path:
        """Where its JSON is, until it is in the history."""
        return spool.file_of(self.run_id)

    @property
    def lost(self) -> InputError | None:
        """Why the run, or a part of it, is kept nowhere, if so."""
        return (None if self._stored else self._unwritten) or self._series_lost

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Nobody else takes the run, or writes it, in the block. Raises InputError when another does."""
        with ExitStack() as held:
            try:
                mine = held.enter_context(spool.claimed(self.run_id, CLAIM_S))
            except OSError:  # nothing can be written there, as `save` is going to find
                mine = True
            if not mine:
                raise InputError(
                    f"run {self.run_id} is being measured by another process", hint="wait for its end"
                )
            yield

    def add(self, one: Measurement | Failure, outcome: Callable[[], Run]) -> None:
        """Keep a result or a failure in the spool; with the first of them, the run as it stands."""
        with self._saving:  # outcome and file in one, or a slower thread would put an older outcome back
            try:
                if self._written:
                    journal.add(self.file, one)
                else:
                    self._write(outcome())
            except OSError as error:  # no reason to lose the readings, which are still shown
                self._unwritten = InputError(f"cannot keep the run in {self.file}: {error.strerror}")

    def renew(self) -> None:
        """The run has lost a result: what is kept next is all of it."""
        with self._saving:
            self._written = False

    def _write(self, run: Run) -> None:
        """Write the run's file, whole or not at all. Raises OSError."""
        part = self.file.with_suffix(".part")
        self.file.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(run.to_json(), encoding="utf-8")
        part.replace(self.file)
        journal.of_file(self.file).unlink(missing_ok=True)
        self._written = True

    def save_series(self, item: Measurement, behind: Series) -> None:
        """Write the series of a measurement to the spool."""
        try:
            series.save(series.folder_of(self.file), item, behind)
        except OSError as error:
            self._series_lost = InputError(f"cannot keep the series of {self.run_id}: {error.strerror}")

    def move(self, run: Run) -> InputError | None:
        """Move the run, which is done, into the history; why it is still in the spool, if it is."""
        from edgegreen.history import intake

        try:
            where = intake.keep(run)
        except InputError as error:
            if not self.file.exists():  # none waits in the spool
                self._forget()
                return InputError(f"run {self.run_id} is not kept: {error.message}")
            with suppress(OSError):  # of one piece, for whoever opens it
                self._write(run)
            self.place = str(self.file)
            waits = f"run {self.run_id} is not in the history yet, and waits in {self.file}: {error.message}"
            return InputError(waits, hint=error.hint)
        self.place, self.series, self._stored = where.name, where.series, True
        return None

    def _forget(self) -> None:
        """Leave nothing of a run that is lost; its series can be asked for until this process ends."""
        with suppress(OSError):
            self.series = series.in_memory(series.packed_in(series.folder_of(self.file)))
        with suppress(OSError):
            spool.remove(self.run_id)
