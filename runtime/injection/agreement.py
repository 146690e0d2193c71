"""Whether the autopilot takes what it is fed: by its estimator's own words and by where it says that it is."""

from __future__ import annotations

import math

from runtime.injection.settings import InjectionLimits
from runtime.injection.values import InjectionReason
from runtime.values import Covariance


class Agreement:
    """Judges one instant after the other; a disagreement must last before it counts."""

    def __init__(self, limits: InjectionLimits) -> None:
        self._limits = limits
        self._since_ns: dict[InjectionReason, int] = {}

    def reset(self) -> None:
        """Begins anew."""
        self._since_ns.clear()

    def judged(
        self,
        t_ns: int,
        apart_m: tuple[float, float] | None,
        covariance_m2: Covariance,
        rejected: bool,
    ) -> tuple[InjectionReason, ...]:
        """What has lasted too long. ``apart_m``: the autopilot's position less what was fed for that very instant."""
        failing = {
            InjectionReason.ESTIMATOR_REJECTS: rejected,
            InjectionReason.ECHO_DISAGREES: apart_m is not None and self._far(apart_m, covariance_m2),
        }
        for reason, fails in failing.items():
            if not fails:
                self._since_ns.pop(reason, None)
            else:
                self._since_ns.setdefault(reason, t_ns)
        return tuple(r for r, since_ns in self._since_ns.items() if t_ns - since_ns >= self._limits.disagree_ns)

    def _far(self, apart_m: tuple[float, float], covariance_m2: Covariance) -> bool:
        limits = self._limits
        beyond_m = limits.disagree_sigmas * sigma_along(apart_m, covariance_m2)
        return math.hypot(*apart_m) > max(limits.disagree_least_m, beyond_m)


def sigma_along(direction_m: tuple[float, float], covariance_m2: Covariance) -> float:
    """1-sigma in the direction of a vector."""
    (nn, ne), (_, ee) = covariance_m2
    north, east = direction_m
    square = north * north + east * east
    if square == 0.0:
        return math.sqrt(max(nn, ee))
    return math.sqrt(max(0.0, (north * north * nn + 2 * north * east * ne + east * east * ee) / square))
