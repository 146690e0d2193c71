"""A log gives back what the daemon was given, in its order, as far as it is all there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np
import pytest

from runtime.errors import TelemetryError
from runtime.events import ControlRequest, FrameArrived, JobKind, LinkData, Tick
from runtime.flightlog.flightlog import FlightLog
from runtime.flightlog.inputs import JobRecord, RequestRecord, TickRecord
from runtime.flightlog.record import Record
from runtime.flightlog.records import LogRecord, ReleaseRecord
from runtime.flightlog.start import FlightStart
from runtime.replay.recording import Ended, Given, Lost, Recording
from runtime.replay.workers import LoggedJob
from tests.runtime.flightlog.test_flightlog import SECOND, HandClock
from tests.runtime.flightlog.test_keeper import arrived, picture

START = FlightStart({}, {}, None, "flight", False, 0, 0)


def opened(folder: Path) -> FlightLog:
    log = FlightLog.open(folder, HandClock(), name="flight", frames="exact")
    log.start(START, 5 * SECOND)
    return log


def given(log: FlightLog, folder: Path) -> list[Given]:
    log.close()
    return list(Recording.open(log.mcap_path).given(folder))


def test_inputs_come_back_in_their_order_and_outputs_do_not(tmp_path: Path) -> None:
    image = tmp_path / "target.png"
    cv2.imwrite(str(image), picture(4))
    log = opened(tmp_path)
    log.write(6 * SECOND, TickRecord())
    log.link("vehicle", b"\x00heard", 7 * SECOND, "in")
    log.link("vehicle", b"sent", 7 * SECOND, "out")
    log.frame(8 * SECOND, arrived(3), picture(3))
    log.write(8 * SECOND, RequestRecord({"command": "target", "image": str(image)}))
    log.write(9 * SECOND, JobRecord("fix", 1000, 5, False, 8 * SECOND))
    log.write(9 * SECOND, JobRecord("of_a_later_version", 1000, 5, False, 8 * SECOND))
    log.write(9 * SECOND, LogRecord(True, "the disk is full", 7, 1))
    log.write(10 * SECOND, ReleaseRecord("operator_disengaged", False))
    log.write(11 * SECOND, ReleaseRecord("shut_down", True))
    folder = tmp_path / "targets"
    folder.mkdir()
    tick, link, frame, request, job, end = given(log, folder)
    assert tick == Tick(6 * SECOND) and link == LinkData(7 * SECOND, b"\x00heard", "vehicle")
    assert isinstance(frame, FrameArrived) and (frame.t_ns, frame.frame.t_ns) == (8 * SECOND, 3 * SECOND)
    assert frame.frame.index == 3 and frame.dropped_before == 0
    assert np.array_equal(frame.frame.image, picture(3)) and frame.frame.source == "test"
    assert isinstance(request, ControlRequest) and request.request["image"] != str(image)
    assert Path(request.request["image"]).read_bytes() == image.read_bytes()
    assert job == LoggedJob(JobKind.FIX, 8 * SECOND, 9 * SECOND, 1000) and end == Ended(11 * SECOND)
    recording = Recording.open(log.mcap_path)
    assert recording.jobs == (job,) and recording.lost_records == 7
    assert recording.followed.sent == [(7 * SECOND, "vehicle", b"sent")]
    assert [record["cause"] for _, record in recording.followed.records["release"]] == [
        "operator_disengaged",
        "shut_down",
    ]


def test_a_frame_that_the_log_could_not_keep_is_missing_and_the_rest_is_not(tmp_path: Path) -> None:
    log = opened(tmp_path)
    log.write(6 * SECOND, TickRecord())
    log.frame(7 * SECOND, arrived(0), np.broadcast_to(np.zeros((1, 1, 3), np.uint8), (6000, 4000, 3)))
    log.frame(8 * SECOND, arrived(1), picture(1))
    kinds = [type(one) for one in given(log, tmp_path)]
    assert kinds == [Tick, Lost, FrameArrived]


def test_another_daemon_in_the_same_log_is_not_replayed(tmp_path: Path) -> None:
    log = opened(tmp_path)
    log.write(6 * SECOND, TickRecord())
    log.start(START, 7 * SECOND)
    log.write(7 * SECOND, TickRecord())
    log.write(8 * SECOND, TickRecord())
    assert given(log, tmp_path) == [Tick(6 * SECOND)]


def test_a_log_cut_anywhere_gives_what_came_before_the_cut(tmp_path: Path) -> None:
    log = opened(tmp_path)
    for second in range(6, 26):
        log.frame(second * SECOND, arrived(second), picture(second))
        log.write(second * SECOND, TickRecord())
        log.flush()
    whole = [one.t_ns for one in given(log, tmp_path)]
    assert len(whole) == 40
    data, cut = log.mcap_path.read_bytes(), tmp_path / "cut.mcap"
    counts = []
    for share in range(1, 30):
        cut.write_bytes(data[: len(data) * share // 30])
        try:
            found = [one.t_ns for one in Recording.open(cut).given(tmp_path)]
        except TelemetryError as error:
            assert "took no step" in str(error) or "does not say" in str(error)
            found = []
        assert found == whole[: len(found)]
        counts.append(len(found))
    assert counts == sorted(counts) and 0 <= counts[0] < 4 and 30 < counts[-1] <= 40


@dataclass(frozen=True)
class OtherLink(Record):
    channel: ClassVar[str] = "link"
    of_another_make: int = 1


def test_records_of_another_make_are_refused_in_a_sentence(tmp_path: Path) -> None:
    log = opened(tmp_path)
    log.write(6 * SECOND, TickRecord())
    log.write(7 * SECOND, OtherLink())
    with pytest.raises(TelemetryError, match="records of link that this version does not understand"):
        given(log, tmp_path)


def test_a_log_without_a_step_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TelemetryError, match="its daemon took no step"):
        given(opened(tmp_path), tmp_path)
