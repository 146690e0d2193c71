"""The daemon with the built-in autopilot: flying there, and every way in which it must be silent."""

from __future__ import annotations

import json
import warnings
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from runtime.cli.control import _status_lines
from runtime.daemon.daemon import Daemon, DaemonSettings
from runtime.daemon.frame_gate import PosedFrame
from runtime.daemon.perception import PerceptionSettings
from runtime.daemon.records import fix_record
from runtime.errors import HistoryBusyError, StorageError
from runtime.events import ControlRequest, FrameArrived, JobKind, Tick
from runtime.flightlog.flightlog import LogState
from runtime.geodesy import distance_m, offset
from runtime.guidance.reasons import Reason
from runtime.values import Fix, Frame, GeoPoint, Hypothesis, Pose, Position, PositionSource, circular
from runtime.vehicle.config import VehicleConfig
from runtime.vehicle.vehicle import Vehicle
from sim.scenario.mutants import AuthorityWithoutLatch
from tests.runtime.daemon.cockpit import DELAY_NS, HOME, STEP_NS, Cockpit, operator_limits

TARGET = offset(HOME, 60.0, 80.0)


def go_to(cockpit: Cockpit, north_m: float, east_m: float) -> None:
    """A ground station on another link sends the vehicle elsewhere."""
    where = offset(HOME, north_m, east_m)
    station = mavlink.MAVLink(None, srcSystem=255, srcComponent=190)
    message = mavlink.MAVLink_set_position_target_global_int_message(
        0, 1, 1, mavlink.MAV_FRAME_GLOBAL_RELATIVE_ALT_INT, 3576,
        round(where.latitude_deg * 1e7), round(where.longitude_deg * 1e7), 60.0, 0, 0, 0, 0, 0, 0, 0, 0,
    )  # fmt: skip
    cockpit.autopilot.receive(message.pack(station), 1)


@pytest.fixture(scope="module")
def flown() -> Cockpit:
    """One whole flight, looked at by several tests."""
    cockpit = Cockpit(latency_ms={JobKind.FIX: 45.0, JobKind.RECORD: 60.0})
    cockpit.to_ready(TARGET)
    assert cockpit.commands() == []
    cockpit.autopilot.pilot_set_mode("GUIDED")
    until(cockpit, "confirmed")
    cockpit.fly(5.0)  # what must not follow has time to
    return cockpit


def until(cockpit: Cockpit, phase: str) -> None:
    """Fly until the daemon is in a phase of its flight, which it has to be a minute after the take-over."""
    latest_ns = cockpit.t_ns + 60_000_000_000
    while cockpit.ask("status")["phase"] != phase:
        assert cockpit.t_ns < latest_ns
        cockpit.fly(1.0)


def test_it_flies_there_holds_and_confirms(flown: Cockpit) -> None:
    status = flown.ask("status")
    assert status["phase"] == "confirmed" and status["state"] == "yielded"  # it is over: nothing follows from it
    assert distance_m(flown.here, TARGET) < 6.0
    assert flown.height_m == pytest.approx(60.0, abs=3.0)


def test_it_sent_nothing_but_position_targets_and_none_after_the_hold(flown: Cockpit) -> None:
    commands = flown.commands()
    assert {message.get_type() for message in commands} == {"SET_POSITION_TARGET_GLOBAL_INT"}
    assert all(message.type_mask == 3576 for message in commands)
    setpoints = flown.journal.of("setpoint")
    assert len(setpoints) == len(commands) and all(record["sent"] for record in setpoints)
    assert [record["reason"] for record in setpoints].count("hold: arrived") == 1
    assert setpoints[-1]["reason"] == "hold: arrived"


