"""The registry of emulated boards, and the device trees they boot with."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from device_tests.emulator import needs
from device_tests.emulator.boards import BOARDS, Board, find
from edgegreen.errors import InputError
from edgegreen.target import FAMILIES, PowerMeter


@pytest.mark.parametrize("board", BOARDS.values(), ids=list(BOARDS))
def test_each_is_of_a_family_and_a_meter_that_targets_know(board: Board) -> None:
    assert board.family in FAMILIES
    PowerMeter(meter=board.load.meter)  # raises for one it does not know
    assert 0 < board.load.idle_w < board.load.busy_w


def test_an_unknown_board_is_told_with_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean `jetson-orin`"):
        find("jetson-orion")


@pytest.mark.skipif(shutil.which("dtc") is None, reason="device-tree-compiler is not installed")
@pytest.mark.parametrize("name", ["jetson-orin", "raspberry-pi-5"])
def test_a_device_tree_compiles_and_says_what_the_board_is(name: str, tmp_path: Path) -> None:
    source = '/dts-v1/;\n/ { model = "linux,dummy-virt"; compatible = "linux,dummy-virt"; };\n'
    (tmp_path / "tree.dts").write_text(source + BOARDS[name].device_tree())
    compiled = tmp_path / "tree.dtb"
    needs.run(["dtc", "-q", "-I", "dts", "-O", "dtb", "-o", compiled, tmp_path / "tree.dts"])

    def read(node: str, what: str) -> str:
        return needs.run(["fdtget", compiled, node, what]).strip()

    assert read("/", "model") == BOARDS[name].model
    assert read("/", "compatible") == "linux,dummy-virt"
    if name == "jetson-orin":
        chip = "/i2c-stub/ina3221@40"
        labels = [read(f"{chip}/input@{number}", "label") for number in range(3)]
        assert labels == ["VDD_IN", "VDD_CPU_GPU_CV", "VDD_SOC"]
        assert read(f"{chip}/input@0", "shunt-resistor-micro-ohms") == "5000"


def test_what_is_missing_is_told_with_the_command_that_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(needs.NEEDS, "no-such-program", "no-such-package")
    assert needs.missing()["no-such-program"] == "no-such-package"
    with pytest.raises(InputError, match="no-such-program") as caught:
        needs.require()
    assert caught.value.hint is not None
    assert "apt-get install --no-install-recommends" in caught.value.hint
    assert "no-such-package" in caught.value.hint
