"""Which trial is which of another run, and what is told to differ."""

from __future__ import annotations

from typing import Any

import pytest
from builders import BOARD, measurement, metered

from edgegreen.judging.pairing import Pair, pairs
from edgegreen.measurement import Measurement, Tuning


def paired(before: list[Measurement], after: list[Measurement]) -> list[tuple[int, int]]:
    found = pairs(before, after)
    return [(before.index(pair.before), after.index(pair.after)) for pair in found.pairs]


def test_each_trial_goes_with_its_like() -> None:
    items = [measurement(variant, threads=n) for variant in ("fp32", "int8") for n in (1, 4)]
    assert paired(items, items[::-1]) == [(3, 0), (2, 1), (1, 2), (0, 3)]


def test_a_trial_of_one_run_only_is_paired_with_none() -> None:
    one, four = measurement(threads=1), measurement(threads=4)
    found = pairs([one], [one, four])
    assert [pair.after for pair in found.pairs] == [one]
    assert (found.only_before, found.only_after) == ((), (four,))


def test_what_is_the_only_one_is_paired_whatever_differs() -> None:
    assert paired([measurement(threads=1)], [measurement(threads=4)]) == [(0, 0)]
    assert paired([measurement(target="pi4")], [measurement(target="pi5")]) == [(0, 0)]
    tuned = measurement(tuning=Tuning(governor="powersave"))
    assert paired([measurement()], [tuned]) == [(0, 0)]


def test_another_target_is_no_stand_in_where_one_is_in_both() -> None:
    before = [measurement(target="pi4"), measurement(target="pi5")]
    after = [measurement(target="pi5"), measurement(target="orin")]
    assert paired(before, after) == [(1, 0)]


def test_nothing_is_guessed_where_several_fit() -> None:
    before = [measurement(threads=1), measurement(threads=2)]
    assert paired(before, [measurement(threads=4)]) == []
    assert paired(before, [measurement("fp32")]) == []


def conditions(**changes: Any) -> dict[str, Any]:
    return {"board": BOARD | {"hostname": "pi5"}} | changes


PLAIN = measurement(conditions=conditions())
REPLAYED = {"board": "pi5", "recorded_at": "2026-11-22T04:00:00+00:00", "edgegreen": "0.1.0"}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"conditions": conditions(board=BOARD | {"hostname": "pi4"})},
            "board: pi5, aarch64, 4 cores → pi4,",
        ),
        ({"conditions": conditions(board=BOARD | {"hostname": "pi5", "emulated": True})}, "→ emulated"),
        ({"conditions": conditions(replayed=REPLAYED)}, "readings were: measured then → replayed"),
        ({"runtime": ("litert", "2.4.0", "XNNPACK")}, "runtime: litert 2.3.0 + XNNPACK → litert 2.4.0"),
        ({"runtime": ("litert", "2.3.0", None)}, "+ XNNPACK → litert 2.3.0"),
        ({"threads": 4}, "threads: 1 → 4"),
        ({"tuning": Tuning(governor="powersave")}, "governor: not told → powersave"),
        (
            {"conditions": conditions(before={"governor": {"cpu0": "ondemand"}})},
            "governor: not told → ondemand",
        ),
        ({"conditions": conditions(before={"power_mode": {"name": "MAXN", "id": 0}})}, "not told → MAXN"),
    ],
)
def test_each_circumstance_is_told(changes: dict[str, Any], told: str) -> None:
    differences = Pair(PLAIN, measurement(**({"conditions": conditions()} | changes))).differences
    assert len(differences) == 1
    assert told in str(differences[0])


def test_the_model_is_no_difference() -> None:
    assert Pair(PLAIN, measurement(conditions=conditions(), size_bytes=9, p50=3.0)).differences == ()


def test_meters_differ_where_both_have_one() -> None:
    module, rail = metered(conditions=conditions()), metered(conditions=conditions(), scope="rail")
    assert [one.what for one in Pair(module, rail).differences] == ["meter"]
    unmetered = metered(conditions=conditions(), power=None, energy=None)
    assert Pair(module, unmetered).differences == ()
