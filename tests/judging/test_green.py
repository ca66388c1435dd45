"""What a measured energy means: the formulas, their intervals, and what is refused."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from builders import BOARD, measurement, metered
from hypothesis import given
from hypothesis import strategies as st

from edgegreen.config.footprintkeys import Footprint
from edgegreen.errors import InputError
from edgegreen.judging import green
from edgegreen.judging.green import Absent, Estimate, Figure

positive = st.floats(1e-4, 1e4)
shares = st.floats(0, 0.9)
SUSPECT = {"verdict": "invalid", "reasons": ("a busy board",)}
EMULATED = {"conditions": {"board": BOARD | {"emulated": True}}}


def known(figure: Figure | None) -> Estimate:
    assert isinstance(figure, Estimate), figure
    return figure


def why(figure: Figure | None) -> str:
    assert isinstance(figure, Absent), figure
    return figure.why


class TestPerJoule:
    """The other way round, and nothing of the interval lost."""

    @given(mj=positive, share=shares, idle_w=st.floats(0, 100), ips=positive)
    def test_an_inference_takes_what_a_joule_has_few_of(
        self, mj: float, share: float, idle_w: float, ips: float
    ) -> None:
        item = metered(mj=mj, half=share * mj, idle_w=idle_w, ips=ips)
        above, gross = known(green.per_joule(item)), known(green.per_joule_gross(item))
        assert item.energy
        assert above.value * mj == pytest.approx(1000)
        assert gross.value * item.energy.gross_mj == pytest.approx(1000)
        assert above.low <= above.value <= above.high
        assert 1000 / above.high == pytest.approx(item.energy.ci95_mj[0])
        assert 1000 / above.low == pytest.approx(item.energy.ci95_mj[1])
        assert gross.low <= gross.value <= gross.high
        assert gross.value <= above.value * (1 + 1e-9)

    def test_an_energy_that_may_be_none_has_no_upper_end(self) -> None:
        found = known(green.per_joule(metered(mj=1, half=1.5)))
        assert (found.value, found.low, found.high) == (1000, 400, math.inf)

    def test_an_energy_below_idle_has_no_inferences(self) -> None:
        assert "cannot be told from idle" in why(green.per_joule(metered(mj=-0.1, half=1)))

    def test_without_a_meter_the_reason_is_handed_on(self) -> None:
        item = measurement(energy_absent="a Raspberry Pi 4 has no power sensor of its own")
        used = green.in_use(item, Footprint(battery_wh=1, grid_gco2e_per_kwh=1, inferences_per_hour=1))
        (standing,) = green.ranking([item])
        for figure in (
            green.energy_mj(item), green.per_joule(item), green.per_joule_gross(item), standing.to_best,
            used.average_w, used.battery_h, used.gco2e_per_million, used.gco2e_per_year,
        ):  # fmt: skip
            assert why(figure) == item.energy_absent


class TestRatio:
    """Fieller's interval."""

    @given(a=positive, b=positive, share_a=shares, share_b=shares)
    def test_the_other_way_round_it_is_the_other_way_round(
        self, a: float, b: float, share_a: float, share_b: float
    ) -> None:
        one = Estimate(a, a * (1 - share_a), a * (1 + share_a))
        two = Estimate(b, b * (1 - share_b), b * (1 + share_b))
        there, back = known(green.ratio(one, two)), known(green.ratio(two, one))
        assert there.value == pytest.approx(1 / back.value)
        assert there.low == pytest.approx(1 / back.high)
        assert there.high == pytest.approx(1 / back.low)
        assert there.low <= there.value * (1 + 1e-12)
        assert there.value <= there.high * (1 + 1e-12)

    @given(a=positive, b=positive, share=shares)
    def test_over_an_exact_one_it_is_the_interval_divided(self, a: float, b: float, share: float) -> None:
        found = known(green.ratio(Estimate(a, a * (1 - share), a * (1 + share)), Estimate(b, b, b)))
        assert found.low == pytest.approx(a * (1 - share) / b)
        assert found.high == pytest.approx(a * (1 + share) / b)

    def test_small_errors_add_in_quadrature(self) -> None:
        found = known(green.ratio(Estimate(30, 29.7, 30.3), Estimate(10, 9.8, 10.2)))
        assert (found.high - found.low) / 2 / found.value == pytest.approx(math.hypot(0.01, 0.02), rel=0.01)

    @pytest.mark.parametrize("spread", [0.02, 0.1, 0.2])
    def test_it_holds_the_truth_95_times_of_100(self, spread: float) -> None:
        random = np.random.default_rng(7)
        truth, draws, inside = 1.5, 4000, 0
        for a, b in zip(
            random.normal(1.5, spread * 1.5, draws), random.normal(1.0, spread, draws), strict=True
        ):
            half_a, half_b = 1.96 * spread * 1.5, 1.96 * spread
            found = green.ratio(Estimate(a, a - half_a, a + half_a), Estimate(b, b - half_b, b + half_b))
            # An interval that cannot be given is no false one.
            inside += isinstance(found, Absent) or found.low <= truth <= found.high
        assert inside / draws == pytest.approx(0.95, abs=0.012)

    @pytest.mark.parametrize("best", [Estimate(1, 0, 2), Estimate(1, -1, 3), Estimate(0, 0, 0)])
    def test_over_what_may_be_nothing_there_is_none(self, best: Estimate) -> None:
        assert "cannot be told from nothing" in why(green.ratio(Estimate(3, 2, 4), best))


