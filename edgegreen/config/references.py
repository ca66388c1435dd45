"""References to files, as a recipe makes them: beside itself, or somewhere else and known by digest."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from edgegreen.config.yamlfile import Frozen, Matching


def beside_the_recipe(path: Path, info: ValidationInfo) -> Path:
    """Paths are relative to the recipe, whose folder comes as the context."""
    folder: Path = (info.context or {}).get("folder", Path())
    try:
        return folder / path.expanduser()
    except RuntimeError:
        raise ValueError(f"`{path}`: there is no such user") from None


def _not_empty(value: object) -> object:
    if value == "":  # Path("") would be the recipe's own folder
        raise ValueError("should not be empty")
    return value


Sha256 = Annotated[str, Matching(r"[0-9a-f]{64}", "a sha256: 64 digits of 0–9 and a–f")]
Beside = Annotated[Path, BeforeValidator(_not_empty), AfterValidator(beside_the_recipe)]
"""A file or folder, relative to the recipe."""


def absent(path: Path, *, folder: bool) -> str | None:
    """Why a file cannot be taken from there, in words; None when it can. With `folder`, it may be one."""
    try:
        path.stat()
    except FileNotFoundError:
        return "does not exist"
    except OSError as error:
        return f"cannot be looked at: {error.strerror}"
    return "is a folder" if path.is_dir() and not folder else None


class Download(Frozen):
    """A file (or a folder of files) known by its digest.

    Looked for in the download cache, then in `$EDGEGREEN_ASSETS`, then fetched from `url`.
    """

    url: (
        Annotated[str, Matching(r"https://[^/\s]+/\S+", "an https:// address of a file or folder")] | None
    ) = None
    """Where to fetch it. For a folder: the address its files' names are appended to."""
    file: str | None = None
    """For a file nobody serves: its path below `$EDGEGREEN_ASSETS`."""
    sha256: Sha256 | None = None
    files: Annotated[dict[str, Sha256], Field(min_length=1)] | None = None
    """For a folder, such as a SavedModel: relative path → digest of each of its files."""

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        if (self.url is None) == (self.file is None):
            raise ValueError("give either `url` or `file`")
        if (self.sha256 is None) == (self.files is None):
            raise ValueError("give `sha256` (one file) or `files` (a folder: path → sha256)")
        return self

    @field_validator("files")
    @classmethod
    def _inside_the_folder(cls, files: dict[str, Sha256] | None) -> dict[str, Sha256] | None:
        for name in files or {}:
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts or str(path) != name or not path.name:
                raise ValueError(f"`{name}` is not a path inside the folder")
        return files
