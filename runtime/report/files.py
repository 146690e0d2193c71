"""A file of a report, or of what it reports, whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from runtime.errors import StorageError


def write_whole(path: Path, data: bytes) -> None:
    """Write ``data`` beside ``path`` and put it in its place when it is complete.

    Raises:
        StorageError: it cannot be written; what was at ``path`` is as it was.
    """
    draft = path.with_name(path.name + ".part")
    try:
        draft.write_bytes(data)
        os.replace(draft, path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise StorageError(f"{path} cannot be written: {error.strerror}.") from error
