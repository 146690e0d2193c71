"""Whole frames in the log: they come back, and keeping them never holds up whoever logs them."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
from mcap.writer import Writer

from runtime.errors import TelemetryError
from runtime.flightlog.flightlog import FlightLog
from runtime.flightlog.inputs import FrameRecord, RequestRecord
from runtime.flightlog.keeper import CODECS, Codec, Keeper, KeptFrames
from runtime.flightlog.read import Attached, read_all, read_attachments, read_flightlog
from runtime.flightlog.start import START, FlightStart
from runtime.values import ImageRGB
from tests.runtime.flightlog.notes import Note
from tests.runtime.flightlog.test_flightlog import SECOND, HandClock

STARTED = FlightStart({"camera": {"uri": "0"}}, {"homing": "1"}, None, "flight", False, 12, 14, "14 f", True)


def picture(seed: int) -> ImageRGB:
    """Noise without fine grain, as a ground has."""
    coarse = np.random.default_rng(seed).integers(96, 160, (12, 16, 3), dtype=np.uint8)
    return np.ascontiguousarray(cv2.resize(coarse, (64, 48), interpolation=cv2.INTER_CUBIC))


def arrived(index: int) -> FrameRecord:
    return FrameRecord(index, "test", index * SECOND, 0, "ok", 64, 48, None)


def written(folder: Path, frames: KeptFrames, count: int = 5) -> Path:
    log = FlightLog.open(folder, HandClock(), name="flight", frames=frames)
    log.start(STARTED, 5 * SECOND)
    for index in range(count):
        log.frame((6 + index) * SECOND, arrived(index), picture(index))
        log.write((6 + index) * SECOND, Note(index))
    log.close()
    assert not log.state.degraded
    return log.mcap_path


def kept_in(path: Path) -> dict[tuple[str, int], bytes]:
    return {(one.name, one.t_ns): one.data for one in read_all(path, ()) if isinstance(one, Attached)}


def shown(data: bytes) -> ImageRGB:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


@pytest.mark.parametrize(("frames", "most"), [("exact", 0.0), ("all", 4.0)])
def test_whole_frames_come_back(tmp_path: Path, frames: KeptFrames, most: float) -> None:
    path = written(tmp_path, frames)
    files, records = kept_in(path), [record for name, _, record in read_flightlog(path) if name == "frame"]
    assert len(records) == 5
    for index, record in enumerate(records):
        error = shown(files[record["kept"], (6 + index) * SECOND]).astype(float) - picture(index)
        assert np.abs(error).mean() <= most
    assert [r["number"] for name, _, r in read_flightlog(path) if name == "note"] == list(range(5))
    assert set(read_attachments(path)) == {START}  # not hundreds of megabytes of frames


def test_a_damaged_frame_is_none_and_the_others_are_whole(tmp_path: Path) -> None:
    path = written(tmp_path, "all")
    whole, files = path.read_bytes(), kept_in(path)
    at = whole.index(b"frames/2.jpg") + 300
    path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :])
    again = kept_in(path)
    assert again.pop(("frames/2.jpg", 8 * SECOND)) == b"" and files.pop(("frames/2.jpg", 8 * SECOND))
    assert again == files


def test_a_log_of_pictures_keeps_no_frame_and_says_so(tmp_path: Path) -> None:
    path = written(tmp_path, "pictures")
    assert {record["kept"] for name, _, record in read_flightlog(path) if name == "frame"} == {None}
    assert FlightStart.decoded(read_attachments(path)[START]) == STARTED


def test_the_start_says_how_frames_are_kept_and_is_read_by_versions_with_other_keys(tmp_path: Path) -> None:
    said = read_attachments(written(tmp_path, "exact"))[START]
    assert FlightStart.decoded(said).frames == "exact"
    newer = {**json.loads(said), "added_later": 1}
    assert FlightStart.decoded(json.dumps(newer).encode()).history_last_id == 14
    for other in (b"[1]", b"{}", b"\xff"):
        with pytest.raises(ValueError):
            FlightStart.decoded(other)


class Stuck(Codec):
    """An encoder that waits until it is freed, and tells the thread that it runs in."""

    free = threading.Event()
    thread = 0

    def encoded(self, image: ImageRGB) -> bytes:
        Stuck.thread = threading.get_ident()
        assert Stuck.free.wait(30.0)
        return super().encoded(image)


def test_an_encoder_that_stands_still_holds_nobody_up_and_what_does_not_fit_is_refused() -> None:
    plain = CODECS["all"]
    assert plain is not None
    keeper = Keeper(Stuck(plain.ending, plain.media_type, plain.parameters))
    large = np.zeros((3000, 4000, 3), np.uint8)  # 36 MB: one waits, two are too many
    try:
        taken = [keeper.frame(index, index, large) for index in range(4)]
        assert taken == ["frames/0.jpg", None, None, None] and keeper.ready() == []
    finally:
        Stuck.free.set()
    (kept,) = keeper.close()
    assert kept.name == "frames/0.jpg" and kept.data and Stuck.thread != threading.get_ident()


def test_frames_that_cannot_be_encoded_in_time_are_counted_and_their_records_say_so(tmp_path: Path) -> None:
    log = FlightLog.open(tmp_path, HandClock(), name="flight", frames="all")
    huge = np.broadcast_to(np.zeros((1, 1, 3), np.uint8), (6000, 4000, 3))  # 72 MB, without the memory
    log.frame(6 * SECOND, arrived(0), huge)
    log.frame(7 * SECOND, arrived(1), picture(1))
    log.close()
    assert (log.state.lost_frames, log.state.degraded, log.state.lost_records) == (1, True, 0)
    kept = [record["kept"] for name, _, record in read_flightlog(log.mcap_path) if name == "frame"]
    assert kept == [None, "frames/1.jpg"] and len(kept_in(log.mcap_path)) == 1


def test_the_image_that_an_operator_names_is_kept_and_one_that_is_missing_costs_nothing(tmp_path: Path) -> None:
    image = tmp_path / "target.png"
    image.write_bytes(b"any bytes")
    log = FlightLog.open(tmp_path, HandClock(), name="flight", frames="all")
    asked = [{"command": "target", "image": str(path)} for path in (image, tmp_path / "none.png")]
    for second, request in enumerate([*asked, {"command": "status"}]):
        log.write((6 + second) * SECOND, RequestRecord(request))
    log.close()
    kept = [record["kept"] for name, _, record in read_flightlog(log.mcap_path) if name == "request"]
    assert kept == ["targets/target.png", "targets/none.png", None]
    assert kept_in(log.mcap_path) == {(kept[0], 6 * SECOND): b"any bytes", (kept[1], 7 * SECOND): b""}
    assert not log.state.degraded


def test_an_mcap_file_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bag.mcap"
    with path.open("wb") as stream:
        writer = Writer(stream)  # type: ignore[no-untyped-call]
        writer.start(profile="ros2", library="rosbag2")
        writer.finish()
    for read in (lambda: list(read_flightlog(path)), lambda: read_attachments(path)):
        with pytest.raises(TelemetryError, match="of another program"):
            read()
