"""Histories of the first format: read as they are, and brought up to date when they are opened for writing.

Format 1 kept one position in a keyframe's own row, with one sigma and without its source. Where recording had solved
the camera's position from overlaps that was the tag, and the camera's was not kept; such rows are known by the height
above ground, which only the solver wrote under its name. The old columns stay where they are, unread: to take them out
would be to write every crop again.
"""

from __future__ import annotations

import sqlite3

_SOLVED = "'solved from overlaps'"  # how format 1 named what the solver found
# 9e999 is SQLite's infinity: the sigma of a solved row was the solved camera's, the tag's was not kept
_VARIANCE = f"""
    CASE height_agl_source WHEN {_SOLVED} THEN 9e999 ELSE coalesce(position_sigma_m * position_sigma_m, 9e999) END
"""

POSITIONS = f"""
SELECT id AS keyframe_id,
    CASE height_agl_source WHEN {_SOLVED} THEN 'tag' ELSE 'camera' END AS role,
    latitude_deg, longitude_deg,
    {_VARIANCE} AS variance_north_m2, 0.0 AS covariance_north_east_m2, {_VARIANCE} AS variance_east_m2,
    CASE WHEN heading_source = 'map' THEN 'map'
        WHEN heading_source = 'vehicle' THEN 'autopilot'
        WHEN heading_source = {_SOLVED} OR heading_source LIKE 'xmp%' THEN 'tag'
        ELSE 'unknown' END AS source,
    velocity_north_m_s, velocity_east_m_s, velocity_down_m_s
FROM keyframe WHERE latitude_deg IS NOT NULL AND longitude_deg IS NOT NULL
"""


def upgrade(connection: sqlite3.Connection, position_table: str, version: int) -> None:
    """Brings a history of format 1 to ``version`` in one transaction; whoever comes second finds it done.

    ``position_table``: the statement that creates the table of positions.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        if connection.execute("PRAGMA user_version").fetchone()[0] == 1:
            connection.execute(position_table)
            connection.execute(f"INSERT INTO position {POSITIONS}")
            connection.execute(f"PRAGMA user_version={version}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
