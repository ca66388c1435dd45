"""What an engine is to be built of, and how: what the host tells a board that builds one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Sequence

PRECISIONS = ("fp32", "fp16", "int8")


@dataclass(frozen=True)
class Port:
    """An input or output of the model's file. An extent of 0 depends on the data."""

    name: str
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class Order:
    """An engine of this precision, built within `timeout_s`, for a model with these inputs and outputs."""

    precision: str
    timeout_s: float
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]

    @classmethod
    def parse(cls, raw: Any) -> Order:
        """From what `wire` gave. Raises ValueError."""
        try:
            names = sorted(raw)
            precision, timeout_s = raw["precision"], raw["timeout_s"]
            inputs, outputs = _ports(raw["inputs"]), _ports(raw["outputs"])
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError("an engine is ordered by precision, timeout_s, inputs and outputs") from error
        good = (
            names == ["inputs", "outputs", "precision", "timeout_s"]
            and precision in PRECISIONS
            and isinstance(timeout_s, (int, float))
            and not isinstance(timeout_s, bool)
            and timeout_s > 0
            and inputs
            and outputs
        )
        if not good:
            raise ValueError("an engine is ordered by precision, timeout_s, inputs and outputs")
        return cls(precision, float(timeout_s), inputs, outputs)

    def wire(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "precision": self.precision,
            "timeout_s": self.timeout_s,
            "inputs": [[port.name, list(port.shape), port.dtype] for port in self.inputs],
            "outputs": [[port.name, list(port.shape), port.dtype] for port in self.outputs],
        }


def _ports(raw: Sequence[Any]) -> tuple[Port, ...]:
    ports = []
    for name, shape, dtype in raw:
        whole = all(isinstance(one, int) and not isinstance(one, bool) and one >= 0 for one in shape)
        if not (isinstance(name, str) and name and isinstance(dtype, str) and whole):
            raise ValueError("no input or output: {!r}".format([name, shape, dtype]))
        ports.append(Port(name, tuple(shape), dtype))
    return tuple(ports)
