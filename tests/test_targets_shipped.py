"""The target files that come along, and the page that explains them."""

from __future__ import annotations

import re
import typing
from pathlib import Path

import pytest
from places import REPO

from edgegreen import formats, target
from edgegreen.config import yamlfile
from edgegreen.errors import InputError
from edgegreen.target import Target

FOLDER = REPO / "targets"
FILES = sorted(FOLDER.glob("*.yaml"))
BOARDS = [path for path in FILES if path.stem != "local"]
PAGE = (REPO / "docs" / "targets.md").read_text(encoding="utf-8")
ADDRESS = re.compile(r"(?m)^# host: (\S+)$")


def name_of(path: Path) -> str:
    return path.stem


@pytest.fixture(autouse=True)
def nothing_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Only the shipped targets are found, whatever the person who runs this keeps."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EDGEGREEN_TARGETS", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setattr(target, "folders", lambda: iter([FOLDER]))


def test_there_is_a_file_for_every_family() -> None:
    assert {target.load(path).family for path in FILES} == set(target.FAMILIES)
    assert {path.stem for path in FILES} == {
        "local", "x86", "pi3", "pi4", "pi5", "pi-zero2w", "coral-dev", "coral-usb",
        "jetson", "jetson-nano", "jetson-orin-nano", "jetson-agx-orin", "jetson-thor",
    }  # fmt: skip


def test_local_is_this_machine() -> None:
    assert target.find("local").is_local


@pytest.mark.parametrize("path", BOARDS, ids=name_of)
def test_a_board_works_once_its_host_line_is_filled_in(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(ADDRESS.findall(text)) == 1
    filled = yamlfile.parse(ADDRESS.sub("host: board.example", text), Target, str(path))
    assert filled.host == "board.example"
    assert filled.model_dump() == target.load(path).model_dump() | {"host": "board.example"}
    # The system's own Python, to which runtimes are brought; JetPack 4's is too old.
    assert filled.python == ("python3.8" if path.stem == "jetson-nano" else "python3")
    assert filled.provision


@pytest.mark.parametrize("path", BOARDS, ids=name_of)
def test_a_board_without_host_says_which_line_to_fill_in(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    number = next(n for n, line in enumerate(lines, 1) if ADDRESS.match(line))
    with pytest.raises(InputError) as caught:
        target.find(path.stem)
    assert caught.value.message.startswith(f"{path}:{number}: ")


@pytest.mark.parametrize("path", BOARDS, ids=name_of)
def test_a_file_shows_no_key_that_does_not_exist(path: Path) -> None:
    shown = re.findall(r"(?m)^#? ?([a-z_]+): ", path.read_text(encoding="utf-8"))
    assert set(shown) <= set(Target.model_fields)


@pytest.mark.parametrize("path", BOARDS, ids=name_of)
def test_what_a_file_says_to_install_is_what_the_page_says(path: Path) -> None:
    commands = re.findall(r"(?m)^#   (\S.*)$", path.read_text(encoding="utf-8"))
    assert not any("pip install" in command for command in commands)
    assert [command for command in commands if command not in PAGE] == []
    assert f"`{path.stem}`" in PAGE
    # Nothing but x86 has been run on real hardware so far; whoever changes that changes this line.
    assert ("Not tried on hardware yet" in path.read_text(encoding="utf-8")) == (path.stem != "x86")


def test_the_page_has_every_key_with_its_default() -> None:
    table = PAGE.split("| key |")[1].split("\n\n")[0]
    rows = dict(re.findall(r"(?m)^\| `(\w+)` \| [^|]+ \| ([^|]+) \|", table))
    spelled = {None: "–", (): "`[]`", False: "`false`", True: "`true`"}  # in YAML
    defaults = {name: field.default for name, field in Target.model_fields.items()}
    assert rows == {name: spelled.get(default, f"`{default}`") for name, default in defaults.items()}


def test_the_page_has_every_family_and_runtime() -> None:
    words = [*target.FAMILIES, *typing.get_args(formats.RuntimeName)]
    assert [word for word in words if f"`{word}`" not in PAGE] == []


@pytest.mark.parametrize("example", re.findall(r"(?ms)^```yaml\n(.*?)^```", PAGE))
def test_the_examples_of_the_page_are_valid(example: str) -> None:
    assert yamlfile.parse(example, Target, "docs/targets.md").host


def test_the_page_gives_the_folders_in_the_order_of_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("EDGEGREEN_TARGETS", "/first:/second")
    found = [str(folder) for folder in target.folders()]
    assert found[:3] == ["targets", "/first", "/second"]
    assert found[3].endswith("edgegreen/targets")
    told = PAGE.split("## Where targets are found")[1]
    marks = [
        "1. `./targets`",
        "2. each folder in `$EDGEGREEN_TARGETS`",
        "3. `targets` in the user's",
        "4. the ones",
    ]
    assert all(mark in told for mark in marks)
