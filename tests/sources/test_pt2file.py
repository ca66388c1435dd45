"""What a .pt2 says of itself, without torch: a real one, and what is made of it to be refused."""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from places import REPO

from edgegreen.errors import InputError
from edgegreen.sources import format_of, inspect, kind_of, pt2file

NESTED = REPO / "tests" / "fixtures" / "models" / "nested.pt2"
PROGRAM, CONSTANTS = "nested/models/model.json", "nested/data/constants/model_constants_config.json"
WEIGHTS = "nested/data/weights/model_weights_config.json"
Change = Callable[[Any], None]


def changed(folder: Path, member: str, change: Change) -> Path:
    """The model with one of its JSON members changed."""
    return rewritten(folder, {member: lambda text: _edited(text, change)})


def rewritten(folder: Path, edits: dict[str, Callable[[bytes], bytes]]) -> Path:
    path = folder / "changed.pt2"
    with zipfile.ZipFile(NESTED) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            new.writestr(name, edits.get(name, bytes)(old.read(name)))
        for name in edits.keys() - set(old.namelist()):
            new.writestr(name, edits[name](b""))
    return path


def _edited(text: bytes, change: Change) -> bytes:
    tree = json.loads(text)
    change(tree)
    return json.dumps(tree).encode()


def test_ports_in_order_operators_and_weights() -> None:
    assert (format_of(NESTED), kind_of(NESTED)) == ("torch", "float")
    found = pt2file.read(NESTED)
    assert [(port.name, port.dims, port.dtype) for port in found.inputs] == [
        ("given_image", (1, 3, 5, 4), "float32"),
        ("given_more", (1, 3), "float32"),
    ]
    assert [(port.name, port.dims, port.dtype) for port in found.outputs] == [
        ("linear", (1, 4), "float32"),
        ("relu", (1, 6, 3, 2), "float32"),
        ("argmax", (1,), "int64"),
    ]
    assert found.ops == {"conv2d": 1, "relu": 1, "mean": 1, "cat": 1, "linear": 1, "argmax": 1}
    assert found.parameters == 6 * 3 * 9 + 6 + 9 * 4 + 4


def test_a_dynamic_extent(tmp_path: Path) -> None:
    def open_batch(tree: Any) -> None:
        size = tree["graph_module"]["graph"]["tensor_values"]["given_image"]["sizes"]
        size[0] = {
            "as_expr": {"expr_str": "Symbol('s0', positive=True, integer=True)", "hint": {"as_int": 2}}
        }

    assert pt2file.read(changed(tmp_path, PROGRAM, open_batch)).inputs[0].dims == (None, 3, 5, 4)


def test_inspect_installs_nothing_to_tell_the_costs(home: Path) -> None:
    told = inspect(NESTED)
    assert (told.kind, told.parameters) == ("torch.export program", 208)
    assert "`edgegreen convert` has installed torch" in (told.costs_absent or "")
    assert not (home / "tools").exists()


def _pickled_weight(tree: Any) -> None:
    tree["config"]["scores.bias"]["use_pickle"] = True


def _object(tree: Any) -> None:
    tree["config"]["tokenizer"] = {
        "path_name": "custom_obj_0", "is_param": False, "use_pickle": True, "tensor_meta": None
    }  # fmt: skip


@pytest.mark.parametrize(
    ("member", "change", "named"),
    [(WEIGHTS, _pickled_weight, "scores.bias"), (CONSTANTS, _object, "tokenizer")],
    ids=["weight", "object"],
)
def test_what_torch_would_unpickle_is_refused(
    tmp_path: Path, member: str, change: Change, named: str
) -> None:
    with pytest.raises(InputError, match=rf"`{named}` in it may be pickled or compiled, and loading that"):
        pt2file.read(changed(tmp_path, member, change))


@pytest.mark.parametrize(
    "name",
    ["data/aotinductor/m/m.so", "data/weights/model.pt", "data/constants/model.pt", "models/other.json"],
)
def test_compiled_code_and_old_pickles_are_refused(tmp_path: Path, name: str) -> None:
    path = rewritten(tmp_path, {f"nested/{name}": lambda _: b"\x7fELF"})
    with pytest.raises(InputError, match="may be pickled or compiled"):
        pt2file.read(path)


