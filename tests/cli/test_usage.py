"""What is said before anything is done: help, version, and arguments that make no sense."""

from __future__ import annotations

import re
from importlib.metadata import version

import pytest

from cli.harness import Shell

COMMANDS = (
    "", "deploy", "convert", "inspect", "validate", "targets", "targets list", "targets show", "cache",
    "cache clear", "runs", "show", "search",
)  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(empty: Shell, command: str) -> None:
    done = empty.run(*command.split(), "--help")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"Usage: edgegreen {command}".rstrip())
    assert empty.run(*command.split(), "-h").out == done.out
    assert all(len(line) <= 100 for line in done.out.splitlines())
    assert not any(empty.kept.iterdir())


def test_help_tells_exit_codes_and_every_command_by_name(empty: Shell) -> None:
    said = " ".join(empty.run("--help").out.split())
    codes = (
        "0 done, 1 a budget is not met, 2 bad input, 3 a conversion failed, 4 a target could not be reached"
    )
    assert f"{codes}, 5 failed on the device, 130 interrupted" in said
    assert all(re.search(rf"\b{name}\b", said) for command in COMMANDS for name in command.split()[:1])


def test_version(empty: Shell) -> None:
    done = empty.run("--version")
    assert (done.code, done.out, done.err) == (0, f"edgegreen {version('edgegreen')}\n", "")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("deplyo", "No such command 'deplyo'"),
        ("deploy", "Missing argument 'RECIPE'"),
        ("deploy x.yaml --tagret pi5", "No such option '--tagret'"),
        ("deploy x.yaml --target", "requires an argument"),
        ("deploy x.yaml y.yaml", "unexpected extra argument"),
        ("validate", "Missing argument 'FILES...'"),
        ("targets show", "Missing argument 'NAME'"),
        ("cache clean", "No such command 'clean'"),
    ],
)
def test_arguments_that_make_no_sense(empty: Shell, arguments: str, words: str) -> None:
    done = empty.run(*arguments.split())
    assert (done.code, done.out) == (2, "")
    assert words in done.err
    assert "Traceback" not in done.err
