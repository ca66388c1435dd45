"""Series come back as they were kept; a file that is none says so; no file is no error."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from builders import measurement

from edgegreen.errors import InputError
from edgegreen.history import series
from edgegreen.history.series import Levels, Series
from edgegreen.measurement import Tuning

WHOLE = Series(
    invoke_ns=np.array([3, 1, 2]),
    end_to_end_ns=np.array([5, 4]),
    windows={"idle_before": (0, 10), "active": (11, 20)},
    power_t_ns=np.array([1, 2, 3]),
    power_w=np.array([1.5, np.nan, 2.5]),
    frequency_mhz=Levels(
        np.array([4, 5]), {"cpu0": np.array([1500.0, np.nan]), "cpu4": np.array([1.0, 2.0])}
    ),
    temperature_c=Levels(np.array([4, 5]), {"cpu-thermal": np.array([50.0, 51.0])}),
)
BARE = Series(np.array([1, 2]), np.empty(0, np.int64), {"active": (0, 1)})


@pytest.mark.parametrize("kept", [WHOLE, BARE], ids=["whole", "without a meter"])
def test_they_come_back(kept: Series, tmp_path: Path) -> None:
    item = measurement()
    series.save(tmp_path / "run", item, kept)
    found = series.load(tmp_path / "run", item)
    assert found is not None
    assert dict(found.windows) == dict(kept.windows)
    for name in ("invoke_ns", "end_to_end_ns", "power_t_ns", "power_w"):
        np.testing.assert_array_equal(getattr(found, name), getattr(kept, name))
    for what in ("frequency_mhz", "temperature_c"):
        mine, theirs = getattr(found, what), getattr(kept, what)
        np.testing.assert_array_equal(mine.t_ns, theirs.t_ns)
        assert list(mine.values) == list(theirs.values)
        for name in mine.values:
            np.testing.assert_array_equal(mine.values[name], theirs.values[name])


def test_each_trial_has_a_file_of_its_own() -> None:
    items = [
        measurement(), measurement(variant="int8"), measurement(target="orin"), measurement(threads=4),
        measurement(tuning=Tuning(governor="powersave")),
    ]  # fmt: skip
    assert len({series.name_of(item) for item in items}) == len(items)
    assert series.name_of(measurement(p50=2.0)) == series.name_of(measurement())  # taken again


def test_what_is_not_there_and_what_is_no_series(tmp_path: Path) -> None:
    assert series.load(tmp_path, measurement()) is None
    (tmp_path / series.name_of(measurement())).write_bytes(b"PK\x03\x04 cut")
    with pytest.raises(InputError, match="no series that this edgegreen can read"):
        series.load(tmp_path, measurement())
