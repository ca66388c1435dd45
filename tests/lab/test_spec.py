"""What `labgrid:…` means, and what it cannot mean."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgegreen import fleet, plan, recipe, target, transport
from edgegreen.errors import InputError
from edgegreen.lab import coordinator, spec
from edgegreen.target import Place, Wish

KEYS = st.from_regex(r"[a-z][a-z0-9_]{1,10}", fullmatch=True)
VALUES = st.text("abcXYZ019_-.:", min_size=1, max_size=10)
TAGS = st.dictionaries(KEYS, VALUES, min_size=1, max_size=4)


@given(
    TAGS, st.none() | st.sampled_from(["lab", "lab:1", "[::1]:20408"]), st.none() | st.integers(0, 604_800)
)
def test_what_is_written_is_what_is_read(
    tags: dict[str, str], coordinator: str | None, timeout: int | None
) -> None:
    options = {"coordinator": coordinator, "timeout": timeout}
    query = "&".join(f"{key}={value}" for key, value in options.items() if value is not None)
    text = "labgrid:" + ",".join(f"{key}={value}" for key, value in tags.items()) + (query and f"?{query}")
    assert spec.parse(text) == Wish(
        tuple(tags.items()), coordinator, spec.TIMEOUT_S if timeout is None else float(timeout)
    )


@given(st.text(max_size=40))
def test_anything_is_read_or_refused_in_words(text: str) -> None:
    with suppress(InputError):
        wish = spec.parse(f"labgrid:{text}")
        assert wish.tags
        assert 0 <= wish.timeout_s <= spec.LONGEST_TIMEOUT_S


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("labgrid:", "a tag is missing"),
        ("labgrid:board=a,", "a tag is missing"),
        ("labgrid:board", "`board` is no KEY=VALUE"),
        ("labgrid:board=", "`board=` is no KEY=VALUE"),
        ("labgrid:b=1", "`b` is no key of a tag"),
        ("labgrid:board=a,board=b", "`board` is there twice"),
        ("labgrid:board=a?wait=3", "no option `wait`"),
        ("labgrid:board=a?timeout=soon", "`timeout=soon` is no number of seconds"),
        ("labgrid:board=a?timeout=9999999", "`timeout=9999999` is no number of seconds"),
        ("labgrid:board=a?coordinator=http://lab", "`coordinator=http://lab` is no HOST[:PORT]"),
    ],
)
def test_mistakes_are_named(text: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        fleet.find(text)
    assert words in caught.value.message


def test_a_file_can_describe_the_board_before_it_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bench.yaml").write_text("family: jetson-orin\nruntimes: [openvino]\n", encoding="utf-8")
    monkeypatch.setattr("edgegreen.target.folders", lambda: [tmp_path])
    found = fleet.find("labgrid:edgegreen=bench,rack=1")
    assert (found.name, found.family, found.host) == ("labgrid:edgegreen=bench,rack=1", "jetson-orin", None)
    with pytest.raises(InputError, match="no target called `nobody`"):
        fleet.find("labgrid:edgegreen=nobody")


def test_the_leased_board_is_an_ordinary_target() -> None:
    found = fleet.find("labgrid:board=jetson")
    leased = target.Target(python="py").leased_at(
        Place("j1", (), "lab:1"), host="10.0.0.7", port=None, user="a"
    )
    assert found.wish
    assert leased.wish is None
    assert (leased.name, leased.host, leased.python, leased.leased) == (
        "j1", "10.0.0.7", "py", Place("j1", (), "lab:1"),
    )  # fmt: skip


def test_nothing_connects_to_a_board_that_is_not_leased() -> None:
    with pytest.raises(InputError, match="no board before it is leased"):
        transport.connect(fleet.find("labgrid:board=jetson"))


def test_the_same_wish_is_one_target() -> None:
    twice = ["labgrid:board=a", "labgrid:board=a", "labgrid:board=b"]
    assert [one.name for one in fleet.select(twice).targets] == ["labgrid:board=a", "labgrid:board=b"]


def test_budgets_of_places_are_not_called_idle(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(
        "name: a\nmodel: m.tflite\nvariants: {v: {format: tflite}}\n"
        "budgets: {targets: {jetson_1: {latency_p95_ms_max: 1}}}\n"
    )
    loaded = recipe.load(path)
    remarks = [
        plan.make(loaded, [fleet.find(name)], loaded.variants).remarks
        for name in ("labgrid:board=jetson", "ssh://somewhere")
    ]
    assert [len(one) for one in remarks] == [0, 1]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("lab", "lab:20408"),
        ("lab:1", "lab:1"),
        ("[::1]", "[::1]:20408"),
        ("[::1]:7", "[::1]:7"),
    ],
)
def test_a_coordinator_is_at_labgrids_port_unless_told(written: str, meant: str) -> None:
    assert coordinator.address(written) == meant


@pytest.mark.parametrize("wrong", ["lab:xx", "lab:", ":20408"])
def test_what_is_no_address_of_a_coordinator_is_refused(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LG_COORDINATOR", wrong)

    with pytest.raises(InputError, match=f"`{wrong}` is no HOST"):
        coordinator.address(None)
