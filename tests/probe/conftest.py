"""Recorded boards, asked by the real script in a real shell."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from agent.meters import boards

from edgegreen.probe import SCRIPT
from edgegreen.probe.facts import BoardFacts
from edgegreen.probe.parse import parse

NOBODY = 65534
NOW_S = 1_795_332_203.0
SHELLS = [name for name in ("dash", "bash", "busybox") if shutil.which(name)]
# What the script uses of a system; the rest (uname, getconf, dpkg …) is the board's own, or missing.
TOOLS = ("cat", "date", "df", "grep", "head", "id", "readlink", "sed", "sort", "timeout", "tr", "uniq")


class Recorded:
    """A board laid out in a folder: `ask` has a shell run the script on it."""

    def __init__(self, folder: Path, name: str) -> None:
        self.root = folder / "root"
        self.commands = folder / "commands"
        self.root.mkdir(mode=0o755)
        self.commands.mkdir(mode=0o755)
        boards.lay_out(name, self.root).install(self.commands)

    def lay(self, path: str, text: str) -> None:
        """One more file there."""
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text + "\n")

    def ask(self, shell: str = SHELLS[0], *, user: int | None = None) -> bytes:
        """What the script prints there, in `shell` (for busybox with its own tools)."""
        tools = self.root.parent / f"tools-{shell}"
        if not tools.exists():
            tools.mkdir()
            for tool in TOOLS:
                (tools / tool).symlink_to(
                    shutil.which("busybox" if shell == "busybox" else tool) or "missing"
                )
        command = [shutil.which(shell) or shell, *(["sh"] if shell == "busybox" else []), "-c"]
        command += ['root=$1; shift; set -- "$root" "$@"; eval "$(cat)"', "probe", str(self.root)]
        env = {"PATH": f"{self.commands}:{tools}", "HOME": str(self.root)}
        done = subprocess.run(
            [*command, "python3", f"{self.root}/.edgegreen"],
            input=SCRIPT.read_bytes(), capture_output=True, env=env, timeout=60, check=True, user=user,
        )  # fmt: skip
        assert done.stderr == b""
        return done.stdout


@pytest.fixture
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Recorded]:
    """Lays out the recorded board of a name."""
    return lambda name: Recorded(tmp_path_factory.mktemp("board"), name)


@pytest.fixture(scope="session")
def replies(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], bytes]:
    """What the script prints on the recorded board of a name; each is asked once."""
    known: dict[str, bytes] = {}

    def reply(name: str) -> bytes:
        if name not in known:
            known[name] = Recorded(tmp_path_factory.mktemp("board"), name).ask()
        return known[name]

    return reply


@pytest.fixture
def facts(replies: Callable[[str], bytes]) -> Callable[[str], BoardFacts]:
    """What is understood of that."""
    return lambda name: parse(replies(name), NOW_S)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that any user may look into; pytest's own are the user's alone."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    for path, names, _ in os.walk(folder):
        for name in names:
            Path(path, name).chmod(0o755)
    shutil.rmtree(folder)
