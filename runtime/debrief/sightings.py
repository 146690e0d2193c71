"""How good the word on the position was, estimate by estimate, against whoever else knew the place.

The ellipse that holds 68 % of a two-dimensional Gaussian is what "inside 1 sigma" means here, and the one that holds
95 % is "2 sigma"; a tenth of a metre an axis at 1 sigma is *not* that.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri  # chi-squared: scipy.stats takes a second to import

from runtime.debrief.truth import Truth
from runtime.debrief.wire import Received
from runtime.geodesy import north_east_m
from runtime.values import Covariance, GeoPoint, TrackingState, axis_sigma_m

ONE_SIGMA, TWO_SIGMA = (float(chdtri(2, 1.0 - share)) for share in (0.68, 0.95))  # squared Mahalanobis distances
_ANYWHERE_M2 = 1e12  # variance of a position that nothing is known of
_WRONG_SIGMAS, _WRONG_M = 4.0, 15.0  # an error beyond both, while TRACKING, is confidently wrong


@dataclass(frozen=True, slots=True)
class Sighting:
    """One estimate: of the instant ``t_ns``, ``error_ne_m`` from the truth (None without a position or a truth)."""

    t_ns: int
    state: str
    place: GeoPoint | None
    error_ne_m: tuple[float, float] | None
    covariance_m2: Covariance

    @property
    def tracking(self) -> bool:
        """Whether it was to be steered by, and can be judged."""
        return self.state == TrackingState.TRACKING.value and self.error_ne_m is not None

    @property
    def error_m(self) -> float:
        """Distance from the truth; infinite without a position."""
        return math.inf if self.error_ne_m is None else math.hypot(*self.error_ne_m)

    @property
    def sigma_m(self) -> float:
        """As it was stated, an axis."""
        return axis_sigma_m(self.covariance_m2)

    @property
    def square_sigmas(self) -> float:
        """Squared Mahalanobis distance of the truth."""
        if self.error_ne_m is None:
            return math.inf
        off = np.array(self.error_ne_m)
        return float(off @ np.linalg.solve(np.array(self.covariance_m2), off))

    @property
    def right(self) -> bool:
        """TRACKING, and not confidently wrong."""
        return self.tracking and not self.confidently_wrong

    @property
    def confidently_wrong(self) -> bool:
        """TRACKING, beyond 4 sigma and beyond 15 m."""
        return self.tracking and self.error_m > _WRONG_M and self.square_sigmas > _WRONG_SIGMAS**2


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Shares are of 1; None where there was nothing to take a share of. Errors are those of TRACKING frames."""

    frames: int
    position_error_m: dict[str, float | None]
    tracking_share: float | None
    inside_1sigma: float | None
    inside_2sigma: float | None
    confidently_wrong_share: float | None


def accuracy_of(sightings: Sequence[Sighting]) -> Accuracy:
    """The figures of a flight, or of the part of it that is given."""
    tracking = [one for one in sightings if one.tracking]
    errors = [one.error_m for one in tracking]
    squares = np.array([one.square_sigmas for one in tracking])
    wrong = sum(one.confidently_wrong for one in tracking)
    return Accuracy(
        frames=len(sightings),
        position_error_m=spread(errors),
        tracking_share=round(len(tracking) / len(sightings), 4) if sightings else None,
        inside_1sigma=_share(squares <= ONE_SIGMA),
        inside_2sigma=_share(squares <= TWO_SIGMA),
        confidently_wrong_share=round(wrong / len(sightings), 6) if sightings else None,
    )


def spread(values: Sequence[float]) -> dict[str, float | None]:
    """Median, 95th and 99th percentile and the largest, to the thousandth."""
    named = {"median": 50, "p95": 95, "p99": 99, "max": 100}
    if not values:
        return dict.fromkeys(named)
    found = np.percentile(values, list(named.values())).tolist()
    return {name: round(value, 3) for name, value in zip(named, found, strict=True)}


def _share(held: NDArray[np.bool_]) -> float | None:
    return round(float(held.mean()), 4) if held.size else None


def sightings_of(records: Sequence[tuple[int, dict[str, Any]]], truth: Truth | None) -> list[Sighting]:
    """Every record of the channel "vision" or "estimate", in order, held against the truth of its own instant."""
    return [_sighting(record, truth) for _, record in records]


def _sighting(record: dict[str, Any], truth: Truth | None) -> Sighting:
    t_ns, said = int(record["believed_t_ns"]), record["position"]
    place = None if said is None else GeoPoint(said["latitude_deg"], said["longitude_deg"])
    there = None if truth is None else truth.at(t_ns)
    error = None if place is None or there is None else north_east_m(there, place)
    (nn, ne), (en, ee) = record["covariance_m2"]
    known = None not in (nn, ne, en, ee)  # JSON has no infinity
    covariance = ((nn, ne), (en, ee)) if known else ((_ANYWHERE_M2, 0.0), (0.0, _ANYWHERE_M2))
    return Sighting(t_ns, str(record["state"]), place, error, covariance)


def first_right_s(sightings: Sequence[Sighting], from_ns: int) -> float | None:
    """Seconds from an instant to the first frame after it that is TRACKING and not confidently wrong; None: never."""
    for one in sightings:
        if one.t_ns >= from_ns and one.right:
            return round((one.t_ns - from_ns) * 1e-9, 2)
    return None


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened in a flight, for its plots."""

    t_ns: int
    what: str


@dataclass(slots=True)
class Sights:
    """One flight as its log has it: what the camera said, what the receiver said, what happened, and the truth, where
    somebody knows it.

    ``judged_from_ns``: from here on the camera's word is judged.
    """

    name: str
    sightings: list[Sighting] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    moments: list[Moment] = field(default_factory=list)
    judged_from_ns: int = 0
    truth: Truth | None = None

    @property
    def judged(self) -> list[Sighting]:
        """The frames that count."""
        return [one for one in self.sightings if one.t_ns >= self.judged_from_ns]