@pytest.mark.parametrize("name", [WEIGHTS, WEIGHTS.replace("nested", "other")], ids=["twice", "folder"])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_that_hides_another_is_refused(tmp_path: Path, name: str) -> None:
    path = Path(shutil.copyfile(NESTED, tmp_path / "two.pt2"))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(name, '{"config": {}}')
    with pytest.raises(InputError, match="a member is there twice"):
        pt2file.read(path)


def _training(tree: Any) -> None:
    node = tree["graph_module"]["graph"]["nodes"][0]
    node["inputs"].append({"name": "training", "arg": {"as_bool": True}, "kind": 1})


def _on_a_gpu(tree: Any) -> None:
    tree["graph_module"]["graph"]["tensor_values"]["relu"]["device"]["type"] = "cuda"


def _no_tensor(tree: Any) -> None:
    tree["graph_module"]["signature"]["input_specs"][-1] = {"user_input": {"arg": {"as_sym_int": {}}}}


@pytest.mark.parametrize(
    ("change", "words", "hint"),
    [
        (_training, "training mode: its `conv2d`", "model.eval()"),
        (_on_a_gpu, "was exported on cuda", "model.cpu()"),
        (_no_tensor, "is no tensor", "constant"),
        (lambda tree: tree.pop("graph_module"), "not a program as torch.export saves it", "torch 2.8"),
        (lambda tree: tree["graph_module"].update(graph=7), "not a program as torch.export", "torch 2.8"),
    ],
)
def test_programs_that_cannot_be_deployed(tmp_path: Path, change: Change, words: str, hint: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        pt2file.read(changed(tmp_path, PROGRAM, change))
    assert hint in str(caught.value.hint)


def test_the_archives_of_older_torch(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "old.pt2", "w") as archive:
        archive.writestr("version", "8.5")
        archive.writestr("serialized_exported_program.json", "{}")
    assert format_of(tmp_path / "old.pt2") == "torch"
    with pytest.raises(InputError, match="format is no longer read"):
        pt2file.read(tmp_path / "old.pt2")


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_truncated_one(tmp_path: Path, share: float) -> None:
    whole = NESTED.read_bytes()
    (tmp_path / "cut.pt2").write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(InputError, match=r"not a readable torch\.export program"):
        format_of(tmp_path / "cut.pt2")


def test_one_whose_bytes_were_damaged(tmp_path: Path) -> None:
    path = Path(shutil.copyfile(NESTED, tmp_path / "bad.pt2"))
    content = bytearray(path.read_bytes())
    at = content.index(b'"graph_module"')
    content[at + 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="not a whole archive"):
        pt2file.read(path)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damage_of_any_kind_is_told_in_words(data: st.DataObject) -> None:
    content = bytearray(NESTED.read_bytes())
    places = st.integers(0, len(content) - 1) | st.integers(len(content) - 2000, len(content) - 1)
    for at, value in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), min_size=1, max_size=8)):
        content[at] = value
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "net.pt2")
        path.write_bytes(content)
        with suppress(InputError):
            pt2file.is_pt2(path)
            pt2file.read(path)


NUMBERS = st.none() | st.booleans() | st.integers(-3, 50) | st.text(max_size=3)
JSON = st.recursive(
    NUMBERS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner)
)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_program_of_another_shape_is_told_in_words(data: st.DataObject) -> None:
    def replaced(tree: Any) -> None:
        """Somewhere in the program, something else."""
        while True:
            keys = list(tree) if isinstance(tree, dict) else range(len(tree))
            key = data.draw(st.sampled_from(list(keys)))
            if isinstance(tree[key], dict | list) and tree[key] and data.draw(st.integers(0, 4)):
                tree = tree[key]
                continue
            tree[key] = data.draw(JSON)
            return

    with tempfile.TemporaryDirectory() as folder, suppress(InputError):
        pt2file.read(changed(Path(folder), PROGRAM, replaced))
