"""Energy end to end: a meter simulator's power, through `edgegreen deploy`, comes back as the true energy."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from meter_simulator import CHIP
from meters.plugs import gen2, serving
from numpy.typing import NDArray
from places import REPO

from edgegreen.cli import cli
from edgegreen.history import runs

IDLE_W, ADDED_W = 3.0, 2.0
MODEL = REPO / "tests" / "fixtures" / "models" / "two_in_two_out.tflite"
pytestmark = [
    pytest.mark.slow,  # whole runs, seconds each
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]


@pytest.fixture
def played(tmp_path: Path, home: Path) -> Iterator[Path]:
    """The log of a simulator that plays into tmp_path/board."""
    log = tmp_path / "played.log"
    command = [sys.executable, str(REPO / "tests" / "meter_simulator.py")]
    process = subprocess.Popen([*command, tmp_path / "board", home, str(IDLE_W), str(ADDED_W), log])
    try:
        while not (log.exists() and log.stat().st_size):
            assert process.poll() is None
            time.sleep(0.02)
        yield log
    finally:
        process.kill()
        process.wait()


def deploy(folder: Path, target: str, benchmark: str) -> tuple[dict[str, Any], str]:
    """The result of a recipe of one model on this machine, and the table."""
    (folder / "recipe.yaml").write_text(f"name: small\nmodel: {MODEL}\nbenchmark: {benchmark}\n")
    (folder / "here.yaml").write_text(f"host: local\n{target}\n")
    return run(folder, "--target", "here.yaml", "--record", "recorded")


def run(folder: Path, *arguments: str) -> tuple[dict[str, Any], str]:
    """The result of the recipe there, and the table."""
    done = subprocess.run(
        [sys.executable, "-m", "edgegreen", "deploy", "recipe.yaml", "--json", "o", *arguments],
        cwd=folder, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (result,) = json.loads((folder / "o").read_text())["results"]
    return result, done.stdout


def levels_w(log: Path, window_ns: list[int]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The power that was played in a window and for how long (ns), each level lasting until the next."""
    t_ns, watts = np.loadtxt(log, dtype=[("t", "i8"), ("w", "f8")], unpack=True)
    inner = (t_ns > window_ns[0]) & (t_ns < window_ns[1])
    edges = np.concatenate(([window_ns[0]], t_ns[inner], [window_ns[1]]))
    return np.concatenate(([watts[t_ns <= window_ns[0]][-1]], watts[inner])), np.diff(edges)


def mean_w(log: Path, window_ns: list[int]) -> float:
    """The mean power that was played in a window."""
    levels, lasting_ns = levels_w(log, window_ns)
    return float(levels @ lasting_ns / (window_ns[1] - window_ns[0]))


def widest_w(log: Path, window_ns: list[int], n: int, added_w: float) -> float:
    """How wide half an interval from `n` readings may be to be of use: a quarter of what the model adds.

    Where the machine is so busy that the power itself goes up and down more than that, twice what a 95 %
    interval of its mean has to be: by its changes between twelfths of the window, and by the readings'.
    """
    levels, _ = levels_w(log, window_ns)
    parts = np.linspace(*window_ns, 13).astype(np.int64)
    means = [mean_w(log, [int(start), int(end)]) for start, end in pairwise(parts)]
    error_w = np.hypot(np.std(means, ddof=1) / len(means) ** 0.5, np.std(levels) / n**0.5)
    return max(0.25 * added_w, 2 * 1.96 * float(error_w))


def test_the_energy_that_was_played_comes_back(tmp_path: Path, played: Path) -> None:
    target = f"sysfs_root: {tmp_path / 'board'}\npower: {{meter: hwmon, scope: board}}"
    result, table = deploy(tmp_path, target, "{duration_s: 6, idle_s: 4}")
    windows = result["conditions"]["windows_ns"]
    assert list(windows) == ["idle_before", "active", "idle_after"]
    for name in ("idle_before", "idle_after"):
        assert (windows[name][1] - windows[name][0]) / 1e9 == pytest.approx(4, abs=0.5)
        assert mean_w(played, windows[name]) == pytest.approx(IDLE_W, abs=0.05)  # the trial was asleep

    assert result["energy_absent"] is None
    power, energy = result["power"], result["energy"]
    mj_per_w = 1e3 / result["throughput_ips"]
    added_w = mean_w(played, windows["active"]) - IDLE_W
    assert added_w > 0.2 * ADDED_W
    low, high = energy["ci95_mj"]
    half = (high - low) / 2
    # In 95 of 100 runs the truth is in the interval; in twice the interval, in all but one of thousands.
    assert energy["per_inference_mj"] == pytest.approx(added_w * mj_per_w, abs=2 * half)
    assert half < widest_w(played, windows["active"], power["n"], added_w) * mj_per_w
    assert energy["gross_mj"] == pytest.approx((added_w + IDLE_W) * mj_per_w, abs=2 * half)
    assert power["idle_w"] == pytest.approx(IDLE_W, abs=0.05)
    assert (power["rail"], power["scope"]) == ("ina226@hwmon0", "board")
    assert power["n"] >= 50

    meter = result["conditions"]["meter"]
    assert (meter["about"]["kind"], meter["why"].split(",")[0]) == ("hwmon", "hwmon")
    kept = runs.find("latest")
    (item,) = kept.run.results
    behind = kept.series(item)
    assert behind is not None
    start_ns, end_ns = behind.windows["active"]
    active = behind.power_w[(behind.power_t_ns > start_ns) & (behind.power_t_ns < end_ns)]
    assert active.mean() == pytest.approx(power["active_w"], rel=0.1)  # the same, but for the edges
    assert len(behind.invoke_ns) == item.latency_ms.n

    heading, row = table.splitlines()[1:3]
    assert "Power W" in heading
    assert "mJ/inference" in heading
    assert "±" in row

    said = CliRunner().invoke(cli, ["show", "latest", "--battery-wh", "10", "--per-hour", "60"]).output
    assert f"hwmon: {meter['about']['source']}, ina226@hwmon0 (board)" in said
    use = said.partition("In use")[2].splitlines()
    assert use[1].split() == ["Variant", "Average", "W", "Battery"]
    # An inference a minute adds next to nothing to the 3 W that were played.
    watts, hours = re.findall(r"([\d.]+) ±", use[2])
    assert float(watts) == pytest.approx(IDLE_W, abs=0.05)
    assert float(hours) == pytest.approx(10 / IDLE_W, rel=0.02)

    replayed, _ = run(tmp_path, "--target", "replay:recorded")  # what the meter said is in the recording
    assert (replayed["power"], replayed["energy"]) == (power, energy)
    assert replayed["conditions"]["replayed"]["board"] == "here"


