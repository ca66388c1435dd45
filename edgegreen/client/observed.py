"""What a sampler on the board says of power and conditions during a trial, checked, and all of it together.

Strict like every message (see `messages`); what the values mean is told in `agent/sampler.py`,
`agent/watcher.py` and `agent/conditions.py`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from edgegreen.agent import sampler
from edgegreen.client.wirefields import CLOSED, Count, Data, Line, NotNegative, Number, senseless
from edgegreen.meters.record import RECORD

MAX_NAMES = 1000  # clocks, zones, devices of one board
MAX_RECORDS = 10_000_000  # of one trial, 200 MB: a day at a hundred readings a second
MAX_POLLS = 200_000

By = Annotated[dict[Line, Number | None], Field(max_length=MAX_NAMES)]
Few = Annotated[list[Line], Field(max_length=100)]
Share = Annotated[float, Field(strict=True, ge=0, le=1)]
Flag = Annotated[bool, Field(strict=True)]
Whole = Annotated[int, Field(strict=True, ge=0, lt=2**63)]


@dataclass(frozen=True)
class About:
    """A meter; the fields of agent.meters.base.About."""

    __pydantic_config__ = CLOSED

    kind: Line
    rail: Line
    scope: Literal["module", "rail sum", "package", "board", "wall"]
    source: Line
    misses: Line
    quantity: Literal["power", "energy"]
    main: Flag
    averaging_s: NotNegative | None
    update_s: NotNegative | None
    resolution_w: NotNegative | None
    resolution_j: NotNegative | None


@dataclass(frozen=True)
class MeterFound:
    """What is read, why, and how often; `about` is None where there is no meter."""

    __pydantic_config__ = CLOSED

    id: Line
    about: About | None
    why: Line
    period_s: Annotated[float, Field(strict=True, gt=0)] | None


@dataclass(frozen=True)
class PowerRecords:
    """Some readings of the meter, in order."""

    __pydantic_config__ = CLOSED

    id: Line
    n: Annotated[int, Field(strict=True, ge=1, le=sampler.BATCH_RECORDS)]
    data: Data

    def array(self) -> NDArray[Any]:
        """Shape (n,), of RECORD. Raises DeviceError."""
        try:
            return np.array(list(map(tuple, sampler.unpack(self.n, self.data))), dtype=RECORD)
        except ValueError as error:
            raise senseless(str(error)) from None


@dataclass(frozen=True)
class Poll:
    """The board at one moment during a trial; the fields of agent.watcher.Watcher.poll."""

    __pydantic_config__ = CLOSED

    id: Line
    t_ns: Count
    frequency_mhz: By
    temperature_c: By
    throttled_bits: Whole | None
    undervoltage_alarm: Flag | None
    throttle_alerts: By
    cpu_foreign: Share | None


@dataclass(frozen=True)
class Throttled:
    """What a Raspberry Pi says of itself."""

    __pydantic_config__ = CLOSED

    source: Literal["vcgencmd", "sysfs"]
    bits: Whole
    now: Few
    occurred: Few


@dataclass(frozen=True)
class PowerMode:
    """A Jetson's power mode."""

    __pydantic_config__ = CLOSED

    name: Line
    id: Whole | None


@dataclass(frozen=True)
class Busy:
    """A process at work."""

    __pydantic_config__ = CLOSED

    name: Line
    cores: NotNegative


@dataclass(frozen=True)
class Battery:
    """The first battery."""

    __pydantic_config__ = CLOSED

    status: Line | None
    capacity_percent: Number | None


@dataclass(frozen=True)
class Fan:
    """How fast it turns."""

    __pydantic_config__ = CLOSED

    rpm: Number | None
    pwm: Number | None


