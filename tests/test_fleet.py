"""Which boards a command line means."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgegreen import fleet
from edgegreen.errors import InputError

FILES = {
    "pi-1": "host: pi-1.local\ntags: [lab1, nightly]\n",
    "pi-2": "host: pi-2.local\ntags: [lab2]\n",
    "nano": "host: nano.local\ntags: [lab1]\n",
    "unset": "family: linux\ntags: [lab1]\n",
    "here": "host: local\ntags: [lab1]\n",
}


@pytest.fixture
def known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of targets, and nothing else that could be named."""
    for name, text in FILES.items():
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    monkeypatch.setattr("edgegreen.target.folders", lambda: [tmp_path])
    return tmp_path


def names(*specs: str, tags: tuple[str, ...] = ()) -> list[str]:
    return [one.name for one in fleet.select(specs, tags).targets]


def test_nothing_named_is_this_machine() -> None:
    assert names() == ["local"]


def test_pattern_is_every_board_that_fits(known: Path) -> None:
    assert names("pi-*") == ["pi-1", "pi-2"]


@pytest.mark.parametrize("pattern", ["*", "?[!x]*"])
def test_pattern_leaves_out_this_machine_and_what_has_no_host(known: Path, pattern: str) -> None:
    assert set(names(pattern)) == {"pi-1", "pi-2", "nano"}


def test_each_board_once_in_the_order_asked_for(known: Path) -> None:
    assert names("pi-2", "pi-*", "nano") == ["pi-2", "pi-1", "nano"]


def test_tag_alone_is_every_board_that_has_it(known: Path) -> None:
    assert set(names(tags=("lab1",))) == {"pi-1", "nano"}


def test_several_tags_are_all_wanted(known: Path) -> None:
    assert names(tags=("lab1", "nightly")) == ["pi-1"]


def test_tag_narrows_what_is_named(known: Path) -> None:
    assert names("pi-*", tags=("lab2",)) == ["pi-2"]


def test_pattern_that_nothing_fits_says_what_there_is(known: Path) -> None:
    with pytest.raises(InputError, match=r"fits `rock-\*`") as caught:
        fleet.select(["rock-*"])
    assert caught.value.hint == "there are nano, pi-1, pi-2"


def test_tag_that_nothing_has_says_which_there_are(known: Path) -> None:
    with pytest.raises(InputError, match="no target of nano, pi-1, pi-2 is tagged `lab9`") as caught:
        fleet.select([], ["lab9"])
    assert caught.value.hint == "there are the tags lab1, lab2, nightly"


def test_file_that_cannot_be_read_is_left_out_and_named(known: Path) -> None:
    (known / "broken.yaml").write_text("host: [", encoding="utf-8")

    found = fleet.select(["pi-*"])

    assert [one.name for one in found.targets] == ["pi-1", "pi-2"]
    assert len(found.remarks) == 1
    assert found.remarks[0].startswith(f"left out: {known / 'broken.yaml'}:")


@pytest.mark.parametrize(("specs", "tags"), [(["broken*"], []), ([], ["lab9"])])
def test_file_that_cannot_be_read_may_be_the_one_that_was_meant(
    specs: list[str], tags: list[str], known: Path
) -> None:
    (known / "broken.yaml").write_text("host: [", encoding="utf-8")

    with pytest.raises(InputError) as caught:
        fleet.select(specs, tags)

    assert f"; left out: {known / 'broken.yaml'}:" in (caught.value.hint or "")


def test_file_named_outright_is_an_error_of_its_own(known: Path) -> None:
    (known / "broken.yaml").write_text("host: [", encoding="utf-8")

    with pytest.raises(InputError, match=r"broken\.yaml"):
        fleet.select(["broken"])


@pytest.mark.parametrize("spec", ["ssh://[::1]:22", "targets/[a].yaml", "replay:rec/*.tape", "pi-1"])
def test_addresses_and_paths_are_no_patterns(spec: str) -> None:
    assert not fleet.is_pattern(spec)


@pytest.mark.parametrize("tag", ["", "a b", "-x", "x" * 65])
def test_tags_are_plain_words(known: Path, tag: str) -> None:
    (known / "odd.yaml").write_text(f"host: odd.local\ntags: ['{tag}']\n", encoding="utf-8")

    with pytest.raises(InputError, match=r"odd\.yaml:2"):
        fleet.select(["odd"])
