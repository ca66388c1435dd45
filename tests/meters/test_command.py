"""Programs that print watts: real ones, well and badly behaved."""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from edgegreen.agent.meters.tree import Unreadable
from edgegreen.config.meterkeys import Command
from edgegreen.meters import command
from edgegreen.meters.asked import Asked
from edgegreen.meters.told import Told

KEEPS = "import sys, time\nfor n in range(10**6):\n    print({line}, flush=True)\n    time.sleep(0.02)\n"


def program(folder: Path, text: str) -> tuple[str, ...]:
    path = folder / "meter.py"
    path.write_text(text)
    return sys.executable, str(path)


def opened(words: tuple[str, ...], **keys: Any) -> Asked | Told:
    return command.open_meter(Command(meter="command", command=words, **keys))


def recorded(meter: Asked | Told, seconds: float) -> tuple[list[tuple[int, int, float]], Any]:
    """What it gives in so long, and its summary; it is closed then."""
    kept: list[tuple[int, int, float]] = []
    end = time.monotonic() + seconds

    def wait(wanted_s: float) -> bool:
        time.sleep(min(wanted_s, max(0.0, end - time.monotonic())))
        return time.monotonic() < end

    try:
        summary = meter.record(lambda *reading: kept.append(reading), wait)
    finally:
        meter.close()
    return kept, summary


def test_one_that_keeps_printing(tmp_path: Path) -> None:
    start_ns = time.monotonic_ns()
    meter = opened(
        program(tmp_path, KEEPS.format(line="f'# nonsense\\n{n / 2}'")), averaging_s=0.02, rail="12V"
    )
    assert meter.first() == 0.0
    kept, summary = recorded(meter, 0.5)
    assert [watts for _, _, watts in kept] == [n / 2 for n in range(len(kept))]
    times = [t_ns for t_ns, _, _ in kept]
    assert start_ns < times[0] < times[-1] < time.monotonic_ns()
    assert summary.n == len(kept) > 10
    assert 0.015 < summary.period_s < 0.05
    assert (summary.failed, summary.error) == (0, None)
    assert (meter.about.rail, meter.about.scope, meter.about.averaging_s) == ("12V", "board", 0.02)


@pytest.mark.parametrize(("timestamps", "clock"), [("unix", "time"), ("monotonic", "monotonic")])
def test_times_of_its_own(tmp_path: Path, timestamps: str, clock: str) -> None:
    """It says each line half a second late, and when it was true."""
    line = f"f'{{time.{clock}() - 0.5:.9f}}, {{n}}'"
    meter = opened(program(tmp_path, KEEPS.format(line=line)), timestamps=timestamps)
    assert meter.first() == 0
    assert meter.clock == timestamps
    now_ns = getattr(time, f"{clock}_ns")()
    kept, _ = recorded(meter, 0.2)
    assert all(abs(t_ns - now_ns + 500_000_000) < 400_000_000 for t_ns, _, _ in kept)


@pytest.mark.parametrize("hours", [1, -1])
def test_times_of_another_clock_are_found_out(tmp_path: Path, hours: int) -> None:
    line = f"time.time() + {hours * 3600}, n"
    meter = opened(program(tmp_path, KEEPS.format(line=line)), timestamps="unix")
    command_s = r"3(600|599)\.\d s " + ("ahead of" if hours > 0 else "behind")
    with pytest.raises(
        Unreadable, match=command_s + r" this machine's clock; seconds since 1970, UTC are wanted"
    ):
        _first(meter, 0.3)
    meter.close()


def _first(meter: Asked | Told, seconds: float) -> float:
    assert isinstance(meter, Told)
    meter._first_s = seconds
    return meter.first()


def test_lines_that_make_no_sense_are_readings_that_failed(tmp_path: Path) -> None:
    line = "['3.5', 'oops', '4 5', 'inf', '', '1e3'][n % 6]"
    meter = opened(program(tmp_path, KEEPS.format(line=line)))
    assert meter.first() == 3.5
    kept, summary = recorded(meter, 0.4)
    values = [watts for _, _, watts in kept[:5]]
    assert [None if math.isnan(watts) else watts for watts in values] == [3.5, None, None, None, 1000]
    assert 0.4 < summary.failed / summary.n < 0.7
    assert "which is no power" in summary.error or "should be `watts`" in summary.error


