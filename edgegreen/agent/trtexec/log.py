"""What trtexec prints, understood. Pure: lines in, facts out; lines that make no sense are passed over.

The lines are those of TensorRT 7 to 11 (samples/common of github.com/NVIDIA/TensorRT). Times are never taken
from here (see exports.py): the summary is only what they are held against.
"""

from __future__ import annotations

import re
from typing import Iterable, NamedTuple, Sequence

LINE = re.compile(r"(?:\[[^\]]{1,40}\] )?\[([VIWEF])\] ?(?:\[TRT\] ?)?(.*)$")
VERSION = re.compile(r"\[TensorRT v(\d{4,6})\]")
ENDED = re.compile(r"&&&& (PASSED|FAILED) TensorRT\.trtexec")
METRIC = re.compile(r"(.{1,40}?): ((?:[\w()%.]+ = [-+.\deE]+ ms(?:, )?)+)$")
PART = re.compile(r"([\w()%.]+) = ([-+.\deE]+) ms")
# TensorRT 7 has a heading, and a line for each figure below it.
HEADINGS = {"Host Latency": "Latency", "Enqueue Time": "Enqueue Time", "GPU Compute": "GPU Compute Time"}
FIGURE = re.compile(r"(min|max|mean|median): ([-+.\deE]+) ms\b")
THROUGHPUT = re.compile(r"[Tt]hroughput: ([-+.\deE]+) qps")
TOOK = re.compile(r"Engine (built|loaded|deserialized) in ([-+.\deE]+) sec")
NO_IMPORTER = re.compile(r"No importer registered for op: (\w+(?:[.:]+\w+)*)")
AT_NODE = re.compile(r"While parsing node number (\d+) \[([\w.:]+)")
PARSED = ("Finish parsing network", "Finished parsing network")
STARTS = "Starting inference"
REPORTS = ("=== Trace details ===", "Warmup completed ")
OUT_OF_MEMORY = (
    "out of memory", "OutOfMemory", "insufficient memory", "could not be allocated", "bad_alloc",
    "Cannot allocate memory", "NvMapMemAlloc",
)  # fmt: skip
# What is said last, of whatever went wrong before.
GENERAL = (
    "Engine could not be created from network", "Building engine failed", "Engine set up failed",
    "Failed to create engine from model", "Failed to parse onnx file", "Parsing model failed",
    "Network And Config setup failed", "Inference set up failed", "Error occurred during inference",
)  # fmt: skip


class Said(NamedTuple):
    """A line of the log: its level (V, I, W, E, F) and what it says, without stamps."""

    level: str
    text: str


def said(line: str) -> Said:
    """The line, taken apart; of level I when it bears none."""
    match = LINE.match(line.strip())
    return Said(match.group(1), match.group(2).strip()) if match else Said("I", line.strip())


def version(lines: Iterable[str]) -> str | None:
    """`8.5.2` or `10.3.0`, from the number in trtexec's first line; TensorRT 7 gives none."""
    for line in lines:
        match = VERSION.search(line)
        if match:
            number = int(match.group(1))
            # Since 10 it is major · 10000 + minor · 100 + patch, before that major · 1000 and so on.
            major, rest = divmod(number, 10000) if number >= 100000 else divmod(number, 1000)
            return "{}.{}.{}".format(major, *divmod(rest, 100))
    return None


def passed(lines: Iterable[str]) -> bool:
    """Whether it says that it went well; its exit code is not enough."""
    endings = [match.group(1) for match in map(ENDED.search, lines) if match]
    return endings[-1:] == ["PASSED"]


def stage(lines: Iterable[str]) -> str:
    """What a build has come to: `parse`, and from the end of that on `build`."""
    parsed = any(said(line).text.startswith(PARSED) for line in lines)
    return "build" if parsed else "parse"


def took_s(lines: Iterable[str], what: str) -> float | None:
    """Seconds in which the engine was `built`, `loaded` or `deserialized`; None where it does not say."""
    for line in lines:
        match = TOOK.search(line)
        if match and match.group(1) == what:
            return _number(match.group(2))
    return None


def summary(lines: Iterable[str]) -> dict[str, dict[str, float]]:
    """The summary, in ms: {"Latency": {"min": 0.9, "percentile(99%)": 1.2, …}, …}; throughput in qps."""
    found: dict[str, dict[str, float]] = {}
    heading = None
    for line in lines:
        text = said(line).text
        metric, figure, rate = METRIC.match(text), FIGURE.match(text), THROUGHPUT.match(text)
        if metric:
            figures = [(name, _number(value)) for name, value in PART.findall(metric.group(2))]
            found[metric.group(1)] = {name: value for name, value in figures if value is not None}
        elif text in HEADINGS:
            heading = HEADINGS[text]
        elif rate:
            found["Throughput"] = {"qps": _number(rate.group(1)) or 0.0}
        elif figure and heading:
            value = _number(figure.group(2))
            found.setdefault(heading, {}).update({} if value is None else {figure.group(1): value})
    return found


def complaints(lines: Iterable[str]) -> list[str]:
    """What it says went wrong, in its own words, each once."""
    wrong = [one.text for one in map(said, lines) if one.level in ("E", "F") and one.text]
    return list(dict.fromkeys(wrong))


def reason(lines: Sequence[str]) -> str | None:
    """Why it failed, in a line: an operator it does not know, else its most telling complaint."""
    for line in lines:
        match = NO_IMPORTER.search(line)
        # Some of them are found as plugins; then the build goes on, and nothing of it is complained about.
        if match and any(match.group(1) in one for one in complaints(lines)):
            return "TensorRT has no operator `{}`".format(match.group(1))
    for line in lines:
        match = AT_NODE.search(line)
        if match:
            return "TensorRT cannot read the model's node {} (`{}`)".format(match.group(1), match.group(2))
    told = complaints(lines)
    telling = [one for one in told if not one.startswith(GENERAL)]
    return next(iter(telling or told), None)


def wants_memory(lines: Iterable[str]) -> bool:
    """Whether what it complains about is memory."""
    return any(words in one for one in complaints(lines) for words in OUT_OF_MEMORY)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
