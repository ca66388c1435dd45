"""A board without any runtime, and an index that is a folder of wheels made here."""

from __future__ import annotations

import venv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import pytest
from sshd import Sshd

from edgegreen import bundle
from edgegreen.artifact import File
from edgegreen.client import Agent
from edgegreen.deployment import deploy
from edgegreen.formats import FORMATS
from edgegreen.interpreter import Interpreter
from edgegreen.provision import Outcome, Site, Want, provide
from edgegreen.target import Target
from edgegreen.transport.ssh import SSHTransport
from provision import makewheels

TFLITE: Want = FORMATS["tflite"].runtimes


@pytest.fixture(scope="session")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter with nothing but the standard library."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, with_pip=False)
    return folder / "bin" / "python"


@pytest.fixture(scope="session")
def pyz(tmp_path_factory: pytest.TempPathFactory) -> File:
    """The agent, packed."""
    return bundle.pack(tmp_path_factory.mktemp("agent"))


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that pip finds wheels in, and nowhere else."""
    folder = tmp_path / "index"
    folder.mkdir()
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_CONSTRAINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def published(index: Path) -> Path:
    """An index with the LiteRT and the numpy that the table has for this Python."""
    tag = makewheels.own_tag()
    makewheels.litert(index, "2.3.0", tag)
    makewheels.numpy(index, "1.26.4", tag)
    makewheels.numpy(index, "2.1.3", tag)
    return index


@dataclass
class Bare:
    """A board with a bare Python; `provide` brings what is asked for."""

    site: Site
    folder: Path
    told: list[tuple[str, float | None]]

    def provide(self, *wants: Want, renew: bool = False) -> Outcome:
        def told(stage: str, done: float | None) -> None:
            self.told.append((stage, done))

        board = self.site.agent.probe()
        return provide(self.site, board, wants or (TFLITE,), told, Event(), renew=renew)

    @property
    def runtimes(self) -> dict[str, str]:
        """What the agent says there is."""
        return self.site.agent.probe().runtimes

    @property
    def interpreter(self) -> Interpreter:
        """Its Python."""
        return self.site.agent.probe().interpreter

    @property
    def names(self) -> set[str]:
        """What lies in its folder of kits."""
        folder = self.folder / "runtimes"
        return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


@pytest.fixture
def boards(sshd: Sshd, bare_python: Path, pyz: File, tmp_path: Path) -> Iterator[Callable[[str], Bare]]:
    """Boards by name, each with a root of its own on the one SSH server."""
    agents: list[Agent] = []

    def make(name: str) -> Bare:
        folder = sshd.home / f"{tmp_path.name} {name}"
        target: Target = sshd.target(python=str(bare_python), root=f"~/{folder.name}")
        link = SSHTransport.connect(target, config_files=[sshd.config])
        agent = Agent.start(link, str(bare_python), deploy(link, target.folder, [pyz]).agent)
        agents.append(agent)
        return Bare(Site(link, target, pyz, agent), folder, [])

    yield make
    for agent in agents:
        agent.close()
        agent._transport.close()


@pytest.fixture
def bare(boards: Callable[[str], Bare]) -> Bare:
    """One such board."""
    return boards("bare")
