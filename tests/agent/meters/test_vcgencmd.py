from __future__ import annotations

import errno
import os
import struct
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.meters.conftest import nobody
from edgegreen.agent.meters import vcgencmd
from edgegreen.agent.meters.tree import Output, Unreadable
from edgegreen.agent.meters.vcgencmd import Firmware


def never(argv: Sequence[str]) -> Output:
    raise AssertionError(argv)


def mailbox(answers: dict[str, str], error: int = 0) -> vcgencmd.Ioctl:
    """The kernel's side of the ioctl, read by the layout in raspberrypi/utils, vcgencmd.c."""

    def ioctl(fd: int, number: int, message: bytearray) -> int:
        size, request, tag, room, length, _ = struct.unpack_from("=6I", message)
        (end,) = struct.unpack_from("=I", message, len(message) - 4)
        assert (size, request, tag, room, length, end) == (len(message), 0, 0x00030080, 1024, 0, 0)
        assert len(message) == ((1024 >> 2) + 7) * 4
        assert number == (0xC0086400 if struct.calcsize("P") == 8 else 0xC0046400)
        question = bytes(message[24:1048]).split(b"\0")[0].decode()
        struct.pack_into("=I", message, 20, error)
        message[24:1048] = (
            answers.get(question, 'error=1 error_msg="Command not registered"').encode().ljust(1024, b"\0")
        )
        return 0

    return ioctl


@pytest.fixture
def device(tmp_path: Path) -> Path:
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/vcio").touch()
    return tmp_path


def test_the_firmware_is_asked_without_a_process(device: Path) -> None:
    firmware = Firmware(str(device), never, mailbox({"get_throttled": "throttled=0x50005"}))
    assert firmware.ask("get_throttled") == "throttled=0x50005"
    with pytest.raises(Unreadable, match="vcgencmd pmic_read_adc: error=1") as caught:
        firmware.ask("pmic_read_adc")
    assert caught.value.hint == ""
    firmware.close()
    firmware.close()


def test_an_error_number_is_an_error(device: Path) -> None:
    firmware = Firmware(str(device), never, mailbox({"get_throttled": ""}, error=0x80000001))
    with pytest.raises(Unreadable, match="vcgencmd get_throttled: error 2147483649"):
        firmware.ask("get_throttled")
    firmware.close()


def test_where_the_device_does_not_serve_the_command_does(device: Path) -> None:
    def closed(fd: int, number: int, message: bytearray) -> int:
        raise OSError(errno.ENOTTY, os.strerror(errno.ENOTTY))

    asked = []

    def run(argv: Sequence[str]) -> Output:
        asked.append(list(argv))
        return Output(0, "throttled=0x0\n")

    firmware = Firmware(str(device), run, closed)
    assert firmware.ask("get_throttled") == "throttled=0x0"
    assert asked == [["vcgencmd", "get_throttled"]]
    firmware.close()


def test_a_real_ioctl_on_no_mailbox_falls_back_too(device: Path) -> None:
    firmware = Firmware(str(device), lambda argv: Output(0, "temp=48.3'C\n"))
    assert firmware.ask("measure_temp") == "temp=48.3'C"
    firmware.close()


def test_a_device_of_others_says_how_to_get_in(open_folder: Path) -> None:
    (open_folder / "dev").mkdir()
    (open_folder / "dev/vcio").touch()
    (open_folder / "dev/vcio").chmod(0)
    with (
        nobody(),
        pytest.raises(Unreadable, match="Permission denied; add the user to the group of /dev/vcio"),
    ):
        Firmware(str(open_folder), never).ask("get_throttled")


@pytest.mark.parametrize(
    ("output", "words"),
    [
        (
            Output(255, 'vc_gencmd_read_response returned -1\nerror=1 error_msg="Command not registered"\n'),
            "not registered",
        ),
        (Output(0, 'error=2 error_msg="Invalid arguments"\n'), "Invalid arguments"),
        (Output(1, ""), "exit code 1"),
    ],
)
def test_a_failing_command_is_said(tmp_path: Path, output: Output, words: str) -> None:
    with pytest.raises(Unreadable, match=words) as caught:
        Firmware(str(tmp_path), lambda argv: output).ask("pmic_read_adc")
    assert "\n" not in str(caught.value)


@given(st.binary(min_size=1052, max_size=1052))
def test_any_message_that_comes_back_is_an_answer(message: bytes) -> None:
    code, answer = vcgencmd.response(bytearray(message))
    assert code == int.from_bytes(message[20:24], "little")
    assert isinstance(answer, str)
