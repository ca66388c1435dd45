"""Outputs on disk, and the samples they come from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgegreen.artifact import TensorSpec
from edgegreen.errors import InputError
from edgegreen.sources import outputs
from edgegreen.sources.samples import CheckSamples, rows


def some(n: int, *shapes: tuple[int, ...]) -> list[list[Any]]:
    random = np.random.default_rng(0)
    return [[random.random(shape).astype(np.float32) for shape in shapes] for _ in range(n)]


class TestOutputs:
    def test_read_as_written(self, tmp_path: Path) -> None:
        written = some(7, (1, 12), (1, 4, 4))
        assert outputs.write(tmp_path, written) == 7
        ((start, arrays),) = outputs.batches(tmp_path)
        assert (start, [array.shape for array in arrays]) == (0, [(7, 12), (7, 4, 4)])
        for row, again in zip(written, outputs.rows(tmp_path), strict=True):
            assert all(np.array_equal(one, other) for one, other in zip(row, again, strict=True))

    def test_large_ones_in_batches(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(outputs, "BATCH_BYTES", 100)
        written = some(10, (1, 12))
        outputs.write(tmp_path, written)
        starts = [start for start, _ in outputs.batches(tmp_path)]
        assert starts == [0, 3, 6, 9]
        again = np.concatenate([row[0] for row in outputs.rows(tmp_path)])
        assert np.array_equal(again, np.concatenate([row[0] for row in written]))

    def test_rows_of_other_shapes_and_without_a_batch(self, tmp_path: Path) -> None:
        written = [*some(2, (3, 6)), *some(1, (5, 6)), *some(1, ())]
        outputs.write(tmp_path, written)
        assert [(start, arrays[0].shape) for start, arrays in outputs.batches(tmp_path)] == [
            (0, (2, 3, 6)),
            (2, (1, 5, 6)),
            (3, (1,)),
        ]

    def test_a_limit(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(outputs, "LIMIT_BYTES", 100)
        with pytest.raises(InputError, match="the outputs of 3 samples take more than"):
            outputs.write(tmp_path, some(10, (1, 12)))


class TestSamples:
    SPECS = (
        TensorSpec("a", (1, 3), "float32"),
        TensorSpec("b", (1, 2), "uint8"),
        TensorSpec("c", (1,), "int64"),
    )

    def test_noise_is_the_same_every_time_and_fits_the_types(self) -> None:
        first, again = (list(CheckSamples(None).rows(self.SPECS)) for _ in range(2))
        assert len(first) == 64
        for one, other in zip(first, again, strict=True):
            assert [value.dtype.name for value in one] == ["float32", "uint8", "int64"]
            assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
        floats = np.concatenate([row[0] for row in first])
        assert 0 <= floats.min() < 0.1
        assert 0.9 < floats.max() <= 1
        assert {int(row[2][0]) for row in first} == {0, 1}
        assert CheckSamples(None).words(64) == "64 samples of seeded noise"

    def test_data_up_to_the_limit(self, tmp_path: Path) -> None:
        x = np.arange(300, dtype=np.float32).reshape(100, 3)
        np.savez(tmp_path / "d.npz", x=x)
        taken = list(CheckSamples(tmp_path / "d.npz").rows(self.SPECS[:1]))
        assert np.array_equal(np.concatenate([row[0] for row in taken]), x[:64])
        assert CheckSamples(tmp_path / "d.npz").words(64) == "64 calibration samples"

    @pytest.mark.parametrize("bad", [np.nan, np.inf])
    def test_data_that_are_no_numbers(self, tmp_path: Path, bad: float) -> None:
        x = np.zeros((5, 3), np.float32)
        x[3, 1] = bad
        np.savez(tmp_path / "d.npz", x=x)
        with pytest.raises(InputError, match="sample 3 has NaN or infinite values"):
            list(rows(tmp_path / "d.npz", "calibration"))

    def test_broken_data(self, tmp_path: Path) -> None:
        np.savez(tmp_path / "d.npz", x=np.array([{}], dtype=object))
        with pytest.raises(InputError, match=r"calibration data .*d\.npz: .*pickled"):
            next(iter(rows(tmp_path / "d.npz", "calibration")))
