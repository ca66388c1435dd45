"""The small tables: a plan, built models, a model's inside, known targets."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from edgegreen.artifact import Agreement, Artifact, File, TensorSpec
from edgegreen.cache.entry import Made
from edgegreen.cache.store import Cache
from edgegreen.errors import ConversionError
from edgegreen.history.store import Summary
from edgegreen.mixture import KeptOperator, Mixed
from edgegreen.report import listings
from edgegreen.sources import ModelSummary
from edgegreen.target import Target


def console(width: int = 140) -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    return Console(file=out, width=width, highlight=False, markup=False, emoji=False), out


def lines(out: io.StringIO) -> list[list[str]]:
    """Cells of each line, apart by two spaces or more."""
    return [re.split(r"\s{2,}", line.strip()) for line in out.getvalue().splitlines()]


@pytest.mark.parametrize(
    ("width", "row"),
    [
        (80, ["a-recipe-with-a…", "jetson-orin-nan…"]),
        (60, ["a-recip…", "jetson-…"]),
    ],
)
def test_a_run_is_one_line_on_a_narrow_terminal(width: int, row: list[str]) -> None:
    """Its id is whole: it is there to be copied."""
    run_id = "20261122-154550-bb33e8"
    one = Summary(
        run_id, "a-recipe-with-a-long-name", datetime(2026, 11, 22, 15, 45, tzinfo=UTC), "0.1.0", None,
        ("jetson-orin-nano", "raspberry-pi-5"), ("int8",), results=1200, invalid=3, failures=0,
    )  # fmt: skip
    shown, out = console(width)
    listings.show_runs([one], [], shown)
    assert lines(out)[1][:4] == [run_id, "2026-11-22 15:45", *row]
    assert out.getvalue().endswith("\n… too narrow for Rows, Invalid, Failed; a pipe has all\n")
    assert len(out.getvalue().splitlines()) == 3
    assert max(map(cell_len, out.getvalue().splitlines())) <= width


def test_a_short_run_is_told_whole_at_80_columns() -> None:
    one = Summary(
        "20261122-154550-bb33e8", "digits", datetime(2026, 11, 22, 15, 45, tzinfo=UTC), "0.1.0", None,
        ("local",), ("int8",), results=12, invalid=3, failures=0,
    )  # fmt: skip
    shown, out = console(80)
    listings.show_runs([one], [], shown)
    assert lines(out)[1:] == [
        ["20261122-154550-bb33e8", "2026-11-22 15:45", "digits", "local", "12", "3", "0"]
    ]


def artifact(agreement: Agreement | None) -> Artifact:
    file = File(Path("m.tflite"), "5f" * 32, 53_168)
    return Artifact(
        key="k", format="tflite", precision="int8", files=(file,), inputs=(), outputs=(), input_order=(0,),
        output_order=(0,), built_by="ai-edge-quantizer 0.10.0", agreement=agreement, compressed_bytes=40_000,
    )  # fmt: skip


def test_built_models_with_their_distance_from_the_source() -> None:
    built = {
        "int8": artifact(Agreement(23.456, 0.97, 100, "100 calibration samples")),
        "fp32": artifact(Agreement(float("inf"), None, 100, "100 calibration samples")),
        "unchecked": artifact(None),
    }
    failed = {"lean": ConversionError("it computes [red]noise[/red]", hint="try another quantizer")}
    shown, out = console()
    listings.show_artifacts(built, failed, shown, Path("/out/[b]"))
    rows = {row[0]: row[1:] for row in lines(out)}
    assert rows["int8"] == ["53.2 kB", "40.0 kB", "23.5 dB", "97/100", "ai-edge-quantizer 0.10.0"]
    assert rows["fp32"][2:4] == ["equal", "–"]
    assert rows["unchecked"][2:4] == ["–", "–"]
    assert rows["lean ✗"] == ["–"] * 5
    text = out.getvalue()
    assert "✗ lean: it computes [red]noise[/red]\n  → try another quantizer" in text
    assert text.count("after passes, on 100 calibration samples, on this machine") == 1
    assert "copied to /out/[b]" in text


def test_what_stayed_in_float_is_told_below() -> None:
    mixed = Mixed(
        limit=0.005, operators=7, kept=(KeptOperator("[x];", "SOFTMAX"),), drop=0.0, drop_upper=0.004,
        drop_all=0.06, judged_by="top1 on 768 training samples", n=768, held_out_drop=None, held_out_n=0,
        steps=9, stopped="after 600 s",
    )  # fmt: skip
    shown, out = console(300)
    listings.show_artifacts({"lean": replace(artifact(None), mixed=mixed)}, {}, shown, None)
    told = (
        "~ lean: int8, 1 of 7 operators left in fp32 (SOFTMAX): drop 0 (95 %: at most 0.004) by top1 on 768 "
    )
    assert told in out.getvalue()
    assert "~ lean: the search was cut short after 600 s" in out.getvalue()


def test_names_in_a_foreign_model_are_printed_and_not_obeyed() -> None:
    model = ModelSummary(
        kind="TFLite", parameters=29_098, size_bytes=104_088, ops={"CONV_2D": 3, "ADD": 1, "[red]X": 3},
        inputs=(TensorSpec("serving[0]\x1b[31m", (1, -1, 10), "float32"),),
        outputs=(TensorSpec("[/]", (), "int8"),),
    )  # fmt: skip
    shown, out = console()
    listings.show_model(model, shown)
    rows = lines(out)
    assert rows[0] == ["TFLite: 29,098 parameters, 104 kB"]
    assert ["input", "serving[0]�[31m", "1 × ? × 10", "float32"] in rows
    assert ["output", "[/]", "scalar", "int8"] in rows
    assert [row for row in rows if row[0] in model.ops] == [["CONV_2D", "3"], ["[red]X", "3"], ["ADD", "1"]]
    assert "\x1b" not in out.getvalue()


def test_targets_with_their_files() -> None:
    shown, out = console()
    listings.show_targets(
        {
            Path("/b/pi5.yaml"): Target(family="raspberry-pi-5").called("pi5"),
            Path("/a/[x].yaml"): Target(host="h").called("a"),
        },
        shown,
    )
    assert lines(out)[1:] == [
        ["a", "linux", "h", "/a/[x].yaml"],
        ["pi5", "raspberry-pi-5", "not set", "/b/pi5.yaml"],
    ]


def test_a_run_on_many_boards_names_the_first_of_them() -> None:
    boards = tuple(f"pi-{number:02}" for number in range(64))
    summary = Summary(
        "20260101-120000-abcdef",
        "kws",
        datetime(2026, 1, 1, tzinfo=UTC),
        "0.1",
        None,
        boards,
        ("int8",),
        64,
        1,
        3,
    )
    shown, out = console()
    listings.show_runs([summary], [], shown)
    assert lines(out)[1][3:] == ["pi-00, pi-01, pi-02, pi-03 and 60 more", "64", "1", "3"]


def test_on_a_narrow_terminal_a_targets_file_gives_way() -> None:
    shown, out = console(60)
    listings.show_targets({Path("/a/" + "x" * 60 + ".yaml"): Target(host="board.example").called("a")}, shown)
    assert lines(out)[1:] == [
        ["a", "linux", "board.example"],
        ["… too narrow for File; a pipe has all"],
    ]


def test_a_cache_by_what_it_holds(tmp_path: Path) -> None:
    def made(what: str, size_bytes: int) -> Callable[[Path], Made]:
        def make(folder: Path) -> Made:
            (folder / "m.tflite").write_bytes(bytes(size_bytes))
            return Made(what, {})

        return make

    cache = Cache(tmp_path / "[cache]", limit_bytes=2_000_000)
    shown, out = console()
    listings.show_cache(cache, shown)
    assert out.getvalue() == f"0 entries, 0 B of 2.00 MB, in {tmp_path}/[cache]\n"
    for key, what, size_bytes in (
        ("a", "int8 [tflite]", 53_168),
        ("b", "int8 [tflite]", 1_000),
        ("c", "hub", 10),
    ):
        cache.obtain(key * 64, made(what, size_bytes))
    listings.show_cache(cache, shown)
    cache.close()
    rows = {row[0]: row[1:3] for row in lines(out)[2:]}
    assert rows["int8 [tflite]"] == ["2", "54.2 kB"]
    assert rows["hub"] == ["1", "10 B"]
    assert out.getvalue().splitlines()[-1].startswith("3 entries, 54.2 kB of 2.00 MB, in ")
