"""Lines and Tail."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgegreen.errors import DeviceError
from edgegreen.transport.stream import Lines, Tail


@given(st.lists(st.binary(max_size=20)))
def test_lines_are_the_same_however_the_bytes_come(chunks: list[bytes]) -> None:
    lines, found = Lines(), []
    for chunk in chunks:
        lines.feed(chunk)
        while (line := lines.next(10_000, "board")) is not None:
            found.append(line)
    assert [*found, lines.rest()] == b"".join(chunks).split(b"\n")


def test_a_line_may_be_as_long_as_allowed_and_no_longer() -> None:
    lines = Lines()
    lines.feed(b"12345\n123456")
    assert lines.next(5, "board") == b"12345"
    with pytest.raises(DeviceError, match="board: a line of output is longer than 5 bytes"):
        lines.next(5, "board")


def test_a_line_that_is_too_long_is_noticed_with_its_newline_too() -> None:
    lines = Lines()
    lines.feed(b"123456\nok\n")
    with pytest.raises(DeviceError):
        lines.next(5, "board")


def test_tail_keeps_the_end_and_shows_any_bytes() -> None:
    tail = Tail(5)
    for chunk in (b"abc", b"", b"defg", b"\xff"):
        tail.add(chunk)
    assert tail.bytes() == b"defg\xff"
    assert tail.text() == "defg\\xff"
