"""All that may happen to a vehicle and to what was said of it: one small value each, in words that people read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from runtime.geodesy import offset
from runtime.guidance.reasons import Reason
from runtime.values import GeoPoint, PositionSource, TrackingState, circular
from sim.authority.pilot import HOME, START, TARGET, Pilot

OTHER_TARGET = offset(TARGET, 20.0, 0.0)
OUTSIDE = offset(HOME, 0.0, 501.0)
FAR = offset(HOME, 451.0, 0.0)
_SIGHT = PositionSource.VISION
_CAMERA, _SKY = "on the camera's position: ", "on the autopilot's position: "


@dataclass(frozen=True, eq=False)
class Happening:
    """``vehicle`` and ``estimate``: what they then say, for as long as it lasts. ``by_sight``: before it happens the
    position was the camera's. ``at_once``: what happens in the instant of it."""

    group: str
    words: str
    vehicle: Mapping[str, Any] = field(default_factory=dict)
    estimate: Mapping[str, Any] = field(default_factory=dict)
    estimate_age_s: float = 0.0
    by_sight: bool = False
    here: GeoPoint | None = None
    at_once: Callable[[Pilot], object] = lambda pilot: None
    is_mode: bool = False  # it is the pilot's switch itself

    def begin(self, pilot: Pilot) -> None:
        """Lets it happen."""
        pilot.vehicle = replace(pilot.vehicle, **self.vehicle)
        pilot.estimate_changes = dict(self.estimate)
        pilot.estimate_age_ns = round(self.estimate_age_s * 1e9)
        pilot.here = self.here or pilot.here
        self.at_once(pilot)

    def end(self, pilot: Pilot) -> None:
        """All is well again; a link that was lost shows a first mode."""
        lost = not pilot.vehicle.connected
        now = pilot.vehicle
        pilot.vehicle = replace(pilot.well, mode=now.mode, guided=now.guided)
        pilot.estimate_changes, pilot.estimate_age_ns = {}, 0
        pilot.source = _SIGHT if self.by_sight else PositionSource.AUTOPILOT
        pilot.here = START
        if lost:
            pilot.mode(pilot.vehicle.mode, first=True)


def _heard(cause: Reason) -> Callable[[Pilot], None]:
    return lambda pilot: pilot.latch(cause)


def _rebooted(pilot: Pilot) -> None:
    pilot.latch(Reason.REBOOTED)
    pilot.mode(pilot.vehicle.mode, first=True)


def _mode(name: str) -> Callable[[Pilot], None]:
    return lambda pilot: pilot.mode(name)


def _left_and_entered(pilot: Pilot) -> None:
    pilot.mode("LOITER")
    pilot.mode("GUIDED")


def _left_on_a_word(pilot: Pilot) -> None:
    pilot.mode("GUIDED")
    pilot.asks("engage")
    pilot.t_ns += 40_000_000
    pilot.mode("LOITER")


def _passes(seconds: float) -> Callable[[Pilot], None]:
    def wait(pilot: Pilot) -> None:
        pilot.t_ns += round(seconds * 1e9)

    return wait


def _source(source: PositionSource) -> Callable[[Pilot], None]:
    def change(pilot: Pilot) -> None:
        pilot.source = source

    return change


def _arrives(aircraft: GeoPoint | None) -> Callable[[Pilot], None]:
    """It hovers over the target for as long as a confirmation may take; the live view is fixed at ``aircraft``."""

    def arrive(pilot: Pilot) -> None:
        for _ in range(24):
            pilot.t_ns += 1_000_000_000 - pilot.tick_ns
            pilot.tick()
            if aircraft is not None:
                pilot.sees(aircraft)

    return arrive


def _operator() -> tuple[Happening, ...]:
    group = "The operator"
    return (
        Happening(group, "is shown another target", at_once=lambda pilot: pilot.guidance.propose()),
        Happening(group, "confirms the same target again", at_once=lambda pilot: pilot.asks("confirm", TARGET)),
        Happening(group, "confirms another target", at_once=lambda pilot: pilot.asks("confirm", OTHER_TARGET)),
        Happening(group, "confirms a target outside the area", at_once=lambda pilot: pilot.asks("confirm", OUTSIDE)),
        Happening(group, "confirms a target too far away", at_once=lambda pilot: pilot.asks("confirm", FAR)),
        Happening(group, "engages", at_once=lambda pilot: pilot.asks("engage")),
        Happening(group, "disengages", at_once=lambda pilot: pilot.release(Reason.OPERATOR_DISENGAGED)),
        Happening(group, "lets 300 s pass", at_once=_passes(301.0)),
        Happening(group, "ends the daemon", at_once=lambda pilot: pilot.release(Reason.SHUT_DOWN)),
    )


