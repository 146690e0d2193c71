"""The autopilot's word as the estimate."""

from __future__ import annotations

from runtime.freshness import POSITION_TO_TRUST
from runtime.values import Estimate, NavState, PositionSource, TrackingState

MAX_SIGMA_M = 10.0  # beyond it the autopilot's position is no place to steer by


class AutopilotLocalizer:
    """Believes the autopilot, within its own stated sigma; no fix is mixed in.

    TRACKING while the autopilot has a fresh position and calls it good enough, else LOST with the reason: with nothing
    but the autopilot's word there is nothing to search by, so it is never SEARCHING.
    """

    def __init__(self, max_sigma_m: float = MAX_SIGMA_M) -> None:
        self._max_sigma_m = max_sigma_m
        self._newest: NavState | None = None

    def on_nav(self, state: NavState) -> None:
        """Takes the autopilot's newest state; one that is older is dropped."""
        if self._newest is None or state.t_ns >= self._newest.t_ns:
            self._newest = state

    def estimate(self, t_ns: int) -> Estimate:
        """The estimate at ``t_ns``; its own ``t_ns`` is the instant of the autopilot's position."""
        if self._newest is None or self._newest.position is None:
            return Estimate.lost(t_ns, PositionSource.AUTOPILOT, "the autopilot reports no position")
        position, age_ns = self._newest.position, t_ns - self._newest.t_ns
        reason = ""
        if position.sigma_m > self._max_sigma_m:
            reason = f"the autopilot's sigma is {position.sigma_m:.0f} m"
        if age_ns > POSITION_TO_TRUST.ns:
            reason = f"the autopilot's last position is {age_ns * 1e-9:.0f} s old"
        return Estimate(
            t_ns=self._newest.t_ns,
            state=TrackingState.LOST if reason else TrackingState.TRACKING,
            position=position.point,
            covariance_m2=position.covariance_m2,
            source=position.source,
            reason=reason,
            velocity_ned_m_s=position.velocity_ned_m_s,
            heading=self._newest.pose.heading,
        )