class TestRanking:
    """Like with like, and nobody silently."""

    def test_the_least_energy_first(self) -> None:
        pi, jetson, x86 = (metered(mj=mj, target=name) for name, mj in (("pi", 6), ("jetson", 4), ("x", 4.1)))
        found = green.ranking([pi, jetson, x86])
        assert [standing.measurement for standing in found] == [jetson, x86, pi]
        assert [standing.is_best for standing in found] == [True, False, False]
        assert [standing.ties for standing in found] == [False, True, False]
        assert [known(standing.to_best).value for standing in found] == pytest.approx([1, 1.025, 1.5])

    @pytest.mark.parametrize(
        ("changes", "words"), [(SUSPECT, "not to be trusted"), (EMULATED, "emulated"), ({}, None)]
    )
    def test_what_is_not_to_be_trusted_beats_nobody(self, changes: Any, words: str | None) -> None:
        least = metered(mj=1, target="odd", **changes)
        found = green.ranking([least, metered(mj=2, target="a"), metered(mj=3, target="b")])
        if words is None:
            assert found[0].measurement == least
            return
        assert [standing.measurement.target for standing in found] == ["a", "b", "odd"]
        assert words in why(found[-1].to_best)

    def test_a_module_is_not_compared_with_a_wall(self) -> None:
        items = [
            metered(mj=mj, target=target, scope=scope)
            for mj, target, scope in ((1, "pi", "rail sum"), (2, "a", "wall"), (3, "b", "wall"))
        ]
        found = green.ranking(items)
        assert [standing.measurement.target for standing in found] == ["a", "b", "pi"]
        assert known(found[1].to_best).value == 1.5
        assert why(found[2].to_best) == "no other meter to compare sees a rail sum"

    def test_one_alone_is_the_best_of_nothing(self) -> None:
        (standing,) = green.ranking([metered()])
        assert not standing.is_best
        assert why(standing.to_best) == "no other to compare it with"

    def test_each_target_by_its_best(self) -> None:
        items = [
            metered("fp32", mj=9, target="pi"), metered("int8", mj=5, target="pi"),
            metered("int8", mj=1, target="pi", **SUSPECT),
            metered("fp32", mj=6, target="jetson"), measurement("int8", target="pi4"),
        ]  # fmt: skip
        found = green.best_of_each(items)
        assert [(s.measurement.target, s.measurement.variant) for s in found] == [
            ("pi", "int8"), ("jetson", "fp32"),
        ]  # fmt: skip
        assert known(found[0].to_best).value == 1