def test_the_live_view_is_compared_with_the_autopilot(flown: Cockpit) -> None:
    status = flown.ask("status")
    assert status["fix"]["difference_m"] < 8.0  # GPS noise, and the frame's delay at 8 m/s
    fixes = flown.journal.of("fix")
    assert len(fixes) > 50 and all(record["difference"]["distance_m"] < 8.0 for record in fixes)
    assert fixes[0]["covariance_m2"] == [[4.0, 0.0], [0.0, 4.0]] and fixes[0]["sigma_m"] == 2.0


def test_the_estimate_says_its_state_and_source(flown: Cockpit) -> None:
    status = flown.ask("status")["estimate"]
    assert (status["state"], status["trusted"], status["source"]) == ("tracking", True, "autopilot")
    logged = flown.journal.of("estimate")
    assert {record["state"] for record in logged[5:]} == {"tracking"}
    (north_north, north_east), (_, east_east) = logged[-1]["covariance_m2"]
    assert north_north == east_east > 0.0 == north_east and logged[-1]["velocity_ned_m_s"] is not None


def test_a_fix_is_logged_with_the_likeliest_places_that_were_considered() -> None:
    here, many = GeoPoint(60.0, 22.0), 30
    places = tuple(Hypothesis(here, here, circular(20.0), (number,), 0, 0.0, 0.9) for number in range(many))
    frame = Frame(np.zeros((4, 4, 3), np.uint8), 7, "test", 0)
    posed = PosedFrame(frame, Pose(7), Position.circular(here, 1.0, PositionSource.AUTOPILOT), 8)
    record = fix_record(Fix.none(7, "blurred", places), None, posed)
    written = json.loads(record.encoded())
    assert [one["keyframe_ids"] for one in written["hypotheses"]] == [[number] for number in range(12)]
    assert written["hypotheses"][0]["aircraft"] == {"latitude_deg": 60.0, "longitude_deg": 22.0}
    assert written["hypotheses"][0]["similarity"] == 0.9 and written["covariance_m2"] is None


def test_matching_never_learns_where_the_autopilot_thinks_it_is(flown: Cockpit) -> None:
    assert flown.eyes.asked
    for _, pose in flown.eyes.asked:
        assert not {"position", "velocity_ned_m_s"} & {field.name for field in fields(pose)}
        assert pose.heading is not None and pose.height_agl_m is not None


def test_frames_meet_the_pose_of_their_exposure(flown: Cockpit) -> None:
    for frame, pose in flown.eyes.asked:
        assert abs(pose.t_ns - frame.t_ns) < 1_000_000
        assert (frame.t_ns + DELAY_NS) % flown.frame_period_ns == 0


def test_recording_pauses_once_a_target_is_confirmed(flown: Cockpit) -> None:
    """And goes on when the flight is over."""
    decisions = [(t_ns, record) for channel, t_ns, record in flown.journal.records if channel == "guidance"]
    over_ns = next(t_ns for t_ns, record in decisions if record["state"] == "yielded")
    stamps = [frame.t_ns for frame, _ in flown.notebook.frames]
    assert [t_ns for t_ns in stamps if t_ns < 6_500_000_000] and [t_ns for t_ns in stamps if t_ns > over_ns]
    assert not [t_ns for t_ns in stamps if 6_500_000_000 <= t_ns < over_ns - 1_000_000_000]


def test_the_log_tells_the_story(flown: Cockpit) -> None:
    states = [record["state"] for record in flown.journal.of("guidance")]
    assert [state for index, state in enumerate(states) if index == 0 or state != states[index - 1]] == [
        "monitor", "ready", "engaged", "yielded",
    ]  # fmt: skip
    phases = [record["phase"] for record in flown.journal.of("guidance")]
    assert phases[-1] == "confirmed" and "holding" in phases
    assert any(record["event"] == "ModeChanged" for record in flown.journal.of("vehicle"))
    assert [record["request"]["command"] for record in flown.journal.of("control")][:3] == [
        "target", "confirm", "engage",
    ]  # fmt: skip
    assert b"".join(data for direction, data in flown.journal.raw if direction == "out") == bytes(flown.wire)


