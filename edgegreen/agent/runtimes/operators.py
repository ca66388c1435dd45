"""One operator as the runtime executes it, in words that are the same for every runtime."""

from __future__ import annotations

from typing import NamedTuple

# What every runtime's types are called here. Whether 8 bits have a sign makes no difference to speed.
PRECISIONS = {
    "float32": "f32", "float16": "f16", "bfloat16": "bf16", "float64": "f64",
    "int8": "i8", "uint8": "i8", "u8": "i8", "int16": "i16", "uint16": "i16", "u16": "i16",
    "int32": "i32", "uint32": "i32", "u32": "i32", "int64": "i64", "uint64": "i64", "u64": "i64",
}  # fmt: skip
DYNAMIC = "dynamic"  # floats in, 8-bit weights: what comes in is quantised in each call, where the kernel can
FLOATS = ("f64", "f32", "f16", "bf16")

COMPUTE = "compute"  # a convolution, a matrix product: where the arithmetic of a model is
CONVERSION = "conversion"  # from floats to 8 bits or back
OTHER = "other"


class Operator(NamedTuple):
    """One operator of the model, as it runs.

    `kind` is the runtime's name for what it does. `precision` is None where the runtime does not say.
    `delegated` is None in a runtime that has no delegates. `ms` is the mean of one call, None where that
    was not timed.
    """

    name: str
    kind: str
    precision: str | None
    delegated: bool | None
    role: str
    ms: float | None = None


def precision(type_name: str) -> str:
    """The short name of a type: i8 for int8 and u8; as it is when it is not known."""
    return PRECISIONS.get(type_name, type_name)
