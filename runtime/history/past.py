"""A history as it was at an earlier instant: a copy, without what was recorded since."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from runtime.history.file import count_rewritten, open_file, reported
from runtime.history.verify import OF_KEYFRAMES


def copy_until(source: Path, copy: Path, last_id: int) -> int:
    """Copies a history, which is only read and may be in use, without the keyframes whose id is above ``last_id``: the
    next one has the id that the next one had then.

    Returns:
        How many keyframes were left out.

    Raises:
        HistoryError: missing, foreign, damaged, or of a newer format.
        StorageError: the copy cannot be written.
    """
    with closing(open_file(source, write=False)) as connection, reported(copy):
        with closing(sqlite3.connect(copy)) as target:
            connection.backup(target)
    with closing(open_file(copy, write=True)) as target, reported(copy):
        target.execute("BEGIN IMMEDIATE")
        count_rewritten(target)
        tables = {name for (name,) in target.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        for table in tables & set(OF_KEYFRAMES):
            target.execute(f"DELETE FROM {table} WHERE keyframe_id > ?", (last_id,))
        left_out = target.execute("DELETE FROM keyframe WHERE id > ?", (last_id,)).rowcount
        target.execute("UPDATE sqlite_sequence SET seq = min(seq, ?) WHERE name = 'keyframe'", (last_id,))
        target.execute("COMMIT")
    return int(left_out)
