"""Boards of a lab, leased: labgrid's coordinator and exporters, OpenSSH servers, whole runs in processes of their own."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
import waiting

from cli.harness import Done
from lab import labs
from lab.labs import Lab

pytestmark = pytest.mark.slow
RECIPE = {
    "variants": "{fp32: {format: tflite, precision: fp32}}",
    "data": "",
    "benchmark": "{duration_s: 0.3, min_runs: 5, warmup_s: 0.1, min_warmup_runs: 2}",
}
LONG = RECIPE | {"benchmark": "{duration_s: 60, warmup_s: 0.1}"}
JETSON = "labgrid:board=jetson"


@pytest.fixture(scope="module")
def whole(openssh: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with labs.running(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


@pytest.fixture
def lab(whole: Lab) -> Iterator[Lab]:
    """The lab that all tests share; each has to leave it free."""
    yield whole
    whole.switched.clear()
    assert whole.is_free()


def targets(run: Done) -> set[str]:
    return {row["target"] for row in run.json["results"]}


def test_three_contenders_for_two_boards(lab: Lab) -> None:
    recipe = lab.shell.recipe(**RECIPE | {"benchmark": "{duration_s: 3, warmup_s: 0.1}"})
    lab.shell.run("convert", recipe)
    with ExitStack() as stack:
        going = [
            stack.enter_context(lab.shell.start("deploy", recipe, "-t", JETSON, "--json", "-"))
            for _ in range(3)
        ]
        runs = [one.end() for one in going]

    assert [run.code for run in runs] == [0, 0, 0], runs
    assert set.union(*map(targets, runs)) == set(labs.BOARDS)
    waited = [run for run in runs if "waiting for a board" in run.err]
    assert len(waited) == 1
    assert re.search(r"1st in the queue, jetson_1 held by \w+@\S+ for \d+ s, jetson_2 held by ", waited[0].err)
    place = waited[0].json["results"][0]["conditions"]["place"]
    assert place["name"] in labs.BOARDS
    assert place["tags"]["board"] == "jetson"
    assert place["coordinator"] == lab.address
