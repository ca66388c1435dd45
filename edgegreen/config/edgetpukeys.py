"""Keys of a variant that is for an Edge TPU: who compiles it, and what must not be left to the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from edgegreen.config.references import beside_the_recipe
from edgegreen.config.yamlfile import Frozen

KEYS = ("compiler", "compile_on", "compile_timeout_s", "fail_on_fallback")


class EdgeTpuKeys(Frozen):
    """The keys; the first three may be left out where `edgetpu_compiler` is on this machine's PATH."""

    compile_on: Annotated[str, Field(min_length=1)] | None = None
    """The x86-64 machine that compiles: `ssh://user@host[:port]`, or a target's name."""
    compiler: Annotated[str, Field(min_length=1)] | None = None
    """Path of `edgetpu_compiler`, relative to the recipe or where `compile_on` says; or a name on the `PATH`.

    With `compile_on` it begins with `/` or `~/`.
    """
    compile_timeout_s: Annotated[int, Field(ge=1, le=86400)] = 180
    """How long the compiler may take; it gives up by itself then."""
    fail_on_fallback: bool = False
    """`true`: a model of which operators are left to the CPU is no result but a failure."""

    @field_validator("compiler")
    @classmethod
    def _whole(cls, compiler: str | None, info: ValidationInfo) -> str | None:
        # It is started from a folder of its own, so that no relative path would hold there.
        if compiler is None or "/" not in compiler:
            return compiler
        if not info.data.get("compile_on"):
            return str(beside_the_recipe(Path(compiler), info).absolute())
        if not compiler.startswith(("/", "~/")):
            raise ValueError("is a path where `compile_on` says: begin it with / or ~/")
        return compiler

    def edgetpu_mistake(self, format_: str) -> str | None:
        """What does not go together; None where all does."""
        given = [key for key in KEYS if key in self.model_fields_set]
        if format_ != "edgetpu":
            return f"`{given[0]}` goes with `format: edgetpu` only" if given else None
        if getattr(self, "accuracy_drop_max", None) is not None:
            return "`accuracy_drop_max` leaves operators in float, and the Edge TPU runs none"
        return None
