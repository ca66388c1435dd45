"""Which kind of model a path is, told by its name and first bytes; and the files it is made of."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree

from edgegreen.artifact import File
from edgegreen.errors import InputError
from edgegreen.sources import onnxfile, pt2file

SourceFormat = Literal["keras", "savedmodel", "onnx", "torch", "tflite", "openvino"]

# Suffix → format, what such a file is called, and whether this one really looks like it.
SUFFIXES: dict[str, tuple[SourceFormat, str, Callable[[Path], bool]]] = {
    ".keras": ("keras", "Keras model", lambda path: _has_member(path, "config.json")),
    ".h5": ("keras", "HDF5 file of Keras", lambda path: _starts(path, b"\x89HDF\r\n\x1a\n")),
    ".hdf5": ("keras", "HDF5 file of Keras", lambda path: _starts(path, b"\x89HDF\r\n\x1a\n")),
    ".onnx": ("onnx", "ONNX model", onnxfile.is_onnx),
    ".pt2": ("torch", "torch.export program", pt2file.is_pt2),
    ".tflite": ("tflite", "TFLite model", lambda path: _starts(path, b"TFL3", at=4)),
    ".xml": ("openvino", "OpenVINO IR", lambda path: _root(path) == "net"),
}
PICKLES = (".pt", ".pth", ".pkl", ".joblib")


def format_of(path: Path) -> SourceFormat:
    """What kind of model `path` is. Reads little.

    Raises InputError when it is none, when its content is not what its name says, or when it lacks a part.
    """
    if path.is_dir():
        if (path / "saved_model.pb").is_file():
            return "savedmodel"
        raise InputError(f"{path}: a folder without saved_model.pb is no SavedModel")
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        hint = "models are .keras, .h5, .onnx, .pt2, .tflite, .xml (OpenVINO) files or SavedModel folders"
        if suffix in PICKLES:
            hint = (
                "pickled models are not loaded, since loading one runs code; export it: to a .pt2 with "
                "torch.export.save(torch.export.export(model.eval(), inputs), path), or to ONNX"
            )
        raise InputError(f"{path}: `{suffix}` is no model format known here", hint=hint)
    format_, called, looks_right = SUFFIXES[suffix]
    if not looks_right(path):
        raise InputError(f"{path}: not a readable {called}", hint="is it whole, and is its name right?")
    if format_ == "openvino" and not path.with_suffix(".bin").is_file():
        raise InputError(f"{path}: its weights, {path.with_suffix('.bin').name}, are not beside it")
    return format_


def parts(path: Path, format_: SourceFormat) -> tuple[Path, ...]:
    """All files of the model, the one that names it first. Raises InputError for one that is missing."""
    match format_:
        case "savedmodel":
            found = sorted(file for file in path.rglob("*") if file.is_file())
        case "openvino":
            found = [path, path.with_suffix(".bin")]
        case "onnx":
            found = [path, *(path.parent / name for name in onnxfile.read(path).external_files)]
        case _:
            found = [path]
    for file in found:
        if ".." in file.relative_to(path.parent).parts or not file.is_file():
            raise InputError(f"{path}: {file.name}, which holds its weights, is not beside it")
    return tuple(found)


def digest(path: Path, format_: SourceFormat) -> str:
    """sha256 over all files of the model and, in a folder, their names."""
    total = hashlib.sha256(format_.encode())
    for file in parts(path, format_):
        name = file.relative_to(path).as_posix() if path.is_dir() else file.suffix
        total.update(f"\n{name}\n{File.of(file).sha256}".encode())
    return total.hexdigest()


def size_bytes(path: Path, format_: SourceFormat) -> int:
    """All files of the model together."""
    return sum(file.stat().st_size for file in parts(path, format_))


def _starts(path: Path, magic: bytes, at: int = 0) -> bool:
    with path.open("rb") as stream:
        return stream.read(at + len(magic))[at:] == magic


def _has_member(path: Path, name: str) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return name in archive.namelist()
    except (zipfile.BadZipFile, OSError):
        return False


def _root(path: Path) -> str | None:
    """The name of an XML file's first element; None when it is no XML."""
    try:
        for _, element in ElementTree.iterparse(path, events=("start",)):  # noqa: S314  (expat bounds expansion)
            return str(element.tag)
    except (ElementTree.ParseError, OSError):
        pass
    return None
