from __future__ import annotations

import contextlib
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from agent.talk import fake_litert, gone
from hypothesis import given, settings
from hypothesis import strategies as st
from sshd import Sshd

from edgegreen import bundle
from edgegreen.agent import wire
from edgegreen.client import Agent, Job, RawResult, messages
from edgegreen.errors import DeviceError, UnreachableError
from edgegreen.statistics import clocks
from edgegreen.target import Target
from edgegreen.transport import Transport, local
from edgegreen.transport.local import LocalTransport
from edgegreen.transport.localprocess import LocalProcess
from edgegreen.transport.recording import Recorder, ReplayTransport, replayed
from edgegreen.transport.ssh import SSHTransport

MODELS = Path(__file__).parents[1] / "fixtures" / "models"
KWS = "kws/kws_ref_model_int8.tflite"


@pytest.fixture(scope="session")
def pyz(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(bundle.pack(tmp_path_factory.mktemp("agent")).path)


@pytest.fixture
def link() -> Iterator[LocalTransport]:
    with LocalTransport() as transport:
        yield transport


def job(model: Path | str, **changes: Any) -> Job:
    fields = {
        "runtime": "litert", "files": (str(model),), "threads": 1, "input_order": (0,), "output_order": (0,),
        "warmup_s": 0.01, "min_warmup_runs": 1, "duration_s": 0.05, "min_runs": 5,
        "samples": None, "evaluate": False, "idle_s": 0.0, "meter": None, "profile": False,
    }  # fmt: skip
    return Job(**{**fields, **changes})


def measure(agent: Agent, asked: Job) -> RawResult:
    return agent.measure(asked, lambda _stage, _done: None)


class Script:
    """A program in the agent's place: says `lines`, whatever it is asked, then does as told."""

    def __init__(self, folder: Path, link: LocalTransport) -> None:
        self.path, self.link, self.idle_timeout_s = folder / "script.py", link, 20.0
        self.agents: list[Agent] = []

    def says(self, *lines: bytes, then: str = "") -> Agent:
        self.path.write_text(
            f"import os, sys, time\nsys.stdin.readline()\nfor line in {list(lines)!r}:\n"
            f"    sys.stdout.buffer.write(line + b'\\n')\nsys.stdout.flush()\n{then}\n"
        )
        agent = Agent.start(self.link, sys.executable, str(self.path), idle_timeout_s=self.idle_timeout_s)
        self.agents.append(agent)
        return agent


@pytest.fixture
def script(tmp_path: Path, link: LocalTransport) -> Iterator[Script]:
    it = Script(tmp_path, link)
    yield it
    for agent in it.agents:
        agent.close()


def test_kws_int8_keeps_its_accuracy_through_the_agent(link: LocalTransport, pyz: str, assets: Path) -> None:
    data = assets / "kws" / "kws01_evaluation.npz"
    labels = np.load(data)["y"]
    hits, starts, stages = [], [], []

    def take(start: int, outputs: list[np.ndarray]) -> None:
        starts.append(start)
        hits.extend(outputs[0].argmax(axis=1) == labels[start : start + len(outputs[0])])

    asked = job(assets / KWS, samples=str(data), evaluate=True, duration_s=0.5, n_samples=900)
    with Agent.start(link, sys.executable, pyz) as agent:
        board = agent.probe()
        raw = agent.measure(asked, lambda stage, done: stages.append((stage, done)), take)
    assert len(hits) == 900
    assert np.mean(hits) >= 0.895
    assert starts[0] == 0
    assert board.runtimes["litert"] == raw.runtime_version
    assert (raw.runtime_name, raw.runtime_delegate) == ("litert", "XNNPACK")
    assert [(one.shape, one.dtype) for one in raw.inputs] == [((1, 49, 10, 1), "int8")]
    assert [(one.shape, one.dtype) for one in raw.outputs] == [((1, 12), "int8")]
    assert raw.fed == "first sample of kws01_evaluation.npz"
    assert raw.runs == len(raw.invoke_ns) > 50
    assert 0.9 < raw.throughput_ips * raw.invoke_ns.mean() / 1e9 <= 1.0
    assert np.median(raw.end_to_end_ns) > np.median(raw.invoke_ns) > 1000
    assert [stage for stage, _ in dict(stages).items()] == [
        "load",
        "warmup",
        "latency",
        "end_to_end",
        "accuracy",
    ]
    assert all(0 <= done <= 1 for _, done in stages)


def test_a_failed_trial_is_a_device_error_and_the_agent_lives(link: LocalTransport, pyz: str) -> None:
    with Agent.start(link, sys.executable, pyz) as agent:
        with pytest.raises(DeviceError, match=r"litert: FileNotFoundError: .*none\.tflite") as caught:
            measure(agent, job(MODELS / "none.tflite"))
        assert "Traceback" in caught.value.__notes__[0]
        process = agent._process
        assert measure(agent, job(MODELS / "int4.tflite")).fed == "seeded noise"
        assert agent._process is process


def test_a_crash_is_told_by_its_signal(
    link: LocalTransport, pyz: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", fake_litert(tmp_path, invoke="ctypes.string_at(0)")["PYTHONPATH"])
    with Agent.start(link, sys.executable, pyz) as agent:
        with pytest.raises(DeviceError) as caught:
            measure(agent, job(__file__))
        assert caught.value.message == "litert: the trial died of SIGSEGV in stage `load`"
        assert "does not suit this board or model" in (caught.value.hint or "")
        assert agent.alive


def agents() -> list[psutil.Process]:
    """This process's agents and their trials; other tests' workers are children too."""

    def is_one(child: psutil.Process) -> bool:
        try:
            return any(word.endswith((".pyz", "script.py")) for word in child.cmdline())
        except psutil.Error:  # it just ended
            return False

    return [child for child in psutil.Process().children(recursive=True) if is_one(child)]


def test_a_hung_trial_costs_itself_only(
    link: LocalTransport, pyz: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hang = f"time.sleep(600) if model_path == {__file__!r} else None"
    monkeypatch.setenv("PYTHONPATH", fake_litert(tmp_path, load=hang)["PYTHONPATH"])
    with Agent.start(link, sys.executable, pyz) as agent:
        start = time.monotonic()
        with pytest.raises(DeviceError, match="hung in stage `load`: no news for 1 s"):
            measure(agent, job(__file__, timeout_s=1.0))
        assert time.monotonic() - start < 10
        assert agent.alive
        assert measure(agent, job(MODELS / "int4.tflite", timeout_s=30.0)).runs >= 5
    assert not agents()


@pytest.mark.slow
def test_a_slow_but_lively_trial_is_not_hung(
    link: LocalTransport, pyz: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", fake_litert(tmp_path, invoke="time.sleep(0.4)")["PYTHONPATH"])
    with Agent.start(link, sys.executable, pyz) as agent:
        assert measure(agent, job(__file__, timeout_s=1.8, min_runs=5)).runs == 5


def test_the_agent_is_told_that_we_still_listen_and_no_recording_knows(
    link: LocalTransport, pyz: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[bytes] = []

    class Overheard(LocalProcess):
        def write(self, data: bytes) -> None:
            said.append(data)
            super().write(data)

    def asked(transport: Transport) -> int:
        with Agent.start(transport, sys.executable, pyz) as agent:
            runs = measure(agent, job(MODELS / "int4.tflite")).runs
            agent.clock()  # it needed no answer
        return runs

    monkeypatch.setattr(wire, "STAY_S", 0.0)
    monkeypatch.setattr(local, "LocalProcess", Overheard)
    with Recorder(tmp_path, Target(host="local").called("here"), "r") as recorder:
        runs = asked(recorder.around(link))
    assert said.count(wire.STAY) > 2
    with ReplayTransport.open(replayed(f"replay:{tmp_path}")) as again:
        assert asked(again) == runs


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_what_a_callback_raises_ends_the_trial(
    link: LocalTransport, pyz: str, error: type[BaseException]
) -> None:
    def progress(stage: str, done: float) -> None:
        if stage == "latency":
            raise error

    with Agent.start(link, sys.executable, pyz) as agent:
        with pytest.raises(error):
            agent.measure(job(MODELS / "int4.tflite", duration_s=60.0), progress)
        assert not agents()
        assert measure(agent, job(MODELS / "int4.tflite")).runs >= 5


def test_a_link_that_breaks_is_not_the_boards_fault(link: LocalTransport, pyz: str) -> None:
    agent = Agent.start(link, sys.executable, pyz)
    agent.probe()
    children = agents()
    threading.Timer(0.8, link.close).start()
    with pytest.raises(UnreachableError):
        measure(agent, job(MODELS / "int4.tflite", duration_s=60.0))
    with pytest.raises(UnreachableError):
        measure(agent, job(MODELS / "int4.tflite"))
    assert all(gone(child) for child in children)


def test_an_agent_killed_from_outside(link: LocalTransport, pyz: str) -> None:
    with Agent.start(link, sys.executable, pyz) as agent:
        agent.probe()
        (supervisor,) = agents()
        supervisor.kill()
        with pytest.raises(DeviceError, match="ended with exit code 137"):
            agent.probe()
        assert agent.alive  # it did run: worth another try
        assert agent.probe().executable == sys.executable


def test_a_closed_agent_says_so(link: LocalTransport, pyz: str) -> None:
    agent = Agent.start(link, sys.executable, pyz)
    agent.close()
    agent.close()
    assert not agent.alive
    with pytest.raises(DeviceError, match="has ended"):
        agent.probe()


def test_a_board_without_python(link: LocalTransport, pyz: str) -> None:
    with pytest.raises(DeviceError) as caught, Agent.start(link, "python3.99", pyz) as agent:
        agent.probe()
    assert "python3.99" in caught.value.message
    assert "`python:` in the target" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("ending", "words"),
    [
        ("exit 127", "there is no `/bin/sh` on the board"),
        ("exit 126", "cannot be run"),
        (
            "echo 'edgegreen needs Python 3.7 or newer on the board, this is 3.6.9' >&2; exit 1",
            "too old: .* 3.6.9",
        ),
        ("echo \"python3: can't open file 'agent.pyz'\" >&2; exit 2", "gone from the board"),
        ("printf 'a\\033[2Jb\\n' >&2; exit 9", "exit code 9: a.\\[2Jb"),
        ("kill -9 $$", "exit code 137: it said nothing"),
    ],
)
def test_an_agent_that_does_not_start(link: LocalTransport, tmp_path: Path, ending: str, words: str) -> None:
    (tmp_path / "agent.sh").write_text(ending)
    with Agent.start(link, "/bin/sh", str(tmp_path / "agent.sh")) as agent:
        with pytest.raises(DeviceError, match=words) as caught:
            agent.probe()
        assert "\x1b" not in str(caught.value)
        assert not agent.alive


def test_noise_of_a_login_script_is_skipped(link: LocalTransport, tmp_path: Path, pyz: str) -> None:
    shell = tmp_path / "noisy"
    shell.write_text(f'#!/bin/sh\necho "Welcome!"\necho "{{}}"\nprintf "{{"\nexec {sys.executable} "$@"\n')
    shell.chmod(0o755)
    with Agent.start(link, str(shell), pyz) as agent:
        assert agent.probe().executable == sys.executable


def test_endless_noise_is_no_agent(script: Script) -> None:
    with (
        pytest.raises(DeviceError, match="makes no sense: it says b'spam'"),
        script.says(*[b"spam"] * 300) as agent,
    ):
        agent.probe()


def test_silence_has_a_limit(script: Script) -> None:
    script.idle_timeout_s = 0.5
    with pytest.raises(DeviceError, match=r"nothing came for 0\.5 s"):
        script.says(then="sys.stdin.read()").probe()


@pytest.fixture
def board(openssh: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sshd]:
    """A board behind a real SSH server of its own, which a test may kill."""
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    server = Sshd(tmp_path / "sshd").start()
    yield server
    server.stop()


def over_ssh(board: Sshd) -> SSHTransport:
    return SSHTransport.connect(board.target(), config_files=[board.config])


def test_over_ssh_past_a_login_script_that_talks(board: Sshd, pyz: str) -> None:
    (board.home / ".bashrc").write_text("echo Welcome to the board; printf 'three lines\nin all: '\n")
    with over_ssh(board) as link, Agent.start(link, sys.executable, pyz) as agent:
        assert agent.probe().executable == sys.executable
        assert measure(agent, job(MODELS / "int4.tflite")).runs >= 5


def test_over_ssh_to_a_board_without_python(board: Sshd, pyz: str) -> None:
    with over_ssh(board) as link, Agent.start(link, "python3.99", pyz) as agent:
        with pytest.raises(DeviceError, match=r"there is no `python3\.99` on the board"):
            agent.probe()
        assert not agent.alive


def test_a_broken_ssh_link_ends_the_trial_on_the_board(board: Sshd, pyz: str) -> None:
    running: list[psutil.Process] = []

    def cut(stage: str, _done: float) -> None:
        if stage == "latency" and not running:
            everyone = psutil.Process(board._process.pid).children(recursive=True)
            running.extend(one for one in everyone if pyz in one.cmdline())
            for process in everyone:
                if "sshd" in process.name():
                    process.kill()

    with (
        over_ssh(board) as link,
        Agent.start(link, sys.executable, pyz) as agent,
        pytest.raises(UnreachableError),
    ):
        agent.measure(job(MODELS / "int4.tflite", duration_s=60.0), cut)
    assert len(running) >= 2  # the supervisor and the trial
    assert all(gone(process) for process in running)


def event(name: str, /, **fields: Any) -> bytes:
    return json.dumps({"v": 1, "event": name, **fields}).encode()


def latencies(stage: str, times: list[int], **changes: Any) -> bytes:
    fields = {"start_ns": 0, "end_ns": 10**9, "runs": len(times), **wire.pack_ns(times), **changes}
    return event("latencies", id="t1", stage=stage, **fields)


def outputs(start: int, n: int, *, tensors: int = 1, shape: list[int] | None = None) -> bytes:
    tensor = {"dtype": "|i1", "shape": shape or [n], "data": "AAAA"[: 4 * -(-n // 3)] if n == 3 else "AA=="}
    return event("outputs", id="t1", start=start, n=n, tensors=[tensor] * tensors)


def measured(**changes: Any) -> bytes:
    whole = {
        "load_ms": 1.0, "first_inference_ms": 1, "peak_rss_bytes": 1, "rss_before_load_bytes": 1,
        "runtime": {"name": "litert", "version": "1", "delegate": None, "fell_back": None},
        "inputs": [], "outputs": [],
        "fed": "noise", "executed": None, "profile": None,
    }  # fmt: skip
    return event("measured", id="t1", **whole | changes)


KIND = {"type": "CONV_2D", "precision": "i8", "delegated": True, "role": "compute", "count": 3}
TIMED = {"name": "conv", "type": "Convolution", "precision": None, "ms": 0.5}
TIMES_OF = {"runs": 10, "call_ms": 1.0, "operators_ms": 0.5, "operators": [TIMED]}
MEASURED = measured()
ACTIVE = event("window", id="t1", name="active", start_ns=0, end_ns=10**9)
GOOD = (latencies("invoke", [5, 6]), latencies("end_to_end", [7, 8]), outputs(0, 3), ACTIVE, MEASURED)
EVALUATED = {"samples": "x.npz", "evaluate": True}


def test_a_good_conversation(script: Script) -> None:
    raw = measure(script.says(*GOOD), job("m", **EVALUATED, n_samples=3))
    assert (raw.invoke_ns.tolist(), raw.end_to_end_ns.tolist(), raw.window_ns) == ([5, 6], [7, 8], (0, 10**9))


def test_what_the_runtime_tells_of_its_work(script: Script) -> None:
    last = measured(executed=[KIND], profile={**TIMES_OF, "operators": [TIMED | {"name": "a\x1bb"}]})
    raw = measure(script.says(*TIMES, ACTIVE, last), job("m", profile=True))
    assert raw.executed == (messages.ExecutedOperators(**KIND),)
    assert raw.profile
    assert raw.profile.operators == [messages.TimedOperator(**TIMED | {"name": "a�b"})]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ([MEASURED], "no latencies of invoke"),
        ([GOOD[0], MEASURED], "no latencies of end_to_end"),
        ([GOOD[0], b"Traceback (most recent call last):"], "it says"),
        ([GOOD[0], b'{"v":2,"event":"progress"}'], "it says"),
        ([GOOD[0], event("dance")], "there is no event 'dance'"),
        ([GOOD[0], event("progress", id="t1", stage="load", done=1.5)], "`progress`, done"),
        ([GOOD[0], event("progress", id="t1", stage="load", done=0, extra=1)], "`progress`, extra"),
        ([event("progress", id="t2", stage="load", done=0)], "instead of news of trial t1"),
        ([event("error", error="what?")], "refused a request: what?"),
        ([latencies("invoke", [1], runs=2), latencies("invoke", [1], runs=3)], "impossible edges"),
        ([latencies("invoke", [1], end_ns=0)], "impossible edges"),
        ([latencies("invoke", [1, 2], runs=1)], "more latencies of invoke than calls"),
        ([latencies("invoke", [1, 2], n=1)], "latencies of 5 bytes or more instead of 4"),
        ([latencies("invoke", [1, 2], data="eJw=")], "latencies"),
        ([latencies("invoke", [1, 2], data="!!")], "not base64"),
        ([latencies("invoke", [1, 2], n=10**9)], "`latencies`, n"),
        ([outputs(1, 3)], "out of turn"),
        ([outputs(0, 3, tensors=2)], "2 outputs of sample 0 came out of turn"),
        ([outputs(0, 3), outputs(3, 3)], "outputs of 6 samples came, and there are 3"),
        ([outputs(0, 3, shape=[4])], "3 bytes for an output of shape"),
        ([outputs(0, 3, shape=[2**40, 2**40])], "bytes for an output of shape"),
        ([outputs(0, 3, shape=[1, 3])], "for 3 samples"),
        ([measured(executed=[KIND | {"role": "magic"}])], "`measured`, executed.0.role"),
        ([measured(executed=[KIND | {"count": 0}])], "`measured`, executed.0.count"),
        ([measured(executed=[KIND] * 201)], "`measured`, executed"),
        ([measured(profile={**TIMES_OF, "operators": [TIMED] * 51})], "`measured`, profile.operators"),
        ([measured(profile={**TIMES_OF, "call_ms": -1.0})], "`measured`, profile.call_ms"),
        ([GOOD[0], GOOD[1], ACTIVE, MEASURED], "outputs of 0 samples came instead of 3"),
    ],
)  # fmt: skip
def test_a_board_that_makes_no_sense(script: Script, said: list[bytes], words: str) -> None:
    agent = script.says(*said, then="sys.stdin.read()")
    with pytest.raises(DeviceError) as caught:
        measure(agent, job("m", **EVALUATED, n_samples=3))
    assert words in caught.value.message
    assert "\n" not in caught.value.message
    assert not agents()  # and nobody goes on listening


def window(name: str, start_s: int, end_s: int) -> bytes:
    return event("window", id="t1", name=name, start_ns=start_s * 10**9, end_ns=end_s * 10**9)


SPEC = {"meter": "none"}
SAMPLED = event("sampled", id="t1", summary=None, error=None)
IDLED = (window("idle_before", -0, 0), ACTIVE, window("idle_after", 1, 2))
TIMES = (GOOD[0], GOOD[1])


def test_a_trial_that_idled_and_was_watched(script: Script) -> None:
    raw = measure(script.says(*IDLED, *TIMES, SAMPLED, MEASURED), job("m", idle_s=1.0, meter=SPEC))
    assert raw.windows == {"idle_before": (0, 0), "active": (0, 10**9), "idle_after": (10**9, 2 * 10**9)}
    assert raw.observed
    assert (raw.observed.meter, len(raw.observed.records), raw.observed.polls) == (None, 0, ())


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ([ACTIVE, *TIMES, SAMPLED, MEASURED], "the windows of the trial are"),
        ([*IDLED[:2], *TIMES, SAMPLED, MEASURED], "the windows of the trial are"),
        (
            [IDLED[0], window("active", 0, 2), IDLED[2], *TIMES, SAMPLED, MEASURED],
            "the windows of the trial are",
        ),
        ([*IDLED[:2], window("idle_after", 0, 3), *TIMES, SAMPLED, MEASURED], "the windows of the trial are"),
        ([*IDLED, *TIMES, MEASURED], "the sampler's last word did not come"),
        ([SAMPLED, SAMPLED], "goes on after its last word"),
    ],
)
def test_windows_and_samplers_that_make_no_sense(script: Script, said: list[bytes], words: str) -> None:
    with pytest.raises(DeviceError) as caught:
        measure(script.says(*said, then="sys.stdin.read()"), job("m", idle_s=1.0, meter=SPEC))
    assert words in caught.value.message


@pytest.mark.slow
def test_a_sampler_that_lives_does_not_hide_a_trial_that_hangs(script: Script) -> None:
    poll = event(
        "conditions", id="t1", t_ns=1, frequency_mhz={}, temperature_c={}, throttled_bits=None,
        undervoltage_alarm=None, throttle_alerts={}, cpu_foreign=None,
    )  # fmt: skip
    on_and_on = f"while True: sys.stdout.buffer.write({poll!r} + b'\\n'); sys.stdout.flush(); time.sleep(0.1)"
    with pytest.raises(DeviceError, match="hung in stage `load`"):
        measure(script.says(then=on_and_on), job("m", meter=SPEC, timeout_s=1.0))


def test_outputs_nobody_asked_for(script: Script) -> None:
    with pytest.raises(DeviceError, match="and there are 0"):
        measure(script.says(*GOOD), job("m"))


def test_a_compressed_bomb_is_not_unpacked() -> None:
    packed = wire.pack_ns([0] * wire.LATENCIES_CHUNK * 16)
    bomb = messages.Latencies("t", "invoke", 0, 1, 1, 2, 4, packed["data"])
    with pytest.raises(DeviceError, match="latencies of 9 bytes or more instead of 8"):
        bomb.times_ns()


def test_what_a_board_says_cannot_move_the_cursor(script: Script) -> None:
    failed = event("failed", id="t1", kind="other", error="\x1b[2Jgone\nfor good", detail="", signal=None)
    with pytest.raises(DeviceError) as caught:
        measure(script.says(failed), job("m"))
    assert caught.value.message == "litert: �[2Jgone for good"


@pytest.mark.parametrize(
    ("kind", "error", "signal", "hint"),
    [
        ("died", "the trial died of SIGKILL", "SIGKILL", "dmesg"),
        ("died", "the trial died of SIGILL", "SIGILL", "newer processor"),
        ("memory", "killed by the kernel", "SIGKILL", "too little memory"),
        ("load", "ModuleNotFoundError: No module named 'numpy'", None, "install numpy there"),
        (
            "load",
            "ModuleNotFoundError: No module named 'ai_edge_litert'",
            None,
            "install ai-edge-litert there",
        ),
        ("load", "ImportError: version `GLIBC_2.34' not found", None, "too new for this system"),
        ("load", "AttributeError: _ARRAY_API not found", None, "numpy<2"),
    ],
)
def test_hints_say_what_to_do(script: Script, kind: str, error: str, signal: str | None, hint: str) -> None:
    failed = event("failed", id="t1", kind=kind, error=error, detail="", signal=signal)
    with pytest.raises(DeviceError) as caught:
        measure(script.says(failed), job("m"))
    assert error in caught.value.message
    assert hint in (caught.value.hint or "")


class Replay:
    """A Transport and Process that only plays bytes; for fuzzing, where a process a time is too slow."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def start(self, _argv: list[str]) -> Replay:
        return self

    def write(self, _data: bytes) -> None: ...

    def lines(self, _idle_timeout_s: float, _max_bytes: int) -> Iterator[bytes]:
        yield from self.content.split(b"\n")

    def stderr_tail(self) -> str:
        return ""

    def close(self) -> int:
        return 0


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


def played(content: bytes, use: Callable[[Agent], object]) -> None:
    with contextlib.suppress(DeviceError):
        use(Agent.start(Replay(content), "python3", "agent.pyz"))  # type: ignore[arg-type]


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_garbage_raises_device_errors_only(data: st.DataObject) -> None:
    lines = list(GOOD)
    for _ in range(data.draw(st.integers(1, 4))):
        where = data.draw(st.integers(0, len(lines) - 1))
        match data.draw(st.sampled_from(["drop", "bytes", "field", "bits", "repeat"])):
            case "drop":
                lines[where] = b""
            case "bytes":
                lines[where] = data.draw(st.binary())
            case "repeat":
                lines.insert(where, lines[where])
            case "bits" if lines[where]:
                changed = bytearray(lines[where])
                changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
                lines[where] = bytes(changed)
            case "field":
                with contextlib.suppress(ValueError):
                    message = json.loads(lines[where])
                    if isinstance(message, dict) and message:
                        message[data.draw(st.sampled_from(sorted(message)))] = data.draw(JSON)
                        lines[where] = json.dumps(message).encode()
    content = b"\n".join(lines)
    played(content, lambda agent: measure(agent, job("m", **EVALUATED, n_samples=3)))
    played(content, Agent.probe)


@settings(max_examples=100, deadline=None)
@given(
    name=st.sampled_from(sorted(messages.EVENTS)),
    fields=st.dictionaries(st.text(max_size=8), JSON, max_size=5),
)
def test_made_up_events_raise_device_errors_only(name: str, fields: dict[str, Any]) -> None:
    content = json.dumps({**fields, "v": 1, "event": name}).encode()
    with contextlib.suppress(DeviceError):
        messages.parse(content)


def test_the_boards_clock_lies_between_question_and_answer(link: LocalTransport, pyz: str) -> None:
    with Agent.start(link, sys.executable, pyz) as agent:
        agent.probe()
        asked = [agent.clock() for _ in range(5)]
    for exchange in asked:  # on this machine, the clocks are one
        assert exchange.before_ns < exchange.there_ns < exchange.after_ns


def test_the_boards_clock_over_ssh(board: Sshd, pyz: str) -> None:
    with over_ssh(board) as link, Agent.start(link, sys.executable, pyz) as agent:
        agent.probe()
        first = clocks.closest(agent.clock() for _ in range(10))
        time.sleep(0.2)
        line = clocks.align(first, clocks.closest(agent.clock() for _ in range(10)), "the board's")
    now = np.array([first.middle_ns + 100_000_000])
    off_ns = int(line.there(now)[0] - now[0])  # it is the same machine
    assert abs(off_ns) <= line.bound_ns < 100_000_000


def test_a_clock_that_is_no_clock() -> None:
    for line in (b'{"v":1,"event":"clock","t_ns":-1}', b'{"v":1,"event":"clock","t_ns":"1"}'):
        with pytest.raises(DeviceError, match="makes no sense"):
            messages.parse(line)
