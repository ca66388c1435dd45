"""The recipe's `benchmark:`: how each trial is timed, and what is swept."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from edgegreen.config.tensorrtkeys import TensorRT
from edgegreen.config.yamlfile import Frozen, Matching

Governor = Annotated[str, Matching(r"[A-Za-z0-9_-]{1,15}", "the name of a CPU governor, such as `powersave`")]
PowerMode = (
    Annotated[int, Field(ge=0, le=999)]
    | Annotated[str, Matching(r"[^\s<>]{1,64}", "the number or name of a power mode, such as `MAXN_SUPER`")]
)


class Benchmark(Frozen):
    """How each trial is timed; see docs/method.md."""

    duration_s: Annotated[float, Field(gt=0, le=86400)] = 10.0
    """Length of the timed window."""
    metered_duration_s: Annotated[float, Field(gt=0, le=86400)] | None = None
    """Its length on targets with a power meter, which take their time; `duration_s` when left out."""
    warmup_s: Annotated[float, Field(ge=0, le=3600)] = 0.5
    min_warmup_runs: Annotated[int, Field(ge=1, le=1_000_000)] = 10
    min_runs: Annotated[int, Field(ge=2, le=1_000_000)] = 50
    """The window lasts until both this many runs and `duration_s` are reached."""
    idle_s: Annotated[float, Field(gt=0, le=3600)] = 10.0
    """Idle time before and after the window, for targets with a power meter only."""
    cool_to_c: Annotated[float, Field(ge=0, le=150)] | None = None
    """Each trial waits until the board's hottest zone is this cool (°C). Left out: none waits."""
    cool_timeout_s: Annotated[float, Field(gt=0, le=86400)] = 300.0
    """After this it begins all the same, and its row says so."""
    retry_invalid: Annotated[int, Field(ge=0, le=100)] = 0
    """How often a trial is repeated whose reading cannot be trusted; the best attempt is kept."""
    timeout_s: Annotated[float, Field(gt=0)] = 600.0
    """A trial that says nothing for this long has hung."""
    threads: Annotated[tuple[Annotated[int, Field(ge=1, le=1024)], ...], Field(min_length=1)] = (1,)
    """One trial, and one row, for each."""
    governors: tuple[Governor, ...] = ()
    """CPU governors, each of which every trial is run under; for targets with `allow_tuning`."""
    power_modes: tuple[PowerMode, ...] = ()
    """nvpmodel's modes of a Jetson, by number or name, likewise."""
    tensorrt: TensorRT = TensorRT()
    """Of variants with `format: tensorrt`."""

    def window_s(self, *, metered: bool) -> float:
        """The length of the timed window on a target with, or without, a power meter."""
        return self.metered_duration_s or self.duration_s if metered else self.duration_s

    @field_validator("threads")
    @classmethod
    def _each_once(cls, threads: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(threads)) < len(threads):
            raise ValueError("a number of threads is there twice")
        return threads

    @field_validator("governors", "power_modes")
    @classmethod
    def _each_setting_once(cls, settings: tuple[int | str, ...]) -> tuple[int | str, ...]:
        twice = [one for one in settings if settings.count(one) > 1]
        if twice:
            raise ValueError(f"`{twice[0]}` is there twice")
        return settings
