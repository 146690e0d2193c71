"""One engaged flight: the height it holds, the setpoints it sends, and its arrival."""

from __future__ import annotations

from dataclasses import dataclass

from runtime.freshness import CONSENT, ESTIMATE, SETPOINT
from runtime.guidance.arrival import Arrival, ArrivalRules
from runtime.guidance.carrot import carrot, lead_m
from runtime.guidance.limits import Limits
from runtime.guidance.manner import manner_of
from runtime.guidance.reasons import Phase, Reason
from runtime.guidance.situation import Situation
from runtime.guidance.way import RouteKind, RouteRules, Way
from runtime.values import Fix, GeoPoint, Setpoint

_ASKED_AGAIN_NS = 1_000_000_000  # a target that is sent once, while the autopilot does not report it


@dataclass(frozen=True, slots=True)
class GuidanceSettings:
    """How the way is flown; none of it widens the operator's limits."""

    cruise_speed_m_s: float = 8.0  # what the autopilot flies between targets (ArduCopter WPNAV_SPEED)
    deceleration_m_s2: float = 2.5  # ArduCopter WPNAV_ACCEL
    lead_s: float = 4.0
    setpoint_interval_ns: int = 300_000_000
    setpoint_lifetime_ns: int = SETPOINT.ns
    estimate_max_age_ns: int = ESTIMATE.ns
    patience_ns: int = 2_000_000_000  # of silence under a passing reason before authority is given up
    consent_ns: int = CONSENT.ns  # from `engage` to the pilot's transition
    route: RouteKind = RouteKind.DIRECT
    uncovered_s: float = 10.0  # of cruise over ground that the history does not cover
    coast_reserve_s: float = 5.0  # of the camera's position without a fix: less ends the flight while it is still known
    height_slack_m: float = 3.0  # gusts and climb past floor or ceiling while the height sent lies within them
    arrival: ArrivalRules = ArrivalRules()

    @property
    def rules_of_the_way(self) -> RouteRules:
        """What the way is planned and judged by."""
        return RouteRules(self.route, self.uncovered_s, self.coast_reserve_s, self.cruise_speed_m_s)


class Flight:
    """From the moment of authority to its end, towards one target."""

    def __init__(
        self, target: GeoPoint, way: Way, vehicle: Situation, limits: Limits, settings: GuidanceSettings
    ) -> None:
        """``vehicle`` must know its heights. The present AMSL height is held, within floor and ceiling."""
        assert vehicle.altitude_amsl_m is not None and vehicle.height_takeoff_m is not None
        takeoff_amsl_m = vehicle.altitude_amsl_m - vehicle.height_takeoff_m
        floor, ceiling = limits.floor_height_takeoff_m, limits.ceiling_height_takeoff_m
        self.altitude_amsl_m = takeoff_amsl_m + min(max(vehicle.height_takeoff_m, floor), ceiling)
        self._target = target
        self._way = way
        self._settings = settings
        self._manner = manner_of(vehicle)
        self._arrival = Arrival(target, self._manner.arrival(settings.arrival))
        self._due_ns = 0
        self._renewed = vehicle.wants_stream  # the hold at the target, for as long as the pilot leaves it to us
        self._hold_sent = False
        self._given: GeoPoint | None = None  # the corner that one who is not led was sent to

    @property
    def phase(self) -> Phase:
        """EN_ROUTE, HOLDING, CONFIRMED or NOT_CONFIRMED."""
        return self._arrival.phase

    def saw(self, fix: Fix) -> None:
        """Takes a fix of the live view, for the confirmation of the arrival."""
        self._arrival.saw(fix)

    def next(
        self, t_ns: int, here: GeoPoint, speed_m_s: float, sigma_m: float, taken: bool = False
    ) -> Setpoint | Reason:
        """The setpoint to send now, or why there is none; ``sigma_m``: the largest of the position; ``taken``: the
        autopilot reports the last one as its own."""
        self._arrival.moved(t_ns, here, speed_m_s, sigma_m)
        if not self._manner.led:
            return self._given_once(t_ns, taken)
        if self.phase is not Phase.EN_ROUTE:
            return self._after_arrival(t_ns)
        if t_ns < self._due_ns:
            return Reason.ARRIVAL_UNCERTAIN if self._arrival.uncertain else Reason.NOT_DUE
        self._due_ns = t_ns + self._settings.setpoint_interval_ns
        pace = max(speed_m_s, self._settings.cruise_speed_m_s)  # from a stand it shall reach cruise, not creep
        lead = lead_m(pace, self._settings.deceleration_m_s2, self._settings.lead_s)
        return self.setpoint(t_ns, carrot(here, self._way.corners[0], lead), "en route")

    def _given_once(self, t_ns: int, taken: bool) -> Setpoint | Reason:
        """The corner itself, and again only while it is not taken: each time, the approach begins anew."""
        there = self.phase is not Phase.EN_ROUTE
        corner = self._target if there else self._way.corners[0]
        if corner != self._given or (not taken and t_ns >= self._due_ns):
            self._given, self._due_ns = corner, t_ns + _ASKED_AGAIN_NS
            return self.setpoint(t_ns, corner, f"hold: {self._word}" if there else "en route")
        return self._arrived if there else Reason.NOT_DUE

    def setpoint(self, t_ns: int, position: GeoPoint, reason: str) -> Setpoint:
        """The setpoint to a position at the held height, valid for the configured lifetime from ``t_ns``."""
        return Setpoint(
            t_ns, position, self.altitude_amsl_m, t_ns + self._settings.setpoint_lifetime_ns, reason
        )

    def _after_arrival(self, t_ns: int) -> Setpoint | Reason:
        if not self._hold_sent or (self._renewed and t_ns >= self._due_ns):
            self._hold_sent = True
            self._due_ns = t_ns + self._settings.setpoint_interval_ns
            return self.setpoint(t_ns, self._target, f"hold: {self._word}")
        return self._arrived

    @property
    def _word(self) -> str:
        return {Phase.HOLDING: "arrived", Phase.CONFIRMED: "confirmed"}.get(self.phase, "not confirmed")

    @property
    def _arrived(self) -> Reason:
        return {
            Phase.CONFIRMED: Reason.ARRIVAL_CONFIRMED,
            Phase.NOT_CONFIRMED: Reason.ARRIVAL_NOT_CONFIRMED,
        }.get(self.phase, Reason.ARRIVED)