def test_the_log_holds_every_input_and_what_was_believed(flown: Cockpit) -> None:
    ticks = [t_ns for channel, t_ns, _ in flown.journal.records if channel == "tick"]
    assert len(ticks) == flown.t_ns // STEP_NS and ticks == sorted(ticks)
    frames = flown.journal.of("frame")
    assert len(frames) == flown.frames and frames[5]["stamped_t_ns"] - frames[4]["stamped_t_ns"] == 500_000_000
    assert sum(frame["jpeg"] is not None for frame in frames) == pytest.approx(len(frames) / 2, abs=1)
    jobs = flown.journal.of("job")
    assert {job["kind"] for job in jobs} == {"fix", "odometry", "record"} and not any(job["failed"] for job in jobs)
    assert len(flown.journal.of("pose")) >= len(flown.journal.of("fix"))
    asked = [record["request"]["command"] for record in flown.journal.of("request")]
    assert asked[:3] == ["target", "confirm", "engage"]
    estimates = flown.journal.of("estimate")
    assert len(estimates) == pytest.approx(5 * flown.t_ns * 1e-9, rel=0.05) and estimates[-1]["source"] == "autopilot"


def test_a_log_that_loses_records_says_so() -> None:
    cockpit = Cockpit()
    cockpit.fly(2.0)
    cockpit.journal.state = LogState(True, "No space left on device", 10, 3, 1, 0)
    cockpit.fly(1.0)
    assert cockpit.ask("status")["log"] == {
        "degraded": True, "reason": "No space left on device", "lost_records": 3, "lost_frames": 0,
    }  # fmt: skip
    assert [record["lost_records"] for record in cockpit.journal.of("log")] == [3]
    said = _status_lines(cockpit.ask("status"))
    assert "warning   the flight log has lost 3 records: No space left on device" in said
    cockpit.journal.state = LogState(True, "", 10, 0, 0, 0, lost_frames=5)
    assert "warning   the flight log has lost 0 records and 5 frames" in _status_lines(cockpit.ask("status"))
    texts = [m.text for m in mavlink.MAVLink(None).parse_buffer(cockpit.wire) or [] if m.get_type() == "STATUSTEXT"]
    assert "Homing: flight log loses records" in texts


def test_status_says_what_an_operator_asks(flown: Cockpit) -> None:
    status = flown.ask("status")
    assert status["vehicle"]["mode"] == "GUIDED" and status["vehicle"]["problems"] == []
    assert status["latency_ms"]["exposure_to_fix"]["p50"] >= 45.0
    assert status["latency_ms"]["telemetry_to_setpoint"]["p99"] < 250.0
    assert status["counts"]["fix"] > 50 and status["camera"] == "ok"
    assert status["distance_m"] is None and status["target"] is None and status["schema"] == 1


def under_way(**options: object) -> Cockpit:
    cockpit = Cockpit(**options)  # type: ignore[arg-type]
    cockpit.to_ready(TARGET)
    cockpit.autopilot.pilot_set_mode("GUIDED")
    cockpit.fly(4.0)
    assert len(cockpit.commands()) >= 8
    cockpit.forget_wire()
    return cockpit


@pytest.mark.parametrize("mode", ["LOITER", "STABILIZE", "RTL", "ALT_HOLD"])
def test_not_one_command_after_the_pilot_takes_over(mode: str) -> None:
    cockpit = under_way()
    assert cockpit.autopilot.pilot_set_mode(mode)
    cockpit.fly(5.0)
    assert cockpit.commands() == []
    assert cockpit.ask("status")["state"] == "yielded"
    cockpit.autopilot.pilot_set_mode("GUIDED")  # and back: nobody engaged again
    cockpit.fly(5.0)
    assert cockpit.commands() == []