# What a bench instrument's program may look like: it prints what the simulator plays, and when.
RELAY = """
import sys, time
while True:
    with open(sys.argv[1]) as power:
        print(time.time(), int(power.read()) / 1e6, flush=True)
    time.sleep(0.02)
"""


def test_the_energy_that_was_played_comes_back_from_a_program_on_the_host(
    tmp_path: Path, played: Path
) -> None:
    (tmp_path / "relay.py").write_text(RELAY)
    words = json.dumps([sys.executable, "relay.py", str(tmp_path / "board" / CHIP / "power1_input")])
    target = f"power: {{meter: command, command: {words}, timestamps: unix}}"
    result, _ = deploy(tmp_path, target, "{duration_s: 3, idle_s: 2}")

    assert result["energy_absent"] is None
    energy, mj_per_w = result["energy"], 1e3 / result["throughput_ips"]
    active = result["conditions"]["windows_ns"]["active"]
    added_w = mean_w(played, active) - IDLE_W
    assert added_w > 0.2 * ADDED_W
    low, high = energy["ci95_mj"]
    half = (high - low) / 2
    assert energy["per_inference_mj"] == pytest.approx(added_w * mj_per_w, abs=2 * half)  # as above
    assert half < widest_w(played, active, result["power"]["n"], added_w) * mj_per_w

    meter = result["conditions"]["meter"]
    assert (meter["read_on"], meter["about"]["kind"], meter["about"]["scope"]) == ("host", "command", "board")
    assert 0.02 < meter["period_s"] < 0.2
    assert 0 < meter["alignment_s"] < 0.1
    assert result["conditions"]["sampler"]["n"] > 150
    assert result["conditions"]["during"]["polls"] >= 1  # the board's own sampler goes on watching


def test_a_plug_needs_more_time_and_says_how_much(tmp_path: Path) -> None:
    with serving(gen2(lambda: round(random.uniform(2, 4), 1))) as plug:
        target = f"power: {{meter: shelly, address: '{plug.address}'}}"
        result, table = deploy(tmp_path, target, "{duration_s: 0.5, idle_s: 1}")
    assert result["power"] is None
    why = r"too few readings of the idle time before the model ran: \d that speak of nothing else"
    assert re.fullmatch(why, result["energy_absent"])
    assert f"– energy: {result['energy_absent']}" in table
    assert result["conditions"]["meter"]["period_s"] == 1.0
    assert result["latency_ms"]["n"] > 50


def test_a_plug_that_is_off_costs_the_energy_and_nothing_else(tmp_path: Path) -> None:
    with serving(gen2(lambda: 3.0)) as plug:
        pass
    target = f"power: {{meter: shelly, address: '{plug.address}'}}"
    result, _ = deploy(tmp_path, target, "{duration_s: 0.2, idle_s: 0.2}")
    assert result["energy_absent"] == f"{plug.address} cannot be asked: Connection refused"
    assert result["conditions"]["meter"]["about"] is None
    assert result["latency_ms"]["n"] >= 50


def test_a_meter_that_is_not_there_leaves_a_dash_and_its_reason(tmp_path: Path) -> None:
    target = f"family: raspberry-pi-4\nsysfs_root: {tmp_path}\npower: {{meter: auto}}"
    result, table = deploy(tmp_path, target, "{duration_s: 0.2, idle_s: 0.2}")
    why = "a Raspberry Pi 4 has no power sensor of its own; found no power sensor in hwmon"
    assert (result["power"], result["energy"], result["energy_absent"]) == (None, None, why)
    assert "mJ/inference" in table
    assert table.count(f"– energy: {why}") == 1


def test_without_a_meter_nothing_waits_and_the_way_to_one_is_told(tmp_path: Path) -> None:
    result, table = deploy(tmp_path, "", "{duration_s: 0.2, idle_s: 3600}")
    assert result["energy"] is None
    assert "names no meter; `power: {meter: auto}` in its file" in result["energy_absent"]
    assert list(result["conditions"]["windows_ns"]) == ["active"]
    assert result["conditions"]["meter"] is None
    before, after = (result["conditions"][when] for when in ("before", "after"))
    assert before["t_ns"] < result["conditions"]["windows_ns"]["active"][0] < after["t_ns"]
    assert before["memory_available_bytes"] > 0
    assert "mJ/inference" not in table
