"""The name a place is held under, and whether its process still lives."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import psutil
import pytest
import waiting
from hypothesis import given
from hypothesis import strategies as st

from edgegreen.lab import owner

NAMES = st.text(st.characters(exclude_characters="/", exclude_categories=["Cs"]), min_size=1, max_size=12)


@given(NAMES, NAMES, st.integers(1, 2**22), st.integers(0, 2**33))
def test_a_name_says_whose_it_is(host: str, user: str, pid: int, start_s: int) -> None:
    made = owner.Owner(host, user, pid, start_s, "0123abcd", "20261122-040000-abc123")
    assert str(made).count("/") == 1  # labgrid splits there, and at no second one
    assert owner.parse(str(made)) == made


@pytest.mark.parametrize(
    "name", ["", "lab/anna", "lab/anna+edgegreen.1.2.short.run", "a/b/c+edgegreen.1.2.0123abcd.r"]
)
def test_other_names_are_not_ours(name: str) -> None:
    assert owner.parse(name) is None


def test_people_are_shown_without_the_rest() -> None:
    assert owner.shown("lab/anna+edgegreen.1.2.0123abcd.run") == "anna@lab"
    assert owner.shown("lab/anna") == "anna@lab"


def test_we_are_alive() -> None:
    us = owner.current("run")
    assert us.pid == os.getpid()
    assert not us.is_dead


def test_death_is_proved_or_not_claimed() -> None:
    us = owner.current("run")
    unused = next(pid for pid in range(2**22, 0, -1) if not psutil.pid_exists(pid))
    assert replace(us, pid=unused).is_dead
    assert replace(us, start_s=us.start_s - 60).is_dead  # its number was given to another process since
    assert not replace(
        us, pid=unused, mark="00000000"
    ).is_dead  # another boot, or another container's processes


def test_killed_process_that_nobody_has_waited_for_is_dead() -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        its = replace(
            owner.current("run"), pid=child.pid, start_s=int(psutil.Process(child.pid).create_time())
        )
        assert not its.is_dead
        child.kill()
        waiting.until(lambda: its.is_dead)
    finally:
        child.kill()
        child.wait()
