"""Passes that win less than they seem to: said with what they do win, and beside the row without them."""

from __future__ import annotations

from typing import Any

import pytest
from builders import measurement, run

from edgegreen.config.passes import Pass
from edgegreen.judging import applied, comparison, fakewins
from edgegreen.measurement import ArtifactUsed, Measurement
from edgegreen.report import terminal

PRUNED = ("prune (sparsity 0.8)",)


def row(
    name: str, p50: float, sizes: tuple[int, int], passes: tuple[str, ...] = (), **changes: Any
) -> Measurement:
    file = ArtifactUsed(sha256="5f" * 32, size_bytes=sizes[0], compressed_bytes=sizes[1], built_by="test 1.0")
    return measurement(name, p50=p50, artifact=file, passes=passes, **changes)


def said(*items: Measurement) -> tuple[str, ...]:
    """Of the last row; the others have none."""
    *others, last = fakewins.warnings(items)
    assert others == [()] * len(others)
    return last


def test_zeros_that_make_nothing_faster_win_the_compressed_size() -> None:
    (words,) = said(row("int8", 1.0, (50_000, 45_000)), row("lean", 1.0, (50_000, 15_000), PRUNED))
    assert words == (
        "zeros do not make it faster than int8 here (1 and 1 ms); what they win is the size when compressed, "
        "15,000 bytes instead of 45,000; on the board it is 50,000"
    )


def test_a_runtime_that_skips_zeros_wins_time_but_no_room() -> None:
    (words,) = said(row("int8", 1.0, (50_000, 45_000)), row("lean", 0.5, (50_000, 15_000), PRUNED))
    assert words.startswith(
        "zeros do not make the file smaller than int8 (50,000 and 50,000 bytes); what they win"
    )


def test_nothing_won_is_said_as_well() -> None:
    (words,) = said(row("int8", 1.0, (50_000, 45_000)), row("lean", 1.0, (50_000, 44_000), PRUNED))
    assert words.endswith("nor is the file smaller when compressed (44,000 bytes)")


def test_a_real_win_is_none_to_warn_of() -> None:
    assert said(row("int8", 1.0, (50_000, 45_000)), row("lean", 0.5, (20_000, 15_000), PRUNED)) == ()


@pytest.mark.parametrize(
    "sibling",
    [
        {"precision": "fp32"}, {"threads": 4}, {"target": "other"}, {"passes": ("low_rank",)},
        {"runtime": ("tflite-runtime", "2.14.0", None)},
    ],
)  # fmt: skip
def test_compared_with_the_same_but_for_the_pass_only(sibling: dict[str, Any]) -> None:
    (words,) = said(row("x", 1.0, (50_000, 45_000), **sibling), row("y", 1.0, (50_000, 9), PRUNED))
    assert (
        words == "no row is the same but for zeros: whether they make it faster or smaller here is not seen"
    )


def test_a_file_by_another_tool_is_not_the_same() -> None:
    other = row("x", 1.0, (50_000, 45_000))
    made = other.artifact.model_copy(update={"built_by": "another tool"})
    (words,) = said(other.model_copy(update={"artifact": made}), row("y", 1.0, (50_000, 9), PRUNED))
    assert words.startswith("no row is the same")


def test_other_passes_have_to_be_the_same() -> None:
    both = ("prune_filters (share 0.5)", "prune (sparsity 0.8)", "cluster (clusters 16)")
    thin = row("thin", 1.0, (20_000, 18_000), both[:1])
    (words,) = said(row("int8", 1.5, (50_000, 45_000)), thin, row("both", 1.0, (20_000, 5_000), both))
    assert words.startswith("zeros and shared weights do not make it faster than thin")


def test_of_an_emulated_board_only_sizes_are_compared() -> None:
    emulated = {"conditions": {"board": {"emulated": True}}}
    plain = row("int8", 1.0, (50_000, 45_000), **emulated)
    (words,) = said(plain, row("lean", 1.0, (50_000, 15_000), PRUNED, **emulated))
    assert "faster" not in words
    assert "15,000" in words


def test_an_untrusted_sibling_is_the_second_choice() -> None:
    doubted = row("doubted", 1.0, (50_000, 45_000), verdict="invalid", reasons=("x",))
    found = fakewins.warnings(
        [doubted, row("int8", 1.0, (50_000, 45_000)), row("l", 1.0, (50_000, 9), PRUNED)]
    )
    assert "int8" in found[2][0]


def test_the_deflated_column_is_there_only_where_it_tells_something(
    capsys: pytest.CaptureFixture[str],
) -> None:
    plain = row("int8", 1.0, (50_000, 45_000))
    for items, there in (([plain], False), ([plain, row("lean", 1.0, (50_000, 15_000), PRUNED)], True)):
        made = run(*items)
        terminal.show(made, comparison.of(made), terminal.console())
        out = capsys.readouterr().out
        assert ("Deflated" in out) is there
        assert ("15.0 kB" in out) is there


def test_a_pass_in_words_names_what_was_given() -> None:
    steps = [Pass.model_validate(one) for one in ({"prune": {"sparsity": 0.80, "epochs": 3}}, {"prune": {}})]
    told = applied.all_told(steps)
    assert told == ("prune (epochs 3, sparsity 0.8)", "prune")
    assert [applied.name_of(one) for one in told] == ["prune", "prune"]
