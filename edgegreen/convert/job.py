"""One variant from hub to checked artifact: the job a worker does, and the converters it chooses from."""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Callable
from pathlib import Path

from edgegreen.agent.runtimes.tensors import Mismatch
from edgegreen.artifact import Agreement, Artifact, File
from edgegreen.convert import ai_edge, ai_edge_mixed, onnx, openvino, openvino_mixed, opversions, tensorflow
from edgegreen.convert.model import Job, Recording
from edgegreen.edgetpulog import Compilation
from edgegreen.errors import ConversionError, InputError
from edgegreen.formats import FORMATS, Precision, Quantizer
from edgegreen.mixture import Mixed
from edgegreen.recipe import Variant
from edgegreen.sources import edgetpufile, files, host, tflitefile
from edgegreen.sources import outputs as stored
from edgegreen.sources.agreement import FLOAT_FLOOR_DB, compare, refuse_if_broken
from edgegreen.sources.model import ModelFile
from edgegreen.sources.samples import rows as read_rows
from edgegreen.workers.report import Report

CONVERTERS: dict[Quantizer, Callable[[Report, Job, Path], ModelFile]] = {
    "ai-edge-quantizer": ai_edge.convert,
    "tensorflow": tensorflow.convert,
    "nncf": openvino.convert,
    "onnxruntime": onnx.convert,
    "onnxruntime-symmetric": onnx.convert,
}
# Those that leave some operators in float, for variants with a limit on their accuracy drop.
MIXED: dict[Quantizer, Callable[[Report, Job, Path], tuple[ModelFile, Mixed]]] = {
    "ai-edge-quantizer": ai_edge_mixed.convert,
    "nncf": openvino_mixed.convert,
}
# Below these a built file computes something else: outputs that are pure noise are at 0 dB and less. What the
# two MLPerf Tiny references reach, in dB, on calibration data (and resnet8 on noise, far from what it knows):
# fp16 48–67 (50), weight_int8 27–35 (15), dynamic 23–33 (15), int16x8 27–35, int8 20–27, by NNCF 17–23.
FLOORS_DB: dict[Precision, float] = {
    "fp32": FLOAT_FLOOR_DB,
    "fp16": 25.0,
    "weight_int8": 6.0,
    "int16x8": 6.0,
    "dynamic": 3.0,
    "int8": 3.0,
}
# What the weights of a .tflite must be, or nothing was done to them.
WEIGHTS: dict[Precision, str] = {
    "fp16": "float16", "dynamic": "int8", "weight_int8": "int8", "int8": "int8", "int16x8": "int8",
}  # fmt: skip


def quantizer_of(variant: Variant) -> Quantizer:
    """The quantizer the variant names, or its format's default."""
    return variant.quantizer or FORMATS[variant.format].quantizers[0]


def make(report: Report, job: Job, key: str, folder: Path) -> Artifact:
    """Build the variant into `folder`, and check it there. Raises ConversionError when it is broken."""
    built, mixed = _build(report, job, folder)
    report("checking")
    agreement = _check(report, job, built)
    return Artifact(
        key=key,
        format=built.format,
        precision=job.variant.precision,
        files=tuple(File.of(path) for path in built.files),
        inputs=job.source.inputs,
        outputs=job.source.outputs,
        input_order=built.input_order,
        output_order=built.output_order,
        built_by=built.built_by,
        agreement=agreement,
        compressed_bytes=sum(deflated(path) for path in built.files),
        mixed=mixed,
        normalize=job.request.normalize,
        compilation=_compiled_by_its_author(built),
    )


def _compiled_by_its_author(built: ModelFile) -> Compilation | None:
    """What a file that was compiled for an Edge TPU tells of that; None for others."""
    if built.format != "edgetpu":
        return None
    return edgetpufile.compilation(tflitefile.read(built.files[0]))


