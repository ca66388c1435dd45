"""The small tables: whole at 80 columns, dashes with reasons, assumptions in words."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from builders import BOARD, measurement, metered, run
from rich.cells import cell_len
from rich.console import Console

from edgegreen.config.footprintkeys import Footprint
from edgegreen.judging import comparison
from edgegreen.measurement import Measurement, Tuning
from edgegreen.report import green

BATTERY = Footprint(battery_wh=18.5, inferences_per_hour=3600, grid_gco2e_per_kwh=400)


def shown(*items: Measurement, width: int = 80, full: bool = True, **wanted: Any) -> str:
    out = io.StringIO()
    of = run(*items, baseline="fp32-tflite", **wanted)
    green.show(of, comparison.of(of), Console(file=out, width=width, highlight=False), full=full)
    return out.getvalue()


def cells(text: str, start: str) -> list[list[str]]:
    """The cells of every line that begins so."""
    return [re.split(r"\s{2,}", line.strip()) for line in text.splitlines() if line.startswith(start)]


def test_one_board_its_variants_compete() -> None:
    text = shown(metered("fp32-tflite", mj=8, half=0.4), metered("int8-tflite", mj=4, half=0.2))
    assert text.splitlines()[0] == "Efficiency"
    assert cells(text, "Variant") == [["Variant", "mJ/inference", "Inferences/J", "gross/J", "To best"]]
    assert cells(text, "int8") == [["int8-tflite", "4.00 ± 0.20", "250 ± 13", "41.67 ± 0.35", "1.00×*"]]
    assert cells(text, "fp32") == [
        ["fp32-tflite", "8.00 ± 0.40", "125.0 ± 6.3", "35.71 ± 0.51", "2.00 ± 0.14×"]
    ]
    assert "± is a 95 % interval, without the meter's calibration" in text
    assert "· pi5: the meter sees the module" in text
    assert "In use" not in text


def test_several_boards_compete_for_each_variant_and_by_their_best() -> None:
    text = shown(
        metered("fp32-tflite", mj=8, target="pi5"), metered("int8-tflite", mj=4, target="pi5"),
        metered("fp32-tflite", mj=5, target="jetson"), metered("int8-tflite", mj=4.1, target="jetson"),
        full=False,
    )  # fmt: skip
    head, _, best = text.partition("best:")
    assert [row[-1] for row in cells(head, "fp32")] == ["1.00×*", "1.600 ± 0.076×"]
    assert [(row[1], row[-1][-1]) for row in cells(head, "int8")] == [("pi5", "*"), ("jetson", "≈")]
    assert [row[:2] for row in cells(best, "int8")] == [["int8-tflite", "pi5"], ["int8-tflite", "jetson"]]
    assert "≈ cannot be told from the best" in text


def test_a_row_over_its_budget_is_nobodys_best() -> None:
    from edgegreen.config.limitkeys import Budgets

    text = shown(
        metered("small", mj=1, target="pi5", p50=20), metered("fast", mj=3, target="pi5", p50=1),
        metered("fast", mj=2, target="jetson", p50=1), budgets=Budgets(latency_p50_ms_max=10),
    )  # fmt: skip
    best = text.partition("best:")[2]
    assert [row[:2] for row in cells(best, "fast")] == [["fast", "jetson"], ["fast", "pi5"]]
    assert cells(best, "small") == []


def test_scopes_that_differ_are_said_and_not_compared() -> None:
    text = " ".join(
        shown(metered(mj=4, target="pi5", scope="rail sum"), metered(mj=5, target="jetson")).split()
    )
    assert "≠ scopes differ: meters that see different things are not compared" in text
    assert "– int8-tflite on pi5: no other meter to compare sees a rail sum" in text
    assert "· pi5: the meter sees the rail sum · jetson: the meter sees the module" in text
    assert "1.00×*" not in text


def test_doubtful_and_emulated_rows_bear_marks_and_reasons() -> None:
    suspect = metered("a", mj=1, verdict="invalid", reasons=("a busy board",))
    emulated = metered("b", mj=2, conditions={"board": BOARD | {"emulated": True}})
    text = shown(suspect, emulated, metered("c", mj=3), metered("d", mj=4))
    assert [cells(text, name)[0][-1] for name in ("a ?", "b ", "c ", "d ")] == [
        "–",
        "–",
        "1.00×*",
        "1.33 ± 0.11×",
    ]
    assert "– a: the reading is not to be trusted" in text
    assert "– b: an emulated board's energy predicts nothing" in text


def test_a_row_without_energy_has_dashes_and_the_reason() -> None:
    text = shown(metered("a"), measurement("b", energy_absent="gaps in the record"), footprint=BATTERY)
    assert cells(text, "b") == [["b", "–", "–", "–", "–"], ["b", "–", "–", "–", "–"]]
    assert text.count("– b: gaps in the record") == 2


def test_without_any_energy_there_is_only_the_reason() -> None:
    assert shown(measurement(energy_absent="target `pi5` names no meter")) == ""
    text = shown(measurement(energy_absent="target `pi5` names no meter"), footprint=BATTERY)
    assert text == "– battery life, CO2e: there is no energy; target `pi5` names no meter\n"
    assert shown(footprint=BATTERY) == ""


def test_nothing_below_the_table_of_one_board_unless_asked() -> None:
    assert shown(metered(), full=False) == ""
    assert shown(metered(), full=False, footprint=BATTERY)


def test_battery_life_and_carbon_dioxide_with_what_they_assume() -> None:
    text = shown(metered("a", mj=4, half=0.2, idle_w=2, ips=100, scope="board"), footprint=BATTERY, width=200)
    use = text.partition("In use")[2]
    assert cells(use, "Variant") == [["Variant", "Average W", "Battery", "CO2e/10⁶", "CO2e/year"]]
    assert cells(use, "a") == [
        ["a", "2.004 ± 0.020", "9.232 ± 0.091 h", "0.444 ± 0.022 g", "7.022 ± 0.069 kg"]
    ]
    for words in (
        "idle power as measured, and 3,600 inferences an hour", "does not sleep",
        "18.5 Wh, all of it used (`battery_usable: 1`)", "400 g/kWh as you gave it", "a year of 8760 h",
    ):  # fmt: skip
        assert words in use
    assert "does not see all of the board" not in use


@pytest.mark.parametrize("scope", ["module", "rail sum", "package"])
def test_a_meter_that_sees_a_part_is_no_battery_life_of_the_whole(scope: str) -> None:
    text = " ".join(shown(metered(scope=scope), footprint=BATTERY).split())
    assert "! pi5: the meter does not see all of the board, which draws more than this" in text


def test_only_the_columns_that_are_asked_for() -> None:
    continuous = Footprint(battery_wh=1000, battery_usable=0.5, inferences_per_hour="continuous")
    text = shown(metered(), footprint=continuous).partition("In use")[2]
    assert cells(text, "Variant") == [["Variant", "Average W", "Battery"]]
    assert cells(text, "int8") == [["int8-tflite", "2.400 ± 0.020", "8.681 ± 0.072 d"]]
    assert "50 % of it used" in text
    assert "one inference right after another" in text


@pytest.mark.parametrize("width", [80, 100])
def test_figures_are_whole_at_80_columns(width: int) -> None:
    items = [
        metered(variant, mj=mj, half=mj / 9, target=target)
        for target in ("raspberry", "jetson")
        for variant, mj in (("int8-openvino", 12.3), ("fp32-tflite", 45.6))
    ]  # fmt: skip
    text = shown(*items, footprint=BATTERY, width=width)
    assert max(cell_len(line) for line in text.splitlines()) <= width
    assert "…" not in re.sub(r"\([^)]*\)", "", text)
    assert "12.3 ± 1.4" in text


@pytest.mark.parametrize("width", [80, 60])
def test_a_row_is_one_line_that_reads_like_no_other(width: int) -> None:
    long = "int8-openvino-with-a-long-name"
    items = [
        metered(long, mj=818.46, half=200, target=target, threads=threads, tuning=Tuning(governor=governor))
        for target in ("pi5", "jetson")
        for threads in (1, 4)
        for governor in ("powersave", "performance")
    ]
    for text in (shown(*items, footprint=BATTERY, width=width), shown(*items[:4], full=True, width=width)):
        assert max(cell_len(line) for line in text.splitlines()) <= width
        tables = [
            re.split(r"\n\W ", part)[0].splitlines() for part in re.split(r"Efficiency\n|In use\n", text)[1:]
        ]
        for heading, *lines in tables:
            rows = [line for line in lines if line.startswith("int8-ope")]
            assert len(rows) == len([line for line in lines if ":" not in line and line.strip()])
            assert "Thr" in heading
            assert "Governor" in heading
    assert "too narrow for" in text


def test_the_least_important_columns_go_first() -> None:
    text = shown(metered("a", mj=4), metered("b" * 40, mj=5), width=66)
    assert cells(text, "Variant") == [["Variant", "mJ/inference", "To best"]]
    assert "… too narrow for Inferences/J, gross/J" in text
