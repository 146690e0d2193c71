"""Reasons that differ by a degree are one reason."""

from __future__ import annotations

from runtime.reasons import grouped, with_examples


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


def test_each_kind_has_its_first_picture_as_example_whatever_ranges_its_numbers_have() -> None:
    left_out = [("a", "shows only 7 m of ground at 60 m"), ("b", "blurred"), ("c", "shows only 12 m of ground at 60 m")]
    found = [(reason.sentence, reason.count, reason.example) for reason in with_examples(left_out)]
    assert found == [("shows only 7 to 12 m of ground at 60 m", 2, "a"), ("blurred", 1, "b")]
