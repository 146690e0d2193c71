"""The operator's side of the control socket: one JSON object per line, one answer per line."""

from __future__ import annotations

import json
import os
import socket
import tempfile
from pathlib import Path
from typing import Any

from runtime.control.trust import is_trusted, peer_uid
from runtime.errors import ControlError, NoDaemonError

MAX_LINE_BYTES = 1 << 20


def default_socket() -> Path:
    """Where daemon and commands meet unless told otherwise: a folder that only this user can enter.

    XDG_RUNTIME_DIR where it is this user's (it stays another's under `sudo`), else one of our own beside it in the
    temporary folder.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime and _is_ours(Path(runtime)):
        return Path(runtime) / "homing.sock"
    return Path(tempfile.gettempdir()) / f"homing-{os.geteuid()}" / "homing.sock"


def ask(path: Path, request: dict[str, Any], timeout_s: float = 60.0) -> dict[str, Any]:
    """Sends one request and waits for its answer.

    Raises:
        ControlError: no daemon runs there, it is another user's, it did not answer in time, or it refused.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout_s)
        try:
            connection.connect(str(path))
            _check_listener(path, peer_uid(connection))
            connection.sendall(json.dumps(request).encode() + b"\n")
            line = _line(connection)
        except (FileNotFoundError, ConnectionRefusedError):
            raise NoDaemonError(f"no daemon is running at {path}; start one with `homing run`.") from None
        except PermissionError:
            raise ControlError(f"control socket {path} belongs to another user.") from None
        except TimeoutError:
            raise ControlError(f"the daemon at {path} did not answer within {timeout_s:g} s.") from None
        except OSError as error:
            raise ControlError(f"control socket {path} cannot be used: {error}.") from None
    if not line:
        raise ControlError(f"the daemon at {path} ended before it answered.")
    try:
        answer = json.loads(line)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise ControlError(f"what listens at {path} is not a Homing daemon.")
    if answer.get("error"):
        raise ControlError(str(answer["error"]))
    return answer


def _is_ours(folder: Path) -> bool:
    """True too where it is not there yet: the daemon makes it."""
    try:
        return folder.stat().st_uid == os.geteuid()
    except OSError:
        return True


def _check_listener(path: Path, uid: int) -> None:
    """What another user made to listen there is told nothing, and its answers are not believed."""
    if not is_trusted(uid):
        raise ControlError(f"what listens at {path} belongs to user {uid}; ask as that user, or choose another socket.")


def _line(connection: socket.socket) -> bytes:
    data = b""
    while not data.endswith(b"\n") and len(data) <= MAX_LINE_BYTES:
        chunk = connection.recv(65536)
        if not chunk:
            break
        data += chunk
    return data
