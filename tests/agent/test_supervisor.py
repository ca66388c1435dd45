from __future__ import annotations

import os
import resource
import signal
import sys
import time
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from threading import Timer

import psutil
import pytest

from agent.talk import Talk, fake_litert, gone, job
from edgegreen.agent import sampler, system, wire
from edgegreen.agent.lock import BoardLock
from edgegreen.agent.supervisor import Supervisor, TrialProcess
from edgegreen.agent.wire import Job

LONG = {"duration_s": 60.0}


def test_probe_tells_of_this_machine(talk: Talk) -> None:
    talk.send({"verb": "probe"})
    (facts,) = talk.answer()
    assert facts["executable"] == sys.executable
    assert {"litert", "openvino"} <= set(facts["runtimes"])


def test_clock_is_the_one_that_windows_are_stamped_with(talk: Talk) -> None:
    before_ns = time.monotonic_ns()
    talk.send({"verb": "clock"})
    (told,) = talk.answer()
    assert told["event"] == "clock"
    assert before_ns < told["t_ns"] < time.monotonic_ns()


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (b"hello", "not JSON"),
        (b'{"v":2,"verb":"probe"}', "version 1"),
        ({"verb": "dance"}, "no such request: 'dance'"),
        ({"verb": "measure", "id": "t1", "job": {}}, "a job has"),
        ({"verb": "measure", "id": 7, "job": job("m")}, "no such request"),
        ({"verb": "measure", "id": "t1", "job": job("m", threads=0)}, "threads is 0"),
    ],
)
def test_a_request_not_understood_costs_nothing(talk: Talk, request_: dict, words: str) -> None:
    talk.send(request_)
    (answer,) = talk.answer()
    assert answer["event"] == "error"
    assert words in answer["error"]
    talk.send({"verb": "probe"})
    assert talk.answer()[-1]["event"] == "probed"


def test_a_chatty_runtime_does_not_corrupt_the_stream(pyz: Path, tmp_path: Path) -> None:
    noise = "os.write(1, b'lib '); print('py', flush=True); subprocess.run(['/bin/echo', 'child'])"
    with Talk(pyz, env=fake_litert(tmp_path, load=noise, invoke="os.write(1, b'\\n{ ')")) as talk:
        talk.send({"verb": "measure", "id": "t1", "job": job(__file__)})
        heard = talk.answer()
    assert heard[-1]["event"] == "measured"
    assert {event["id"] for event in heard} == {"t1"}


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL, signal.SIGABRT])
def test_a_killed_trial_is_reported_and_the_next_one_runs(
    pyz: Path, tmp_path: Path, models: Path, number: signal.Signals
) -> None:
    with Talk(pyz, env=fake_litert(tmp_path)) as talk:
        talk.send({"verb": "measure", "id": "t1", "job": job(__file__, **LONG)})
        talk.until("latency")
        talk.trial().send_signal(number)
        *_, last = talk.answer()
        assert (last["event"], last["id"], last["kind"], last["signal"]) == (
            "failed",
            "t1",
            "died",
            number.name,
        )
        assert last["error"] == f"the trial died of {number.name} in stage `latency`"
        if number == signal.SIGSEGV:
            assert "Segmentation fault" in last["detail"]  # faulthandler says where
            assert "trial.py" in last["detail"]
        assert talk.ask(job(__file__), "t2")["event"] == "measured"


def test_a_real_crash_inside_the_runtime(pyz: Path, tmp_path: Path) -> None:
    with Talk(pyz, env=fake_litert(tmp_path, load="ctypes.string_at(0)")) as talk:
        last = talk.ask(job(__file__))
    assert (last["kind"], last["signal"]) == ("died", "SIGSEGV")
    assert "in stage `load`" in last["error"]
    assert "string_at" in last["detail"]


def test_a_trial_that_exits_without_a_word(pyz: Path, tmp_path: Path) -> None:
    env = fake_litert(tmp_path, load="sys.stderr.write('cannot open shared object\\n'); os._exit(3)")
    with Talk(pyz, env=env) as talk:
        last = talk.ask(job(__file__))
    assert (last["kind"], last["signal"]) == ("died", None)
    assert "ended with exit code 3" in last["error"]
    assert "cannot open shared object" in last["detail"]


def test_helpers_a_runtime_leaves_behind_are_ended(pyz: Path, tmp_path: Path) -> None:
    helper = f"subprocess.Popen(['/bin/sleep', '600'], cwd={str(tmp_path)!r})"
    with Talk(pyz, env=fake_litert(tmp_path, load=helper + "; os._exit(1)")) as talk:
        start = time.monotonic()
        assert talk.ask(job(__file__))["kind"] == "died"
        assert time.monotonic() - start < 10
    sleepers = [one for one in psutil.process_iter(["name", "cwd"]) if one.info["cwd"] == str(tmp_path)]
    assert all(gone(one) for one in sleepers)


