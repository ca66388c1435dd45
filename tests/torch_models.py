"""Models made with torch, by the Python of edgegreen's own torch environment: `python torch_models.py FOLDER DATA`.

DATA is recipes/digits/training.npz. `digits.pt2` is trained on it; `digits.onnx` is the same model by torch's
exporter; `nested.pt2` has two inputs in a dictionary and three outputs, one of them with channels;
`training.pt2` was exported in training mode. `expected.npz` has what torch makes of seeded inputs of `nested`.
tests/fixtures/models/nested.pt2 is the one made here.
"""

from __future__ import annotations

import io
import json
import sys
import zipfile
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
    """A model of the digits, evaluated at about 97 %."""
    torch.manual_seed(0)
    with np.load(data) as arrays:
        x = torch.from_numpy(arrays["x"].reshape(-1, 1, 8, 8))
        y = torch.from_numpy(arrays["y"])
    model = Digits()
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in range(20):
        for batch in torch.randperm(len(x)).split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[batch]), y[batch]).backward()
            optimizer.step()
    return model.eval()


def without_traces(path: Path) -> None:
    """The archive without what names this machine's files."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in members.items():
            if name.endswith("models/model.json"):
                content = json.dumps(cleaned(json.loads(content))).encode()
            archive.writestr(zipfile.ZipInfo(name), content)
    path.write_bytes(made.getvalue())


def cleaned(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: "" if key == "stack_trace" else cleaned(value) for key, value in tree.items()}
    return [cleaned(one) for one in tree] if isinstance(tree, list) else tree


def main(folder: Path, data: Path) -> None:
    model, image = trained(data), torch.rand(2, 1, 8, 8)
    batch = ({0: Dim("batch")},)
    save(export(model, (image,), dynamic_shapes=batch), folder / "digits.pt2")
    torch.onnx.export(model, (image,), folder / "digits.onnx", dynamo=True, dynamic_shapes=batch, verbose=False)
    save(export(Digits().train(), (image,)), folder / "training.pt2")
    nested = Nested().eval()
    given = {"image": torch.rand(1, 3, 5, 4), "more": torch.rand(1, 3)}
    save(export(nested, (given,)), folder / "nested.pt2")
    without_traces(folder / "nested.pt2")
    many = {"image": torch.rand(20, 3, 5, 4), "more": torch.rand(20, 3)}
    with torch.no_grad():
        found = nested(many)
    np.savez(
        folder / "expected.npz", x0=many["image"].numpy(), x1=many["more"].numpy(),
        scores=found["scores"].numpy(), maps=found["maps"].numpy(), best=found["best"].numpy(),
    )  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
