"""Why pictures were left out, as one line for each kind of reason."""

from __future__ import annotations

import re
from collections.abc import Sequence

_NUMBER = re.compile(r"\d+(?:\.\d+)?")


def grouped(reasons: Sequence[str]) -> list[tuple[str, int]]:
    """(sentence, how often), the commonest first: sentences that differ in their numbers alone are one, in which each
    number that varies is given as its range."""
    kinds: dict[str, list[str]] = {}
    for reason in reasons:
        kinds.setdefault(alike(reason), []).append(reason)
    groups = [(_ranged(members), len(members)) for members in kinds.values()]
    return sorted(groups, key=lambda group: -group[1])


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
