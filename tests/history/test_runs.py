"""Runs that are kept: found by name, read back, and no broken file in the way of the others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from builders import measurement, run
from hypothesis import given
from hypothesis import strategies as st

from edgegreen.config.footprintkeys import Footprint
from edgegreen.config.limitkeys import Budgets
from edgegreen.errors import InputError
from edgegreen.history import kept, runs, shelf, spool
from edgegreen.history.filters import Filter
from edgegreen.judging import comparison
from edgegreen.measurement import Failure, Run

FIRST, SECOND, THIRD = "20261121-040000-aaaaaa", "20261122-040000-abc123", "20261122-040000-abd456"


def keep(run_id: str, text: str | None = None) -> Path:
    """Put a run, or a text in place of one, where runs are kept."""
    spool.folder().mkdir(parents=True, exist_ok=True)
    path = spool.file_of(run_id)
    path.write_text(
        run(measurement()).model_copy(update={"run_id": run_id}).to_json() if text is None else text
    )
    return path


def listed(limit: int | None = None) -> list[str]:
    """The runs that `edgegreen runs` lists."""
    with shelf.opened() as known:
        return [one.run_id for one in known.find(Filter(), limit)]


@pytest.fixture
def three() -> None:
    for run_id in (SECOND, THIRD, FIRST):
        keep(run_id)


@pytest.mark.usefixtures("three")
class TestNames:
    """An id, the beginning of one, `latest`, or a file."""

    @pytest.mark.parametrize(
        ("ref", "run_id"), [("latest", THIRD), (SECOND, SECOND), (SECOND[:-3], SECOND), ("20261121", FIRST)]
    )
    def test_what_means_a_run(self, ref: str, run_id: str) -> None:
        assert runs.load(ref).run_id == run_id

    def test_the_beginning_of_several_means_none(self) -> None:
        with pytest.raises(InputError, match=f"2 runs begin with `20261122`: {THIRD}, {SECOND}"):
            runs.load("20261122")

    @pytest.mark.parametrize("ref", ["", "x", "*", "?", "[0-9]", "..", THIRD + "0"])
    def test_what_means_nothing(self, ref: str) -> None:
        with pytest.raises(InputError, match="no run is called") as caught:
            runs.load(ref)
        assert THIRD in str(caught.value.hint)

    def test_a_file_anywhere(self, tmp_path: Path) -> None:
        elsewhere = keep(FIRST).rename(tmp_path / "mine.json")
        assert runs.load(str(elsewhere)).run_id == FIRST

    def test_other_files_in_the_folder_are_no_runs(self) -> None:
        keep("zzz")
        (spool.folder() / f"{THIRD}.part").write_text("{")
        assert runs.load("latest").run_id == THIRD
        assert listed() == [THIRD, SECOND, FIRST]

    def test_the_newest_first_and_no_more_than_asked(self) -> None:
        assert listed(2) == [THIRD, SECOND]


def test_before_the_first_run() -> None:
    assert listed() == []
    with pytest.raises(InputError, match="no run is in the history"):
        runs.load("latest")


class TestBroken:
    """Named with its file, and never a traceback."""

    CASES = [
        ("", "Invalid JSON"),
        ("{", "Invalid JSON"),
        ("[]", "not a run"),
        ("{}", "run_id: Field required"),
        ('{"schema": 2}', "schema: Input should be 1"),
        ("\udce9", "Invalid JSON"),
    ]

    @pytest.mark.parametrize(("text", "words"), CASES)
    def test_a_file_that_is_no_run(self, text: str, words: str, tmp_path: Path) -> None:
        path = tmp_path / "x.json"
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
        with pytest.raises(InputError, match="not a run that this edgegreen can read") as caught:
            runs.load(str(path))
        assert words in caught.value.message
        assert str(path) in caught.value.message
        assert "\n" not in caught.value.message

    def test_a_folder_and_nothing_at_all(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="a folder, not a file"):
            runs.load(f"{tmp_path}/")
        with pytest.raises(InputError, match="no such file"):
            runs.load("nothing.json")

    def test_it_does_not_hide_the_others(self) -> None:
        keep(FIRST)
        keep(SECOND, '{"schema": 1, "run')
        assert listed() == [FIRST]
        with shelf.opened() as known:
            (broken,) = known.broken()
        assert broken.run_id == SECOND
        with pytest.raises(InputError, match="not a run that this edgegreen can read"):
            runs.load("latest")

    @given(
        document=st.recursive(
            st.none() | st.integers() | st.text(),
            lambda x: st.lists(x) | st.dictionaries(st.sampled_from(sorted(Run.model_fields)), x),
            max_leaves=8,
        )
    )
    def test_whatever_json_it_is(self, document: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
        path = tmp_path_factory.getbasetemp() / "any.json"
        path.write_text(json.dumps(document))
        with pytest.raises(InputError):
            kept.read(path)


class TestWhatTheRecipeWanted:
    """Kept with the run, so that it looks the same again."""

    WANTED: dict[str, Any] = {
        "baseline": "fp32-tflite",
        "budgets": Budgets(size_bytes_max=60_000),
        "higher_is_better": False,
        "footprint": Footprint(battery_wh=3, inferences_per_hour="continuous"),
    }
    ITEMS = (measurement("fp32-tflite", p50=2, size_bytes=100_000), measurement(p50=1))

    def test_it_comes_back(self) -> None:
        before = run(*self.ITEMS, **self.WANTED)
        after = Run.model_validate_json(before.to_json())
        assert after == before
        first, second = comparison.of(after)
        assert (first.missed, second.missed) == (("size 100,000 bytes > 60,000 bytes",), ())
        assert (first.speedup, second.speedup) == (1, 2)

    def test_a_run_from_before_is_read_and_says_nothing_of_it(self) -> None:
        document = json.loads(run(*self.ITEMS, **self.WANTED).to_json())
        for key in self.WANTED:
            del document[key]
        old = Run.model_validate_json(json.dumps(document))
        assert (old.baseline, old.footprint) == (None, None)
        assert [(row.missed, row.speedup) for row in comparison.of(old)] == [((), None)] * 2


class TestParts:
    """Some targets and variants of a run."""

    WHOLE = run(
        measurement("a", target="pi"), measurement("b", target="pi"), measurement("a", target="x86"),
        failures=(
            Failure(target=None, variant="b", stage="convert", error="no"),
            Failure(target="x86", variant=None, stage="connect", error="off"),
        ),
    )  # fmt: skip

    def part(self, targets: tuple[str, ...] = (), variants: tuple[str, ...] = ()) -> list[tuple[Any, Any]]:
        found = runs.only(self.WHOLE, targets, variants)
        return [(part.target, part.variant) for part in (*found.results, *found.failures)]

    def test_failures_of_all_belong_to_each(self) -> None:
        assert runs.only(self.WHOLE, (), ()) == self.WHOLE
        assert self.part(("pi",)) == [("pi", "a"), ("pi", "b"), (None, "b")]
        assert self.part((), ("a",)) == [("pi", "a"), ("x86", "a"), ("x86", None)]
        assert self.part(("x86",), ("a",)) == [("x86", "a"), ("x86", None)]

    def test_a_name_that_is_not_in_it(self) -> None:
        with pytest.raises(InputError, match="has no target `jetson`") as caught:
            self.part(("jetson",))
        assert caught.value.hint == "it has pi, x86"
        with pytest.raises(InputError, match="has no variant `c`"):
            self.part((), ("c",))


@pytest.mark.usefixtures("three")
def test_the_latest_of_a_recipe() -> None:
    empty = run().model_copy(update={"run_id": "20261123-040000-cccccc"})
    keep(empty.run_id, empty.to_json())
    other = run(measurement()).model_copy(update={"recipe": "digits"})
    keep("20261123-050000-dddddd", other.to_json())
    keep("20261123-060000-eeeeee", "no run")
    latest = runs.latest_of("keyword-spotting")
    assert latest.run.run_id == THIRD
    assert runs.latest_of("keyword-spotting", before=THIRD).run.run_id == SECOND
    with pytest.raises(InputError, match="no earlier run of recipe `keyword-spotting`"):
        runs.latest_of("keyword-spotting", before=FIRST)
