"""The recipe's `search: {passes}`: which values of which parameters a search may try. Types alone.

They are made from the passes' own types, so that whatever a pass takes can be searched over, and a value that
the pass would refuse is refused here. What is tried when nothing is said is in `search/defaults.py`.
"""

from __future__ import annotations

from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Self, Union, get_args, get_origin

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError, create_model, model_validator
from pydantic.fields import FieldInfo

from edgegreen.config.passes import Pass
from edgegreen.config.yamlfile import Frozen

STEPS = 20  # from one end of a range to the other


class Between(Frozen):
    """A range of numbers."""

    min: int | float
    max: int | float
    log: bool = False
    """Whether steps are factors: for values whose order of magnitude matters."""

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if not self.min < self.max:
            raise ValueError("`min` should be less than `max`")
        if self.log and self.min <= 0:
            raise ValueError("`log` takes a `min` above 0")
        return self

    def values(self, *, whole: bool) -> tuple[float, ...]:
        """At most STEPS + 1 values from `min` to `max`, in order; of three digits, or `whole` numbers."""
        low, high = float(self.min), float(self.max)
        shares = [step / STEPS for step in range(STEPS + 1)]
        values = [low * (high / low) ** s if self.log else low + (high - low) * s for s in shares]
        rounded = [round(value) if whole else float(f"{value:.3g}") for value in values]
        return tuple(dict.fromkeys([type(rounded[0])(self.min), *rounded[1:-1], type(rounded[0])(self.max)]))


def _space_of(name: str) -> Any:
    """The type of a pass's space: each of its parameters as one value, a list of them, or a range."""
    kind = parameters_of(name)
    fields: dict[str, Any] = {
        key: (knob_type(field) | None, Field(None, description=field.description))
        for key, field in kind.model_fields.items()
    }
    return create_model(
        f"{kind.__name__}Space", __base__=Frozen, __doc__=f"What to try of `{name}`.", **fields
    )


def parameters_of(name: str) -> type[Frozen]:
    """The type of the parameters of the pass that is called so."""
    options = get_args(Pass.model_fields[name].annotation)
    found: type[Frozen] = next(one for one in options if one is not type(None))
    return found


def knob_type(field: FieldInfo) -> Any:
    """What stands in the place of a parameter's value: one, several, or a range if it is a number."""
    is_union = get_origin(field.annotation) in (Union, UnionType)
    options: list[Any] = [*get_args(field.annotation)] if is_union else [field.annotation]
    options = [one for one in options if one is not type(None)]
    value: Any = Annotated[Union[*options], *field.metadata] if field.metadata else Union[*options]
    knob: Any = value | Annotated[tuple[value, ...], Field(min_length=1)]
    if not any(_is_number(option) for option in options):
        return knob
    # First, as a value by layers, `{conv1: 0.5}`, would take a range for two layers.
    return Annotated[Between, AfterValidator(_within(TypeAdapter(value)))] | knob


def _is_number(option: Any) -> bool:
    return option in (int, float) or (hasattr(option, "__metadata__") and option.__origin__ in (int, float))


def _within(kind: TypeAdapter[Any]) -> Any:
    def check(between: Between) -> Between:
        for end in (between.min, between.max):
            try:
                kind.validate_python(end)
            except ValidationError as error:
                said = error.errors()[0]["msg"].replace("Input should be", "should be")
                raise ValueError(f"{end:g} {said}") from None
        return between

    return check


if TYPE_CHECKING:

    class PassSpaces(Frozen):
        """What to try of each pass."""
else:
    PassSpaces = create_model(
        "PassSpaces",
        __base__=Frozen,
        __doc__="What to try of each pass; those that are not named are not tried.",
        **{name: (_space_of(name) | None, None) for name in Pass.model_fields},
    )
