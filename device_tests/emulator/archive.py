"""Debian packages of any release and architecture, from where this machine's own apt gets its packages.

Nothing of the machine's apt is changed: lists and downloads go to folders of their own.
"""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from device_tests.emulator.needs import run
from edgegreen.errors import DeviceError, InputError, UnreachableError

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_TARGETS = "$(REPO_URI) $(RELEASE) $(COMPONENT) $(ORIGIN)"


def sources(suite: str) -> str:
    """Lines for a sources.list: this machine's Debian archives, for another release. Raises InputError."""
    release = platform.freedesktop_os_release()
    targets = run(["apt-get", "indextargets", "--format", _TARGETS, "Created-By: Packages"])
    lines = translate(targets, release.get("VERSION_CODENAME", ""), suite)
    if release.get("ID") != "debian" or not lines:
        raise InputError(
            "apt on this machine has no Debian archive to take an emulated board's packages from",
            hint="emulated boards are built on Debian; run `apt-get update` if this is one",
        )
    return "".join(line + "\n" for line in lines)


def translate(targets: str, codename: str, suite: str) -> list[str]:
    """Sources lines of `suite` from those of the release `codename`, updates and security as well.

    `targets` has lines of address, release, component and origin; what is not Debian's `main` is left out.
    """
    lines: dict[str, None] = {}
    for target in targets.splitlines():
        address, release, component, origin = target.split(" ", 3)
        known = re.fullmatch(rf"{re.escape(codename)}(-updates|-security)?", release)
        # Before the first `apt-get update` the origin is not known, and the variable stands there as it is.
        if codename and known and component == "main" and origin in ("Debian", "$(ORIGIN)", ""):
            lines[f"deb [signed-by={KEYRING}] {address} {suite}{known[1] or ''} main"] = None
    return list(lines)


def reaching_options() -> str:
    """How this machine's apt reaches its archives (proxies, certificates), as lines of an apt.conf."""
    lines = run(["apt-config", "dump", "--no-empty"]).splitlines(keepends=True)
    return "".join(line for line in lines if re.match(r"Acquire::(https?|Retries)\b", line))


class Archive:
    """apt with one release's packages for `architectures`; its state lies in `folder`."""

    def __init__(self, folder: Path, suite: str, architectures: Sequence[str]) -> None:
        self._config = folder / "apt.conf"
        for name in ("state/lists/partial", "cache/archives/partial"):
            (folder / name).mkdir(parents=True)
        (folder / "state/status").touch()
        (folder / "sources.list").write_text(sources(suite))
        quoted = " ".join(f'"{name}";' for name in architectures)
        self._config.write_text(
            f'Dir::State "{folder}/state";\nDir::State::status "{folder}/state/status";\n'
            f'Dir::Cache "{folder}/cache";\nDir::Etc::sourcelist "{folder}/sources.list";\n'
            'Dir::Etc::sourceparts "/dev/null";\nAcquire::Languages "none";\n'
            f"APT::Architectures {{ {quoted} }};\n"
            + ('APT::Sandbox::User "root";\n' if os.geteuid() == 0 else "")
        )
        self._run("apt-get", "update", "--error-on=any")

    def depends(self, package: str) -> list[str]:
        """The names of the packages that `package` depends on."""
        return re.findall(r"^\s*Depends: (\S+)$", self._run("apt-cache", "depends", package), re.MULTILINE)

    def download(self, packages: Iterable[str], folder: Path) -> dict[str, Path]:
        """The packages' files in `folder`, by the package's name without its architecture."""
        folder.mkdir(parents=True, exist_ok=True)
        self._run("apt-get", "download", *packages, cwd=folder)
        return {path.name.split("_")[0]: path for path in folder.glob("*.deb")}

    def _run(self, *argv: str, cwd: Path | None = None) -> str:
        try:
            return run(argv, cwd=cwd, env={"APT_CONFIG": str(self._config)})
        except DeviceError as error:
            raise UnreachableError(
                f"apt cannot get packages: {error.message}", hint="does `apt-get update` work here?"
            ) from None
