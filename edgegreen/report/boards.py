"""What a board told of itself, and what would spoil a run on it: for a person, and as JSON (schema 1).

Marks as in the tables: `✗` stops a run, `!` spoils its readings, `–` not told, `✓` fine.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict

from rich.console import Console
from rich.table import Table
from rich.text import Text

from edgegreen.probe import Probed, pythons
from edgegreen.probe.doctor import Checkup
from edgegreen.probe.facts import BoardFacts, Disk, Meter, Python, Zone
from edgegreen.report import words

SCHEMA = 1
MARKS = {
    "stops": ("✗", "red"),
    "spoils": ("!", "yellow"),
    "unknown": (words.ABSENT, "dim"),
    "fine": ("✓", "green"),
}
_SUPPLY = {
    "undervoltage": "undervoltage",
    "frequency_capped": "clock capped",
    "throttled": "throttled",
    "soft_temperature_limit": "soft temperature limit",
}


def show_board(probed: Probed, out: Console) -> None:
    """The listing of `targets probe`: a heading, then a line or a few for each thing."""
    board = probed.identity
    out.print(Text.assemble((board.name, "bold")))
    kind = [board.family, board.soc, "emulated" if board.emulated else None]
    kind.append(f"virtual machine ({board.virtual})" if board.virtual else None)
    out.print(Text(" · ".join(filter(None, kind)), style="dim"))
    shown = Table.grid(padding=(0, 2, 0, 0))
    shown.add_column(no_wrap=True, style="dim")
    shown.add_column(overflow="fold")
    for heading, lines in _lines(probed.facts):
        for number, line in enumerate(lines or [words.ABSENT]):
            shown.add_row("" if number else heading, Text(line, style="" if lines else "dim"))
    out.print(shown)
    if probed.facts.untold:
        out.print(
            _marked("!", "yellow", f"the reply was cut short: nothing of {', '.join(probed.facts.untold)}")
        )


def _lines(facts: BoardFacts) -> Iterator[tuple[str, list[str]]]:
    system = facts.system
    bits = f"{facts.bits}-bit" if facts.bits else None
    tegra = (
        facts.tegra
        and f"L4T {facts.tegra.major}.{facts.tegra.revision} (JetPack {facts.tegra.jetpack or '?'})"
    )
    yield "System", _joined(facts.release.name, tegra, system.kernel, system.machine, bits, facts.libc)
    cores = f"{facts.cpu.cores} × {' + '.join(facts.cpu.models) or 'core'}" if facts.cpu.cores else None
    clock = f"up to {facts.cpu.max_mhz:.0f} MHz" if facts.cpu.max_mhz else None
    governor = f"governor {', '.join(facts.cpu.governors)}" if facts.cpu.governors else None
    mode = f"power mode {facts.power_mode.name}" if facts.power_mode else None
    yield "Processor", _joined(cores, clock, governor, mode)
    yield "Memory", _memory(facts)
    yield "Disk", _disks(facts)
    yield "Python", [_python(python, facts) for python in facts.pythons]
    yield "Meters", [_meter(meter) for meter in facts.meters]
    yield "Accelerators", [device.name + _closed(device.readable) for device in facts.accelerators]
    yield "Libraries", _libraries(facts)
    yield "Heat", _joined(*map(_zone, sorted(facts.zones, key=lambda zone: -(zone.celsius or 0))[:6]))
    yield "Throttled", _throttled(facts)
    yield "Load", _joined(*_load(facts))
    yield "Clock", _clock(facts)
    yield "User", _joined(system.user, f"groups {' '.join(system.groups)}" if system.groups else None)


def _joined(*parts: object) -> list[str]:
    told = [str(part) for part in parts if part]
    return [" · ".join(told)] if told else []


def _memory(facts: BoardFacts) -> list[str]:
    memory = facts.memory
    if memory.total_bytes is None:
        return []
    swap = f"swap {words.size(memory.swap_used_bytes)} of {words.size(memory.swap_total_bytes)} used"
    free = f"{words.size(memory.available_bytes)} of {words.size(memory.total_bytes)} available"
    return _joined(free, swap if memory.swap_total_bytes else "no swap")


def _disks(facts: BoardFacts) -> list[str]:
    """The folder for edgegreen, and the home folder where that is on another disk."""
    told = [disk for disk in (facts.root, facts.home) if disk]
    return [_disk(disk) for disk in told[: 1 if len({disk.mount for disk in told}) == 1 else 2]]


def _disk(disk: Disk) -> str:
    kind = f" ({disk.filesystem})" if disk.filesystem else ""
    state = "" if disk.writable is not False else ", not writable"
    return f"{words.size(disk.free_bytes)} free for {disk.path} on {disk.mount or '?'}{kind}{state}"


def _python(python: Python, facts: BoardFacts) -> str:
    if python.version is None:
        return f"{python.path} cannot be run"
    packages = [f"{package.name} {package.version or ''}".strip() for package in python.packages]
    if not pythons.runtimes(python):
        packages.append("no runtime")
    asked = "  ← the target's" if python == facts.python else ""
    return f"{pythons.dotted(python)}  {python.path}  {', '.join(packages)}{asked}"


def _meter(meter: Meter) -> str:
    rails = f": {', '.join(meter.rails)}" if meter.rails else ""
    if meter.readable:
        return f"{meter.kind}{rails}"
    return f"{meter.kind}{rails} – not readable; {meter.why_not}"


def _closed(readable: bool | None) -> str:
    return "" if readable is not False else ", not readable by this user"


def _libraries(facts: BoardFacts) -> list[str]:
    named = (("libedgetpu", facts.libedgetpu), ("TensorRT", facts.tensorrt))
    return [" ".join(filter(None, (name, lib.version, lib.path))) for name, lib in named if lib]


def _zone(zone: Zone) -> str | None:
    return None if zone.celsius is None else f"{zone.name} {zone.celsius:.1f} °C"


def _throttled(facts: BoardFacts) -> list[str]:
    supply = facts.supply
    if supply.refused:
        return ["this user may not ask (/dev/vcio)"]
    now = [_SUPPLY.get(name, name) for name in supply.now or ()] + list(facts.alerts)
    if supply.alarm and "undervoltage" not in now:
        now.append("undervoltage")
    before = [_SUPPLY.get(name, name) for name in supply.occurred or ()]
    if supply.now is None and supply.alarm is None and not now:
        return []
    return _joined(f"now: {', '.join(now) or 'no'}", f"since boot: {', '.join(before)}" if before else None)


def _load(facts: BoardFacts) -> Iterator[str | None]:
    system = facts.system
    yield None if system.load_1min is None else f"{system.load_1min:.2f}"
    if system.uptime_s is not None:
        hours = system.uptime_s / 3600
        yield f"up {hours / 24:.1f} days" if hours > 48 else f"up {hours:.1f} h"


def _clock(facts: BoardFacts) -> list[str]:
    ahead_s = facts.clock_ahead_s
    if ahead_s is None:
        return []
    if abs(ahead_s) < 2:
        return ["as this machine's, to a second or two"]
    return [f"{abs(ahead_s):.0f} s {'ahead of' if ahead_s > 0 else 'behind'} this machine's"]


def board_json(probed: Probed) -> str:
    """Everything that `targets probe` found."""
    return _dump(
        {"target": probed.target.name, "identity": asdict(probed.identity), "facts": asdict(probed.facts)}
    )


def show_findings(checkup: Checkup, out: Console) -> None:
    """The lines of `targets doctor`: a line for each thing that is wrong, then what is not, in one."""
    board = f"  {checkup.identity.name}" if checkup.identity else ""
    out.print(Text.assemble((checkup.name, "bold"), board))
    for finding in checkup.findings:
        if finding.text:
            advice = f" → {finding.advice}" if finding.advice else ""
            out.print(_marked(*MARKS[finding.gravity], f"{finding.text}{advice}"))
    for gravity, intro in (("unknown", "not told by this board"), ("fine", "fine")):
        names = ", ".join(finding.check for finding in checkup.findings if finding.gravity == gravity)
        if names:
            out.print(_marked(*MARKS[gravity], f"{intro}: {names}"))


def findings_json(checkup: Checkup) -> str:
    """What `targets doctor` found; `identity` is null where the board was not reached."""
    identity = asdict(checkup.identity) if checkup.identity else None
    findings = [asdict(finding) for finding in checkup.findings]
    return _dump({"target": checkup.name, "identity": identity, "findings": findings})


def _dump(content: dict[str, object]) -> str:
    return json.dumps({"schema": SCHEMA, **content}, indent=2, ensure_ascii=False)


def _marked(mark: str, style: str, text: str) -> Table:
    """A marked line; long ones wrap under themselves."""
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row(Text(mark, style=style), Text(text, style="dim" if style == "dim" else ""))
    return grid
