"""What the user asked of the plugin: its options and ini keys. Light."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

MARKERS = (
    "eg_target_family(*families): skip on targets of any other family",
    "eg_needs_meter: skip on targets without a power meter (`power:` in the target)",
    "eg_needs_board: skip where a recording stands in for the board",
    "eg_budget(**budgets): fail when a row of what the test deployed misses one of these, a recipe's budgets",
)
NO_TARGET = "no board is named: --eg-target NAME"


@dataclass(frozen=True)
class Settings:
    """`targets` are specs as `edgegreen deploy --target` takes them."""

    targets: tuple[str, ...]
    recipe: Path | None
    artifacts: Path | None
    record_to: Path | None

    @property
    def in_use(self) -> bool:
        """Whether anything was asked for at all."""
        return any((self.targets, self.recipe, self.artifacts, self.record_to))


def add(parser: pytest.Parser) -> None:
    """Declare options and ini keys."""
    group = parser.getgroup("edgegreen", "edgegreen: deploy to real boards")
    group.addoption(
        "--eg-target", action="append", default=[], dest="eg_targets", metavar="NAME|ssh://…|replay:PATH|labgrid:TAGS",
        help="A board to run on, as `edgegreen deploy --target` does; repeatable. Default: ini `eg_targets`.",
    )  # fmt: skip
    group.addoption(
        "--eg-replay", action="append", default=[], metavar="PATH",
        help="Recordings (see --eg-record): each board in this folder is played back, and is a target.",
    )  # fmt: skip
    group.addoption(
        "--eg-require-target", action="store_true",
        help="Without a board, stop with an error: for CI, where skipping everything must not pass.",
    )  # fmt: skip
    group.addoption(
        "--eg-recipe", metavar="FILE", help="What `eg_deploy()` deploys. Default: ini `eg_recipe`."
    )
    group.addoption("--eg-artifacts", metavar="FOLDER", help="Keep each run's JSON and log there.")
    group.addoption("--eg-record", metavar="FOLDER", help="Record each board there, for --eg-replay.")
    parser.addini("eg_targets", "Boards to run on, one a line.", type="linelist", default=[])
    parser.addini("eg_recipe", "The recipe that `eg_deploy()` deploys, relative to this file.", default="")


def of(config: pytest.Config) -> Settings:
    """The settings. Raises UsageError where recordings cannot be found, or a target has to be named."""
    here = config.invocation_params.dir
    option = config.getoption
    replays = [spec for place in option("eg_replay") for spec in _recordings(here / place)]
    targets = (*option("eg_targets"), *replays) or tuple(config.getini("eg_targets"))
    if option("eg_require_target") and not targets:
        raise pytest.UsageError(f"--eg-require-target: {NO_TARGET}, or `eg_targets` in the ini file")
    recipe = here / option("eg_recipe") if option("eg_recipe") else None
    if recipe is None and config.getini("eg_recipe"):
        recipe = (config.inipath.parent if config.inipath else config.rootpath) / config.getini("eg_recipe")
    return Settings(
        targets=tuple(dict.fromkeys(targets)),
        recipe=recipe,
        artifacts=here / option("eg_artifacts") if option("eg_artifacts") else None,
        record_to=here / option("eg_record") if option("eg_record") else None,
    )


def _recordings(place: Path) -> Iterator[str]:
    from edgegreen.errors import EdgegreenError
    from edgegreen.transport import recording

    try:
        found = recording.boards_in(place)
    except EdgegreenError as error:
        raise pytest.UsageError(f"--eg-replay: {error}") from None
    yield from (f"{recording.PREFIX}{path}" for path in found)
