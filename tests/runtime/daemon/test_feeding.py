"""The daemon feeds the built-in autopilot: from frames through odometry and fixes to messages and their answer."""

from __future__ import annotations

from typing import Any

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from runtime.cli.control import _status_lines
from runtime.geodesy import distance_m, offset
from runtime.injection.settings import InjectionSettings, Route
from runtime.localizer.navigation import NavigationSource
from tests.runtime.daemon.cockpit import HOME, Cockpit

FALLBACK = {
    "VISO_TYPE": 1.0, "EK3_SRC2_POSXY": 6.0, "EK3_SRC2_VELXY": 6.0, "EK3_SRC2_POSZ": 1.0, "EK3_SRC2_YAW": 1.0,
}  # fmt: skip
ODOMETRY = InjectionSettings(route=Route.ODOMETRY)


def flown(settings: InjectionSettings = ODOMETRY, parameters: dict[str, float] | None = None) -> Cockpit:
    """5 s in the air with GPS, camera and fixes."""
    cockpit = Cockpit(
        source=NavigationSource.AUTO, injection=settings, parameters=FALLBACK if parameters is None else parameters
    )
    cockpit.frame_period_ns = 100_000_000
    cockpit.fly(5.0)
    return cockpit


def sent(cockpit: Cockpit, *names: str) -> list[Any]:
    return [m for m in mavlink.MAVLink(None).parse_buffer(cockpit.wire) or [] if m.get_type() in names]


def off_m(cockpit: Cockpit) -> float:
    """How far the autopilot's belief is from the truth."""
    believed = cockpit.vehicle.state.telemetry.position
    assert believed is not None
    return distance_m(believed, cockpit.here)


def test_gps_goes_and_the_autopilot_flies_on_the_camera() -> None:
    cockpit = flown()
    status = cockpit.ask("status")["injection"]
    assert status == {"route": "odometry", "state": "aligning", "reasons": ["gps_in_use"], "echoing": False}
    assert len(sent(cockpit, "ODOMETRY")) > 10
    cockpit.autopilot.set_parameter("SIM_GPS1_ENABLE", 0)
    cockpit.fly(11.0)  # without feeding, it lands after 7 s
    assert cockpit.ask("status")["injection"] == {
        "route": "odometry", "state": "feeding", "reasons": [], "echoing": True,
    }  # fmt: skip
    assert "aiding    odometry feeding" in _status_lines(cockpit.ask("status"))
    switches = [m for m in sent(cockpit, "COMMAND_LONG") if m.command == 42007]
    assert [m.param1 for m in switches] == [2.0] and off_m(cockpit) < 6.0
    assert cockpit.vehicle.state.telemetry.mode == "LOITER", "no failsafe"
    assert cockpit.ask("status")["estimate"]["source"] == "vision"
    states = [record["state"] for record in cockpit.journal.of("injection")]
    assert states.index("feeding") > states.index("aligning") and states[-1] == "feeding"
    assert [record["switch_to"] for record in cockpit.journal.of("injection") if record["switch_to"]] == [2]
    texts = [m.text for m in sent(cockpit, "STATUSTEXT")]
    assert "Homing: vision aiding feeding" in texts
    assert 0 < cockpit.ask("status")["latency_ms"]["exposure_to_injection"]["p50"] < 300


def test_an_echo_is_neither_recorded_nor_compared() -> None:
    cockpit = flown()
    assert cockpit.notebook.positions[-1] is not None
    cockpit.autopilot.set_parameter("SIM_GPS1_ENABLE", 0)
    cockpit.fly(4.0)
    cockpit.autopilot.set_parameter("SIM_GPS1_ENABLE", 1)  # back again, while the autopilot flies on the camera
    cockpit.notebook.positions.clear()
    cockpit.fly(4.0)
    assert cockpit.daemon.rooms.navigation.echoing
    assert cockpit.notebook.positions == [None] * len(cockpit.notebook.positions)
    assert cockpit.journal.of("fix")[-1]["difference"] is None


def test_a_covered_camera_is_called_unhealthy_then_nothing_is_said_and_nothing_is_fed() -> None:
    cockpit = flown()
    cockpit.autopilot.set_parameter("SIM_GPS1_ENABLE", 0)
    cockpit.fly(3.0)
    cockpit.eyes.blind = cockpit.odometer.blind = True
    cockpit.fly(2.0)
    cockpit.forget_wire()
    cockpit.fly(8.0)
    assert sent(cockpit, "ODOMETRY", "GPS_INPUT") == []
    assert "odometry_missing" in cockpit.ask("status")["injection"]["reasons"]
    assert cockpit.vehicle.state.telemetry.mode == "LAND", "the autopilot's own failsafe is awake again"
    assert cockpit.commands() == []


