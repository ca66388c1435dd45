"""What decides an artifact: the keys it and its outputs have in the cache."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from edgegreen.cache.keys import key_of, versions
from edgegreen.convert import compressing
from edgegreen.convert.job import quantizer_of
from edgegreen.convert.yardstick import Yardstick
from edgegreen.formats import FORMATS, Quantizer
from edgegreen.recipe import Variant
from edgegreen.sources import onnxhub, onnxlower
from edgegreen.sources.load import LOADERS, pinned
from edgegreen.sources.request import Request

# Quantizer → the distributions whose versions decide what it makes.
TOOLS: dict[Quantizer, tuple[str, ...]] = {
    "ai-edge-quantizer": ("ai-edge-quantizer", "ai-edge-litert"),
    "tensorflow": ("tensorflow", "ai-edge-litert"),
    "nncf": ("nncf", "openvino"),
    "onnxruntime": onnxhub.NEEDED,
    "onnxruntime-symmetric": onnxhub.NEEDED,
}


def of_artifact(request: Request, variant: Variant, yardstick: Yardstick | None = None) -> str:
    """The artifact's key: model, variant, calibration data, tools. A variant's name does not decide it.

    With a limit on its accuracy drop: the limit, and what the choice is made on, too.
    """
    quantizer = quantizer_of(variant)
    canonical: dict[str, Any] = {
        "format": variant.format,
        "precision": variant.precision,
        "quantizer": quantizer if variant.precision else None,
        "io": variant.ends,
    }
    if FORMATS[variant.format].engine:
        canonical["opsets"] = list(onnxlower.OPSETS)
    if variant.accuracy_drop_max is not None:
        chosen_by = yardstick.identity if yardstick else None
        canonical |= {"accuracy_drop_max": variant.accuracy_drop_max, "chosen_by": chosen_by}
    return key_of(
        "artifact",
        **request.identity,
        variant=canonical,
        tools=versions(*LOADERS[request.format][2], *TOOLS[quantizer]),
        pinned=pinned(request.format),
    )


def tools_of(request: Request, variants: Iterable[Variant]) -> frozenset[str]:
    """Every distribution whose version is in the keys of these variants, or of what they are made from."""
    found = {"edgegreen", *LOADERS[request.format][2]}
    for variant in variants:
        found.update(TOOLS[quantizer_of(variant)], compressing.TOOLS if variant.passes else ())
    return frozenset(found)


def of_outputs(model: str, request: Request, limit: int | None) -> str:
    """The key of the outputs, on evaluation data, of the model file that has the key `model`."""
    assert request.evaluation is not None
    return key_of("outputs", of=model, evaluation=request.evaluation.sha256, limit=limit)
