"""What is told of a flight: events in words, a track of bounded length, rates of the last seconds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from runtime.camera.health import CameraState
from runtime.camera.words import WORDS
from runtime.debrief.narrator import Narrator
from runtime.flightlog.beliefs import AlarmRecord, EstimateRecord, NavigationRecord, OdometryRecord, VisionRecord
from runtime.flightlog.flightlog import NullFlightLog
from runtime.flightlog.inputs import TickRecord
from runtime.flightlog.records import (
    CameraStateRecord,
    ControlRecord,
    ErrorRecord,
    GuidanceRecord,
    LogRecord,
    ReleaseRecord,
    SetpointRecord,
    VehicleRecord,
)
from runtime.guidance.explained import EXPLAINED
from runtime.guidance.reasons import Phase, Reason, State
from runtime.page.board import Board
from runtime.page.track import Track
from runtime.page.watched import WatchedJournal
from runtime.values import GeoPoint, Snapshot, circular

HERE = GeoPoint(60.45, 22.25)


def said(*records: Any) -> list[str]:
    narrator = Narrator()
    return [text for record in records for text, _ in narrator.said(record)]


def guidance(state: State, phase: Phase = Phase.NONE, *reasons: Reason) -> GuidanceRecord:
    return GuidanceRecord(
        state.value, phase.value, [one.value for one in reasons], None, [], None, HERE, 1.0, True, 0
    )


def estimate(source: str = "vision", north_deg: float = 0.0, kind: type[EstimateRecord] = EstimateRecord) -> Any:
    at = GeoPoint(HERE.latitude_deg + north_deg, HERE.longitude_deg)
    return kind("tracking", at, circular(2.0), 2.0, None, None, True, source, "", 0, 0)


def snapshot(seconds: float, **counts: int) -> Snapshot:
    return Snapshot(round(seconds * 1e9), {"counts": counts, "camera": "ok", "camera_error": None}, None, None)


def test_each_state_is_told_once_with_what_it_means() -> None:
    ready = guidance(State.READY, Phase.NONE, Reason.MODE_NOT_GUIDED)
    told = said(ready, ready, guidance(State.ENGAGED, Phase.EN_ROUTE),
                guidance(State.YIELDED, Phase.NONE, Reason.MODE_CHANGED))  # fmt: skip
    assert told == [
        "READY: all is there: the pilot's next switch into the guided mode starts the flight",
        "ENGAGED: on the way to the target",
        "YIELDED: the pilot took the vehicle back",
    ]


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("phase", Phase)
def test_every_state_and_phase_has_words(state: State, phase: Phase) -> None:
    (text,) = said(guidance(state, phase))
    assert text.startswith(f"{state.value.upper()}: ") and "`" not in text and len(text) > len(state.value) + 10


def test_gps_that_is_doubted_is_told_with_its_reason() -> None:
    alarm = AlarmRecord(0, 31.0, 6.0, "it lies 31 m from the camera's position")
    assert said(NavigationRecord("autopilot", "believed", None), NavigationRecord("vision", "doubted", alarm)) == [
        "the position that is flown is the autopilot's", "GPS is believed",
        "the position that is flown is the camera's", "GPS is doubted: it lies 31 m from the camera's position",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("event", "details", "text"),
    [
        ("ModeChanged", {"mode": "GUIDED"}, "mode GUIDED"),
        ("ConnectionLost", {"silence_s": 3.04}, "the autopilot has been silent for 3.0 s"),
        ("FailsafeChanged", {"name": "gps_glitch", "active": True, "detail": ""}, "failsafe gps glitch"),
        ("FailsafeChanged", {"name": "gps", "active": False, "detail": "3D fix"}, "failsafe over: gps: 3D fix"),
        ("CommandDone", {"command": 511, "accepted": False, "result": "DENIED"}, None),  # a stream that is not known
        ("CommandDone", {"command": 42006, "accepted": False, "result": "FAILED"},
         "the autopilot did not accept command 42006: FAILED"),
        ("StreamChanged", {}, None),
    ],
)  # fmt: skip
def test_what_the_vehicle_does(event: str, details: dict[str, Any], text: str | None) -> None:
    assert said(VehicleRecord(event, 0, details)) == ([] if text is None else [text])


def test_what_the_operator_asks_and_what_fails() -> None:
    sent, withheld = (SetpointRecord(60.0, 22.0, 100.0, 0, "", why is None, why) for why in (None, "stale"))
    records = [
        ControlRecord({"command": "status"}, {"state": "ready"}),
        ControlRecord({"command": "engage"}, {"engaged": True}),
        ControlRecord({"command": "confirm"}, {"error": "no target waits."}),
        ErrorRecord("fix", "the tower failed", "RuntimeError"), ErrorRecord("fix", "the tower failed", "RuntimeError"),
        LogRecord(True, "the disk is full", 3, 1),
        ReleaseRecord("operator_disengaged", True),
        sent, sent, withheld,
    ]  # fmt: skip
    assert said(*records) == [
        "the operator: engage",
        "confirm refused: no target waits.",
        "fix failed: the tower failed",
        "the flight log loses records: the disk is full",
        "given back: homing disengage, which takes back a confirmation too, with one target to hold here",
        "position targets go to the autopilot",
        "position targets are not sent: stale",
    ]


def test_the_last_fifty_events_are_kept() -> None:
    board = Board(lambda: 0)
    for number in range(70):
        board.write(number, ErrorRecord("fix", f"failure {number}", ""))
    assert [event.text for event in board.events] == [f"fix failed: failure {number}" for number in range(20, 70)]
    assert board.events[-1].seq == 70


def test_a_flight_that_was_given_up_on_its_way_is_told_once_with_its_cause() -> None:
    told = said(guidance(State.ENGAGED, Phase.EN_ROUTE), guidance(State.YIELDED, Phase.EN_ROUTE, Reason.LINK_LOST),
                guidance(State.YIELDED, Phase.NONE, Reason.ALREADY_GUIDED))  # fmt: skip
    assert told[1:] == [f"YIELDED: {EXPLAINED[Reason.LINK_LOST].meaning}"]


def test_a_picture_that_stands_upside_down_is_told_once() -> None:
    wrong, right = (OdometryRecord(1, 1, None, faults, 0, 0) for faults in (("upside_down",), ("no_overlap",)))
    told = said(right, wrong, wrong, right, wrong)
    assert told == 2 * ["the camera's picture turned upside down: nothing is measured by it; look at its mount"]


def test_a_camera_that_falls_silent_is_told_in_an_operators_words() -> None:
    board = Board(lambda: 0)
    board.write(1, CameraStateRecord("silent", "the device is gone"))
    board.write(2, CameraStateRecord("ok", None))
    assert [(event.text, event.severity) for event in board.events] == [
        (f"{WORDS[CameraState.SILENT]} (the device is gone)", "warning"),
        ("the camera works", "good"),
    ]


def test_rates_are_of_the_last_seconds_and_not_of_the_whole_flight() -> None:
    board = Board(lambda: 0)
    for half in range(41):  # 20 s at 10 a second, and then a camera that stands still
        board.show(snapshot(half / 2, frames=min(5 * half, 100)))
    assert board.rates_hz["frames"] == 0.0
    board.show(snapshot(20.5, frames=110))
    assert board.rates_hz["frames"] == pytest.approx(10 / 5.5, abs=0.3)


def test_a_long_flight_keeps_its_whole_way_in_few_points() -> None:
    track = Track()
    for second in range(20_000):
        track.add(second * 10**9, estimate(north_deg=second * 1e-6))
    north_deg = np.array([point.latitude_deg - HERE.latitude_deg for point in track.points])
    assert len(north_deg) <= 3001 and track.generation == 3
    assert north_deg[0] == pytest.approx(0.0, abs=1e-9) and north_deg[-1] == pytest.approx(0.02, abs=1e-5)
    assert np.diff(north_deg).max() <= 8.1e-6  # a point every eight seconds at most


def test_a_track_is_of_what_was_flown_and_not_of_the_camera_alone() -> None:
    board = Board(lambda: 0)
    board.write(0, estimate(kind=VisionRecord))
    assert board.track.points == ()
    board.write(0, estimate("autopilot"))
    assert [point.as_json() for point in board.track.points] == [[60.45, 22.25, 0, 1]]


class Broken(Board):
    """A board on which nothing can be put."""

    def write(self, t_ns: int, record: Any) -> None:
        raise RuntimeError("no")


def test_what_cannot_be_shown_is_logged_all_the_same_and_ends_nothing() -> None:
    class Log(NullFlightLog):
        written = 0

        def write(self, t_ns: int, record: Any) -> None:
            self.written += 1

    log = Log()
    journal = WatchedJournal(log, Broken(lambda: 0))
    for _ in range(3):
        journal.write(0, TickRecord())
    assert log.written == 3 and journal.state is log.state
