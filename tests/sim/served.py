"""A served drone and the processes around it: the daemon, the pilot's ground station, an operator's commands."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pymavlink import mavutil
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from runtime.values import GeoPoint
from sim.scenario.copter import COPTER
from sim.scenario.station import GroundStation

ROOT = Path(__file__).parents[2]
GUIDED, LOITER = 4, 5


@contextmanager
def process(*arguments: str, log: Path, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """A Python module as a real process, ended by SIGTERM as a service would be; ``variables`` of its environment."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HOMING_LOG": "INFO", **variables}
    with log.open("w") as errors:
        child = subprocess.Popen(
            [sys.executable, "-m", *arguments], stdout=subprocess.PIPE, stderr=errors, text=True, env=environment
        )
        try:
            yield child
        finally:
            child.send_signal(signal.SIGTERM)
            try:
                child.communicate(timeout=20)
            except subprocess.TimeoutExpired:
                child.kill()
                child.communicate()
                raise


def homing(*arguments: str) -> dict[str, Any]:
    """One `homing` command with --json; an error is {"error": …}."""
    done = subprocess.run(
        [sys.executable, "-m", "runtime.cli.main", *arguments, "--json"],
        capture_output=True, text=True, timeout=60, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    return dict(json.loads(done.stdout)) if done.returncode == 0 else {"error": done.stderr, "status": done.returncode}


def wait_for(what: str, condition: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.1)
    raise TimeoutError(f"{what} did not come within {seconds:g} s")


class Pilot:
    """A ground station on the served UDP endpoint; its mode button stands for the pilot's switch."""

    def __init__(self, port: int) -> None:
        self._link = mavutil.mavlink_connection(f"udpin:127.0.0.1:{port}", source_system=255, dialect="ardupilotmega")
        assert self._link.wait_heartbeat(timeout=30) is not None
        self._command(mavlink.MAV_CMD_SET_MESSAGE_INTERVAL, mavlink.MAVLINK_MSG_ID_GLOBAL_POSITION_INT, 2e5)

    def switch(self, mode: int) -> None:
        self._command(mavlink.MAV_CMD_DO_SET_MODE, mavlink.MAV_MODE_FLAG_CUSTOM_MODE_ENABLED, mode)

    def go_to(self, place: GeoPoint, height_m: float) -> None:
        """A position target of the ground station's own, relative to home."""
        self._link.mav.send(COPTER.target(GroundStation(), place, height_m))

    def position(self) -> GeoPoint:
        message = None
        while (
            newer := self._link.recv_match(type="GLOBAL_POSITION_INT", blocking=message is None, timeout=5)
        ) is not None:
            message = newer
        assert message is not None
        return GeoPoint(message.lat / 1e7, message.lon / 1e7)

    def close(self) -> None:
        self._link.close()

    def _command(self, command: int, *parameters: float) -> None:
        padded = [*parameters, *[0.0] * (7 - len(parameters))]
        self._link.mav.command_long_send(1, 1, command, 0, *padded)


def free_port(kind: int) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
