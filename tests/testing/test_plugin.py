"""The pytest plugin as its users have it: a pytest of its own, with options, over real deployments."""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
import threading
import time
import tomllib
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sshd import Sshd

from edgegreen.target import Target
from edgegreen.testing import deployments

REPO = Path(__file__).parent.parent.parent
MODEL = REPO / "tests" / "fixtures" / "models" / "two_in_two_out.tflite"
PLUGIN = "edgegreen.testing.plugin"
Run = Callable[..., "Done"]
HEAVY = {
    "numpy",
    "pydantic",
    "pydantic_core",
    "tensorflow",
    "openvino",
    "paramiko",
    "rich",
    "ruamel",
    "filelock",
}


class Done:
    """A pytest that has ended: its exit code, what it said, and each test's outcome by name."""

    def __init__(self, code: int, out: str, junit: Path) -> None:
        self.code, self.out = code, out
        self.cases = (
            {case.get("name") or "": case for case in ET.parse(junit).iter("testcase")} if code < 2 else {}
        )

    def outcome(self, name: str) -> str:
        (case,) = [case for key, case in self.cases.items() if key.startswith(name)]
        ends = [child.tag for child in case if child.tag in ("failure", "error", "skipped")]
        return ends[0] if ends else "passed"

    def ended(self, outcome: str) -> list[str]:
        return [name.partition("[")[0] for name in self.cases if self.outcome(name) == outcome]

    def properties(self, name: str) -> dict[str, str]:
        (case,) = [case for key, case in self.cases.items() if key.startswith(name)]
        return {one.get("name") or "": one.get("value") or "" for one in case.iter("property")}


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """A folder with a recipe of a small model, accuracy included, and a configuration as strict as ours."""
    folder = tmp_path / "suite"
    folder.mkdir()
    random = np.random.default_rng(1)
    a, b = random.uniform(-1, 1, (20, 4)), random.uniform(-3, 3, (20, 2, 2))
    np.savez(folder / "evaluation.npz", x0=b.astype("f4"), x1=a.astype("f4"), y=a.argmax(axis=1))
    (folder / "score.py").write_text(
        "def largest(outputs, y):\n    return (outputs[1].ravel() == y).mean()\n"
    )
    (folder / "recipe.yaml").write_text(
        f"name: small\nmodel: {MODEL}\n"
        "data: {evaluation: evaluation.npz, metric: {python: score.py:largest}}\n"
        "benchmark: {duration_s: 0.2, warmup_s: 0.05}\n"
    )
    (folder / "pytest.ini").write_text(
        "[pytest]\naddopts = --strict-markers --strict-config\nfilterwarnings = error\n"
    )
    return folder


@pytest.fixture
def pytest_run(suite: Path, tmp_path: Path) -> Run:
    """Run pytest in `suite`, with the plugin however it comes."""
    points = importlib.metadata.entry_points(group="pytest11")
    loaded = [] if any(point.value == PLUGIN for point in points) else ["-p", PLUGIN]

    path = os.pathsep.join([str(REPO), *filter(None, [os.environ.get("PYTHONPATH")])])

    def run(*arguments: str | Path) -> Done:
        junit = tmp_path / "junit.xml"
        command = [sys.executable, "-m", "pytest", *loaded, "-p", "no:cacheprovider", "--junit-xml", junit]
        done = subprocess.run(
            [*map(str, command), *map(str, arguments)], cwd=suite, env=os.environ | {"PYTHONPATH": path},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120, check=False,
        )  # fmt: skip
        return Done(done.returncode, done.stdout, junit)

    return run


def test_it_is_an_entry_point_of_pytest() -> None:
    project = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {"edgegreen": PLUGIN}


