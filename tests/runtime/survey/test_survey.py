"""A folder of photos: what is listed, what is left out and why, and nothing recorded twice."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from runtime.camera_model import CameraModel
from runtime.geodesy import distance_m, north_east_m, offset
from runtime.history.history import History
from runtime.record.known import Known
from runtime.record.recorder import Recorded, Recorder
from runtime.record.surveyed import ALREADY, PHOTO_MOVED, photo_reader, reasons_of, record
from runtime.sources.folder import photo_folder
from runtime.sources.photo import CameraFlags
from runtime.survey.anchor import SOURCE
from runtime.survey.complete import complete, pairs_to_match
from runtime.survey.survey import Skipped, Survey, survey
from runtime.values import Keyframe, PositionSource
from tests.runtime.record.fakes import FakeEmbedder, ground_texture
from tests.runtime.sources import photos
from tests.runtime.sources.photos import dji_xmp, gps, write_photo
from tests.runtime.survey.flights import ORIGIN, Truth, lawnmower, photograph

CAMERA = CameraModel.from_hfov(480, 360, 69.0)
FLAGS = CameraFlags(hfov_deg=69.0)


def write_flight(
    folder: Path,
    flown: Sequence[Truth],
    xmp: bool = True,
    upside_down: Sequence[int] = (),
    said: Callable[[float], float] = lambda height_m: height_m,
) -> list[Path]:
    """One photo per truth, named and timed in order; those ``upside_down`` with their pixels turned by 180 degrees;
    ``said``: the height above take-off of one above ground."""
    folder.mkdir(exist_ok=True)
    ground = ground_texture(1600)
    written = []
    for k, truth in enumerate(flown):
        position = truth.point
        angles = {"GimbalYawDegree": math.degrees(truth.heading), "GimbalPitchDegree": -90, "GimbalRollDegree": 0}
        block = dji_xmp(RelativeAltitude=said(truth.height_m), **angles) if xmp else None
        written.append(
            write_photo(
                folder / f"P_{k:03d}.jpg",
                np.rot90(photograph(ground, 0.1, truth, CAMERA), 2 if k in upside_down else 0).copy(),
                place=gps(position.latitude_deg, position.longitude_deg),
                detail={photos.TAKEN: f"2024:05:01 12:{k // 60:02d}:{k % 60:02d}"},
                xmp=block,
            )
        )
    return written


def recorded(folder: Path, history: History, ready: Survey) -> list[Skipped | Recorded]:
    recorder = Recorder(history, FakeEmbedder(), CAMERA, ready.flight(folder), moved=PHOTO_MOVED)
    return list(record(ready, recorder, photo_reader(folder), Known(history)))


LEVEL = [Truth(float(k), 12.0 * k - 30.0, 0.0, 50.0, 0.3) for k in range(5)]


def test_photos_are_recorded_in_file_order_where_they_were_taken(tmp_path: Path) -> None:
    folder = tmp_path / "flight"
    write_flight(folder, LEVEL)
    ready = complete(survey(photo_folder(folder).images, FLAGS))
    assert ready.solution is None and ready.assumed_lens == "" and pairs_to_match(ready) == 0
    with History.create(tmp_path / "h.db", "fake-space", "fake") as history:
        outcomes = recorded(folder, history, ready)
        keyframes = list(history.keyframes())
    assert [type(one) for one in outcomes] == [Recorded] * 5
    assert [keyframe.name for keyframe in keyframes] == [f"P_{k:03d}.jpg" for k in range(5)]
    assert keyframes[0].flight == "flight 2024-05-01"
    for keyframe, truth in zip(keyframes, LEVEL, strict=True):
        assert north_east_m(ORIGIN, keyframe.ground) == pytest.approx((truth.north_m, truth.east_m), abs=0.05)
        assert keyframe.pose.height_takeoff_m is not None


def test_a_second_time_adds_nothing_and_more_photos_are_appended(tmp_path: Path) -> None:
    folder = tmp_path / "flight"
    written = write_flight(folder, LEVEL)
    later = written[-1].read_bytes()
    written[-1].unlink()
    with History.create(tmp_path / "h.db", "fake-space", "fake") as history:
        recorded(folder, history, complete(survey(photo_folder(folder).images, FLAGS)))
        written[-1].write_bytes(later)
        again = recorded(folder, history, complete(survey(photo_folder(folder).images, FLAGS)))
        assert again[:4] == [Skipped(f"P_{k:03d}.jpg", ALREADY) for k in range(4)]
        assert isinstance(again[4], Recorded) and len(history) == 5


def test_bad_photos_are_left_out_each_with_its_reason(tmp_path: Path) -> None:
    folder = tmp_path / "flight"
    written = write_flight(folder, LEVEL[:3])
    (folder / "a_cut.jpg").write_bytes(written[0].read_bytes()[:15_000])
    (folder / "b_text.jpg").write_text("no image")
    write_photo(folder / "c_nowhere.jpg")
    zeros = dji_xmp(RelativeAltitude=50, GimbalYawDegree=0, GimbalPitchDegree=0, GimbalRollDegree=0)
    write_photo(folder / "d_ahead.jpg", place=gps(48.2, 11.6), xmp=zeros)
    (folder / "notes.txt").write_text("not even named like an image")
    read = survey(photo_folder(folder).images, FLAGS)
    assert [photo.name for photo in read.photos] == ["P_000.jpg", "P_001.jpg", "P_002.jpg"]
    assert [(one.image, one.reason) for one in read.skipped[:3]] == [
        ("a_cut.jpg", "truncated"),
        ("b_text.jpg", "not an image"),
        ("c_nowhere.jpg", "no GPS tag"),
    ]
    assert read.skipped[3].image == "d_ahead.jpg" and "--camera-pitch-deg" in read.skipped[3].reason
    assert reasons_of(read.skipped[:2] * 2) == "truncated (2), not an image (2)"


def test_a_photo_that_vanishes_meanwhile_is_no_end(tmp_path: Path) -> None:
    folder = tmp_path / "flight"
    written = write_flight(folder, LEVEL[:3])
    ready = complete(survey(photo_folder(folder).images, FLAGS))
    written[1].unlink()
    with History.create(tmp_path / "h.db", "fake-space", "fake") as history:
        outcomes = recorded(folder, history, ready)
        assert outcomes[1] == Skipped("P_001.jpg", "no such file") and len(history) == 2


def test_photos_without_attitude_are_solved_and_recorded(tmp_path: Path) -> None:
    folder = tmp_path / "flight"
    flown = lawnmower(2, 5)
    write_flight(folder, flown, xmp=False)
    read = survey(photo_folder(folder).images, FLAGS)
    steps: list[int] = []
    ready = complete(read, lambda: steps.append(1))
    assert len(steps) == pairs_to_match(read) > 20
    assert ready.solution is not None and "solved 10 of 10 photos" in ready.solution.summary()
    with History.create(tmp_path / "h.db", "fake-space", "fake") as history:
        outcomes = recorded(folder, history, ready)
        assert sum(isinstance(one, Recorded) for one in outcomes) == 10
        for keyframe, truth in zip(history.keyframes(), flown, strict=True):
            assert keyframe.pose.heading is not None and keyframe.pose.height_agl_m is not None
            assert math.degrees(math.remainder(keyframe.pose.heading.value - truth.heading, math.tau)) < 2.0
            assert keyframe.pose.height_agl_m.value == pytest.approx(truth.height_m, rel=0.04)
            assert keyframe.tag is not None and keyframe.tag.source is PositionSource.TAG
            assert distance_m(keyframe.tag.point, truth.point) < 0.1  # as it is
            assert keyframe.position is not None and keyframe.position.source is PositionSource.SURVEY
            assert distance_m(keyframe.position.point, truth.point) < 3.0
            assert distance_m(keyframe.ground, offset(truth.point, *truth.plane(CAMERA).ground_of_axis())) < 3.0


def test_pixels_turned_against_the_recorded_heading_are_found_out(tmp_path: Path) -> None:
    folder = tmp_path / "flight"
    flown = [Truth(float(k), 10.0 * k - 30.0, 3.0 * k, 50.0, 0.3) for k in range(7)]
    write_flight(folder, flown, upside_down=(3, 4))
    ready = complete(survey(photo_folder(folder).images, FLAGS))
    assert ready.turned == ("P_003.jpg", "P_004.jpg") and len(ready.photos) == 7
    headings = [photo.pose.heading.value for photo in ready.photos if photo.pose.heading is not None]
    off_deg = [abs(math.degrees(math.remainder(heading - 0.3, math.tau))) for heading in headings]
    assert off_deg == pytest.approx([0, 0, 0, 180, 180, 0, 0], abs=6.0)
    by_flag = complete(survey(photo_folder(folder).images, CameraFlags(hfov_deg=69.0, heading_deg=17.0)))
    assert by_flag.turned == ()  # what the user says is not doubted


def test_too_few_photos_to_solve_say_so(tmp_path: Path) -> None:
    folder = tmp_path / "flight"
    write_flight(folder, LEVEL[:2], xmp=False)
    ready = complete(survey(photo_folder(folder).images, FLAGS))
    assert ready.photos == ()
    assert {one.reason for one in ready.skipped} == {
        "height and heading are not recorded, and it overlaps with too few others (1) to solve its height and heading"
    }


def test_heights_above_a_take_off_on_a_hill_are_solved_recorded_and_said_once(tmp_path: Path) -> None:
    folder = tmp_path / "flight"
    flown = [Truth(float(k), 14.0 * (k % 4) - 20.0, 12.0 * (k // 4), 50.0, 0.3) for k in range(8)]
    write_flight(folder, flown, said=lambda height_m: height_m - 20.0)
    ready = complete(survey(photo_folder(folder).images, FLAGS))
    [contradiction] = ready.contradictions
    assert contradiction.sentence().startswith(
        "8 pictures (P_000.jpg and on): height 30 m by their files, but overlaps and tags show "
    )
    with History.create(tmp_path / "h.db", "fake-space", "fake") as history:
        recorded(folder, history, ready)
        keyframes = list(history.keyframes())
    assert len(keyframes) == 8
    right_m = max(keyframe.footprint_m for keyframe in keyframes_of(tmp_path, flown))
    for keyframe in keyframes:
        height, above_takeoff = keyframe.pose.height_agl_m, keyframe.pose.height_takeoff_m
        assert height is not None and height.source == SOURCE and abs(height.value - 50.0) < 2 * height.sigma < 12.0
        assert above_takeoff is not None and above_takeoff.value == pytest.approx(30.0)  # what the file says stays
        assert keyframe.footprint_m == pytest.approx(right_m, rel=0.06)


def keyframes_of(folder: Path, flown: Sequence[Truth]) -> list[Keyframe]:
    """The keyframes of the same flight with its heights right."""
    right = folder / "right"
    write_flight(right, flown)
    ready = complete(survey(photo_folder(right).images, FLAGS))
    assert ready.contradictions == ()
    with History.create(folder / "right.db", "fake-space", "fake") as history:
        recorded(right, history, ready)
        return list(history.keyframes())


def test_a_height_by_flag_stays_and_its_contradiction_is_said_with_the_number(tmp_path: Path) -> None:
    folder = tmp_path / "flight"
    flown = [Truth(float(k), 14.0 * (k % 4) - 20.0, 12.0 * (k // 4), 50.0, 0.3) for k in range(8)]
    write_flight(folder, flown)
    ready = complete(survey(photo_folder(folder).images, CameraFlags(hfov_deg=69.0, height_agl_m=30.0)))
    assert [photo.pose.height_agl_m and photo.pose.height_agl_m.value for photo in ready.photos] == [30.0] * 8
    [contradiction] = ready.contradictions
    said = re.search(r"--height-agl-m 30 m is used, but overlaps and tags show (\d+) (to (\d+) )?m",
                     contradiction.sentence())  # fmt: skip
    assert said is not None and abs(float(said[1]) - 50.0) < 4.0


def test_a_photo_that_overlaps_with_none_learns_from_the_nearest_that_does(tmp_path: Path) -> None:
    folder = tmp_path / "flight"
    flown = [Truth(float(k), 14.0 * (k % 4) - 20.0, 12.0 * (k // 4), 50.0, 0.3) for k in range(8)]
    alone = Truth(9.0, -20.0, -75.0, 50.0, 0.3)
    write_flight(folder, [*flown, alone], said=lambda height_m: height_m - 20.0)
    ready = complete(survey(photo_folder(folder).images, FLAGS))
    heights = [photo.pose.height_agl_m for photo in ready.photos]
    assert heights[-1] is not None and heights[0] is not None and heights[-1].source == f"{SOURCE} near by"
    assert heights[-1].value == pytest.approx(50.0, abs=4.0) and heights[-1].sigma > 1.5 * heights[0].sigma


def test_headings_of_a_flight_that_hardly_moves_are_not_doubted(tmp_path: Path) -> None:
    """Tags that err by a quarter of the way flown turn the mosaic by as much: 40 degrees are no contradiction."""
    folder = tmp_path / "flight"
    flown = [Truth(float(k), 2.5 * k, 0.0, 50.0, 0.3) for k in range(8)]
    write_flight(folder, flown)
    read = survey(photo_folder(folder).images, FLAGS)
    way = math.cos(math.radians(40)), math.sin(math.radians(40))
    askew = tuple(
        replace(photo, position=replace(photo.position, point=offset(ORIGIN, *(truth.north_m * one for one in way))))
        for photo, truth in zip(read.photos, flown, strict=True)
    )
    assert complete(replace(read, photos=askew)).turned == ()
