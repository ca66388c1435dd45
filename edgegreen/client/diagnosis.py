"""What went wrong on a board, in a line to read and a hint what to do."""

from __future__ import annotations

from edgegreen.agent import wire
from edgegreen.client.messages import Failed
from edgegreen.errors import DeviceError

PACKAGES = {
    "litert": "ai-edge-litert",
    "tflite-runtime": "tflite-runtime with numpy<2",
    "openvino": "openvino",
    "onnxruntime": "onnxruntime",
    "edgetpu": "tflite-runtime 2.11.0 or older with numpy<2",
    "edgetpu-litert": "ai-edge-litert",
}

# What runtimes say when they do not fit a board, and the way out. The first that matches.
HINTS = (
    ("_ARRAY_API not found", "the runtime was built for numpy 1: install numpy<2 there"),
    ("numpy.core.multiarray failed to import", "the runtime was built for numpy 1: install numpy<2 there"),
    ("No module named 'numpy'", "install numpy there, or name another Python: `python:` in the target"),
    ("GLIBC_", "the runtime's wheel is too new for this system: install an older version of it"),
    ("GLIBCXX_", "the runtime's wheel is too new for this system: install an older version of it"),
    ("failed to map segment", "that disk is mounted noexec: set `root` in the target to a folder elsewhere"),
    ("invalid ELF header", "the runtime installed there is for another processor"),
    ("libedgetpu.so.1: cannot open", "`sudo apt install libedgetpu1-std` there, from Google's repository"),
    ("do not match", "Google's libedgetpu goes with tflite-runtime up to 2.11.1, a rebuilt one with its own"),
    ("there is no Edge TPU", "plug it in, and see `edgegreen targets doctor`; `lspci` shows one on PCIe"),
    ("may not open it", "`sudo usermod -aG plugdev,apex $USER` there, then log in again"),
    ("could not open an Edge TPU", "another program may be using it; else unplug it and plug it in again"),
    ("edgetpu-custom-op", "it is compiled for an Edge TPU: `format: edgetpu` runs it with the delegate"),
    ("unresolved custom op", "the model needs an operator or a delegate that this runtime lacks"),
    ("Didn't find op for builtin opcode", "the runtime is older than the model: install a newer one"),
    ("still building the engine", "give it longer: `benchmark: {tensorrt: {build_timeout_s: …}}`"),
    ("TensorRT has no operator", "export it without, or at an older opset, or measure it as `format: onnx`"),
    ("TensorRT cannot read the model", "export the model at an older opset, or measure it as `format: onnx`"),
    ("takes no int8 model with its scales", "fp16 is what this board has; int8 takes a newer JetPack"),
    ("may not be opened: the user", "`sudo usermod -aG render USER` there; it holds from the next login on"),
    ("OpenVINO finds no ", "leave `device` out, or ask for AUTO, which takes the best that is there"),
    ("this onnxruntime has no ", "leave `device` out, or install NVIDIA's onnxruntime-gpu there"),
    ("Input/output error", "the board's disk or SD card fails to read"),
)  # fmt: skip
# What holds for one runtime alone, and goes before.
HINTS_OF: dict[str, tuple[tuple[str, str], ...]] = {
    "edgetpu-litert": (
        (
            "libedgetpu.so.1: cannot open",
            "put a libedgetpu that was rebuilt for LiteRT there; Google's own takes tflite-runtime 2.11 and "
            "a Python from 3.7 to 3.9 (`python:` in the target)",
        ),
    ),
}
SIGNALS = {
    "SIGKILL": "somebody or something killed it; often the kernel, for want of memory: see `dmesg` there",
    "SIGILL": "the runtime was built for a newer processor: install another version of it",
    "SIGBUS": "a file was cut short while in use, or the disk fails: see `dmesg` there",
}
KINDS = {
    "memory": "the board has too little memory free: close other programs there, or use a smaller variant",
    "data": "the evaluation data and the model do not fit: check shapes, order and number of inputs",
}
NO_PYTHON = "install Python 3.7 or newer there, or name the one it has: `python:` in the target"


def of_trial(failed: Failed, runtime: str) -> DeviceError:
    """Why a trial failed. The details (traceback, stderr) are the error's note."""
    error = DeviceError(f"{runtime}: {failed.error}", hint=_hint(failed, runtime))
    if failed.detail:
        error.add_note(failed.detail)
    return error


def _hint(failed: Failed, runtime: str) -> str | None:
    said = failed.error + failed.detail
    for words, hint in (*HINTS_OF.get(runtime, ()), *HINTS):
        if words in said:
            return hint
    if failed.kind == "load" and "No module named" in said and runtime in PACKAGES:
        return f"install {PACKAGES[runtime]} there, or name a Python that has it: `python:` in the target"
    if failed.signal and failed.kind == "died":
        return SIGNALS.get(failed.signal) or (
            f"{runtime} or a delegate does not suit this board or model: try another version of it"
        )
    return KINDS.get(failed.kind)


def of_ending(code: int | None, stderr: str, python: str, *, had_spoken: bool) -> DeviceError:
    """Why the agent itself ended: `code` is its exit code, None when not known.

    One that had spoken may well do so again; one that never did has a reason to fail each time.
    """
    lines = wire.printable(stderr).strip().splitlines()
    said = wire.one_line(lines[-1]) if lines else "it said nothing"
    if code == 127:
        return DeviceError(
            f"there is no `{python}` on the board",
            hint=NO_PYTHON,
        )
    if code == 126:
        return DeviceError(
            f"`{python}` cannot be run on the board: {said}", hint="correct `python:` in the target"
        )
    if "needs Python 3.7" in said:
        return DeviceError(f"`{python}` on the board is too old: {said}", hint="set `python:` in the target")
    if code == 2 and "can't open file" in stderr:
        return DeviceError(f"the agent is gone from the board: {said}", hint="deploy again", transient=True)
    ending = "" if code is None else f" with exit code {code}"
    hint = f"is `{python}`, the target's `python:`, really a Python?" if code == 0 and not lines else None
    if code == 137:
        hint = SIGNALS.get("SIGKILL")
    return DeviceError(f"the agent on the board ended{ending}: {said}", hint=hint, transient=had_spoken)
