"""What the Edge TPU's compiler prints, whole, cut short and garbled. Logs: fixtures/edgetpu/README.md."""

from __future__ import annotations

import pytest
from edgetpu_standins import LOGS
from hypothesis import given
from hypothesis import strategies as st

from edgegreen import edgetpulog
from edgegreen.edgetpulog import Compilation, Log, Mapping
from edgegreen.judging import edgetpu

TEXTS = {path.stem: path.read_text(encoding="utf-8") for path in LOGS.glob("*.txt")}
# As the compiler lists operators elsewhere: the `.log` file, several attempts (-d), a space before the unit.
LOG_FILE = """Edge TPU Compiler version 15.0.340273435
Input: model.tflite
Output: ./model_edgetpu.tflite

Operator                       Count      Status

CONV_2D                        2          Mapped to Edge TPU
CUSTOM                         1          Operation is working on an unsupported data type
"""


def found(name: str) -> Log:
    return edgetpulog.parse(TEXTS[name])


def test_a_model_of_which_some_is_left_to_the_cpu() -> None:
    log = found("partly")
    told = log.compilation
    assert (log.succeeded, log.complaints) == (True, ())
    assert (told.compiler, told.took_ms, told.subgraphs) == ("16.0.384591198", 1524, 1)
    assert (told.operators, told.on_tpu, told.on_cpu) == (267, 264, 3)
    assert (told.on_chip_bytes, told.on_chip_free_bytes, told.streamed_bytes) == (4414505, 3449815, 0)
    assert told.left == (
        Mapping("DEQUANTIZE", 2, "Operation is working on an unsupported data type"),
        Mapping("CONCATENATION", 1, "More than one subgraph is not supported"),
    )
    assert edgetpu.short(told) == "264/267, 0 B streamed"


def test_where_all_is_mapped_no_line_says_how_much() -> None:
    told = found("mapped").compilation
    assert (told.operators, told.on_tpu, told.on_cpu, told.left) == (13, 13, 0, ())
    assert told.on_chip_bytes == round(41.75 * 1024)
    assert list(edgetpu.notes(told)) == []
    assert edgetpu.fallback(told) is None


def test_without_a_list_the_counts_stand_alone() -> None:
    told = found("without-s").compilation
    assert (told.operators, told.on_tpu, told.mappings) == (165, 117, ())
    assert edgetpu.short(told) == "117/165, 126.81 KiB streamed"
    assert [note.partition(" of ")[0] for note in edgetpu.notes(told)] == ["48", "126.81 KiB"]


def test_all_of_a_model_without_a_list() -> None:
    start = TEXTS["without-s"].partition("\nModel successfully")[0]
    told = edgetpulog.parse(
        start + "See the operation log file for individual operation details.\n"
    ).compilation
    assert (told.operators, told.on_tpu, told.on_cpu) == (165, 165, 0)
    assert edgetpulog.parse(start).compilation.on_tpu is None  # cut off there, for all that is known


def test_the_file_beside_the_model_has_the_list_alone() -> None:
    told = edgetpulog.parse(LOG_FILE).compilation
    assert (told.operators, told.on_tpu, told.on_cpu) == (3, 2, 1)


def test_of_several_attempts_the_last_counts() -> None:
    told = edgetpulog.parse(TEXTS["partly"] + TEXTS["mapped"]).compilation
    assert (told.operators, told.on_tpu) == (13, 13)


@pytest.mark.parametrize(
    ("name", "why", "hint"),
    [
        (
            "float",
            "Invalid model: X.tflite; Model not quantized; Compilation failed!",
            "full-integer models only",
        ),
        (
            "too-new",
            "ERROR: Didn't find op for builtin opcode 'CONV_2D' version '6'",
            "newer than the compiler",
        ),
    ],
)
def test_why_a_model_was_refused(name: str, why: str, hint: str) -> None:
    log = found(name)
    assert not log.succeeded
    said, help_ = edgetpu.failure(log)
    assert said.startswith(why)
    assert help_ is not None
    assert hint in help_


def test_silence_is_no_success() -> None:
    log = edgetpulog.parse("")
    assert log == Log(False, Compilation(None, None, None, None, None, None, None, None), ())
    assert edgetpu.failure(log) == ("it did not say that the model was compiled, nor why not", None)
    log = edgetpulog.parse("sh: 1: /opt/edgetpu_compiler: Exec format error\n\n")
    assert edgetpu.failure(log)[0].endswith(
        "nor why not; its last line is `sh: 1: /opt/edgetpu_compiler: Exec format error`"
    )
    assert edgetpu.short(log.compilation) is None
    assert (
        edgetpu.fallback(log.compilation) == "the compiler did not say how many operators are left to the CPU"
    )


def test_advice_goes_by_the_reason() -> None:
    first, *others = edgetpu.notes(found("partly").compilation)
    assert first == (
        "3 of 267 operators are left to the CPU: DEQUANTIZE ×2 (not in 8 bits), CONCATENATION (behind an "
        "operator that is left to the CPU)"
    )
    assert [note.partition(":")[0] for note in others] == ["DEQUANTIZE", "CONCATENATION"]
    assert edgetpu.fallback(found("partly").compilation) == first


def test_a_row_that_did_not_run_there_says_so() -> None:
    assert edgetpu.doubts("edgetpu", "Edge TPU") == edgetpu.doubts("tflite", None) == ()
    assert edgetpu.doubts("edgetpu", "XNNPACK") == ("it is for the Edge TPU, and nothing of it ran there",)


def test_the_clock_and_the_link_are_told() -> None:
    stick = {"kind": "edgetpu", "clock": "standard", "usb_mbps": 480.0}
    assert list(edgetpu.ran(stick)) == ["the Edge TPU's clock is standard; on USB at 480 Mbit/s"]
    chip = {"kind": "edgetpu", "clock": None, "usb_mbps": None}
    assert list(edgetpu.ran(chip)) == ["the Edge TPU's clock is not known"]
    assert list(edgetpu.ran(None)) == []


def whole(log: Log) -> None:
    """Everything that is made of a log, of whatever kind."""
    told = log.compilation
    for number in (told.operators, told.on_tpu, told.on_chip_bytes, told.streamed_bytes, told.on_cpu):
        assert number is None or number >= 0
    edgetpu.short(told)
    list(edgetpu.notes(told))
    edgetpu.fallback(told)
    edgetpu.failure(log)


@given(st.sampled_from(sorted(TEXTS)), st.data())
def test_logs_cut_short(name: str, data: st.DataObject) -> None:
    text = TEXTS[name]
    log = edgetpulog.parse(text[: data.draw(st.integers(0, len(text)))])
    whole(log)
    # What is cut off is missing, and never another number.
    for field in ("operators", "on_tpu", "subgraphs", "on_chip_bytes", "streamed_bytes"):
        assert getattr(log.compilation, field) in (None, getattr(found(name).compilation, field))


@given(st.sampled_from(sorted(TEXTS)), st.data())
def test_garbled_logs(name: str, data: st.DataObject) -> None:
    text = TEXTS[name]
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 60)))
    whole(edgetpulog.parse(text[:start] + data.draw(st.text(max_size=30)) + text[end:]))


@given(st.text())
def test_any_text(text: str) -> None:
    assert not edgetpulog.parse(text).succeeded
