"""One is one, and nothing and many are many."""

from __future__ import annotations

from runtime.counted import counted
from runtime.history.broken import sentence


def test_a_number_and_what_it_counts() -> None:
    assert [counted(number, "photo") for number in (0, 1, 2)] == ["0 photos", "1 photo", "2 photos"]


def test_one_broken_keyframe_is_left_out() -> None:
    assert sentence("h.db", {3: "t_ns is missing"}).startswith("h.db: 1 broken keyframe is left out (keyframe 3: ")
    assert sentence("h.db", {3: "a", 4: "b"}).startswith("h.db: 2 broken keyframes are left out (keyframe 3: a)")
