"""The lines that a live display shows: one for everybody at work, never more than there is room for. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.text import Text

WIDEST = 100  # lines no wider survive a window that is made a little narrower
WHO_WIDTH = 24
BARS = (16, 10)  # in a wide window, and in one of less than WIDEST columns


@dataclass(frozen=True)
class Doing:
    """What somebody does since `began_s`; `ended_s` once through. `done` is a share, None when not known."""

    who: str
    text: str
    done: float | None
    began_s: float
    ended_s: float | None = None


def lines(doings: Sequence[Doing], now_s: float, width: int, height: int) -> list[Text]:
    """One for each, in order; where there is no room, those who are through share the last with the rest."""
    width = min(width, WIDEST)
    who_width = min(max((len(one.who) for one in doings), default=0), WHO_WIDTH)
    shown = list(doings)
    if len(doings) > height:
        working = [one for one in doings if one.ended_s is None][: max(height - 1, 0)]
        through = [one for one in doings if one.ended_s is not None][: max(height - 1 - len(working), 0)]
        shown = [one for one in doings if one in working or one in through]
    made = [_line(one, now_s, who_width, width) for one in shown]
    if len(shown) < len(doings):
        made.append(Text(_rest([one for one in doings if one not in shown]), style="dim"))
    for text in made:
        text.truncate(width, overflow="ellipsis")
    return made[:height]


def _line(one: Doing, now_s: float, who_width: int, width: int) -> Text:
    """Who, how far, for how long, doing what: what changes its length stands last."""
    room = BARS[width < WIDEST]
    filled = round(room * (one.done or 0.0)) if one.ended_s is None else room
    seconds = int((one.ended_s or now_s) - one.began_s)
    who = Text(one.who, style="bold")
    who.truncate(who_width, overflow="ellipsis", pad=True)
    return Text.assemble(
        who, "  ", ("━" * filled, "green" if one.ended_s is None else "dim"), ("─" * (room - filled), "dim"),
        (f"  {seconds // 60:>2}:{seconds % 60:02}  ", "dim"),
        (one.text, "" if one.ended_s is None else "dim"),
    )  # fmt: skip


def _rest(left: Iterable[Doing]) -> str:
    left = list(left)
    through = [one for one in left if one.ended_s is not None]
    failed = sum(one.text.startswith("failed") for one in through)
    counts = ((len(left) - len(through), "at work"), (len(through) - failed, "through"), (failed, "failed"))
    told = [f"{count} {what}" for count, what in counts if count]
    return f"… and {', '.join(told)}"
