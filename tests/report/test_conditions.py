"""Conditions as recorded boards tell them, in a table; and whatever else a file may hold in their place."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agent.meters import boards
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from edgegreen.agent import conditions as agent
from edgegreen.agent import watcher
from edgegreen.report import conditions


def told(of: dict[str, Any]) -> tuple[dict[str, list[str]], list[str]]:
    """{what: its other cells} of the table, and what is not told."""
    out = io.StringIO()
    made, untold = conditions.table(of)
    Console(file=out, width=300, highlight=False).print(made)
    lines = [re.split(r"\s{2,}", line.strip()) for line in out.getvalue().splitlines()[1:]]
    return {what: cells for what, *cells in lines}, untold


def recorded(board: boards.Board) -> dict[str, Any]:
    """A trial's conditions on a recorded board, through JSON as a run's file has them."""
    look = agent.snapshot(board.root, board.run, busy_s=0)
    follower = watcher.Watcher(board.root, board.run)
    polls = [follower.poll(), follower.poll()]
    follower.close()
    whole: dict[str, Any] = json.loads(
        json.dumps({"before": look, "during": watcher.summarize(polls), "after": look})
    )
    return whole


def test_a_raspberry_pi_in_distress(tmp_path: Path) -> None:
    found, untold = told(recorded(boards.lay_out("raspberry-pi-3", tmp_path)))
    assert found["governor"] == ["ondemand", "ondemand"]
    assert found["clock MHz policy0"] == ["600", "600", "600"]
    assert found["clock MHz limits"] == ["600…1400", "600…1400"]
    assert found["°C cpu-thermal"] == ["83.7", "83.7", "83.7"]
    both = "undervoltage, throttled"
    assert found["throttled"] == [both, "undervoltage, 2 of 2 looks, throttled, 2 of 2 looks", both]
    assert found["throttled since boot"] == [both, both]
    assert found["undervolted"] == ["yes", "yes, 2 of 2 looks", "yes"]
    assert found["free memory"] == ["718 MB", "718 MB"]
    assert found["swap in use"] == ["21.0 MB", "21.0 MB"]
    assert {"power mode", "over-current events", "battery", "on mains", "fan"} <= set(untold)


def test_a_jetson(tmp_path: Path) -> None:
    found, untold = told(recorded(boards.lay_out("jetson-orin-nano-jp6", tmp_path)))
    assert found["power mode"] == ["MAXN_SUPER (2)", "MAXN_SUPER (2)"]
    assert found["over-current events oc3"] == ["37", "37"]
    assert found["throttle alert cpu-throttle-alert"] == ["1", "yes, 2 of 2 looks", "1"]
    assert found["throttle alert gpu-throttle-alert"] == ["0", "no", "0"]
    assert found["°C tj-thermal"] == ["63.8", "63.8", "63.8"]
    assert "°C cv0-thermal" not in found  # it sleeps
    assert {"throttled", "undervolted"} <= set(untold)


def test_a_laptop(tmp_path: Path) -> None:
    found, _ = told(recorded(boards.lay_out("laptop-battery", tmp_path)))
    assert found["on mains"][0] in ("yes", "no")
    assert re.fullmatch(r"(Dis)?[Cc]harging \d+ %", found["battery"][0])


def test_every_recorded_board_can_be_shown(tmp_path: Path) -> None:
    for folder in sorted(
        path for path in (Path(__file__).parent.parent / "fixtures" / "boards").iterdir() if path.is_dir()
    ):
        found, untold = told(recorded(boards.lay_out(folder.name, tmp_path / folder.name)))
        names = {name for name in conditions.LINES if any(what.startswith(name) for what in found)}
        assert names | set(untold) == set(conditions.LINES)


def test_sixty_four_processors_are_two_lines() -> None:
    clocks = {f"policy{n}": 1000.0 + 10 * n for n in range(64)}
    spans = {name: {"min": mhz - 200, "max": mhz + 200, "mean": mhz} for name, mhz in clocks.items()}
    zones = {f"zone{n}": 40.0 + n for n in range(10)}
    of = {
        "before": {"frequency_mhz": clocks, "frequency_max_mhz": clocks, "temperature_c": zones},
        "during": {"frequency_mhz": spans, "temperature_max_c": zones},
    }
    found, _ = told(of)
    assert found["clock MHz of 64 groups"] == ["1000…1630", "800…1830"]
    assert found["clock MHz limits"] == ["1000…1630"]
    assert [what for what in found if what.startswith("°C")] == [
        "°C zone9", "°C zone8", "°C zone7", "°C zone6", "°C of 6 others",
    ]  # fmt: skip
    assert found["°C of 6 others"] == ["≤ 45.0"]


def test_load_by_others() -> None:
    top = [{"name": "chromium", "cores": 0.5}, {"name": "apt", "cores": 0.25}]
    of = {
        "before": {"cpu_foreign": 0.1, "cpu_top": top, "load_average": 1.5},
        "during": {"cpu_foreign": {"min": 0.0, "max": 0.4, "mean": 0.2}},
        "after": {"cpu_foreign": None, "fan": {"rpm": 1200.0, "pwm": None}},
    }
    found, untold = told(of)
    assert found["CPU used by others"] == ["10.0 %", "20.0 % (≤ 40.0 %)"]
    assert found["busiest others"] == ["chromium 0.500, apt 0.250"]
    assert found["fan"] == ["1200 rpm"]
    assert "load average" not in untold
    nobody, untold = told({"before": {"cpu_top": []}, "during": {}, "after": {}})
    assert nobody["busiest others"] == ["none"]
    assert "busiest others" not in untold


def test_nothing_known_is_nothing_shown() -> None:
    assert told({}) == ({}, list(conditions.LINES))
    assert conditions.notes({}) == []


def test_notes_come_once() -> None:
    of = {"before": {"notes": ["join the group video"]}, "after": {"notes": ["join the group video", "b"]}}
    assert conditions.notes(of) == ["join the group video", "b"]


KEYS = (*conditions.MOMENTS,
        "min", "max", "mean", "now", "occurred", "source", "name", "cores", "notes", "polls",
        "governor", "frequency_mhz", "frequency_min_mhz", "temperature_c", "temperature_max_c", "throttled",
        "undervoltage_alarm", "undervoltage_polls", "power_mode", "overcurrent_events", "throttle_alerts",
        "cpu_foreign", "cpu_top", "memory_available_bytes", "swap_used_bytes", "mains", "battery", "fan",
        "load_average", "capacity_percent", "status")  # fmt: skip
scalars: Sequence[Any] = [
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=3),
]
anything = st.recursive(
    st.one_of(*scalars),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(conditions.MOMENTS), st.dictionaries(st.sampled_from(KEYS), anything)))
def test_whatever_a_file_holds_is_no_traceback(of: dict[str, Any]) -> None:
    told(of)
    conditions.notes(of)
