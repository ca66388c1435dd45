"""Questions to a Raspberry Pi's firmware: what the command `vcgencmd` asks, without a process for each.

The command is a wrapper around one ioctl on /dev/vcio (raspberrypi/utils, vcgencmd/vcgencmd.c). Where
that device cannot be used, the command itself is run.
"""

from __future__ import annotations

import os
import struct
from typing import Callable

from .tree import DENIED, Run, Unreadable, at

GET_GENCMD_RESULT = 0x00030080
MAX_STRING = 1024
HEADER = struct.Struct("=6I")  # size, request, tag, buffer size, request size, answer's error
END = struct.pack("=I", 0)
ACCESS = "add the user to the group of /dev/vcio: sudo usermod -aG video $USER, then log in anew"

Ioctl = Callable[[int, int, bytearray], int]


class Firmware:
    """The firmware of the Raspberry Pi below `root`."""

    def __init__(self, root: str, run: Run, ioctl: Ioctl | None = None) -> None:
        self._device, self._run = at(root, "dev/vcio"), run
        self._ioctl = ioctl or _ioctl
        self._fd = -1

    def ask(self, question: str) -> str:
        """The answer, such as "throttled=0x0" for "get_throttled". Raises Unreadable."""
        answer = self._ask_device(question)
        if answer is not None:
            return answer
        code, printed = self._run(["vcgencmd", *question.split()])
        if "/dev/vcio" in printed:
            raise Unreadable("vcgencmd {}: {}".format(question, printed.splitlines()[0]), ACCESS)
        if code != 0 or "error=" in printed:
            raise Unreadable(
                "vcgencmd {}: {}".format(question, " ".join(printed.split()) or "exit code {}".format(code))
            )
        return printed.strip()

    def close(self) -> None:
        """Let go of the device."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _ask_device(self, question: str) -> str | None:
        """The answer by /dev/vcio; None when that way is closed."""
        try:
            if self._fd < 0:
                self._fd = os.open(self._device, os.O_RDONLY | os.O_CLOEXEC)
            message = request(question)
            self._ioctl(self._fd, ioctl_number(struct.calcsize("P")), message)
        except OSError as error:
            if error.errno in DENIED:
                raise Unreadable("{}: {}".format(self._device, error.strerror), ACCESS) from None
            return None
        code, answer = response(message)
        if code or "error=" in answer:
            raise Unreadable("vcgencmd {}: {}".format(question, answer or "error {}".format(code)))
        return answer or None


def request(question: str) -> bytearray:
    """The mailbox message that asks `question`."""
    body = question.encode("ascii").ljust(MAX_STRING, b"\0")
    size = HEADER.size + len(body) + len(END)
    return bytearray(HEADER.pack(size, 0, GET_GENCMD_RESULT, MAX_STRING, 0, 0) + body + END)


def response(message: bytearray) -> tuple[int, str]:
    """The error number (0: none) and the text in a message that came back."""
    text = bytes(message[HEADER.size : HEADER.size + MAX_STRING]).partition(b"\0")[0]
    return HEADER.unpack_from(message)[5], text.decode("utf-8", "replace").strip()


def ioctl_number(pointer_bytes: int) -> int:
    """_IOWR(100, 0, char *) of <asm-generic/ioctl.h>, for 32-bit and 64-bit programs."""
    read_write = 3
    return read_write << 30 | pointer_bytes << 16 | 100 << 8


def _ioctl(fd: int, number: int, message: bytearray) -> int:
    import fcntl

    return int(fcntl.ioctl(fd, number, message, True))