def test_a_ground_stations_own_target_latches() -> None:
    cockpit = under_way()
    go_to(cockpit, -100.0, -200.0)
    cockpit.fly(1.0)
    cockpit.forget_wire()
    cockpit.fly(10.0)
    assert cockpit.commands() == []
    status = cockpit.ask("status")
    assert status["state"] == "yielded" and "foreign_target" in status["reasons"]
    assert distance_m(cockpit.here, offset(HOME, -100.0, -200.0)) < distance_m(cockpit.here, TARGET)


def test_a_daemon_that_ignores_its_latch_is_seen_on_the_wire() -> None:
    cockpit = under_way(authority=AuthorityWithoutLatch())
    go_to(cockpit, -100.0, -200.0)
    cockpit.fly(1.0)
    cockpit.forget_wire()
    cockpit.fly(10.0)
    assert cockpit.commands()


def test_a_restart_in_guided_grants_nothing() -> None:
    cockpit = under_way()
    cockpit.daemon = cockpit.make()  # the old one died without a word
    cockpit.fly(5.0)
    cockpit.give_target(TARGET)
    cockpit.ask("engage")
    cockpit.fly(5.0)
    status = cockpit.ask("status")
    assert cockpit.commands() == [] and status["state"] == "monitor"
    assert set(status["reasons"]) == {"already_guided", "authority_not_granted"}
    cockpit.autopilot.pilot_set_mode("LOITER")
    cockpit.fly(2.0)
    cockpit.autopilot.pilot_set_mode("GUIDED")
    cockpit.fly(2.0)
    assert cockpit.commands()


def test_a_lost_link_latches_and_its_return_grants_nothing() -> None:
    cockpit = under_way()
    cockpit.link_up = False
    cockpit.fly(6.0)
    cockpit.link_up = True
    cockpit.forget_wire()
    cockpit.fly(8.0)
    assert cockpit.commands() == []
    status = cockpit.ask("status")
    assert status["state"] == "yielded" and "link_lost" in status["reasons"]


def test_a_clean_end_leaves_one_hold_and_silence() -> None:
    cockpit = under_way()
    here = cockpit.daemon.estimate.position
    cockpit.close()
    commands = cockpit.commands()
    assert len(commands) == 1 and here is not None
    assert commands[0].lat_int == round(here.latitude_deg * 1e7)
    cockpit.forget_wire()
    cockpit.close()
    assert cockpit.commands() == []


def test_a_clean_end_says_nothing_when_the_vehicle_is_the_pilots() -> None:
    cockpit = Cockpit()
    cockpit.to_ready(TARGET)
    cockpit.close()
    assert cockpit.commands() == []


def test_disengage_holds_here_and_stops() -> None:
    cockpit = under_way()
    cockpit.ask("disengage")
    cockpit.fly(10.0)
    assert len(cockpit.commands()) == 1
    assert distance_m(cockpit.here, TARGET) > 100.0
    assert "operator_disengaged" in cockpit.ask("status")["reasons"]


def test_dry_run_computes_and_sends_nothing() -> None:
    cockpit = Cockpit(settings=DaemonSettings(dry_run=True))
    cockpit.to_ready(TARGET)
    cockpit.autopilot.pilot_set_mode("GUIDED")
    cockpit.fly(5.0)
    assert cockpit.commands() == []
    setpoints = cockpit.journal.of("setpoint")
    assert setpoints and all(record["withheld"] == "dry_run" and not record["sent"] for record in setpoints)
    assert cockpit.ask("status")["dry_run"] is True


def test_an_arrival_that_the_live_view_does_not_know_is_not_confirmed() -> None:
    cockpit = Cockpit()
    cockpit.to_ready(offset(HOME, -100.0, 30.0))
    cockpit.eyes.blind = True
    cockpit.autopilot.pilot_set_mode("GUIDED")
    until(cockpit, "not_confirmed")
    status = cockpit.ask("status")
    assert "arrival_not_confirmed" in status["reasons"]
    cockpit.forget_wire()
    cockpit.fly(10.0)
    assert cockpit.commands() == []


