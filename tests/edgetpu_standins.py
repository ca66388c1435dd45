"""Stand-ins for what Google ships for the Edge TPU: its compiler, and libedgetpu. For tests alone.

The compiler replays a log and writes a file with one `edgetpu-custom-op`, which holds no program. The library
is a real TFLite delegate in C that takes that operator and computes nothing; or one that fails as the real
one does. Both say of themselves that they are stand-ins.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

LOGS = Path(__file__).parent / "fixtures" / "edgetpu"
SCRIPT = """#!/bin/sh
# A stand-in for edgetpu_compiler; see tests/edgetpu_standins.py.
exec {python} {program} {log} {mode} "$@"
"""


def compiler(folder: Path, log: str = "mapped.txt", mode: str = "works") -> Path:
    """An `edgetpu_compiler` in `folder` that replays the log. Modes: works, silent (no file), slow."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "edgetpu_compiler"
    words = {"python": sys.executable, "program": __file__, "log": LOGS / log, "mode": mode}
    path.write_text(SCRIPT.format(**words))
    path.chmod(0o755)
    return path


def compile_model(source: Path, target: Path) -> Path:
    """What the compiler leaves of a model it takes whole: one custom operator, no signature."""
    import numpy as np
    from ai_edge_litert import schema_py_generated as schema

    from edgegreen.sources import tflitefile

    model = tflitefile.read(source)
    graph = model.subgraphs[0]
    code, operator = schema.OperatorCodeT(), schema.OperatorT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    code.customCode = b"edgetpu-custom-op"
    operator.opcodeIndex = 0
    operator.inputs = [int(index) for index in graph.inputs]
    operator.outputs = [int(index) for index in graph.outputs]
    operator.customOptions = np.frombuffer(b"a stand-in, no program", np.uint8)
    model.operatorCodes, graph.operators, model.signatureDefs = [code], [operator], None
    model.description = b"a stand-in for what edgetpu_compiler makes"
    tflitefile.write(model, target)
    return target


# The layout of TFLite's C types (tensorflow/lite/core/c/common.h), as far as a delegate needs them.
C_TYPES = """
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
typedef struct { int size; int data[]; } IntArray;
typedef struct Registration {
  void* (*init)(void*, const char*, size_t);
  void (*free)(void*, void*);
  int (*prepare)(void*, void*);
  int (*invoke)(void*, void*);
  const char* (*profiling_string)(const void*, const void*);
  int32_t builtin_code;
  const char* custom_name;
  int version;
  void* newer[8];
} Registration;
typedef struct Delegate {
  void* data; int (*Prepare)(void*, struct Delegate*); void* copies[3]; int64_t flags; void* newer[4];
} Delegate;
typedef struct Context {
  size_t tensors_size;
  int (*GetExecutionPlan)(struct Context*, IntArray**);
  void* tensors; void* impl;
  int (*ResizeTensor)(struct Context*, void*, IntArray*);
  void (*ReportError)(struct Context*, const char*, ...);
  int (*AddTensors)(struct Context*, int, int*);
  int (*GetNodeAndRegistration)(struct Context*, int, void**, Registration**);
  int (*Replace)(struct Context*, Registration, const IntArray*, Delegate*);
} Context;
"""
WORKING = (
    C_TYPES
    + """
static const char mark[] __attribute__((used)) = "Performance expectation"
#ifdef STANDARD
  " USB connected EdgeTpu is throttled"
#endif
;
const char* edgetpu_version(void) { return mark[0] ? "a stand-in, RuntimeVersion(14)" : ""; }
static int invoke(void* context, void* node) { return 0; }
static int prepare(void* opaque, Delegate* delegate) {
  Context* context = opaque; IntArray* plan; IntArray* taken = calloc(1, sizeof(IntArray) + 4096);
  context->GetExecutionPlan(context, &plan);
  for (int i = 0; i < plan->size; ++i) {
    void* node; Registration* registration;
    context->GetNodeAndRegistration(context, plan->data[i], &node, &registration);
    if (registration->custom_name && !strcmp(registration->custom_name, "edgetpu-custom-op"))
      taken->data[taken->size++] = plan->data[i];
  }
  Registration kernel;
  memset(&kernel, 0, sizeof kernel);
  kernel.invoke = invoke; kernel.custom_name = "EdgeTpuDelegateForCustomOp"; kernel.version = 1;
  return context->Replace(context, kernel, taken, delegate);
}
Delegate* tflite_plugin_create_delegate(char** k, char** v, size_t n, void (*e)(const char*)) {
  Delegate* delegate = calloc(1, sizeof(Delegate));
  delegate->Prepare = prepare; delegate->flags = 1;  // as the real one
  return delegate;
}
void tflite_plugin_destroy_delegate(Delegate* delegate) { free(delegate); }
"""
)
LIBRARIES = {
    "works": WORKING,
    "refuses": "void* tflite_plugin_create_delegate(char** k, char** v, long n, void* e) { return 0; }\n"
    "void tflite_plugin_destroy_delegate(void* d) {}",
    "crashes": "void* tflite_plugin_create_delegate(char** k, char** v, long n, void* e) "
    "{ return *(void* volatile*)0; }\nvoid tflite_plugin_destroy_delegate(void* d) {}",
    "misses": "int something_else(void) { return 0; }",
}


def library(folder: Path, kind: str = "works", *options: str) -> Path:
    """A `libedgetpu.so.1` in `folder`; skips where there is no C compiler."""
    if not shutil.which("gcc"):
        import pytest

        pytest.skip("gcc builds the stand-in for libedgetpu")
    folder.mkdir(parents=True, exist_ok=True)
    path, source = folder / "libedgetpu.so.1", folder / f"{kind}.c"
    source.write_text(LIBRARIES[kind])
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", *options, "-o", path, source], check=True)
    return path


def main(log: str, mode: str, argv: list[str]) -> int:
    """Do as the compiler does: `-s -t N -o FOLDER MODEL`, or `--version`."""
    text = Path(log).read_text(encoding="utf-8")
    if argv == ["--version"]:
        sys.stdout.write(text.split("\n", 1)[0] + "\n")
        return 0
    source, folder = Path(argv[-1]), Path(argv[argv.index("-o") + 1])
    if mode == "slow":
        import time

        time.sleep(60)
    if mode != "silent" and "ompiled successfully" in text:
        compile_model(source, folder / f"{source.stem}_edgetpu.tflite")
    sys.stdout.write(text.replace("X.tflite", str(source)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
