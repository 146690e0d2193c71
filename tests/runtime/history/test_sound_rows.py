"""What SQLite says of a row is what is said of it one by one: no fault is overlooked, no sound row is asked about.

Every column of a sound keyframe, and of its position, takes every value that another program may have left there.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from runtime.history.broken import broken_keyframes
from runtime.history.file import FORMAT_VERSION, SCHEMA
from runtime.history.ranges import keyframe_fault, position_fault
from runtime.history.rows import KEYFRAME_COLUMNS, POSITION_COLUMNS, position_rows_of, row_of
from runtime.history.sound_rows import SOUND_KEYFRAME, SOUND_POSITION
from tests.runtime.history.recording import keyframe

ODD = (
    None, "", "north", "tag", "oblique", b"\xff\x00", True, 0, -0.0, 1, -1, 2, 0.5, 0.99, 1.0011, 7.0, 90.0, 90.1,
    180.1, 5000.0, 5001.0, -1001.0, 30_001.0, 1e13, -1e13, 2**62, -(2**63), math.inf, -math.inf, math.nan,
)  # fmt: skip


@pytest.fixture
def rows() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(SCHEMA.replace("NOT NULL", ""))
        connection.execute(f"PRAGMA user_version={FORMAT_VERSION}")
        connection.execute("PRAGMA foreign_keys=OFF")
        yield connection


def put(rows: sqlite3.Connection, table: str, columns: tuple[str, ...], values: dict[str, Any]) -> None:
    names, marks = ", ".join(columns), ", ".join("?" * len(columns))
    rows.execute(f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({marks})", [values[name] for name in columns])


def variations(columns: tuple[str, ...], sound: tuple[Any, ...]) -> Iterator[dict[str, Any]]:
    whole = dict(zip(columns, sound, strict=True))
    yield whole
    for name in columns:
        yield from ({**whole, name: value} for value in ODD)
    pairs = [name for name in columns if name.endswith(("latitude_deg", "longitude_deg"))]
    yield whole | dict.fromkeys(pairs, 0.0)
    yield whole | {name: None for name in columns if name.startswith(("attitude_", "velocity_")) and name[9:10] != "m"}
    for north, cross, east in ((4.0, 2.0, 1.0), (4.0, 2.1, 1.0), (0.0, 1e-10, 0.0), (math.inf, 1.0, 0.0)):
        covariance = {"variance_north_m2": north, "covariance_north_east_m2": cross, "variance_east_m2": east}
        yield whole | {name: value for name, value in covariance.items() if name in columns}


def test_keyframes(rows: sqlite3.Connection) -> None:
    for values in variations(KEYFRAME_COLUMNS, row_of(keyframe(1), b"")):
        put(rows, "keyframe", KEYFRAME_COLUMNS, values)
    kept = rows.execute(f"SELECT id, {', '.join(KEYFRAME_COLUMNS)} FROM keyframe").fetchall()
    faults = {number: fault for number, *row in kept if (fault := keyframe_fault(row))}
    assert broken_keyframes(rows) == faults
    (asked,) = rows.execute(f"SELECT count(*) FROM keyframe WHERE ({SOUND_KEYFRAME}) IS NOT TRUE").fetchone()
    assert 200 < len(faults) < len(kept) - 200 and asked - len(faults) <= 3  # on the edges of a quaternion's length


def test_positions(rows: sqlite3.Connection) -> None:
    sound = position_rows_of(keyframe(1), 1)[0]
    for number, values in enumerate(variations(POSITION_COLUMNS, sound), 1):
        put(rows, "position", POSITION_COLUMNS, {**values, "keyframe_id": number})
    kept = rows.execute("SELECT * FROM position").fetchall()
    faults = {row[0]: fault for row in kept if row[1] == "camera" and (fault := position_fault(row))}
    assert broken_keyframes(rows) == faults
    (asked,) = rows.execute(f"SELECT count(*) FROM position WHERE ({SOUND_POSITION}) IS NOT TRUE").fetchone()
    wrong = sum(bool(position_fault(row)) for row in kept)
    assert 100 < wrong < len(kept) - 50 and asked - wrong <= 10  # covariances within a thousandth of what may be