def test_a_burst_has_one_time_so_that_the_hole_before_it_shows(tmp_path: Path) -> None:
    text = (
        "import time\nwhile True:\n    print('1\\n2\\n3\\n' * 5, end='', flush=True)\n    time.sleep(0.1)\n"
    )
    meter = opened(program(tmp_path, text))
    meter.first()
    kept, summary = recorded(meter, 0.5)
    assert len({t_ns for t_ns, _, _ in kept}) < len(kept) / 3
    assert summary.period_s == pytest.approx(0.1, rel=0.3)


def test_one_that_ends_says_so(tmp_path: Path) -> None:
    text = "import sys\nprint(3, flush=True)\nsys.exit('the instrument was unplugged')\n"
    meter = opened(program(tmp_path, text))
    assert meter.first() == 3
    kept, summary = recorded(meter, 5)
    assert len(kept) == 1
    assert summary.error.endswith("` ended with exit code 1: the instrument was unplugged")
    assert summary.wall_s < 2


def test_one_that_ends_at_once_or_keeps_silent(tmp_path: Path) -> None:
    meter = opened(program(tmp_path, "raise SystemExit('no instrument at /dev/x')"))
    with pytest.raises(Unreadable, match="ended with exit code 1: no instrument at /dev/x"):
        meter.first()
    meter.close()
    buffered = "import time\nout = open(1, 'w')\nout.write('3\\n')\ntime.sleep(60)\n"
    meter = opened(program(tmp_path, buffered))
    with pytest.raises(Unreadable, match=r"no reading came in 0\.3 s from .*does it print each line at once"):
        _first(meter, 0.3)
    meter.close()
    with pytest.raises(Unreadable, match="`/nonexistent/meter` cannot be run: No such file or directory"):
        opened(("/nonexistent/meter",))


def test_an_endless_line_is_not_kept(tmp_path: Path) -> None:
    meter = opened(program(tmp_path, "import sys\nwhile True:\n    sys.stdout.write('1' * 1000)\n"))
    with pytest.raises(Unreadable, match="a line of more than 4096 bytes"):
        meter.first()
    meter.close()


@pytest.mark.slow
def test_it_ends_with_all_it_started(tmp_path: Path) -> None:
    """Also a program that does not want to."""
    text = (
        "import signal, subprocess, sys, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen(['sleep', '600'])\nprint(child.pid, flush=True)\ntime.sleep(600)\n"
    )
    meter = opened(program(tmp_path, text))
    child = psutil.Process(int(meter.first()))
    command_end_s, command.END_S = command.END_S, 0.2
    try:
        meter.close()
    finally:
        command.END_S = command_end_s
    _, alive = psutil.wait_procs([child], timeout=5)
    assert alive == [] or alive[0].status() == psutil.STATUS_ZOMBIE


class TestRuns:
    """One run for each reading."""

    def test_the_last_line_counts(self, tmp_path: Path) -> None:
        text = "import time\nprint('warming up')\ntime.sleep(0.05)\nprint(f' {time.monotonic():.6f} ')\n"
        meter = opened(program(tmp_path, text), every_s=0.2)
        before_s = time.monotonic()
        assert before_s < meter.first() < time.monotonic()
        kept, summary = recorded(meter, 1.0)
        assert summary.n == len(kept) >= 3
        for t_ns, took_ns, watts in kept:  # it was read at some time while it was asked for
            assert took_ns > 50_000_000
            assert abs(t_ns / 1e9 - watts) <= took_ns / 2e9

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("raise SystemExit('busy')", "ended with exit code 1: busy"),
            ("pass", "says '', which is no power"),
            ("import os\nos.abort()", "died of SIGABRT"),
        ],
    )
    def test_a_run_that_fails(self, tmp_path: Path, text: str, words: str) -> None:
        with pytest.raises(Unreadable, match=words):
            opened(program(tmp_path, text), every_s=1.0).first()

    def test_a_run_that_hangs(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(command, "RUN_S", 0.2)
        meter = opened(program(tmp_path, "import time\ntime.sleep(600)"), every_s=1.0)
        with pytest.raises(Unreadable, match=r"took more than 0\.2 s"):
            meter.first()