def test_targets_need_their_id_and_an_accepted_place(tmp_path: Path) -> None:
    cockpit = Cockpit()
    cockpit.fly(3.0)
    assert "no target waits" in cockpit.ask("confirm")["error"]
    assert "no target is confirmed" in cockpit.ask("engage")["error"]
    image = tmp_path / "target.png"
    cv2.imwrite(str(image), np.random.default_rng(1).integers(0, 255, (64, 64, 3), dtype=np.uint8))
    refused = cockpit.ask("target", image=str(image), target_gsd_m=0.3)
    assert refused["decision"] == "no_match" and refused["confirmable"] is False
    assert "no accepted place" in cockpit.ask("confirm", target_id=refused["target_id"])["error"]
    cockpit.places.knows(TARGET)
    found = cockpit.ask("target", image=str(image), target_gsd_m=0.3)
    assert found["decision"] == "match" and found["candidates"][0]["keyframe"] == 3
    assert "not the one that waits" in cockpit.ask("confirm", target_id=refused["target_id"])["error"]
    assert "error" not in cockpit.ask("confirm", target_id=found["target_id"])
    assert cockpit.daemon.rooms.guidance.target == TARGET
    assert "cannot be read" in cockpit.ask("target", image=str(tmp_path / "none.png"))["error"]
    assert "not understood" in cockpit.ask("target", picture="x")["error"]
    assert "not understood" in cockpit.ask("arm")["error"]
    assert "not a latitude" in cockpit.ask("target", latitude_deg=95.0, longitude_deg=1.0)["error"]


class Withdrawing(Vehicle):
    """A vehicle that counts how often targets were withdrawn."""

    withdrawn = 0

    def withdraw(self) -> None:
        self.withdrawn += 1
        super().withdraw()


def test_what_an_autopilot_wants_repeated_is_withdrawn_with_authority() -> None:
    cockpit, vehicle = Cockpit(), Withdrawing(VehicleConfig())
    cockpit.daemon = Daemon(replace(cockpit.daemon.rooms, vehicle=vehicle), cockpit.settings)
    cockpit.to_ready(TARGET)
    cockpit.autopilot.pilot_set_mode("GUIDED")
    cockpit.fly(2.0)
    before = vehicle.withdrawn
    cockpit.fly(2.0)
    assert cockpit.ask("status")["state"] == "engaged" and vehicle.withdrawn == before
    cockpit.ask("disengage")
    cockpit.fly(0.2)
    assert vehicle.withdrawn > before


def test_whoever_waits_for_a_target_at_the_end_is_answered_once(tmp_path: Path) -> None:
    cockpit = Cockpit(latency_ms={JobKind.LOCATE: 2000.0})
    cockpit.fly(3.0)
    image = tmp_path / "target.png"
    answers: list[dict[str, Any]] = []
    cv2.imwrite(str(image), np.random.default_rng(1).integers(0, 255, (64, 64, 3), dtype=np.uint8))
    asked = {"command": "target", "image": str(image), "target_gsd_m": 0.3}
    cockpit.daemon.step(ControlRequest(cockpit.t_ns, asked, answers.append))
    assert not answers and "being located" in cockpit.ask("target", image=str(image))["error"]
    cockpit.close()
    assert [answer["schema"] for answer in answers] == [1] and "ended before" in answers[0]["error"]
    for done in cockpit.workers.finished(cockpit.t_ns + 10**10):
        cockpit.daemon.step(done)
    assert len(answers) == 1


def test_frames_that_come_while_it_works_are_dropped_and_counted() -> None:
    cockpit = Cockpit(latency_ms={JobKind.FIX: 700.0}, settings=DaemonSettings())
    cockpit.fly(20.0)
    counts = cockpit.ask("status")["counts"]
    assert counts["frames_dropped_busy"] == pytest.approx(counts["frames"] / 2, abs=3)
    assert counts["fix"] + counts["frames_dropped_busy"] <= counts["frames"]


