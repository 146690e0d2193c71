"""`homing run` as a process of its own flies the served drone over sockets, exactly as on the drone."""

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

import pytest
from pymavlink import mavutil
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from runtime.geodesy import distance_m, offset
from runtime.values import GeoPoint

ROOT = Path(__file__).parents[2]
GUIDED, LOITER = 4, 5


@contextmanager
def process(*arguments: str, log: Path) -> Iterator[subprocess.Popen[str]]:
    """A Python module as a real process, ended by SIGTERM as a service would be."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HOMING_LOG": "INFO"}
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
        time.sleep(0.5)
    pytest.fail(f"{what} did not come within {seconds:g} s")


class Pilot:
    """A ground station on the served UDP endpoint; its mode button stands for the pilot's switch."""

    def __init__(self, port: int) -> None:
        self._link = mavutil.mavlink_connection(f"udpin:127.0.0.1:{port}", source_system=255, dialect="ardupilotmega")
        assert self._link.wait_heartbeat(timeout=30) is not None
        self._command(mavlink.MAV_CMD_SET_MESSAGE_INTERVAL, mavlink.MAVLINK_MSG_ID_GLOBAL_POSITION_INT, 2e5)

    def switch(self, mode: int) -> None:
        self._command(mavlink.MAV_CMD_DO_SET_MODE, mavlink.MAV_MODE_FLAG_CUSTOM_MODE_ENABLED, mode)

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


def test_the_daemon_flies_the_served_drone(tmp_path: Path) -> None:
    station = free_port(socket.SOCK_DGRAM)
    serve = (
        "sim.cli", "serve", "--seed", "100021", "--out", str(tmp_path), "--airborne-m", "100", "--fps", "2",
        "--mavlink", "tcpin:127.0.0.1:0", "--station", f"udpout:127.0.0.1:{station}", "--json",
    )  # fmt: skip
    with process(*serve, log=tmp_path / "serve.log") as server:
        assert server.stdout is not None
        endpoints = json.loads(server.stdout.readline())
        assert endpoints["schema"] == 1 and Path(endpoints["satellite"]).is_file()
        pilot = Pilot(station)
        start = pilot.position()
        with process("runtime.cli.main", "run", "--config", endpoints["config"], log=tmp_path / "run.log"):
            _fly(endpoints["config"], pilot, start)
        pilot.close()
    assert list((tmp_path / "logs").glob("*.mcap"))


def _fly(config: str, pilot: Pilot, start: GeoPoint) -> None:
    def ask(*words: str) -> dict[str, Any]:
        return homing(*words, "--config", config)

    wait_for("a keyframe", lambda: ask("status").get("counts", {}).get("keyframes", 0) > 0, 60)
    target = offset(start, 40.0, 30.0)
    shown = ask("target", f"{target.latitude_deg:.7f},{target.longitude_deg:.7f}")
    plan = Path(config).with_name("way.waypoints")
    assert ask("confirm", shown["target_id"], "--plan", str(plan)).get("confirmed") == shown["target_id"]
    assert f"{target.latitude_deg:.7f}" in plan.read_text().splitlines()[-1]
    assert ask("engage").get("engaged") is True
    wait_for("READY", lambda: ask("status").get("state") == "ready", 30)
    pilot.switch(GUIDED)
    wait_for("the arrival", lambda: distance_m(pilot.position(), target) < 5.0, 60)
    assert ask("status")["state"] == "engaged"
    pilot.switch(LOITER)
    wait_for("the yield", lambda: ask("status").get("state") == "yielded", 10)
    commands = ask("status")["counts"]["setpoints"]
    time.sleep(2.0)
    assert ask("status")["counts"]["setpoints"] == commands > 0