def limit_memory() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))


@pytest.mark.parametrize(
    "greed",
    [
        "self.hoard = np.ones(1 << 32)",
        "sys.stderr.write('terminate called: std::bad_alloc\\n'); sys.stderr.flush(); os.abort()",
    ],
    ids=["python", "c++"],
)
def test_a_trial_out_of_memory_says_so(pyz: Path, tmp_path: Path, greed: str) -> None:
    with Talk(pyz, env=fake_litert(tmp_path, load=greed), preexec=limit_memory) as talk:
        last = talk.ask(job(__file__))
        assert (last["event"], last["kind"]) == ("failed", "memory")
        assert "out of memory" in last["error"]
        talk.send({"verb": "probe"})
        assert talk.answer()[-1]["event"] == "probed"


def test_killed_by_the_kernel_for_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    trial = TrialProcess(Supervisor([], sys.stdout.buffer), "t1", Job.parse(job("model.tflite")))
    monkeypatch.setattr(system, "oom_kills", lambda: 4)
    assert trial.obituary(-9, 3) == {
        "kind": "memory",
        "error": "the trial was killed by the kernel: out of memory in stage `load`",
        "detail": "",
        "signal": "SIGKILL",
    }
    assert trial.obituary(-9, 4)["kind"] == "died"
    assert trial.obituary(-9, None)["kind"] == "died"  # a kernel that does not count
    assert trial.obituary(-11, 3)["kind"] == "died"


@pytest.mark.parametrize("end", ["stdin", "SIGTERM", "SIGHUP", "SIGINT", "SIGKILL"])
def test_no_trial_outlives_the_agent(pyz: Path, tmp_path: Path, end: str) -> None:
    if end == "SIGKILL" and sys.platform != "linux":
        pytest.skip("only Linux ends the child of a killed process")
    with Talk(pyz, env=fake_litert(tmp_path)) as talk:
        talk.send({"verb": "measure", "id": "t1", "job": job(__file__, **LONG)})
        talk.until("latency")
        trial = talk.trial()
        if end == "stdin":
            assert talk.process.stdin
            talk.process.stdin.close()
        else:
            os.kill(talk.process.pid, signal.Signals[end])
        talk.process.wait(5)
        assert gone(trial)
        assert talk.process.stderr
        assert talk.process.stderr.read() == b""


def test_no_trial_outlives_a_host_that_reads_no_more(pyz: Path, tmp_path: Path) -> None:
    with Talk(pyz, env=fake_litert(tmp_path)) as talk:
        talk.send({"verb": "measure", "id": "t1", "job": job(__file__, **LONG)})
        talk.until("latency")
        trial = talk.trial()
        assert talk.process.stdout
        talk.process.stdout.close()
        talk.process.wait(5)
        assert gone(trial)


@pytest.mark.slow
def test_an_agent_that_holds_the_board_does_not_outlive_a_silent_host(pyz: Path, tmp_path: Path) -> None:
    impatient = tmp_path / "impatient.py"
    impatient.write_text(
        f"import sys\nsys.path.insert(0, {str(pyz)!r})\nfrom edgegreen_agent import supervisor, wire\n"
        f"wire.HOST_SILENCE_S = 1.0\nsupervisor.main({str(pyz)!r})\n"
    )
    env = fake_litert(tmp_path) | {"EDGEGREEN_LOCK": str(tmp_path / "lock")}
    with Talk(impatient, env=env) as talk:
        time.sleep(1.5)  # nobody waits for a board that is not held
        talk.send({"verb": "hold", "owner": "ann@desk"})
        assert talk.answer()[-1]["holder"] is None
        talk.send({"verb": "measure", "id": "t1", "job": job(__file__, **LONG)})
        talk.until("latency")
        trial = talk.trial()
        for _ in range(5):
            time.sleep(0.4)
            talk.send(wire.STAY.rstrip())
        assert talk.process.poll() is None
        talk.process.wait(5)
        assert gone(trial)
        assert talk.process.stderr
        assert talk.process.stderr.read() == b"nothing was heard of the host for 1 s\n"


@pytest.mark.slow
def test_a_silent_trial_is_heard_of_all_the_same(pyz: Path, tmp_path: Path) -> None:
    # Sleeping in C with Python's lock held: no thread of the trial's own could say a word.
    with Talk(pyz, env=fake_litert(tmp_path, load="ctypes.PyDLL(None).sleep(4)")) as talk:
        talk.send({"verb": "measure", "id": "t1", "job": job(__file__)})
        times = [time.monotonic()]
        for event in talk.events():
            times.append(time.monotonic())
            if event["stage"] != "load":
                break
    assert times[-1] - times[0] > 3.9
    assert max(later - earlier for earlier, later in pairwise(times)) < 2.0


