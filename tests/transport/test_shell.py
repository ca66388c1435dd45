"""Quoting, judged by the shells that are installed."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgegreen.errors import InputError
from edgegreen.transport import shell

SHELLS = [name for name in ("sh", "dash", "bash", "zsh", "fish", "busybox") if shutil.which(name)]
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


def printed(name: str, words: list[str]) -> list[bytes]:
    binary = str(shutil.which(name))
    command = [binary, "-c"] if name != "busybox" else [binary, "sh", "-c"]
    line = b"printf '%s\\0' " + shell.encode(" ".join(words))
    done = subprocess.run(
        [*command, line],
        capture_output=True,
        check=True,
        env={"HOME": "/some where", "PATH": "/bin:/usr/bin"},
    )
    return done.stdout.split(b"\0")[:-1]


@pytest.mark.parametrize("name", SHELLS)
@settings(deadline=None, max_examples=40)
@given(texts=st.lists(TEXT, min_size=1, max_size=20))
def test_any_text_is_one_word(name: str, texts: list[str]) -> None:
    assert printed(name, [shell.quote(text) for text in texts]) == [text.encode() for text in texts]


@pytest.mark.parametrize("name", SHELLS)
def test_words_that_are_special_to_some_shell(name: str) -> None:
    special = [
        "",
        "'",
        '"',
        "\\",
        "\\'",
        "a\\\\b",
        "$HOME",
        "`id`",
        "!x",
        "=ls",
        "%1",
        "*",
        "{a,b}",
        "-n",
        "a\nb",
        "~x",
        "#",
        "é",
    ]
    assert printed(name, [shell.quote(text) for text in special]) == [text.encode() for text in special]


@pytest.mark.parametrize("name", SHELLS)
def test_tilde_means_home_and_the_rest_stays_quoted(name: str) -> None:
    words = ["~", "~/", "~/a b/$c'd\\e", "~root", "a~/b", "/~/x"]
    expected = ["/some where", "/some where/", "/some where/a b/$c'd\\e", "~root", "a~/b", "/~/x"]
    assert printed(name, [shell.word(word) for word in words]) == [text.encode() for text in expected]


def test_names_that_are_no_utf8_keep_their_bytes() -> None:
    assert printed("sh", [shell.quote(b"caf\xe9".decode("utf-8", "surrogateescape"))]) == [b"caf\xe9"]


def test_what_no_command_can_hold_is_an_input_error() -> None:
    with pytest.raises(InputError, match="NUL"):
        shell.quote("a\0b")
    with pytest.raises(InputError, match="cannot be part of a command"):
        shell.encode("\ud800")
