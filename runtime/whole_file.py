"""A file written whole or not at all: a reader sees what was there before or all of what is there now."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from runtime.errors import StorageError


def write_whole(path: Path, data: bytes, mode: int = 0o666, durable: bool = False) -> None:
    """Write ``data`` beside ``path`` and put it in its place when it is complete.

    A link is followed; what is no file (``/dev/stdout``, a pipe) is written to, as nothing can be put in its place.
    ``mode``: the permissions of a new file, less the umask. ``durable``: on the disk before it is in its place.

    Raises:
        StorageError: it cannot be written; what was at ``path`` is as it was.
    """
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(data)
        else:
            _replace(path.resolve(), data, mode, durable)
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror or error}.") from error


def _replace(path: Path, data: bytes, mode: int, durable: bool) -> None:
    draft = path.with_name(path.name + ".part")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        draft.replace(path)
    except OSError:
        with suppress(OSError):
            draft.unlink()
        raise
