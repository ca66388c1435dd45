"""Entry of the packed agent: the supervisor, or one of its processes, such as `trial` and `sampler`.

bundle.py puts a file beside this package that calls `main`.
"""

from __future__ import annotations

import os
from typing import Sequence


def main(argv: Sequence[str]) -> None:
    """`argv` is sys.argv. Does not return."""
    if list(argv[1:2]) == ["trial"]:
        from . import trial

        trial.main(int(argv[2]), os.path.abspath(argv[0]))
    elif list(argv[1:2]) == ["sampler"]:
        from . import sampler

        sampler.main(argv[2])
    elif list(argv[1:2]) == ["guard"]:
        from . import guard

        guard.main()
    elif list(argv[1:2]) == ["edgetpu_check"]:
        from . import edgetpu_check

        edgetpu_check.main(list(argv[2:]), os.path.abspath(argv[0]))
    elif list(argv[1:2]) == ["unpack"]:
        from . import unpack

        unpack.main(argv[2])
    else:
        from . import supervisor

        supervisor.main(os.path.abspath(argv[0]))
