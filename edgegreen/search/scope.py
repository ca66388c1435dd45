"""From a recipe and a target to the space of a search: what can be built of this model, and run there."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Sequence

from edgegreen import data, sources
from edgegreen.config.passes import FineTuning
from edgegreen.config.searchkeys import parameters_of
from edgegreen.convert import refusals
from edgegreen.errors import InputError
from edgegreen.formats import FORMATS, Format, Precision, Quantizer
from edgegreen.recipe import Recipe, Variant
from edgegreen.search import defaults
from edgegreen.search.space import Knob, Space, Way
from edgegreen.target import Target


class Scope:
    """What this recipe's model can become."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        model = data.locate(recipe.model, "model")
        self._format, self._kind = sources.format_of(model), sources.kind_of(model)

    def refused(self, variant: Variant) -> str | None:
        """Why it cannot be built from the model, None when it can."""
        try:
            refusals.check(
                {"candidate": variant}, self._format, self._kind,
                calibrated=self.recipe.data.calibration is not None,
                trained=self.recipe.data.training is not None,
            )  # fmt: skip
        except InputError as error:
            return error.message.removeprefix("variant `candidate`: ")
        return None

    def space(self, target: Target, given: Sequence[Variant], *, timed: bool = True) -> Space:
        """All that can be tried.

        `given` are the recipe's own variants: their formats are tried where its `search` names none, and
        their quantizers beside the default ones. Unless it is `timed`, threads make no difference, and are
        the recipe's first number.
        Raises InputError where that is nothing, or a named pass cannot be applied.
        """
        wanted = self.recipe.search
        said = self.recipe.benchmark.threads
        threads = wanted.threads or (said if len(said) > 1 else defaults.THREADS)
        threads = threads if timed else said[:1]
        formats = wanted.formats or dict.fromkeys(variant.format for variant in given)
        ways = [way for name in formats for way in self._ways(name, target, given)]
        if not ways:
            raise InputError(
                f"there is nothing to search: of what {target.name} runs, the model can become nothing else",
                hint="`search: {formats, precisions}` say what to try",
            )
        passes = {
            name: {key: Knob.of(value, whole=_whole(name, key)) for key, value in knobs.items()}
            for name, knobs in self._passes().items()
        }
        return Space(tuple(ways), Knob.of(tuple(threads)), passes)

    def _ways(self, format_: Format, target: Target, given: Sequence[Variant]) -> list[Way]:
        able = FORMATS[format_].runtimes
        named = [(name,) for name in target.runtimes or () if name in able]
        precisions: Iterable[Precision | None] = self.recipe.search.precisions or defaults.PRECISIONS
        if self._kind == "quantised":
            precisions = (None,)
        return [
            Way(format_, precision, runtimes, quantizer)
            for precision in precisions
            if precision is None or precision in FORMATS[format_].precisions
            for quantizer in _quantizers(format_, precision, given)
            if self.refused(Variant(format=format_, precision=precision, quantizer=quantizer)) is None
            for runtimes in (named if target.runtimes is not None else [able])
        ]

    def _passes(self) -> dict[str, dict[str, object]]:
        """The passes' spaces; of the defaults, those that can be applied here."""
        found = defaults.spaces(self.recipe.search)
        if self.recipe.search.passes is not None or not found:
            if found and self._format != "keras":
                raise InputError(
                    f"`search.passes`: passes work on Keras files (.keras, .h5); this model is {self._format}"
                )
            return found
        if self._format != "keras" or importlib.util.find_spec("tensorflow") is None:
            return {}
        if self.recipe.data.training is None:
            return {name: knobs for name, knobs in found.items() if not _trains(name)}
        return found


def _quantizers(
    format_: Format, precision: Precision | None, given: Sequence[Variant]
) -> list[Quantizer | None]:
    """The default one, and those that the recipe's own variants of this kind name."""
    named = [one.quantizer for one in given if (one.format, one.precision) == (format_, precision)]
    return list(dict.fromkeys([None, *(one for one in named if one != FORMATS[format_].quantizers[0])]))


def _trains(name: str) -> bool:
    return issubclass(parameters_of(name), FineTuning)


def _whole(name: str, key: str) -> bool:
    return parameters_of(name).model_fields[key].annotation is int