CHIP = "sys/class/hwmon/hwmon0"


def metered(folder: Path, **spec: object) -> dict[str, object]:
    """What a sampler is to do with the INA226 of a fake board in `folder`."""
    (folder / CHIP).mkdir(parents=True)
    for name, content in {"name": "ina226", "power1_input": "3500000", "update_interval": "1"}.items():
        (folder / CHIP / name).write_text(content + "\n")
    return {"root": str(folder), "meter": "hwmon", "period_s": 0.02, **spec}


def test_the_record_begins_before_the_first_window_and_ends_after_the_last(
    pyz: Path, tmp_path: Path, models: Path
) -> None:
    asked = job(models / "int4.tflite", idle_s=1.2, duration_s=0.3, meter=metered(tmp_path))
    with Talk(pyz) as talk:
        talk.send({"verb": "measure", "id": "t1", "job": asked})
        heard = talk.answer()
    assert heard[-1]["event"] == "measured"
    assert {event["id"] for event in heard} == {"t1"}
    names = [event["event"] for event in heard]
    assert names[:2] == ["snapshot", "meter"]  # nothing of the trial before the sampler is at work
    assert names[-3:] == ["snapshot", "sampled", "measured"]
    windows = [event for event in heard if event["event"] == "window"]
    assert [window["name"] for window in windows] == ["idle_before", "active", "idle_after"]
    edges = [edge for window in windows for edge in (window["start_ns"], window["end_ns"])]
    assert edges == sorted(edges)
    latencies = next(event for event in heard if event["event"] == "latencies")
    assert (latencies["start_ns"], latencies["end_ns"]) == tuple(edges[2:4])
    for start, end in (edges[:2], edges[4:]):
        assert 1.2 <= (end - start) / 1e9 < 2.5
    records = [
        record
        for event in heard
        if event["event"] == "power"
        for record in sampler.unpack(event["n"], event["data"])
    ]
    assert records[0].t_ns < edges[0]
    assert records[-1].t_ns > edges[-1]
    assert {record.value for record in records} == {3.5}
    assert len(records) == heard[-2]["summary"]["n"]
    # News of the idle time, so that no host takes it for hung.
    idle = [event["done"] for event in heard if event.get("stage") == "idle"]
    assert sum(0 < done < 1 for done in idle) >= 2  # in either idle time
    assert idle.count(1.0) >= 2


@pytest.mark.slow
def test_without_a_meter_the_board_is_watched(pyz: Path, models: Path) -> None:
    with Talk(pyz) as talk:
        asked = job(models / "int4.tflite", duration_s=1.5, meter={"meter": "none"})
        talk.send({"verb": "measure", "id": "t1", "job": asked})
        heard = talk.answer()
    names = [event["event"] for event in heard]
    assert names.count("snapshot") == 2
    assert "conditions" in names
    assert "power" not in names
    assert [event["name"] for event in heard if event["event"] == "window"] == ["active"]
    (sampled,) = (event for event in heard if event["event"] == "sampled")
    assert (sampled["summary"], sampled["error"]) == (None, None)


@pytest.mark.parametrize(
    ("spec", "words"),
    [({"speed": 3}, "unexpected keyword argument 'speed'"), ({"scope": "everything"}, "no scope is called")],
)
def test_a_sampler_that_cannot_begin_costs_its_figures_only(
    pyz: Path, tmp_path: Path, models: Path, spec: dict[str, object], words: str
) -> None:
    with Talk(pyz) as talk:
        asked = job(models / "int4.tflite", meter=metered(tmp_path, **spec))
        talk.send({"verb": "measure", "id": "t1", "job": asked})
        heard = talk.answer()
    assert heard[-1]["event"] == "measured"
    (sampled,) = (event for event in heard if event["event"] == "sampled")
    assert words in sampled["error"]


def test_a_sampler_that_dies_costs_its_figures_only(pyz: Path, tmp_path: Path) -> None:
    with Talk(pyz, env=fake_litert(tmp_path)) as talk:
        asked = job(__file__, duration_s=2.0, meter=metered(tmp_path / "board"))
        talk.send({"verb": "measure", "id": "t1", "job": asked})
        talk.until("latency")
        helper(talk, "sampler").kill()
        *heard, last = talk.answer()
    assert last["event"] == "measured"
    (sampled,) = (event for event in heard if event["event"] == "sampled")
    assert sampled["error"] == "the power sampler ended early: exit code -9"


