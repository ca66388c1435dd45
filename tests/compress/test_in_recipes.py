"""Passes in a recipe: what is refused before any work, and one through the whole build."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from edgegreen import session
from edgegreen.errors import InputError
from edgegreen.prepare import prepare
from edgegreen.sources import tflitefile

DIGITS = Path(__file__).parents[2] / "recipes" / "digits"


def recipe(folder: Path, passes: str, **data: str) -> Path:
    files = {name: DIGITS / f"{name}.npz" for name in ("calibration", "evaluation", "training")} | data
    lines = ", ".join(f"{name}: {file}" for name, file in files.items() if file)
    path = folder / "recipe.yaml"
    path.write_text(
        f"name: small\nmodel: {DIGITS / 'model.keras'}\ndata: {{{lines}}}\n"
        f"variants: {{v: {{passes: [{passes}], format: tflite, precision: fp32}}}}\n"
    )
    return path


class Quiet:
    def step(self, *_: object) -> None: ...
    def finish(self, *_: object) -> None: ...
    def note(self, *_: object) -> None: ...


@pytest.mark.parametrize(
    ("passes", "data", "words"),
    [
        ("{prun: {sparsity: 0.5}}", {}, "did you mean `prune`"),
        ("{prune: {sparsity: 1.5}}", {}, "sparsity"),
        ("{prune: {}}", {"training": DIGITS / "evaluation.npz"}, "are the evaluation data as well"),
    ],
)
def test_refused(tmp_path: Path, passes: str, data: dict[str, str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        session.build_only(prepare(recipe(tmp_path, passes, **data)), Quiet())


@pytest.mark.skipif(importlib.util.find_spec("tensorflow") is None, reason="tensorflow is not installed")
def test_a_pruned_model_keeps_its_zeros_to_the_file(tmp_path: Path) -> None:
    plan = prepare(recipe(tmp_path, "{prune: {sparsity: 0.75, epochs: 4}}"))
    built, failed = session.build_only(plan, Quiet())
    assert not failed
    artifact = built["v"]
    assert artifact.compressed_bytes < 0.5 * artifact.size_bytes
    model = tflitefile.read(artifact.files[0].path)
    large = [one.data for one in model.buffers if one.data is not None and len(one.data) >= 4000]
    assert len(large) == 2  # conv2 and conv3; batch normalisation is folded in, which keeps zeros
    assert all(np.mean(np.frombuffer(bytes(one), np.float32) == 0) >= 0.74 for one in large)
    again, _ = session.build_only(plan, Quiet())
    assert again["v"].sha256 == artifact.sha256
