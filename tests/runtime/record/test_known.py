"""A picture is known by what it shows and where: not by its name, its folder or its tags' clock."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from runtime.history.history import History
from runtime.record.known import Known, Picture
from runtime.record.recorder import Recorded, Recorder
from runtime.record.surveyed import ALREADY, PHOTO_MOVED, photo_reader, picture_of, record
from runtime.sources.fingerprint import (
    frame_fingerprint,
    photo_fingerprint,
    picture_fingerprint,
    video_fingerprint,
)
from runtime.sources.folder import photo_folder
from runtime.sources.photo import read_photo
from runtime.survey.complete import complete
from runtime.survey.survey import Skipped, survey
from runtime.values import GeoPoint
from tests.runtime.record.fakes import FakeEmbedder, ground_texture
from tests.runtime.sources import photos
from tests.runtime.sources.photos import dji_xmp, gps, write_photo
from tests.runtime.survey.test_survey import CAMERA, FLAGS, LEVEL, write_flight

HERE = GeoPoint(60.0, 22.0)


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    with History.create(tmp_path / "h.db", "fake-space", "fake") as made:
        yield made


def add(history: History, folder: Path) -> tuple[str, list[Skipped | Recorded]]:
    """What `homing record --images` does: the flight's name, and what became of each photo."""
    ready, known = complete(survey(photo_folder(folder).images, FLAGS)), Known(history)
    flight = known.flight(ready.flight(folder), [picture_of(photo) for photo in ready.photos])
    recorder = Recorder(history, FakeEmbedder(), CAMERA, flight, moved=PHOTO_MOVED)
    return flight, list(record(ready, recorder, photo_reader(folder), known))


def kept(outcomes: list[Skipped | Recorded]) -> int:
    return sum(isinstance(one, Recorded) for one in outcomes)


def all_known(outcomes: list[Skipped | Recorded]) -> bool:
    return all(isinstance(one, Skipped) and one.reason == ALREADY for one in outcomes)


def test_copies_under_other_names_in_other_folders_and_stripped_of_their_dates_are_known(
    tmp_path: Path, history: History
) -> None:
    folder = tmp_path / "flight"
    write_flight(folder, LEVEL[:3])
    flight, first = add(history, folder)
    assert kept(first) == 3
    renamed = tmp_path / "desk" / "site 7"
    renamed.mkdir(parents=True)
    for number, path in enumerate(sorted(folder.iterdir(), reverse=True)):
        with Image.open(path) as image:
            exif = image.getexif()
            exif.get_ifd(photos.EXIF).clear()
            shutil.copy(path, renamed / f"IMG_{number}.jpeg")
    for again in (folder, renamed):
        name, outcomes = add(history, again)
        assert all_known(outcomes) and name == flight
    assert len(history) == 3 and history.flights() == (flight,)


def test_other_photos_of_the_same_names_and_times_are_other_photos(tmp_path: Path, history: History) -> None:
    for card, east_m in (("a", 0.0), ("b", 35.0)):
        flown = [replace(truth, east_m=truth.east_m + east_m) for truth in LEVEL[:3]]
        (tmp_path / card).mkdir()
        write_flight(tmp_path / card / "100MEDIA", flown)
    first, outcomes = add(history, tmp_path / "a" / "100MEDIA")
    assert kept(outcomes) == 3
    second, outcomes = add(history, tmp_path / "b" / "100MEDIA")
    assert kept(outcomes) == 3 and second == f"{first} (2)"
    for card, flight in (("a", first), ("b", second), ("a", first)):
        name, outcomes = add(history, tmp_path / card / "100MEDIA")
        assert name == flight and all_known(outcomes)


def test_a_recording_that_was_interrupted_goes_on_in_its_flight(tmp_path: Path, history: History) -> None:
    folder = tmp_path / "flight"
    written = write_flight(folder, LEVEL)
    hidden = [(path, path.read_bytes()) for path in written[1:]]
    for path, _ in hidden:
        path.unlink()
    flight, _ = add(history, folder)
    for path, data in hidden:
        path.write_bytes(data)
    again, outcomes = add(history, folder)
    assert again == flight and kept(outcomes) == 4 and outcomes[0] == Skipped("P_000.jpg", ALREADY)


