"""The vehicle: who it listens to, what it makes of it, and how it lives with a bad link."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest

from runtime.mavlink.dialect import mavlink
from runtime.values import GeoPoint, Setpoint
from runtime.vehicle.config import VehicleConfig
from runtime.vehicle.events import (
    ArmedChanged,
    CompanionConflict,
    Connected,
    ConnectionLost,
    FailsafeChanged,
    LandedChanged,
    ModeChanged,
    OtherAutopilot,
    Rebooted,
    Text,
)
from runtime.vehicle.vehicle import Vehicle
from tests.runtime.vehicle.peer import GUIDED, HERE, LAND, LOITER, MS, SECOND, Peer, Voice, Wire

GCS = mavlink.MAVLink_heartbeat_message(6, 8, 0, 0, 4, 3)
GIMBAL = mavlink.MAVLink_heartbeat_message(26, 8, 0x80, 99, 5, 3)


# --- ours: the heartbeat -------------------------------------------------------------------------------------


def test_our_heartbeat_is_an_onboard_computers_once_a_second() -> None:
    wire = Wire(peer=Peer(system_id=7))
    wire.run(10.0)
    beats = [(t, p) for t, p in wire.sent_of("HEARTBEAT") if p.system_id == 7]
    assert 8 <= len(beats) <= 10
    message = beats[-1][1].message
    assert (message.type, message.autopilot, message.system_status) == (18, 8, mavlink.MAV_STATE_ACTIVE)
    assert beats[-1][1].component_id == 191


def test_our_heartbeat_stops_when_the_daemon_makes_no_progress() -> None:
    wire = Wire()
    wire.run(5.0)
    assert wire.vehicle.state.heartbeat_sent
    wire.fed, stopped = False, wire.t_ns
    wire.run(10.0)
    assert not wire.vehicle.state.heartbeat_sent
    assert max(t for t, _ in wire.sent_of("HEARTBEAT")) <= stopped + 2 * SECOND
    wire.fed = True
    wire.run(1.5)
    assert max(t for t, _ in wire.sent_of("HEARTBEAT")) > stopped + 10 * SECOND


def test_before_the_first_progress_there_is_no_heartbeat() -> None:
    wire = Wire(fed=False)
    wire.run(3.0)
    assert wire.sent_of("HEARTBEAT") == []


def test_its_status_is_what_the_daemon_says() -> None:
    wire = Wire(fed=False)
    for status in (mavlink.MAV_STATE_BOOT, mavlink.MAV_STATE_CRITICAL):
        wire.vehicle.feed_heartbeat(wire.t_ns, status)
        wire.run(1.1)
    assert [p.message.system_status for _, p in wire.sent_of("HEARTBEAT")] == [1, 1, 5]


# --- theirs: who is the autopilot ------------------------------------------------------------------------------


def test_mode_and_arming_come_from_the_autopilot_alone() -> None:
    wire = Wire(peer=Peer(mode=GUIDED, component_id=1))
    wire.run(1.0)
    wire.inject(Voice(255, 190).say(GCS))
    wire.inject(Voice(1, 154).say(GIMBAL))
    wire.run(2.0)
    telemetry = wire.vehicle.state.telemetry
    assert (telemetry.mode, telemetry.armed, telemetry.guided) == ("GUIDED", True, True)
    assert [e.mode for e in wire.of(ModeChanged)] == ["GUIDED"]


def test_the_autopilot_is_found_by_what_it_says_not_by_its_component() -> None:
    wire = Wire(peer=Peer(system_id=9, component_id=47))
    wire.inject(Voice(255, 190).say(GCS))
    wire.run(2.0)
    state = wire.vehicle.state
    assert (state.system_id, state.component_id, state.stack) == (9, 47, "ardupilot")
    assert wire.of(Connected)[0].component_id == 47


def test_a_configured_system_id_is_waited_for() -> None:
    wire = Wire(vehicle=Vehicle(VehicleConfig(system_id=2)), peer=Peer(system_id=1))
    wire.run(2.0)
    assert not wire.vehicle.state.connected and wire.vehicle.state.other_autopilot == (1, 1)
    wire.peer = Peer(system_id=2)
    wire.run(2.0)
    assert wire.vehicle.state.system_id == 2


@pytest.mark.parametrize("system_id, component_id", [(2, 1), (1, 2)])
def test_a_second_autopilot_or_a_changed_system_id_is_flagged_for_good(system_id: int, component_id: int) -> None:
    wire = Wire()
    wire.run(3.0)
    other = Peer(system_id=system_id, component_id=component_id, mode=LAND)
    wire.inject(other.heartbeat() + other.heartbeat())
    assert [(e.system_id, e.component_id) for e in wire.of(OtherAutopilot)] == [(system_id, component_id)]
    wire.run(20.0, step_ns=20 * MS)
    state = wire.vehicle.state
    assert state.other_autopilot == (system_id, component_id) and "second_autopilot" in state.problems
    assert state.telemetry.mode == "LOITER"


def test_a_second_companion_with_our_ids_is_flagged() -> None:
    wire = Wire(peer=Peer(mode=GUIDED))
    wire.run(3.0)
    wire.inject(Voice(1, 191).say(mavlink.MAVLink_heartbeat_message(18, 8, 0, 0, 4, 3)))
    assert len(wire.of(CompanionConflict)) == 1
    assert wire.vehicle.state.problems == ("second_companion",)
    here = Setpoint(wire.t_ns, GeoPoint(60.0, 22.0), 500.0, wire.t_ns + SECOND, "")
    assert wire.vehicle.send_setpoint(here, wire.t_ns) == "second_companion"


# --- what it says ------------------------------------------------------------------------------------------------


def test_the_first_reports_are_no_transitions_and_later_ones_are() -> None:
    wire = Wire(peer=Peer(mode=LOITER, armed=False))
    wire.run(1.5)
    wire.peer.mode, wire.peer.armed = GUIDED, True
    wire.run(1.5)
    assert [(e.previous, e.mode, e.guided) for e in wire.of(ModeChanged)] == [
        (None, "LOITER", False),
        ("LOITER", "GUIDED", True),
    ]
    assert [(e.armed, e.first) for e in wire.of(ArmedChanged)] == [(False, True), (True, False)]


def test_a_mode_number_that_is_not_called_a_custom_mode_is_no_guided_mode() -> None:
    wire = Wire(peer=Peer(mode=GUIDED))
    wire.run(1.5)
    assert wire.vehicle.state.telemetry.guided
    wire.inject(wire.peer.voice.say(mavlink.MAVLink_heartbeat_message(2, 3, 0xD0, GUIDED, 4, 3)))
    assert not wire.vehicle.state.telemetry.guided


@pytest.mark.parametrize(("target", "seen"), [(1, True), (0, True), (2, False)])
def test_a_ground_stations_joystick_is_seen_where_it_is_for_our_vehicle(target: int, seen: bool) -> None:
    wire = Wire()
    wire.run(1.5)
    for pitch in (0, 700):
        assert wire.vehicle.state.telemetry.station_sticks_t_ns is None
        message = mavlink.MAVLink_manual_control_message(target, pitch, 0, 500, 0, 0)
        assert wire.inject(Voice(255, 190).say(message)) == []
    assert wire.vehicle.state.telemetry.station_sticks_t_ns == (wire.t_ns if seen else None)


def test_telemetry_reads_in_si_units() -> None:
    wire = Wire()
    wire.run(3.0)
    telemetry = wire.vehicle.state.telemetry
    assert telemetry.altitude_amsl_m is not None and telemetry.altitude_amsl_m.value == pytest.approx(528.1)
    assert telemetry.altitude_amsl_m.sigma == pytest.approx(1.5), "GPS_RAW_INT.v_acc"
    assert telemetry.height_takeoff_m is not None and telemetry.height_takeoff_m.value == pytest.approx(40.0)
    assert telemetry.velocity_ned_m_s == (10.0, 0.0, 0.0)
    assert telemetry.battery_remaining == pytest.approx(0.73) and telemetry.battery_v == pytest.approx(15.8)
    assert telemetry.gps is not None and telemetry.gps.horizontal_sigma_m == pytest.approx(0.8)
    assert telemetry.landed == "in_air" and wire.of(LandedChanged)[0].landed == "in_air"
    assert wire.vehicle.state.ready and telemetry.failsafes == frozenset()


def test_poses_are_stamped_when_measured_not_when_they_came() -> None:
    wire = Wire(delay_ns=12 * MS)
    wire.run(4.0)
    for back_ms in (30, 100, 555, 1500):
        t_ns = wire.t_ns - back_ms * MS
        state = wire.vehicle.poses.at(t_ns)
        assert state is not None and state.position is not None and state.pose.heading is not None
        metres_off = (state.position.point.latitude_deg - HERE.latitude_deg) * 111_412.0 - 10.0 * t_ns * 1e-9
        assert abs(metres_off) < 0.05, "at 10 m/s and 12 ms of delay an arrival stamp would be 0.12 m off"
        assert state.pose.heading.value == pytest.approx(0.2 * t_ns * 1e-9 % 6.283185307, abs=2e-3)
        assert state.position.sigma_m == pytest.approx(0.8)
    state = wire.vehicle.state
    assert state.timesync_offset_ns == pytest.approx(wire.peer.clock_offset_ns, abs=1000)
    assert state.timesync_rtt_s == pytest.approx(0.024)


def test_its_own_timesync_requests_are_answered() -> None:
    wire = Wire()
    wire.run(1.5)
    wire.sent.clear()
    wire.inject(wire.peer.voice.say(mavlink.MAVLink_timesync_message(0, 123456789)))
    asked = wire.t_ns
    wire.step()
    answers = [p.message for _, p in wire.sent_of("TIMESYNC") if p.message.ts1 == 123456789]
    assert [m.tc1 for m in answers] == [asked]


def test_an_estimator_without_origin_has_no_position() -> None:
    wire = Wire()
    wire.run(3.0)
    zero = mavlink.MAVLink_global_position_int_message(wire.peer.boot_ms(wire.t_ns) + 5, 0, 0, 0, 0, 0, 0, 0, 0)
    wire.inject(wire.peer.voice.say(zero))
    assert wire.vehicle.state.telemetry.position is None


def test_failsafe_signals_have_names_and_go_when_they_go() -> None:
    wire = Wire(peer=Peer(mode=GUIDED))
    wire.run(3.0)
    wire.peer.fix_type, wire.peer.flags = 1, 0x833F
    wire.peer.mode, wire.peer.status = LAND, mavlink.MAV_STATE_CRITICAL
    wire.run(2.0)
    assert wire.vehicle.state.telemetry.failsafes == {"gps", "gps_glitch", "estimator", "critical"}
    assert wire.of(ModeChanged)[-1].critical
    wire.peer.fix_type, wire.peer.flags, wire.peer.status = 3, 0x33F, mavlink.MAV_STATE_ACTIVE
    wire.run(2.0)
    assert wire.vehicle.state.telemetry.failsafes == frozenset()
    told = [(e.name, e.active) for e in wire.of(FailsafeChanged)]
    assert len(told) == 8 and len(set(told)) == 8


def test_what_was_never_good_has_not_failed() -> None:
    wire = Wire(peer=Peer(fix_type=0, flags=0xA7))
    wire.run(3.0)
    assert wire.vehicle.state.telemetry.failsafes == frozenset() and not wire.vehicle.state.ready


def test_a_breached_fence_and_fallen_health_bits_are_failsafes() -> None:
    wire = Wire()
    wire.run(2.0)
    say = wire.peer.voice.say
    wire.inject(say(mavlink.MAVLink_fence_status_message(1, 1, 2, 0, 0)))
    battery_and_rc = 0x0201_0000
    wire.inject(
        say(mavlink.MAVLink_sys_status_message(battery_and_rc, battery_and_rc, 0, 0, 0, 0, -1, 0, 0, 0, 0, 0, 0))
    )
    telemetry = wire.vehicle.state.telemetry
    assert telemetry.failsafes == {"fence", "battery", "rc"} and telemetry.battery_remaining is None


def test_sticks_off_their_centre_are_a_hint() -> None:
    wire = Wire()
    wire.run(2.0)

    def sticks(*pwm: int) -> bool | None:
        message = mavlink.MAVLink_rc_channels_message(0, 16, *pwm, *[0] * 14, 200)
        wire.inject(wire.peer.voice.say(message))
        return wire.vehicle.state.telemetry.sticks_moved

    assert sticks(1500, 1520, 1000, 1490) is False, "the throttle rests anywhere"
    assert sticks(1500, 1700, 1000, 1500) is True
    assert sticks(0, 65535, 0, 65535) is None


def test_a_range_finder_that_looks_down_gives_the_height_above_ground() -> None:
    wire = Wire()
    wire.run(3.0)
    for orientation in (0, 25):
        wire.inject(
            wire.peer.voice.say(mavlink.MAVLink_distance_sensor_message(0, 20, 5000, 3870, 0, 0, orientation, 0))
        )
        wire.run(0.2)
        height = wire.vehicle.state.telemetry.height_agl_m
        assert (height is not None) == (orientation == 25)
    assert height is not None and (height.value, height.source) == (pytest.approx(38.7), "rangefinder")
    wire.run(1.0)
    assert wire.vehicle.state.telemetry.height_agl_m is None, "an old range is none"


def test_texts_of_several_chunks_are_joined() -> None:
    wire = Wire()
    wire.run(1.2)
    say, long = wire.peer.voice.say, "EKF3 IMU0 stopped aiding because of something long winded, you know"
    wire.inject(say(mavlink.MAVLink_statustext_message(4, long[:50].encode(), 9, 0)))
    assert wire.of(Text) == []
    wire.inject(say(mavlink.MAVLink_statustext_message(4, long[50:].encode(), 9, 1)))
    wire.inject(say(mavlink.MAVLink_statustext_message(2, b"short")))
    assert [(e.severity, e.text) for e in wire.of(Text)] == [(4, long), (2, "short")]


def test_our_texts_are_cut_into_chunks_and_rationed() -> None:
    wire = Wire()
    wire.run(1.2)
    long = "Homing: " + "x" * 92
    assert wire.vehicle.statustext(long, 6, wire.t_ns) and wire.vehicle.statustext("short", 4, wire.t_ns)
    wire.step()
    parts = [p.message for _, p in wire.sent_of("STATUSTEXT")]
    assert "".join(m.text for m in parts[:3]) == long and [m.chunk_seq for m in parts[:3]] == [0, 1, 2]
    assert (parts[3].text, parts[3].id, parts[3].severity) == ("short", 0, 4)
    said = [wire.vehicle.statustext("again", 6, wire.t_ns) for _ in range(10)]
    assert said.count(True) == 6 and wire.vehicle.state.counters.texts_dropped == 4
    assert wire.vehicle.statustext("later", 6, wire.t_ns + SECOND)


# --- bad links ---------------------------------------------------------------------------------------------------


def test_silence_is_a_lost_link_and_its_return_is_no_transition() -> None:
    wire = Wire(peer=Peer(mode=GUIDED))
    wire.run(3.0)
    silent, wire.peer = wire.peer, Peer(autopilot=mavlink.MAV_AUTOPILOT_INVALID, component_id=99)
    quiet_from = wire.t_ns
    wire.run(4.0)
    (lost,) = wire.of(ConnectionLost)
    assert 2.5 <= (lost.t_ns - quiet_from) * 1e-9 < 3.0
    state = wire.vehicle.state
    assert not state.connected and not state.telemetry.guided and state.telemetry.mode is None
    wire.peer = silent
    wire.run(3.0)
    assert len(wire.of(Connected)) == 2
    assert wire.of(ModeChanged)[-1].previous is None
    assert wire.vehicle.state.problems == ()


def test_a_reboot_drops_everything() -> None:
    wire = Wire(peer=Peer(mode=GUIDED))
    wire.run(5.0)
    wire.peer.reboot(wire.t_ns)
    wire.peer.mode = 0
    while not wire.of(Rebooted):
        wire.step()
    (rebooted,) = wire.of(Rebooted)
    assert rebooted.boot_before_s > 80.0 and rebooted.boot_now_s < 2.0
    state = wire.vehicle.state
    assert state.reboots == 1 and state.telemetry.position is None and state.telemetry.guided is False
    assert wire.vehicle.poses.latest() is None
    wire.run(4.0)
    assert len(wire.of(Rebooted)) == 1
    assert wire.of(ModeChanged)[-1].previous is None
    assert wire.vehicle.state.problems == () and wire.vehicle.poses.latest() is not None


@dataclass
class Lossy(Wire):
    """Loses a share of the packets of both directions."""

    loss: float = 0.3
    chance: random.Random = field(default_factory=lambda: random.Random(1))

    def keep(self, packet: bytes) -> bool:
        return self.chance.random() >= self.loss


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("loss", "share"), [(0.05, 1.0), (0.15, 0.9), (0.3, 0.3)])
def test_it_connects_and_gets_its_streams_through_loss(loss: float, share: float, seed: int) -> None:
    """``share`` of the instants in which all streams count as there: of one at 4 Hz, a third of which is lost, half of
    what is due in three seconds is lost now and then."""
    wire = Lossy(peer=Peer(mode=GUIDED), loss=loss, chance=random.Random(seed))
    wire.run(15.0, step_ns=20 * MS)
    there, poses = [], []
    for _ in range(20):
        wire.run(0.5, step_ns=20 * MS)
        there.append(wire.vehicle.state.streams_missing == ())
        poses += [wire.vehicle.poses.at(wire.t_ns - back * 50 * MS) for back in range(2, 12)]
    assert wire.of(ConnectionLost) == [] and wire.of(Rebooted) == []
    assert wire.vehicle.state.connected and wire.vehicle.state.time_synced
    assert sum(there) >= share * len(there)
    assert poses.count(None) <= 0.1 * len(poses)


def test_two_seconds_without_a_byte_are_survived() -> None:
    wire = Lossy(loss=0.0)
    wire.run(5.0)
    wire.loss = 1.0
    wire.run(2.0)
    wire.loss = 0.0
    wire.run(5.0)
    assert wire.of(ConnectionLost) == [] and wire.vehicle.state.problems == ()
    assert wire.vehicle.poses.missing(wire.t_ns - 20 * MS) is None


def test_duplicated_and_reordered_packets_do_no_harm() -> None:
    wire = Wire()
    wire.run(3.0)
    packets = []
    for _ in range(60):
        wire.t_ns += 20 * MS
        packets += [wire.peer.step(wire.t_ns)] * 2
    random.Random(5).shuffle(packets[40:80])
    for packet in packets:
        wire.inject(packet)
    assert wire.of(Rebooted) == [] and len(wire.of(ModeChanged)) == 1


def test_a_clock_step_of_a_second_is_followed() -> None:
    wire = Wire()
    wire.run(5.0)
    wire.peer.clock_offset_ns += SECOND
    wire.run(6.0)
    state = wire.vehicle.state
    assert state.timesync_offset_ns == pytest.approx(wire.peer.clock_offset_ns, abs=1000)
    assert state.counters.timesync_steps == 1 and state.reboots == 0
    nav = wire.vehicle.poses.at(wire.t_ns - 100 * MS)
    assert nav is not None and nav.position is not None
    off_m = (nav.position.point.latitude_deg - HERE.latitude_deg) * 111_412.0 - 10.0 * (wire.t_ns - 100 * MS) * 1e-9
    assert abs(off_m) < 0.05


def test_a_position_at_an_impossible_height_is_no_report() -> None:
    wire = Wire()
    wire.run(3.0)
    before = wire.vehicle.state.telemetry
    boot_ms = wire.peer.boot_ms(wire.t_ns) + 5
    high = mavlink.MAVLink_global_position_int_message(boot_ms, 470000000, 80000000, 2_000_000_000, 0, 0, 0, 0, 0)
    wire.inject(wire.peer.voice.say(high))
    assert wire.vehicle.state.telemetry.altitude_amsl_m == before.altitude_amsl_m
    assert wire.vehicle.state.telemetry.position == before.position


def asked_for_time(wire: Wire) -> int:
    return sum(packet.name == "TIMESYNC" and packet.message.tc1 == 0 for _, packet in wire.sent)


def test_an_answer_that_comes_too_late_at_first_costs_a_tenth_of_a_second() -> None:
    wire = Wire(delay_ns=40 * MS)
    while not asked_for_time(wire):
        wire.step()
    wire.run(0.09)  # its answer is there, and took longer than may be believed
    wire.delay_ns = 3 * MS
    assert not wire.vehicle.state.time_synced
    wire.run(0.06)
    assert wire.vehicle.state.time_synced


def test_who_never_answers_in_time_is_not_asked_ten_times_a_second() -> None:
    wire = Wire(delay_ns=40 * MS)
    wire.run(11.0)
    assert 20 <= asked_for_time(wire) <= 32
