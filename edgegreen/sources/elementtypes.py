"""What OpenVINO calls the types of elements, and which of them weights have."""

from __future__ import annotations

# OpenVINO's words for element types → numpy's.
DTYPES = {
    "f16": "float16", "f32": "float32", "f64": "float64", "boolean": "bool", "bf16": "bfloat16",
    "i8": "int8", "i16": "int16", "i32": "int32", "i64": "int64",
    "u8": "uint8", "u16": "uint16", "u32": "uint32", "u64": "uint64",
}  # fmt: skip
WEIGHTS = ("f16", "f32", "f64", "bf16", "i8", "u8", "i4", "u4", "nf4")
