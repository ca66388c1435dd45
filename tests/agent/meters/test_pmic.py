from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.meters.boards import Board
from edgegreen.agent.meters import pmic
from edgegreen.agent.meters.tree import Output, Unreadable

Lay = Callable[[str], Board]
QUESTION = ("vcgencmd", "pmic_read_adc")


def test_rails_are_paired_by_name(board: Lay) -> None:
    watts = pmic.parse(board("raspberry-pi-5").commands[QUESTION].text)
    assert len(watts) == 12
    assert watts["VDD_CORE"] == pytest.approx(10.87674 * 0.8974594)
    assert watts["0V8_AON"] == pytest.approx(
        0.00579975 * 0.7973619
    )  # its current is line 16, its voltage line 19
    assert not {"EXT5V", "BATT"} & set(watts)


def test_the_order_of_lines_is_nothing(board: Lay) -> None:
    answer = board("raspberry-pi-5").commands[QUESTION].text
    assert pmic.parse("\n".join(reversed(answer.splitlines()))) == pmic.parse(answer)


def test_a_rail_that_is_missing_for_once_is_no_reading(board: Lay) -> None:
    """An answer cut short would be less power."""
    recorded = board("raspberry-pi-5")
    answers = [recorded.commands[QUESTION].text] * 2
    answers.append(answers[0].replace("HDMI_V volt", "HDMI_X volt"))
    (meter,) = pmic.find(recorded.root, lambda argv: Output(0, answers.pop(0)))
    assert meter.read() == pytest.approx(10.799894)
    with pytest.raises(Unreadable, match="rails come and go: HDMI"):
        meter.read()


def test_a_board_without_the_chip_has_none_of_them(board: Lay) -> None:
    recorded = board("raspberry-pi-4")
    assert pmic.find(recorded.root, recorded.run) == []


@given(st.text())
def test_garbage_is_unreadable_at_worst(answer: str) -> None:
    try:
        watts = pmic.parse(answer)
    except Unreadable:
        return
    assert watts


@given(
    st.dictionaries(
        st.from_regex(r"[A-Z0-9]{1,8}", fullmatch=True),
        st.tuples(st.floats(0, 50, width=32), st.floats(0, 6, width=32)),
        min_size=1,
    ),
    st.randoms(),
)
def test_any_rails_are_read_as_printed(rails: dict[str, tuple[float, float]], random: object) -> None:
    lines = [f" {name}_A current({n})={amperes:.8f}A" for n, (name, (amperes, _)) in enumerate(rails.items())]
    lines += [f"   {name}_V volt({n})={volts:.8f}V" for n, (name, (_, volts)) in enumerate(rails.items(), 40)]
    random.shuffle(lines)  # type: ignore[attr-defined]
    expected = {name: pytest.approx(amperes * volts, abs=1e-5) for name, (amperes, volts) in rails.items()}
    assert pmic.parse("\n".join(lines)) == expected
