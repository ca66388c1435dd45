"""`lab`: the boards of a shared lab, who has them, and what the dead left behind."""

from __future__ import annotations

from collections.abc import Mapping

import click


@click.group()
def lab() -> None:
    """The boards of a shared lab (labgrid)."""


COORDINATOR = click.option(
    "--coordinator", "-x", metavar="HOST[:PORT]", help="Default: LG_COORDINATOR, else 127.0.0.1:20408."
)


@lab.command("list")
@COORDINATOR
def list_places(coordinator: str | None) -> None:
    """List the lab's places, who has them, and who waits for one."""
    import time

    from edgegreen.lab import owner, reap
    from edgegreen.report import words

    found = reap.look(coordinator)
    for place in found.places:
        since = words.duration(max(time.time() - place.changed_s, 0.0))
        state = f"held by {owner.shown(place.owner)} for {since}" if place.owner else "free"
        click.echo(f"{place.name}  {_tags(place.tags) or '–'}  {state}")
    for nth, one in enumerate(found.waiting, 1):
        click.echo(f"waiting, {nth}: {owner.shown(one.owner)} for {_tags(one.tags)}")
    if not found.places:
        click.echo(f"note: {found.coordinator} has no places", err=True)


@lab.command("reap")
@COORDINATOR
@click.option("--dry-run", is_flag=True, help="Only say which.")
def reap_places(coordinator: str | None, dry_run: bool) -> None:
    """Free the places that edgegreen processes of this machine hold and that have certainly ended."""
    from edgegreen.lab import owner, reap

    found = reap.reap(coordinator, dry_run=dry_run)
    for place, held_by in found.dead:
        one = owner.parse(held_by)
        assert one is not None
        verb = "would be freed" if dry_run else "freed"
        click.echo(f"{place}: {verb}; {owner.shown(held_by)}, process {one.pid}, run {one.run} has ended")
    for place, held_by in found.unknown:
        click.echo(
            f"{place}: left alone; whether {owner.shown(held_by)} still lives cannot be known here "
            f"(`labgrid-client -p {place} release --kick` frees it all the same)",
            err=True,
        )
    if not found.dead:
        click.echo("nothing held by the dead", err=True)


def _tags(tags: Mapping[str, str]) -> str:
    return " ".join(f"{key}={value}" for key, value in sorted(tags.items()))
