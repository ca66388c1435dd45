"""Shelly and Tasmota plugs, as users recorded them, over real HTTP."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from edgegreen.agent.meters.tree import Unreadable
from edgegreen.config import yamlfile
from edgegreen.meters import METERS
from edgegreen.meters.asked import Asked
from edgegreen.meters.web import PASSWORD
from edgegreen.target import Target
from meters import plugs
from meters.plugs import Digest, Plug, serving


def opened(text: str) -> Asked:
    """The meter of a target's `power:`, as YAML has it."""
    power = yamlfile.parse(f"host: b\npower: {text}\n", Target, "t.yaml").power
    assert power
    meter = METERS[power.meter](power)
    assert isinstance(meter, Asked)
    return meter


def shelly(plug: Plug, more: str = "") -> Asked:
    return opened(f"{{meter: shelly, address: '{plug.address}'{more}}}")


def tasmota(plug: Plug, more: str = "") -> Asked:
    return opened(f"{{meter: tasmota, address: '{plug.address}'{more}}}")


def rising() -> Any:
    """2.5, 3.6, 4.7 … W."""
    steps = itertools.count()
    return lambda: round(2.5 + 1.1 * next(steps), 1)


@pytest.fixture(autouse=True)
def no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PASSWORD, raising=False)


class TestShelly:
    def test_the_first_generation(self) -> None:
        with serving(plugs.gen1(rising())) as plug:
            meter = shelly(plug)
            assert [meter.first() for _ in range(3)] == [2.5, 3.6, 4.7]
        about = meter.about
        assert about.source == f"Shelly SHPLG-S (Gen1) at {plug.address}"
        assert (about.kind, about.rail, about.scope) == ("shelly", "channel 0", "wall")
        assert (about.averaging_s, about.update_s, about.resolution_w) == (None, 1.0, 0.1)
        assert plug.asked == ["/shelly", "/status", "/status", "/status"]

    def test_later_generations(self) -> None:
        with serving(plugs.gen2(rising())) as plug:
            meter = shelly(plug, ", scope: board")
            assert [meter.first() for _ in range(2)] == [3.6, 4.7]  # the first was to see that there is one
        assert meter.about.source == f"Shelly SNPL-00112EU (Gen2) at {plug.address}"
        assert meter.about.scope == "board"

    def test_one_that_only_measures(self) -> None:
        with serving(plugs.gen2(rising(), component="PM1")) as plug:
            assert shelly(plug).first() == 3.6

    def test_a_channel_that_is_not_there(self) -> None:
        with serving(plugs.gen2(rising())) as plug, pytest.raises(Unreadable, match="no power of channel 3"):
            shelly(plug, ", channel: 3")
        with serving(plugs.gen1(rising())) as plug, pytest.raises(Unreadable, match="nothing at /meters/1"):
            shelly(plug, ", channel: 1").first()

    def test_a_reading_that_is_not_valid(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(plugs.GEN1_STATUS["meters"][0], "is_valid", False)
        with serving(plugs.gen1(rising())) as plug, pytest.raises(Unreadable, match="is not valid"):
            shelly(plug).first()

    def test_no_shelly_at_all(self) -> None:
        with serving(plugs.tasmota(lambda: "26")) as plug, pytest.raises(Unreadable, match="is no Shelly"):
            shelly(plug)


class TestPasswords:
    """They come from the environment, go to the plug that asks, and into no message."""

    @pytest.mark.parametrize("uses", [1, 30000])  # firmware before 2.0, and since
    def test_digest(self, uses: int, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(PASSWORD, "hunter2 ü")
        digest = Digest("hunter2 ü", uses)
        with serving(plugs.gen2(rising(), digest)) as plug:
            meter = shelly(plug)
            assert [meter.first() for _ in range(3)] == [3.6, 4.7, 5.8]
        assert digest.given == (1 if uses > 1 else 4)
        assert len(plug.asked) == 1 + 4 + digest.given

    def test_basic(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(PASSWORD, "hunter2")
        with serving(plugs.gen1(rising(), "hunter2")) as plug:
            assert shelly(plug).first() == 2.5

    def test_in_the_query_of_a_tasmota(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(PASSWORD, "hun&ter 2")
        with serving(plugs.tasmota(lambda: "26", "hun&ter 2")) as plug:
            assert tasmota(plug).first() == 26

    @pytest.mark.parametrize("password", [None, "hunter3"])
    def test_none_or_the_wrong_one(self, password: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
        if password:
            monkeypatch.setenv(PASSWORD, password)
        replies = [
            plugs.gen1(rising(), "hunter2"), plugs.gen2(rising(), Digest("hunter2", 9)),
            plugs.tasmota(lambda: "26", "hunter2"),
        ]  # fmt: skip
        for reply, kind in zip(replies, (shelly, shelly, tasmota), strict=True):
            with serving(reply) as plug, pytest.raises(Unreadable, match=f"password.*set {PASSWORD}") as no:
                kind(plug).first()
            assert "hunter" not in str(no.value)


class TestTasmota:
    def test_watts_as_it_comes(self) -> None:
        powers = iter(["26", "26", "27", "41"])
        with serving(plugs.tasmota(lambda: next(powers))) as plug:
            meter = tasmota(plug)
            assert [meter.first() for _ in range(3)] == [26, 27, 41]
        assert (meter.about.resolution_w, meter.about.scope) == (1.0, "wall")

    @pytest.mark.parametrize(("power", "step"), [("8.1", 0.1), ("8.150", 0.001), (" 0", 1.0)])
    def test_the_resolution_is_what_it_prints(self, power: str, step: float) -> None:
        with serving(plugs.tasmota(lambda: power)) as plug:
            meter = tasmota(plug)
            assert meter.about.resolution_w == pytest.approx(step)
            assert meter.first() == float(power)

    def test_several_channels(self) -> None:
        with serving(lambda *_: (200, {}, plugs.TASMOTA_TWO.encode())) as plug:
            assert tasmota(plug).first() == 8.15
            assert tasmota(plug, ", channel: 1").first() == 0
            with pytest.raises(Unreadable, match="nothing at /2"):
                tasmota(plug, ", channel: 2")

    def test_one_without_a_meter(self) -> None:
        with (
            serving(lambda *_: plugs.told({"StatusSNS": {"Time": "2017-02-11T18:06:05"}})) as plug,
            pytest.raises(Unreadable, match=r"has nothing at /StatusSNS/ENERGY/Power"),
        ):
            tasmota(plug)