def record(report: Report, wanted: Recording, folder: Path) -> int:
    """Keep a model's outputs on evaluation samples in `folder`; how many samples there were."""

    def rows() -> stored.Rows:
        for number, row in enumerate(read_rows(wanted.samples, "evaluation", wanted.limit, wanted.normalize)):
            report("evaluating", number / wanted.count)
            yield row

    try:
        return stored.write(folder, host.outputs(wanted.model, rows(), wanted.threads))
    except Mismatch as error:
        raise InputError(f"evaluation data {wanted.samples}: {error}") from error


def _build(report: Report, job: Job, folder: Path) -> tuple[ModelFile, Mixed | None]:
    if job.variant.precision is None:
        return _as_shipped(job, folder), None
    if job.source.quantised:
        raise ConversionError(
            "the model is quantised already, and nothing can be made of it",
            hint="start from the float model, or leave out `precision` to ship it as it is",
        )
    if job.variant.format == "tflite" and job.variant.precision == "fp32":
        if job.request.format == "tflite":
            return _as_shipped(job, folder), None
        path = Path(shutil.copyfile(job.hub.files[0], folder / "model.tflite"))
        return tflitefile.model_file(path, job.hub.inputs, job.hub.outputs, job.hub.built_by), None
    quantizer, mixed = quantizer_of(job.variant), None
    if job.variant.accuracy_drop_max is None:
        built = CONVERTERS[quantizer](report, job, folder)
    else:
        built, mixed = MIXED[quantizer](report, job, folder)
    if job.variant.format == "edgetpu":
        opversions.fit(built.files[0])
    if built.format == "tflite":
        _refuse_unquantised(job, built)
    return built, mixed


def _as_shipped(job: Job, folder: Path) -> ModelFile:
    """The user's own files, byte for byte, unless their shapes had to be fixed."""
    whole = job.source.as_shipped
    own = files.parts(job.request.path, job.request.format) if whole else job.hub.files
    copies = tuple(Path(shutil.copyfile(path, folder / f"model{path.suffix}")) for path in own)
    ports = len(job.source.inputs), len(job.source.outputs)
    return ModelFile(
        format=job.hub.format,
        files=copies,
        inputs=job.hub.inputs,
        outputs=job.hub.outputs,
        input_order=tuple(range(ports[0])),
        output_order=tuple(range(ports[1])),
        built_by="its author" if whole else "its author; shapes fixed by edgegreen",
    )


def _refuse_unquantised(job: Job, built: ModelFile) -> None:
    """Raise ConversionError when a converter was content but did nothing, or less than was asked for."""
    wanted = WEIGHTS[job.precision]
    if wanted not in tflitefile.weight_types(built.files[0]):
        raise ConversionError(
            f"{built.built_by} made no {wanted} weights: the model has none of a kind and size it quantises"
        )
    if job.variant.ends == "int8":
        for tensor in (loaded := host.load(built, 1)).inputs + loaded.outputs:
            if tensor.dtype.startswith("float"):
                raise ConversionError(
                    f"`io: int8` was asked for, but `{tensor.name}` stays {tensor.dtype}: "
                    "the operator next to it cannot be quantised",
                    hint="use the other quantizer"
                    if job.variant.format == "edgetpu"
                    else "leave `io` out, or use the other quantizer",
                )


def _check(report: Report, job: Job, built: ModelFile) -> Agreement | None:
    """Run the built file on the samples the source was run on. None when it is the source itself."""
    if built.format == "edgetpu":
        return None  # compiled by its author: no host can run it

    def rows() -> stored.Rows:
        samples = job.request.check_samples
        for number, row in enumerate(samples.rows(job.source.inputs)):
            report("checking", number / samples.limit)
            yield row

    found = compare(stored.rows(job.source.check), host.outputs(built, rows(), threads=job.request.threads))
    floor = FLOORS_DB[job.variant.precision or "fp32"]
    refuse_if_broken(found, floor, job.source.checked_on)
    if job.variant.precision is None or found.sqnr_db is None:
        return None
    return Agreement(found.sqnr_db, found.top1, found.n, job.source.checked_on)


def deflated(path: Path) -> int:
    """Bytes of the file when deflated at zlib level 6."""
    packer, size = zlib.compressobj(6), 0
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            size += len(packer.compress(block))
    return size + len(packer.flush())
