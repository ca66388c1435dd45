"""The kinds of fields that an agent's messages are made of: every one bounded, none printed as it came."""

from __future__ import annotations

import base64
from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field

from edgegreen.agent import wire
from edgegreen.errors import DeviceError

CLOSED = ConfigDict(extra="forbid", allow_inf_nan=False)


def senseless(reason: str) -> DeviceError:
    """The error for something an agent of ours never says."""
    return DeviceError(
        f"the agent on the board makes no sense: {reason}",
        hint="does a login script there print to stdout, or did another program take the agent's place?",
    )


Text = Annotated[str, Field(strict=True, max_length=wire.MAX_DETAIL), AfterValidator(wire.printable)]
Line = Annotated[
    str,
    Field(strict=True, max_length=2 * wire.MAX_TEXT),
    AfterValidator(lambda text: wire.one_line(wire.printable(text))),
]
Data = Annotated[str, Field(strict=True)]  # base64; as long as the line allows
Count = Annotated[int, Field(strict=True, ge=0, lt=2**63)]
Positive = Annotated[int, Field(strict=True, ge=1, lt=2**63)]
Number = Annotated[float, Field(strict=True)]
NotNegative = Annotated[float, Field(strict=True, ge=0)]
Milliseconds = NotNegative
Extents = Annotated[list[Count], Field(max_length=32)]


def unpacked(data: str) -> bytes:
    """The bytes in base64. Raises DeviceError."""
    try:
        return base64.b64decode(data, validate=True)
    except ValueError as error:
        raise senseless(f"not base64 ({error})") from None
