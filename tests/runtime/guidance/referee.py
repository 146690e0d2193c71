"""A referee of authority in words of its own: it reads a story line by line and knows nothing of guidance's rules.

It is written from docs/safety.md alone. What it shares with guidance are the values that both are told; its numbers
are those of the vehicle and of the limits in `sim.authority.pilot`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from runtime.geodesy import distance_m, north_east_m
from runtime.guidance.reasons import State
from runtime.guidance.situation import Situation
from runtime.values import Estimate, GeoPoint, PositionSource, Setpoint, TrackingState
from sim.authority.pilot import AMSL_OF_TAKEOFF_M, HOME, Line

S = 1_000_000_000
CONSENT_NS, SWITCH_NS, PATIENCE_NS = 300 * S, 1 * S, 2 * S
UNAWARE_NS = 3 * S  # a word so young when the pilot leaves the guided mode was not the pilot's reason
HALF_SIDE_M, FARTHEST_M, FLOOR_M, CEILING_M, RESERVE_PERCENT = 500.0, 450.0, 30.0, 90.0, 30.0
CIRCLE_M = 180.0  # a plane that circles at 80 m: a quarter wider, and 80 m
SLACK_M = 3.0, 6.0  # in height, of a multicopter and of a plane
WHOLLY = {"was_disarmed", "landed", "link_lost", "rebooted", "operator_disengaged", "shut_down"}
# What may come and go within two seconds of flight, in silence; all else ends the flight at once.
MOMENTS = {"entry not known", "old position", "untrusted position", "elsewhere", "rejecting estimator", "old mode",
           "clock", "streams", "failsafe not known", "fence not known", "sticks not known"}  # fmt: skip


class Referee:
    """`hear` a line at a time; ``faults`` are the targets that nobody had the right to send, and why."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.flown = 0  # targets that led on
        self._guided: bool | None = None
        self._target: GeoPoint | None = None
        self._engaged_ns: int | None = None
        self._flying = False
        self._arrived = False
        self._bad_since_ns: int | None = None
        self._told: Line | None = None  # the last decision since which the operator's word has not changed
        self._source: PositionSource | None = None
        self._before: Situation | None = None

    def hear_all(self, story: Iterable[Line]) -> list[str]:
        """The faults of a whole story."""
        for line in story:
            self.hear(line)
        return self.faults

    def hear(self, line: Line) -> None:
        """Takes the next line."""
        if line.what in ("mode", "first mode"):
            self._mode(line)
        elif line.what == "latch":
            self._latched(line.cause)
        elif line.what == "disengage":
            self._judge_hold(line)
            self._end(wholly=True)
        elif line.what in ("confirm", "engage"):
            if line.accepted:
                self._word(line)
        else:
            self._tick(line)

    # Whose word stands

    def _word(self, line: Line) -> None:
        if line.what == "confirm":
            if self._flying:
                self.faults.append("another target was taken in flight")
            if line.target != self._target:
                self._engaged_ns = None if self._target is not None else self._engaged_ns
                self._target, self._told = line.target, None
        else:
            if self._target is None:
                self.faults.append("the operator engaged for nothing")
            self._told = self._told if self._engaged_ns is not None else None
            self._engaged_ns = line.t_ns

    def _mode(self, line: Line) -> None:
        if line.what == "first mode":
            if self._guided is not None:
                self._end(wholly=True)
        elif line.guided and self._guided is False and not self._flying and self._may_be_granted(line.t_ns):
            self._flying, self._arrived, self._bad_since_ns = True, False, None
            assert self._told is not None and self._told.estimate is not None
            self._source = self._told.estimate.source
        elif not line.guided and (self._flying or (self._guided and self._was_unaware(line.t_ns))):
            self._end(wholly=True)
        self._guided = line.guided

    def _was_unaware(self, t_ns: int) -> bool:
        return self._engaged_ns is not None and t_ns - self._engaged_ns < UNAWARE_NS

    def _may_be_granted(self, t_ns: int) -> bool:
        told = self._told
        if self._target is None or self._engaged_ns is None or t_ns - self._engaged_ns >= CONSENT_NS or told is None:
            return False
        assert told.vehicle is not None and told.estimate is not None
        return t_ns - told.t_ns <= SWITCH_NS and not self._flaws(told.t_ns, told.vehicle, told.estimate)

    def _latched(self, cause: str) -> None:
        if cause in WHOLLY or self._flying or self._engaged_ns is not None:
            self._end(wholly=True)
        if cause in ("link_lost", "rebooted"):
            self._guided = None

    def _end(self, wholly: bool) -> None:
        self._flying, self._engaged_ns, self._told, self._bad_since_ns = False, None, None, None
        if wholly:
            self._target = None

    # What is sent

    def _tick(self, line: Line) -> None:
        vehicle, estimate = line.vehicle, line.estimate
        assert vehicle is not None and estimate is not None
        self._notice_an_end(vehicle)
        if not self._flying and self._engaged_ns is not None and line.t_ns - self._engaged_ns >= CONSENT_NS:
            self._end(wholly=True)
        flaws = self._flaws(line.t_ns, vehicle, estimate)
        if line.setpoint is not None:
            self._judge(line, line.setpoint, vehicle, estimate, flaws)
        if line.idle is not None:
            self._judge_idle(line, line.idle, vehicle, flaws)
        if self._flying and self._is_over(line.t_ns, flaws):
            self._end(wholly=True)
        if self._flying and line.state is not State.ENGAGED:
            self._end(wholly=True)  # to give up is always right
        self._told = line

    def _notice_an_end(self, vehicle: Situation) -> None:
        before, self._before = self._before, vehicle
        if before is None or self._flying:
            return
        if before.connected > vehicle.connected or before.armed > vehicle.armed or before.in_air > vehicle.in_air:
            self._end(wholly=True)

    def _is_over(self, t_ns: int, flaws: set[str]) -> bool:
        if not flaws:
            self._bad_since_ns = None
            return False
        if self._bad_since_ns is None:
            self._bad_since_ns = t_ns
        return bool(flaws - MOMENTS) or t_ns - self._bad_since_ns > PATIENCE_NS

    def _judge(
        self, line: Line, setpoint: Setpoint, vehicle: Situation, estimate: Estimate, flaws: set[str]
    ) -> None:
        if not self._flying:
            self._fault(line, "nobody had granted the vehicle")
            return
        self._judge_place(line, setpoint, vehicle, estimate)
        if line.state is not State.ENGAGED and flaws:
            self._judge_hold(line)  # with the last word it stops where it is
            return
        for flaw in flaws:
            self._fault(line, flaw)
        assert self._target is not None
        at_target = distance_m(setpoint.position, self._target) < 0.01
        if self._arrived and not at_target:
            self._fault(line, "it went on after it had arrived")
        if at_target and setpoint.reason.startswith("hold"):
            self._arrived = True
        else:
            self.flown += 1

    def _judge_idle(self, line: Line, idle: Setpoint, vehicle: Situation, flaws: set[str]) -> None:
        """The idle stream: the present point, outside the guided mode, by the operator's word, to a fit vehicle."""
        facts = {
            "in the guided mode": vehicle.guided,
            "by an old mode": vehicle.heartbeat_age_s is None or vehicle.heartbeat_age_s > 1.5,
            "in flight": self._flying,
            "without the operator's word": self._engaged_ns is None or self._target is None,
            "to an autopilot that wants none": not vehicle.wants_stream,
            "beside a target": line.setpoint is not None,
            "not at the present point": idle.position != vehicle.position,
            "not at the present height": idle.altitude_amsl_m != vehicle.altitude_amsl_m,
            "not expiring": not line.t_ns < idle.expires_t_ns <= line.t_ns + S,
            **{f"with {flaw}": True for flaw in flaws},
        }
        for fault in (name for name, holds in facts.items() if holds):
            self._fault(line, f"an idle target {fault}")

    def _judge_hold(self, line: Line) -> None:
        if line.setpoint is None:
            return
        vehicle, estimate = line.vehicle, line.estimate
        assert vehicle is not None and estimate is not None
        if not self._flying:
            self._fault(line, "a hold for a vehicle that nobody had granted")
        ours = vehicle.connected and vehicle.armed and vehicle.in_air and vehicle.guided
        alone = _is_flown(vehicle) and vehicle.single_autopilot and vehicle.single_companion
        calm = vehicle.failsafe is False and vehicle.fence_breached is False and vehicle.sticks_moved is False
        fresh = vehicle.heartbeat_age_s is not None and vehicle.heartbeat_age_s <= 1.5
        if not (ours and alone and calm and fresh):
            self._fault(line, "a hold for a vehicle that is not ours")
        here = vehicle.position if estimate.source is PositionSource.VISION else estimate.position
        if here is None or distance_m(here, line.setpoint.position) > 1.0:
            self._fault(line, "a hold that is somewhere else")

    def _judge_place(self, line: Line, setpoint: Setpoint, vehicle: Situation, estimate: Estimate) -> None:
        height_m = setpoint.altitude_amsl_m - AMSL_OF_TAKEOFF_M
        hold, by_sight = setpoint.reason.startswith("hold"), estimate.source is PositionSource.VISION
        circled = estimate.position if hold and by_sight else setpoint.position  # a hold is said in the vehicle's frame
        if not _inside(setpoint.position, 0.0) or (circled is not None and not _inside(circled, _circle_m(vehicle))):
            self._fault(line, "a target outside the area, or whose circle leaves it")
        if not FLOOR_M - 1e-6 <= height_m <= CEILING_M + 1e-6:
            self._fault(line, "a target at a height that is not allowed")
        if not line.t_ns < setpoint.expires_t_ns <= line.t_ns + S:
            self._fault(line, "a target that does not expire within a second")
        if vehicle.loiter_radius_m is not None:
            if not setpoint.reason.startswith("hold") and setpoint.position != self._target:
                self._fault(line, "a plane sent elsewhere than to its target")
        elif estimate.position is not None and not setpoint.reason.startswith("hold"):
            if distance_m(estimate.position, setpoint.position) > 40.01:  # 5 s at 8 m/s
                self._fault(line, "a target that is too far ahead")

    def _fault(self, line: Line, what: str) -> None:
        self.faults.append(f"at {line.t_ns * 1e-9:.2f} s: {what}")

    # What must hold

    def _flaws(self, t_ns: int, vehicle: Situation, estimate: Estimate) -> set[str]:
        return {
            *_of_vehicle(vehicle, SLACK_M[vehicle.loiter_radius_m is not None] if self._flying else 0.0),
            *_of_position(t_ns, vehicle, estimate),
            *self._of_place(estimate, vehicle),
            *self._of_flight(vehicle, estimate),
        }

    def _of_flight(self, vehicle: Situation, estimate: Estimate) -> Iterable[str]:
        if not self._flying:
            return
        if not vehicle.guided:
            yield "the vehicle is not in the guided mode"
        if vehicle.heartbeat_age_s is None or vehicle.heartbeat_age_s > 1.5:
            yield "old mode"
        if not vehicle.entered_here:
            yield "entry not known"
        if estimate.source is not self._source:
            yield "it rests on another source than when the pilot granted"

    def _of_place(self, estimate: Estimate, vehicle: Situation) -> Iterable[str]:
        here, target = estimate.position, self._target
        if target is None:
            yield "no target"
        if here is None or vehicle.home is None:
            return
        trusted = estimate.state is TrackingState.TRACKING
        spare_m = 2.0 * math.sqrt(estimate.covariance_m2[0][0]) if trusted else 0.0
        spare_m += _circle_m(vehicle)
        for place in (here, target):
            if place is not None and not _inside(place, spare_m):
                yield "the area"
            if place is not None and distance_m(vehicle.home, place) + spare_m > FARTHEST_M:
                yield "the distance"


