"""Governor and power mode: set, read back, refused in words, put back. On a made-up tree and nvpmodel."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from fake_nvpmodel import Governors, install

from edgegreen.agent import tuning, wire
from edgegreen.agent.meters.tree import Output, Unreadable
from edgegreen.agent.tuning import Order, Refused, State


@pytest.fixture
def board(tmp_path: Path) -> Governors:
    return Governors(tmp_path / "board")


@pytest.fixture
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bin"
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


def order(board: Governors, **changes: Any) -> Order:
    fields = {"governor": None, "power_mode": None, "root": str(board.root), "folder": "/none", "settle_s": 0}
    return Order(**(fields | changes))


class TestGovernor:
    def test_is_set_for_every_policy(self, board: Governors) -> None:
        tuning.apply(order(board, governor="powersave"))
        assert board.now == ["powersave", "powersave"]

    def test_one_the_kernel_has_not_changes_nothing(self, board: Governors) -> None:
        with pytest.raises(Refused, match="no governor `ondemand` for policy0") as caught:
            tuning.apply(order(board, governor="ondemand"))
        assert caught.value.hint == "this board has performance, powersave, schedutil"
        assert board.now == ["schedutil"] * 2

    def test_a_board_without_any(self, tmp_path: Path) -> None:
        with pytest.raises(Refused, match="no CPU governors"):
            tuning.set_governor(str(tmp_path), "powersave", nothing)

    def test_it_waits_only_when_something_changed(self, board: Governors) -> None:
        slept: list[float] = []
        wanted = order(board, governor="powersave", settle_s=0.5)
        tuning.apply(wanted, sleep=slept.append)
        tuning.apply(wanted, sleep=slept.append)
        assert slept == [0.5]

    def test_another_program_that_sets_it_back_is_noticed(self, board: Governors) -> None:
        def meddle(_: float) -> None:
            board.path("policy4").write_text("schedutil\n")

        with pytest.raises(Refused, match="policy4 is `schedutil` again") as caught:
            tuning.apply(order(board, governor="performance"), sleep=meddle)
        assert "power-profiles-daemon" in caught.value.hint


class TestWithoutTheRight:
    """Only root may write the governor: by sudo if it asks no password, else it is said what would help."""

    @pytest.fixture(autouse=True)
    def user(self, monkeypatch: pytest.MonkeyPatch) -> None:
        real = os.open

        def denied(path: Any, flags: int, *more: Any, **kwargs: Any) -> int:
            if str(path).endswith("scaling_governor") and flags & os.O_WRONLY:
                raise PermissionError(errno.EACCES, "Permission denied")
            return real(path, flags, *more, **kwargs)

        monkeypatch.setattr(os, "open", denied)
        monkeypatch.setattr(os, "geteuid", lambda: 1000)

    def test_sudo_that_asks_no_password(self, board: Governors) -> None:
        asked: list[Sequence[str]] = []

        def sudo(argv: Sequence[str], *, stdin: bytes, timeout_s: float) -> Output:
            asked.append(argv)
            Path(argv[-1]).write_bytes(stdin)
            return Output(0, stdin.decode())

        tuning.apply(order(board, governor="powersave"), sudo)
        assert board.now == ["powersave"] * 2
        assert asked[0] == ["sudo", "-n", "tee", str(board.path())]

    @pytest.mark.parametrize("answer", [Output(1, "sudo: a password is required\n"), None])
    def test_no_such_sudo(self, board: Governors, answer: Output | None) -> None:
        def sudo(_: Sequence[str], **__: Any) -> Output:
            if answer is None:
                raise Unreadable("command `sudo`: No such file or directory")
            return answer

        with pytest.raises(Refused, match="policy0/scaling_governor: Permission denied") as caught:
            tuning.apply(order(board, governor="powersave"), sudo)
        assert caught.value.hint == f"log in as root, or until the next boot: sudo chmod a+w {board.path()}"


class TestPowerMode:
    @pytest.mark.parametrize("wanted", [2, "MAXN_SUPER", "maxn_super"])
    def test_by_number_or_name(self, board: Governors, on_path: Path, wanted: int | str) -> None:
        nvpmodel = install(on_path, board.root)
        tuning.apply(order(board, power_mode=wanted))
        assert nvpmodel.mode == 2
        assert "-m 2" in nvpmodel.asked

    def test_the_one_it_is_in_is_not_set_again(self, board: Governors, on_path: Path) -> None:
        nvpmodel = install(on_path, board.root, mode=2)
        tuning.apply(order(board, power_mode=2))
        assert set(nvpmodel.asked) == {"-q"}

    def test_a_name_that_is_none(self, board: Governors, on_path: Path) -> None:
        install(on_path, board.root)
        with pytest.raises(Refused, match="no power mode `MAXN`") as caught:
            tuning.apply(order(board, power_mode="MAXN"))
        assert caught.value.hint == "this board has 15W (0), 25W (1), MAXN_SUPER (2)"

    def test_a_number_that_is_none(self, board: Governors, on_path: Path) -> None:
        install(on_path, board.root, denied=[9])
        with pytest.raises(Refused, match="does not set power mode 9: NVPM ERROR"):
            tuning.apply(order(board, power_mode=9))

    def test_one_that_takes_a_reboot_is_declined(self, board: Governors, on_path: Path) -> None:
        nvpmodel = install(on_path, board.root, reboot=[0])
        with pytest.raises(Refused, match="power mode 0 takes a reboot") as caught:
            tuning.apply(order(board, power_mode="15W"))
        assert "sudo nvpmodel -m 0" in caught.value.hint
        assert (nvpmodel.mode, nvpmodel.rebooted) == (1, False)

    def test_errors_behind_an_exit_code_of_0(
        self, board: Governors, on_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        install(on_path, board.root, denied=[2])
        monkeypatch.setattr(os, "geteuid", lambda: 1000)
        with pytest.raises(Refused, match=r"cpu0/online: 13 .*failed to set power mode!") as caught:
            tuning.apply(order(board, power_mode=2))
        assert "let sudo run `nvpmodel -m 2` without a password" in caught.value.hint

    def test_a_board_that_is_no_jetson(self, board: Governors) -> None:
        with pytest.raises(Refused, match="gives no power mode") as caught:
            tuning.apply(order(board, power_mode=0), nothing)
        assert "only a Jetson" in caught.value.hint


class TestPutBack:
    def test_all_that_differs(self, board: Governors, on_path: Path) -> None:
        nvpmodel = install(on_path, board.root, mode=1)
        own = State(str(board.root), None, tuning.governors(str(board.root)), 1)
        tuning.apply(order(board, governor="powersave", power_mode=0))
        board.path("policy4").write_text("schedutil\n")
        assert tuning.restore(own) == ["power mode 1", "governor schedutil of policy0"]
        assert (board.now, nvpmodel.mode) == (["schedutil"] * 2, 1)
        assert tuning.restore(own) == []

    def test_what_will_not_go_back_costs_the_rest_nothing(self, board: Governors, on_path: Path) -> None:
        install(on_path, board.root, mode=0, reboot=[1])
        own = State(str(board.root), None, {"policy0": "performance", "policy9": "powersave"}, 1)
        with pytest.raises(Refused, match="power mode 1 takes a reboot"):
            tuning.restore(own)
        assert board.now == ["performance", "schedutil"]


def nothing(argv: Sequence[str], **_: Any) -> Output:
    raise Unreadable(f"command `{argv[0]}`: No such file or directory")


class TestOrder:
    def test_there_and_back(self, board: Governors) -> None:
        asked = order(board, governor="powersave", power_mode="15W")
        assert Order.parse({"verb": "tune", "v": 1, **asked.wire()}) == asked
        assert not asked.restores
        assert order(board).restores

    @pytest.mark.parametrize(
        "change", [{"governor": 3}, {"power_mode": 1.5}, {"root": None}, {"settle_s": -1}, {"settle_s": 1e9}]
    )
    def test_not_understood(self, board: Governors, change: dict[str, Any]) -> None:
        with pytest.raises(wire.NotUnderstood):
            Order.parse(order(board).wire() | change)
        with pytest.raises(wire.NotUnderstood):
            Order.parse({})
