"""Models made with torch, by the Python of edgegreen's own environment for it.

`python torch_models.py FOLDER DATA`; DATA is recipes/digits/training.npz. `digits.pt2` is trained on it, and
`digits.onnx` is the same model by torch's exporter. `nested.pt2` (tests/fixtures/models/ has it, too) has two
inputs in a dictionary and three outputs, one of them with channels; `expected.npz` is what torch makes of
seeded inputs. `pickle.pt2` is that with a pickle among its example inputs that makes a file where it is run.
"""

from __future__ import annotations

import io
import json
import os
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.export import Dim, export, save


class Digits(nn.Module):
    """8×8 pixels, one channel, in front."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Dropout(0.2), nn.Linear(128, 10),
        )  # fmt: skip

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.body(image)


class Nested(nn.Module):
    """An image of 5×4 and three more values."""

    def __init__(self) -> None:
        super().__init__()
        self.maps, self.scores = nn.Conv2d(3, 6, 3, stride=2, padding=1), nn.Linear(9, 4)

    def forward(self, given: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        maps = torch.relu(self.maps(given["image"]))
        scores = self.scores(torch.cat([maps.mean((2, 3)), given["more"]], 1))
        return {"scores": scores, "maps": maps, "best": scores.argmax(1)}


def trained(data: Path) -> Digits:
    """A model of the digits, evaluated at about 99 %."""
    torch.manual_seed(0)
    torch.set_num_threads(1)  # for so little more of them only wait for one another
    with np.load(data) as arrays:
        x = torch.from_numpy(arrays["x"].reshape(-1, 1, 8, 8))
        y = torch.from_numpy(arrays["y"])
    model = Digits()
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in range(8):
        for batch in torch.randperm(len(x)).split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[batch]), y[batch]).backward()
            optimizer.step()
    return model.eval()


class Touch:
    """Unpickled, it makes a file."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, ("touch executed",)


def rewritten(path: Path, to: Path, edits: dict[str, Callable[[bytes], bytes]]) -> None:
    """The archive with some of its members edited, named by their ends."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(to, "w") as archive:
        for name, content in members.items():
            edit = next((edit for end, edit in edits.items() if name.endswith(end)), bytes)
            archive.writestr(zipfile.ZipInfo(name), edit(content))


def without_traces(program: bytes) -> bytes:
    """The program without what names this machine's files."""
    return json.dumps(cleaned(json.loads(program))).encode()


def with_pickle(_: bytes) -> bytes:
    made = io.BytesIO()
    torch.save(((Touch(),), {}), made)
    return made.getvalue()


def cleaned(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: "" if key == "stack_trace" else cleaned(value) for key, value in tree.items()}
    return [cleaned(one) for one in tree] if isinstance(tree, list) else tree


def main(folder: Path, data: Path) -> None:
    model, image = trained(data), torch.rand(2, 1, 8, 8)
    batch = ({0: Dim("batch")},)
    save(export(model, (image,), dynamic_shapes=batch), folder / "digits.pt2")
    torch.onnx.export(
        model, (image,), folder / "digits.onnx", dynamo=True, dynamic_shapes=batch, verbose=False
    )
    nested = Nested().eval()
    given = {"image": torch.rand(1, 3, 5, 4), "more": torch.rand(1, 3)}
    save(export(nested, (given,)), folder / "nested.pt2")
    rewritten(folder / "nested.pt2", folder / "nested.pt2", {"models/model.json": without_traces})
    rewritten(folder / "nested.pt2", folder / "pickle.pt2", {"sample_inputs/model.pt": with_pickle})
    many = {"image": torch.rand(20, 3, 5, 4), "more": torch.rand(20, 3)}
    with torch.no_grad():
        found = nested(many)
    np.savez(
        folder / "expected.npz", x0=many["image"].numpy(), x1=many["more"].numpy(),
        scores=found["scores"].numpy(), maps=found["maps"].numpy(), best=found["best"].numpy(),
    )  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
