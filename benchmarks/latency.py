"""The agent's latency against a bare loop over the same file, and against the vendors' own tools.

    python benchmarks/latency.py [ROUNDS]

MLPerf Tiny's int8 keyword spotting, one thread, in ai-edge-litert and (as an IR made from it here) in
OpenVINO. Every figure is the median of a 0.6 s window in a fresh process, after 0.3 s of warm-up. Machines
have more than one speed, and processes draw lots for their memory's layout: rounds alternate, and the best
medians of many are compared.

A bare loop is a dozen lines: load, set the input, time `invoke()`. For OpenVINO it reads the runtime's own
clock, as the agent and benchmark_app do; what the clock around Python's `infer()` says is printed beside it.
litert-benchmark rounds to 10 µs; here its figures are taken before it rounds them.
Figures to reach: 3 % to the bare loop, 5 % to the tools.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from edgegreen import bundle
from edgegreen.client import Agent, Job
from edgegreen.transport.local import LocalTransport

REPO = Path(__file__).parent.parent
ASSETS = Path(os.environ.get("EDGEGREEN_ASSETS", REPO.parent / "shared" / "assets")) / "mlperf-tiny" / "kws"
MODEL, DATA = ASSETS / "kws_ref_model_int8.tflite", ASSETS / "kws01_evaluation.npz"
WARMUP_S, WINDOW_S = 0.3, 0.6
LIMITS = {"bare": 0.03, "tool": 0.05}

NO_TELEMETRY = "import sys; sys.modules['openvino_telemetry'] = None\n"
LOOP = f"""
import statistics, time
def spin(seconds, times):
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter_ns(); invoke(); stop = time.perf_counter_ns()
        times.append((stop - start, own()))
spin({WARMUP_S}, [])
times = []
spin({WINDOW_S}, times)
print(*(statistics.median(column) / 1000 for column in zip(*times)))
"""
BARE_LITERT = """
import sys
import numpy as np
from ai_edge_litert.interpreter import Interpreter
interpreter = Interpreter(model_path=sys.argv[1], num_threads=1)
interpreter.allocate_tensors()
one = interpreter.get_input_details()[0]
interpreter.set_tensor(one["index"], np.zeros(one["shape"], one["dtype"]))
invoke, own = interpreter.invoke, lambda: 0
"""
BARE_OPENVINO = """
import sys
import openvino as ov
settings = {"PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1, "INFERENCE_NUM_THREADS": 1}
request = ov.Core().compile_model(sys.argv[1], "CPU", settings).create_infer_request()
request.get_input_tensor(0).data[:] = 0
invoke, own = request.infer, lambda: request.latency * 1e6
"""
LITERT_BENCHMARK = """
import sys
from ai_edge_litert.tools import benchmark_litert_model as tool
tool.round = lambda value, digits: value
tool.main()
"""
BENCHMARK_APP = "import sys; from openvino.tools.benchmark.main import main; sys.exit(main())"


def run(script: str, *arguments: object) -> str:
    """Standard output of a script in a fresh Python."""
    command = [sys.executable, "-c", NO_TELEMETRY + script, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def litert_benchmark(runs: int) -> float:
    """Its median in µs, over about as many runs as the others make in their window."""
    with tempfile.NamedTemporaryFile(suffix=".json") as report:
        options = ["--num_threads", 1, "--warmup_runs", runs // 2, "--num_runs", runs]
        run(LITERT_BENCHMARK, "--model", MODEL, *options, "--result_json", report.name)
        return float(json.loads(Path(report.name).read_text())["latency"]["median_ms"]) * 1000


def benchmark_app(model: Path) -> float:
    """Its median in µs."""
    options = ["-d", "CPU", "-api", "sync", "-hint", "none", "-nstreams", "1", "-nthreads", "1", "-t"]
    said = run(BENCHMARK_APP, "-m", model, *options, round(WARMUP_S + WINDOW_S))
    number, unit = re.findall(r"Median:\s+([\d.]+) (us|ms)", said)[0]
    return float(number) * (1000 if unit == "ms" else 1)


def through_agent(agent: Agent, runtime: str, *files: Path) -> float:
    """The agent's p50 in µs."""
    job = Job(
        runtime=runtime, files=tuple(map(str, files)), threads=1, input_order=(0,), output_order=(0,),
        warmup_s=WARMUP_S, min_warmup_runs=10, duration_s=WINDOW_S, min_runs=50,
        samples=str(DATA), evaluate=False, idle_s=0.0, meter=None, profile=False,
    )  # fmt: skip
    return float(np.median(agent.measure(job, lambda _stage, _done: None).invoke_ns)) / 1000


def as_ir(folder: Path) -> Path:
    """The model as OpenVINO IR."""
    run(
        "import openvino as ov; model = ov.Core().read_model(sys.argv[1]); model.reshape([1, 49, 10, 1])\n"
        "ov.save_model(model, sys.argv[2])",
        MODEL,
        folder / "kws.xml",
    )
    return folder / "kws.xml"


def contenders(agent: Agent, ir: Path) -> dict[str, Callable[[], float]]:
    """What is measured in each round, in µs, by name."""
    clock: list[float] = []

    def bare_openvino() -> float:
        around, own = map(float, run(BARE_OPENVINO + LOOP, ir).split())
        clock.append(around)
        return own

    return {
        "litert agent": lambda: through_agent(agent, "litert", MODEL),
        "litert bare": lambda: float(run(BARE_LITERT + LOOP, MODEL).split()[0]),
        "litert tool": lambda: litert_benchmark(10_000),
        "openvino agent": lambda: through_agent(agent, "openvino", ir, ir.with_suffix(".bin")),
        "openvino bare": bare_openvino,
        "openvino tool": lambda: benchmark_app(ir),
        "openvino clock around infer()": lambda: clock[-1],
    }


def main(rounds: int) -> int:
    """Alternate, compare the best, and say whether the figures are reached."""
    medians: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as scratch, LocalTransport() as link:
        pyz = bundle.pack(Path(scratch)).path
        with Agent.start(link, sys.executable, str(pyz)) as agent:
            measured = contenders(agent, as_ir(Path(scratch)))
            for number in range(rounds):
                for name, measure in measured.items():
                    medians.setdefault(name, []).append(measure())
                    time.sleep(0.05)
                told = ", ".join(f"{name} {times[-1]:.1f}" for name, times in medians.items())
                print(f"round {number + 1}, µs: {told}", flush=True)
    best = {name: round(min(times), 2) for name, times in medians.items()}
    ratios = {
        f"{runtime} agent / {other}": round(best[f"{runtime} agent"] / best[f"{runtime} {other}"], 4)
        for runtime in ("litert", "openvino")
        for other in LIMITS
    }
    typical = {name: round(statistics.median(times), 2) for name, times in medians.items()}
    print(json.dumps({"best_us": best, "typical_us": typical, "ratios": ratios}, indent=2))
    missed = [name for name, ratio in ratios.items() if abs(ratio - 1) > LIMITS[name.rpartition(" ")[2]]]
    print("missed: " + ", ".join(missed) if missed else "all figures reached")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 24))
