"""GPS goes, or lies, under a daemon that sees: whose word it flies on, what it tells, and what it no longer records."""

from __future__ import annotations

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from runtime.events import JobKind
from runtime.geodesy import distance_m, offset
from runtime.localizer.navigation import NavigationSource
from tests.runtime.daemon.cockpit import HOME, Cockpit

TARGET = offset(HOME, -40.0, 60.0)


def texts(cockpit: Cockpit) -> list[str]:
    """What the ground station was told."""
    messages = mavlink.MAVLink(None).parse_buffer(cockpit.wire) or []
    return [message.text for message in messages if message.get_type() == "STATUSTEXT"]


def test_a_lost_gps_hands_over_to_the_camera_and_ends_recording() -> None:
    cockpit = Cockpit(source=NavigationSource.AUTO)
    cockpit.fly(6.0)
    assert cockpit.ask("status")["estimate"]["source"] == "autopilot"
    recorded = len(cockpit.notebook.frames)
    assert recorded and all(position is not None for position in cockpit.notebook.positions)
    cockpit.autopilot.set_parameter("SIM_GPS1_ENABLE", 0)
    cockpit.fly(3.0)
    status = cockpit.ask("status")
    assert status["estimate"]["source"] == "vision" and status["estimate"]["trusted"]
    assert status["navigation"]["gps"] == "lost" and status["navigation"]["coast_left_s"] > 19.0
    assert {"Homing: GPS lost", "Homing: position by camera"} <= set(texts(cockpit))
    cockpit.fly(2.0)
    assert cockpit.notebook.positions[-1] is None  # offered without a position, which a recorder refuses
    changes = cockpit.journal.of("navigation")
    assert [change["gps"] for change in changes][-1] == "lost" and changes[-1]["source"] == "vision"


def test_the_camera_knows_where_it_is_whatever_the_autopilot_believes() -> None:
    cockpit = Cockpit(source=NavigationSource.VISION)
    cockpit.autopilot.set_parameter("SIM_GPS1_GLTCH_X", 0.002)  # 222 m, taken after some 10 s
    cockpit.fly(12.0)
    estimate = cockpit.daemon.rooms.navigation.vision(cockpit.t_ns)
    assert estimate.position is not None and estimate.trusted
    assert distance_m(estimate.position, cockpit.here) < 3.0


def test_a_receiver_that_lies_is_named_in_status_log_and_to_the_ground_station() -> None:
    cockpit = Cockpit(source=NavigationSource.AUTO)
    cockpit.fly(8.0)
    cockpit.autopilot.set_parameter("SIM_GPS1_GLTCH_X", 0.0003)  # 33 m
    cockpit.fly(4.0)
    status = cockpit.ask("status")
    assert status["navigation"]["gps"] == "doubted" and status["estimate"]["source"] == "vision"
    assert 20.0 < status["navigation"]["alarm"]["offset_m"] < 45.0 and status["counts"]["gps_alarms"] == 1
    assert any(text.startswith("Homing: GPS doubted, ") for text in texts(cockpit))
    assert cockpit.journal.of("navigation")[-1]["alarm"]["reason"]


def test_every_frame_goes_through_odometry_while_a_fix_takes_long() -> None:
    cockpit = Cockpit(latency_ms={JobKind.FIX: 900.0, JobKind.ODOMETRY: 20.0})
    cockpit.frame_period_ns = 40_000_000
    cockpit.fly(8.0)
    seen = [record["frame"] for record in cockpit.journal.of("odometry")]
    assert seen == list(range(seen[0], seen[-1] + 1)) and len(seen) > 150
    assert cockpit.daemon.counts["frames_dropped_odometry"] == 0
    by_sight = cockpit.journal.of("vision")
    assert len(by_sight) == len(seen) and by_sight[-1]["state"] == "tracking"
    assert cockpit.daemon.latencies.summary_ms()["frame_to_estimate"]["p99"] < 250.0


def test_a_covered_camera_is_lost_within_three_seconds() -> None:
    cockpit = Cockpit(source=NavigationSource.VISION)
    cockpit.fly(8.0)
    assert cockpit.ask("status")["estimate"]["trusted"]
    cockpit.eyes.blind = cockpit.odometer.blind = True
    cockpit.fly(3.0)
    status = cockpit.ask("status")
    assert status["estimate"]["state"] == "lost" and "nothing measured" in status["estimate"]["reason"]
    cockpit.eyes.blind = cockpit.odometer.blind = False
    cockpit.fly(4.0)
    assert cockpit.ask("status")["estimate"]["trusted"]
