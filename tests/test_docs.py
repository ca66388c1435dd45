"""What the pages say that can be checked: commands, options, links, examples, versions.

Links and anchors within docs/ are mkdocs' part (`tox -e lint`).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from places import REPO

from edgegreen import releases
from edgegreen.cli import cli
from edgegreen.config import yamlfile
from edgegreen.target import FAMILIES, Target

PAGES = [REPO / "README.md", REPO / "device_tests" / "README.md", *sorted((REPO / "docs").rglob("*.md"))]
BOARDS = sorted((REPO / "docs" / "boards").glob("*.md"))
BLOCK = re.compile(r"(?ms)^ *```\w*\n(.*?)^ *```")
INLINE = re.compile(r"`(edgegreen [^`]+)`")


def commands(page: Path) -> Iterator[str]:
    """Every `edgegreen …` of a page, in a block or within a line."""
    text = page.read_text(encoding="utf-8")
    for block in BLOCK.findall(text):
        for line in re.sub(r"\n {8,}", " ", block).splitlines():
            found = re.search(r"(?:^|\$ |&& |bin/)(edgegreen (?!\[|\S+:).*)", line.split("  #")[0])
            if found:
                yield found[1]
    yield from INLINE.findall(text)


def called(words: list[str]) -> tuple[click.Command, list[str]]:
    """The command that these words call, and the rest of them."""
    command: click.Command = cli
    while words and isinstance(command, click.Group) and words[0] in command.commands:
        command = command.commands[words[0]]
        words = words[1:]
    return command, words


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(REPO)))
def test_every_command_and_option_is_there(page: Path) -> None:
    for line in commands(page):
        plain = re.sub(r"[\[\]|…]", " ", line).split(" > ")[0].split(" && ")[0]
        command, rest = called(shlex.split(plain.replace("'", ""), comments=True)[1:])
        known = {option for parameter in command.params for option in parameter.opts} | {"--help", "-h"}
        used = [word.partition("=")[0] for word in rest if re.match(r"--?[a-z]", word)]
        assert set(used) <= known, f"{line}: {set(used) - known}"
        assert not (isinstance(command, click.Group) and set(rest) - known), f"{line}: no such command"


def test_commands_are_found() -> None:
    assert sum(1 for page in PAGES for _ in commands(page)) > 50


def options(command: click.Command) -> Iterator[str]:
    """The long names of all options, of the commands below it as well."""
    for parameter in command.params:
        yield from (option for option in parameter.opts if option.startswith("--"))
    for below in command.commands.values() if isinstance(command, click.Group) else ():
        yield from options(below)


def test_the_page_of_the_command_line_has_every_option() -> None:
    page = (REPO / "docs" / "cli.md").read_text(encoding="utf-8")
    assert [option for option in options(cli) if option not in page] == []


@pytest.mark.parametrize("page", [PAGES[0], PAGES[1]], ids=["README", "device_tests"])
def test_links_out_of_the_docs_folder_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", BOARDS, ids=lambda path: path.stem)
def test_the_target_files_to_copy_are_valid(page: Path) -> None:
    examples = re.findall(r"(?ms)^```yaml\n(.*?)^```", page.read_text(encoding="utf-8"))
    assert examples or page.stem == "index"
    for example in examples:
        assert yamlfile.parse(example, Target, str(page)).host


def test_every_family_has_a_row_and_a_page() -> None:
    table = (REPO / "docs" / "boards" / "index.md").read_text(encoding="utf-8")
    linked = {family: re.search(rf"(?m)^\| \[.*\]\((\S+\.md)\).*`{family}`", table) for family in FAMILIES}
    assert [family for family, row in linked.items() if row is None] == []
    pages = {page.name: page.read_text(encoding="utf-8") for page in BOARDS}
    assert [family for family, row in linked.items() if row and f"{family}" not in pages[row[1]]] == []


def test_every_page_of_a_board_says_what_was_tried() -> None:
    missing = [page.name for page in BOARDS if "nothing yet" not in page.read_text(encoding="utf-8")]
    assert missing == ["index.md"]


def test_runtimes_named_on_the_pages_are_in_the_table() -> None:
    known = {release.version for row in releases.RELEASES.values() for release in row}
    for page in BOARDS:
        text = page.read_text(encoding="utf-8")
        named = set(re.findall(r"(?:LiteRT|tflite-runtime) (\d+\.\d+\.\d+)", text))
        named |= set(re.findall(r"\b(202\d\.\d\.\d)\b", text))
        assert named - {"2.11.1"} <= known, page.name  # 2.11.1 is the last that Google's libedgetpu works in
