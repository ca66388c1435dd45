"""The operators that take longest, for each trial that timed them; what runs where, for the others."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from edgegreen.measurement import Execution, Measurement, Profile
from edgegreen.report import words
from edgegreen.report.listings import table

SHOWN = 10


def show(items: Sequence[Measurement], out: Console) -> None:
    """Print a table for each measurement whose runtime told anything."""
    for item in items:
        if item.profile:
            _show_times(item, item.profile, out)
        elif item.execution:
            _show_kinds(item, item.execution, out)
    untold = {(item.runtime.name, item.runtime.version) for item in items if not item.profile}
    for name, version in sorted(untold):
        out.print(
            Text(f"{words.ABSENT} {name} {version} does not tell how long single operators take", style="dim")
        )


def _show_times(item: Measurement, profile: Profile, out: Console) -> None:
    said = f"{profile.runs:,} calls of {words.number(profile.call_ms)} ms with the profiler on"
    out.print(_heading(item, f"{said}, {words.number(item.latency_ms.p50)} ms without"))
    shown = table("Operator", "Type", "Precision", "ms", "Share", right=("ms", "Share"))
    for one in profile.operators[:SHOWN]:
        shown.add_row(one.name, one.type, one.precision or words.ABSENT, _ms(one.ms), _share(one.share))
    named_ms = sum(one.ms for one in profile.operators[:SHOWN])
    for what, ms in (
        ("other operators", profile.operators_ms - named_ms),
        ("between operators, and theirs below 1 µs", max(0.0, profile.call_ms - profile.operators_ms)),
    ):
        shown.add_row(Text(what, style="dim"), "", "", _ms(ms), _share(ms / profile.call_ms))
    out.print(shown)
    out.print()


def _show_kinds(item: Measurement, execution: Execution, out: Console) -> None:
    out.print(_heading(item, f"{execution.operators} operators, not timed"))
    shown = table("Type", "Precision", "Run by", "Count", right=("Count",))
    for kind in execution.kinds:
        delegate = item.runtime.delegate or "a delegate"
        by = delegate if kind.delegated else item.runtime.name
        shown.add_row(kind.type, kind.precision or words.ABSENT, by, str(kind.count))
    out.print(shown)
    out.print()


def _heading(item: Measurement, said: str) -> Text:
    threads = f", {item.threads} threads" if item.threads > 1 else ""
    name = f"{item.target} · {item.variant}{threads}"
    return Text.assemble((name, "bold"), f"  {words.runtime(item.runtime, item.execution)}: {said}")


def _ms(value: float) -> str:
    return f"{value:.3f}"  # runtimes count whole microseconds


def _share(value: float) -> str:
    return f"{100 * value:.0f} %"
