"""What people and the log are told of a camera, and when."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from runtime.daemon.daemon import DaemonSettings
from runtime.daemon.perception import PerceptionSettings
from runtime.events import FrameArrived
from tests.runtime.daemon.cockpit import STEP_NS, Cockpit

PERIOD_NS = 40_000_000
FOREVER_NS = 10**15


def looking(**settings: Any) -> Cockpit:
    """25 frames a second, for two seconds."""
    cockpit = Cockpit(settings=DaemonSettings(perception=PerceptionSettings(**settings)))
    cockpit.frame_period_ns = PERIOD_NS
    cockpit.fly(2.0)
    return cockpit


def told(cockpit: Cockpit) -> list[tuple[float, str, str | None]]:
    """(seconds, state, error) of the log's records."""
    return [(t_ns * 1e-9, record["state"], record["error"])
            for name, t_ns, record in cockpit.journal.records if name == "camera_state"]  # fmt: skip


def texts(cockpit: Cockpit) -> list[str]:
    """What the ground station was told of the camera."""
    messages = mavlink.MAVLink(None).parse_buffer(cockpit.wire) or []
    said = [message.text for message in messages if message.get_type() == "STATUSTEXT"]
    return [text for text in said if "camera" in text]


def test_a_camera_that_stops_is_told_within_three_tenths_of_a_second_and_its_return_once_it_lasts() -> None:
    cockpit = looking()
    assert [state for _, state, _ in told(cockpit)] == ["ok"]
    lost_s, cockpit.frame_period_ns = cockpit.t_ns * 1e-9, FOREVER_NS
    cockpit.fly(2.0)
    at_s, state, error = told(cockpit)[-1]
    assert state == "silent" and error is None and at_s - lost_s < 0.3
    back_s, cockpit.frame_period_ns = cockpit.t_ns * 1e-9, PERIOD_NS
    cockpit.fly(2.0)
    assert [state for _, state, _ in told(cockpit)] == ["ok", "silent", "ok"]
    assert 1.2 <= told(cockpit)[-1][0] - back_s < 1.4
    assert texts(cockpit) == ["Homing: camera silent", "Homing: camera works again"]


def test_what_the_cameras_thread_says_is_told_before_its_last_frame_is_old() -> None:
    cockpit = looking()
    cockpit.frame_period_ns = FOREVER_NS
    cockpit.daemon.perception.camera_error = "camera /dev/video0 stopped delivering frames."
    cockpit.fly(2 * STEP_NS * 1e-9)
    assert told(cockpit)[-1][1:] == ("silent", "camera /dev/video0 stopped delivering frames.")
    assert cockpit.ask("status")["camera"] == "silent"


def test_a_camera_that_gives_nothing_from_the_start_is_told() -> None:
    cockpit = Cockpit()
    cockpit.frame_period_ns = FOREVER_NS
    cockpit.fly(0.9)
    assert told(cockpit) == []
    cockpit.fly(0.3)
    assert [state for _, state, _ in told(cockpit)] == ["no_frame_yet"]
    assert texts(cockpit) == ["Homing: camera no frame yet"]


def test_a_fault_that_comes_and_goes_from_frame_to_frame_is_told_once() -> None:
    cockpit = looking()
    cockpit.frame_period_ns = FOREVER_NS
    for number in range(100):
        cockpit.fly(0.04)
        ahead_ns = 10**10 if number % 2 else 0
        frame = cockpit.expose()
        cockpit.daemon.step(FrameArrived(cockpit.t_ns, replace(frame, t_ns=frame.t_ns + ahead_ns)))
    assert [state for _, state, _ in told(cockpit)] == ["ok", "stamp_in_future"]


def test_a_camera_that_is_slower_than_is_good_is_told_once_and_not_of_every_frame() -> None:
    cockpit = looking()
    cockpit.frame_period_ns = 1_500_000_000
    cockpit.fly(12.0)
    assert [state for _, state, _ in told(cockpit)] == ["ok", "silent"]


def test_pictures_of_another_shape_than_configured_are_not_used() -> None:
    right, wrong = looking(camera_aspect=64 / 48), looking(camera_aspect=16 / 9)
    assert right.ask("status")["camera"] == "ok"
    assert wrong.ask("status")["camera"] == "other_shape" and not wrong.eyes.asked
    assert [state for _, state, _ in told(wrong)] == ["other_shape"]
