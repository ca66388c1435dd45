"""Two states side by side, key by key."""

from __future__ import annotations

from edgegreen.locked import differing


def test_each_key_that_differs_by_name() -> None:
    locked = {"tools": {"numpy": "1.26.4", "keras": "3.0"}, "host": "Linux", "power_mode": "MAXN"}
    found = {"tools": {"numpy": "2.4.6", "onnx": "1.23"}, "host": "Linux", "power_mode": None}
    assert differing.words(differing.between(locked, found)) == [
        "tools.numpy: locked 1.26.4, found 2.4.6",
        "tools.keras: locked 3.0, found nothing",
        "power_mode: locked MAXN, found nothing",
        "tools.onnx: locked nothing, found 1.23",
    ]


def test_none_is_as_if_left_out() -> None:
    assert differing.between({"l4t": None}, {}) == []


def test_digests_are_cut_but_compared_whole() -> None:
    one, other = "ab" * 32, "ab" * 31 + "ac"
    (difference,) = differing.between({"model": one}, {"model": other})
    assert str(difference) == "model: sha256 abababababab… → sha256 abababababab…"