def test_the_fix_interval_is_kept() -> None:
    cockpit = Cockpit(settings=DaemonSettings(perception=PerceptionSettings(fix_interval_ns=2_000_000_000)))
    cockpit.fly(20.0)
    assert 7 <= cockpit.ask("status")["counts"]["fix"] <= 10


def test_a_full_disk_ends_the_recording_and_not_the_flight() -> None:
    cockpit = Cockpit()
    cockpit.fly(4.0)
    kept = len(cockpit.notebook.frames)
    cockpit.notebook.error = StorageError("history.db: the disk is full.")
    cockpit.fly(4.0)
    status = cockpit.ask("status")
    assert kept and len(cockpit.notebook.frames) == kept
    assert status["recording"] is False and "disk is full" in status["recording_failed"]
    assert any("disk is full" in line for line in _status_lines(status))
    fixes = status["counts"]["fix"]
    cockpit.fly(2.0)
    assert cockpit.ask("status")["counts"]["fix"] > fixes


def test_a_history_in_use_costs_a_frame_and_not_the_recording() -> None:
    cockpit = Cockpit()
    cockpit.fly(4.0)
    kept = len(cockpit.notebook.frames)
    cockpit.notebook.error = HistoryBusyError("history.db is in use by another program; wait for it.")
    cockpit.fly(2.0)
    assert kept and len(cockpit.notebook.frames) == kept and cockpit.ask("status")["counts"]["record_failed"] > 0
    cockpit.notebook.error = None
    cockpit.fly(2.0)
    status = cockpit.ask("status")
    assert len(cockpit.notebook.frames) > kept and status["recording"] is True and status["recording_failed"] is None


def test_a_picture_without_pixels_does_not_end_the_flight() -> None:
    cockpit = Cockpit(settings=DaemonSettings(perception=PerceptionSettings(picture_interval_ns=0)))
    cockpit.fly(2.0)
    empty = Frame(np.zeros((0, 0, 3), np.uint8), cockpit.t_ns, "test", 10**6)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of numpy: the mean of nothing
        cockpit.daemon.step(FrameArrived(cockpit.t_ns, empty))
    cockpit.fly(2.0)
    status = cockpit.ask("status")
    assert status["counts"]["frame_failed"] == 1 and status["camera"] == "ok" and status["counts"]["fix"] > 0
    assert [record["stage"] for record in cockpit.journal.of("error")] == ["frame"]


def test_a_flaw_in_sight_does_not_take_the_link_down() -> None:
    cockpit = Cockpit(settings=DaemonSettings())
    cockpit.fly(3.0)
    cockpit.eyes.error = ValueError("a shape that nobody expected")
    cockpit.fly(3.0)
    status = cockpit.ask("status")
    assert status["counts"]["fix_failed"] >= 4 and status["vehicle"]["connected"]
    assert cockpit.journal.of("error")[0]["kind"] == "ValueError"
    cockpit.eyes.error = None
    seen = status["counts"]["fix"]
    cockpit.fly(3.0)
    assert cockpit.ask("status")["counts"]["fix"] > seen


def test_a_frozen_camera_is_not_looked_at() -> None:
    cockpit = Cockpit(settings=DaemonSettings())
    cockpit.fly(3.0)
    frame = cockpit.expose()
    cockpit.frame_period_ns = 10**15
    for index in range(20):
        cockpit.fly(0.2)
        again = replace(frame, t_ns=cockpit.t_ns, index=frame.index + index)
        cockpit.eyes.truth[again.index] = cockpit.here
        cockpit.daemon.step(FrameArrived(cockpit.t_ns, again))
    status = cockpit.ask("status")
    assert status["camera"] == "frozen"
    assert status["counts"]["frames_frozen"] >= 10
    cockpit.fly(3.0)
    assert cockpit.ask("status")["camera"] == "silent"


