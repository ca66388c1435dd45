"""Calibration data that cannot work cost the variants that are calibrated, and no others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from convert.conftest import run
from edgegreen.config.datakeys import Data
from edgegreen.errors import InputError
from edgegreen.recipe import Recipe, Variant

VARIANTS = {
    "fp32": Variant(format="openvino", precision="fp32"),
    "int8": Variant(format="openvino", precision="int8"),
}


@pytest.fixture
def ir(tmp_path: Path) -> Path:
    """An IR that takes 4 values and gives 3."""
    import openvino as ov
    from openvino import opset13 as ops

    x = ops.parameter([1, 4], np.float32, "x")
    weights = np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 3)
    ov.save_model(
        ov.Model([ops.matmul(x, weights, False, False)], [x], "m"), tmp_path / "m.xml", compress_to_fp16=False
    )
    return tmp_path / "m.xml"


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (np.ones((8, 5), np.float32), "`x` has samples of shape 5"),
        (np.full((8, 4), np.nan, np.float32), "sample 0 has NaN or infinite values"),
    ],
)
def test_the_others_are_built(ir: Path, tmp_path: Path, x: np.ndarray, words: str) -> None:
    np.savez(tmp_path / "c.npz", x=x)
    np.savez(tmp_path / "e.npz", x=np.eye(4, dtype=np.float32), y=np.array([0, 1, 2, 0]))
    data = Data(calibration=tmp_path / "c.npz", evaluation=tmp_path / "e.npz")
    recipe = Recipe(name="m", model=ir, data=data)
    for _ in ("anew", "from the cache"):
        built = run(recipe, VARIANTS, tmp_path / "cache")
        agreement = built.build.artifacts["fp32"].result().agreement
        assert agreement is not None
        assert agreement.on == "64 samples of seeded noise"
        assert built.build.reference.result().folder is not None
        with pytest.raises(InputError, match=words):
            built.build.artifacts["int8"].result()
        built.cache.close()
    (noted,) = {event.note for event in run(recipe, VARIANTS, tmp_path / "new").events if event.note}
    assert noted.startswith("calibration data")
    assert "what is not calibrated is checked on noise instead" in noted
