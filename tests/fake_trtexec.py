"""A stand-in for NVIDIA's trtexec, for a PATH: replays logs of fixtures/trtexec, writes what it is asked for.

It is a test's, marked in what it prints, and nothing of the product leads to it. An "engine" of it is the
model's path. Its times are made up (1 ms a call, of which 0.8 ms compute); its outputs are the model's own
where `infers` is set, computed by ONNX Runtime, else the first input doubled.

`install` puts it into a folder. What it is to do wrong stands in a file beside it, and what it was asked.
"""

from __future__ import annotations

import json
import shlex
import sys
import time
from dataclasses import dataclass
from pathlib import Path

FIXTURES = Path(__file__).parent / "fixtures" / "trtexec"
NUMBERS = {"7.1": "", "8.2": "8201", "8.5": "8503", "10.3": "100300", "11.1": "110100"}
PROGRAM = """#!{python}
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
import fake_trtexec
fake_trtexec.main(Path(__file__).parent)
"""
BUILDS = {"7.1": "8.2", "8.2": "8.2", "8.5": "8.2", "10.3": "10.3", "11.1": "10.3"}


@dataclass(frozen=True)
class Fake:
    """One that is installed."""

    folder: Path

    @property
    def asked(self) -> list[list[str]]:
        """The arguments of each run but for those that ask for its help."""
        file = self.folder / "asked"
        lines = file.read_text().splitlines() if file.exists() else []
        return [line for line in map(shlex.split, lines) if line != ["--help"]]

    @property
    def builds(self) -> list[list[str]]:
        """Those that built an engine."""
        return [line for line in self.asked if any(one.startswith("--onnx=") for one in line)]