def test_histories_that_kept_no_fingerprints_know_photos_by_name_time_and_place(
    tmp_path: Path, history: History
) -> None:
    folder = tmp_path / "flight"
    write_flight(folder, LEVEL[:3])
    flight, _ = add(history, folder)
    with sqlite3.connect(history.path) as connection:
        connection.execute("DROP TABLE origin")
    connection.close()
    name, outcomes = add(history, folder)
    assert all_known(outcomes) and name == flight and len(history) == 3
    other = tmp_path / "other" / "flight"
    other.parent.mkdir()
    write_flight(other, [replace(truth, east_m=truth.east_m + 35.0) for truth in LEVEL[:3]])
    name, outcomes = add(history, other)
    assert kept(outcomes) == 3 and name == f"{flight} (2)"
    assert all_known(add(history, other)[1])


def test_photos_without_dates_are_all_kept_and_their_order_is_no_time(tmp_path: Path, history: History) -> None:
    ground = ground_texture(1200)
    noon, never = "2024:05:01 12:00:00", "0000:00:00 00:00:00"
    for number, stamp in ((2, None), (10, never), (1, noon), (3, noon)):
        xmp = dji_xmp(
            RelativeAltitude=50.0, GimbalYawDegree=25.0 * number, GimbalPitchDegree=-90, GimbalRollDegree=0
        )
        write_photo(
            tmp_path / f"DJI_{number}.JPG", ground[100 * number : 100 * number + 150, :200].copy(),
            place=gps(60.0 + 2e-4 * number, 22.0), xmp=xmp, detail=None if stamp is None else {photos.TAKEN: stamp},
        )  # fmt: skip
    ready = survey(photo_folder(tmp_path).images, FLAGS)
    assert [photo.name for photo in ready.photos] == ["DJI_1.JPG", "DJI_2.JPG", "DJI_3.JPG", "DJI_10.JPG"]
    assert [photo.pose.t_ns is None for photo in ready.photos] == [False, True, False, True]
    assert ready.flight(tmp_path) == f"{tmp_path.name} 2024-05-01"
    _, outcomes = add(history, tmp_path)
    assert kept(outcomes) == 4, outcomes
    assert [one.pose.t_ns is None for one in history.keyframes(crops=False)] == [False, True, False, True]
    assert all_known(add(history, tmp_path)[1])


def test_what_a_fingerprint_depends_on(tmp_path: Path) -> None:
    ground = ground_texture(200)
    place, elsewhere = gps(60.0, 22.0), GeoPoint(60.0, 22.0001)
    plain = write_photo(tmp_path / "a.jpg", ground, place=place)
    tagged = write_photo(tmp_path / "b.jpg", ground, place=place, xmp=b"<x/>", base={photos.MAKE: "x"})
    other = write_photo(tmp_path / "c.jpg", ground[::-1].copy(), place=place)

    def of(path: Path, where: GeoPoint = HERE) -> str:
        return photo_fingerprint(path, read_photo(path).frame.image, where)

    assert of(plain) == of(tagged) != of(other) and of(plain) != of(plain, elsewhere)
    for name in ("a.png", "b.png"):
        Image.fromarray(ground).save(tmp_path / name)
    assert of(tmp_path / "a.png") == of(tmp_path / "b.png") != of(plain)
    for cut in (b"", b"\xff\xd8", plain.read_bytes()[:30], b"\xff\xd8" + b"\xff\xe0\x00\x00" * 5):
        (tmp_path / "cut.jpg").write_bytes(cut)
        assert photo_fingerprint(tmp_path / "cut.jpg", ground, HERE) == picture_fingerprint(ground, HERE)
    assert photo_fingerprint(tmp_path / "gone.jpg", ground, HERE) == picture_fingerprint(ground, HERE)


def test_videos_are_known_by_their_ends_and_frames_by_their_number_and_place(tmp_path: Path) -> None:
    data = np.random.default_rng(1).bytes(3 << 20)
    for name, content in (("a.mp4", data), ("b.mp4", data), ("c.mp4", data[:-1] + b"x"), ("d.mp4", data[1:])):
        (tmp_path / name).write_bytes(content)
    a, b, c, d = (video_fingerprint(tmp_path / f"{name}.mp4") for name in "abcd")
    assert a == b and len({a, c, d}) == 3 and video_fingerprint(tmp_path / "none.mp4") == ""
    assert len({frame_fingerprint(a, 1, HERE), frame_fingerprint(a, 2, HERE), frame_fingerprint(c, 1, HERE)}) == 3
    assert frame_fingerprint("", 1, HERE) == ""


def test_a_picture_without_a_fingerprint_is_no_other_one_without(history: History) -> None:
    known = Known(history)
    known.add("", 1)
    assert known.keyframe(Picture("", "a", None, HERE)) is None and known.flight("f", []) == "f"
