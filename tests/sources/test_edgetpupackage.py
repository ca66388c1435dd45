"""The program inside a compiled model: real ones of Coral's where they are at hand, damaged ones always."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest
from edgetpu_standins import compile_model
from hypothesis import given
from hypothesis import strategies as st

from edgegreen import sources
from edgegreen.sources import edgetpufile, tflitefile
from edgegreen.sources.edgetpupackage import Package, package

MODEL = Path(__file__).parents[2] / "edgegreen/provision/proof/model.tflite"
# google-coral/test_data's, under Apache 2.0: what libedgetpu's schema says they hold, read once by hand.
REAL = {
    "keras_lstm_mnist_ptq_edgetpu": Package(12, None, 43968, 576),
    "split_concat_edgetpu": Package(13, "343520747", 192, 0),
    "mobilenet_v1_0.25_128_quant_edgetpu": Package(12, None, 566912, 0),
}


def table(*fields: bytes | int) -> bytes:
    """A FlatBuffer of one table: ints inline, bytes as vectors behind it; 0 is left out."""
    slots, inline, behind = [], b"", b""
    start = 8 + 4 + 2 * len(fields)
    for field in fields:
        slots.append(4 + len(inline) if field else 0)
        if isinstance(field, int):
            inline += struct.pack("<i", field) if field else b""
        elif field:
            here = start + 4 + len(inline)
            size = 4 * sum(1 for one in fields if one)
            inline += struct.pack("<I", start + 4 + size + len(behind) - here)
            behind += struct.pack("<I", len(field)) + field
    head = struct.pack("<I", start) + b"DWN1"
    vtable = struct.pack(f"<HH{len(fields)}H", 4 + 2 * len(fields), 4 + len(inline), *slots)
    return head + vtable + struct.pack("<i", start - 8) + inline + behind


def program(kind: int, parameters: int) -> bytes:
    return table(0, 0, 0, 0, 0, 0, bytes(parameters), 0, 0, 0, 0, 0, 0, kind)


def listed(*programs: bytes) -> bytes:
    """A vector of strings, as the one field of a table."""
    offsets, strings = b"", b""
    for number, one in enumerate(programs):
        offsets += struct.pack("<I", 4 * (len(programs) - number) + len(strings))
        strings += struct.pack("<I", len(one)) + one
    whole = table(offsets + strings)
    at = whole.index(offsets + strings) - 4
    return whole[:at] + struct.pack("<I", len(programs)) + whole[at + 4 :]


SMALL = b"flexbuffer " + table(13, listed(program(1, 1000), program(2, 24)), 0, 0, b"cl/384591198") + b"more"


def test_parameters_are_told_by_the_kind_of_their_program() -> None:
    assert package(SMALL) == Package(13, "384591198", 1000, 24)


@pytest.mark.parametrize("name", sorted(REAL))
def test_real_models_of_corals(name: str) -> None:
    folder = Path(os.environ.get("EDGEGREEN_ASSETS", "/nowhere")) / "coral"
    path = folder / f"{name}.tflite"
    if not path.is_file():
        pytest.skip(f"no {path}: google-coral/test_data has it")
    found = sources.inspect(path)
    assert found.ops == {"edgetpu-custom-op": 1}
    assert found.compiled == (REAL[name],)
    assert sources.kind_of(path) == "compiled"


def test_a_program_of_another_making_tells_nothing(tmp_path: Path) -> None:
    path = compile_model(MODEL, tmp_path / "compiled.tflite")
    assert sources.kind_of(path) == "compiled"
    model = tflitefile.read(path)
    assert edgetpufile.packages(model) == ()
    told = edgetpufile.compilation(model)
    assert told is not None
    assert (told.operators, told.on_tpu, told.on_cpu, told.streamed_bytes) == (1, 1, 0, None)
    assert edgetpufile.compilation(tflitefile.read(MODEL)) is None


@given(st.integers(0, len(SMALL)), st.binary(max_size=12))
def test_damaged_packages_raise_nothing(at: int, put: bytes) -> None:
    package(SMALL[:at])
    package(SMALL[:at] + put + SMALL[at + len(put) :])


@given(st.binary())
def test_any_bytes_after_the_identifier(tail: bytes) -> None:
    package(b"\x08\x00\x00\x00DWN1" + tail)
