"""trtexec on this board: where it is, its version, what it can be asked for."""

from __future__ import annotations

import glob
import os
import re
import shutil
import tempfile
from typing import NamedTuple

from ..runtimes.tensors import Unsupported
from . import log, process

NAME = "trtexec"
JETPACK = "/usr/src/tensorrt/bin/trtexec"  # where JetPack puts it, which is on nobody's PATH
OPTION = re.compile(r"^\s+(--\w+)", re.MULTILINE)
LIBRARY = re.compile(r"libnvinfer\.so\.(\d+\.\d+\.\d+)$")
LIBRARY_FOLDERS = (
    "/usr/lib/*-linux-gnu",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/usr/local/tensorrt/lib",
)
HELP_S = 60.0  # a cold Jetson Nano reads a gigabyte of libraries for it


class Program(NamedTuple):
    """A trtexec that answers. `idle_rss_bytes` is what it holds with its libraries and no model."""

    path: str
    version: str | None
    options: frozenset[str]
    idle_rss_bytes: int

    @property
    def major(self) -> int | None:
        """TensorRT's major version."""
        return int(self.version.partition(".")[0]) if self.version else None


def find() -> str | None:
    """Its path: JetPack's own, or the one on the PATH."""
    return JETPACK if os.access(JETPACK, os.X_OK) else shutil.which(NAME)


def library_version(path: str) -> str | None:
    """TensorRT's version by the name of its library, nothing being run: there may be no time to ask it."""
    beside = os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(path))), "lib")
    for folder in (beside, *LIBRARY_FOLDERS):
        for name in sorted(glob.glob(os.path.join(folder, "libnvinfer.so.*")), reverse=True):
            match = LIBRARY.search(name)
            if match:
                return match.group(1)
    return None


def ask() -> Program:
    """Ask it for its help, which names every option it has. Raises Unsupported, in words."""
    path = find()
    if path is None:
        raise Unsupported("there is no trtexec on the board: neither {} nor on the PATH".format(JETPACK))
    try:
        ended = process.run([path, "--help"], tempfile.gettempdir(), HELP_S)
    except OSError as error:
        raise Unsupported("{} cannot be run: {}".format(path, error.strerror)) from None
    options = frozenset(OPTION.findall("\n".join(ended.lines)))
    if "--loadEngine" not in options:
        told = log.reason(ended.lines) or next(reversed(ended.lines), "") or "exit code {}".format(ended.code)
        raise Unsupported("{} does not answer: {}".format(path, told))
    version = log.version(ended.lines) or library_version(path)
    return Program(path, version, options, ended.rss_bytes)
