"""A run in full: what stands behind each row, or why there is nothing."""

from __future__ import annotations

import io
from typing import Any

from builders import BOARD, measurement, metered, run
from rich.console import Console

from edgegreen.judging import comparison
from edgegreen.measurement import Measurement, Run
from edgegreen.report import run as details

ABOUT = {
    "kind": "ina3221", "source": "1-0040", "rail": "VDD_IN", "scope": "module", "misses": "the carrier board",
    "quantity": "power", "main": True, "averaging_s": 0.43, "update_s": 0.43, "resolution_w": 0.04,
    "resolution_j": None,
}  # fmt: skip
METER = {"about": ABOUT, "why": "auto for jetson-orin: VDD_IN is the module's input", "period_s": 0.43}
SAMPLER = {
    "period_s": 0.43, "n": 187, "failed": 1, "missed": 2, "gap_count": 1, "longest_gap_s": 1.31,
    "read_ms_mean": 0.55, "read_ms_max": 3.2, "cpu_s": 0.4, "wall_s": 80.0, "error": "EAGAIN", "gaps": [],
}  # fmt: skip


def shown(*items: Measurement) -> list[str]:
    out = io.StringIO()
    details.show_rows(comparison.of(run(*items)), Console(file=out, width=200, highlight=False, markup=False))
    return [line.rstrip() for line in out.getvalue().splitlines()]


def with_conditions(**conditions: Any) -> dict[str, Any]:
    return {"conditions": {"board": BOARD, **conditions}}


def test_the_meter_the_sampler_and_the_powers() -> None:
    lines = shown(metered(**with_conditions(meter=METER, sampler=SAMPLER)))
    assert lines[:11] == [
        "int8-tflite on pi5",
        "verdict  valid",
        "energy   4.00 ± 0.20 mJ an inference above idle, 24.0 mJ with idle",
        "power    2 W idle, 2.4 W running; 600 readings, worth 140 independent ones",
        "meter    ina3221: 1-0040, VDD_IN (module)",
        "         chosen: auto for jetson-orin: VDD_IN is the module's input",
        "         not in it: the carrier board",
        "         read every 0.43 s; a reading is the mean over 0.43 s; a new one every 0.43 s; "
        "in steps of 40.0 mW",
        "sampler  readings 187, failed 1, missed 2, gaps 1 (the longest 1.31 s)",
        "         a reading took 0.55 ms (3.2 at most); 0.5 % of a core",
        "         its last error: EAGAIN",
    ]


def test_a_counter() -> None:
    about = ABOUT | {"quantity": "energy", "resolution_w": None, "resolution_j": 6.1e-5, "averaging_s": None}
    (line,) = [
        line
        for line in shown(metered(**with_conditions(meter=METER | {"about": about})))
        if "read every" in line
    ]
    assert "a counter, which misses no time" in line
    assert line.endswith("in steps of 0.0610 mJ")


def test_what_a_meter_does_not_tell_is_not_made_up() -> None:
    about = ABOUT | {"averaging_s": None, "update_s": None, "resolution_w": None, "misses": ""}
    text = "\n".join(shown(metered(**with_conditions(meter=METER | {"about": about}))))
    assert "read every 0.43 s; a reading is the mean over an unknown time\n" in text
    assert "not in it" not in text


def test_every_reason_of_a_verdict() -> None:
    lines = shown(measurement(verdict="invalid", reasons=("it was throttled", "others were busy")))
    assert lines[1:4] == ["verdict  invalid", "         it was throttled", "         others were busy"]
    assert shown(measurement(**with_conditions()))[1] == "verdict  valid"
    emulated = measurement(conditions={"board": BOARD | {"emulated": True}})
    assert shown(emulated)[1] == "verdict  valid, on an emulated board"


def test_no_meter_is_a_dash_with_its_reason_once() -> None:
    why = "a Raspberry Pi 4 has no power sensor of its own; found no power sensor in hwmon"
    silent = {"about": None, "why": why, "period_s": None}
    text = "\n".join(shown(measurement(energy_absent=why, **with_conditions(meter=silent))))
    assert text.count(why) == 1
    assert f"energy   – {why}" in text
    assert "power   " not in text
    assert "energy   – it was not measured" in "\n".join(shown(measurement(energy_absent=None)))


def test_a_meter_that_failed_later_is_still_told() -> None:
    text = "\n".join(shown(measurement(energy_absent="gaps in the record", **with_conditions(meter=METER))))
    assert "energy   – gaps in the record" in text
    assert "meter    ina3221: 1-0040, VDD_IN (module)" in text


def test_conditions_of_the_wrong_shape_are_left_out() -> None:
    lines = shown(measurement(conditions={"meter": 3, "sampler": [1], "before": "x", "board": None}))
    assert lines[1:3] == ["verdict  valid", "energy   – no meter"]
    assert lines[3] == "– conditions: the board told nothing of them"


def test_what_a_board_does_not_tell_is_named() -> None:
    lines = shown(
        measurement(**with_conditions(before={"governor": {"policy0": "ondemand"}, "notes": ["a hint"]}))
    )
    assert [line.split() for line in lines[3:5]] == [
        ["Conditions", "before", "during", "after"], ["governor", "ondemand"],
    ]  # fmt: skip
    assert lines[5] == "· a hint"
    assert lines[6].startswith("– not told by this board: clock MHz, power mode, °C, throttled")


def heading(of: Run) -> str:
    out = io.StringIO()
    details.show_heading(of, Console(file=out, width=200, highlight=False, markup=False))
    return out.getvalue()


def test_which_run_it_was() -> None:
    whole = run(measurement(), baseline="int8-tflite")
    assert heading(whole) == (
        "20261122-040000-abc123  keyword-spotting · 2026-11-22 04:00 UTC · edgegreen 0.1.0\n\n"
    )
    assert "– speed and budgets: this run's file does not keep them" in heading(run(measurement()))
