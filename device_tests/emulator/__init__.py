"""Boards for those who have none at hand: aarch64 Debian in QEMU, with a real OpenSSH server.

    from device_tests.emulator import boot

    with boot("jetson-orin") as board:
        board.target()          # an edgegreen Target
        board.known_power()     # what the board really drew, to compare with what was measured

`python -m device_tests.emulator` does the same at a terminal. Speeds under emulation predict nothing.
"""

from device_tests.emulator.boards import BOARDS, Board
from device_tests.emulator.running import Running, boot

__all__ = ["BOARDS", "Board", "Running", "boot"]
