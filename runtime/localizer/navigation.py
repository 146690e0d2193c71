"""Which word on the aircraft's position is flown: the autopilot's, or the camera's; and whether GPS can be believed.

Both words are kept at all times. The camera's never comes from the autopilot's, so either can be held against the
other; an autopilot that is fed with the camera's word repeats it, and is then nobody's witness.
"""

from __future__ import annotations

from dataclasses import replace
from enum import Enum

from runtime.freshness import GPS_FIX, LINK
from runtime.localizer.autopilot import AutopilotLocalizer
from runtime.localizer.fix_difference import FixDifference
from runtime.localizer.gps_watch import GpsAlarm, GpsWatch
from runtime.localizer.vision import VisionLocalizer
from runtime.values import Estimate, Fix, GeoPoint, NavState, Odometry, Position, PositionSource, TrackingState


class NavigationSource(str, Enum):
    """Whose word the operator wants flown."""

    AUTOPILOT = "autopilot"  # the autopilot's, and nothing where GPS is doubted
    VISION = "vision"  # the camera's alone
    AUTO = "auto"  # the autopilot's as long as it rests on a GPS that is believed, then the camera's


class GpsStanding(str, Enum):
    """What is thought of the satellite receiver."""

    ABSENT = "absent"  # it has had no fix since start, or since the motors last stopped
    BELIEVED = "believed"
    LOST = "lost"  # its fix went while the motors ran; not believed again before they stop
    DOUBTED = "doubted"  # it said what cannot be true; not believed again by this daemon


class Navigation:
    """Gives the estimate that is flown, from the autopilot's states, the receiver's reports, odometry and fixes."""

    def __init__(
        self,
        source: NavigationSource = NavigationSource.AUTOPILOT,
        vision: VisionLocalizer | None = None,
        autopilot: AutopilotLocalizer | None = None,
    ) -> None:
        self.source = source
        self._vision = vision or VisionLocalizer()
        self._autopilot = autopilot or AutopilotLocalizer()
        self._watch = GpsWatch(self._vision.estimate)
        self._gps = GpsStanding.ABSENT
        self._fixed_t_ns: int | None = None  # of the receiver's newest report with a fix
        self._armed = self._heard_gps = self._newest_has_fix = False
        self.echoing = False  # the autopilot is fed with the camera's word: its own is an echo

    # What comes in

    def on_nav(self, state: NavState) -> None:
        """Takes the autopilot's newest state."""
        self._autopilot.on_nav(state)
        self._vision.on_nav(state)

    def on_armed(self, armed: bool) -> None:
        """Takes whether the motors run; when they stop, a receiver that was only lost may be believed again."""
        if self._armed and not armed and self._gps is GpsStanding.LOST:
            self._gps, self._fixed_t_ns = GpsStanding.ABSENT, None
        self._armed = armed

    def on_gps(self, t_ns: int, reported: Position | None) -> GpsAlarm | None:
        """Takes a report of the receiver itself, None without a 3D fix; the alarm, where this report raises it.

        A fix that comes for the first time in flight is not believed, unless it is the very first report: then it is
        this daemon that came late.
        """
        self._let_time_pass(t_ns)
        first, self._heard_gps = not self._heard_gps, True
        self._newest_has_fix = reported is not None
        if reported is None:
            return None
        self._fixed_t_ns = t_ns
        if self._gps is GpsStanding.ABSENT and (first or not self._armed):
            self._gps = GpsStanding.BELIEVED
        alarm = self._watch.on_gps(t_ns, reported) if self._gps is not GpsStanding.ABSENT else None
        if alarm is not None:
            self._gps = GpsStanding.DOUBTED
        return alarm

    def on_odometry(self, odometry: Odometry) -> None:
        """Takes what one frame says of the motion."""
        self._vision.on_odometry(odometry)
        self._watch.on_odometry(odometry)

    def on_fix(self, fix: Fix, autopilot: Position | None) -> FixDifference | None:
        """Takes a fix and the autopilot's position at its exposure; their difference, None where either is unknown."""
        return self._vision.on_fix(fix, autopilot)

    def relocalise(self, t_ns: int, near: GeoPoint, radius_m: float) -> None:
        """The operator says where the aircraft is, at ``t_ns`` and within ``radius_m``: see `VisionLocalizer`."""
        self._vision.relocalise(t_ns, near, radius_m)

    # What is believed

    @property
    def gps(self) -> GpsStanding:
        """What is thought of the receiver."""
        return self._gps

    @property
    def alarm(self) -> GpsAlarm | None:
        """Why the receiver is doubted; it stays."""
        return self._watch.alarm

    @property
    def autopilot_is_witness(self) -> bool:
        """Whether the autopilot's position rests on a receiver that is believed, and on nothing of ours: else it is
        neither recorded nor compared with."""
        return self._gps is GpsStanding.BELIEVED and not self.echoing

    @property
    def reset_counter(self) -> int:
        """How often the camera's word has jumped from one place to another."""
        return self._vision.reset_counter

    @property
    def supported_t_ns(self) -> int | None:
        """The exposure of the newest fix that spoke for the camera's word."""
        return self._vision.supported_t_ns

    def coast_left_s(self, t_ns: int) -> float | None:
        """How long the camera's word may still be believed without a fix; None while it has none."""
        return self._vision.coast_left_s(t_ns)

    def vision(self, t_ns: int) -> Estimate:
        """The camera's word of an instant, whatever is flown."""
        return self._vision.estimate(t_ns)

    def estimate(self, t_ns: int) -> Estimate:
        """What is flown at ``t_ns``: see `NavigationSource`."""
        self._let_time_pass(t_ns)
        if self.source is NavigationSource.VISION:
            return self._vision.estimate(t_ns)
        if self.source is NavigationSource.AUTO and (self._gps is not GpsStanding.BELIEVED or self.echoing):
            return self._vision.estimate(t_ns)
        word = self._autopilot.estimate(t_ns)
        if self.alarm is not None:
            return replace(word, state=TrackingState.LOST, reason=f"GPS is doubted: {self.alarm.reason}")
        if self.echoing:
            return Estimate.lost(t_ns, PositionSource.AUTOPILOT, "the autopilot repeats what it is fed")
        return word

    def _let_time_pass(self, t_ns: int) -> None:
        """A receiver that was believed and gives no fix any more is lost. One of which nothing is heard may be fine
        and its telemetry late: that takes as long as for a link to be lost."""
        limit_ns = LINK.ns if self._newest_has_fix else GPS_FIX.ns
        silent = self._fixed_t_ns is None or t_ns - self._fixed_t_ns > limit_ns
        if self._gps is GpsStanding.BELIEVED and silent:
            self._gps = GpsStanding.LOST if self._armed else GpsStanding.ABSENT
