"""What takes long is made once: each result is a folder whose name has the hash of everything that went in.

It is made under a temporary name and renamed when it is whole. The cache may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import platformdirs
from filelock import FileLock

Tell = Callable[[str], None]


def folder() -> Path:
    """`$EDGEGREEN_EMULATOR_CACHE`, or a folder in the user's cache."""
    if chosen := os.environ.get("EDGEGREEN_EMULATOR_CACHE"):
        return Path(chosen).expanduser().absolute()
    return platformdirs.user_cache_path("edgegreen") / "emulator"


def made(name: str, inputs: dict[str, str], make: Callable[[Path], None], tell: Tell) -> Path:
    """The folder that `make` filled from `inputs`, from the cache if it is there. Raises what `make` raises.

    Whoever comes while another process makes the same waits for it.
    """
    digest = hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()
    place = folder() / f"{name}-{digest[:16]}"
    if place.is_dir():
        return place
    place.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(place.with_name(place.name + ".lock")):
        if place.is_dir():
            return place
        tell(f"building {place.name}")
        part = Path(tempfile.mkdtemp(prefix=f"{name}-part-", dir=place.parent))
        try:
            make(part)
            part.chmod(0o755)
            part.rename(place)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise
    return place


def source(*paths: Path) -> dict[str, str]:
    """The content of files, as inputs."""
    return {path.name: path.read_text(encoding="utf-8") for path in paths}
