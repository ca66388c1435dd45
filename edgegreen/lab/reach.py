"""How to get to a place's board: what its exporter tells of it, made a target."""

from __future__ import annotations

import os
from collections.abc import Sequence

from pydantic import ValidationError

from edgegreen.errors import InputError
from edgegreen.lab.messages import Entry, Resource
from edgegreen.lab.spec import FILE_TAG
from edgegreen.target import Place, Target, file, load

SSH = "NetworkService"


def board(coordinator: str, entry: Entry, resources: Sequence[Resource]) -> Target:
    """The board, where the lab says it is; else as the file says that the tag `edgegreen` names.

    `resources` have a NetworkService. Raises InputError: no such file, an address that SSH cannot reach.
    """
    place = Place(entry.name, tuple(sorted(entry.tags.items())), coordinator)
    name = entry.tags.get(FILE_TAG)
    try:
        known = load(file(name)) if name else Target()
    except InputError as error:
        raise InputError(
            f"{entry.name}: its tag `{FILE_TAG}={name}`: {error.message}", hint=error.hint
        ) from None
    service = next(one for one in resources if one.cls == SSH)
    jump = _jump(service) or known.proxy_jump
    return known.leased_at(place, **_reached(service, entry.name), proxy_jump=jump)


def _reached(service: Resource, place: str) -> dict[str, object]:
    """Host, port and user as the exporter has them. Raises InputError for what SSH cannot reach."""
    params = service.params
    address = str(params.get("address"))
    if "%" in address:
        raise InputError(
            f"{place}: its address {address} is bound to an interface of the exporter, which takes "
            "labgrid-bound-connect",
            hint="export an address that the exporter's own `ssh` reaches",
        )
    try:
        found = Target(host=address, port=params.get("port"), user=params.get("username"))
    except ValidationError:
        found = None
    if found is None or found.is_local:
        raise InputError(f"{place}: its exporter says that it is at `{address}`, which is no address")
    return {"host": found.host, "port": found.port, "user": found.user}


def _jump(service: Resource) -> str | None:
    """The host to go through, where the exporter or LG_PROXY asks for one."""
    extra = service.extra
    return (extra.get("proxy") if extra.get("proxy_required") else None) or os.environ.get("LG_PROXY")