def helper(talk: Talk, role: str) -> psutil.Process:
    children = psutil.Process(talk.process.pid).children()
    (found,) = (child for child in children if role in child.cmdline())
    return found


def test_a_failed_trial_takes_its_sampler_along(pyz: Path, tmp_path: Path) -> None:
    with Talk(pyz, env=fake_litert(tmp_path)) as talk:
        talk.send(
            {"verb": "measure", "id": "t1", "job": job(__file__, **LONG, meter=metered(tmp_path / "b"))}
        )
        talk.until("latency")
        sampling, trial = helper(talk, "sampler"), helper(talk, "trial")
        scores = [Path(f"/proc/{one.pid}/oom_score_adj").read_text() for one in (trial, sampling)]
        assert int(scores[0]) == 1000 > int(scores[1])  # short of memory, the kernel ends the trial, not us
        trial.kill()
        assert talk.answer()[-1]["kind"] == "died"
        assert gone(sampling)
        assert talk.ask(job(__file__), "t2")["event"] == "measured"


@pytest.mark.parametrize("end", ["stdin", "SIGTERM", "SIGKILL"])
def test_no_sampler_outlives_the_agent(pyz: Path, tmp_path: Path, end: str) -> None:
    with Talk(pyz, env=fake_litert(tmp_path)) as talk:
        asked = job(__file__, **LONG, idle_s=60.0, meter=metered(tmp_path / "board"))
        talk.send({"verb": "measure", "id": "t1", "job": asked})
        talk.until("idle")
        processes = [helper(talk, "sampler"), helper(talk, "trial")]
        if end == "stdin":
            assert talk.process.stdin
            talk.process.stdin.close()
        else:
            os.kill(talk.process.pid, signal.Signals[end])
        talk.process.wait(5)
        assert all(gone(process) for process in processes)


def test_requests_may_be_queued(talk: Talk, models: Path) -> None:
    for id_ in ("a", "b"):
        talk.send({"verb": "measure", "id": id_, "job": job(models / "int4.tflite")})
    assert [talk.answer()[-1]["id"], talk.answer()[-1]["id"]] == ["a", "b"]


class TestCooling:
    """A trial that begins when its board is cool enough."""

    @pytest.fixture
    def zone(self, tmp_path: Path) -> Path:
        folder = tmp_path / "root" / "sys" / "class" / "thermal" / "thermal_zone0"
        folder.mkdir(parents=True)
        (folder / "type").write_text("cpu-thermal\n")
        (folder / "temp").write_text("61000\n")
        return folder / "temp"

    def ask(self, talk: Talk, models: Path, zone: Path, timeout_s: float = 60) -> float:
        spec = asdict(sampler.Spec(root=str(zone.parents[4]), meter=sampler.NO_METER))
        start_s = time.monotonic()
        wanted = job(models / "int4.tflite", meter=spec, cool_to_c=50, cool_timeout_s=timeout_s)
        talk.send({"verb": "measure", "id": "t1", "job": wanted})
        return start_s

    def test_waits_until_it_is(self, talk: Talk, models: Path, zone: Path) -> None:
        start_s = self.ask(talk, models, zone)
        Timer(1.2, lambda: zone.write_text("49000\n")).start()
        events = talk.answer()
        assert events[-1]["event"] == "measured"
        assert 1.2 <= time.monotonic() - start_s < 20
        assert events[0]["event"] == "progress"
        assert events[0]["stage"] == "cooling"
        (before,) = (one for one in events if one["event"] == "snapshot" and one["when"] == "before")
        assert before["temperature_c"] == {"cpu-thermal": 49.0}

    def test_but_not_for_ever(self, talk: Talk, models: Path, zone: Path) -> None:
        self.ask(talk, models, zone, 1.0)
        assert talk.answer()[-1]["event"] == "measured"

    def test_nor_where_no_temperature_is_told(self, talk: Talk, models: Path, zone: Path) -> None:
        zone.unlink()
        start_s = self.ask(talk, models, zone)
        assert talk.answer()[-1]["event"] == "measured"
        assert time.monotonic() - start_s < 30


def test_a_board_is_held_until_the_agent_ends(pyz: Path) -> None:
    other = BoardLock()
    with Talk(pyz) as talk:
        talk.send({"verb": "hold", "owner": "alice@laptop"})
        said = talk.answer()[-1]
        assert said == {"v": 1, "event": "holding", "holder": None, "age_s": None, "without": None}
        assert other.take("bob")["holder"] == "alice@laptop"
    assert other.take("bob")["holder"] is None
