from __future__ import annotations

import contextlib
import io
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edgegreen.agent import npz
from edgegreen.agent.npz import DataError, Samples


def save(path: Path, *, compressed: bool = False, **arrays: Any) -> str:
    (np.savez_compressed if compressed else np.savez)(path, **arrays)
    return str(path)


@settings(max_examples=40, deadline=None)
@given(
    x=hnp.arrays(
        st.sampled_from(["<f4", ">f4", "f2", "f8", "i1", "u1", ">i2", "i8", "?"]),
        hnp.array_shapes(min_dims=1, max_dims=4, max_side=6),
    ),
    compressed=st.booleans(),
    start=st.integers(0, 7),
    block=st.sampled_from([1, 40, 1 << 20]),
)
def test_rows_are_what_numpy_loads(
    tmp_path_factory: pytest.TempPathFactory, x: np.ndarray, compressed: bool, start: int, block: int
) -> None:
    x = np.ascontiguousarray(x)
    path = save(tmp_path_factory.mktemp("npz") / "a.npz", compressed=compressed, x=x)
    with pytest.MonkeyPatch.context() as patch, Samples(path) as samples:
        patch.setattr(npz, "BLOCK_BYTES", block)
        rows = list(samples.rows(start))
        assert (samples.names, samples.n, samples.shapes) == (("x",), len(x), (x.shape[1:],))
    assert all(row[0].shape == (1, *x.shape[1:]) and row[0].dtype == samples.dtypes[0] for row in rows)
    got = np.concatenate([row[0] for row in rows]) if rows else x[:0]
    np.testing.assert_array_equal(got, x[start:])


def test_several_inputs_and_labels(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npz", x1=np.arange(6).reshape(3, 2), x0=np.ones(3, "f4"), y=np.array([1, 0, 2]))
    with Samples(path) as samples:
        assert samples.names == ("x0", "x1")
        assert samples.shapes == ((), (2,))
        rows = list(samples.rows(1, 3))
        np.testing.assert_array_equal(rows[1][1], [[4, 5]])
        rows[0][1][...] = 7  # the rows may be written to
        labels = samples.labels()
    assert labels is not None
    assert labels.tolist() == [1, 0, 2]


def test_no_labels_is_none(tmp_path: Path) -> None:
    with Samples(save(tmp_path / "a.npz", x=np.ones((2, 2)))) as samples:
        assert samples.labels() is None


def test_data_are_streamed_not_loaded(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npz", compressed=True, x=np.zeros((64, 1 << 20), "u1"))
    with Samples(path) as samples:
        tracemalloc.start()
        count = sum(1 for _ in samples.rows())
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert count == 64
    assert peak < 8 << 20


def objects() -> Any:
    return np.array([{"a": 1}, None], dtype=object)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"x": objects()}, "pickled objects"),
        ({"x": np.ones((2, 2)), "y": objects()}, "`y` holds pickled"),
        ({"x": np.array(["a", "b"])}, "of type <U1"),
        ({"x": np.ones((2, 2), complex)}, "complex128"),
        ({"x": np.zeros(2, [("a", "f4")])}, "expected integers"),
        ({"x": np.asfortranarray(np.ones((3, 4)))}, "np.ascontiguousarray(x)"),
        ({"x": np.float32(1)}, "single number"),
        ({"x": np.ones((0, 3))}, "no samples"),
        ({"x": np.ones((3, 0))}, "shape (0,)"),
        ({"x": np.ones((2, 3)), "y": np.ones(3)}, "`x` has 2, `y` has 3"),
        ({"x0": np.ones(3), "x1": np.ones(4)}, "`x0` has 3, `x1` has 4"),
        ({"x": np.ones(3), "x0": np.ones(3)}, "both `x` and `x0`"),
        ({"x0": np.ones(3), "x2": np.ones(3)}, "without a gap"),
        ({"images": np.ones(3), "y": np.ones(3)}, "found `images`, `y`"),
    ],
)
def test_what_cannot_be_used_is_said(tmp_path: Path, arrays: dict[str, Any], words: str) -> None:
    path = save(tmp_path / "a.npz", **arrays)
    with pytest.raises(DataError) as caught:
        Samples(path)
    assert words in str(caught.value)


def test_a_file_that_is_no_zip(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(b"no zip at all")
    with pytest.raises(DataError, match="not an npz"):
        Samples(str(tmp_path / "a.npz"))
    with pytest.raises(FileNotFoundError):
        Samples(str(tmp_path / "none.npz"))


def test_another_kind_of_zip_is_no_npz(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        archive.writestr("config.json", "{}")
    with pytest.raises(DataError, match="not an npz file"):
        Samples(str(tmp_path / "m.keras"))


def test_a_member_that_is_no_array(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("x.npy", b"hello")
    with pytest.raises(DataError, match="`x` is no array"):
        Samples(str(tmp_path / "a.npz"))


@pytest.mark.parametrize("cut", [1, 8, 17])
def test_a_member_shorter_than_its_header_says(tmp_path: Path, cut: int) -> None:
    whole = io.BytesIO()
    np.save(whole, np.arange(8, dtype="i2"))
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("x.npy", whole.getvalue()[:-cut] if cut < 17 else whole.getvalue()[:30])
    with pytest.raises(DataError, match="`x`"), Samples(str(tmp_path / "a.npz")) as samples:
        list(samples.rows())


def test_a_flipped_bit_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    save(path, x=np.zeros((100, 100), "u1"))
    content = bytearray(path.read_bytes())
    content[5000] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="CRC"), Samples(str(path)) as samples:
        list(samples.rows())


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_garbage_raises_nothing_but_data_error(tmp_path_factory: pytest.TempPathFactory, data: Any) -> None:
    path = tmp_path_factory.mktemp("npz") / "a.npz"
    save(path, compressed=data.draw(st.booleans()), x=np.arange(12.0).reshape(4, 3), y=np.arange(4))
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(
        content[: data.draw(st.integers(0, len(content)))] if data.draw(st.booleans()) else content
    )
    with contextlib.suppress(DataError), Samples(str(path)) as samples:
        list(samples.rows())
        samples.labels()
