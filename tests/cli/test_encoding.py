"""Output in an encoding that lacks our characters: plain ones, in line, and no traceback."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from builders import accuracy, measurement, run

from edgegreen.cli import encoding
from edgegreen.report import sparkline


def written(text: str, name: str) -> str:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=name)
    encoding.settle((stream,))
    stream.write(text)
    stream.flush()
    return stream.buffer.getvalue().decode(name)  # type: ignore[attr-defined]


def test_one_character_for_one() -> None:
    text = "98.9 % (−0.1) · 2.5× – 40 °C ▁▄█ │ é 木"
    plain = written(text, "ascii")
    assert plain == "98.9 % (-0.1) . 2.5x - 40 'C _=# | ? ?"
    assert len(plain) == len(text)
    assert len({encoding.PLAIN[ord(bar)] for bar in sparkline.BARS}) == len(sparkline.BARS)


def test_the_ends_of_an_interval_stay_two_numbers() -> None:
    assert written("1.052 (1.026…1.082)", "ascii") == "1.052 (1.026..1.082)"


def test_none_says_something_else() -> None:
    """`>` would be a comparison, `~` a mark of its own."""
    assert written("p50 0.0134 → 0.0157 ms, ±0, ≥ 3", "ascii") == "p50 0.0134 -> 0.0157 ms, +-0, >= 3"
    assert not {"<", ">", "~"} & {str(encoding.PLAIN[ord(one)]) for one in "…→←±≤≥"}


def test_columns_stay_in_line() -> None:
    assert written("a  91.3 % (±0.0)   2\nb  1 ± 2 mJ        2", "ascii").splitlines() == [
        "a  91.3 % (+-0.0)  2",
        "b  1 +- 2 mJ       2",
    ]
    assert written("long-na…  4.2 ± 0.1  x", "ascii") == "long-na.. 4.2 +- 0.1 x"


@pytest.mark.parametrize("name", ["utf-8", "UTF8", "utf-8-sig"])
def test_utf8_stays_as_it_is(name: str) -> None:
    assert written("±▁", name).lstrip("\ufeff") == "±▁"


def test_what_an_encoding_has_is_kept() -> None:
    assert written("±0.1 → é", "latin-1") == "±0.1 -> é"


def test_a_run_is_shown_in_ascii(tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    rows = (measurement("fp32", p50=2.0), measurement("int8", p50=1.0, accuracy=accuracy(0.9)))
    file.write_text(run(*rows, baseline="fp32").to_json(), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "edgegreen", "show", str(file)],
        env=os.environ | {"PYTHONIOENCODING": "ascii"}, capture_output=True, check=False, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    shown = done.stdout.decode("ascii")
    assert "o int8" in shown
    assert "Accuracy over p50 ms" in shown
    assert "?" not in shown
