from __future__ import annotations

from collections.abc import Callable

import pytest

from agent.meters.boards import Board
from edgegreen.agent import meters
from edgegreen.agent.meters import power_supply
from edgegreen.agent.meters.tree import Unreadable

Lay = Callable[[str], Board]
SUPPLIES = "/sys/class/power_supply"


def test_the_batteries_that_discharge_are_the_board(board: Lay) -> None:
    recorded = board("laptop-battery")
    (meter,) = power_supply.find(recorded.root, recorded.run)  # neither the mouse nor the USB-C port
    assert meter.read() == pytest.approx(19.195)
    recorded.path(f"{SUPPLIES}/BAT1/status").write_text("Discharging\n")
    recorded.path(f"{SUPPLIES}/BAT1/current_now").write_text("-500000\n")  # some drivers count so
    assert meter.read() == pytest.approx(19.195 + 12.1 * 0.5)
    meter.close()


def test_a_battery_on_the_charger_is_no_meter(board: Lay) -> None:
    recorded = board("laptop-battery")
    (meter,) = power_supply.find(recorded.root, recorded.run)
    recorded.path(f"{SUPPLIES}/BAT0/status").write_text("Charging\n")
    with pytest.raises(Unreadable, match="battery BAT0 is charging; unplug the charger"):
        meter.read()
    recorded.path(f"{SUPPLIES}/BAT0/status").write_text("Full\n")
    why = meters.choose(recorded.root, "x86", recorded.run).why
    assert why == (
        "no battery discharges (BAT0 is full, BAT1 is not charging); "
        "unplug the charger to measure by the battery; found no RAPL counter"
    )
    meter.close()


def test_a_measured_input_is_there_to_be_asked_for(board: Lay) -> None:
    recorded = board("coral-dev")
    for name, value in {"type": "USB", "voltage_now": "5010000", "current_now": "700000"}.items():
        path = recorded.path(f"{SUPPLIES}/axp20x-usb/{name}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(value)
    meter, _ = meters.choose(recorded.root, "linux", recorded.run, kind="power_supply", rail="axp20x-usb")
    assert meter
    assert meter.about.scope == "board"
    assert meter.read() == pytest.approx(5.01 * 0.7)
    meter.close()
