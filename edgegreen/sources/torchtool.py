"""A program for torch's tool environment, run there by its path: it has torch, and nothing of edgegreen.

    python torchtool.py FOLDER RESULT

FOLDER has `program.pt2`, and `inputs.json` with the static shape and type of each input, in order. RESULT, a
name ending in .onnx or .tflite, is written into FOLDER. Where there is a `samples.npz` (arrays called
`<sample>-<input>`), what the program itself makes of them is kept in `outputs.npz` (`<sample>-<output>`).
When it cannot, `reason.txt` has why, and the exit code is 1.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
REASON_LENGTH = 400

# The newest that the ONNX Runtime of Python 3.7 reads, and the version of the file that belongs to it.
OPSET, IR = 18, 8


def main(folder: Path, result: str) -> None:
    """Load, run, convert."""
    import torch

    program = torch.export.load(str(folder / "program.pt2"))
    inputs = json.loads((folder / "inputs.json").read_text(encoding="utf-8"))
    example = tuple(torch.zeros(one["shape"], dtype=getattr(torch, one["dtype"])) for one in inputs)
    with torch.no_grad():
        flat = flattened(program)
        if (folder / "samples.npz").is_file():
            arrays = dict(outputs(flat, folder / "samples.npz", len(inputs)))
            np.savez(folder / "outputs.npz", allow_pickle=False, **arrays)
        if result.endswith(".onnx"):
            to_onnx(flat, example, program.graph_signature, folder / result)
        else:
            to_tflite(flat, example, folder / result)


def flattened(program: Any) -> Any:
    """A module that takes and gives flat tuples of tensors, whatever the program nests them in."""
    import torch
    from torch.export.graph_signature import ConstantArgument, InputKind
    from torch.utils import _pytree as pytree

    module, spec = program.module(), program.call_spec.in_spec
    arguments = [one.arg for one in program.graph_signature.input_specs if one.kind is InputKind.USER_INPUT]

    class Flat(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.module = module
            self.training = (
                False  # eval() is refused by exported programs: they are what they were exported as
            )

        def forward(self, *values: Any) -> tuple[Any, ...]:
            tensors = iter(values)
            leaves = [one.value if isinstance(one, ConstantArgument) else next(tensors) for one in arguments]
            args, kwargs = pytree.tree_unflatten(leaves, spec)
            given = pytree.tree_leaves(self.module(*args, **kwargs))
            return tuple(one for one in given if isinstance(one, torch.Tensor))

    return Flat()


def outputs(flat: Any, samples: Path, count: int) -> Iterator[tuple[str, Array]]:
    """The program's own outputs, by sample and output; floats of any kind as float32."""
    import torch

    with np.load(samples, allow_pickle=False) as arrays:
        for sample in range(len(arrays.files) // count):
            values = [torch.from_numpy(arrays[f"{sample}-{index}"]) for index in range(count)]
            for number, value in enumerate(flat(*values)):
                plain = value.to(torch.float32) if value.is_floating_point() else value
                yield f"{sample}-{number}", plain.numpy()


def to_onnx(flat: Any, example: tuple[Any, ...], signature: Any, path: Path) -> None:
    """Write an .onnx with the program's own names of inputs and outputs."""
    import onnx
    import torch

    takes, gives = (
        [name for name in names if isinstance(name, str)]
        for names in (signature.user_inputs, signature.user_outputs)
    )
    torch.onnx.export(
        torch.export.export(flat, example), (), str(path), dynamo=True, external_data=False, verbose=False,
        input_names=takes, output_names=gives, opset_version=OPSET,
    )  # fmt: skip
    model = onnx.load(path)
    model.ir_version = IR
    onnx.save(model, path)


def to_tflite(flat: Any, example: tuple[Any, ...], path: Path) -> None:
    """Write a .tflite whose signature calls them `args_0`, … and `output_0`, …, in order."""
    import litert_torch

    litert_torch.convert(flat, example).export(str(path))


def reason(error: BaseException) -> str:
    """Why it failed: what is behind the exporter's own long advice, on one line."""
    if type(error).__name__ == "UnpicklingError":
        return "a pickle in it holds more than tensors, and is not loaded, since that runs code"
    while error.__cause__ is not None:
        error = error.__cause__
    return " ".join(f"{type(error).__name__}: {error}".split())[:REASON_LENGTH]


if __name__ == "__main__":
    # A pickle that our own reading of the archive let pass is opened by torch for tensors only.
    os.environ["TORCH_FORCE_WEIGHTS_ONLY_LOAD"] = "1"
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    there = Path(sys.argv[1])
    try:
        main(there, sys.argv[2])
    except Exception as error:
        (there / "reason.txt").write_text(reason(error), encoding="utf-8")
        raise
