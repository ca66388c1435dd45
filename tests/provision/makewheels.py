"""Wheels made here, a few lines each: a runtime that computes the proof, a numpy that is this machine's."""

from __future__ import annotations

import sysconfig
import zipfile
from pathlib import Path

import numpy as np

FAKE_LITERT = """
import os, signal
import numpy as np

W = np.array([[1, -1, 0.5], [0.25, 2, -0.5], [-2, 0.5, 1], [0.5, 0.25, -1]], np.float32)
B = np.array([6, 1, 4], np.float32)

class Interpreter:
    def __init__(self, model_path, num_threads):
        assert open(model_path, "rb").read()[4:8] == b"TFL3"
    def allocate_tensors(self): pass
    def _tensor(self, name, n):
        return dict(name=name, index=0, shape=np.array([1, n]), dtype=np.float32,
                    quantization_parameters=dict(scales=[], zero_points=[]))
    def get_input_details(self): return [self._tensor("x", 4)]
    def get_output_details(self): return [self._tensor("y", 3)]
    def set_tensor(self, index, value): self.x = value
    def invoke(self):
        {invoke}
        self.y = np.maximum(self.x @ W + B, 0) + {error}
    def get_tensor(self, index): return self.y
"""
# Gives way to the numpy of whoever runs the tests.
BORROWED_NUMPY = """
import os, sys
here = os.path.dirname(os.path.dirname(__file__))
sys.path[:] = [path for path in sys.path if path != here] + [{real!r}]
del sys.modules["numpy"]
import numpy
"""


def wheel(folder: Path, name: str, version: str, tag: str, files: dict[str, str | bytes]) -> Path:
    """A wheel of `files` in `folder`."""
    stem = f"{name.replace('-', '_')}-{version}"
    info = f"{stem}.dist-info"
    whole = files | {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: false\nTag: {tag}\n",
        f"{info}/RECORD": "",
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{stem}-{tag}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in whole.items():
            archive.writestr(zipfile.ZipInfo(member), content)
    return path


def litert(folder: Path, version: str, tag: str, *, invoke: str = "pass", error: float = 0.0) -> Path:
    """A runtime by the name of ai-edge-litert; a statement in its `invoke`, and an error in its outputs."""
    code = FAKE_LITERT.replace("{invoke}", invoke).replace("{error}", str(error))
    files: dict[str, str | bytes] = {"ai_edge_litert/__init__.py": "", "ai_edge_litert/interpreter.py": code}
    return wheel(folder, "ai-edge-litert", version, tag, files)


def numpy(folder: Path, version: str, tag: str) -> Path:
    """A wheel that is called numpy."""
    real = str(Path(np.__file__).parent.parent)
    return wheel(folder, "numpy", version, tag, {"numpy/__init__.py": BORROWED_NUMPY.format(real=real)})


def own_tag() -> str:
    """The tag of wheels for this very Python, such as cp311-cp311-manylinux2014_x86_64."""
    python = "cp" + str(sysconfig.get_config_var("py_version_nodot"))
    machine = sysconfig.get_platform().rpartition("-")[2]
    return f"{python}-{python}-manylinux2014_{machine}"