def install(folder: Path, version: str = "10.3", **wrong: object) -> Fake:
    """Put one of this version into a folder for the PATH.

    `wrong`: `fails` names the log of a failed build, `runs` of a failed run; `build_s` how long a build is,
    `dies` a signal; `times`, `outputs`, `layers` the text to write instead; `median` what the summary says.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "how.json").write_text(json.dumps({"version": version, **wrong}))
    program = folder / "trtexec"
    program.write_text(PROGRAM.format(python=sys.executable, tests=str(Path(__file__).parent)))
    program.chmod(0o755)
    return Fake(folder)


def main(folder: Path) -> None:
    """What the installed program does."""
    how = json.loads((folder / "how.json").read_text())
    with (folder / "asked").open("a") as asked:
        asked.write(shlex.join(sys.argv[1:]) + "\n")
    given = dict(one.partition("=")[::2] for one in sys.argv[1:])
    _say("this is edgegreen's stand-in for trtexec")
    version = how["version"]
    if "--help" in given:
        _say((FIXTURES / f"help-{version}.txt").read_text())
        return
    known = (FIXTURES / f"help-{version}.txt").read_text()
    for flag in given:
        if f"  {flag}" not in known:
            _say(f"[11/22/2026-14:00:00] [E] Unknown option: {flag} ")
            _end(version, "FAILED")
    if "dies" in how:
        import os

        os.kill(os.getpid(), how["dies"])
    if "--onnx" in given:
        _build(how, given)
    else:
        _run(how, given)


def _build(how: dict, given: dict[str, str]) -> None:
    lines = _log(how.get("fails") or f"build-{BUILDS[how['version']]}.log")
    for line in lines[:-1]:
        _say(line)
        if "Local timing cache" in line:
            time.sleep(how.get("build_s", 0))
    if "fails" in how:
        _say(lines[-1])
        raise SystemExit(1)
    Path(given["--saveEngine"]).write_text(given["--onnx"])
    _end(how["version"], "PASSED")


def _run(how: dict, given: dict[str, str]) -> None:
    if "runs" in how:
        _say("\n".join(_log(how["runs"])))
        raise SystemExit(1)
    warmup_ms, seconds = float(given["--warmUp"]), float(given["--duration"])
    names = [one.rpartition(":") for one in given["--loadInputs"].split(",")]
    inputs = {name: Path(file).read_bytes() for name, _, file in names}
    log = _log("run-7.1.log" if how["version"] == "7.1" else "run-8.2.log")
    starts = next(n for n, line in enumerate(log) if "Starting inference" in line)
    _say("\n".join(log[1 : starts + 1]))
    count = max(int(given["--iterations"]), int(seconds * 1000)) + int(warmup_ms)
    time.sleep(seconds + warmup_ms / 1000)
    _say("\n".join(line for line in log[starts + 1 : -1] if "edian" not in line))
    _say(f"[11/22/2026-14:00:09] [I] Latency: min = 0.9 ms, median = {how.get('median', 1.0)} ms")
    if "--exportTimes" in given:
        first = int(warmup_ms) if how["version"] in ("8.5", "10.3", "11.1") else 0
        calls = [_call(n, how["version"]) for n in range(first, count)]
        Path(given["--exportTimes"]).write_text(how.get("times") or "[\n  " + "\n, ".join(calls) + "\n]\n")
    if "--exportOutput" in given:
        text = how.get("outputs") or _outputs(how, Path(given["--loadEngine"]).read_text(), inputs)
        Path(given["--exportOutput"]).write_text(text)
    fixture = "10.3" if how["version"] in ("10.3", "11.1") else "8.2"
    if "--exportLayerInfo" in given:
        text = how.get("layers") or (FIXTURES / f"layers-{fixture}.json").read_text()
        Path(given["--exportLayerInfo"]).write_text(text)
    if "--exportProfile" in given:
        Path(given["--exportProfile"]).write_text((FIXTURES / f"profile-{fixture}.json").read_text())
    _end(how["version"], "PASSED")


def _call(number: int, version: str) -> str:
    sent, gave = ("In", "Out") if version == "7.1" else ("H2d", "D2h")
    start = float(number)
    return (
        f'{{ "startEnqMs" : {start:g}, "endEnqMs" : {start + 0.1:g}, "start{sent}Ms" : {start:g}, '
        f'"end{sent}Ms" : {start + 0.1:g}, "startComputeMs" : {start + 0.1:g}, '
        f'"endComputeMs" : {start + 0.9:g}, '
        f'"start{gave}Ms" : {start + 0.9:g}, "end{gave}Ms" : {start + 1:g}, "{sent.lower()}Ms" : 0.1, '
        f'"computeMs" : 0.8, "{gave.lower()}Ms" : 0.1, "latencyMs" : 1 }}'
    ).replace("h2dms", "h2dMs")


def _outputs(how: dict, model: str, inputs: dict[str, bytes]) -> str:
    import numpy as np

    if how.get("infers"):
        import onnxruntime as ort

        session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
        fed = {
            port.name: np.frombuffer(inputs[port.name], "f4").reshape(port.shape)
            for port in session.get_inputs()
        }
        values = dict(zip((port.name for port in session.get_outputs()), session.run(None, fed), strict=True))
    else:
        values = {"y": np.frombuffer(next(iter(inputs.values())), "f4")[None] * 2}
    told = [
        f'{{ "name" : "{name}"\n  , "dimensions" : "{"x".join(map(str, array.shape))}"\n'
        f'  , "values" : [ {", ".join(f"{value:g}" for value in array.ravel())} ]\n  }}'
        for name, array in values.items()
    ]
    return "[\n  " + "\n, ".join(told) + "\n]\n"


def _log(name: str) -> list[str]:
    return (FIXTURES / name).read_text().splitlines()


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _end(version: str, how: str) -> None:
    number = f" [TensorRT v{NUMBERS[version]}]" if NUMBERS[version] else ""
    _say(f"&&&& {how} TensorRT.trtexec{number} # trtexec {shlex.join(sys.argv[1:])}")
    raise SystemExit(how != "PASSED")
