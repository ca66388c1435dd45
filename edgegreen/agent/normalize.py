"""What is done to raw samples before a model takes them: (raw − mean) · scale, per channel or for all.

The same code does it on the board, where it is a part of `end_to_end`, and on the host.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Normalize:
    """One mean and one scale for all, or as many as the input has channels (its last extent)."""

    mean: tuple[float, ...]
    scale: tuple[float, ...]

    def __call__(self, raw: NDArray[Any]) -> NDArray[Any]:
        """What the model takes for these raw values, as float32."""
        import numpy as np

        centred = raw.astype(np.float32) - np.asarray(self.mean, np.float32)
        normalized: NDArray[Any] = centred * np.asarray(self.scale, np.float32)
        return normalized