def _people() -> tuple[Happening, ...]:
    pilots, others = "The pilot", "Others"
    return (
        Happening(pilots, "enters the guided mode", at_once=_mode("GUIDED"), is_mode=True),
        Happening(pilots, "enters any other mode", at_once=_mode("LOITER"), is_mode=True),
        Happening(pilots, "leaves the guided mode and enters it at once", at_once=_left_and_entered, is_mode=True),
        Happening(pilots, "enters the guided mode, the operator engages, and 40 ms later the pilot leaves it",
                  at_once=_left_on_a_word, is_mode=True),
        Happening(pilots, "moves a stick", {"sticks_moved": True}),
        Happening(others, "send a target, a pause or a manoeuvre", at_once=_heard(Reason.FOREIGN_TARGET)),
        Happening(
            others, "are a second autopilot", {"single_autopilot": False}, at_once=_heard(Reason.SECOND_AUTOPILOT)
        ),
        Happening(
            others, "are a second companion", {"single_companion": False}, at_once=_heard(Reason.SECOND_COMPANION)
        ),
    )  # fmt: skip


def _link() -> tuple[Happening, ...]:
    group = "The link"
    return (
        Happening(group, "brings no heartbeat for 1.6 s", {"heartbeat_age_s": 1.6}),
        Happening(group, "brings no heartbeat at all", {"heartbeat_age_s": None}),
        Happening(group, "is lost", {"connected": False}, at_once=_heard(Reason.LINK_LOST)),
        Happening(group, "shows a rebooted autopilot", at_once=_rebooted),
        Happening(group, "does not tell the autopilot's clock", {"time_synced": False}),
        Happening(group, "lacks a stream", {"streams_ok": False}),
        Happening(group, "stalls the daemon for 3 s", at_once=_passes(3.0)),
    )


def _vehicle() -> tuple[Happening, ...]:
    group = "The vehicle"
    return (
        Happening(group, "is of a kind that is not flown", {"hovers": False, "loiter_radius_m": None}),
        Happening(group, "refuses our target", at_once=_heard(Reason.TARGET_REFUSED)),
        Happening(group, "is disarmed", {"armed": False}, at_once=_heard(Reason.WAS_DISARMED)),
        Happening(group, "lands, takes off or is on the ground", {"in_air": False}, at_once=_heard(Reason.LANDED)),
        Happening(group, "is in a failsafe", {"failsafe": True}),
        Happening(group, "does not say whether it is in a failsafe", {"failsafe": None}),
        Happening(group, "breaches its fence", {"fence_breached": True}),
        Happening(group, "does not say whether it keeps its fence", {"fence_breached": None}),
        Happening(group, "says nothing of receiver or sticks", {"sticks_moved": None}),
        Happening(group, "has less battery than the reserve", {"battery_percent": 29.0}),
        Happening(group, "does not say how much battery is left", {"battery_percent": None}),
        Happening(group, "has an estimator that is not healthy", {"ekf_ok": False}),
        Happening(group, "has an estimator that rejects what it measures", {"ekf_rejects": True}),
        Happening(group, "knows no height above home", {"height_takeoff_m": None}),
        Happening(group, "knows no height above the sea", {"altitude_amsl_m": None}),
        Happening(group, "knows no home", {"home": None}),
        Happening(group, "flies 2 m below the floor", {"height_takeoff_m": 28.0}),
        Happening(group, "flies 10 m below the floor", {"height_takeoff_m": 20.0}),
        Happening(group, "flies 10 m above the ceiling", {"height_takeoff_m": 100.0}),
        Happening(group, "is outside the area", here=OUTSIDE),
        Happening(group, "is too far from home", here=FAR),
        Happening(group, "arrives, and the live view agrees", here=TARGET, at_once=_arrives(TARGET)),
        Happening(group, "arrives, and the live view disagrees", here=TARGET, at_once=_arrives(START)),
        Happening(group, "arrives, and the live view knows nothing", here=TARGET, at_once=_arrives(None)),
    )


def _position() -> tuple[Happening, ...]:
    group = "The position"
    astray = offset(TARGET, 300.0, 0.0)
    return (
        Happening(group, "is not known", estimate={"position": None}),
        Happening(group, "is 1.2 s old", estimate_age_s=1.2),
        Happening(group, "is not trusted", estimate={"state": TrackingState.LOST}),
        Happening(group, "is known to 200 m only", estimate={"covariance_m2": circular(200.0)}),
        Happening(group, _SKY + "no speed is reported", {"ground_speed_m_s": None}),
        Happening(group, _SKY + "the estimator rejects its receiver", {"gps_glitch": True}),
        Happening(group, _SKY + "the camera contradicts the receiver", {"gps_doubted": True}),
        Happening(group, _SKY + "the camera takes over", at_once=_source(_SIGHT)),
        Happening(group, _CAMERA + "the autopilot takes over", by_sight=True,
                  at_once=_source(PositionSource.AUTOPILOT)),
        Happening(group, _CAMERA + "the autopilot steers by one 300 m away", {"position": astray}, by_sight=True),
        Happening(group, _CAMERA + "4 s of coasting are left", estimate={"coast_left_s": 4.0}, by_sight=True),
        Happening(group, _CAMERA + "no speed is measured", estimate={"velocity_ned_m_s": None}, by_sight=True),
        Happening(group, _CAMERA + "the camera contradicts the receiver", {"gps_doubted": True}, by_sight=True),
    )  # fmt: skip


HAPPENINGS: tuple[Happening, ...] = (*_operator(), *_people(), *_link(), *_vehicle(), *_position())
"""In the order in which the page of authority lists them."""
