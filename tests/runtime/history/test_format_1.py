"""Histories of the first format: read as they are, brought up to date when opened for writing."""

from __future__ import annotations

import math
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from runtime.camera_model import CameraModel
from runtime.errors import EmbeddingSpaceError, HistoryError
from runtime.fix.tag_field import tag_field_of
from runtime.history.file import FORMAT_VERSION
from runtime.history.history import History
from runtime.rotations import ned_from_euler
from runtime.values import GeoPoint, Measured, PositionSource, ViewKind
from tests.runtime.history.recording import FOOTPRINTS_M, SPACE, embeddings, keyframe

# As homing 0.1 created it.
SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE keyframe (id INTEGER PRIMARY KEY AUTOINCREMENT, flight TEXT, view TEXT, name TEXT,
    t_ns INTEGER NOT NULL, latitude_deg REAL, longitude_deg REAL, position_sigma_m REAL,
    altitude_amsl_m REAL, altitude_amsl_sigma_m REAL, altitude_amsl_source TEXT,
    height_takeoff_m REAL, height_takeoff_sigma_m REAL, height_takeoff_source TEXT,
    height_agl_m REAL, height_agl_sigma_m REAL, height_agl_source TEXT,
    attitude_w REAL, attitude_x REAL, attitude_y REAL, attitude_z REAL, attitude_measured INTEGER NOT NULL,
    heading_rad REAL, heading_sigma_rad REAL, heading_source TEXT,
    velocity_north_m_s REAL, velocity_east_m_s REAL, velocity_down_m_s REAL,
    ground_latitude_deg REAL, ground_longitude_deg REAL, ground_sigma_m REAL, footprint_m REAL, crop BLOB NOT NULL);
CREATE TABLE embedding (keyframe_id INTEGER NOT NULL REFERENCES keyframe(id),
    embedding_space_id TEXT NOT NULL, view TEXT NOT NULL,
    footprint_mm INTEGER NOT NULL, heading_offset_urad INTEGER NOT NULL,
    vector BLOB NOT NULL, map_channels INTEGER, map_rows INTEGER, map_columns INTEGER, map BLOB);
CREATE UNIQUE INDEX embedding_key
    ON embedding (embedding_space_id, view, footprint_mm, keyframe_id, heading_offset_urad);
CREATE TABLE feature (keyframe_id INTEGER NOT NULL REFERENCES keyframe(id), kind TEXT NOT NULL, arrays BLOB NOT NULL,
    PRIMARY KEY (keyframe_id, kind));
"""
SOLVED = "solved from overlaps"
HERE, TAG = GeoPoint(60.0, 22.0), GeoPoint(60.0001, 22.0002)
# (latitude, longitude, sigma, source of the height above ground, source of the heading, velocity)
ROWS = [
    (HERE.latitude_deg, HERE.longitude_deg, 1.5, "rangefinder", "vehicle", (8.0, -1.0, 0.25)),
    (TAG.latitude_deg, TAG.longitude_deg, 1.2, SOLVED, SOLVED, (None, None, None)),
    (HERE.latitude_deg, HERE.longitude_deg, 3.0, "xmp height above take-off, flat ground", SOLVED, (None, None, None)),
    (HERE.latitude_deg, HERE.longitude_deg, math.inf, None, "map", (None, None, None)),
    (None, None, math.inf, None, None, (None, None, None)),
    (HERE.latitude_deg, HERE.longitude_deg, 3.0, "flag", "flag", (None, None, None)),
]


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A history of format 1 with a crop that today's program wrote: crops and embeddings have not changed."""
    path, new = tmp_path / "old.homing", tmp_path / "new.homing"
    with History.create(new, SPACE, "bundle one") as history:
        history.add(keyframe(1), embeddings(1))
    connection = sqlite3.connect(path)
    connection.executescript(f"PRAGMA page_size=8192; PRAGMA journal_mode=WAL; BEGIN; {SCHEMA} COMMIT;")
    connection.execute("PRAGMA application_id=1213156680")
    connection.execute("PRAGMA user_version=1")
    connection.execute("ATTACH ? AS new", (str(new),))
    meta = {"embedding_space_id": SPACE, "bundle_name": "bundle one"}
    connection.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
    for latitude, longitude, sigma, height_source, heading_source, velocity in ROWS:
        connection.execute(
            "INSERT INTO keyframe SELECT NULL, 'flight one', 'drone', 'old', 7, ?, ?, ?, 137.25, 2.0, 'ekf', "
            "NULL, NULL, NULL, 99.5, 3.0, ?, 1.0, 0.0, 0.0, 0.0, 1, 0.0, 0.05, ?, ?, ?, ?, "
            "60.0, 22.0, 3.0, 112.0, crop FROM new.keyframe",
            (latitude, longitude, sigma, height_source, heading_source, *velocity),
        )
    connection.execute("INSERT INTO embedding SELECT * FROM new.embedding")
    connection.commit()
    connection.close()
    new.unlink()
    return path


