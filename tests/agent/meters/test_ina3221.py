from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from agent.meters import boards
from agent.meters.boards import Board
from agent.meters.conftest import nobody
from edgegreen.agent import meters
from edgegreen.agent.meters import ina3221

Lay = Callable[[str], Board]
DRIVER = "/sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon3"


def rails(recorded: Board) -> dict[str, float]:
    found = ina3221.find(recorded.root, recorded.run)
    watts = {meter.about.rail: meter.read() for meter in found}
    for meter in found:
        meter.close()
    return watts


def test_unconnected_channels_shunt_voltages_and_their_sum_are_no_rails(board: Lay) -> None:
    recorded = board("jetson-agx-orin")
    assert list(rails(recorded)) == [
        "VDD_GPU_SOC + VDD_CPU_CV + VIN_SYS_5V0",
        "VDD_GPU_SOC",
        "VDD_CPU_CV",
        "VIN_SYS_5V0",
        "VDDQ_VDD2_1V8AO",
    ]


def test_a_chip_that_is_found_by_driver_and_by_name_is_one(board: Lay) -> None:
    recorded = board("jetson-orin-nano-jp6")
    total, *parts = ina3221.find(recorded.root, recorded.run)
    assert [part.about.rail for part in parts] == ["VDD_IN", "VDD_CPU_GPU_CV", "VDD_SOC"]
    assert (total.about.main, [part.about.main for part in parts]) == (True, [False] * 3)


def test_a_chip_is_found_by_its_name_alone(board: Lay) -> None:
    recorded = board("jetson-orin-nano-jp5")
    recorded.path("/sys/bus/i2c/drivers/ina3221/1-0040").unlink()
    assert rails(recorded)["VDD_IN"] == pytest.approx(5.016 * 0.960)


def test_averaging_and_steps_are_the_drivers(board: Lay) -> None:
    recorded = board("jetson-orin-nano-jp6")
    about = ina3221.find(recorded.root, recorded.run)[0].about
    assert (about.averaging_s, about.update_s) == (0.43, 0.43)
    assert about.resolution_w == pytest.approx(0.008 * 4.984)  # 40 µV over 5 mΩ
    assert about.source.startswith("INA3221 through ina3221 (hwmon), ")
    assert about.source.endswith("/hwmon1, 512 samples averaged")


@pytest.mark.parametrize(
    ("samples", "interval_ms", "averaging_s"),
    [("512", "430", 0.43), ("512", "1", 0.512), ("1", "1", 0.001), ("64", "54", 0.054), ("64", "17", 1.088)],
)
def test_a_driver_that_leaves_the_samples_out(
    tmp_path: Path, samples: str, interval_ms: str, averaging_s: float
) -> None:
    """Three channels, 140 µs for each conversion at best: 64 samples take 54 ms at least."""
    enabled = "".join(f"{DRIVER}/in{channel}_enable = 1\n" for channel in (1, 2, 3))
    chip = boards.lay_out_text(
        f"{DRIVER}/in1_label = VDD_IN\n{DRIVER}/in1_input = 5000\n{DRIVER}/curr1_input = 1000\n{enabled}"
        f"{DRIVER}/samples = {samples}\n{DRIVER}/update_interval = {interval_ms}",
        tmp_path,
    )
    about = ina3221.find(chip.root, chip.run)[0].about
    assert about.averaging_s == pytest.approx(averaging_s)


def test_what_the_driver_does_not_tell_is_not_known(tmp_path: Path) -> None:
    bare = boards.lay_out_text(
        f"{DRIVER}/in1_label = VDD_IN\n{DRIVER}/in1_input = 5000\n{DRIVER}/curr1_input = 1000", tmp_path
    )
    about = ina3221.find(bare.root, bare.run)[0].about
    assert (about.averaging_s, about.update_s, about.resolution_w) == (None, None, None)


def test_the_slowest_chip_is_the_averaging_of_a_sum(board: Lay) -> None:
    recorded = board("jetson-agx-orin")
    meter, _ = meters.choose(
        recorded.root, "jetson-agx-orin", recorded.run, rail="VDD_CPU_CV + VDDQ_VDD2_1V8AO"
    )
    assert meter
    assert meter.about.averaging_s == 0.43


def test_negative_currents_count_as_they_are(board: Lay) -> None:
    """A gated rail reads a little below 0; cut off at 0, noise would become power."""
    recorded = board("jetson-orin-nano-jp6")
    recorded.path("/sys/class/hwmon/hwmon1/curr2_input").write_text("-16\n")
    assert rails(recorded)["VDD_CPU_GPU_CV"] == pytest.approx(-0.016 * 4.976)


def test_thor_has_rails_and_no_total_of_them(board: Lay) -> None:
    recorded = board("jetson-thor")
    assert rails(recorded) == {
        "VDD_GPU": 0.0,
        "VDD_CPU_SOC_MSS": pytest.approx(4.165, abs=0.001),
        "VIN_SYS_5V0": pytest.approx(4.126, abs=0.001),
    }


def test_two_rails_of_one_name_are_not_summed(tmp_path: Path) -> None:
    second = DRIVER.replace("1-0040", "1-0041")
    twice = "\n".join(
        f"{folder}/in1_label = VDD_IN\n{folder}/in1_input = 5000\n{folder}/curr1_input = 1000"
        for folder in (DRIVER, second)
    )
    recorded = boards.lay_out_text(twice, tmp_path)
    assert not any(meter.about.main for meter in ina3221.find(recorded.root, recorded.run))


@pytest.mark.parametrize("denied", ["rail_name_*", "in_power0_input"])
def test_a_nano_as_it_comes_asks_for_root(open_folder: Path, denied: str) -> None:
    recorded = boards.lay_out("jetson-nano-jp4", open_folder)
    folder = recorded.path("/sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0")
    for path in folder.glob(denied):
        path.chmod(0o400 if path.owner() == "root" else 0)
    with nobody():
        meter, why = meters.choose(recorded.root, "jetson-nano", recorded.run)
    assert meter is None
    assert "Permission denied; until the next boot: sudo chmod o+r " in why
    assert f"{folder}/" in why
