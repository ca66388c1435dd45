"""The space of a search: which candidates there are, and how a sampler's choices become one. Pure.

Every choice is one of a few values, so that candidates repeat rather than differ in a seventh digit, and a
recipe can name them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from edgegreen.config.passes import Pass
from edgegreen.config.searchkeys import Between, parameters_of
from edgegreen.formats import FORMATS, Format, Precision, Quantizer, RuntimeName
from edgegreen.judging import applied
from edgegreen.recipe import Variant
from edgegreen.report.words import threads
from edgegreen.search.defaults import ONLY_FOR

Params = dict[str, Any]
WAY, THREADS = "way", "threads"


class Chooser(Protocol):
    """Who chooses: a trial of Optuna's has these."""

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """One of them, which have no order."""

    def suggest_int(self, name: str, low: int, high: int) -> int:
        """A whole number from `low` to `high`."""


@dataclass(frozen=True)
class Candidate:
    """A variant, and where and how it is run. `runtimes` as a trial of a plan has them."""

    variant: Variant
    runtimes: tuple[RuntimeName, ...]
    threads: int

    @cached_property
    def key(self) -> str:
        """Equal for equal candidates."""
        return json.dumps([self.variant.model_dump(mode="json"), self.runtimes, self.threads])

    @property
    def words(self) -> str:
        """`prune (sparsity 0.8) → int8 tflite, 2 threads`."""
        variant = self.variant
        made = _made(variant.format, variant.precision, variant.quantizer)
        made += f" within {variant.accuracy_drop_max:g}" if variant.accuracy_drop_max is not None else ""
        made += " with int8 inputs and outputs" if variant.io == "int8" else ""
        steps = " → ".join([*applied.all_told(self.variant.passes), made])
        named = self.runtimes != FORMATS[self.variant.format].runtimes
        runtime = f", {self.runtimes[0]}" if named else ""
        return f"{steps}{runtime}, {threads(self.threads)}"


@dataclass(frozen=True)
class Way:
    """How a model is converted, and by what it is run."""

    format: Format
    precision: Precision | None
    runtimes: tuple[RuntimeName, ...]
    quantizer: Quantizer | None = None

    @property
    def name(self) -> str:
        """`int8 tflite`, `int8 tflite litert` where the target names its runtimes."""
        runtime = self.runtimes[0] if self.runtimes != FORMATS[self.format].runtimes else ""
        return " ".join(filter(None, (_made(self.format, self.precision, self.quantizer), runtime)))


def _made(format_: Format, precision: Precision | None, quantizer: Quantizer | None) -> str:
    """`int8 tflite`, `dynamic tflite by tensorflow`."""
    return f"{precision or 'as shipped'} {format_}" + (f" by {quantizer}" if quantizer else "")


@dataclass(frozen=True)
class Knob:
    """The values of one parameter; in order, if they have one."""

    values: tuple[Any, ...]
    ordered: bool

    @classmethod
    def of(cls, wanted: Any, *, whole: bool = False) -> Knob:
        """From what a recipe or the defaults give: a value, several, or a range."""
        if isinstance(wanted, Between):
            return cls(wanted.values(whole=whole), ordered=True)
        values = wanted if isinstance(wanted, tuple) else (wanted,)
        numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
        return cls(tuple(sorted(set(values))) if numbers else values, ordered=numbers)

    def chosen(self, name: str, by: Chooser) -> Any:
        """One of the values."""
        last = len(self.values) - 1
        if last == 0:
            return self.values[0]
        number = (
            by.suggest_int(name, 0, last) if self.ordered else by.suggest_categorical(name, range(last + 1))
        )
        return self.values[number]

    @property
    def middle(self) -> int:
        """The number of the value to begin with."""
        return len(self.values) // 2 if self.ordered else 0


@dataclass(frozen=True)
class Space:
    """All candidates: each way, with any of the passes, in order, with any of their parameters' values."""

    ways: tuple[Way, ...]
    threads: Knob
    passes: Mapping[str, Mapping[str, Knob]]

    def suggest(self, by: Chooser) -> Candidate:
        """The candidate of these choices. Raises ValueError where parameters do not go together."""
        way = self._way(by)
        chosen = []
        for name in self._passes_for(way):
            if by.suggest_categorical(name, [False, True]):
                knobs = self.passes[name]
                values = {key: knob.chosen(f"{name}.{key}", by) for key, knob in knobs.items()}
                chosen.append(Pass.model_validate({name: parameters_of(name).model_validate(values)}))
        variant = Variant(
            passes=tuple(chosen), format=way.format, precision=way.precision, quantizer=way.quantizer
        )
        return Candidate(variant, way.runtimes, self.threads.chosen(THREADS, by))

    def seeds(self) -> Iterator[Params]:
        """Choices to begin with: each pass alone and each way without any, at first in the first way."""
        first = self.ways[0]
        yield self._params(first)
        for name in self._passes_for(first):
            yield self._params(first, name)
        for way in self.ways[1:]:
            yield self._params(way)

    @property
    def size(self) -> int:
        """How many candidates there are, at most."""
        total = 0
        for way in self.ways:
            count = len(self.threads.values)
            for name in self._passes_for(way):
                product = 1
                for knob in self.passes[name].values():
                    product *= len(knob.values)
                count *= 1 + product
            total += count
        return total

    def told(self) -> dict[str, Any]:
        """All of it as plain values, to tell one space from another."""
        knobs = {
            name: {key: [str(value) for value in knob.values] for key, knob in of.items()}
            for name, of in self.passes.items()
        }
        return {
            "ways": [way.name for way in self.ways], "threads": list(self.threads.values), "passes": knobs
        }  # fmt: skip

    def _way(self, by: Chooser) -> Way:
        if len(self.ways) == 1:
            return self.ways[0]
        name = by.suggest_categorical(WAY, [way.name for way in self.ways])
        return next(way for way in self.ways if way.name == name)

    def _passes_for(self, way: Way) -> list[str]:
        return [name for name in self.passes if name not in ONLY_FOR or way.precision in ONLY_FOR[name]]

    def _params(self, way: Way, only: str | None = None) -> Params:
        """The choices that lead to this way with one pass, or none; one thread, or the fewest."""
        params: Params = {WAY: way.name} if len(self.ways) > 1 else {}
        for name in self._passes_for(way):
            params[name] = name == only
        for key, knob in self.passes[only].items() if only else ():
            if len(knob.values) > 1:
                params[f"{only}.{key}"] = knob.middle
        return params | ({THREADS: 0} if len(self.threads.values) > 1 else {})
