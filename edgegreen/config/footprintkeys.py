"""The recipe's `footprint:`: how the model will be used. What follows from it is in `judging/green.py`."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from edgegreen.config.yamlfile import Frozen, Positive


class Footprint(Frozen):
    """How the model will be used, and on what: from energy to battery life and carbon dioxide."""

    battery_wh: Positive | None = None
    """What the battery holds, in watt-hours."""
    battery_mah: Positive | None = None
    """The same in milliampere-hours, which take `battery_v`."""
    battery_v: Positive | None = None
    """The battery's nominal voltage."""
    battery_usable: Annotated[float, Field(gt=0, le=1)] = 1.0
    """The share of it that reaches the board: depth of discharge, age, the converter's loss."""
    inferences_per_hour: Positive | Literal["continuous"] | None = None
    """How often the model runs; the board idles in between. `continuous`: one after another."""
    grid_gco2e_per_kwh: Positive | None = None
    """Grams of CO2 equivalent a kilowatt-hour of your grid. There is no default."""

    @model_validator(mode="after")
    def _one_battery(self) -> Self:
        if (self.battery_mah is None) != (self.battery_v is None):
            raise ValueError("`battery_mah` and `battery_v` go together")
        if self.battery_wh is not None and self.battery_mah is not None:
            raise ValueError("give either `battery_wh`, or `battery_mah` and `battery_v`")
        return self

    @property
    def lacks(self) -> str | None:
        """What has to be told for all its figures, in words; None when nothing has."""
        if self.inferences_per_hour is not None:
            return None
        wanted = {"battery life": self.capacity_wh, "CO2e of a year": self.grid_gco2e_per_kwh}
        figures = [figure for figure, given in wanted.items() if given is not None]
        if not figures:
            return None
        return f"`footprint`: no {' and no '.join(figures)} without `inferences_per_hour`"

    @property
    def capacity_wh(self) -> float | None:
        """What the battery holds, however it was told."""
        if self.battery_mah is not None and self.battery_v is not None:
            return self.battery_mah * self.battery_v / 1000
        return self.battery_wh
