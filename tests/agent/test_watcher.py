from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from agent.meters import boards
from edgegreen.agent import watcher
from edgegreen.agent.meters.tree import Output, Unreadable
from edgegreen.agent.watcher import Watcher


def test_a_run_is_followed(tmp_path: Path) -> None:
    board = boards.lay_out("raspberry-pi-3", tmp_path)
    bits = ["0x0", "0x0", "0x50005", "0x50004"]

    def run(argv: Sequence[str]) -> Output:
        assert list(argv) == ["vcgencmd", "get_throttled"]
        return Output(0, f"throttled={bits.pop(0)}\n")

    follower = Watcher(board.root, run)
    clock = board.path("/sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq")
    heat = board.path("/sys/class/thermal/thermal_zone0/temp")
    alarm = board.path("/sys/class/hwmon/hwmon1/in0_lcrit_alarm")
    polls = []
    for khz, millidegrees, volts in ((1400000, 70123, 0), (600000, 84456, 1), (1000000, 80000, 0)):
        clock.write_text(str(khz))
        heat.write_text(str(millidegrees))
        alarm.write_text(str(volts))
        polls.append(follower.poll())
    follower.close()
    assert json.loads(json.dumps(polls, allow_nan=False)) == polls
    assert watcher.summarize(polls) == {
        "polls": 3,
        "frequency_mhz": {"policy0": {"min": 600, "max": 1400, "mean": 1000}},
        "temperature_max_c": {"cpu-thermal": 84.456},
        "throttled": {"undervoltage": 1, "frequency_capped": 0, "throttled": 2, "soft_temperature_limit": 0},
        "undervoltage_polls": 1,
        "throttle_alerts": {},
        "cpu_foreign": None,  # no time passes in a recording
    }


def test_what_is_absent_for_once_is_left_out(tmp_path: Path) -> None:
    board = boards.lay_out("jetson-orin-nano-jp6", tmp_path)
    follower = Watcher(board.root, board.run)
    heat = board.path("/sys/class/thermal/thermal_zone8/temp")
    polls = [follower.poll()]
    heat.write_text("")  # as EAGAIN would
    polls.append(follower.poll())
    heat.write_text("70000")
    polls.append(follower.poll())
    assert [poll["temperature_c"]["tj-thermal"] for poll in polls] == [pytest.approx(63.781), None, 70]
    seen = watcher.summarize(polls)
    assert seen["temperature_max_c"] == {"cpu-thermal": 63.625, "tj-thermal": 70}
    assert seen["throttle_alerts"] == {"gpu-throttle-alert": 0, "cpu-throttle-alert": 3}
    assert (seen["throttled"], seen["undervoltage_polls"]) == (None, None)


def test_a_firmware_that_is_silent_for_once_is_asked_again(tmp_path: Path) -> None:
    board = boards.lay_out("raspberry-pi-3", tmp_path)
    outputs = [Output(0, "throttled=0x0"), Output(1, ""), Output(0, "throttled=0x4")]
    follower = Watcher(board.root, lambda argv: outputs.pop(0))
    assert [follower.poll()["throttled_bits"] for _ in range(2)] == [None, 4]
    follower.close()


def test_a_board_without_a_firmware_is_asked_once(tmp_path: Path) -> None:
    board = boards.lay_out("coral-dev", tmp_path)
    asked = []

    def run(argv: Sequence[str]) -> Output:
        asked.append(argv)
        raise Unreadable("command `vcgencmd`: No such file or directory")

    follower = Watcher(board.root, run)
    assert [follower.poll()["throttled_bits"] for _ in range(3)] == [None] * 3
    assert len(asked) == 1


def test_nothing_seen_is_nothing_said() -> None:
    seen = watcher.summarize([])
    assert seen == {
        "polls": 0,
        "frequency_mhz": {},
        "temperature_max_c": {},
        "throttled": None,
        "undervoltage_polls": None,
        "throttle_alerts": {},
        "cpu_foreign": None,
    }


def test_this_machine_is_followed_cheaply() -> None:
    follower = Watcher()
    time.sleep(0.1)
    before = time.process_time()
    polls = [follower.poll() for _ in range(10)]
    assert (time.process_time() - before) / 10 < 0.01  # of a core, once a second
    assert 0 <= polls[0]["cpu_foreign"] <= 1
    follower.close()