def test_importing_it_costs_next_to_nothing() -> None:
    code = (
        "import json, sys, time, pytest\nbefore = set(sys.modules)\ntook = []\n"
        "for _ in range(5):\n"
        "    began = time.perf_counter()\n"
        f"    import {PLUGIN}\n"
        "    took.append(time.perf_counter() - began)\n"
        "    new = set(sys.modules) - before\n"
        "    for name in new: del sys.modules[name]\n"
        "print(json.dumps([min(took), sorted(new)]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPO)
    took_s, modules = json.loads(done.stdout)
    assert PLUGIN in modules
    assert {name.partition(".")[0] for name in modules} & HEAVY == set()
    assert took_s < 0.02


def test_without_options_nothing_is_said_and_tests_of_boards_skip(suite: Path, pytest_run: Run) -> None:
    (suite / "test_it.py").write_text(
        "import sys, pytest\n"
        "def test_plain():\n    assert 'pydantic' not in sys.modules\n"
        "@pytest.mark.eg_budget(latency_p50_ms_max=1)\n"
        "@pytest.mark.eg_target_family('jetson-orin')\n"
        "def test_board(eg_deploy):\n    raise AssertionError\n"
    )
    done = pytest_run("-rs")
    assert (done.code, done.outcome("test_plain"), done.outcome("test_board")) == (0, "passed", "skipped")
    assert "edgegreen targets" not in done.out
    assert "no board is named: --eg-target NAME" in done.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--eg-require-target"], "--eg-require-target: no board is named"),
        (["--eg-target", "lokal"], "no target called `lokal`; did you mean `local`"),
        (["--eg-replay", "absent"], "no such recording"),
    ],
)
def test_what_is_wrong_stops_it_at_once(pytest_run: Run, arguments: list[str], words: str) -> None:
    done = pytest_run(*arguments)
    assert done.code == 4
    assert words in done.out
    assert "Traceback" not in done.out


TESTS = """
import pytest
from edgegreen.testing import eg_check

def test_passes(eg_deploy, eg_target):
    outcome = eg_deploy("recipe.yaml")
    eg_check(outcome, latency_p95_ms_max=1000, size_bytes_max=10_000)
    eg_check(outcome.row("as-shipped"), accuracy_drop_max=0.5)
    assert outcome.row("as-shipped").measurement.target == eg_target.name

def test_misses(eg_deploy):
    eg_check(eg_deploy("recipe.yaml").row("as-shipped"), size_bytes_max=1000, energy_mj_max=5)

@pytest.mark.eg_budget(latency_p50_ms_max=0.0000001)
def test_misses_by_marker(eg_deploy):
    eg_deploy("recipe.yaml")

@pytest.mark.eg_budget(latency=1)
def test_no_such_marked_budget(eg_deploy):
    eg_deploy("recipe.yaml")

@pytest.mark.eg_budget(latency_p50_ms_max=1)
def test_deploys_nothing():
    pass

def test_no_such_budget(eg_deploy):
    with pytest.raises(TypeError, match="no budget `latency_p95`; there are accuracy_drop_max"):
        eg_check(eg_deploy("recipe.yaml"), latency_p95=10)
    with pytest.raises(TypeError, match="budget `size_bytes_max`: "):
        eg_check(eg_deploy("recipe.yaml"), size_bytes_max=-1)

def test_no_such_variant(eg_deploy):
    eg_deploy("recipe.yaml").row("int4")

def test_no_such_recipe(eg_deploy):
    eg_deploy("resipe.yaml")

def test_no_recipe(eg_deploy):
    eg_deploy()

@pytest.mark.eg_target_family("raspberry-pi-5", "jetson-orin")
def test_of_others(eg_deploy):
    raise AssertionError

@pytest.mark.eg_target_family("linux")
def test_of_this(eg_target):
    pass

@pytest.mark.eg_target_family("rasberry-pi-5")
def test_of_none(eg_target):
    pass

@pytest.mark.eg_needs_meter
def test_of_meters(eg_target):
    raise AssertionError

@pytest.mark.eg_needs_board
def test_again(eg_deploy):
    assert not eg_deploy("recipe.yaml", anew=True).sent_anything
"""


