"""Checks of how the board is doing at this moment: supply, heat, clocks, load, memory, time."""

from __future__ import annotations

from edgegreen.agent.meters.vcgencmd import ACCESS
from edgegreen.probe.doctor.finding import Case, Trouble, spoils
from edgegreen.probe.facts import Zone

NEAR_TRIP_C = 10.0
PI_THROTTLES_C = 80.0
HOT_C = 80.0  # where a zone names no trip point
BUSY_LOAD, BUSY_LOAD_PER_CORE = 0.5, 0.2
LOW_MEMORY_BYTES = 200_000_000
SWAP_USED_BYTES = 64_000_000
CLOCK_OFF_S = 5.0
YEAR_2020_S = 1_577_836_800
JUST_BOOTED_S = 180.0
BETTER_SUPPLY = "use the board's own power supply and a short cable, and take power-hungry USB devices off"


def supply(case: Case) -> list[Trouble] | None:
    """Does a Raspberry Pi get its 5 V."""
    told = case.facts.supply
    if told.refused:
        return [spoils("this user may not ask whether the board is throttled or undervolted", ACCESS)]
    if told.alarm or "undervoltage" in (told.now or ()):
        return [spoils("undervoltage now: the firmware slows the board down", BETTER_SUPPLY)]
    if "undervoltage" in (told.occurred or ()):
        return [spoils("undervoltage has occurred since the board was started", BETTER_SUPPLY)]
    return None if told.now is None and told.alarm is None else []


def throttling(case: Case) -> list[Trouble] | None:
    """Is anything slowed down now."""
    cooler = "let it cool down, and give it a heat sink or a fan"
    if case.facts.alerts:
        return [spoils(f"throttled now: {', '.join(case.facts.alerts)}", cooler)]
    words = {
        "throttled": "throttled now",
        "frequency_capped": "the clock is capped now",
        "soft_temperature_limit": "the soft temperature limit is reached now",
    }
    if case.facts.supply.now is None:
        return [] if case.family_is("jetson") else None
    found = [text for name, text in words.items() if name in case.facts.supply.now]
    return [spoils(", ".join(found), cooler)] if found else []


def heat(case: Case) -> list[Trouble] | None:
    """Is any part near the temperature where it is slowed down."""
    zones = [zone for zone in case.facts.zones if zone.celsius is not None]
    if not zones:
        return None
    hot = []
    for zone in zones:
        limit = _limit_c(zone, case)
        if zone.celsius is not None and zone.celsius > limit - NEAR_TRIP_C:
            hot.append(f"{zone.name} is at {zone.celsius:.0f} °C, its limit is {limit:.0f} °C")
    if not hot:
        return []
    return [spoils("; ".join(hot), "let it cool down before a run, and give it a heat sink or a fan")]


def _limit_c(zone: Zone, case: Case) -> float:
    """Where the zone's first measure against heat is taken; a fan's trip points are none."""
    trips = [trip.celsius for trip in zone.trips if trip.kind != "active"]
    if case.family_is("raspberry-pi"):
        trips.append(PI_THROTTLES_C)
    return min(trips, default=HOT_C + NEAR_TRIP_C)


def governor(case: Case) -> list[Trouble] | None:
    """Do clocks stay where they are."""
    policies = [policy for policy in case.facts.cpu.policies if policy.governor]
    if not policies:
        return None
    # jetson_clocks leaves the governor's name, and makes its limits the same.
    moving = dict.fromkeys(str(policy.governor) for policy in policies if not policy.is_held)
    if not moving:
        return []
    command = "echo performance | sudo tee /sys/devices/system/cpu/cpufreq/policy*/scaling_governor"
    if case.family_is("jetson"):
        command = "sudo jetson_clocks"
    told = f"governor {', '.join(moving)}: clocks follow the load, and short runs vary"
    return [spoils(told, f"until the next boot: {command}")]


def load(case: Case) -> list[Trouble] | None:
    """Does anything else compute."""
    now, cores = case.facts.system.load_1min, case.facts.cpu.cores or 1
    if now is None:
        return None
    if now <= max(BUSY_LOAD, BUSY_LOAD_PER_CORE * cores):
        return []
    uptime_s = case.facts.system.uptime_s
    fresh = uptime_s is not None and uptime_s < JUST_BOOTED_S
    told = f"load {now:.2f} over the last minute, on {cores} core{'s' * (cores != 1)}"
    if fresh:
        return [spoils(f"{told}; the board has just been started", "wait a few minutes")]
    return [spoils(told, "`top` on the board says who it is; end it or wait")]


def memory(case: Case) -> list[Trouble] | None:
    """Is there room for a model."""
    available = case.facts.memory.available_bytes
    if available is None:
        return None
    if available >= LOW_MEMORY_BYTES:
        return []
    told = f"{available / 1e6:.0f} MB of memory are available"
    return [spoils(told, "end other programs, above all a desktop; large models may be killed here")]


def swap(case: Case) -> list[Trouble] | None:
    """Is anything swapped out, which comes back when it is least wanted."""
    used = case.facts.memory.swap_used_bytes
    if used is None:
        return None
    if used <= SWAP_USED_BYTES:
        return []
    told = f"{used / 1e6:.0f} MB lie in swap: whatever is fetched from there takes milliseconds"
    return [spoils(told, "make memory free; with enough of it: sudo swapoff -a && sudo swapon -a")]


def clock(case: Case) -> list[Trouble] | None:
    """Does the board know what time it is."""
    facts = case.facts
    if facts.clock_s is None:
        return None
    fix = "sudo timedatectl set-ntp true; without a network, sudo date -s @SECONDS from `date +%s` here"
    if facts.clock_s < YEAR_2020_S:
        return [spoils("the clock says it is before 2020: it was never set", fix)]
    ahead_s = facts.clock_ahead_s
    if ahead_s is None or abs(ahead_s) <= CLOCK_OFF_S:
        return []
    side = "ahead of" if ahead_s > 0 else "behind"
    return [spoils(f"the clock is {_span(abs(ahead_s))} {side} this machine's", fix)]


def _span(seconds: float) -> str:
    for size_s, name in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= 2 * size_s:
            return f"{seconds / size_s:.0f} {name}s"
    return f"{seconds:.0f} s"
