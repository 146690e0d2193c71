"""A logged flight is the same flight again; what is otherwise is found."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import pytest

from runtime.config.config import Config
from runtime.debrief.flown import Flown as FlightRead
from runtime.debrief.truth import truth_of
from runtime.errors import ConfigError, HistoryError, TelemetryError
from runtime.flightlog.flightlog import FlightLog
from runtime.flightlog.read import read_flightlog
from runtime.history.history import History
from runtime.replay.changes import Comparison
from runtime.replay.comparison import compare
from runtime.replay.recording import Recording
from runtime.replay.replay import Replayed, config_of, replay
from tests.docs.test_json import PAGE, keys
from tests.runtime.cli.called import homing
from tests.runtime.flightlog.test_flightlog import HandClock
from tests.runtime.replay.flights import Flown, configured, embedder, ground, write_past


@dataclass(frozen=True)
class Kept:
    """A flight's log, the history that it recorded into, and what its daemon sent."""

    log: Path
    history: Path
    wire: bytes


def again(log: Path, config: Config | None = None, history: Path | None = None) -> tuple[Recording, Replayed]:
    recording = Recording.open(log)
    return recording, replay(recording, config or config_of(recording), history=history, embedder=embedder())


def compared(recording: Recording, replayed: Replayed, tolerance_m: float = 0.0) -> Comparison:
    logged = recording.followed.until(replayed.end_t_ns)
    return compare(logged, replayed.outcome, truth_of(FlightRead.open(recording.path)), 0, tolerance_m)


