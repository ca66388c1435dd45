"""What has to hold on every board, whatever is deployed to it. Copy the folder, add what yours has to do.

    pytest device_tests --eg-target pi5 --eg-target jetson --eg-recipe recipe.yaml

Without a board everything skips. README.md has the rest.
"""

from __future__ import annotations

import itertools
import time
from pathlib import Path

import pytest

from edgegreen import bundle, transport
from edgegreen.client import Agent
from edgegreen.deployment import deploy
from edgegreen.home import home
from edgegreen.target import Target
from edgegreen.testing import eg_check
from edgegreen.testing.plugin import EgDeploy

RECIPE = Path(__file__).parent.parent / "recipes" / "digits.yaml"
"""What is deployed where neither --eg-recipe nor the ini file names a recipe."""
REPEATS_WITHIN = 0.10  # of the median, where two intervals alone are narrower than two runs are alike


@pytest.fixture(scope="session")
def eg_recipe(eg_recipe: Path | None) -> Path:
    """What `eg_deploy()` deploys."""
    return eg_recipe or RECIPE


def test_the_board_says_what_it_is(eg_deploy: EgDeploy) -> None:
    for row in eg_deploy().rows:
        board = row.measurement.conditions["board"]
        assert board["cpu_count"] >= 1
        assert board["machine"]
        assert row.measurement.runtime.name in board["runtimes"]


def test_every_variant_runs_and_keeps_to_the_recipes_budgets(eg_deploy: EgDeploy) -> None:
    eg_check(eg_deploy())


def test_accuracy_is_measured_on_the_device(eg_deploy: EgDeploy) -> None:
    outcome = eg_deploy()
    found = [row.measurement.accuracy for row in outcome.rows]
    if not any(found):
        pytest.skip("the recipe names no evaluation data")
    assert all(accuracy is not None and accuracy.n > 0 for accuracy in found), [
        reason for row in outcome.rows for reason in row.measurement.reasons
    ]


def test_every_latency_has_its_interval(eg_deploy: EgDeploy) -> None:
    for row in eg_deploy().rows:
        latency = row.measurement.latency_ms
        low, high = latency.ci95
        assert 0 < latency.min <= low <= latency.p50 <= high <= latency.max
        assert latency.p50 <= latency.p95 <= latency.p99


def test_energy_is_there_or_the_reason_why_not(eg_deploy: EgDeploy) -> None:
    for row in eg_deploy().rows:
        assert (row.measurement.energy is None) == bool(row.measurement.energy_absent)


@pytest.mark.eg_needs_meter
def test_a_board_with_a_meter_has_energy(eg_deploy: EgDeploy) -> None:
    for row in eg_deploy().rows:
        item = row.measurement
        assert item.energy is not None, item.energy_absent
        assert item.power is not None
        low, high = item.energy.ci95_mj
        assert low <= item.energy.per_inference_mj <= high
        assert item.power.active_w > 0
        assert item.power.n > 1


@pytest.mark.eg_needs_board
def test_a_second_deploy_sends_nothing_and_measures_the_same(eg_deploy: EgDeploy) -> None:
    first = eg_deploy()
    again = eg_deploy(anew=True)
    assert not again.sent_anything
    for one, other in itertools.product(first.rows, again.rows):
        a, b = one.measurement, other.measurement
        same = (a.variant, a.threads, a.runtime) == (b.variant, b.threads, b.runtime)
        if not same or "invalid" in (a.verdict, b.verdict):
            continue  # a reading that says itself that it is not to be trusted need not come again
        assert a.artifact.sha256 == b.artifact.sha256
        assert a.accuracy == b.accuracy
        reach = sum(each.latency_ms.ci95[1] - each.latency_ms.ci95[0] for each in (a, b))
        allowed = max(reach, REPEATS_WITHIN * a.latency_ms.p50)
        assert b.latency_ms.p50 == pytest.approx(a.latency_ms.p50, abs=allowed), a.variant


@pytest.mark.eg_needs_board
def test_the_agent_ends_with_the_link(eg_target: Target, eg_deploy: EgDeploy) -> None:
    eg_deploy()  # whatever the board needs is there
    packed = bundle.pack(home() / "cache")
    with transport.connect(eg_target) as link:
        placed = deploy(link, eg_target.folder, [packed])
        name = placed.agent.removeprefix("~/")  # others may have the same agent elsewhere on this board
        with Agent.start(link, eg_target.interpreter, placed.agent) as agent:
            agent.probe()
            assert running(eg_target, name)
            link.close()  # as when the cable is pulled
            deadline_s = time.monotonic() + 30
            while running(eg_target, name):
                assert time.monotonic() < deadline_s, "the agent outlives its link"
                time.sleep(0.5)


def running(target: Target, name: str) -> bool:
    """Whether a process on the board has `name` in its command line."""
    # The brackets keep the pattern from finding the shell that looks for it.
    command = f"grep -al '[{name[0]}]{name[1:]}' /proc/[0-9]*/cmdline 2>/dev/null | grep -c ."
    with transport.connect(target) as link:
        return int(link.run(command).stdout) > 0
