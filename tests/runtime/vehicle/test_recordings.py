"""Recorded flights of ArduCopter and PX4 through the vehicle: it must see what happened, when it happened."""

from __future__ import annotations

from collections import deque
from functools import cache

import pytest

from runtime.geodesy import distance_m, north_east_m
from runtime.values import GeoPoint, Setpoint
from runtime.vehicle.events import (
    ArmedChanged,
    Connected,
    ConnectionLost,
    FailsafeChanged,
    ForeignTarget,
    LandedChanged,
    ModeChanged,
    OtherAutopilot,
    Rebooted,
    TargetTaken,
    Text,
)
from runtime.vehicle.telemetry.timesync import TimeSync
from runtime.vehicle.vehicle import Vehicle
from tests.runtime.vehicle.recording import Flight, fly, packets_of

HOME = GeoPoint(47.3977, 8.5456)
SECOND = 1_000_000_000
NAMES = [
    "arducopter_goto_land", "arducopter_refusals", "arducopter_gps_lost_unaided", "arducopter_gps_jump_222m",
    "arducopter_mission_auto_rtl", "px4_goto_offboard", "px4_gps_lost_odometry",
]  # fmt: skip


@cache
def flight(name: str) -> Flight:
    return fly(name)


def modes(name: str) -> list[tuple[str, int]]:
    return [(e.mode, round(e.t_ns / SECOND)) for e in flight(name).of(ModeChanged)]  # type: ignore[attr-defined]


def armed(name: str) -> list[tuple[bool, int]]:
    return [(e.armed, round(e.t_ns / SECOND)) for e in flight(name).of(ArmedChanged)]  # type: ignore[attr-defined]


def landed(name: str) -> list[str]:
    return [e.landed for e in flight(name).of(LandedChanged)]  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", NAMES)
def test_every_recording_is_one_unbroken_connection(name: str) -> None:
    (connected,) = flight(name).of(Connected)
    assert connected.stack == name.split("_")[0].replace("arducopter", "ardupilot")  # type: ignore[attr-defined]
    assert flight(name).of(ConnectionLost, Rebooted, OtherAutopilot) == []
    assert flight(name).vehicle.state.counters.bad_packets == 0


def test_goto_and_land() -> None:
    name = "arducopter_goto_land"
    assert modes(name) == [("STABILIZE", 0), ("GUIDED", 35), ("LAND", 76)]
    assert armed(name) == [(False, 0), (True, 36), (False, 120)]
    assert landed(name) == ["on_ground", "taking_off", "in_air", "landing", "on_ground"]
    before, flying, end = flight(name).at(30).telemetry, flight(name).at(70).telemetry, flight(name).seconds[-1]
    assert before.estimator is not None and (before.estimator.flags, before.estimator.ok) == (0xA7, False)
    assert not flight(name).at(30).ready and flight(name).at(36).ready
    assert flying.height_takeoff_m is not None and flying.height_takeoff_m.value == pytest.approx(40.0, abs=0.5)
    assert flying.altitude_amsl_m is not None and flying.altitude_amsl_m.value == pytest.approx(528.0, abs=0.7)
    assert flying.velocity_ned_m_s is not None and flying.velocity_ned_m_s[0] == pytest.approx(10.0, abs=0.5)
    assert end.telemetry.position is not None and end.telemetry.home is not None
    assert north_east_m(HOME, end.telemetry.position) == (pytest.approx(150.0, abs=1.0), pytest.approx(0.0, abs=1.0))
    assert end.telemetry.home.altitude_amsl_m == pytest.approx(488.08)
    assert end.telemetry.origin is not None and end.telemetry.origin.altitude_amsl_m == pytest.approx(488.1)
    assert flight(name).of(FailsafeChanged) == []


