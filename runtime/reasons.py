"""Why pictures were left out, as one line for each kind of reason."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_NUMBER = re.compile(r"\d+(?:\.\d+)?")


def grouped(reasons: Sequence[str]) -> list[tuple[str, int]]:
    """(sentence, how often), the commonest first: sentences that differ in their numbers alone are one, in which each
    number that varies is given as its range."""
    kinds: dict[str, list[str]] = {}
    for reason in reasons:
        kinds.setdefault(alike(reason), []).append(reason)
    groups = [(_ranged(members), len(members)) for members in kinds.values()]
    return sorted(groups, key=lambda group: -group[1])


@dataclass(frozen=True, slots=True)
class Reason:
    """Why ``count`` pictures were left out, one of them ``example``."""

    sentence: str
    count: int
    example: str


def with_examples(left_out: Sequence[tuple[str, str]]) -> list[Reason]:
    """The reasons of pairs of a picture's name and a sentence, each kind once with its first picture, the commonest
    first."""
    first: dict[str, str] = {}
    for name, sentence in left_out:
        first.setdefault(alike(sentence), name)
    found = grouped([sentence for _, sentence in left_out])
    return [Reason(sentence, count, first[alike(sentence)]) for sentence, count in found]


def alike(reason: str) -> str:
    """A sentence without its numbers: what those have in common that differ in them alone."""
    return _NUMBER.sub("#", reason)


def _ranged(members: Sequence[str]) -> str:
    columns = zip(*(_NUMBER.findall(member) for member in members), strict=True)
    ranges = iter([_range(numbers) for numbers in columns])
    return _NUMBER.sub(lambda _: next(ranges), members[0])


def _range(numbers: Sequence[str]) -> str:
    least, most = min(numbers, key=float), max(numbers, key=float)
    return least if least == most else f"{least} to {most}"
