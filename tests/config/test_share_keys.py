"""Shares as people write them, in one way for options and recipes."""

from __future__ import annotations

import pytest

from edgegreen.config import shares, yamlfile
from edgegreen.config.limitkeys import Regression
from edgegreen.errors import InputError


@pytest.mark.parametrize("text", ["5%", "5 %", "0.05", " 5.0%"])
def test_ways_to_say_it(text: str) -> None:
    assert shares.parse(text) == pytest.approx(0.05)


@pytest.mark.parametrize("text", ["five", "", "%", "-1%", "100%", "1e3", "nan", "5%%", "5% or so"])
def test_what_is_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no share such as 5% or 0\.05$"):
        shares.parse(text)


def test_what_was_meant() -> None:
    with pytest.raises(ValueError, match=r"`5` is no share .*; did you mean 5% or 0\.05\?"):
        shares.parse("5")


def test_in_a_recipe() -> None:
    found = yamlfile.parse("{slower_max: 5%, energy_more_max: 0.1}", Regression, "r.yaml")
    assert found == Regression(slower_max=0.05, energy_more_max=0.1)
    with pytest.raises(InputError, match=r"r\.yaml:1: `slower_max`: `five` is no share such as"):
        yamlfile.parse("slower_max: five", Regression, "r.yaml")
