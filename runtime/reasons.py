"""Why pictures were left out, as one line for each kind of reason."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_NUMBER = re.compile(r"\d+(?:\.\d+)?")


def grouped(reasons: Sequence[str]) -> list[tuple[str, int]]:
    """(sentence, how often), the commonest first: sentences that differ in their numbers alone are one, in which each
    number that varies is given as its range."""
    return [(reason.sentence, reason.count) for reason in with_examples([("", reason) for reason in reasons])]


@dataclass(frozen=True, slots=True)
class Reason:
    """Why ``count`` pictures were left out, one of them ``example``."""

    sentence: str
    count: int
    example: str


def with_examples(left_out: Sequence[tuple[str, str]]) -> list[Reason]:
    """The reasons of pairs of a picture's name and a sentence, each kind once with its first picture, the commonest
    first."""
    kinds: dict[str, list[tuple[str, str]]] = {}
    for name, sentence in left_out:
        kinds.setdefault(alike(sentence), []).append((name, sentence))
    found = [Reason(_ranged([one for _, one in kind]), len(kind), kind[0][0]) for kind in kinds.values()]
    return sorted(found, key=lambda reason: -reason.count)


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
