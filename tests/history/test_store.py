"""What is put into the history comes back as it was; filters find it; twice is once."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from builders import BOARD, accuracy, executed, measurement, metered, run
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgegreen.config.footprintkeys import Footprint
from edgegreen.config.limitkeys import Budgets
from edgegreen.errors import InputError
from edgegreen.history import series
from edgegreen.history.filters import Filter, moment
from edgegreen.history.series import Series
from edgegreen.history.store import Store
from edgegreen.measurement import (
    Commit,
    Failure,
    Measurement,
    OperatorTime,
    Origin,
    Profile,
    Run,
    Tuning,
)

ORIGIN = Origin(
    recipe_file="kws.yaml", recipe_text="name: kws\n# µ\n", files={"model": "ab" * 32},
    tools={"numpy": "2.4"}, host="Linux", git=Commit(sha="c0ffee" + "0" * 34, modified=True),
)  # fmt: skip
PROFILE = Profile(
    runs=20, call_ms=1.5, operators_ms=1.2,
    operators=(OperatorTime(name="a", type="CONV_2D", precision=None, ms=1.2, share=0.8),),
)  # fmt: skip
EMULATED = BOARD | {"emulated": True}
WHOLE = run(
    metered("a", tuning=Tuning(governor="powersave", power_mode=1), profile=PROFILE),
    measurement("b", target="orin", execution=executed(("CONV_2D", "i8", True, 3)), passes=("prune 50 %",)),
    measurement("b", conditions={"z": 1, "a": [1e16, -0.0, 1e308, {"n": None}], "board": EMULATED}),
    measurement("c", accuracy=None, peak_rss_bytes=2**70, verdict="invalid", reasons=("noisy", "hot \0")),
    failures=(
        Failure(target="pi5", variant="d", stage="measure", error="it said \0 and ended", exit_code=5),
        Failure(target=None, variant="e", stage="convert", error="no", setting="4 threads", exit_code=3),
    ),
    baseline="a", budgets=Budgets(latency_p95_ms_max=3), footprint=Footprint(battery_wh=3), origin=ORIGIN,
)  # fmt: skip


def ids(store: Store, **wanted: Any) -> list[str]:
    return [one.run_id for one in store.find(Filter(**wanted))]


def named(n: int, *items: Measurement, **changes: Any) -> Run:
    """A run of day `n` of November."""
    at = datetime(2026, 11, n, 4, tzinfo=UTC)
    return run(*items).model_copy(
        update={"run_id": f"202611{n:02}-040000-aaaaaa", "started_at": at} | changes
    )


def test_a_whole_run_comes_back(store: Store) -> None:
    store.put(WHOLE, ())
    found = store.get(WHOLE.run_id)
    assert found is not None
    assert found.run == WHOLE
    assert found.run.to_json() == WHOLE.to_json()  # with keys in their order
    assert [one.exit_code for one in found.run.failures] == [5, 3]
    assert store.get("20200101-000000-000000") is None


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
values = st.floats(allow_nan=False, allow_infinity=False)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | values | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
items = st.builds(
    measurement, texts, target=texts, threads=st.integers(), load_ms=values, p50=st.floats(1e-9, 1e9),
    size_bytes=st.integers(0, 2**80), conditions=st.dictionaries(texts, anything, max_size=3),
    tuning=st.none() | st.builds(Tuning, governor=st.none() | texts, power_mode=st.integers() | texts),
    accuracy=st.none() | st.builds(accuracy, values, st.none() | values),
)  # fmt: skip
failures = st.builds(
    Failure, target=st.none() | texts, variant=st.none() | texts, stage=st.just("measure"), error=texts,
    setting=st.none() | texts, exit_code=st.integers(0, 255),
)  # fmt: skip


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(results=st.lists(items, max_size=3), failed=st.lists(failures, max_size=3))
def test_whatever_run_it_is(store: Store, results: list[Measurement], failed: list[Failure]) -> None:
    whole = run(*results, failures=tuple(failed))
    store.put(whole, ())
    found = store.get(whole.run_id)
    assert found is not None
    assert found.run == whole


def test_twice_is_once_and_later_is_what_counts(store: Store) -> None:
    times = Series(np.array([1, 2]), np.array([3]), {"active": (0, 9)})
    a, b = measurement("a"), measurement("b")
    packed = [(series.trial_of(item), series.pack(times)) for item in (a, b)]
    for _ in range(2):
        store.put(run(a, b), packed)
    assert [(one.results, one.failures) for one in store.find(Filter())] == [(2, 0)]
    # Taken up again: `b` is gone, `c` is new, and the series of `a` are not at hand any more.
    later = run(measurement("c"), a, failures=WHOLE.failures)
    store.put(later, ())
    found = store.get(later.run_id)
    assert found is not None
    assert found.run == later
    behind = found.series(a)
    assert behind is not None
    assert behind.invoke_ns.tolist() == [1, 2]
    assert found.series(measurement("c")) is None
    assert list(store.packed(later.run_id)) == [series.trial_of(a)]


FOUND: tuple[tuple[dict[str, Any], list[int]], ...] = (
    ({}, [3, 2, 1]),
    ({"recipe": "digits"}, [3, 2]),
    ({"target": "orin"}, [2, 1]),
    ({"target": "pi5"}, [3, 2, 1]),
    ({"target": "pi5", "failed": True}, [3, 2]),
    ({"variant": "e"}, [2]),
    ({"variant": "a", "target": "orin"}, [2]),
    ({"verdict": "invalid"}, [1]),
    ({"verdict": "invalid", "variant": "a"}, []),
    ({"verdict": "valid", "target": "pi5"}, [1]),
    ({"failed": True}, [3, 2]),
    ({"git": "C0FFEE"}, [1]),
    ({"git": "beef" * 10}, [2]),
    ({"git": "0"}, []),
    ({"since": moment("2026-11-02")}, [3, 2]),
    ({"until": moment("2026-11-02", end=True)}, [2, 1]),
    ({"until": moment("2026-11-02T04:00")}, [1]),
    ({"since": moment("2026-11-02T05:00+02:00"), "until": moment("2026-11-03")}, [2]),
    ({"before": "20261103-040000-aaaaaa"}, [2, 1]),
    ({"recipe": "' OR 1=1 --"}, []),
    ({"recipe": "%"}, []),
)


def test_filters_and_what_a_list_tells(store: Store) -> None:
    git = ORIGIN.model_copy(update={"git": Commit(sha="beef" * 10, modified=False)})
    for one in (
        named(1, measurement("a"), measurement("b", target="orin", verdict="invalid"), origin=ORIGIN),
        named(2, measurement("a", target="orin"), recipe="digits", failures=WHOLE.failures, origin=git),
        named(3, recipe="digits", failures=WHOLE.failures[:1]),
    ):
        store.put(one, ())
    for wanted, days in FOUND:
        assert ids(store, **wanted) == [f"202611{day:02}-040000-aaaaaa" for day in days], wanted
    (last,) = store.find(Filter(), 1)
    assert last.run_id.startswith("20261103")
    first = store.find(Filter())[-1]
    assert (first.targets, first.variants) == (("orin", "pi5"), ("a", "b"))
    assert (first.results, first.invalid, first.failures) == (2, 1, 0)
    assert first.git_commit == "c0ffee" + "0" * 34
    assert first.started_at == datetime(2026, 11, 1, 4, tzinfo=UTC)


def test_times_ago_and_no_times() -> None:
    for text, ago in (("90m", timedelta(minutes=90)), ("7d", timedelta(days=7)), ("2w", timedelta(weeks=2))):
        assert abs(datetime.now(UTC) - ago - moment(text)) < timedelta(seconds=10)
    for text in ("", "7", "yesterday", "2026-13-01", "999999w", "-7d"):
        with pytest.raises(InputError, match="is no time"):
            moment(text)


def test_a_record_of_a_later_edgegreen_is_named(store: Store) -> None:
    store.put(WHOLE, ())
    with store._connected(writes=True) as connection:
        connection.exec_driver_sql("""UPDATE result SET record = '{"novel": 1}' WHERE position = 0""")
    with pytest.raises(
        InputError, match=r"run 2026.* of the history: not a run that this edgegreen can read"
    ):
        store.get(WHOLE.run_id)


def test_ids_are_sorted_by_their_bytes_and_found_by_their_beginning(store: Store) -> None:
    days, hours, tails = ("20261101", "20261102"), (1, 2), ("aaaaa0", "0aaaaa")
    made = [f"{day}-0{hour}0000-{tail}" for day, hour, tail in itertools.product(days, hours, tails)]
    for run_id in made:
        store.put(run().model_copy(update={"run_id": run_id}), ())
    assert store.ids() == sorted(made, reverse=True)
    assert store.ids("20261102-01") == ["20261102-010000-aaaaa0", "20261102-010000-0aaaaa"]
    assert [store.ids(odd) for odd in ("x", "%", "\udcff", "_")] == [[], [], [], []]
