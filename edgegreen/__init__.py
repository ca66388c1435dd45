"""Deploy trained models to real boards and read accuracy, latency, memory and energy in one table.

    import edgegreen
    run = edgegreen.deploy("recipe.yaml", targets=["pi5", "jetson"])
    for result in run.results:
        print(result.variant, result.target, result.latency_ms.p50, result.accuracy)

Names are imported when first used, so that importing edgegreen costs nothing.
"""

from importlib import import_module
from importlib.metadata import version
from typing import Any

_HOMES = {
    "deploy": "edgegreen.session",
    "Recipe": "edgegreen.recipe",
    "Target": "edgegreen.target",
    "Run": "edgegreen.measurement",
    "Measurement": "edgegreen.measurement",
    "EdgegreenError": "edgegreen.errors",
    "InputError": "edgegreen.errors",
    "ConversionError": "edgegreen.errors",
    "UnreachableError": "edgegreen.errors",
    "DeviceError": "edgegreen.errors",
}
__all__ = ["__version__", *_HOMES]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return version("edgegreen")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'edgegreen' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
