"""Artifact: the built model file(s) of one variant, with everything needed to trust them.

Pure types; the cache that keeps artifacts is `cache/store.py`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from edgegreen.agent.normalize import Normalize
from edgegreen.edgetpulog import Compilation
from edgegreen.mixture import Mixed


@dataclass(frozen=True)
class File:
    """A file known by its content."""

    path: Path
    sha256: str
    size_bytes: int

    @classmethod
    def of(cls, path: Path) -> File:
        """Digest `path` (read in blocks)."""
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return cls(path, digest, path.stat().st_size)


@dataclass(frozen=True)
class TensorSpec:
    """One input or output of a model. `shape` has the batch first and no dynamic dimension."""

    name: str
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class Agreement:
    """How far a built file's outputs are from the source model's, on the host, over `n` samples.

    `sqnr_db` is the signal-to-quantisation-noise ratio 10·log10(Σ ref² / Σ (ref − got)²), the lowest over
    the outputs (inf when equal). `top1` is the share of samples whose largest output is the same one
    (None when no output looks like a classifier's). `on` says what the samples were.
    """

    sqnr_db: float
    top1: float | None
    n: int
    on: str


@dataclass(frozen=True)
class Artifact:
    """One variant, built. `files` has the model first (OpenVINO: .xml, then .bin).

    `input_order[i]` is the index, in the file, of the model's i-th input as the recipe's data number
    them (`x0`, `x1`, …); `output_order` likewise. `inputs` and `outputs` are in the recipe's order.
    `compressed_bytes` is the size of the files when deflated (zlib level 6). `mixed` is there for a
    variant with a limit on its accuracy drop. `normalize` is what the recipe's samples go through before the
    file takes them; None: they are what it takes. `compilation` is there for a file that was compiled for an
    Edge TPU; `agreement` is then that of the quantised file before, because no host can run a compiled one.
    """

    key: str
    format: str
    precision: str | None
    files: tuple[File, ...]
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    input_order: tuple[int, ...]
    output_order: tuple[int, ...]
    built_by: str
    agreement: Agreement | None
    compressed_bytes: int
    mixed: Mixed | None = None
    normalize: Normalize | None = None
    compilation: Compilation | None = None

    @property
    def size_bytes(self) -> int:
        """All files together, as they lie on the board."""
        return sum(file.size_bytes for file in self.files)

    @property
    def sha256(self) -> str:
        """The one file's digest; for several, the digest of their digests in order."""
        if len(self.files) == 1:
            return self.files[0].sha256
        return hashlib.sha256("".join(file.sha256 for file in self.files).encode()).hexdigest()
