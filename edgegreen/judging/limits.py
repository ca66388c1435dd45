"""A recipe's budgets: what each limits, and whether a measurement keeps to it. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edgegreen.config.limitkeys import Limits
from edgegreen.measurement import Measurement


def accuracy_drop(item: Measurement, *, higher_is_better: bool) -> float | None:
    """What the metric lost against the float model; below 0 it gained."""
    if item.accuracy is None or item.accuracy.baseline is None:
        return None
    loss = item.accuracy.baseline - item.accuracy.value
    return loss if higher_is_better else -loss


def _at_no_time(_item: Measurement) -> bool:
    return False


def _of_outputs(item: Measurement) -> bool:
    return bool(item.conditions.get("outputs_doubted"))


def _of_the_run(item: Measurement) -> bool:
    return item.verdict != "valid"


@dataclass(frozen=True)
class Limited:
    """What a limit is on: `what` in words, its `unit`, and the `reading`, given whether more is better.

    `doubted` says whether the reading is not to be trusted: an unsteady board spoils times and powers, but
    what the outputs are only where these are doubted themselves. `of_speed` are readings that say nothing on
    an emulated board.
    """

    what: str
    unit: str
    reading: Callable[[Measurement, bool], float | None]
    doubted: Callable[[Measurement], bool] = _of_the_run
    of_speed: bool = True
    of_a_meter: bool = False


# A key of the recipe's budgets → what it limits. (`valid` is no limit on a reading.)
LIMITED: dict[str, Limited] = {
    "accuracy_drop_max": Limited(
        "accuracy drop", "", lambda m, higher: accuracy_drop(m, higher_is_better=higher), _of_outputs, False
    ),
    "latency_p50_ms_max": Limited("p50", " ms", lambda m, _: m.latency_ms.p50),
    "latency_p95_ms_max": Limited("p95", " ms", lambda m, _: m.latency_ms.p95),
    "latency_p99_ms_max": Limited("p99", " ms", lambda m, _: m.latency_ms.p99),
    "first_inference_ms_max": Limited("first inference", " ms", lambda m, _: m.first_inference_ms),
    "size_bytes_max": Limited("size", " bytes", lambda m, _: m.artifact.size_bytes, _at_no_time, False),
    "peak_rss_bytes_max": Limited("memory", " bytes", lambda m, _: m.peak_rss_bytes, of_speed=False),
    "energy_mj_max": Limited(
        "energy", " mJ", lambda m, _: m.energy.per_inference_mj if m.energy else None, of_a_meter=True
    ),
    "power_w_max": Limited(
        "power", " W", lambda m, _: m.power.active_w if m.power else None, of_a_meter=True
    ),
}


def missed(item: Measurement, limits: Limits, *, higher_is_better: bool = True) -> tuple[str, ...]:
    """The limits that this measurement does not keep to, in words.

    A reading that is absent, or not to be trusted, keeps to none. Speed and energy of an emulated board are
    held to none: they are those of no board.
    """
    words = ["the reading is not valid, and the budget wants it to be"] * (
        bool(limits.valid) and item.verdict != "valid"
    )
    for key, limited in LIMITED.items():
        limit = getattr(limits, key)
        if limit is None or (item.emulated and limited.of_speed):
            continue
        if said := _said(item, limited, limit, limited.reading(item, higher_is_better)):
            words.append(said)
    return tuple(words)


def unsettled(change: float, ci95: tuple[float, float], limit: float, n: int) -> str | None:
    """That so few samples do not settle whether an accuracy drops by more than a limit, in words.

    `change` and its interval are of a share, after less before, over `n` samples. None where they settle it.
    """
    if not -ci95[1] < limit < -ci95[0]:
        return None
    drop, high, low = (_plain(round(-value, 12) + 0.0, 2).replace("-", "−") for value in (change, *ci95))
    told = f"accuracy drop {drop} (95 %: {low}…{high})"
    return (
        f"{told}: {n} sample{'s do' if n != 1 else ' does'} not settle whether it is over {_plain(limit, 16)}"
    )


def _said(item: Measurement, limited: Limited, limit: float, value: float | None) -> str | None:
    what, unit = limited.what, limited.unit
    if value is None:
        why = f": {item.energy_absent}" if limited.of_a_meter and item.energy_absent else ""
        return f"{what} was not measured, and the budget wants ≤ {_plain(limit, 16)}{unit}{why}"
    # A drop of 0.01 in floats is a hair more than 0.01; a budget means what it prints.
    if value > limit * (1 + 1e-9) + 1e-12:
        shown, allowed = _told_apart(value, limit)
        return f"{what} {shown}{unit} > {allowed}{unit}"
    if limited.doubted(item):
        return f"{what} {_plain(value, 4)}{unit} is within {_plain(limit, 16)}{unit}, but not to be trusted"
    return None


def _told_apart(value: float, limit: float) -> tuple[str, str]:
    """Both in as few digits as tell them apart (four at least), never in exponent form."""
    for digits in range(4, 17):
        shown, allowed = _plain(value, digits), _plain(limit, digits)
        if shown != allowed:
            break
    return shown, allowed


def _plain(value: float, digits: int) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return np.format_float_positional(value, precision=digits, fractional=False, trim="-")
