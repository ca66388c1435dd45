from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.signal import lfilter

from edgegreen.statistics import stability
from edgegreen.statistics.stability import imprecision, instability

Floats = NDArray[np.float64]


def noise(n: int, rows: int = 1, *, tail: str = "t3", keeps: float = 0.0, seed: int = 0) -> Floats:
    """First-order autoregressive noise of unit variance, shape (rows, n)."""
    rng, shape = np.random.default_rng(seed), (rows, n + 300)
    fresh = {
        "normal": lambda: rng.standard_normal(shape),
        "t3": lambda: rng.standard_t(3, shape) / np.sqrt(3),
        "lognormal": lambda: (np.exp(rng.standard_normal(shape)) - np.exp(0.5)) / 2.16,
        "two levels": lambda: rng.choice((-1.0, 1.0), shape) + 0.1 * rng.standard_normal(shape),
        "interrupted": lambda: (
            0.3 * rng.standard_normal(shape) + (rng.random(shape) < 0.03) * rng.exponential(10, shape)
        ),
    }[tail]()
    made: Floats = lfilter([np.sqrt(1 - keeps**2)], [1, -keeps], fresh, axis=1)[:, 300:]
    return made


def times(shape: Floats | float, noise_: Floats) -> NDArray[np.int64]:
    """Call times of about 2 ms: a level that changes by `shape` (relative), noise relative to it."""
    return (2e6 * np.maximum((1 + shape) * (1 + noise_), 0.05)).astype(np.int64)


@pytest.mark.parametrize(
    ("n", "keeps"), [(50, 0.0), (60, 0.5), (200, 0.5), (200, 0.8), (1000, 0.95), (2000, 0.98), (5000, 0.9)]
)
def test_steady_noise_gives_a_reason_less_than_once_in_100(n: int, keeps: float) -> None:
    # Correlated over up to a twentieth of the window: (1 + φ)/(1 − φ) ≤ n/20.
    alarms = {}
    for tail in ("normal", "t3", "lognormal", "two levels"):
        for relative in (0.03, 0.1, 0.3):
            series = times(0.0, relative * noise(n, 80, tail=tail, keeps=keeps, seed=n))
            alarms[tail, relative] = sum(bool(instability(row)) for row in series)
    assert sum(alarms.values()) <= 0.01 * 80 * len(alarms), alarms


@pytest.mark.parametrize("n", [200, 1000])
@pytest.mark.parametrize("relative", [0.1, 0.3])
def test_calls_that_are_interrupted_now_and_then_are_steady(n: int, relative: float) -> None:
    # 3 in 100 calls take up to several times as long.
    series = times(0.0, relative * noise(n, 200, tail="interrupted", seed=n))
    assert sum(bool(instability(row)) for row in series) <= 2


def step(n: int, size: float, start: float = 0.5, end: float = 1.0) -> Floats:
    place = np.arange(n) / n
    return size * ((place >= start) & (place < end))


def drift(n: int, size: float) -> Floats:
    return size * np.arange(n) / n


def settling(n: int, size: float) -> Floats:
    return size * np.exp(-np.arange(n) / (0.1 * n))


# What is found, in at least this share of series, under noise of 3 or 10 % (Student's t, 3 degrees; φ = 0.3).
@pytest.mark.parametrize(
    ("shape", "n", "relative", "least"),
    [
        (step(60, 0.10), 60, 0.03, 0.9),
        (step(60, 0.20, 0.15), 60, 0.03, 0.9),
        (step(200, 0.07), 200, 0.03, 0.95),
        (step(200, 0.20), 200, 0.10, 0.95),
        (step(200, 0.20, 0.7), 200, 0.10, 0.9),
        (step(1000, 0.07), 1000, 0.10, 0.95),
        (step(1000, 0.10, 0.7), 1000, 0.10, 0.95),
        (step(1000, -0.10), 1000, 0.10, 0.95),
        (step(1000, 0.10, 0.3, 0.5), 1000, 0.10, 0.85),
        (step(1000, 0.20, 0.85), 1000, 0.10, 0.95),
        (step(1000, 0.30, 0.4), 1000, 0.30, 0.9),
        (drift(60, 0.20), 60, 0.03, 0.9),
        (drift(200, 0.10), 200, 0.03, 0.95),
        (drift(1000, 0.10), 1000, 0.10, 0.9),
        (settling(200, 0.20), 200, 0.03, 0.95),
        (settling(1000, 0.20), 1000, 0.10, 0.85),
    ],
)
def test_changes_are_found(shape: Floats, n: int, relative: float, least: float) -> None:
    series = times(shape, relative * noise(n, 150, keeps=0.3, seed=3))
    assert sum(bool(instability(row)) for row in series) >= least * 150


