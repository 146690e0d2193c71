"""Rows of a history that break its gate: kept before there was one, or written by another program."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from runtime.counted import counted
from runtime.history.format_1 import POSITIONS as POSITIONS_OF_FORMAT_1
from runtime.history.ranges import keyframe_fault, position_fault
from runtime.history.rows import CAMERA, KEYFRAME_COLUMNS, POSITION_COLUMNS
from runtime.history.sound_rows import SOUND_KEYFRAME, SOUND_POSITION

COLUMNS_WITHOUT_CROP = ", ".join("NULL" if name == "crop" else name for name in KEYFRAME_COLUMNS)


def positions_query(format_version: int) -> str:
    """Selects all positions as rows of `POSITION_COLUMNS`."""
    table = "position" if format_version > 1 else f"({POSITIONS_OF_FORMAT_1})"
    return f"SELECT {', '.join(POSITION_COLUMNS)} FROM {table}"


def broken_keyframes(connection: sqlite3.Connection) -> dict[int, str]:
    """The ids of the keyframes that cannot be used, each with what is wrong; crops and embeddings are not looked at."""
    broken: dict[int, str] = {}
    suspect = f"SELECT id, {COLUMNS_WITHOUT_CROP} FROM keyframe WHERE ({SOUND_KEYFRAME}) IS NOT TRUE ORDER BY id"
    for keyframe_id, *row in connection.execute(suspect):
        if fault := keyframe_fault(row):
            broken[keyframe_id] = fault
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    suspect = f"SELECT * FROM ({positions_query(version)}) WHERE ({SOUND_POSITION}) IS NOT TRUE"
    for row in connection.execute(suspect):
        if isinstance(row[0], int) and row[1] == CAMERA and (fault := position_fault(row)):
            broken.setdefault(row[0], fault)  # one whose tag alone is wrong is as good without it
    return broken


def sentence(name: str, broken: Mapping[int, str]) -> str:
    """What is said of them to people."""
    first_id = min(broken)
    return (
        f"{name}: {counted(len(broken), 'broken keyframe')} {'is' if len(broken) == 1 else 'are'} left out "
        f"(keyframe {first_id}: {broken[first_id]}); `homing history verify --repair {name}` takes them out."
    )
