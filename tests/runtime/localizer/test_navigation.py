"""Whose word is flown, by what the operator chose and by what the satellite receiver has done."""

from __future__ import annotations

import pytest

from runtime.geodesy import distance_m, offset
from runtime.localizer.navigation import GpsStanding, Navigation, NavigationSource
from runtime.values import (
    Attitude,
    Displacement,
    Fix,
    GeoPoint,
    Hypothesis,
    Measured,
    NavState,
    Odometry,
    Pose,
    Position,
    PositionSource,
    circular,
)

HERE = GeoPoint(60.45, 22.25)
SECOND = 1_000_000_000
PERIOD_S = 0.2


class Flight:
    """Hovers at HERE while everybody reports five times a second; each can be silenced, and the receiver can lie."""

    def __init__(self, source: NavigationSource, armed: bool = True) -> None:
        self.navigation = Navigation(source)
        self.t_ns = 0
        self.sees = self.fixed = True
        self.lie_m = 0.0
        self.drag_m_s = 0.0
        self.alarm_at_m: float | None = None
        if armed:
            self.pass_time(1.0)
            self.navigation.on_armed(True)

    def pass_time(self, seconds: float) -> None:
        for _ in range(round(seconds / PERIOD_S)):
            self.t_ns += round(PERIOD_S * SECOND)
            self.lie_m += self.drag_m_s * PERIOD_S
            self._step()

    def _step(self) -> None:
        t_ns, before_ns = self.t_ns, self.t_ns - round(PERIOD_S * SECOND)
        said = offset(HERE, self.lie_m, 0.0)
        level = Attitude((1.0, 0.0, 0.0, 0.0), 0.05, "")
        pose = Pose(t_ns, Measured(97.0, 1.0, ""), Measured(60.0, 1.0, ""), None, level)
        self.navigation.on_nav(NavState(pose, Position.circular(said, 1.5, PositionSource.AUTOPILOT)))
        if self.sees:
            small = ((0.01, 0.0), (0.0, 0.01))
            way = Displacement(before_ns, t_ns, 0.0, 0.0, small, 0.05, 0.05, 0.0, 0.01, 1.0, 0.01)
            self.navigation.on_odometry(Odometry(t_ns, way))
            place = Hypothesis(HERE, HERE, circular(1.5), (1,), 30, 20.0, 0.8)
            self.navigation.on_fix(Fix.at(t_ns, place, ""), None)
        gps = Position.circular(said, 1.5, PositionSource.GPS) if self.fixed else None
        if self.navigation.on_gps(t_ns, gps) is not None:
            self.alarm_at_m = self.lie_m

    def flown(self) -> PositionSource:
        return self.navigation.estimate(self.t_ns).source

    def gps(self) -> GpsStanding:
        return self.navigation.gps


def test_auto_flies_on_gps_while_it_is_good_and_on_the_camera_from_the_loss_on() -> None:
    flight = Flight(NavigationSource.AUTO)
    flight.pass_time(3.0)
    assert flight.flown() is PositionSource.AUTOPILOT and flight.navigation.autopilot_is_witness
    flight.fixed = False
    flight.pass_time(1.4)
    assert flight.flown() is PositionSource.VISION and flight.gps() is GpsStanding.LOST
    assert flight.navigation.estimate(flight.t_ns).trusted and not flight.navigation.autopilot_is_witness


def test_a_receiver_that_was_lost_in_flight_is_believed_again_only_when_the_motors_have_stopped() -> None:
    flight = Flight(NavigationSource.AUTO)
    flight.fixed = False
    flight.pass_time(2.0)
    flight.fixed = True
    flight.pass_time(5.0)
    assert flight.gps() is GpsStanding.LOST and flight.flown() is PositionSource.VISION
    flight.navigation.on_armed(False)
    flight.pass_time(0.4)
    assert flight.gps() is GpsStanding.BELIEVED and flight.flown() is PositionSource.AUTOPILOT


