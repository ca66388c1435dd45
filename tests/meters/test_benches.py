"""Joulescope and PPK2, whose packages are stood in for by what their documentation says of them.

Joulescope: pyjoulescope_driver 2.2, entry_points/statistics.py. PPK2: ppk2-api 0.9, its example and source.
Nothing here was tried on the instruments.
"""

from __future__ import annotations

import sys
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest

from edgegreen.agent.meters.tree import Unreadable
from edgegreen.config.meterkeys import Joulescope, Ppk2
from edgegreen.meters import METERS, joulescope, ppk2
from edgegreen.meters.told import Told


class Driver:
    """One that has the instruments `paths` and gives statistics as soon as they are wanted."""

    paths = ["u/js220/000415"]
    latest: Driver

    def __init__(self) -> None:
        Driver.latest = self
        self.published: dict[str, Any] = {}
        self.opened, self.finalized = "", False

    def device_paths(self) -> list[str]:
        return self.paths

    def open(self, path: str) -> None:
        if path not in self.paths:
            raise RuntimeError("jsdrv_open failed")
        self.opened = path

    def publish(self, topic: str, value: Any) -> None:
        self.published[topic] = value

    def subscribe(self, topic: str, flags: str, callback: Any) -> None:
        assert (topic.partition("/s/")[0], flags) == (self.opened, "pub")
        for n in range(3):
            level = {"value": 2.0 + n, "units": "W"}
            callback(topic, {"signals": {"power": {"avg": level}}, "accumulators": {}})

    def finalize(self) -> None:
        self.finalized = True


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> type[Driver]:
    monkeypatch.setitem(sys.modules, "pyjoulescope_driver", SimpleNamespace(Driver=Driver))
    monkeypatch.setattr(Driver, "paths", ["u/js220/000415"])
    return Driver


def kept(meter: Told) -> list[float]:
    values: list[float] = []
    meter.record(lambda _t_ns, _took_ns, watts: values.append(watts), lambda _s: False)
    return values


class TestJoulescope:
    def test_a_js220(self, driver: type[Driver]) -> None:
        meter = joulescope.open_meter(Joulescope(meter="joulescope", every_s=0.05))
        assert meter.first() == 2.0
        assert kept(meter) == [2.0, 3.0, 4.0]
        assert driver.latest.published["u/js220/000415/s/stats/scnt"] == 50_000
        assert driver.latest.published["u/js220/000415/s/stats/ctrl"] == 1
        assert (meter.about.averaging_s, meter.about.update_s) == (0.05, 0.0)
        meter.close()
        assert driver.latest.finalized

    def test_a_js110_has_its_own_pace(self, driver: type[Driver], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(driver, "paths", ["u/js220/1", "u/js110/2"])
        meter = joulescope.open_meter(Joulescope(meter="joulescope", device="js110"))
        assert (meter.first(), meter.about.averaging_s) == (2.0, 0.5)

    @pytest.mark.parametrize(
        ("paths", "words"), [([], "found: none"), (["u/js220/1", "u/js220/2"], "u/js220/1, u/")]
    )
    def test_none_or_several(
        self, driver: type[Driver], paths: list[str], words: str, monkeypatch: Any
    ) -> None:
        monkeypatch.setattr(driver, "paths", paths)
        with pytest.raises(Unreadable, match=f"{words}.*name one as `device`"):
            joulescope.open_meter(Joulescope(meter="joulescope"))
        assert driver.latest.finalized

    def test_what_the_driver_raises(self, driver: type[Driver], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(driver, "open", lambda *_: (_ for _ in ()).throw(RuntimeError("in use")))
        with pytest.raises(Unreadable, match="the Joulescope cannot be used: in use"):
            joulescope.open_meter(Joulescope(meter="joulescope"))


class Api:
    """A kit through which 0.25 A flow, 100 samples each time it is read."""

    devices: Any = ["/dev/ttyACM0"]
    latest: Api

    def __init__(self, port: str, **_: object) -> None:
        Api.latest = self
        self.port, self.said, self.broken = port, [], False

    @staticmethod
    def list_devices() -> Any:
        return Api.devices

    def __getattr__(self, name: str) -> Any:
        return lambda *words: self.said.append((name, *words))

    def get_modifiers(self) -> bool:
        return True

    def get_data(self) -> bytes:
        if self.broken:
            raise OSError("device disconnected")
        return b"\0" * 400

    def get_samples(self, data: bytes) -> tuple[list[float], list[int]]:
        return [250_000.0] * (len(data) // 4), []


@pytest.fixture
def kit(monkeypatch: pytest.MonkeyPatch) -> type[Api]:
    monkeypatch.setitem(sys.modules, "ppk2_api", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "ppk2_api.ppk2_api", SimpleNamespace(PPK2_API=Api))
    return Api


class TestPpk2:
    def test_current_times_voltage(self, kit: type[Api]) -> None:
        meter = ppk2.open_meter(Ppk2(meter="ppk2", supply_v=5.1, every_s=0.02))
        assert meter.first() == pytest.approx(0.25 * 5.1)
        time.sleep(0.1)
        assert len(kept(meter)) >= 2
        meter.close()
        said = kit.latest.said
        assert said[:2] == [("use_ampere_meter",), ("set_source_voltage", 5100)]
        assert said[-1] == ("stop_measuring",)
        assert ("toggle_DUT_power", "OFF") not in said  # which would switch the board off
        assert not [thread for thread in threading.enumerate() if thread.name == "meter ppk2"]

    @pytest.mark.parametrize(
        "devices", [[], ["/dev/ttyACM0", "/dev/ttyACM1"], [("/dev/a", "1"), ("/dev/b", "2")]]
    )
    def test_none_or_several(self, kit: type[Api], devices: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(kit, "devices", devices)
        with pytest.raises(Unreadable, match=f"{len(devices)} Power Profiler Kits .*name one as `port`"):
            ppk2.open_meter(Ppk2(meter="ppk2", supply_v=5))
        named = ppk2.open_meter(Ppk2(meter="ppk2", supply_v=5, port="/dev/b"))
        named.close()
        assert kit.latest.port == "/dev/b"

    def test_one_that_is_unplugged(self, kit: type[Api]) -> None:
        meter = ppk2.open_meter(Ppk2(meter="ppk2", supply_v=5, every_s=0.02))
        meter.first()
        kit.latest.broken = True
        time.sleep(0.05)
        summary = meter.record(lambda *_: None, lambda _s: True)
        assert summary.error == "the kit cannot be read: device disconnected"
        meter.close()


@pytest.mark.parametrize(
    ("kind", "package"), [("joulescope", "pyjoulescope_driver"), ("ppk2", "ppk2_api.ppk2_api")]
)
def test_without_its_package_the_way_to_it_is_told(
    kind: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package.partition(".")[0], None)
    monkeypatch.setitem(sys.modules, package, None)
    keys = Joulescope(meter="joulescope") if kind == "joulescope" else Ppk2(meter="ppk2", supply_v=5)
    with pytest.raises(Unreadable, match=rf"not installed; pip install 'edgegreen\[{kind}\]'"):
        METERS[kind](keys)
