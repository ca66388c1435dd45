"""Target files of what was found: valid, kept as given, with reasons; and where they are written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from agent.meters.boards import NAMES
from hypothesis import given
from hypothesis import strategies as st

from edgegreen import target
from edgegreen.config import yamlfile
from edgegreen.config.meterkeys import Command
from edgegreen.errors import InputError
from edgegreen.probe import Probed, identify, targetfile
from edgegreen.probe.facts import BoardFacts
from edgegreen.target import PowerMeter, Target

TODAY = date(2026, 11, 22)
Facts = Callable[[str], BoardFacts]


def probed(facts: BoardFacts, **fields: object) -> Probed:
    asked = Target.model_validate({"host": "board.local", **fields}).called("board")
    return Probed(asked, facts, identify(facts))


def read(found: Probed) -> tuple[str, Target]:
    text = targetfile.text(found, TODAY)
    return text, yamlfile.parse(text, Target, "made")


@pytest.mark.parametrize("name", NAMES)
def test_a_board_has_a_valid_target(facts: Facts, name: str) -> None:
    found = probed(facts(name), port=2222, user="pi")
    text, made = read(found)
    assert (made.family, made.host, made.port, made.user) == (
        found.identity.family,
        "board.local",
        2222,
        "pi",
    )
    assert text.startswith(f"# {found.identity.name}, as it told on 2026-11-22")
    assert "# from " in text
    assert made.is_metered == any(meter.kind in text for meter in found.facts.meters)


def test_the_right_python_is_named_where_python3_is_not_it(facts: Facts) -> None:
    text, made = read(probed(facts("jetson-nano-jp4")))
    assert made.python.endswith("/python3.8")
    assert "Python 3.8.0 has no runtime" in text
    assert "python:" not in read(probed(facts("raspberry-pi-5")))[0]


def test_a_python_that_works_is_kept_as_it_was_given(facts: Facts) -> None:
    assert read(probed(facts("raspberry-pi-5"), python="~/venv/bin/python"))[1].python == "~/venv/bin/python"
    broken = replace(facts("raspberry-pi-5"), python=None)
    assert read(probed(broken, python="~/gone/bin/python"))[1].python.endswith("/commands/python3")


def test_a_board_without_python_says_so() -> None:
    text, made = read(probed(BoardFacts(model="Raspberry Pi 5 Model B Rev 1.1")))
    assert "No Python 3.7 or newer was found" in text
    assert made.python == "python3"


def test_a_meter_that_may_not_be_read_comes_with_the_fix(facts: Facts) -> None:
    text, made = read(probed(facts("raspberry-pi-cm5")))
    assert made.power == PowerMeter()
    assert "may not read now" in text
    assert "usermod -aG video" in text


def test_a_meter_of_no_use_to_the_family_is_told_of(facts: Facts) -> None:
    text, _ = read(probed(facts("jetson-thor")))
    assert "# Energy by the meter `ina238` (VIN)." in text
    assert "# Found too, and not taken unasked: the meter `ina3221`" in text


def test_everything_given_is_kept(facts: Facts) -> None:
    given_ = {
        "host": "fe80::1", "identity_file": Path("~/.ssh/bench key"), "proxy_jump": "me@gate.example:2200",
        "root": "/data/edge green", "sysfs_root": "/host", "runtimes": ("openvino",),
        "power": PowerMeter(meter="hwmon", rail="ina219@1-0040 + #2", scope="board"),
    }  # fmt: skip
    _, made = read(probed(facts("raspberry-pi-4-ina219"), **given_))
    assert {key: getattr(made, key) for key in given_} == given_
    assert made.family == "raspberry-pi-4"


def test_a_meter_that_this_machine_reads_is_kept_and_what_a_run_may_do(facts: Facts) -> None:
    power = Command(meter="command", command=("read watts", "--channel", "1"), every_s=0.5)
    given_ = {"power": power, "provision": False, "patience_s": 20.5, "allow_tuning": True}
    _, made = read(probed(facts("raspberry-pi-4"), **given_))
    assert {key: getattr(made, key) for key in given_} == given_


@given(st.text(max_size=80))
def test_what_a_board_calls_itself_stays_a_comment(name: str) -> None:
    told = replace(identify(BoardFacts()), name=f"{name}\nroot: /etc\n- x")
    found = replace(probed(BoardFacts()), identity=told)
    assert read(found)[1] == Target(family="linux", host="board.local")


@pytest.mark.parametrize("host", ["null", "on", "1e3", "0x10", "a", "10.0.7.31", "12", "pi-5.local"])
def test_hosts_are_read_back_as_they_were(host: str) -> None:
    assert read(probed(BoardFacts(), host=host))[1].host == host


class TestPlaces:
    def test_written_and_read_back(self, tmp_path: Path, facts: Facts) -> None:
        path = targetfile.place("kitchen", tmp_path / "new" / "targets")
        made = targetfile.write(path, probed(facts("raspberry-pi-5")))
        assert made == target.load(tmp_path / "new" / "targets" / "kitchen.yaml")
        assert made.name == "kitchen"
        assert [entry.name for entry in path.parent.iterdir()] == ["kitchen.yaml"]

    def test_nothing_is_overwritten_unasked(self, tmp_path: Path) -> None:
        (tmp_path / "pi5.yaml").write_text("family: linux\n")
        with pytest.raises(InputError, match="is there already") as caught:
            targetfile.place("pi5", tmp_path)
        assert "--force" in (caught.value.hint or "")
        assert targetfile.place("pi5", tmp_path, force=True) == tmp_path / "pi5.yaml"

    @pytest.mark.parametrize("name", ["", "../pi", "a/b", ".hidden", "pi five", "ssh://pi", "x" * 80, "pi\n"])
    def test_names_that_are_none(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(InputError, match="cannot be a target's name"):
            targetfile.place(name, tmp_path)

    def test_a_folder_that_cannot_be_made(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(InputError, match="cannot write"):
            targetfile.write(tmp_path / "file" / "x.yaml", probed(BoardFacts()))
