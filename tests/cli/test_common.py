"""What several commands have in common."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from edgegreen.cli import common
from edgegreen.errors import InputError


def test_where_a_result_does_not_fit_no_half_of_it_is_left(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(InputError, match=r"cannot write .*run\.json: File too large"):
            common.write(tmp_path / "run.json", "x" * 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []
    common.write(tmp_path / "run.json", "whole")
    assert (tmp_path / "run.json").read_text() == "whole"
