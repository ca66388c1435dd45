"""What is asked of a source: which model, how to take it, and the data it has to fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from edgegreen import data
from edgegreen.agent.normalize import Normalize
from edgegreen.artifact import File, TensorSpec
from edgegreen.cache.keys import versions
from edgegreen.sources import files, shapes
from edgegreen.sources.files import SourceFormat
from edgegreen.sources.samples import CheckSamples, Row, rows


@dataclass(frozen=True)
class Request:
    """One model to load. `digest` is over its contents, `threads` what the host may use to run it.

    `calibration_n` and `evaluation_n` are numbers of samples. `normalize` is what the samples go through
    before the model takes them; None: they are what it takes. `compressed` is the key of what passes make of
    the model; None for the model itself.
    """

    path: Path
    format: SourceFormat
    digest: str
    size_bytes: int
    signature: str | None = None
    input_shape: shapes.InputShape = None
    calibration: File | None = None
    calibration_n: int = 0
    evaluation: File | None = None
    evaluation_n: int = 0
    threads: int = 1
    compressed: str | None = None
    normalize: Normalize | None = None

    @classmethod
    def of(
        cls,
        path: Path,
        signature: str | None = None,
        *,
        input_shape: shapes.InputShape = None,
        calibration: Path | None = None,
        evaluation: Path | None = None,
        normalize: Normalize | None = None,
    ) -> Request:
        """Look at the model and the data; raises InputError when one of them is not what it should be."""
        format_ = files.format_of(path)
        counts = {}
        for what, one in (("calibration", calibration), ("evaluation", evaluation)):
            if one is not None:
                with data.open_samples(one, what) as samples:
                    counts[what] = samples.n
        return cls(
            path=path,
            format=format_,
            digest=files.digest(path, format_),
            size_bytes=files.size_bytes(path, format_),
            signature=signature,
            input_shape=input_shape,
            calibration=File.of(calibration) if calibration else None,
            calibration_n=counts.get("calibration", 0),
            evaluation=File.of(evaluation) if evaluation else None,
            evaluation_n=counts.get("evaluation", 0),
            normalize=normalize,
        )

    @property
    def identity(self) -> dict[str, Any]:
        """All that decides what the loaded source is, as plain JSON for a cache key."""
        shape = self.input_shape
        plain = {k: list(v) for k, v in shape.items()} if isinstance(shape, Mapping) else list(shape or ())
        return {
            "edgegreen": versions("edgegreen"),
            "model": self.digest,
            "signature": self.signature,
            "input_shape": plain,
            "compressed": self.compressed,
            "normalize": asdict(self.normalize) if self.normalize else None,
            "checked_on": self.calibration.sha256 if self.calibration else None,
        }

    @property
    def check_samples(self) -> CheckSamples:
        """What the model and all that is made from it are compared on."""
        return CheckSamples(self.calibration.path if self.calibration else None, normalize=self.normalize)

    @property
    def uncalibrated(self) -> Request:
        """The same without its calibration data: checked on noise."""
        return replace(self, calibration=None, calibration_n=0)

    def calibration_rows(self) -> Iterator[Row]:
        """All calibration samples, one after the other, as the model takes them. Raises InputError."""
        assert self.calibration is not None
        return rows(self.calibration.path, "calibration", normalize=self.normalize)

    @property
    def sample_shapes(self) -> tuple[shapes.Shape, ...]:
        """Shapes of one sample of the recipe's data, one per input; empty when there are no data."""
        for what, file in self._data():
            with data.open_samples(file.path, what) as samples:
                return tuple(samples.shapes)
        return ()

    def check_data(self, inputs: Sequence[TensorSpec]) -> None:
        """Raise InputError unless all data, and the normalisation, fit the inputs."""
        if self.normalize:
            shapes.check_normalize(self.normalize, inputs)
        for what, file in self._data():
            with data.open_samples(file.path, what) as samples:
                shapes.check_data(samples, inputs, what, file.path)

    def _data(self) -> list[tuple[str, File]]:
        found = (("calibration", self.calibration), ("evaluation", self.evaluation))
        return [(what, file) for what, file in found if file is not None]
