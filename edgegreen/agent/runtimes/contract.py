"""What a trial needs of a runtime: a model that is loaded, and who makes and times its calls. Types alone."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Any, Callable, NamedTuple

from .. import bench
from .operators import Operator
from .tensors import Tensor

if TYPE_CHECKING:
    from typing import Protocol

    from numpy.typing import NDArray
else:
    Protocol = object  # typing.Protocol came with Python 3.8

Tick = Callable[[float], None]


class Memory(NamedTuple):
    """What the process that runs the model held before it loaded it, and the most it held since."""

    before_bytes: int
    peak_bytes: int


class Timing(Protocol):
    """Makes the calls and times them. `tick` is told the share done about once a second.

    Windows have their edges on this machine's monotonic clock, whoever timed what lies between.
    """

    def first_ns(self) -> int:
        """The first inference since the model was loaded."""

    def load_ms(self) -> float:
        """How long loading took. Known after `first_ns`."""

    def warm_up(self, *, seconds: float, min_runs: int, tick: Tick) -> None:
        """Call without keeping times."""

    def calls(self, room: array[int], *, seconds: float, min_runs: int, tick: Tick) -> bench.Window:
        """The window of single calls, as `bench.measure` gives it: the quantity called latency."""

    def end_to_end(self, room: array[int], *, seconds: float, min_runs: int, tick: Tick) -> bench.Window:
        """The same, inputs and outputs included."""

    def memory(self) -> Memory:
        """Known after `calls`."""

    def profile(self, tick: Tick) -> dict[str, Any] | None:
        """Times of single operators, from a run of their own (fields of `execution.profile`)."""


class Runtime(Protocol):
    """A model loaded and ready. Inputs and outputs are numbered as in the model's file.

    `delegate` is None unless a delegate is known to have taken part of the model, or it ran elsewhere than on
    the CPU as the runtime does by itself; asked after the first inference.
    """

    name: str
    version: str
    inputs: list[Tensor]
    outputs: list[Tensor]
    invoke: Callable[[], Any]
    """Run the model on what was set: the quantity called latency."""
    own_ns: Callable[[], int] | None
    """The runtime's own measure of the last `invoke`, where that is what its vendor calls latency."""
    fell_back: str | None
    """What should have run the model, did not, and why; None when nothing fell back."""
    timing: Timing | None
    """Makes and times the calls where another process runs the model; None: they are made and timed here."""

    @property
    def delegate(self) -> str | None:
        """See above."""

    def set(self, index: int, value: NDArray[Any]) -> None:
        """Copy `value` (of the tensor's own shape and type) into an input."""

    def get(self, index: int) -> NDArray[Any]:
        """A copy of an output, of the tensor's own type."""

    def operators(self) -> list[Operator]:
        """What runs at each invoke, in order. Raises whatever the runtime does when it does not tell."""