@pytest.fixture(scope="module")
def flown(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """11 s by the camera's word alone, to a target, with every frame to the bit; its image is gone afterwards."""
    folder = tmp_path_factory.mktemp("flight")
    history, image = write_past(folder / "history.db"), folder / "target.png"
    cv2.imwrite(str(image), ground()[400:800, 400:800])
    flown = Flown(folder, configured(history, navigation={"source": "vision"}))
    flown.go(image=image)
    image.unlink()
    return Kept(flown.close(), history, flown.wire)


@pytest.fixture(scope="module")
def repeated(flown: Kept) -> tuple[Recording, Replayed]:
    """The flight once more."""
    before = flown.history.read_bytes()
    found = again(flown.log)
    assert flown.history.read_bytes() == before  # what it recorded went into a copy
    return found


def test_the_same_flight_to_the_byte(flown: Kept, repeated: tuple[Recording, Replayed]) -> None:
    recording, replayed = repeated
    found = compared(recording, replayed)
    assert found.changed == () and replayed.finished and (replayed.frames, replayed.lost_frames) == (23, 0)
    for channel, records in found.records.items():
        asked_image = channel == "control"  # whose answer names the file, which lies elsewhere now
        assert records.same == records.logged - asked_image == records.replayed - asked_image, channel
    assert set(found.records) >= {"estimate", "vision", "odometry", "fix", "guidance", "setpoint", "record", "vehicle"}
    sent = b"".join(data for _, _, data in replayed.outcome.sent)
    assert len(flown.wire) > 2000 and sent.startswith(flown.wire)  # and the words that the end has
    assert found.sent["vehicle"].differ_at_s is None and found.setpoints.sent[0] > 10
    assert found.keyframes[0] > 0  # which the replay, as the flight did, began without
    assert (replayed.past.keyframes, replayed.past.left_out) == (9, found.keyframes[0])


def test_the_image_that_the_operator_named_is_located_again(repeated: tuple[Recording, Replayed]) -> None:
    recording, replayed = repeated
    answers = [
        next(record["answer"] for _, record in outcome.records["control"] if "image" in record["request"])
        for outcome in (recording.followed, replayed.outcome)
    ]
    assert [len(answer.pop("target")) > 0 for answer in answers] == [True, True]
    assert answers[0] == answers[1] and answers[0]["candidates"]


def test_the_truth_is_the_simulators_or_the_receivers(flown: Kept, repeated: tuple[Recording, Replayed]) -> None:
    recording, replayed = repeated
    found = compared(recording, replayed).truth
    assert found is not None and found.source == "simulator"
    assert found.flown[0] == found.flown[1] and found.flown[0] is not None and found.flown[0].error_m.median < 3.0
    read = FlightRead.open(flown.log)
    known = truth_of(read)
    del read.records["truth"]
    receiver = truth_of(read)
    assert receiver is not None and receiver.source == "gps receiver"
    assert known is not None
    middle_ns = receiver.stamps_ns[len(receiver.stamps_ns) // 2] + 1
    here, there = receiver.at(middle_ns), known.at(middle_ns)
    assert here is not None and there is not None
    assert abs(here.latitude_deg - there.latitude_deg) < 6 / 111_000
    assert receiver.at(receiver.stamps_ns[0] - 1) is None and receiver.at(receiver.stamps_ns[-1] + 1) is None
    alarm = {"source": "vision", "gps": "doubted", "alarm": {"t_ns": receiver.stamps_ns[3]}}
    read.records["navigation"].append((receiver.stamps_ns[9], alarm))
    early = truth_of(read)
    assert early is not None and list(early.stamps_ns) == list(receiver.stamps_ns[:3])


def test_another_configuration_shows(flown: Kept) -> None:
    recording = Recording.open(flown.log)
    slower = config_of(recording).model_copy(
        update={"fix": config_of(recording).fix.model_copy(update={"interval_s": 3.0})}
    )
    _, replayed = again(flown.log, slower)
    found = compared(recording, replayed, tolerance_m=0.05)
    assert "vision" in found.changed and found.fixes.tried[1] < found.fixes.tried[0] / 3
    assert found.fixes.fixed[1] == found.fixes.tried[1] > 2 and found.decisions.replayed != ()


def test_a_log_that_was_cut_off_is_replayed_as_far_as_it_goes(flown: Kept, tmp_path: Path) -> None:
    whole, cut = flown.log.read_bytes(), tmp_path / "cut.mcap"
    cut.write_bytes(whole[: len(whole) * 2 // 3])
    recording, replayed = again(cut)
    assert not replayed.finished and 8 < replayed.frames < 18
    found = compared(recording, replayed)
    assert found.changed == () and found.estimates.compared > 20
    assert "does not reach the end" in homing("replay", cut).stderr


def test_the_command_says_it_all_in_words_json_and_a_page(flown: Kept, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    done = homing("replay", flown.log, "--report", page, "--tolerance-m", "0")
    assert done.returncode == 0 and "23 frames replayed; nothing has changed by more than 0 m." in done.stdout
    assert "the same: monitor, ready, engaged en_route" in done.stdout and "from the simulator" in done.stdout
    text = page.read_text()
    assert "A flight replayed".lower() in text.lower() and text.count("<svg") == 7 and "<script" not in text
    config = tmp_path / "homing.toml"
    config.write_text(
        f'[camera]\nuri = "x"\nwidth_px = 320\nheight_px = 240\nhfov_deg = 69.0\ndelay_s = 0.06\n'
        f'[vehicle]\nuri = "udpin:127.0.0.1:0"\n[history]\npath = "{flown.history}"\n'
    )
    done = homing("replay", flown.log, "--config", config, "--json")
    said = json.loads(done.stdout)
    assert done.returncode == 3 and "decisions" in said["changed"] and said["decisions"]["replayed"] == ["disabled"]
    documented = PAGE.read_text(encoding="utf-8")
    for name, inner in (("records", "fix"), ("sent", "vehicle")):  # whose keys are the log's own
        said |= {f"{name}_one": said[name][inner]}
        said[name] = None
    of_data = {"records_one", "sent_one"}
    assert {key for key in keys(said) if f"`{key}`" not in documented} == {"schema", *of_data}


def test_jobs_in_threads_come_back_where_they_came_back_in_the_flight(tmp_path: Path) -> None:
    history = write_past(tmp_path / "history.db")
    config = configured(history, record={"enabled": False}, navigation={"source": "vision"})
    flown = Flown(tmp_path, config, threads=True)
    flown.go(4.0)
    log = flown.close()
    recording, replayed = again(log)
    jobs = [record for name, _, record in read_flightlog(log) if name == "job"]
    assert len(jobs) > 4 and not recording.start.jobs_inline
    assert compared(recording, replayed).changed == ()


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """The shortest log that is one."""
    log = FlightLog.open(tmp_path, HandClock(), name="pictures")
    log.close()
    return log.mcap_path


def refused(log: Path, *options: str) -> str:
    done = homing("replay", log, *options)
    assert done.returncode == 1 and done.stdout == "" and done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def test_what_cannot_be_replayed_is_refused_in_a_sentence(small: Path, flown: Kept, tmp_path: Path) -> None:
    assert "does not say what its daemon began with" in refused(small)
    assert "cannot be read" in refused(tmp_path / "none.mcap")
    photo = tmp_path / "photo.mcap"
    photo.write_bytes(b"\xff\xd8\xff")
    assert "no flight log" in refused(photo)
    alone = tmp_path / "alone.mcap"
    shutil.copy(flown.log, alone)
    missing = refused(alone, "--history", str(tmp_path / "gone.db"))
    assert "gone.db does not exist" in missing
    assert homing("replay", flown.log, "--tolerance-m", "nan").returncode == 2


def test_a_log_of_pictures_is_refused(tmp_path: Path) -> None:
    history = write_empty(tmp_path / "history.db")
    flown = Flown(tmp_path, configured(history), "pictures")
    flown.flight.fly(0.2)
    with pytest.raises(TelemetryError, match='reduced pictures alone.* frames = "all"'):
        Recording.open(flown.close())


def write_empty(path: Path) -> Path:
    bundle = embedder().bundle
    History.create(path, bundle.embedding_space_id, bundle.name).close()
    return path


def test_a_history_that_is_not_here_and_a_configuration_of_another_version(flown: Kept) -> None:
    recording = Recording.open(flown.log)
    config = config_of(recording)
    elsewhere = config.model_copy(
        update={"history": config.history.model_copy(update={"path": Path("/nowhere/h.db")})}
    )
    with pytest.raises(HistoryError, match="say by --history"):
        replay(recording, elsewhere, embedder=embedder())
    newer: dict[str, Any] = {**recording.start.config, "of_a_later_version": {}}
    recording.start.config.clear()
    recording.start.config.update(newer)
    with pytest.raises(ConfigError, match="of_a_later_version.*give one by --config"):
        config_of(recording)
