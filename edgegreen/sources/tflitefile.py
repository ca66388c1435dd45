"""Read and rewrite .tflite files: what they hold, static shapes, signatures, channel order.

Through the schema that ships with LiteRT, imported inside functions. Running them is the runtime's business.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgegreen.artifact import TensorSpec
from edgegreen.errors import InputError
from edgegreen.sources.model import ModelFile, Port

SIGNATURE = "serving_default"
EDGETPU_OP = b"edgetpu-custom-op"
Names = Sequence[str]


def read(path: Path) -> Any:
    """The file as the schema's ModelT; raises InputError when it is no whole .tflite file."""
    from ai_edge_litert.interpreter import Interpreter
    from ai_edge_litert.tools import flatbuffer_utils

    try:
        # LiteRT verifies every offset before use; the schema's Python code trusts them.
        Interpreter(model_path=str(path))
        return flatbuffer_utils.read_model(str(path))
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(f"{path}: not a readable TFLite model ({reason})") from None


def write(model: Any, path: Path) -> None:
    """Write a ModelT."""
    from ai_edge_litert.tools import flatbuffer_utils

    flatbuffer_utils.write_model(model, str(path))


def is_quantised(model: Any) -> bool:
    """Whether weights or activations are below float32 already: quantised integers or float16."""
    constants = [
        tensor for graph in model.subgraphs for tensor in graph.tensors if is_constant(model, tensor)
    ]
    others = [tensor for graph in model.subgraphs for tensor in graph.tensors]
    return any(dtype_of(tensor) == "float16" for tensor in constants) or any(_scaled(one) for one in others)


def is_compiled(model: Any) -> bool:
    """Whether part of it was compiled for an Edge TPU."""
    return any(code.customCode == EDGETPU_OP for code in model.operatorCodes)


def weight_types(path: Path) -> frozenset[str]:
    """Types of the constants that are weights, such as {"float32", "int8"}."""
    model = read(path)
    return frozenset(
        dtype_of(tensor)
        for graph in model.subgraphs
        for tensor in graph.tensors
        if is_constant(model, tensor) and is_weight(tensor)
    )


def ports(model: Any) -> tuple[tuple[Port, ...], tuple[Port, ...]]:
    """Inputs and outputs in the file's order."""
    graph = model.subgraphs[0]
    return tuple(_port(graph, i) for i in graph.inputs), tuple(_port(graph, i) for i in graph.outputs)


def ops(model: Any) -> dict[str, int]:
    """Operator → count, over all subgraphs."""
    counts: Counter[str] = Counter()
    for graph in model.subgraphs:
        counts.update(op_name(model, op) for op in graph.operators)
    return dict(counts)


def op_name(model: Any, op: Any) -> str:
    """What an operator is: its built-in name, or for a custom one the name its maker gave it."""
    from ai_edge_litert.tools import flatbuffer_utils

    custom = model.operatorCodes[op.opcodeIndex].customCode
    if custom:
        return str(custom.decode("utf-8", "replace"))
    return str(flatbuffer_utils.opcode_to_name(model, op.opcodeIndex))


def parameters(model: Any) -> int:
    """Elements of all weights."""
    import numpy as np

    return sum(
        int(np.prod(tensor.shape)) if tensor.shape is not None else 1
        for graph in model.subgraphs
        for tensor in graph.tensors
        if is_constant(model, tensor) and is_weight(tensor)
    )


def fix_shapes(model: Any, inputs: Sequence[TensorSpec]) -> bool:
    """Give the inputs these static shapes; whether that changed anything but the batch.

    Shapes further on are worked out by the runtime when it loads the file.
    """
    import numpy as np

    graph = model.subgraphs[0]
    changed = False
    for index, spec in zip(graph.inputs, inputs, strict=True):
        tensor = graph.tensors[index]
        changed = changed or tuple(tensor.shape)[1:] != spec.shape[1:]
        tensor.shape = np.array(spec.shape, np.int32)
        tensor.shapeSignature = None
    return changed


def sign(model: Any) -> None:
    """Name the inputs and outputs by one signature, as quantisers want it; the file's own goes."""
    from ai_edge_litert import schema_py_generated as schema

    graph = model.subgraphs[0]
    signature = schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = SIGNATURE, 0
    signature.inputs = _named(schema, graph, graph.inputs)
    signature.outputs = _named(schema, graph, graph.outputs)
    model.signatureDefs = [signature]