def check(history: History) -> None:
    """What the rows say, whichever format they are in by now."""
    flown, solved, turned, tile, nowhere, flag = (history.keyframe(number) for number in range(1, 7))
    assert flown.position is not None and flown.tag is None
    assert flown.position.point == HERE and flown.position.covariance_m2 == ((2.25, 0.0), (0.0, 2.25))
    assert flown.position.source is PositionSource.AUTOPILOT and flown.position.velocity_ned_m_s == (8.0, -1.0, 0.25)
    assert solved.position is None and solved.tag is not None and solved.track_point == TAG
    assert solved.tag.source is PositionSource.TAG and math.isinf(solved.tag.sigma_m)
    assert turned.position is not None and turned.position.source is PositionSource.TAG and turned.tag is None
    assert tile.position is not None and tile.position.source is PositionSource.MAP
    assert nowhere.position is None and nowhere.tag is None
    assert flag.position is not None and flag.position.source is PositionSource.UNKNOWN
    assert flown.pose.altitude_amsl_m == Measured(137.25, 2.0, "ekf") and flown.crop.shape == (64, 64, 3)
    bare = list(history.keyframes(crops=False))
    whole = [flown, solved, turned, tile, nowhere, flag]
    assert [(one.position, one.tag) for one in bare[:6]] == [(one.position, one.tag) for one in whole]
    assert history.gallery(ViewKind.DRONE, FOOTPRINTS_M[0]).ids.tolist()[:1] == [1]


def test_it_is_read_as_it_is(old: Path) -> None:
    before = old.read_bytes()
    with History.open(old, embedding_space_id=SPACE) as history:
        assert history.format_version == 1
        check(history)
    assert old.read_bytes() == before


def test_opened_for_writing_it_is_brought_up_to_date_once(old: Path) -> None:
    for number in (7, 8):
        with History.append(old, SPACE, "bundle one") as history:
            assert history.format_version == FORMAT_VERSION
            check(history)
            assert history.add(keyframe(number), embeddings(number)) == number
            assert history.keyframe(number).position == keyframe(number).position
    with History.open(old) as history:
        check(history)
        assert len(history) == 8


def test_a_reader_that_was_there_before_sees_both(old: Path) -> None:
    with History.open(old) as reading:
        check(reading)
        with History.open(old, write=True) as writing:
            writing.add(keyframe(7), embeddings(7))
            check(reading)
            assert reading.keyframe(7).position == keyframe(7).position


def test_nothing_is_written_where_the_space_is_another(old: Path) -> None:
    before = old.read_bytes()
    with pytest.raises(EmbeddingSpaceError):
        History.append(old, "another space", "bundle two")
    assert old.read_bytes() == before


def test_an_upgrade_that_is_interrupted_leaves_the_old_format(old: Path) -> None:
    connection = sqlite3.connect(old)
    connection.execute("CREATE TABLE position (in_the_way)")
    connection.commit()
    connection.close()
    copy = shutil.copy(old, old.with_name("copy.homing"))
    with pytest.raises(HistoryError, match="position"):
        History.open(copy, write=True)
    connection = sqlite3.connect(copy)
    assert connection.execute("PRAGMA user_version").fetchone() == (1,)
    connection.close()


def test_tags_of_an_old_history_lie_from_where_its_cameras_looked_from(old: Path) -> None:
    """Format 1 kept no position of a solved camera: it is the ground that the camera saw, less how far it looked."""
    with History.open(old) as history:
        solved = history.keyframe(2)
    level = ned_from_euler(0.0, 0.0, 0.0)
    camera = CameraModel.from_hfov(640, 480, 70.0)
    assert solved.pose.ned_from_body == level  # straight down: the camera was over the ground's centre
    field = tag_field_of([solved], GeoPoint(60.0, 22.0), camera)
    assert field is not None
    said = field.at(np.zeros(2), 0.0)
    assert said.north_m > 5.0 and said.east_m > 5.0  # of 11 m each: a single tag is half believed
    assert tag_field_of([replace(solved, tag=None)], HERE, camera) is None