def test_one_stamp_in_the_future_costs_its_own_frame_and_no_other() -> None:
    cockpit = Cockpit(settings=DaemonSettings())
    cockpit.fly(3.0)
    before = cockpit.ask("status")["counts"]
    hour_ns = 3600 * 1_000_000_000
    for lie_ns in (hour_ns, -hour_ns):
        frame = cockpit.expose()
        cockpit.daemon.step(FrameArrived(cockpit.t_ns, replace(frame, t_ns=cockpit.t_ns + lie_ns)))
        cockpit.fly(3.0)
    status = cockpit.ask("status")
    assert status["camera"] == "ok"
    assert (status["counts"]["frames_stamp_in_future"], status["counts"]["frames_stamp_too_old"]) == (1, 1)
    assert status["counts"]["fix"] >= 2 * before["fix"] > 0


def test_a_frame_without_telemetry_is_dropped_by_name() -> None:
    cockpit = Cockpit()
    cockpit.link_up = False
    cockpit.fly(5.0)
    status = cockpit.ask("status")
    assert status["frames_dropped_pose"] and cockpit.eyes.asked == []
    assert status["state"] == "monitor" and "no_vehicle" in status["reasons"]


def test_two_equal_flights_send_equal_bytes_and_write_equal_logs() -> None:
    def flight() -> Cockpit:
        cockpit = Cockpit(latency_ms={JobKind.FIX: 45.0, JobKind.RECORD: 60.0}, seed=7)
        cockpit.to_ready(TARGET)
        cockpit.autopilot.pilot_set_mode("GUIDED")
        cockpit.fly(8.0)
        return cockpit

    one, other = flight(), flight()
    assert one.wire == other.wire and len(one.commands()) > 20
    assert one.journal.records == other.journal.records


def test_nothing_at_all_happens_without_a_vehicle() -> None:
    cockpit = Cockpit()
    daemon = cockpit.make()
    daemon.step(FrameArrived(1, Frame(np.zeros((48, 64, 3), np.uint8), 1, "x", 0)))
    for tick in range(100):
        daemon.step(Tick(tick * 50_000_000))
    assert daemon.rooms.guidance.last.setpoint is None


@pytest.mark.parametrize(
    ("lost", "reason"), [("RC_CHANNELS", Reason.RC_UNKNOWN), ("SYS_STATUS", Reason.FAILSAFE_UNKNOWN)]
)
def test_what_was_never_heard_prevents_ready(lost: str, reason: Reason) -> None:
    cockpit = Cockpit()
    cockpit.lost = {lost}
    cockpit.fly(6.0)
    cockpit.give_target(TARGET)
    cockpit.ask("engage")
    cockpit.fly(1.0)
    status = cockpit.ask("status")
    assert status["state"] == "monitor" and reason.value in status["reasons"]
    cockpit.autopilot.pilot_set_mode("GUIDED")
    cockpit.fly(3.0)
    assert cockpit.commands() == []


def test_a_receiver_that_falls_silent_in_flight_ends_it_without_another_target() -> None:
    cockpit = under_way()
    cockpit.lost = {"RC_CHANNELS"}
    cockpit.fly(2.1)
    cockpit.forget_wire()
    cockpit.fly(5.0)
    assert cockpit.commands() == []
    assert cockpit.ask("status")["state"] == "yielded" and "rc_unknown" in cockpit.ask("status")["reasons"]


def test_a_waived_unknown_is_flown_with_and_said() -> None:
    cockpit = Cockpit(limits=replace(operator_limits(), waived=frozenset({Reason.RC_UNKNOWN})))
    cockpit.lost = {"RC_CHANNELS"}
    cockpit.to_ready(TARGET)
    cockpit.autopilot.pilot_set_mode("GUIDED")
    cockpit.fly(3.0)
    assert cockpit.commands()
    assert cockpit.ask("status")["waived"] == ["rc_unknown"]
    assert any(record["waived"] == ["rc_unknown"] for record in cockpit.journal.of("guidance"))
