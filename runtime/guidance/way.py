"""The way from the aircraft to the target, as a line with corners, and what forbids to fly it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from runtime.guidance.limits import EXACT, Limits
from runtime.guidance.reasons import Reason
from runtime.values import Covariance, Estimate, GeoPoint


def margin_covariance(estimate: Estimate) -> Covariance:
    """What limits are kept away by. An untrusted estimate commands nothing anyway, and its covariance, which may be
    infinite, would call every place outside."""
    return estimate.covariance_m2 if estimate.trusted else EXACT


def way_reasons(
    corners: Sequence[GeoPoint], estimate: Estimate, limits: Limits, home: GeoPoint | None
) -> Iterator[Reason]:
    """The reasons for not commanding where the target, the last of ``corners``, or the way to it over the others leaves
    the area or the distance, with the estimate's sigma to spare."""
    target, here, spare = corners[-1], estimate.position, margin_covariance(estimate)
    if not limits.area.contains(target, spare):
        yield Reason.TARGET_OUTSIDE_AREA
    elif _leaves(corners, here, limits, home, spare):
        yield Reason.PATH_LEAVES_AREA
    if home is not None and not limits.within_distance(home, target, spare):
        yield Reason.TARGET_TOO_FAR


def _leaves(
    corners: Sequence[GeoPoint], here: GeoPoint | None, limits: Limits, home: GeoPoint | None, spare: Covariance
) -> bool:
    """Whether the way does, where the aircraft itself does not; a straight line is farthest from home at its ends."""
    if here is None or not limits.area.contains(here, spare):
        return False
    way = [here, *corners]
    if not all(limits.area.contains_path(a, b, spare) for a, b in zip(way, way[1:], strict=False)):
        return True
    return home is not None and not all(limits.within_distance(home, corner, spare) for corner in corners[:-1])