def test_a_camera_that_comes_and_goes_does_not_fill_the_pilots_screen() -> None:
    cockpit = flown()
    for _ in range(3):
        cockpit.odometer.blind = True
        cockpit.fly(1.5)
        assert cockpit.ask("status")["injection"]["state"] == "waiting"
        cockpit.odometer.blind = False
        cockpit.fly(0.6)
        assert cockpit.ask("status")["injection"]["state"] == "aligning"
    said = [m.text for m in sent(cockpit, "STATUSTEXT") if "aiding" in m.text]
    assert said == ["Homing: vision aiding aligning"]
    assert len({record["state"] for record in cockpit.journal.of("injection")}) == 2, "the log has it all"


def test_every_stamp_is_an_exposure_and_comes_once() -> None:
    cockpit = flown()
    stamps = [m.time_usec for m in sent(cockpit, "ODOMETRY") if m.quality >= 0]
    assert stamps == sorted(set(stamps)) and len(stamps) > 10
    offset_ns = cockpit.vehicle.state.timesync_offset_ns
    assert offset_ns is not None
    exposures_us = {(record["exposed_t_ns"] + offset_ns) // 1000 for record in cockpit.journal.of("odometry")}
    assert all(min(abs(stamp - exposure) for exposure in exposures_us) < 1000 for stamp in stamps)


def test_nothing_is_fed_unless_the_operator_says_so() -> None:
    cockpit = flown(InjectionSettings())
    cockpit.autopilot.set_parameter("SIM_GPS1_ENABLE", 0)
    cockpit.fly(3.0)
    assert sent(cockpit, "ODOMETRY", "GPS_INPUT") == [] and cockpit.commands() == []
    assert cockpit.journal.of("injection") == [] and not cockpit.daemon.rooms.navigation.echoing


def test_a_gps_that_lies_is_left_for_the_camera_without_aligning_with_the_lie() -> None:
    cockpit = flown()
    cockpit.autopilot.set_parameter("SIM_GPS1_GLTCH_X", 0.0003)  # 33 m
    cockpit.fly(14.0)  # the autopilot takes such a jump after 12 s
    assert cockpit.ask("status")["navigation"]["gps"] == "doubted"
    assert cockpit.ask("status")["injection"]["state"] == "feeding" and off_m(cockpit) < 6.0


def test_as_a_second_receiver_it_takes_over_when_the_first_is_gone() -> None:
    settings = InjectionSettings(route=Route.GPS_INPUT, receiver=1)
    cockpit = flown(settings, {"GPS2_TYPE": 14.0, "GPS_AUTO_SWITCH": 1.0})
    assert cockpit.ask("status")["injection"]["reasons"] == ["gps_in_use"] and len(sent(cockpit, "GPS_INPUT")) > 10
    cockpit.autopilot.set_parameter("SIM_GPS1_ENABLE", 0)
    cockpit.fly(9.0)
    assert cockpit.vehicle.state.telemetry.mode == "LOITER" and off_m(cockpit) < 6.0
    assert cockpit.daemon.rooms.navigation.echoing
    assert [m for m in sent(cockpit, "COMMAND_LONG") if m.command == 42007] == []
    assert distance_m(offset(HOME, -150.0, 0.0), cockpit.here) < 15.0


def test_by_vision_messages_it_flies_on_as_by_odometry() -> None:
    cockpit = flown(InjectionSettings(route=Route.VISION))
    cockpit.autopilot.set_parameter("SIM_GPS1_ENABLE", 0)
    cockpit.fly(9.0)  # without feeding, it lands after 7 s
    assert cockpit.ask("status")["injection"] == {
        "route": "vision", "state": "feeding", "reasons": [], "echoing": True,
    }  # fmt: skip
    assert cockpit.vehicle.state.telemetry.mode == "LOITER" and off_m(cockpit) < 6.0
    assert len(sent(cockpit, "VISION_POSITION_ESTIMATE")) > 50 and sent(cockpit, "ODOMETRY") == []
    speeds = sent(cockpit, "VISION_SPEED_ESTIMATE")
    assert [m.usec for m in speeds] == sorted({m.usec for m in speeds}), "nothing is repeated"
