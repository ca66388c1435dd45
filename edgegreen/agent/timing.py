"""Who makes and times the calls of a trial: this process, or the program that a runtime leaves it to.

A trial asks for first inference, warm-up, calls and end-to-end calls in this order, the sample being set. A
runtime whose model another process runs brings a Timing of its own (see `runtimes/contract.py`).
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Any, Callable, Sequence

from . import bench, system
from .model import Model
from .runtimes.contract import Memory, Tick

if TYPE_CHECKING:
    from numpy.typing import NDArray


class InProcess:
    """Calls made here, timed around each. `row` is the sample; `again` loads the model once more."""

    def __init__(
        self,
        model: Model,
        row: Sequence[NDArray[Any]],
        *,
        load_ms: float,
        rss_before_bytes: int,
        again: Callable[[Tick], dict[str, Any] | None],
    ) -> None:
        self._model, self._row = model, row
        self._load_ms, self._rss_before, self._again = load_ms, rss_before_bytes, again
        self._peak = rss_before_bytes

    def first_ns(self) -> int:
        """See `Timing`."""
        return bench.timed(self._model.runtime.invoke)

    def load_ms(self) -> float:
        """See `Timing`."""
        return self._load_ms

    def warm_up(self, *, seconds: float, min_runs: int, tick: Tick) -> None:
        """See `Timing`."""
        bench.warm_up(self._model.runtime.invoke, seconds=seconds, min_runs=min_runs, tick=tick)

    def calls(self, room: array[int], *, seconds: float, min_runs: int, tick: Tick) -> bench.Window:
        """See `Timing`."""
        runtime = self._model.runtime
        window = bench.measure(
            runtime.invoke, room, seconds=seconds, min_runs=min_runs, own_ns=runtime.own_ns, tick=tick
        )
        self._peak = system.peak_rss_bytes()
        return window

    def end_to_end(self, room: array[int], *, seconds: float, min_runs: int, tick: Tick) -> bench.Window:
        """See `Timing`."""
        return bench.measure(
            lambda: self._model.run(self._row), room, seconds=seconds, min_runs=min_runs, tick=tick
        )

    def memory(self) -> Memory:
        """See `Timing`."""
        return Memory(self._rss_before, self._peak)

    def profile(self, tick: Tick) -> dict[str, Any] | None:
        """See `Timing`."""
        return self._again(tick)