@dataclass(frozen=True)
class Snapshot:
    """The board before or after a trial; the fields of agent.conditions.snapshot."""

    __pydantic_config__ = CLOSED

    id: Line
    when: Literal["before", "after"]
    t_ns: Count
    governor: Annotated[dict[Line, Line | None], Field(max_length=MAX_NAMES)]
    frequency_mhz: By
    frequency_min_mhz: By
    frequency_max_mhz: By
    temperature_c: By
    apex_temperature_c: By
    throttled: Throttled | None
    undervoltage_alarm: Flag | None
    power_mode: PowerMode | None
    overcurrent_events: Annotated[dict[Line, Whole], Field(max_length=10)] | None
    throttle_alerts: By
    load_average: NotNegative | None
    cpu_busy: Share | None
    cpu_foreign: Share | None
    cpu_top: Annotated[list[Busy], Field(max_length=10)] | None
    memory_available_bytes: Whole | None
    swap_used_bytes: Annotated[int, Field(strict=True)] | None
    mains: Flag | None
    battery: Battery | None
    fan: Fan | None
    notes: Few
    apex_trip_c: By = field(default_factory=dict)

    def told(self) -> dict[str, Any]:
        """The conditions alone, as JSON has them."""
        return {name: value for name, value in asdict(self).items() if name not in ("id", "when")}


@dataclass(frozen=True)
class Summary:
    """What a sampler says of its own work; the fields of agent.sampler.Summary."""

    __pydantic_config__ = CLOSED

    period_s: NotNegative
    n: Whole
    failed: Whole
    missed: Whole
    gap_count: Whole
    longest_gap_s: NotNegative
    read_ms_mean: NotNegative
    read_ms_max: NotNegative
    cpu_s: NotNegative
    wall_s: NotNegative
    error: Line | None
    gaps: Annotated[list[tuple[Whole, Whole]], Field(max_length=sampler.GAPS_KEPT)]


@dataclass(frozen=True)
class Sampled:
    """A sampler's last word; `error` is why it ended early."""

    __pydantic_config__ = CLOSED

    id: Line
    summary: Summary | None
    error: Line | None


@dataclass(frozen=True)
class Observed:
    """All that a sampler said during one trial.

    `records` are of type RECORD; the value is W, or J of a counter, NaN where a reading failed.
    `error` says why the sampler ended early, None if it did not.
    """

    meter: MeterFound | None
    records: NDArray[Any]
    polls: tuple[Poll, ...]
    before: Snapshot | None
    after: Snapshot | None
    summary: Summary | None
    error: str | None


class Observations:
    """Takes a sampler's messages as they come. Raises DeviceError for more than a trial can have."""

    def __init__(self) -> None:
        self._meter: MeterFound | None = None
        self._records: list[NDArray[Any]] = []
        self._count = 0
        self._polls: list[Poll] = []
        self._snapshots: dict[str, Snapshot] = {}
        self._last: Sampled | None = None

    def take(self, event: MeterFound | PowerRecords | Poll | Snapshot | Sampled) -> None:
        """Take the next one."""
        if self._last is not None:
            raise senseless("the sampler goes on after its last word")
        match event:
            case MeterFound():
                self._meter = event
            case PowerRecords():
                self._records.append(event.array())
                self._count += event.n
            case Poll():
                self._polls.append(event)
            case Snapshot():
                self._snapshots[event.when] = event
            case Sampled():
                self._last = event
        if self._count > MAX_RECORDS or len(self._polls) > MAX_POLLS:
            raise senseless(f"{self._count} readings of a meter and {len(self._polls)} of the conditions")

    def whole(self) -> Observed:
        """All of it, at the end of the trial. Raises DeviceError when there is no end to it."""
        if self._last is None:
            raise senseless("the sampler's last word did not come")
        return Observed(
            meter=self._meter,
            records=np.concatenate([np.empty(0, RECORD), *self._records]),
            polls=tuple(self._polls),
            before=self._snapshots.get("before"),
            after=self._snapshots.get("after"),
            summary=self._last.summary,
            error=self._last.error,
        )
