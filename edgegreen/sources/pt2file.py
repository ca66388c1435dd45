"""What a .pt2 file (torch.export.save) says of itself, read without torch: inputs, outputs, operators.

A .pt2 is a zip archive: the program as JSON in `models/model.json`, weights as plain bytes beside it. The
fields are those of torch/_export/serde/schema.py, the members those of torch/export/pt2_archive. An archive
may also hold pickles and compiled code, which run when torch loads them: such a file is refused here.
Loading the program is torch's business, in an environment of its own (`torch.py`).
"""

from __future__ import annotations

import json
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from edgegreen.errors import InputError
from edgegreen.sources.model import Port

PROGRAM = "models/model.json"
OLD_PROGRAM = "serialized_exported_program.json"  # up to torch 2.7, with everything else pickled
WEIGHTS, CONSTANTS = "data/weights/", "data/constants/"
CONFIGS = (f"{WEIGHTS}model_weights_config.json", f"{CONSTANTS}model_constants_config.json")
COMPILED = "data/aotinductor/"
JSON_LIMIT_BYTES = 1_000_000_000
# torch's ScalarType → numpy's name.
DTYPES = {
    1: "uint8", 2: "int8", 3: "int16", 4: "int32", 5: "int64", 6: "float16", 7: "float32", 8: "float64",
    12: "bool", 13: "bfloat16", 28: "uint16", 34: "uint32", 35: "uint64",
}  # fmt: skip
# What zipfile raises on archives that are damaged, encrypted or of an unknown kind.
UNREADABLE = (
    zipfile.BadZipFile, OSError, EOFError, RuntimeError, UnicodeDecodeError, struct.error, zlib.error,
)  # fmt: skip
AGAIN = "save it again with torch.export.save() of torch 2.8 or later"


@dataclass(frozen=True)
class Pt2File:
    """Inputs and outputs in the order in which the program takes and gives them, nested ones flat."""

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    ops: dict[str, int]
    parameters: int


def is_pt2(path: Path) -> bool:
    """Whether it is an archive of torch.export's, of whatever age."""
    try:
        with zipfile.ZipFile(path) as archive:
            return OLD_PROGRAM in archive.namelist() or _has_program(archive)
    except UNREADABLE:
        return False


def read(path: Path) -> Pt2File:
    """Read the program's outline.

    Raises InputError when it is no whole program, holds what runs when it is loaded, or cannot be deployed
    as it is: exported for training, on a GPU, with inputs that are no tensors.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if not _has_program(archive):
                raise InputError(f"{path}: saved by a torch whose format is no longer read", hint=AGAIN)
            members = _members(archive)
            _refuse_code(path, archive, members)
            module = _json(archive, members[PROGRAM])["graph_module"]
        return _outline(path, module)
    except UNREADABLE as error:
        raise InputError(f"{path}: not a whole archive ({error})") from None
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        told = f"{type(error).__name__}: {error}"[:200]
        raise InputError(f"{path}: not a program as torch.export saves it ({told})", hint=AGAIN) from None


def _has_program(archive: zipfile.ZipFile) -> bool:
    return any(name.endswith(f"/{PROGRAM}") for name in archive.namelist())


def _members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Members by their name below the archive's one folder, whose name is free.

    Raises BadZipFile where torch might take another member than we do: a name twice, or a second folder.
    """
    split = [(info.filename.partition("/"), info) for info in archive.infolist()]
    members = {name: info for (_, _, name), info in split}
    if len(members) < len(split) or len({folder for (folder, _, _), _ in split}) > 1:
        raise zipfile.BadZipFile("a member is there twice")
    return members


def _json(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Any:
    if member.file_size > JSON_LIMIT_BYTES:
        raise ValueError(f"{member.filename} is larger than {JSON_LIMIT_BYTES} bytes")
    return json.loads(archive.read(member))


def _refuse_code(path: Path, archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo]) -> None:
    """Raise InputError for members that run when torch loads them: pickles, objects, compiled code."""
    found = [name for name in members if name.startswith(COMPILED)]
    found += [name for name in members if name.startswith("models/") and name != PROGRAM]
    found += [name for name in members if name.startswith((WEIGHTS, CONSTANTS)) and name.endswith(".pt")]
    for config in CONFIGS:
        payloads = _json(archive, members[config])["config"]
        found += [name for name, payload in payloads.items() if payload["use_pickle"] is not False]
    if found:
        raise InputError(
            f"{path}: `{found[0]}` in it may be pickled or compiled, and loading that runs code",
            hint="save one program of plain tensors: no custom objects, no tensor subclasses, no AOTInductor",
        )


def _outline(path: Path, module: dict[str, Any]) -> Pt2File:
    graph, signature = module["graph"], module["signature"]
    values, nodes = graph["tensor_values"], graph["nodes"]
    _refuse_unfit(path, nodes, values)
    takes = [one["user_input"]["arg"] for one in signature["input_specs"] if "user_input" in one]
    gives = [one["user_output"]["arg"] for one in signature["output_specs"] if "user_output" in one]
    for argument in takes:
        if "as_tensor" not in argument:
            raise InputError(
                f"{path}: input {json.dumps(argument)[:80]} is no tensor, and boards take tensors only",
                hint="export a module that has it as a constant",
            )
    weights = [
        prod(_known(values[_name_of(held)]["sizes"]))
        for one in signature["input_specs"]
        for kind, held in one.items()
        if kind in ("parameter", "buffer")
        and DTYPES.get(values[_name_of(held)]["dtype"], "").find("float") >= 0
    ]
    return Pt2File(
        inputs=tuple(_port(argument["as_tensor"]["name"], values) for argument in takes),
        outputs=tuple(_port(one["as_tensor"]["name"], values) for one in gives if "as_tensor" in one),
        ops=dict(Counter(_operator(node["target"]) for node in nodes if "getitem" not in node["target"])),
        parameters=sum(weights),
    )


def _refuse_unfit(path: Path, nodes: list[dict[str, Any]], values: dict[str, Any]) -> None:
    """Raise InputError for a program that was exported on a GPU or in training mode."""
    devices = {value["device"]["type"] for value in values.values()} - {"cpu"}
    if devices:
        raise InputError(
            f"{path}: was exported on {min(devices)}",
            hint="`model.cpu()`, and example inputs on the CPU, before torch.export.export()",
        )
    training = next((node["target"] for node in nodes if _trains(node)), None)
    if training:
        raise InputError(
            f"{path}: was exported in training mode: its `{_operator(training)}` is that of training",
            hint="call `model.eval()` before torch.export.export()",
        )


def _trains(node: dict[str, Any]) -> bool:
    return any(one["name"] in ("training", "train") and one["arg"].get("as_bool") for one in node["inputs"])


def _operator(target: str) -> str:
    """`torch.ops.aten.conv2d.default` → `conv2d`."""
    return target.removeprefix("torch.ops.").removeprefix("aten.").partition(".")[0]


def _name_of(held: dict[str, Any]) -> str:
    return str(held["arg"]["name"])


def _port(name: str, values: dict[str, Any]) -> Port:
    value = values[name]
    return Port(name, tuple(_extents(value["sizes"])), DTYPES.get(value["dtype"], f"type {value['dtype']}"))


def _known(sizes: list[dict[str, Any]]) -> list[int]:
    return [size or 0 for size in _extents(sizes)]


def _extents(sizes: list[dict[str, Any]]) -> Iterator[int | None]:
    """Extents, None for one that depends on the input."""
    for size in sizes:
        extent = size.get("as_int")
        yield None if extent is None else int(extent)