def channels_first(model: Any, outputs: Sequence[int]) -> None:
    """Append a TRANSPOSE (batch, …, channel) → (batch, channel, …) to these outputs (by number)."""
    import numpy as np
    from ai_edge_litert import schema_py_generated as schema

    graph = model.subgraphs[0]
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.TRANSPOSE
    code.version = 1
    model.operatorCodes.append(code)
    for number in outputs:
        old = int(graph.outputs[number])
        tensor = graph.tensors[old]
        rank = len(tensor.shape)
        order = [0, rank - 1, *range(1, rank - 1)]
        data = np.frombuffer(np.array(order, "<i4").tobytes(), np.uint8)
        permutation = add_tensor(model, tensor.name + b"_order", schema.TensorType.INT32, [rank], data)
        shape = [int(tensor.shape[axis]) for axis in order]
        new = add_tensor(model, tensor.name + b"_channels_first", tensor.type, shape, None)
        op = schema.OperatorT()
        op.opcodeIndex = len(model.operatorCodes) - 1
        op.inputs, op.outputs = [old, permutation], [new]
        op.builtinOptionsType = schema.BuiltinOptions.TransposeOptions
        op.builtinOptions = schema.TransposeOptionsT()
        graph.operators.append(op)
        graph.outputs[number] = new
        for signature in model.signatureDefs or []:
            for named in signature.outputs:
                named.tensorIndex = new if named.tensorIndex == old else named.tensorIndex


def order(model: Any, names: Names, *, inputs: bool) -> tuple[int, ...]:
    """Where the file has the inputs (or outputs) that its signature calls `names`."""
    graph, signature = model.subgraphs[0], model.signatureDefs[0]
    by_name = {
        one.name.decode(): int(one.tensorIndex) for one in (signature.inputs if inputs else signature.outputs)
    }
    indices = [int(index) for index in (graph.inputs if inputs else graph.outputs)]
    return tuple(indices.index(by_name[name]) for name in names)


def signature_names(model: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The signature's names of inputs and outputs, in the file's order."""
    graph, signature = model.subgraphs[0], model.signatureDefs[0]
    found = []
    for indices, named in ((graph.inputs, signature.inputs), (graph.outputs, signature.outputs)):
        names = {int(one.tensorIndex): one.name.decode() for one in named}
        found.append(tuple(names[int(index)] for index in indices))
    return found[0], found[1]


def model_file(path: Path, inputs: Names, outputs: Names, built_by: str) -> ModelFile:
    """The .tflite at `path`, whose signature has these names in the source's own order."""
    model = read(path)
    return ModelFile(
        format="tflite",
        files=(path,),
        inputs=tuple(inputs),
        outputs=tuple(outputs),
        input_order=order(model, inputs, inputs=True),
        output_order=order(model, outputs, inputs=False),
        built_by=built_by,
    )


def tensor_names(model_file: ModelFile) -> tuple[list[str], list[str]]:
    """Names of the tensors behind inputs and outputs, in the source's own order."""
    model = read(model_file.files[0])
    graph = model.subgraphs[0]
    return (
        [graph.tensors[graph.inputs[i]].name.decode() for i in model_file.input_order],
        [graph.tensors[graph.outputs[i]].name.decode() for i in model_file.output_order],
    )


def _named(schema: Any, graph: Any, indices: Sequence[int]) -> list[Any]:
    names: dict[str, None] = {}
    found = []
    for index in indices:
        name = graph.tensors[index].name.decode()
        while name in names:
            name += "_"
        names[name] = None
        one = schema.TensorMapT()
        one.name, one.tensorIndex = name.encode(), int(index)
        found.append(one)
    return found


def add_tensor(model: Any, name: bytes, kind: int, shape: list[int], data: Any) -> int:
    """Append a tensor to the main graph, constant when `data` (bytes as an array) is given; its index."""
    import numpy as np
    from ai_edge_litert import schema_py_generated as schema

    buffer = schema.BufferT()
    buffer.data = data
    model.buffers.append(buffer)
    tensor = schema.TensorT()
    tensor.name, tensor.type, tensor.shape = name, kind, np.array(shape, np.int32)
    tensor.buffer = len(model.buffers) - 1
    model.subgraphs[0].tensors.append(tensor)
    return len(model.subgraphs[0].tensors) - 1


def _port(graph: Any, index: int) -> Port:
    tensor = graph.tensors[index]
    shape = [] if tensor.shape is None else [int(size) for size in tensor.shape]
    signature = shape if tensor.shapeSignature is None else [int(size) for size in tensor.shapeSignature]
    dims = tuple(None if size < 0 else size for size in signature)
    return Port(tensor.name.decode(), dims, dtype_of(tensor))


def dtype_of(tensor: Any) -> str:
    """Its elements' type as numpy calls it, or the schema where numpy has no name."""
    return _types()[tensor.type]


def _types() -> Mapping[int, str]:
    from ai_edge_litert import schema_py_generated as schema

    names = {value: name.lower() for name, value in vars(schema.TensorType).items() if name[0] != "_"}
    return names | {schema.TensorType.BOOL: "bool"}


def is_weight(tensor: Any) -> bool:
    """Whether a constant holds real numbers, and not a shape or an index."""
    return dtype_of(tensor).startswith(("float", "bfloat")) or _scaled(tensor)


def is_constant(model: Any, tensor: Any) -> bool:
    """Whether its values stand in the file."""
    data = model.buffers[tensor.buffer].data
    return data is not None and len(data) > 0


def _scaled(tensor: Any) -> bool:
    """Whether it stands for real values by a scale; some writers leave an empty one beside floats."""
    scale = None if tensor.quantization is None else tensor.quantization.scale
    return scale is not None and len(scale) > 0
