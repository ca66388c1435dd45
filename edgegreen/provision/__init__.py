"""Runtimes for boards that have none: chosen and fetched here, brought over the connection, proved there.

`provide` is what a run calls when a board lacks what its trials want; `on_target` and `clean` are the
commands. What goes with which Python says edgegreen.releases. `wheels` fetches and keeps, `elf` looks into
wheels, `lockfile` pins, `kit` sends and proves, `inplace` says what lies on a board. Nothing on the board
needs pip, root or a network, and nothing is written outside the target's `root`.
"""

from edgegreen.provision.clean import clean
from edgegreen.provision.command import Report, on_target, over
from edgegreen.provision.kit import Kit, Site
from edgegreen.provision.provider import Outcome, Want, provide

__all__ = ["Kit", "Outcome", "Report", "Site", "Want", "clean", "on_target", "over", "provide"]