@pytest.mark.parametrize("size", [0.03, -0.03])
@pytest.mark.parametrize("n", [100, 10_000])
def test_changes_too_small_to_matter_are_not(n: int, size: float) -> None:
    for shape in (step(n, size), drift(n, size), settling(n, size), step(n, size, 0.3, 0.6)):
        assert instability(times(shape, 0.001 * noise(n)[0])) == ()


# In words, with figures: 1000 calls of 2 ms.


def said(shape: Floats, relative: float = 0.03) -> str:
    (reason,) = instability(times(shape, relative * noise(len(shape), seed=1)[0]))
    return reason


def test_a_step() -> None:
    assert said(step(1000, 0.5, 0.4)) == (
        "unstable latency: p50 2.00 → 3.00 ms (+50 %), stepped after 0.800 of 2.60 s"
    )


def test_a_drift() -> None:
    assert said(drift(1000, 0.3), 0.01).startswith("unstable latency: p50 2.0")
    assert said(drift(1000, 0.3), 0.01).endswith(" ms (+28 %), drifted over 2.30 s")


def test_a_hump() -> None:
    assert said(step(1000, 0.4, 0.3, 0.5), 0.01) == (
        "unstable latency: p50 2.00 → 2.80 ms (+40 %), changed for a while, 0.600 to 1.16 s after the start"
    )


def test_a_warm_up_that_was_too_short() -> None:
    reason = said(settling(1000, 0.5), 0.01)
    assert reason.startswith("unstable latency: p50 2.")
    assert reason.endswith("was still settling: warm up longer")


def test_a_first_half_unlike_the_second() -> None:
    # Levels all over the place, but those of the second half higher: no shape fits, and the halves differ.
    rng = np.random.default_rng(2)
    levels = np.repeat(np.where(np.arange(20) < 10, 0.0, 0.25) + rng.uniform(-0.15, 0.15, 20), 50)
    (reason,) = instability(times(levels, 0.01 * noise(1000)[0]))
    assert reason.startswith("first half unlike the second: p50 ")


def test_a_tail_that_comes_later() -> None:
    n = 2000
    slow = np.where(np.random.default_rng(0).random(n) < 0.2, 1.0, 0.0) * (np.arange(n) >= n / 2)
    (reason,) = instability(times(slow, 0.02 * noise(n)[0]))
    assert reason.startswith("unstable latency: p90 2.")
    assert "stepped after" in reason


def test_of_few_calls_nothing_can_be_told() -> None:
    assert instability(times(step(49, 1.0), np.zeros(49))) == ()
    assert instability(times(step(50, 1.0), np.zeros(50))) != ()


@given(st.lists(st.integers(0, 2**40), min_size=2, max_size=200))
@settings(derandomize=True, deadline=None)
def test_any_times_are_judged(times_ns: list[int]) -> None:
    given_ = np.array(times_ns, dtype=np.uint64)
    for reason in (*instability(given_), *imprecision(given_)):
        assert "nan" not in reason


@given(seed=st.integers(0, 1000), factor=st.sampled_from([10, 1000]), size=st.sampled_from([0.0, 0.1, 0.5]))
@settings(derandomize=True, deadline=None, max_examples=40)
def test_the_unit_does_not_matter(seed: int, factor: int, size: float) -> None:
    series = times(step(300, size), 0.05 * noise(300, seed=seed)[0])
    assert len(instability(series)) == len(instability(series * factor))


def test_a_constant_series_is_steady() -> None:
    assert instability(np.full(1000, 2_000_000)) == ()
    assert imprecision(np.full(1000, 2_000_000)) == ()
    assert instability(np.zeros(1000)) == ()


def test_a_change_of_level_itself() -> None:
    found = stability.change(np.repeat((1.0, 3.0), (5, 15)))
    assert found == stability.Change("step", pytest.approx(1.0), pytest.approx(3.0), 0.25, 1.0)
    assert found.relative == pytest.approx(2.0)
    assert stability.change(np.full(20, 7.0)) is None


def test_a_median_that_is_not_known_well() -> None:
    assert imprecision(times(0.0, 0.05 * noise(1000)[0])) == ()
    (reason,) = imprecision(times(0.0, 0.5 * noise(60, tail="normal")[0]))
    assert reason.startswith("too few effective samples: p50 is 2.")
    assert reason.endswith(" %), measure longer")


def test_less_has_a_minus() -> None:
    assert stability._moved(2.0, 1.0).endswith("(−50 %)")
