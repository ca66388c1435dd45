"""Dynamic shapes → static ones, and whether data fit them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from edgegreen.agent.normalize import Normalize
from edgegreen.agent.npz import Samples
from edgegreen.artifact import TensorSpec
from edgegreen.errors import InputError
from edgegreen.sources.model import Port

Shape = tuple[int, ...]
InputShape = Shape | Mapping[str, Shape] | None


def static(
    inputs: Sequence[Port], wanted: InputShape, samples: Sequence[Shape] = ()
) -> tuple[TensorSpec, ...]:
    """The inputs with every extent known: a dynamic batch is 1, others are the recipe's `input_shape`.

    `samples` are the shapes of the recipe's data, one per input, from which errors suggest the line to add.
    Raises InputError naming the input, its shape and that line.
    """
    by_name = _by_name(inputs, wanted)
    missing = [
        (port, samples[index] if len(samples) == len(inputs) else ())
        for index, port in enumerate(inputs)
        if port.name not in by_name and (port.dims is None or None in port.dims[1:])
    ]
    if missing:
        raise _asking(missing, several=len(inputs) > 1)
    return tuple(TensorSpec(port.name, _static(port, by_name.get(port.name)), port.dtype) for port in inputs)


def loose(dims: Sequence[int | None] | None) -> Shape:
    """A shape to show: -1 for a dynamic extent."""
    return tuple(-1 if size is None else size for size in dims or ())


def check_data(samples: Samples, inputs: Sequence[TensorSpec], what: str, path: Path) -> None:
    """Raise InputError unless the npz has one array per input, each of the input's shape.

    Extents of 1 may be missing or too many, as when samples are fed on a board (agent/runtimes/tensors.py).
    """
    if len(samples.names) != len(inputs):
        names = ", ".join(f"`{tensor.name}` {_words(tensor.shape)}" for tensor in inputs)
        raise InputError(
            f"{what} data {path} have {', '.join(f'`{name}`' for name in samples.names)}, "
            f"but the model has {len(inputs)} input{'s' * (len(inputs) > 1)}: {names}",
            hint="name the arrays x0, x1, … in that order" if len(inputs) > 1 else "name the array x",
        )
    for name, shape, tensor in zip(samples.names, samples.shapes, inputs, strict=True):
        if [size for size in shape if size != 1] != [size for size in tensor.shape if size != 1]:
            raise InputError(
                f"{what} data {path}: `{name}` has samples of shape {_words(shape)}, "
                f"but the model's input `{tensor.name}` takes {_words(tensor.shape[1:] or tensor.shape)}"
            )


def check_normalize(normalize: Normalize, inputs: Sequence[TensorSpec]) -> None:
    """Raise InputError unless the model has one input, of real values, with the channels it is for."""
    told = ", ".join(f"`{one.name}` {_words(one.shape)} {one.dtype}" for one in inputs)
    if len(inputs) != 1 or inputs[0].dtype in ("int32", "int64", "bool"):
        raise InputError(f"`normalize` is for a model with one input, of real values; this one has {told}")
    counts = {len(normalize.mean), len(normalize.scale)} - {1}
    if counts - {inputs[0].shape[-1]}:
        raise InputError(
            f"`normalize` has values for {max(counts)} channels, and the model's input is {told}",
            hint="give one value for all, or one for each of the input's last extent",
        )


def _by_name(inputs: Sequence[Port], wanted: InputShape) -> Mapping[str, Shape]:
    names = [port.name for port in inputs]
    if wanted is None:
        return {}
    if isinstance(wanted, Mapping):
        if unknown := [name for name in wanted if name not in names]:
            raise InputError(f"`input_shape` names `{unknown[0]}`, but the inputs are {', '.join(names)}")
        return wanted
    if len(inputs) != 1:
        raise InputError(
            f"`input_shape` is one shape, but the model has {len(inputs)} inputs: {', '.join(names)}",
            hint=f"give it by name: `input_shape: {{{names[0]}: [1, …]}}`",
        )
    return {names[0]: wanted}


def _static(port: Port, wanted: Shape | None) -> Shape:
    """One input's shape. The batch may be left out of `wanted`; where given it is 1."""
    if wanted is None:
        assert port.dims is not None
        return tuple(1 if size is None else size for size in port.dims)
    shape = wanted
    if port.dims is not None:
        if len(shape) == len(port.dims) - 1 and port.dims[0] in (None, 1):
            shape = (1, *shape)
        fits = len(shape) == len(port.dims) and all(
            size in (None, given) for size, given in zip(port.dims, shape, strict=True)
        )
        if not fits:
            raise InputError(
                f"`input_shape` {_words(wanted)} does not fit input `{port.name}`, "
                f"whose shape is {_words(port.dims)}"
            )
    if any(size < 1 for size in shape) or (port.dims and port.dims[0] is None and shape[0] != 1):
        raise InputError(
            f"`input_shape` {_words(wanted)} of input `{port.name}`: extents are 1 or more, the batch is 1",
            hint="edgegreen measures one sample at a time",
        )
    return shape


def _asking(missing: Sequence[tuple[Port, Shape]], *, several: bool) -> InputError:
    told = ", ".join(f"`{port.name}` has the dynamic shape {_words(port.dims)}" for port, _ in missing)
    lines = {port.name: _suggested(port, sample) for port, sample in missing}
    written = [f"{name}: {line}" for name, line in lines.items()]
    value = f"{{{', '.join(written)}}}" if several else next(iter(lines.values()))
    return InputError(
        f"model input {told}", hint=f"say what you deploy it with, in the recipe: `input_shape: {value}`"
    )


def _suggested(port: Port, sample: Shape) -> str:
    """The shape to write: the data's where they fit, else N where the model leaves it open."""
    dims = port.dims
    fits = dims is None or (
        len(sample) == len(dims) - 1
        and all(size in (None, given) for size, given in zip(dims[1:], sample, strict=True))
    )
    if sample and fits:
        return str([1, *sample])
    if dims is None:
        return "[1, N, …]"
    sizes = ["1", *("N" if size is None else str(size) for size in dims[1:])]
    return f"[{', '.join(sizes)}]"


def _words(shape: Sequence[int | None] | None) -> str:
    if shape is None:
        return "unknown"
    return "×".join("?" if size is None else str(size) for size in shape) or "scalar"
