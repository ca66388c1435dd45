from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from agent.meters import boards
from agent.meters.boards import Board
from edgegreen.agent import meters
from edgegreen.agent.meters.tree import Unreadable
from edgegreen.target import FAMILIES

Lay = Callable[[str], Board]

# The rails and watts that each recording holds: see the boards' own words. Pi 5: Σ U·I of its 12 pairs.
KNOWN = {
    "raspberry-pi-5": ("raspberry-pi-5", "pmic", "12 rails of the power chip", "rail sum", 10.799894),
    "raspberry-pi-4-ina219": ("raspberry-pi-4", "hwmon", "ina219@1-0040", "rail sum", 3.144),
    "jetson-nano-jp4": ("jetson-nano", "ina3221", "POM_5V_IN", "module", 1.750),
    "jetson-orin-nano-jp5": ("jetson-orin", "ina3221", "VDD_IN", "module", 5.016 * 0.960),
    "jetson-orin-nano-jp6": ("jetson-orin", "ina3221", "VDD_IN", "module", 4.984 * 1.856),
    "jetson-agx-orin": (
        "jetson-agx-orin",
        "ina3221",
        "VDD_GPU_SOC + VDD_CPU_CV + VIN_SYS_5V0",
        "rail sum",
        12.008 * 0.280 + 12.008 * 0.040 + 4.968 * 0.980,  # VDDQ_VDD2_1V8AO is inside the last
    ),
    "jetson-thor": ("jetson-thor", "ina238", "VIN", "board", 23.0),
    "laptop-battery": ("x86", "power_supply", "BAT0 + BAT1", "board", 19.195),
}

NOTHING = {
    "raspberry-pi-3": "a Raspberry Pi 3",
    "raspberry-pi-4": "a Raspberry Pi 4",
    "raspberry-pi-zero-2w": "a Raspberry Pi Zero 2 W",
    "coral-dev": "a Coral Dev Board",
}

NANO = """
/sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0/rail_name_0 [0400] = POM_5V_IN
/sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0/in_power0_input [0400] = 1750
"""


def test_every_family_of_targets_has_its_meters() -> None:
    assert set(meters.FAMILIES) == set(FAMILIES)
    assert {kind for kinds in meters.FAMILIES.values() for kind in kinds} == set(meters.METERS)
    assert set(meters.WORDS) == set(meters.METERS)
    assert set(KNOWN) | set(NOTHING) | {"x86-rapl", "raspberry-pi-cm5"} == set(boards.NAMES)


@pytest.mark.parametrize("name", KNOWN)
def test_auto_reads_the_known_watts(board: Lay, name: str) -> None:
    family, kind, rail, scope, watts = KNOWN[name]
    recorded = board(name)
    for asked in (family, "linux"):
        meter, why = meters.choose(recorded.root, asked, recorded.run)
        assert meter
        assert (meter.about.kind, meter.about.rail, meter.about.scope) == (kind, rail, scope)
        assert why.startswith(f"{kind}, found by `auto` for family {asked}: {rail} ({scope}")
        assert meter.about.misses in why
        assert meter.read() == pytest.approx(watts, rel=1e-6)
        meter.close()
        assert meter.read() == pytest.approx(watts, rel=1e-6)  # opens again
        meter.close()


@pytest.mark.parametrize("name", NOTHING)
def test_where_there_is_nothing_there_is_a_reason(board: Lay, name: str) -> None:
    recorded = board(name)
    reason = f"{NOTHING[name]} has no power sensor of its own; found no power sensor in hwmon"
    assert meters.choose(recorded.root, name, recorded.run) == (None, reason)
    meter, why = meters.choose(recorded.root, "linux", recorded.run)
    assert meter is None
    assert why.startswith("found no INA238 power monitor, no INA3221 power monitor, no answer to `vcgencmd")


def test_a_meter_that_does_not_see_the_stick_is_not_taken_for_it(board: Lay) -> None:
    recorded = board("raspberry-pi-5")
    meter, why = meters.choose(recorded.root, "coral-usb", recorded.run)
    assert meter is None
    assert why.startswith("RAPL and a Raspberry Pi 5's power chip do not see a USB stick")
    asked, _ = meters.choose(recorded.root, "coral-usb", recorded.run, kind="pmic")
    assert asked


def test_a_counter_starts_at_zero(board: Lay) -> None:
    recorded = board("x86-rapl")
    meter, _ = meters.choose(recorded.root, "x86", recorded.run)
    assert meter
    assert (meter.about.kind, meter.about.rail, meter.about.scope) == ("rapl", "package-0", "package")
    assert (meter.about.quantity, meter.read()) == ("energy", 0.0)
    meter.close()


def test_what_may_not_be_asked_is_said_with_the_way_out(board: Lay) -> None:
    recorded = board("raspberry-pi-cm5")
    meter, why = meters.choose(recorded.root, "raspberry-pi-5", recorded.run)
    assert meter is None
    assert "/dev/vcio; add the user to the group of /dev/vcio: sudo usermod -aG video $USER" in why


def test_a_rail_by_name_is_no_longer_the_module(board: Lay) -> None:
    recorded = board("jetson-orin-nano-jp6")
    meter, why = meters.choose(recorded.root, "jetson-orin", recorded.run, rail="VDD_CPU_GPU_CV")
    assert meter
    assert (meter.about.scope, meter.about.misses) == ("rail sum", "every other rail")
    assert meter.read() == pytest.approx(4.976 * 0.456)
    meter.close()
    whole, why = meters.choose(recorded.root, "jetson-orin", recorded.run, "ina3221", "VDD_IN")
    assert whole
    assert whole.about.scope == "module"
    assert why.startswith("ina3221, as asked: VDD_IN (module, without the carrier board")


