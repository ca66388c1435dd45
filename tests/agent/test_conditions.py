from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.meters import boards
from edgegreen.agent import conditions
from edgegreen.agent.meters.tree import Output, Unreadable

# What each recording holds beyond what is empty; see the boards' own words.
KNOWN = {
    "raspberry-pi-3": {
        "governor": {"policy0": "ondemand"},
        "frequency_mhz": {"policy0": 600},
        "frequency_min_mhz": {"policy0": 600},
        "frequency_max_mhz": {"policy0": 1400},
        "temperature_c": {"cpu-thermal": 83.706},
        "throttled": {
            "source": "vcgencmd",
            "bits": 0x50005,
            "now": ["undervoltage", "throttled"],
            "occurred": ["undervoltage", "throttled"],
        },
        "undervoltage_alarm": True,
        "load_average": 0.42,
        "memory_available_bytes": 701232 * 1024,
        "swap_used_bytes": (102396 - 81916) * 1024,
    },
    "raspberry-pi-zero-2w": {
        "governor": {"policy0": "powersave"},
        "frequency_mhz": {"policy0": 600},
        "frequency_min_mhz": {"policy0": 600},
        "frequency_max_mhz": {"policy0": 1000},
        "temperature_c": {"cpu-thermal": 60.148},
        "throttled": {
            "source": "sysfs",
            "bits": 0x80008,
            "now": ["soft_temperature_limit"],
            "occurred": ["soft_temperature_limit"],
        },
        "undervoltage_alarm": False,
        "load_average": 0.42,
        "memory_available_bytes": 301232 * 1024,
        "swap_used_bytes": 0,
    },
    "jetson-orin-nano-jp6": {
        "governor": {"policy0": "schedutil", "policy4": "schedutil"},
        "frequency_mhz": {"policy0": 1728, "policy4": 1728},
        "frequency_min_mhz": {"policy0": 1728, "policy4": 729.6},
        "frequency_max_mhz": {"policy0": 1728, "policy4": 1728},
        "temperature_c": {"cpu-thermal": 63.625, "cv0-thermal": None, "tj-thermal": 63.781},
        "power_mode": {"name": "MAXN_SUPER", "id": 2},
        "overcurrent_events": {"oc1": 0, "oc2": 15, "oc3": 37},
        "throttle_alerts": {"gpu-throttle-alert": 0, "cpu-throttle-alert": 1},
        "load_average": 7.29,
        "fan": {"rpm": 2140, "pwm": 58},
    },
    "jetson-nano-jp4": {
        "governor": {"policy0": "schedutil"},
        "frequency_mhz": {"policy0": 1224},
        "frequency_min_mhz": {"policy0": 102},
        "frequency_max_mhz": {"policy0": 1479},
        "temperature_c": {"AO-therm": 45, "CPU-therm": 40, "GPU-therm": 40, "PLL-therm": 37, "PMIC-Die": 50},
        "power_mode": {"name": "MAXN", "id": 0},  # after a line of warning
    },
    "coral-dev": {
        "governor": {"policy0": "ondemand"},
        "frequency_mhz": {"policy0": 1500},
        "frequency_min_mhz": {"policy0": 1000},
        "frequency_max_mhz": {"policy0": 1500},
        "temperature_c": {"cpu-thermal": 52},
        "apex_temperature_c": {"apex_0": 45.3},
        "apex_trip_c": {"apex_0": 85.0},
        "load_average": 0.1,
        "fan": {"rpm": 8600, "pwm": None},
    },
    "x86-rapl": {
        "governor": {"policy0": "powersave"},
        "frequency_mhz": {"policy0": 800},
        "frequency_min_mhz": {"policy0": 800},
        "frequency_max_mhz": {"policy0": 4900},
        "temperature_c": {"acpitz": 27.8, "acpitz#1": 29.8, "x86_pkg_temp": 46},
        "load_average": 0.52,
    },
    "laptop-battery": {"mains": False, "battery": {"status": "Discharging", "capacity_percent": 77}},
}
NAMED = ("governor", "frequency_mhz", "frequency_min_mhz", "frequency_max_mhz", "temperature_c")
EMPTY = {name: {} for name in (*NAMED, "apex_temperature_c", "apex_trip_c", "throttle_alerts")}


