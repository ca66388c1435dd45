"""The series behind a row, drawn: a throttled board, a meter's trace, alike clocks, files that are broken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from builders import measurement
from rich.cells import cell_len

from edgegreen.history import series
from edgegreen.history.series import Levels, Series
from edgegreen.report import traces

S = 1_000_000_000


def kept(**changes: Any) -> Series:
    calls = np.full(1000, 2_000_000)
    whole: dict[str, Any] = {
        "invoke_ns": calls,
        "end_to_end_ns": calls,
        "windows": {"active": (10 * S, 20 * S)},
    }
    return Series(**(whole | changes))


def drawn(of: Series) -> dict[str, list[str]]:
    return {name: list(lines) for name, lines in traces.drawn(of, 10).items()}


def test_a_throttled_board_is_seen_as_a_step() -> None:
    (line,) = drawn(kept(invoke_ns=np.repeat([2_000_000, 4_000_000], 500)))["calls"]
    assert line == "▁▁▁▁▁█████  2.00 to 4.00 ms, 1,000 calls"


def test_the_spread_ends_at_p99_and_names_the_slowest() -> None:
    calls = np.concatenate([np.linspace(1e6, 2e6, 1000), [9e6]])
    (line,) = drawn(kept(invoke_ns=calls))["spread"]
    assert line.endswith("  1.00 to 1.99 ms, slowest 9.00")
    assert len(line.split("  ")[0]) == 10
    assert drawn(kept())["spread"] == []  # all alike


def test_power_with_when_it_ran_below() -> None:
    t = np.arange(0, 30 * S, S // 10)
    watts = np.where((t >= 10 * S) & (t < 20 * S), 6.0, 2.0)
    first, second = drawn(kept(power_t_ns=t, power_w=watts))["watts"]
    assert first == "▁▁▁▆██▆▁▁▁  2.00 to 6.00 W over 30 s"
    assert second == "   ────     while the model ran"
    assert drawn(kept())["watts"] == []


def test_alike_clocks_share_a_line_and_the_restless_come_first() -> None:
    t = np.arange(20) * S
    steady, falling = np.full(20, 1500.0), np.linspace(2400.0, 600.0, 20)
    untold = np.full(20, np.nan)
    values = {"cpu0": steady, "cpu1": steady, "gpu": falling, "npu": untold}
    lines = drawn(kept(frequency_mhz=Levels(t, values)))["clock"]
    assert [line.rpartition(", ")[2] for line in lines] == ["gpu", "cpu0 … cpu1"]
    assert lines[0].startswith("█")
    many = {f"zone{n}": np.full(20, 40.0 + n) for n in range(5)}
    assert drawn(kept(temperature_c=Levels(t, many)))["°C"][-1] == "and 2 that changed less"


def test_at_80_columns_every_line_fits(tmp_path: Path) -> None:
    t = np.arange(200) * S
    item = measurement()
    busy = np.random.default_rng(1).uniform(1e5, 9e8, 100_000)
    names = {"a-thermal-zone-with-a-long-name": np.linspace(1000, 2000, 200)}
    series.save(tmp_path, item, kept(
        invoke_ns=busy, power_t_ns=t, power_w=np.linspace(1.234, 20, 200),
        frequency_mhz=Levels(t, names), temperature_c=Levels(t, names),
    ))  # fmt: skip
    lines = [line for told in traces.facts(series.in_folder(tmp_path), item, 80).values() for line in told]
    assert len(lines) == 6
    assert max(map(cell_len, lines)) <= 80 - 9
    assert traces.facts(series.in_folder(tmp_path), measurement("other"), 80) == {}
    assert traces.facts(series.nowhere, item, 80) == {}


def test_a_broken_file_is_told(tmp_path: Path) -> None:
    item = measurement()
    (tmp_path / series.name_of(item)).write_bytes(b"no zip")
    (line,) = traces.facts(series.in_folder(tmp_path), item, 80)["series"]
    assert "no series that this edgegreen can read" in line
