"""Which pictures of a flight are laid on each other: near enough to overlap, where it turned most, and elsewhere."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence

from runtime.camera_model import CameraModel
from runtime.mounting.footage import Footage
from runtime.mounting.seen import Seen, seen_between
from runtime.odometry.picture import Picture
from runtime.rotations import rotation
from runtime.values import NavState

_APART_S, _FARTHEST_S = 0.35, 2.0  # a gust swings a multirotor about once a second
_LEAST_HEIGHT_M = 8.0  # below, what stands on the ground is no plane any more
_MOST_SHIFT = 0.7  # of the height: less than half of the picture is left in common beyond


def chosen_pairs(footage: Footage, most: int) -> list[tuple[int, int]]:
    """Numbers of at most ``most`` pairs: half of them those that turned the most, the others evenly over the flight."""
    pairs = list(_pairs(footage))
    if len(pairs) <= most:
        return [pair for pair, _ in pairs]
    order = sorted(range(len(pairs)), key=lambda number: -pairs[number][1])
    taken = set(order[: most // 2])
    rest = [number for number in range(len(pairs)) if number not in taken]
    evenly = {rest[round(k * (len(rest) - 1) / max(1, most - len(taken) - 1))] for k in range(most - len(taken))}
    return [pairs[number][0] for number in sorted(taken | evenly)]


def seen_pairs(footage: Footage, pairs: Sequence[tuple[int, int]], camera: CameraModel) -> Iterator[Seen | None]:
    """What each pair shows, None where it shows nothing in common; each picture is read once."""
    before = {second: first for first, second in pairs}
    wanted = {number for pair in pairs for number in pair}
    known: dict[int, Picture] = {}
    for number, image in footage.pictures(wanted):
        scaled = camera.scaled_to(image.shape[1], image.shape[0])
        known[number] = Picture.of(image, scaled)
        first = before.get(number)
        if first is None:
            continue
        picture = known.pop(first, None)
        stamps_s = footage.stamps_s[first], footage.stamps_s[number]
        yield None if picture is None else seen_between(picture, known[number], *stamps_s)


def _pairs(footage: Footage) -> Iterator[tuple[tuple[int, int], float]]:
    """One after the other, with the angle by which the log turned between."""
    stamps_s, first = footage.stamps_s, 0
    while first < len(stamps_s):
        second = bisect_left(stamps_s, stamps_s[first] + _APART_S, lo=first + 1)
        if second >= len(stamps_s):
            return
        states = footage.state(stamps_s[first]), footage.state(stamps_s[second])
        turned = _turned_rad(states, stamps_s[second] - stamps_s[first])
        if turned is not None:
            yield (first, second), turned
        first = second


def _turned_rad(states: tuple[NavState | None, NavState | None], span_s: float) -> float | None:
    """The angle between two instants; None where they show too little in common, or nothing is known of them."""
    first, second = states
    if first is None or second is None or span_s > _FARTHEST_S:
        return None
    attitudes, height = (first.pose.ned_from_body, second.pose.ned_from_body), first.pose.height_agl_m
    if attitudes[0] is None or attitudes[1] is None or height is None or height.value < _LEAST_HEIGHT_M:
        return None
    velocity = first.position and first.position.velocity_ned_m_s
    if velocity and math.hypot(velocity[0], velocity[1]) * span_s > _MOST_SHIFT * height.value:
        return None
    return float((rotation(attitudes[1]) * rotation(attitudes[0]).inv()).magnitude())
