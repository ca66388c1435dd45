"""Did int8 really run, or fp16? What a runtime told of its work, put together and in words. Pure.

Of one trial; what rows side by side say is in `slowdown`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from edgegreen.formats import FORMATS
from edgegreen.measurement import Execution, Measurement, Operators

PRODUCTS = "convolutions and matrix products"
UNKNOWN = "unknown"  # an engine of TensorRT chooses for each layer, and does not tell
NAMED = 4
# Runtimes that fp16 promises arithmetic in halves; elsewhere it is weights of half the size.
ENGINES = {name for traits in FORMATS.values() if traits.engine for name in traits.runtimes}


def of(kinds: Iterable[Operators]) -> Execution:
    """Put together what a runtime told of the operators it runs."""
    told = tuple(kinds)
    compute: Counter[str] = Counter()
    for kind in told:
        if kind.role == "compute":
            compute[kind.precision or UNKNOWN] += kind.count
    has_delegates = any(kind.delegated is not None for kind in told)
    return Execution(
        operators=sum(kind.count for kind in told),
        delegated=sum(kind.count for kind in told if kind.delegated) if has_delegates else None,
        compute=dict(compute.most_common()),
        conversions=sum(kind.count for kind in told if kind.role == "conversion"),
        kinds=told,
    )


def wanted(precision: str | None, runtime: str) -> str | None:
    """What the products of such a model are to run in: `i8` or `f16`; None where nothing is promised."""
    if precision == "int8":
        return "i8"
    return "f16" if precision == "fp16" and runtime in ENGINES else None


def reasons(precision: str | None, runtime: str, execution: Execution | None) -> tuple[str, ...]:
    """Why a row is not what it says: int8, say, was asked for, and no product ran in it."""
    kind = wanted(precision, runtime)
    if kind is None or execution is None or not execution.compute:
        return ()
    if kind in execution.compute or UNKNOWN in execution.compute:
        return ()
    count = sum(execution.compute.values())
    return (f"asked for {precision}, ran in {ran(execution)}: none of {count} {PRODUCTS} in {kind}",)


def ran(execution: Execution | None) -> str | None:
    """What the products ran in: `i8`, or `i8 7, f32 4`. None when that was not told."""
    if execution is None or not execution.compute:
        return None
    if len(execution.compute) == 1:
        return next(iter(execution.compute))
    return ", ".join(f"{precision} {count}" for precision, count in execution.compute.items())


def not_in(kind: str, execution: Execution) -> str | None:
    """`of 11 convolutions and matrix products 4 in f32`; None when all of them ran in `kind`."""
    others = {precision: count for precision, count in execution.compute.items() if precision != kind}
    told = ", ".join(f"{count} in {precision}" for precision, count in others.items())
    return f"of {sum(execution.compute.values())} {PRODUCTS} {told}" if told else None


def placed(item: Measurement) -> str | None:
    """`12 of 13 operators in XNNPACK; left: SOFTMAX`; None in a runtime without delegates."""
    if item.execution is None or item.execution.delegated is None:
        return None
    names = left(item.execution)
    return delegated(item, item.execution) + (f"; left: {names}" if names else "")


def delegated(item: Measurement, execution: Execution) -> str:
    """`12 of 13 operators in XNNPACK`."""
    if not execution.delegated:
        return f"none of {execution.operators} operators in a delegate"
    name = item.runtime.delegate or "a delegate"
    return f"{execution.delegated} of {execution.operators} operators in {name}"


def left(execution: Execution) -> str:
    """Names of what a delegate that took something did not take; nothing where there was none."""
    return _named([kind for kind in execution.kinds if execution.delegated and not kind.delegated])


def _named(kinds: Sequence[Operators]) -> str:
    """`CONV_2D ×5, SOFTMAX`; of many, the first few."""
    counts: Counter[str] = Counter()
    for kind in kinds:
        counts[kind.type] += kind.count
    names = [name if count == 1 else f"{name} ×{count}" for name, count in counts.most_common()]
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more kinds" if len(names) > NAMED else "")