def test_poses_follow_the_recorded_telemetry() -> None:
    """Interpolated between every second report, the pose must meet the report that was left out."""
    vehicle, clock, left_out, errors_m = Vehicle(), TimeSync(0.05, 10.0), deque[tuple[int, GeoPoint]](), []
    reports = 0
    for t_ns, packet in packets_of("arducopter_goto_land"):
        if packet.component_id != 1:
            continue
        message = packet.message
        if packet.name in ("ATTITUDE", "GLOBAL_POSITION_INT", "POSITION_TARGET_GLOBAL_INT"):
            measured_ns = clock.to_local(message.time_boot_ms * 1_000_000, t_ns)  # without TIMESYNC, as the vehicle
        if packet.name == "GLOBAL_POSITION_INT" and t_ns > 57 * SECOND:
            reports += 1
            if reports % 2:
                left_out.append((measured_ns, GeoPoint(message.lat * 1e-7, message.lon * 1e-7)))
                continue
        vehicle.receive(packet.raw, t_ns)
        while left_out and left_out[0][0] < t_ns - 300_000_000:
            at_ns, truth = left_out.popleft()
            state = vehicle.poses.at(at_ns)
            assert state is not None and state.position is not None
            errors_m.append(distance_m(truth, state.position.point))
    assert len(errors_m) > 250 and max(errors_m) < 0.1


def test_a_recorded_go_to_is_foreign_to_a_companion_that_did_not_send_it() -> None:
    (foreign,) = flight("arducopter_goto_land").of(ForeignTarget)
    assert foreign.source == "autopilot" and foreign.target is not None  # type: ignore[attr-defined]
    assert 56.5 * SECOND < foreign.t_ns < 57.5 * SECOND
    assert north_east_m(HOME, foreign.target)[0] == pytest.approx(150.0, abs=0.5)  # type: ignore[attr-defined]


def test_the_same_go_to_is_ours_to_the_companion_that_sent_it() -> None:
    """The recorded target, sent as we would send it, meets ArduCopter's recorded echo of it."""
    vehicle, events, sent = Vehicle(), [], False
    for t_ns, packet in packets_of("arducopter_goto_land"):
        if packet.name == "SET_POSITION_TARGET_GLOBAL_INT":
            m = packet.message
            point = GeoPoint(m.lat_int * 1e-7, m.lon_int * 1e-7)
            altitude = 488.08 + m.alt  # it was sent relative to home
            assert vehicle.send_setpoint(Setpoint(t_ns, point, altitude, t_ns + 5 * SECOND, "go"), t_ns) is None
            sent = True
        elif packet.component_id == 1:
            events += vehicle.receive(packet.raw, t_ns)
            events += vehicle.tick(t_ns)
    assert sent and not [e for e in events if isinstance(e, ForeignTarget)]
    (taken,) = [e for e in events if isinstance(e, TargetTaken)]
    assert taken.latency_s < 0.6, "the report came at 2 Hz"


def test_the_gcs_failsafe_and_the_foreign_targets_of_the_refusals() -> None:
    name = "arducopter_refusals"
    assert [mode for mode, _ in modes(name)] == ["STABILIZE", "GUIDED", "LOITER", "BRAKE", "GUIDED", "RTL", "GUIDED"]
    to_rtl = flight(name).of(ModeChanged)[5]
    assert to_rtl.critical and to_rtl.t_ns == pytest.approx(110.63 * SECOND, abs=0.1 * SECOND)  # type: ignore[attr-defined]
    assert "critical" in flight(name).seconds[-1].telemetry.failsafes, "still critical back in GUIDED"
    assert len(flight(name).of(ForeignTarget)) >= 2
    texts = [e.text for e in flight(name).of(Text)]  # type: ignore[attr-defined]
    assert "GCS Failsafe" in texts


def test_gps_loss_is_seen_7_seconds_before_the_autopilot_gives_up() -> None:
    name = "arducopter_gps_lost_unaided"
    told = {e.name: e.t_ns / SECOND for e in flight(name).of(FailsafeChanged)}  # type: ignore[attr-defined]
    assert told["gps"] == pytest.approx(71.92, abs=0.1)
    assert told["estimator"] == pytest.approx(78.77, abs=0.1)
    assert told["critical"] == pytest.approx(79.57, abs=0.1)
    landing = flight(name).of(ModeChanged)[-1]
    assert (landing.mode, landing.critical) == ("LAND", True)  # type: ignore[attr-defined]
    state = flight(name).vehicle.poses.latest()
    assert state is not None and (state.position is None or state.position.sigma_m == float("inf"))


