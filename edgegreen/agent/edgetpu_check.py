"""The child that tries an Edge TPU's delegate before a trial does: it may crash, and that tells something.

It says on stdout how far it came, a line a step; how it ended the parent reads off its exit (coral.verdict).
"""

from __future__ import annotations

import os
import sys

from . import kits, runtimes, system
from .runtimes import edgetpu
from .runtimes.coral import DONE, FAILED, INFERENCE


def main(argv: list[str], program: str) -> None:
    """`argv`: the runtime's name, the library, the device ("": any), the model. Does not return."""
    name, path, device, model = argv
    system.die_with_parent(os.getppid())
    kits.use(name, kits.folder_beside(program))
    try:
        package = runtimes.RUNTIMES[name].package
        made = edgetpu.interpreter(package, path, device or None, model, step=_step)
        _step(INFERENCE)
        made.invoke()
        _step(DONE)
    except Exception as error:
        _step("{} {}: {}".format(FAILED, type(error).__name__, " ".join(str(error).split())))
    os._exit(0)


def _step(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
