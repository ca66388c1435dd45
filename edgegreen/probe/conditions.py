"""The state of the board in the reply: heat, throttling, supply, power mode. Pure; nothing raises."""

from __future__ import annotations

import re
from itertools import groupby

from edgegreen.agent import conditions
from edgegreen.probe.facts import PowerMode, Supply, Trip, Zone
from edgegreen.probe.reply import Reply, number, whole

_TRIP = re.compile(r"trip_point_(\d+)_(type|temp)")


def zones(told: Reply) -> tuple[Zone, ...]:
    """Thermal zones and Edge TPUs on PCIe, with the temperatures at which something happens."""
    found = []
    for folder, group in groupby(told.attributes("heat"), key=lambda attribute: attribute.folder):
        texts = {attribute.name: attribute.text for attribute in group}
        name = folder.rpartition("/")[2]
        if name.startswith("apex"):
            trips = [
                Trip("throttle", at)
                for key, text in texts.items()
                if "trip" in key and (at := _celsius(text))
            ]
            found.append(Zone(f"Edge TPU {name}", _celsius(texts.get("temp")), tuple(trips)))
        elif name.startswith("thermal_zone"):
            found.append(Zone(texts.get("type") or name, _celsius(texts.get("temp")), _trips(texts)))
    return tuple(found)


def _trips(texts: dict[str, str | None]) -> tuple[Trip, ...]:
    found = [match for match in map(_TRIP.fullmatch, texts) if match and match[2] == "type"]
    kinds = {match[1]: texts[match[0]] or "trip" for match in found}
    celsius = {number_: _celsius(texts.get(f"trip_point_{number_}_temp")) for number_ in kinds}
    return tuple(Trip(kinds[key], at) for key, at in celsius.items() if at is not None and at > 0)


def _celsius(millidegrees: str | None) -> float | None:
    value = number(millidegrees)
    return value / 1000 if value is not None and abs(value) < 1e6 else None


def alerts(told: Reply) -> tuple[str, ...]:
    """The parts that a Jetson throttles now: `cpu-throttle-alert` with a state above 0."""
    found = []
    for folder, group in groupby(told.attributes("heat"), key=lambda attribute: attribute.folder):
        texts = {attribute.name: attribute.text for attribute in group}
        if "/cooling_device" in folder and (number(texts.get("cur_state")) or 0) > 0:
            found.append((texts.get("type") or "a part").removesuffix("-throttle-alert"))
    return tuple(found)


def supply(told: Reply) -> Supply:
    """What a Raspberry Pi says of throttling and undervoltage: its firmware, or else the kernel."""
    asked = told.fields("throttled").get("vcgencmd", "")
    files = {attribute.name: attribute for attribute in told.attributes("throttled")}
    alarm = files.get("in0_lcrit_alarm")
    there = files.get("get_throttled")
    alarmed = None if alarm is None or not alarm.text else alarm.text != "0"
    for text in (asked, there.text if there else None):
        found = conditions.THROTTLED.match(text or "")
        if found:
            bits = int(found[1], 16)
            now, before = _names(bits), _names(bits >> conditions.OCCURRED_SHIFT)
            return Supply(now, before, alarmed)
    return Supply(alarm=alarmed, refused="/dev/vcio" in asked)


def _names(bits: int) -> tuple[str, ...]:
    return tuple(name for place, name in conditions.THROTTLED_BITS.items() if bits >> place & 1)


def power_mode(told: Reply) -> PowerMode | None:
    """A Jetson's power mode."""
    found = conditions.POWER_MODE.search("\n".join(told.lines("power_mode")))
    return PowerMode(found[1], whole(found[2], 1000)) if found else None
