"""The pytest plugin (entry point `pytest11`): options, markers and fixtures, all called `eg…`.

It is imported by every pytest run where edgegreen is installed, so nothing here imports more than pytest
does, and without options nothing is said or done: tests that want a board skip.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from edgegreen.testing import settings
from edgegreen.testing.outcome import Outcome
from edgegreen.testing.settings import MARKERS, NO_TARGET, Settings

if TYPE_CHECKING:
    from edgegreen.target import Target
    from edgegreen.testing.deployments import Deployments

EgDeploy = Callable[..., Outcome]
"""What the fixture `eg_deploy` is."""
SETTINGS = pytest.StashKey[Settings]()
TARGETS = pytest.StashKey[dict[str, Any]]()
RUNNING = pytest.StashKey[pytest.Item]()
OUTCOMES = pytest.StashKey[list[Outcome]]()
BOARD = "eg_target"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options."""
    settings.add(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Declare the markers, and find the boards at once: a name that is wrong should not cost a test run."""
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)
    found = config.stash[SETTINGS] = settings.of(config)
    config.stash[TARGETS] = {spec: _find(spec) for spec in found.targets}


def _find(spec: str) -> Target:
    from edgegreen import fleet
    from edgegreen.errors import EdgegreenError

    try:
        return fleet.find(spec)
    except EdgegreenError as error:
        raise pytest.UsageError(f"--eg-target {spec}: {error}") from None


def pytest_report_header(config: pytest.Config) -> str | None:
    """Say which boards tests run on, where anybody asked."""
    if not config.stash[SETTINGS].in_use:
        return None
    named = ", ".join(target.name for target in config.stash[TARGETS].values())
    return f"edgegreen targets: {named or 'none (hardware tests skip)'}"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test once for each board."""
    if BOARD in metafunc.fixturenames:
        targets = metafunc.config.stash[TARGETS]
        names = [target.name for target in targets.values()] or ["no-target"]
        metafunc.parametrize(BOARD, list(targets) or [None], ids=names, indirect=True, scope="session")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: Sequence[pytest.Item]) -> None:
    """With `--dist loadgroup`, xdist keeps a board's tests in one worker."""
    if config.pluginmanager.hasplugin("xdist"):
        for item in items:
            if spec := _spec(item):
                item.add_marker(pytest.mark.xdist_group(f"edgegreen {spec}"))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what this board is not for."""
    item.config.stash[RUNNING] = item
    item.stash[OUTCOMES] = []
    target = item.config.stash[TARGETS].get(_spec(item) or "")
    if target is None:
        return
    families = [family for mark in item.iter_markers("eg_target_family") for family in mark.args]
    _check_families(item, families)
    if families and target.family not in families:
        pytest.skip(f"{target.name} is a {target.family}; for {', '.join(families)} only")
    if item.get_closest_marker("eg_needs_meter") and not target.is_metered:
        pytest.skip(f"{target.name} has no power meter (`power:` in the target)")
    if item.get_closest_marker("eg_needs_board") and target.recording:
        pytest.skip(f"{target.name} is a recording, not a board")


def _check_families(item: pytest.Item, families: Sequence[str]) -> None:
    from edgegreen.target import FAMILIES

    for family in families:
        if family not in FAMILIES:
            pytest.fail(
                f"{item.nodeid}: eg_target_family: there is no `{family}`; there are {', '.join(FAMILIES)}",
                pytrace=False,
            )


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Check the marker's budgets as part of the test, so that a miss is a failure of it and no error."""
    result = yield
    if pyfuncitem.get_closest_marker("eg_budget"):
        _check_budgets(pyfuncitem)
    return result


def _check_budgets(item: pytest.Item) -> None:
    """Those of a test win over those of its class and module."""
    from edgegreen.testing.checks import shortfalls

    outcomes = item.stash[OUTCOMES]
    if not outcomes:
        pytest.fail("eg_budget: the test has deployed nothing, so no budget was kept", pytrace=False)
    budgets: dict[str, Any] = {}
    for mark in item.iter_markers("eg_budget"):
        budgets = {**mark.kwargs, **budgets}
    try:
        said = dict.fromkeys(line for outcome in outcomes for line in shortfalls(outcome, **budgets))
    except TypeError as error:
        pytest.fail(f"eg_budget: {error}", pytrace=False)
    if said:
        pytest.fail("\n".join(said), pytrace=False)


@pytest.fixture(scope="session")
def eg_target(request: pytest.FixtureRequest) -> Target:
    """The board: each that is named, in turn. Skips without one."""
    spec = getattr(request, "param", None)
    if spec is None:
        pytest.skip(NO_TARGET)
    target: Target = request.config.stash[TARGETS][spec]
    return target


@pytest.fixture(scope="session")
def eg_recipe(request: pytest.FixtureRequest) -> Path | None:
    """The recipe that `eg_deploy()` deploys: --eg-recipe, or ini `eg_recipe`. To be overridden."""
    return request.config.stash[SETTINGS].recipe


@pytest.fixture(scope="session")
def eg_deployments(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Deployments:
    """What was deployed so far, in all of xdist's workers."""
    from edgegreen.testing.deployments import Deployments

    base = tmp_path_factory.getbasetemp()
    shared = base.parent if hasattr(request.config, "workerinput") else base
    found = request.config.stash[SETTINGS]
    return Deployments(shared, found.artifacts, found.record_to)


@pytest.fixture(scope="session")
def eg_deploy(
    request: pytest.FixtureRequest,
    eg_target: Target,
    eg_recipe: Path | None,
    eg_deployments: Deployments,
) -> EgDeploy:
    """Deploy a recipe to the board: `eg_deploy(recipe, variants=(), anew=False)` gives its `Outcome`.

    It builds, deploys and measures as `edgegreen deploy` does, once for each recipe, target and choice of
    variants in the whole test run; with `anew`, again. The test fails when nothing at all could be measured;
    for what failed in part, and for budgets, see `eg_check`.
    """
    spec = _spec_of(request.config, eg_target)

    def deploy(
        recipe: Path | str | None = None, *, variants: Sequence[str] = (), anew: bool = False
    ) -> Outcome:
        __tracebackhide__ = True
        chosen = recipe or eg_recipe
        if chosen is None:
            pytest.fail("no recipe: eg_deploy(recipe), --eg-recipe FILE or ini `eg_recipe`", pytrace=False)
        outcome = eg_deployments.get(Path(chosen), spec, eg_target, tuple(variants), anew=anew)
        item = request.config.stash[RUNNING]
        if outcome not in item.stash[OUTCOMES]:
            item.stash[OUTCOMES].append(outcome)
            item.user_properties += eg_deployments.properties(outcome)
        if not outcome.rows:
            pytest.fail("\n".join(outcome.failures_of()) or "nothing was measured", pytrace=False)
        return outcome

    return deploy


def _spec(item: pytest.Item) -> str | None:
    callspec = getattr(item, "callspec", None)
    spec: str | None = callspec.params.get(BOARD) if callspec else None
    return spec


def _spec_of(config: pytest.Config, target: Target) -> str:
    """The spec that names the target; where a test suite has an `eg_target` of its own, the target's name."""
    return next((spec for spec, one in config.stash[TARGETS].items() if one is target), target.name)
