from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from agent.meters import boards
from agent.meters.boards import Board
from edgegreen.agent import meters
from edgegreen.agent.meters import hwmon
from edgegreen.agent.meters.base import Meter

Lay = Callable[[str], Board]


def lay(text: str, folder: Path) -> list[Meter]:
    recorded = boards.lay_out_text(text, folder)
    return hwmon.find(recorded.root, recorded.run)


def chip(number: int, name: str, **files: str) -> str:
    folder = f"/sys/class/hwmon/hwmon{number}"
    return "\n".join(f"{folder}/{file} = {value}" for file, value in {"name": name, **files}.items()) + "\n"


def test_an_ina219_tells_its_place_its_step_and_its_time(board: Lay) -> None:
    recorded = board("raspberry-pi-4-ina219")
    (meter,) = hwmon.find(recorded.root, recorded.run)
    assert meter.about.rail == "ina219@1-0040"
    assert meter.about.resolution_w == pytest.approx(0.002)  # 20 · 10 µV over 100 mΩ
    assert meter.about.averaging_s == 0.0011
    assert meter.about.main


@pytest.mark.parametrize(
    ("name", "files", "step_w", "averaging_s"),
    [
        ("ina226", {"shunt_resistor": "10000", "update_interval": "35"}, 0.00625, 0.035),
        ("ina226", {"shunt_resistor": "2000", "update_interval": "2253"}, 0.03125, 2.253),
        ("ina260", {"update_interval": "140"}, 0.010, 0.140),
        ("ina238", {}, None, 0.0505),
        ("tps546d24", {}, None, None),
    ],
)
def test_steps_and_averaging(
    tmp_path: Path, name: str, files: dict[str, str], step_w: float | None, averaging_s: float | None
) -> None:
    (meter,) = lay(chip(0, name, power1_input="3144000", **files), tmp_path)
    assert meter.about.resolution_w == (None if step_w is None else pytest.approx(step_w))
    assert meter.about.averaging_s == averaging_s
    assert meter.read() == pytest.approx(3.144)
    meter.close()


def test_voltage_times_current_where_there_is_no_power(tmp_path: Path) -> None:
    (meter,) = lay(chip(0, "ltc4151", in1_input="12040", curr1_input="1500", in2_input="3300"), tmp_path)
    assert meter.read() == pytest.approx(18.06)
    assert meter.about.rail == "ltc4151@hwmon0"
    meter.close()


def test_a_power_is_not_measured_twice(tmp_path: Path) -> None:
    more = {"in2_input": "3300", "curr2_input": "1000"}  # what the chip itself does not call a power
    found = lay(
        chip(
            0, "ina226", in0_input="6", in1_input="5000", curr1_input="1000", power1_input="5000000", **more
        ),
        tmp_path,
    )
    assert [meter.read() for meter in found] == [5.0]
    found[0].close()


def test_a_voltage_and_a_current_that_share_only_a_number_are_no_pair(tmp_path: Path) -> None:
    apart = {"in1_input": "12000", "in1_label": "vin", "curr1_input": "9000", "curr1_label": "iout1"}
    together = {"in2_input": "1000", "in2_label": "VDD", "curr2_input": "9000", "curr2_label": "VDD"}
    (meter,) = lay(chip(0, "ltc4151", **apart, **together), tmp_path)
    assert (meter.about.rail, meter.read()) == ("VDD", 9.0)
    meter.close()


def test_what_is_negotiated_is_not_measured(tmp_path: Path) -> None:
    port = {"in0_input": "20000", "in1_input": "20000", "curr1_input": "3000"}
    assert lay(chip(0, "ucsi_source_psy_USBC000:001", **port) + chip(1, "ina3221", **port), tmp_path) == []


def test_of_several_monitors_none_is_taken_unasked(tmp_path: Path) -> None:
    text = "".join(chip(n, "ina219", label="5V", power1_input=f"{n}000000") for n in (1, 2))
    recorded = boards.lay_out_text(text, tmp_path)
    meter, why = meters.choose(recorded.root, "raspberry-pi-4", recorded.run)
    assert meter is None
    assert "hwmon has the rails 5V@hwmon1, 5V@hwmon2" in why
    second, _ = meters.choose(recorded.root, "raspberry-pi-4", recorded.run, rail="5V@hwmon2")
    assert second
    assert second.read() == 2
    second.close()


def test_a_graphics_card_beside_a_monitor_does_not_hide_it(tmp_path: Path) -> None:
    text = chip(0, "amdgpu", power1_input="31000000") + chip(1, "ina226", power1_input="5000000")
    found = lay(text, tmp_path)
    assert [meter.about.rail for meter in found if meter.about.main] == ["ina226@hwmon1"]


CARD = {"power1_input": "31000000", "power1_label": "PPT"}


@pytest.mark.parametrize("family", ["linux", "raspberry-pi-4"])
def test_a_graphics_card_alone_is_the_meter_only_if_asked_for(tmp_path: Path, family: str) -> None:
    recorded = boards.lay_out_text(chip(0, "amdgpu", **CARD), tmp_path)
    for rail in (None, "PPT"):
        meter, why = meters.choose(recorded.root, family, recorded.run, rail=rail)
        assert meter is None
        assert "hwmon has PPT: no power monitor that is known, and not taken unasked; if that is" in why
    asked, why = meters.choose(recorded.root, family, recorded.run, "hwmon")
    assert asked
    assert (asked.read(), why.split(",")[0]) == (31, "hwmon")
    asked.close()


def test_a_mainboards_voltage_and_current_are_no_power(tmp_path: Path) -> None:
    text = chip(0, "nct6775", in1_input="12000", curr1_input="1500")
    recorded = boards.lay_out_text(text, tmp_path)
    for kind in ("auto", "hwmon"):
        meter, why = meters.choose(recorded.root, "linux", recorded.run, kind)
        assert (meter, "no power sensor in hwmon" in why) == (None, True)