def test_rails_that_are_asked_for_are_added(board: Lay) -> None:
    recorded = board("jetson-agx-orin")
    meter, _ = meters.choose(recorded.root, "jetson-agx-orin", recorded.run, rail="VDD_CPU_CV+VIN_SYS_5V0")
    assert meter
    assert (meter.about.rail, meter.about.scope) == ("VDD_CPU_CV + VIN_SYS_5V0", "rail sum")
    assert meter.read() == pytest.approx(12.008 * 0.040 + 4.968 * 0.980)
    steps = 0.020 * 12.008, 0.020 * 4.968  # 40 µV over 2 mΩ
    assert meter.about.resolution_w == pytest.approx((steps[0] ** 2 + steps[1] ** 2) ** 0.5)
    meter.close()


@pytest.mark.parametrize(
    ("name", "family", "rail", "why"),
    [
        ("jetson-orin-nano-jp6", "jetson-orin", "VDD_IN + VDD_SOC",
         "the watts of VDD_SOC are already in VDD_IN"),
        ("jetson-orin-nano-jp6", "linux", "VDD_CPU_GPU_CV+VDD_SOC+VDD_IN",
         "the watts of VDD_CPU_GPU_CV and VDD_SOC are already in VDD_IN"),
        ("jetson-agx-orin", "jetson-agx-orin", "VIN_SYS_5V0 + VDDQ_VDD2_1V8AO",
         "the watts of VDDQ_VDD2_1V8AO are already in VIN_SYS_5V0"),
        ("jetson-orin-nano-jp6", "jetson-orin", "VDD_SOC + VDD_SOC", "`rail` names VDD_SOC twice"),
    ],
)  # fmt: skip
def test_watts_are_not_counted_twice(board: Lay, name: str, family: str, rail: str, why: str) -> None:
    recorded = board(name)
    meter, told = meters.choose(recorded.root, family, recorded.run, rail=rail)
    assert meter is None
    assert why in told


def test_a_wrong_name_is_said_with_the_right_ones(board: Lay) -> None:
    recorded = board("jetson-orin-nano-jp6")
    assert meters.choose(recorded.root, "jetson-orin", recorded.run, rail="VDD_GPU") == (
        None,
        "ina3221 has no rail `VDD_GPU`; there are VDD_IN, VDD_CPU_GPU_CV, VDD_SOC",
    )
    assert meters.choose(recorded.root, "jetson-orin", recorded.run, kind="shelly").why == (
        "no meter is called `shelly`; there are ina3221, ina238, pmic, hwmon, rapl, power_supply"
    )
    assert meters.choose(recorded.root, "jetson-orin", recorded.run, kind="rapl") == (
        None,
        "found no RAPL counter",
    )


def test_unknown_rails_have_no_total(tmp_path: Path) -> None:
    """An AGX Xavier's rails: which of them contain others, edgegreen does not know."""
    names = ("GPU", "CPU", "SOC")
    folder = "/sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon4"
    xavier = boards.lay_out_text(
        "\n".join(
            f"{folder}/in{n}_label = {name}\n{folder}/in{n}_input = 19000\n{folder}/curr{n}_input = {100 * n}"
            for n, name in enumerate(names, 1)
        ),
        tmp_path,
    )
    meter, why = meters.choose(xavier.root, "jetson-orin", xavier.run)
    assert meter is None
    assert why == (
        "ina3221 has the rails GPU, CPU, SOC; which of them contain others is not known; "
        "name one as `rail`, or several that do not overlap as `rail: A + B`"
    )
    named, _ = meters.choose(xavier.root, "jetson-orin", xavier.run, rail="GPU + CPU + SOC")
    assert named
    assert named.read() == pytest.approx(19 * 0.6)
    named.close()


def test_the_user_may_know_the_scope(board: Lay) -> None:
    recorded = board("raspberry-pi-4-ina219")
    meter, _ = meters.choose(recorded.root, "raspberry-pi-4", recorded.run)
    assert meter
    assert meters.with_scope(meter, "board").about.scope == "board"
    with pytest.raises(ValueError, match="no scope is called `everything`; there are module, rail sum"):
        meters.with_scope(meter, "everything")
    meter.close()


def test_the_users_scope_is_in_the_reason(board: Lay) -> None:
    recorded = board("raspberry-pi-4-ina219")
    meter, why = meters.choose(recorded.root, "raspberry-pi-4", recorded.run, "hwmon", scope="board")
    assert meter
    meter.close()
    assert why == "hwmon, as asked: ina219@1-0040 (board by the target's word)"


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    nowhere = str(tmp_path / "host" / "sys")
    meter, why = meters.choose(nowhere, "jetson-orin")
    assert meter is None
    assert why.startswith(f"there is no folder {nowhere} on the board")
    assert "`sysfs_root`" in why


def test_a_meter_that_is_there_and_fails_is_not_taken(board: Lay) -> None:
    recorded = board("jetson-orin-nano-jp6")
    recorded.path("/sys/class/hwmon/hwmon1/curr1_input").unlink()
    meter, why = meters.choose(recorded.root, "jetson-orin", recorded.run)
    assert meter is None
    assert "curr1_input: No such file or directory" in why


def test_a_sum_that_lacks_a_part_is_none(board: Lay) -> None:
    recorded = board("jetson-agx-orin")
    meter, _ = meters.choose(recorded.root, "jetson-agx-orin", recorded.run)
    assert meter
    recorded.path("/sys/devices/platform/c240000.i2c/i2c-1/1-0040/hwmon/hwmon3/curr2_input").write_text("-\n")
    with pytest.raises(Unreadable, match="curr2_input: no number"):
        meter.read()
    meter.close()