@pytest.mark.parametrize("drag_m_s", [0.5, 2.0, 5.0])
def test_a_receiver_that_is_dragged_away_is_never_believed_again(drag_m_s: float) -> None:
    flight = Flight(NavigationSource.AUTO)
    flight.pass_time(15.0)
    flight.drag_m_s = drag_m_s
    flight.pass_time(20.0 / drag_m_s)
    assert flight.alarm_at_m is not None and flight.alarm_at_m < 20.0
    assert flight.gps() is GpsStanding.DOUBTED and flight.flown() is PositionSource.VISION
    flight.drag_m_s, flight.lie_m = 0.0, 0.0
    flight.navigation.on_armed(False)
    flight.pass_time(5.0)
    assert flight.gps() is GpsStanding.DOUBTED and flight.flown() is PositionSource.VISION


def test_who_wants_the_autopilots_word_alone_gets_none_once_its_receiver_is_doubted() -> None:
    flight = Flight(NavigationSource.AUTOPILOT)
    flight.pass_time(15.0)
    assert flight.navigation.estimate(flight.t_ns).trusted
    flight.lie_m = 60.0
    flight.pass_time(5.0)
    estimate = flight.navigation.estimate(flight.t_ns)
    assert estimate.source is PositionSource.AUTOPILOT and not estimate.trusted and "doubted" in estimate.reason


def test_without_gps_from_the_start_the_camera_is_flown_and_a_late_receiver_is_not_believed_in_flight() -> None:
    flight = Flight(NavigationSource.AUTO, armed=False)
    flight.fixed = False
    flight.pass_time(1.0)
    flight.navigation.on_armed(True)
    flight.pass_time(5.0)
    assert flight.flown() is PositionSource.VISION and flight.gps() is GpsStanding.ABSENT
    flight.fixed = True
    flight.pass_time(5.0)
    assert flight.flown() is PositionSource.VISION and not flight.navigation.autopilot_is_witness


def test_a_daemon_that_starts_in_flight_believes_a_receiver_that_has_its_fix() -> None:
    flight = Flight(NavigationSource.AUTO, armed=False)
    flight.navigation.on_armed(True)
    flight.pass_time(1.0)
    assert flight.gps() is GpsStanding.BELIEVED and flight.flown() is PositionSource.AUTOPILOT


def test_an_echo_is_nobodys_witness_and_is_not_flown() -> None:
    for source in (NavigationSource.AUTO, NavigationSource.AUTOPILOT):
        flight = Flight(source)
        flight.pass_time(3.0)
        flight.navigation.echoing = True
        estimate = flight.navigation.estimate(flight.t_ns)
        assert not flight.navigation.autopilot_is_witness
        assert estimate.source is PositionSource.VISION if source is NavigationSource.AUTO else not estimate.trusted


def test_the_cameras_word_never_comes_from_the_autopilot() -> None:
    flight = Flight(NavigationSource.VISION)
    flight.sees = False
    flight.pass_time(5.0)
    assert not flight.navigation.estimate(flight.t_ns).trusted
    flight.sees, flight.lie_m = True, 300.0
    flight.pass_time(5.0)
    estimate = flight.navigation.estimate(flight.t_ns)
    assert estimate.trusted and estimate.position is not None and distance_m(estimate.position, HERE) < 2.0


def test_telemetry_that_pauses_is_no_lost_receiver() -> None:
    """Seen with a busy computer: reports of a good receiver came late, and it was given up for the whole flight."""
    flight = Flight(NavigationSource.AUTO)
    flight.pass_time(3.0)
    flight.t_ns += 2 * SECOND
    assert flight.navigation.estimate(flight.t_ns).source is PositionSource.AUTOPILOT
    flight.pass_time(1.0)
    assert flight.gps() is GpsStanding.BELIEVED
    flight.t_ns += 3 * SECOND
    flight.navigation.estimate(flight.t_ns)
    assert flight.gps() is GpsStanding.LOST, "three seconds are a link that is lost"
