"""Our reader of ONNX files, against the onnx package."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgegreen.errors import InputError
from edgegreen.sources import onnxfile
from sources import onnx_models


def test_what_the_onnx_package_reads(tmp_path: Path) -> None:
    path = onnx_models.conv_net(tmp_path / "m.onnx", width="W")
    graph = onnx.load(path).graph
    found = onnxfile.read(path)
    assert found.ops == Counter(node.op_type for node in graph.node)
    assert found.parameters == sum(int(np.prod(one.dims)) for one in graph.initializer)
    assert [(port.name, port.dims, port.dtype) for port in found.inputs] == [
        ("image.1", (None, 3, 16, None), "float32"),
        ("extra/in:0", (None, 4), "float32"),
    ]
    assert [port.name for port in found.outputs] == [one.name for one in graph.output]
    assert found.outputs[1].dims == (None, 6, 8, None)


def test_weights_that_old_files_list_as_inputs(tmp_path: Path) -> None:
    model = onnx.load(onnx_models.conv_net(tmp_path / "m.onnx"))
    model.graph.input.append(onnx.helper.make_tensor_value_info("w1", onnx.TensorProto.FLOAT, [8, 3, 3, 3]))
    onnx.save(model, tmp_path / "old.onnx")
    assert [port.name for port in onnxfile.read(tmp_path / "old.onnx").inputs] == list(onnx_models.SHAPES)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_bytes_cut_off_or_changed_give_an_input_error_or_a_graph(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "m.onnx"
    whole = bytearray(path.read_bytes() if path.exists() else onnx_models.conv_net(path).read_bytes())
    at = data.draw(st.integers(0, len(whole) - 1))
    if data.draw(st.booleans()):
        whole = whole[:at]
    else:
        whole[at] = data.draw(st.integers(0, 255))
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(whole)
    try:
        assert isinstance(onnxfile.read(broken).ops, dict)
    except InputError as error:
        assert "not a readable ONNX model" in error.message  # noqa: PT017


@pytest.mark.parametrize("cut", [0.2, 0.7, 0.99])
def test_a_truncated_file_is_none(tmp_path: Path, cut: float) -> None:
    whole = onnx_models.conv_net(tmp_path / "m.onnx").read_bytes()
    (tmp_path / "m.onnx").write_bytes(whole[: int(len(whole) * cut)])
    assert not onnxfile.is_onnx(tmp_path / "m.onnx")
