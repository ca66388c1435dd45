"""The Edge TPU's library and devices as the agent finds them: real shared libraries, made-up boards."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from edgetpu_standins import compile_model, library

from edgegreen import bundle
from edgegreen.agent import runtimes
from edgegreen.agent.runtimes import coral
from edgegreen.agent.runtimes.tensors import Unsupported

REPO = Path(__file__).parents[2]
MODEL = REPO / "edgegreen/provision/proof/model.tflite"
DONE = ["delegate", "model", "inference", "done", ""]
REFUSED = "failed ValueError: Failed to load delegate from libedgetpu.so.1"


def board(
    root: Path, *, usb: str | None = None, speed: str = "480", pci: bool = False, closed: bool = False
) -> str:
    """A tree with the devices; `closed` ones have no file that could be opened."""
    if usb:
        vendor, _, product = usb.partition(":")
        folder = root / "sys/bus/usb/devices/1-2"
        folder.mkdir(parents=True)
        fields = {"idVendor": vendor, "idProduct": product, "busnum": "1", "devnum": "7", "speed": speed}
        for name, value in fields.items():
            (folder / name).write_text(value + "\n")
        if not closed:
            (root / "dev/bus/usb/001").mkdir(parents=True)
            (root / "dev/bus/usb/001/007").touch()
    if pci:
        (root / "dev").mkdir(parents=True, exist_ok=True)
        (root / "dev/apex_0").touch()
    return str(root)


@pytest.mark.parametrize("usb", ["1a6e:089a", "18d1:9302"])
def test_a_stick_is_known_before_and_after_its_first_use(tmp_path: Path, usb: str) -> None:
    (found,) = coral.devices(board(tmp_path, usb=usb, speed="5000"))
    assert (found.bus, found.open, found.usb_mbps) == ("usb", True, 5000.0)
    assert found.path.endswith("/dev/bus/usb/001/007")


def test_other_devices_are_none(tmp_path: Path) -> None:
    assert coral.devices(board(tmp_path, usb="1d6b:0002")) == []


def verdict(code: int, steps: list[str], root: str = "/nowhere", device: str | None = None) -> str | None:
    return coral.verdict(code, steps, "edgetpu 2.14.0", "/usr/lib/libedgetpu.so.1", device=device, root=root)


@pytest.mark.parametrize(
    ("code", "steps", "why"),
    [
        (0, DONE, None),
        (-11, ["delegate", ""],
         "libedgetpu.so.1 and edgetpu 2.14.0 do not match: the child process died of SIGSEGV "
         "while the delegate was loaded"),
        (-6, ["delegate", "model", ""],
         "do not match: the child process died of SIGABRT while the model was loaded"),
        (-11, ["delegate", "model", "inference"], "died of SIGSEGV at the first inference"),
        (-11, [], "died of SIGSEGV before anything was loaded"),
        (0, ["delegate", "failed OSError: libedgetpu.so.1: cannot open shared object file: No such"],
         "the Edge TPU's library cannot be loaded: libedgetpu.so.1: cannot open shared object file: No such"),
        (0, ["delegate", "failed AttributeError: undefined symbol: tflite_plugin_create_delegate"],
         "libedgetpu.so.1 is no delegate for TFLite: undefined symbol: tflite_plugin_create_delegate"),
        (0, ["delegate", REFUSED],
         "there is no Edge TPU: no USB device 1a6e:089a or 18d1:9302, and no /dev/apex_0"),
        (0, ["delegate", "model", "failed RuntimeError: unresolved custom op: edgetpu-custom-op."],
         "unresolved custom op: edgetpu-custom-op. while the model was loaded"),
        (3, ["delegate"], "exit code 3 while the delegate was loaded"),
    ],
)  # fmt: skip
def test_what_went_wrong_is_told_apart(code: int, steps: list[str], why: str | None) -> None:
    found = verdict(code, steps)
    assert found is None if why is None else found is not None and found.endswith(why)


def test_a_device_that_is_there_is_not_missing(tmp_path: Path) -> None:
    closed = board(tmp_path / "a", usb="18d1:9302", closed=True)
    assert (verdict(0, ["delegate", REFUSED], closed) or "").startswith(
        "an Edge TPU is there, and this user may not open it: usb ("
    )
    chip = board(tmp_path / "b", pci=True)
    assert (verdict(0, ["delegate", REFUSED], chip, "usb") or "").startswith(
        "libedgetpu could not open an Edge TPU as `usb`; there is pci ("
    )


def test_the_clock_is_told_by_what_is_in_the_library(tmp_path: Path) -> None:
    path = tmp_path / "libedgetpu.so.1"
    path.write_bytes(b"Performance expectation: Max \0 USB connected EdgeTpu is throttled")
    assert coral.clock(str(path), "usb") == "standard"
    assert coral.clock(str(path), "pci") == "maximum"  # where both builds are alike
    path.write_bytes(b"Performance expectation: Max (default)")
    assert coral.clock(str(path), None) == "maximum"
    path.write_bytes(b"something else")
    assert coral.clock(str(path), "usb") is None
    assert coral.clock(str(tmp_path / "none"), "usb") is None


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_model(MODEL, tmp_path_factory.mktemp("compiled") / "model.tflite")


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an agent that stands for the running program."""
    pyz = bundle.pack(tmp_path / "store")
    monkeypatch.setattr(sys, "argv", [str(pyz.path)])
    return tmp_path


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("crashes", "libedgetpu.so.1 and edgetpu-litert .* do not match: the child process died of SIGSEGV"),
        ("refuses", "there is no Edge TPU"),
        ("misses", "is no delegate for TFLite: .*tflite_plugin_create_delegate"),
        (None, r"the Edge TPU's library cannot be loaded: libedgetpu\.so\.1"),
    ],
)
def test_a_library_that_fails_is_found_out_by_a_child(
    agent: Path, compiled: Path, kind: str | None, why: str
) -> None:
    if kind:
        library(agent / "lib", kind)
    with pytest.raises(Unsupported, match=why):
        runtimes.check("edgetpu-litert", [str(compiled)], None)


def test_a_compiled_model_runs_through_the_delegate(agent: Path, compiled: Path) -> None:
    path = library(agent / "lib", "works", "-DSTANDARD")
    runtimes.check("edgetpu-litert", [str(compiled)], "usb")
    runtime = runtimes.load("edgetpu-litert", [str(compiled)], 1, device="usb")
    runtime.invoke()
    (operator,) = runtime.operators()
    assert (operator.kind, operator.delegated, runtime.delegate) == ("edgetpu-custom-op", True, "Edge TPU")
    told = runtime.accelerator  # type: ignore[attr-defined]
    assert (told["library"], told["version"], told["clock"]) == (
        str(path),
        "a stand-in, RuntimeVersion(14)",
        "standard",
    )


def test_runtimes_without_devices_are_not_tried() -> None:
    runtimes.check("litert", ["/nowhere"], None)


def test_a_model_that_holds_nothing_for_the_edge_tpu_has_not_run_there(agent: Path) -> None:
    library(agent / "lib")
    assert runtimes.load("edgetpu-litert", [str(MODEL)], 1).delegate != "Edge TPU"
