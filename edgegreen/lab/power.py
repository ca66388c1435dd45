"""Switching a board of a lab off and on again, with whatever driver labgrid has for its switch."""

from __future__ import annotations

import os
import subprocess
import sys

from edgegreen.errors import DeviceError

LIMIT_S = 120.0
SWITCHES = frozenset(
    {
        "NetworkPowerPort", "PDUDaemonPort", "TasmotaPowerPort",
        "NetworkUSBPowerPort", "NetworkSiSPMPowerPort", "NetworkYKUSHPowerPort",
    }
)  # fmt: skip
"""Resources that labgrid switches a board with."""


def cycle(coordinator: str, owner: str, place: str) -> None:
    """Switch a place that `owner` holds off and on. Raises DeviceError with what labgrid said."""
    host, _, user = owner.partition("/")
    command = [sys.executable, "-m", "labgrid.remote.client", "-x", coordinator, "-p", place]
    environment = {key: value for key, value in os.environ.items() if key not in ("LG_ENV", "LG_STATE")}
    environment |= {"LG_HOSTNAME": host, "LG_USERNAME": user}
    try:
        done = subprocess.run(
            [*command, "power", "cycle"], env=environment, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=LIMIT_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise DeviceError(f"{place}: its power switch has not answered within {LIMIT_S:g} s") from None
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip() or "no word of why").splitlines()[-1]
        raise DeviceError(f"{place}: it could not be power-cycled: {said}")
