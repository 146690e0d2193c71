"""Reasons that differ by a degree are one reason."""

from __future__ import annotations

from runtime.reasons import grouped


def test_sentences_that_differ_in_their_numbers_are_one_with_the_range_of_each() -> None:
    tilted = [f"shows only {side} m of ground, {tilt} deg from straight down at 60 m" for side, tilt in
              ((7, 71), (12, 68), (9, 70.5))]  # fmt: skip
    assert grouped([*tilted, "blurred", "below 10 m"]) == [
        ("shows only 7 to 12 m of ground, 68 to 71 deg from straight down at 60 m", 3),
        ("blurred", 1),
        ("below 10 m", 1),
    ]


def test_the_commonest_comes_first_and_nothing_gives_nothing() -> None:
    assert grouped(["blurred", "below 10 m", "below 10 m"]) == [("below 10 m", 2), ("blurred", 1)]
    assert grouped([]) == []
