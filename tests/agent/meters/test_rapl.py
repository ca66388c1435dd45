from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.meters import boards
from agent.meters.boards import Board
from agent.meters.conftest import nobody
from edgegreen.agent import meters
from edgegreen.agent.meters import rapl
from edgegreen.agent.meters.tree import Unreadable

Lay = Callable[[str], Board]
RANGE_UJ = 262143328850
ENERGY = "/sys/class/powercap/intel-rapl:0/energy_uj"


def test_only_packages_are_counted_and_each_once(board: Lay) -> None:
    recorded = board("x86-rapl")
    (meter,) = rapl.find(recorded.root, recorded.run)
    assert (meter.about.rail, meter.about.scope, meter.about.quantity) == ("package-0", "package", "energy")
    assert meter.about.resolution_j == pytest.approx(2**-14, rel=1e-4)  # the processor's unit of energy
    assert meter.read() == 0
    recorded.path(ENERGY).write_text(str(261143328850 + 5_000_000))
    assert meter.read() == pytest.approx(5.0)
    meter.close()


def test_a_counter_that_starts_over_goes_on(board: Lay) -> None:
    recorded = board("x86-rapl")
    (meter,) = rapl.find(recorded.root, recorded.run)
    meter.read()
    recorded.path(ENERGY).write_text("500000000")
    assert meter.read() == pytest.approx((RANGE_UJ - 261143328850 + 500000000) * 1e-6)
    meter.close()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, RANGE_UJ - 1), st.lists(st.integers(0, RANGE_UJ - 1), min_size=1, max_size=20))
def test_any_increments_add_up(tmp_path: Path, first_uj: int, steps_uj: list[int]) -> None:
    path = tmp_path / "energy_uj"
    path.write_text(str(first_uj))
    counter = rapl.Counter(
        rapl.About("rapl", "package-0", "package", ""), rapl.Attribute(str(path)), RANGE_UJ
    )
    assert counter.read() == 0
    total_uj = 0
    for step_uj in steps_uj:
        total_uj += step_uj
        path.write_text(str((first_uj + total_uj) % RANGE_UJ))
        assert counter.read() == pytest.approx(total_uj * 1e-6)
    counter.close()


def test_without_a_range_starting_over_is_an_error_once(board: Lay) -> None:
    recorded = board("x86-rapl")
    recorded.path("/sys/class/powercap/intel-rapl:0/max_energy_range_uj").unlink()
    (meter,) = rapl.find(recorded.root, recorded.run)
    meter.read()
    recorded.path(ENERGY).write_text("7")
    with pytest.raises(Unreadable, match="started over"):
        meter.read()
    recorded.path(ENERGY).write_text("1000007")
    assert meter.read() == pytest.approx(1.0)
    meter.close()


def test_two_sockets_are_one_meter_of_both(tmp_path: Path) -> None:
    text = "".join(
        f"/sys/class/powercap/intel-rapl:{n}/name = package-{n}\n"
        f"/sys/class/powercap/intel-rapl:{n}/energy_uj = 0\n"
        f"/sys/class/powercap/intel-rapl:{n}/max_energy_range_uj = {RANGE_UJ}\n"
        for n in (0, 1)
    )
    recorded = boards.lay_out_text(text, tmp_path)
    both, *each = rapl.find(recorded.root, recorded.run)
    assert both.about.rail == "package-0 + package-1"
    assert [meter.about.rail for meter in each] == ["package-0", "package-1"]
    both.read()
    for n, energy_uj in ((0, 3_000_000), (1, 4_000_000)):
        recorded.path(f"/sys/class/powercap/intel-rapl:{n}/energy_uj").write_text(str(energy_uj))
    assert both.read() == pytest.approx(7.0)
    both.close()


def test_a_user_is_told_what_root_can_do(open_folder: Path) -> None:
    recorded = boards.lay_out("x86-rapl", open_folder)
    recorded.path(ENERGY).chmod(0o400 if recorded.path(ENERGY).owner() == "root" else 0)
    with nobody():
        meter, why = meters.choose(recorded.root, "x86", recorded.run)
    assert meter is None
    assert f"{recorded.root}{ENERGY}: Permission denied; only root may since Linux 5.10" in why
    assert "sudo chmod o+r /sys/class/powercap/intel-rapl:*/energy_uj" in why
    assert "no battery" in why