def test_a_gps_jump_is_a_glitch_then_believed() -> None:
    name = "arducopter_gps_jump_222m"
    glitches = [(e.active, round(e.t_ns / SECOND)) for e in flight(name).of(FailsafeChanged) if e.name == "gps_glitch"]  # type: ignore[attr-defined]
    assert glitches == [(True, 76), (False, 95), (True, 101)]
    at_rest = flight(name).at(98).telemetry
    assert at_rest.estimator is not None and at_rest.estimator.ok, "222 m off, and it says that all is well"


def test_a_mission_is_flown_in_auto_and_its_targets_are_not_ours_to_judge() -> None:
    name = "arducopter_mission_auto_rtl"
    assert [mode for mode, _ in modes(name)] == ["STABILIZE", "GUIDED", "AUTO"] or "AUTO" in dict(modes(name))
    assert flight(name).of(ForeignTarget) == []


def test_px4_modes_arming_and_its_failsafe() -> None:
    name = "px4_goto_offboard"
    assert [mode for mode, _ in modes(name)] == [
        "LOITER", "OFFBOARD", "TAKEOFF", "LOITER", "OFFBOARD", "RTL", "LAND", "OFFBOARD",
    ]  # fmt: skip
    assert [flag for flag, _ in armed(name)] == [False, True, False]
    assert landed(name) == ["on_ground", "taking_off", "in_air", "landing", "on_ground"]
    states = [flight(name).at(t).telemetry for t in (3, 40)]
    assert [(s.estimator.flags, s.estimator.ok) for s in states if s.estimator] == [(0x3FF, True), (0x37F, True)]
    critical = [(e.active, round(e.t_ns / SECOND)) for e in flight(name).of(FailsafeChanged)]  # type: ignore[attr-defined]
    assert critical == [(True, 74), (False, 80)], "offboard was lost: RTL with system status 5"
    flying = flight(name).at(63).telemetry
    assert flying.position is not None and flying.home is not None
    north, _ = north_east_m(flying.home.position, flying.position)
    assert north == pytest.approx(100.0, abs=2.0)
    assert flying.height_takeoff_m is not None and flying.height_takeoff_m.value == pytest.approx(40.0, abs=0.5)


def test_px4_echoes_our_target_in_its_local_frame() -> None:
    """In OFFBOARD the target comes back only as POSITION_TARGET_LOCAL_NED, from an origin that HOME_POSITION gives."""
    vehicle, events = Vehicle(), []
    for t_ns, packet in packets_of("px4_goto_offboard"):
        if packet.name == "SET_POSITION_TARGET_GLOBAL_INT":
            m = packet.message
            point = GeoPoint(m.lat_int * 1e-7, m.lon_int * 1e-7)
            vehicle.send_setpoint(Setpoint(t_ns, point, 488.041 + m.alt, t_ns + SECOND, "go"), t_ns)
        elif packet.component_id == 1:
            events += vehicle.receive(packet.raw, t_ns)
            events += vehicle.tick(t_ns)
    taken = [e.t_ns / SECOND for e in events if isinstance(e, TargetTaken)]
    assert len(taken) == 1 and 64.8 < taken[0] < 67.0
    foreign = [e for e in events if isinstance(e, ForeignTarget)]
    assert all(e.t_ns > 71.5 * SECOND for e in foreign), "only when it had left for RTL and not yet said so"


def test_px4_losing_gps_with_odometry_stays_where_it_is() -> None:
    name = "px4_gps_lost_odometry"
    assert [mode for mode, _ in modes(name)] == ["LOITER", "TAKEOFF", "LOITER"]
    told = [(e.name, e.active) for e in flight(name).of(FailsafeChanged)]  # type: ignore[attr-defined]
    assert told == [("gps", True)]
    estimator = flight(name).seconds[-1].telemetry.estimator
    assert estimator is not None and (estimator.flags, estimator.ok) == (0x17F, True)
