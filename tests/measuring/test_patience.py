from __future__ import annotations

from edgegreen.measuring.patience import Patience


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_waits_double_until_the_limit_and_a_good_sign_renews_them() -> None:
    clock = Clock()
    patience = Patience(60.0, clock)
    waits = []
    while (wait_s := patience.next_wait_s()) is not None:
        waits.append(wait_s)
        clock.now_s += wait_s
    assert waits == [1, 2, 4, 8, 15, 15, 15]
    patience.renew()
    clock.now_s += 1000
    assert patience.next_wait_s() == 1


def test_none_at_all() -> None:
    assert Patience(0.0).next_wait_s() is None


def test_tries_that_take_long_count() -> None:
    clock = Clock()
    patience = Patience(10.0, clock)
    assert patience.next_wait_s() == 1
    clock.now_s += 9.5
    assert patience.next_wait_s() is None
