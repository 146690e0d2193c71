"""What the decision rests on, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from runtime.values import Aiding, AidingRoute, NavState, Position


class InjectionState(str, Enum):
    """How far the injection is."""

    OFF = "off"  # not configured
    WAITING = "waiting"  # nothing to feed with; the reasons say why
    ALIGNING = "aligning"  # streaming; the autopilot flies on its own sources
    FEEDING = "feeding"  # streaming; the autopilot flies on it
    STOPPED = "stopped"  # given up until the vehicle is on the ground


class InjectionReason(str, Enum):
    """Why the autopilot is not fed, or not told to fly on it; all that hold at once."""

    NOT_TRACKING = "vision_not_tracking"
    UNCERTAIN = "vision_too_uncertain"
    ODOMETRY_MISSING = "odometry_missing"  # the last pictures measured no motion
    FIX_TOO_OLD = "fix_too_old"
    VEHICLE_UNREACHABLE = "vehicle_unreachable"  # silent, its clock unknown, or a rival on the link
    ROUTE_UNSUPPORTED = "route_unsupported"  # the autopilot does not take this message, or has not said that it does
    NO_POSE = "no_pose"  # of the estimate's instant
    NO_ORIGIN = "no_origin"  # of the autopilot's local frame
    NO_ORIGIN_ALTITUDE = "no_origin_altitude"  # and it cannot be set: nothing says how high the ground lies
    GPS_IN_USE = "gps_in_use"  # it has a fix that nobody doubts
    NOT_ALIGNED = "not_aligned"  # sight and the autopilot disagree, and nothing says that it is GPS that lies
    STREAM_TOO_SHORT = "stream_too_short"
    SWITCH_UNANSWERED = "switch_unanswered"
    SWITCH_REFUSED = "switch_refused"
    ESTIMATE_NOT_TAKEN = "estimate_not_taken"  # the autopilot has not been put onto a position yet, or would not be
    ESTIMATOR_REJECTS = "estimator_rejects"
    ECHO_DISAGREES = "echo_disagrees"  # the autopilot's own position left what it is fed with


@dataclass(frozen=True, slots=True)
class Support:
    """What speaks for the position by sight: exposures of the newest frame that odometry measured with and of the
    newest fix that agreed, None for none; ``reset_counter`` grows whenever the position is another one."""

    odometry_t_ns: int | None
    fix_t_ns: int | None
    reset_counter: int = 0
    gps_alarm: bool = False


@dataclass(frozen=True, slots=True)
class AidingSituation:
    """What the autopilot says that matters here.

    ``routes``: what it takes, the best first. ``has_origin``: its local frame begins somewhere. ``nav``: its attitude,
    height and position at the *estimate's* instant. ``gps_lost_s``: since when its receiver has no fix; 0 while it has
    one, infinite where it never had. ``estimator_ok`` and ``position_ratio`` (innovation test ratio) are its
    estimator's own words, None where it says nothing.
    """

    reachable: bool
    on_ground: bool
    has_source_sets: bool
    has_origin: bool
    nav: NavState | None
    gps_lost_s: float
    routes: tuple[AidingRoute, ...]
    estimator_ok: bool | None = None
    position_ratio: float | None = None

    @property
    def position(self) -> Position | None:
        """The autopilot's own position at the estimate's instant; none where its estimator has given up without GPS:
        what it still reports then is where it last was."""
        given_up = self.gps_lost_s > 0.0 and self.estimator_ok is False
        return None if self.nav is None or given_up else self.nav.position


@dataclass(frozen=True, slots=True)
class InjectionDecision:
    """What is to be sent now, and the EKF source set that is to be switched to, if any."""

    state: InjectionState
    reasons: tuple[InjectionReason, ...] = ()
    messages: tuple[Aiding, ...] = ()
    switch_to: int | None = None