def _inside(place: GeoPoint, spare_m: float) -> bool:
    return max(map(abs, north_east_m(HOME, place))) + spare_m <= HALF_SIDE_M + 1e-6


def _circle_m(vehicle: Situation) -> float:
    return 0.0 if vehicle.loiter_radius_m is None else CIRCLE_M


def _is_flown(vehicle: Situation) -> bool:
    return vehicle.hovers or vehicle.loiter_radius_m is not None


def _of_vehicle(vehicle: Situation, slack_m: float) -> Iterable[str]:
    facts = {
        "no vehicle": vehicle.connected,
        "no vehicle that is flown": _is_flown(vehicle),
        "two autopilots": vehicle.single_autopilot,
        "two companions": vehicle.single_companion,
        "motors": vehicle.armed,
        "not in the air": vehicle.in_air,
        "failsafe": not vehicle.failsafe,
        "failsafe not known": vehicle.failsafe is not None,
        "fence": not vehicle.fence_breached,
        "fence not known": vehicle.fence_breached is not None,
        "sticks": not vehicle.sticks_moved,
        "sticks not known": vehicle.sticks_moved is not None,
        "clock": vehicle.time_synced,
        "streams": vehicle.streams_ok,
        "estimator": vehicle.ekf_ok,
        "rejecting estimator": not vehicle.ekf_rejects,
        "home": vehicle.home is not None,
        "battery": vehicle.battery_percent is not None and vehicle.battery_percent >= RESERVE_PERCENT,
        "altitude": vehicle.altitude_amsl_m is not None,
        "height": vehicle.height_takeoff_m is not None
        and FLOOR_M - slack_m <= vehicle.height_takeoff_m <= CEILING_M + slack_m,
    }
    return [flaw for flaw, holds in facts.items() if not holds]


def _of_position(t_ns: int, vehicle: Situation, estimate: Estimate) -> Iterable[str]:
    here, camera = estimate.position, estimate.source is PositionSource.VISION
    if here is None:
        return ["no position"]
    apart_m = math.inf if vehicle.position is None else distance_m(here, vehicle.position)
    speed = estimate.velocity_ned_m_s if camera else vehicle.ground_speed_m_s
    facts = {
        "old position": t_ns - estimate.t_ns <= S,
        "untrusted position": estimate.state is TrackingState.TRACKING,
        "coasting": estimate.coast_left_s is None or estimate.coast_left_s >= 5.0,
        "speed": speed is not None,
        "elsewhere": not camera or apart_m <= 10.0,
        "doubted receiver": camera or not (vehicle.gps_doubted or vehicle.gps_glitch),
    }
    return [flaw for flaw, holds in facts.items() if not holds]