@pytest.mark.parametrize("name", KNOWN)
def test_a_board_is_read_as_recorded(tmp_path: Path, name: str) -> None:
    board = boards.lay_out(name, tmp_path)
    seen = conditions.snapshot(board.root, board.run, busy_s=0)
    assert seen.pop("t_ns") <= time.monotonic_ns()
    absent = {key: value for key, value in seen.items() if key not in KNOWN[name]}
    assert absent == {key: EMPTY.get(key, [] if key == "notes" else None) for key in absent}
    for key, value in KNOWN[name].items():
        assert _rounded(seen[key]) == value


@pytest.mark.parametrize("name", boards.NAMES)
def test_conditions_are_plain_json(tmp_path: Path, name: str) -> None:
    board = boards.lay_out(name, tmp_path)
    seen = conditions.snapshot(board.root, board.run, busy_s=0)
    assert json.loads(json.dumps(seen, allow_nan=False)) == seen
    for key in seen:
        assert f"`{key}`" in str(conditions.snapshot.__doc__)


def test_an_empty_tree_is_nothing_but_none(tmp_path: Path) -> None:
    board = boards.lay_out_text("", tmp_path)
    (tmp_path / "sys").mkdir()
    seen = conditions.snapshot(board.root, board.run, busy_s=0)
    assert {key for key, value in seen.items() if value} == {"t_ns"}


def test_what_may_not_be_asked_is_noted(tmp_path: Path) -> None:
    board = boards.lay_out("raspberry-pi-cm5", tmp_path)
    seen = conditions.snapshot(board.root, board.run, busy_s=0)
    assert seen["throttled"] is None
    (note,) = seen["notes"]
    assert note.startswith("vcgencmd get_throttled: Can't open device file: /dev/vcio; add the user to")


def test_this_machine() -> None:
    seen = conditions.snapshot(busy_s=0.05)
    assert 0 <= seen["cpu_foreign"] <= seen["cpu_busy"] <= 1
    assert len(seen["cpu_top"]) <= conditions.TOP
    assert seen["memory_available_bytes"] > 0
    assert seen["load_average"] >= 0


@pytest.mark.parametrize(
    ("content", "bits"),
    [
        ("throttled=0x50005\n", 0x50005),
        ("throttled=0x0", 0),
        ("80008\n", 0x80008),
        ("0\n", 0),
        ("0xE0000", 0xE0000),
    ],
)
def test_throttling_bits(content: str, bits: int) -> None:
    assert conditions.parse_throttled(content) == bits


@pytest.mark.parametrize(
    ("printed", "mode"),
    [
        ("NV Power Mode: MAXN\n0\n", ("MAXN", 0)),
        ("NVPM WARN: fan mode is not set!\nNV Power Mode: MODE_15W_6CORE\n2\n", ("MODE_15W_6CORE", 2)),
        (
            "NVPM VERB: Config file: /etc/nvpmodel.conf\nNVPM VERB: Current mode: x\nNV Power Mode: 25W\n1\n",
            ("25W", 1),
        ),
        ("NV Power Mode: 10W\n", ("10W", None)),
        ("NV Power Mode: 10W\nNVPM ERROR: no\n", ("10W", None)),
    ],
)
def test_power_modes(printed: str, mode: tuple[str, int | None]) -> None:
    found = conditions.parse_power_mode(printed)
    assert (found["name"], found["id"]) == mode


@given(st.text())
def test_garbage_is_unreadable_at_worst(text: str) -> None:
    for parse in (conditions.parse_throttled, conditions.parse_power_mode):
        try:
            parse(text)
        except Unreadable as error:
            assert str(error)  # noqa: PT017


@given(st.binary())
def test_garbage_in_a_command_is_none(printed: bytes) -> None:
    mode = conditions.power_mode(lambda argv: Output(0, printed.decode("utf-8", "replace")))
    assert mode is None or mode["name"]


def _rounded(value: object) -> object:
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    return round(value, 6) if isinstance(value, float) else value
