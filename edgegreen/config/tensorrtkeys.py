"""What a recipe says of TensorRT: `benchmark: {tensorrt: …}`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from edgegreen.config.yamlfile import Frozen


class TensorRT(Frozen):
    """How engines are built and evaluated on a board; see docs/tensorrt.md."""

    build_timeout_s: Annotated[float, Field(gt=0, le=86400)] = 3600.0
    """A build that takes longer is ended."""
    samples: Annotated[int, Field(ge=1, le=1_000_000)] = 100
    """Of the evaluation data, evenly over them: each takes a process of a second or more."""
