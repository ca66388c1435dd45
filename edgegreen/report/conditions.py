"""The conditions a trial was measured under, before, while and after the model ran: a table for people.

Conditions are free-form JSON that a board told; what is not of the shape one expects is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from rich.table import Table

from edgegreen.report import words

MOMENTS = ("before", "during", "after")
NAMES_MAX = 4  # clocks or zones that have a line each; more share one
Look = Mapping[str, Any]
"""The board at one of the MOMENTS."""
Line = tuple[str, str, str, str]
"""What it is, and before, during and after; "" for what was not looked at then."""
Lines = Iterator[Line]


def table(conditions: Mapping[str, Any]) -> tuple[Table, list[str]]:
    """What is known, a line each; and the names of what the board does not tell."""
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("Conditions", *MOMENTS):
        made.add_column(heading, overflow="fold", no_wrap=heading not in MOMENTS)
    told, untold = known(conditions)
    for line in told:
        made.add_row(*line)
    return made, untold


def known(conditions: Mapping[str, Any]) -> tuple[list[Line], list[str]]:
    """What is known, a line each with its whole name; and the names of what the board does not tell."""
    told: list[Line] = []
    untold = []
    looks = [_mapping(conditions.get(moment)) for moment in MOMENTS]
    for name, lines in LINES.items():
        found = [line for line in lines(*looks) if any(line[1:])]
        told += [(f"{name} {line[0]}".rstrip(), *line[1:]) for line in found]
        if not found:
            untold.append(name)
    return told, untold


def notes(conditions: Mapping[str, Any]) -> list[str]:
    """What the board has and may not be read, and what would help."""
    told = [note for moment in MOMENTS for note in _list(_mapping(conditions.get(moment)).get("notes"))]
    return list(dict.fromkeys(map(str, told)))


def _either_side(key: str, shown: Callable[[Any], str]) -> Callable[[Look, Look, Look], Lines]:
    """A line of what is looked at before and after."""

    def lines(before: Look, _: Look, after: Look) -> Lines:
        yield "", shown(before.get(key)), "", shown(after.get(key))

    return lines


def _clocks(before: Look, during: Look, after: Look) -> Lines:
    now, then = (_numbers(look.get("frequency_mhz")) for look in (before, after))
    spans = {name: _mapping(span) for name, span in _mapping(during.get("frequency_mhz")).items()}
    while_running = {
        name: [mhz for mhz in (span.get("min"), span.get("max")) if _is_number(mhz)]
        for name, span in spans.items()
    }
    names = _names(now, while_running, then)
    if len(names) > NAMES_MAX:
        every = [mhz for ends in while_running.values() for mhz in ends]
        yield f"of {len(names)} groups", _range(now.values()), _range(every), _range(then.values())
    else:
        for name in names:
            yield name, _range([now.get(name)]), _range(while_running.get(name, [])), _range([then.get(name)])
    limits = [
        _range(mhz for end in ("min", "max") for mhz in _numbers(look.get(f"frequency_{end}_mhz")).values())
        for look in (before, after)
    ]
    yield "limits", limits[0], "", limits[1]


def _temperatures(before: Look, during: Look, after: Look) -> Lines:
    now, then = (
        _numbers(look.get("temperature_c")) | _numbers(look.get("apex_temperature_c"))
        for look in (before, after)
    )
    top = _numbers(during.get("temperature_max_c"))
    names = _names(now, top, then)
    hottest = {name: max(known[name] for known in (now, top, then) if name in known) for name in names}
    names.sort(key=lambda name: -hottest[name])
    for name in names[:NAMES_MAX]:
        yield name, _tenths(now.get(name)), _tenths(top.get(name)), _tenths(then.get(name))
    if len(names) > NAMES_MAX:
        yield f"of {len(names) - NAMES_MAX} others", "", f"≤ {hottest[names[NAMES_MAX]]:.1f}", ""


def _throttled(before: Look, during: Look, after: Look) -> Lines:
    counts = _numbers(during.get("throttled"))
    seen = ", ".join(_looks(_spaced(name), count, during) for name, count in counts.items() if count)
    flags = [_mapping(look.get("throttled")) for look in (before, after)]
    yield "", _flags(flags[0], "now"), seen or ("no" if counts else ""), _flags(flags[1], "now")
    memory = "within 2 s" if "sysfs" in (flags[0].get("source"), flags[1].get("source")) else "since boot"
    yield memory, _flags(flags[0], "occurred"), "", _flags(flags[1], "occurred")


def _flags(told: Look, when: str) -> str:
    return (", ".join(_spaced(str(name)) for name in _list(told.get(when))) or "no") if told else ""


def _undervoltage(before: Look, during: Look, after: Look) -> Lines:
    polls = during.get("undervoltage_polls")
    seen = (_looks("yes", polls, during) if polls else "no") if _is_number(polls) else ""
    yield "", _yes(before.get("undervoltage_alarm")), seen, _yes(after.get("undervoltage_alarm"))


def _alerts(before: Look, during: Look, after: Look) -> Lines:
    now, counts, then = (_numbers(look.get("throttle_alerts")) for look in (before, during, after))
    for name in _names(now, counts, then):
        seen = (_looks("yes", counts[name], during) if counts[name] else "no") if name in counts else ""
        yield name, _range([now.get(name)]), seen, _range([then.get(name)])


def _overcurrent(before: Look, _: Look, after: Look) -> Lines:
    now, then = (_numbers(look.get("overcurrent_events")) for look in (before, after))
    for name in _names(now, then):
        yield name, _range([now.get(name)]), "", _range([then.get(name)])


def _foreign(before: Look, during: Look, after: Look) -> Lines:
    span = _mapping(during.get("cpu_foreign"))
    mean, highest = _percent(span.get("mean")), _percent(span.get("max"))
    seen = f"{mean} (≤ {highest})" if mean and highest else mean
    yield "", _percent(before.get("cpu_foreign")), seen, _percent(after.get("cpu_foreign"))


def _governor(by_policy: Any) -> str:
    """`ondemand` where it is the same everywhere."""
    found = {name: str(value) for name, value in _mapping(by_policy).items() if value is not None}
    if len(set(found.values())) == 1:
        return next(iter(found.values()))
    return ", ".join(f"{name} {value}" for name, value in found.items())


def _busiest(told: Any) -> str:
    if told == []:
        return "none"
    found = [one for one in map(_mapping, _list(told)) if _is_number(one.get("cores"))]
    return ", ".join(f"{one.get('name')} {words.number(one['cores'])}" for one in found)


def _power_mode(told: Any) -> str:
    mode = _mapping(told)
    return f"{mode['name']} ({mode.get('id')})" if mode.get("name") else ""


def _battery(told: Any) -> str:
    found = _mapping(told)
    share = found.get("capacity_percent")
    return " ".join([str(found.get("status") or ""), f"{share:g} %" if _is_number(share) else ""]).strip()


def _fan(told: Any) -> str:
    return ", ".join(f"{value:g} {name}" for name, value in _numbers(told).items())


def _names(*known: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(name for names in known for name in names))


def _range(values: Iterable[Any]) -> str:
    """`600…2400`, `2400`, or nothing."""
    found = [value for value in values if _is_number(value)]
    if not found:
        return ""
    low, high = f"{min(found):.0f}", f"{max(found):.0f}"
    return low if low == high else f"{low}…{high}"


def _tenths(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def _looks(what: str, count: Any, during: Look) -> str:
    return f"{what}, {count:g} of {during.get('polls')} looks"


def _spaced(name: str) -> str:
    return name.replace("_", " ")


def _yes(told: Any) -> str:
    return ("yes" if told else "no") if isinstance(told, bool) else ""


def _percent(share: Any) -> str:
    return f"{100 * share:.1f} %" if _is_number(share) else ""


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _numbers(told: Any) -> dict[str, float]:
    return {name: value for name, value in _mapping(told).items() if _is_number(value)}


def _mapping(told: Any) -> Look:
    return told if isinstance(told, Mapping) else {}


def _list(told: Any) -> list[Any]:
    return told if isinstance(told, list) else []


# What the board is asked for → its lines. Names that no line came for are listed below the table.
LINES: dict[str, Callable[[Look, Look, Look], Lines]] = {
    "governor": _either_side("governor", _governor),
    "clock MHz": _clocks,
    "power mode": _either_side("power_mode", _power_mode),
    "°C": _temperatures,
    "throttled": _throttled,
    "undervolted": _undervoltage,
    "throttle alert": _alerts,
    "over-current events": _overcurrent,
    "load average": _either_side("load_average", lambda load: words.number(load) if _is_number(load) else ""),
    "CPU used by others": _foreign,
    "busiest others": _either_side("cpu_top", _busiest),
    "free memory": _either_side("memory_available_bytes", lambda n: words.size(n) if _is_number(n) else ""),
    "swap in use": _either_side("swap_used_bytes", lambda n: words.size(n) if _is_number(n) else ""),
    "on mains": _either_side("mains", _yes),
    "battery": _either_side("battery", _battery),
    "fan": _either_side("fan", _fan),
}
