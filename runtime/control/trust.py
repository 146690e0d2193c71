"""Whom the control socket trusts: the owners and modes of its files, and the user at the other end of a connection.

Requests of this user and of root are taken, and nobody else's; nobody else may put a socket, a lock or a link where
ours will be looked for. What is refused here is refused in one sentence, with what to do.
"""

from __future__ import annotations

import fcntl
import os
import socket
import stat
import struct
from pathlib import Path

from runtime.errors import ControlError

_REMEDY = "choose a folder of this user's own with control.socket or XDG_RUNTIME_DIR."
_CREDENTIALS = struct.Struct("iII")  # struct ucred of unix(7): process, user, group


def is_trusted(uid: int) -> bool:
    """Whether a user is the one that this process acts as, or root."""
    return uid in (0, os.geteuid())


def peer_uid(connection: socket.socket) -> int:
    """The user at the other end of a UNIX connection: who connected, or who listens there (unix(7), SO_PEERCRED)."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(credentials)[1])


def check_folder(path: Path) -> None:
    """Makes the folder of the socket ``path`` if need be (0700), and checks that nobody else may change what is in it.

    Raises:
        ControlError: it belongs to another user, others may write in it, or others may exchange it.
    """
    folder = path.parent.absolute()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        real = folder.resolve(strict=True)
        _check_folder_itself(path, real)
        for part in {*folder.parents, folder, *real.parents}:
            _check_way_to(path, part)
    except OSError as error:
        raise ControlError(f"control socket {path}: its folder cannot be used: {error.strerror or error}.") from None


def check_socket(path: Path) -> None:
    """Checks that what lies at ``path``, if anything does, is a socket that we or root left there.

    Raises:
        ControlError: it is something else, or another user's.
    """
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise ControlError(f"control socket {path} cannot be looked at: {error.strerror or error}.") from None
    if not stat.S_ISSOCK(found.st_mode):
        raise ControlError(f"control socket {path} is another kind of file; choose another path.")
    if not is_trusted(found.st_uid):
        raise ControlError(f"control socket {path} belongs to user {found.st_uid}; choose another path.")


def locked(path: Path) -> int:
    """A descriptor of the lock beside the socket ``path``, held; the lock ends with its process.

    The lock file is never followed through a link and never written to.

    Raises:
        ControlError: another daemon holds it, or it is not a file of ours.
    """
    lock = path.with_name(path.name + ".lock")
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ControlError(f"control socket {path}: {lock} cannot be locked: {error.strerror or error}.") from None
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or not is_trusted(found.st_uid) or found.st_nlink != 1:
            raise ControlError(f"control socket {path}: {lock} is not a lock of this user's; remove it.")
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise ControlError(f"another daemon is running at {path}; stop it first.") from None
    except ControlError:
        os.close(descriptor)
        raise
    return descriptor


def _check_folder_itself(path: Path, real: Path) -> None:
    found = real.stat()
    if not is_trusted(found.st_uid):
        raise ControlError(f"control socket {path}: its folder belongs to user {found.st_uid}; {_REMEDY}")
    # A group that is this user's own is no other user: many systems make every folder writable for it (umask 002).
    if found.st_mode & stat.S_IWOTH or (found.st_mode & stat.S_IWGRP and found.st_gid != os.getegid()):
        raise ControlError(f"control socket {path}: other users may write in its folder; {_REMEDY}")


def _check_way_to(path: Path, part: Path) -> None:
    """A folder or link on the way to the socket that others could exchange leads to theirs."""
    found = part.lstat()
    if stat.S_ISLNK(found.st_mode):
        if not is_trusted(found.st_uid):
            raise ControlError(f"control socket {path}: {part} is a link of user {found.st_uid}'s; {_REMEDY}")
    elif found.st_mode & stat.S_IWOTH and not found.st_mode & stat.S_ISVTX:
        raise ControlError(f"control socket {path}: other users may replace what is in {part}; {_REMEDY}")