class TestInUse:
    """Idle power and energy above it, at a rate."""

    @given(idle_w=st.floats(0.01, 100), mj=positive, ips=positive, duty=st.floats(0, 1), share=shares)
    def test_between_idle_and_active(
        self, idle_w: float, mj: float, ips: float, duty: float, share: float
    ) -> None:
        item = metered(mj=mj, half=share * mj, idle_w=idle_w, ips=ips)
        assert item.power
        found = known(green.average_w(item, 3600 * ips * duty or 1e-9))
        assert found.value == pytest.approx((1 - duty) * idle_w + duty * item.power.active_w)
        assert found.low <= found.value <= found.high

    @pytest.mark.parametrize("duty", [0.0, 0.2, 0.5, 1.0])
    @pytest.mark.parametrize("idle_part", [0.0, 0.3, 1.0])
    def test_the_interval_is_never_too_narrow_however_the_noise_is_shared(
        self, duty: float, idle_part: float
    ) -> None:
        """Variances of idle and active power, of which only the sum is kept, against the sum of both."""
        total = 0.1**2
        spread = math.sqrt((1 - duty) ** 2 * idle_part * total + duty**2 * (1 - idle_part) * total)
        item = metered(mj=10, half=1.0, idle_w=3, ips=100)  # ± 0.1 W of difference
        found = known(green.average_w(item, 360_000 * duty or 1e-9))
        assert (found.high - found.low) / 2 >= spread * (1 - 1e-9)

    def test_one_after_another_is_active_power(self) -> None:
        item = metered(mj=12, idle_w=3, ips=50)
        found = known(green.average_w(item, "continuous"))
        assert item.power
        assert found.value == pytest.approx(item.power.active_w)
        assert found == known(green.average_w(item, 50 * 3600))

    def test_no_more_often_than_it_can(self) -> None:
        said = why(green.average_w(metered(ips=2), 7300))
        assert said == "7300 inferences an hour are more than it does (7200)"

    def test_a_rate_is_not_made_up(self) -> None:
        used = green.in_use(metered(), Footprint(battery_wh=10, grid_gco2e_per_kwh=400))
        assert "how often the model runs is not said" in why(used.battery_h)
        assert "how often the model runs is not said" in why(used.gco2e_per_year)
        assert known(used.gco2e_per_million).value == pytest.approx(4 / 3600 * 400)

    def test_known_figures(self) -> None:
        """2 W idle and 4 mJ ten times a second: 2.04 W."""
        footprint = Footprint(
            battery_mah=5000, battery_v=3.7, battery_usable=0.8, inferences_per_hour=36_000,
            grid_gco2e_per_kwh=400,
        )  # fmt: skip
        used = green.in_use(metered(mj=4, idle_w=2, ips=100), footprint)
        assert known(used.average_w).value == pytest.approx(2.04)
        assert known(used.battery_h).value == pytest.approx(18.5 * 0.8 / 2.04)
        assert known(used.gco2e_per_million).value == pytest.approx(0.4444, rel=1e-3)
        assert known(used.gco2e_per_year).value == pytest.approx(2.04 * 8.76 * 400)

    @given(wh=positive, watts=positive, share=shares)
    def test_a_battery_lasts_longer_at_less(self, wh: float, watts: float, share: float) -> None:
        found = known(green.battery_h(Estimate(watts, watts * (1 - share), watts * (1 + share)), wh))
        assert found.value * watts == pytest.approx(wh)
        assert found.low * watts * (1 + share) == pytest.approx(wh)
        assert found.high * watts * (1 - share) == pytest.approx(wh)

    def test_what_is_not_asked_for_is_not_there(self) -> None:
        used = green.in_use(metered(), Footprint(inferences_per_hour=1))
        assert (used.battery_h, used.gco2e_per_million, used.gco2e_per_year) == (None, None, None)


class TestFootprint:
    """The recipe's, and what is given in its place."""

    def test_nothing_given_changes_nothing(self) -> None:
        kept = Footprint(battery_wh=3)
        assert green.footprint(kept, {"battery_wh": None}) is kept
        assert green.footprint(None, {"battery_wh": None}) is None

    def test_each_key_by_itself_and_one_battery_for_another(self) -> None:
        kept = Footprint(battery_wh=3, grid_gco2e_per_kwh=400, battery_usable=0.5)
        found = green.footprint(kept, {"battery_mah": 1000.0, "battery_v": 5.0, "inferences_per_hour": 60.0})
        assert found
        assert (found.capacity_wh, found.battery_wh, found.battery_usable) == (5.0, None, 0.5)
        assert (found.grid_gco2e_per_kwh, found.inferences_per_hour) == (400, 60)

    @pytest.mark.parametrize(
        ("given_", "words"),
        [
            ({"battery_v": 5.0}, "`battery_mah` and `battery_v` go together"),
            ({"battery_wh": 1.0, "battery_mah": 2.0, "battery_v": 3.0}, "give either `battery_wh`"),
            ({"battery_wh": -1.0}, "`battery_wh`: should be greater than 0"),
            ({"battery_usable": 2.0}, "`battery_usable`: should be less than or equal to 1"),
            ({"grid_gco2e_per_kwh": math.inf}, "`grid_gco2e_per_kwh`: should be a finite number"),
            (
                {"inferences_per_hour": "often"},
                "`inferences_per_hour`: should be a number, or one of continuous",
            ),
        ],
    )
    def test_nonsense_is_refused_in_words(self, given_: dict[str, Any], words: str) -> None:
        with pytest.raises(InputError) as caught:
            green.footprint(None, given_)
        assert words in caught.value.message
