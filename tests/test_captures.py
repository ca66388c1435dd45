"""The pictures of the terminal: what the pages name is there, small, and asks nothing of the network."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from places import REPO

FOLDER = REPO / "docs" / "captures"
PICTURES = sorted(FOLDER.glob("*.svg"))
NAMESPACE = "http://www.w3.org/2000/svg"


def text_of(picture: Path) -> str:
    words = "".join(ET.parse(picture).getroot().itertext())
    return words.replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.parametrize("picture", PICTURES, ids=lambda path: path.stem)
def test_a_picture_is_small_named_by_a_page_and_by_itself(picture: Path) -> None:
    source = picture.read_text(encoding="utf-8")
    assert len(source) < 60_000
    assert set(re.findall(r"https?://[^\"'<> ]+", source)) == {NAMESPACE}
    assert "$ edgegreen " in text_of(picture)
    pages = [REPO / "README.md", *(REPO / "docs").rglob("*.md")]
    assert [page.name for page in pages if f"captures/{picture.name}" in page.read_text(encoding="utf-8")]


def test_there_are_pictures() -> None:
    assert {"deploy", "live", "show", "compare"} <= {picture.stem for picture in PICTURES}


def make(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, REPO / "docs" / "captures.py", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)


def test_a_name_that_is_none() -> None:
    done = make("none")
    assert done.returncode == 2
    assert "no capture is called none" in done.stderr


@pytest.mark.slow
def test_the_script_makes_them_of_real_commands(tmp_path: Path) -> None:
    done = make("inspect", "compare", "--output", tmp_path)
    assert done.returncode == 0, done.stderr
    shown = text_of(tmp_path / "inspect.svg")
    assert "$ edgegreen inspect recipes/digits/model.keras" in shown
    assert "conv2_1 CONV_2D" in shown
    assert "int8-tflite" in text_of(tmp_path / "compare.svg")
