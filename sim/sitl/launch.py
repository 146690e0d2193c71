"""Starts a firmware's own simulator in a folder, and ends it."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from runtime.errors import UsageError
from sim.sitl.firmware import Firmware, Stand

_END_LIMIT_S = 10.0


@contextmanager
def launched(firmware: Firmware, binary: Path, folder: Path, stand: Stand) -> Iterator[tuple[str, str]]:
    """Where the simulator is found, by the companion and by the pilot; it ends with the context, and all it started.

    Raises:
        UsageError: the binary cannot be run, or no instance's ports are free.
    """
    if not (binary.is_file() and os.access(binary, os.X_OK)):
        raise UsageError(f"{binary} is no program that could be started; give the binary of {firmware.name}'s SITL.")
    shutil.rmtree(folder, ignore_errors=True)  # what an earlier flight left in its memory
    folder.mkdir(parents=True)
    with ExitStack() as held, (folder / "console.log").open("wb") as console:
        command, found = _free_instance(firmware, binary.resolve(), folder, stand, held)
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=console, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
        try:
            yield found
        finally:
            _end(process)


def _free_instance(
    firmware: Firmware, binary: Path, folder: Path, stand: Stand, held: ExitStack
) -> tuple[list[str], tuple[str, str]]:
    """The first that nobody has; others who start one in the seconds until it listens are kept off it by a lock."""
    for instance in range(firmware.instances):
        command, found = firmware.command(binary, folder, instance, stand)
        if _reserved(found[0], held) and all(_free(uri) for uri in found):
            return command, found
    raise UsageError(
        f"the ports of {firmware.instances} instances of {firmware.name} are all in use; end some of them."
    )


def _reserved(uri: str, held: ExitStack) -> bool:
    """Whether nobody else on this computer is about to use the port of an address; kept until ``held`` is closed."""
    path = Path(tempfile.gettempdir()) / f"homing-sitl-{os.getuid()}-{uri.rsplit(':', 1)[1]}.lock"
    lock = held.enter_context(path.open("w"))
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _free(uri: str) -> bool:
    """Whether nobody listens at the port of an address as `MavlinkLink.open` takes it."""
    scheme, host, port = uri.split(":")
    kind = socket.SOCK_STREAM if scheme == "tcp" else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, kind) as probe:
        if kind == socket.SOCK_STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port that only waits out its last peer
        try:
            probe.bind((host, int(port)))
        except OSError:
            return False
    return True


def _end(process: subprocess.Popen[bytes]) -> None:
    """Its whole session: simulators start helpers."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            process.wait(timeout=_END_LIMIT_S)
        except subprocess.TimeoutExpired:
            continue
        break
    process.wait()