@pytest.mark.slow
def test_a_board_is_deployed_to_once_and_budgets_fail_with_words(
    suite: Path, pytest_run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    (suite / "test_it.py").write_text(TESTS)
    done = pytest_run("--eg-target", "local", "--eg-artifacts", "kept")
    assert done.code == 1
    assert "edgegreen targets: local\n" in done.out
    ends = {name.partition("[")[0].removeprefix("test_"): done.outcome(name) for name in done.cases}
    failing = {name for name, end in ends.items() if end == "failure"}
    assert failing == {
        "misses", "misses_by_marker", "no_such_marked_budget", "deploys_nothing",
        "no_such_variant", "no_such_recipe", "no_recipe",
    }  # fmt: skip
    assert {name for name, end in ends.items() if end == "skipped"} == {"of_others", "of_meters"}
    assert [name for name, end in ends.items() if end == "error"] == ["of_none"]  # before it began
    for words in (
        "! local · as-shipped: size 1,584 bytes > 1,000 bytes",
        "! local · as-shipped: energy was not measured, and the budget wants ≤ 5 mJ",
        "! local · as-shipped: p50 0.000",
        "eg_budget: the test has deployed nothing",
        "eg_budget: there is no budget `latency`; there are accuracy_drop_max",
        "0 rows of `int4`. rows: as-shipped",
        "resipe.yaml",
        "no recipe: eg_deploy(recipe), --eg-recipe FILE or ini `eg_recipe`",
        "there is no `rasberry-pi-5`; there are linux",
        "local is a linux; for raspberry-pi-5, jetson-orin only",
        "local has no power meter",
    ):
        assert (
            words
            in done.out
            + ET.tostring(done.cases["test_of_others[local]"]).decode()
            + ET.tostring(done.cases["test_of_meters[local]"]).decode()
        ), words
    told = done.properties("test_passes")
    assert float(told["local · as-shipped · largest"]) >= 0.9
    assert float(told["local · as-shipped · p50_ms"]) > 0
    assert told["local · as-shipped · verdict"] in ("valid", "invalid")
    runs = sorted((suite / "kept").glob("small@local-*.json"))
    assert len(runs) == 2  # one for all tests, one that was asked for anew
    assert json.loads(runs[0].read_text())["results"][0]["variant"] == "as-shipped"
    assert "local: sending\n" in runs[0].with_suffix(".log").read_text()
    assert "tracking: not sent to MLflow: " in runs[0].with_suffix(".log").read_text()
    assert "as-shipped" in runs[1].with_suffix(".log").read_text().partition("p50 ms")[2]


@pytest.mark.slow
def test_workers_share_what_was_deployed(suite: Path, pytest_run: Run) -> None:
    (suite / "pytest.ini").write_text("[pytest]\neg_targets = local\neg_recipe = recipe.yaml\n")
    (suite / "test_it.py").write_text(
        "import pytest\n"
        "@pytest.mark.parametrize('number', range(4))\n"
        "def test_row(eg_deploy, number):\n    assert eg_deploy().rows\n"
    )
    done = pytest_run("-n", "2", "--eg-artifacts", "kept")
    assert done.code == 0, done.out
    assert "2 workers" in done.out
    assert len(done.cases) == 4
    assert len(list((suite / "kept").glob("*.json"))) == 1


def test_one_board_is_used_by_one_at_a_time_whatever_it_is_called(suite: Path) -> None:
    code = (
        "import sys, time\nfrom edgegreen.target import Target\nfrom edgegreen.testing import deployments\n"
        "with deployments.alone_on(Target(host='pi5.local').called('kitchen')):\n"
        "    print('mine', flush=True)\n    sys.stdin.read()\n"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=REPO
    )
    assert other.stdin
    assert other.stdout
    try:
        assert other.stdout.readline() == b"mine\n"
        with deployments.alone_on(Target(host="pi4.local").called("kitchen")):
            pass  # another board of the same name
        began_s = time.monotonic()
        threading.Timer(0.3, other.stdin.close).start()
        with deployments.alone_on(Target(host="pi5.local").called("bench")):
            assert time.monotonic() - began_s >= 0.3
        assert other.wait(5) == 0
    finally:
        other.kill()
        other.wait()
        other.stdout.close()


@pytest.mark.slow
def test_the_tests_to_copy_pass_on_a_board_over_ssh_and_on_its_recording(
    sshd: Sshd, suite: Path, pytest_run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = suite / "user"
    (user / ".ssh").mkdir(parents=True)
    (user / ".ssh" / "config").write_text(sshd.config.read_text())
    monkeypatch.setenv("HOME", str(user))
    (suite / "bench.yaml").write_text(
        f"host: 127.0.0.1\nport: {sshd.port}\nuser: {sshd.user}\nidentity_file: {sshd.identity}\n"
        f"python: {sys.executable}\nroot: {suite}/root\n"
    )
    copied = suite / "test_board.py"
    text = (REPO / "device_tests" / "test_board.py").read_text()
    copied.write_text(text.replace("REPEATS_WITHIN = 0.10", "REPEATS_WITHIN = 5.0"))  # this is no quiet board
    common = [copied, "--eg-recipe", "recipe.yaml"]
    done = pytest_run(*common, "--eg-target", "bench.yaml", "--eg-record", "recorded")
    assert done.code == 0, done.out
    assert "edgegreen targets: bench\n" in done.out
    assert done.ended("skipped") == ["test_a_board_with_a_meter_has_energy"]
    assert len(done.ended("passed")) == 7

    again = pytest_run(*common, "--eg-replay", "recorded")
    assert again.code == 0, again.out
    assert "edgegreen targets: replay:bench\n" in again.out
    assert len(again.ended("passed")) == 5
    measured, replayed = (run.properties("test_the_board_says") for run in (done, again))
    note = replayed.pop("replay:bench · as-shipped · replayed")
    assert note.startswith("replayed from a recording of bench of ")
    assert {name.removeprefix("replay:"): value for name, value in replayed.items()} == measured
