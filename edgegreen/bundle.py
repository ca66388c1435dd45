"""Packs the agent into one file that any Python on a board can run.

The same sources give the same bytes, whatever packs them: times are fixed, entries sorted, nothing is
compressed (zlib's output differs between versions). So a board that has the file need not get it again.
"""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
import zipfile
from pathlib import Path

from edgegreen.artifact import File

AGENT = Path(__file__).parent / "agent"
PACKAGE = "edgegreen_agent"
EPOCH = (1980, 1, 1, 0, 0, 0)
# Read by Pythons too old for the agent, too: it must parse everywhere.
MAIN = f"""\
import sys

if sys.version_info < (3, 7):
    sys.exit("edgegreen needs Python 3.7 or newer on the board, this is " + sys.version.split()[0])

from {PACKAGE}.__main__ import main

main(sys.argv)
"""


def pack(folder: Path) -> File:
    """`agent-<first 12 digits of its sha256>.pyz` in `folder`, written unless it is there already."""
    content = _zipped()
    digest = hashlib.sha256(content).hexdigest()
    path = folder / f"agent-{digest[:12]}.pyz"
    if not (path.is_file() and File.of(path).sha256 == digest):
        folder.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(dir=folder, prefix=path.name)
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        Path(part).replace(path)
    return File(path, digest, len(content))


def _zipped() -> bytes:
    sources = {path.relative_to(AGENT).as_posix(): path.read_bytes() for path in AGENT.rglob("*.py")}
    entries = {"__main__.py": MAIN.encode()} | {f"{PACKAGE}/{name}": text for name, text in sources.items()}
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(entries):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.create_system = 3  # Unix, also when packed elsewhere
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, entries[name])
    return stream.getvalue()
