"""Real ground-station programs connect to the built-in autopilot and fly it."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sim.autopilot.autopilot import Autopilot
from sim.autopilot.config import AutopilotConfig
from sim.autopilot.server import AutopilotServer
from tests.sim.autopilot.companion import HOME

SPEEDUP = 5.0
PATIENCE_S = 60.0  # wall time until a test gives up; it passes as soon as the vehicle has done what was asked
TARGET_LATITUDE_DEG = 47.3981  # 44.5 m north of HOME
TARGET_NORTH_M = 44.5


@pytest.fixture
def server() -> Iterator[AutopilotServer]:
    autopilot = Autopilot(AutopilotConfig(HOME, home_altitude_amsl_m=488.1, ready_at_boot=True, seed=4))
    with AutopilotServer(autopilot, ["tcpin:127.0.0.1:0"], speedup=SPEEDUP) as running:
        yield running


def wait(what: str, done: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not done():
        assert time.monotonic() < until, f"gave up waiting: {what}"
        time.sleep(0.05)


@pytest.mark.skipif(importlib.util.find_spec("MAVProxy") is None, reason="MAVProxy is not installed")
def test_mavproxy_flies_it(server: AutopilotServer, tmp_path: Path) -> None:
    log = tmp_path / "mavproxy.log"
    command = [
        sys.executable, str(Path(sys.executable).parent / "mavproxy.py"), "--nowait", f"--state-basedir={tmp_path}",
        f"--master=tcp:127.0.0.1:{server.addresses[0][1]}",
    ]  # fmt: skip
    environment = {**os.environ, "HOME": str(tmp_path)}
    with log.open("w") as out, subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=out, stderr=subprocess.STDOUT, text=True, env=environment
    ) as process:
        assert process.stdin is not None
        keyboard = process.stdin

        def type_in(line: str) -> None:
            keyboard.write(line + "\n")
            keyboard.flush()

        try:
            wait("online", lambda: "online system 1" in log.read_text())
            type_in("mode guided")
            wait("GUIDED", lambda: server.mode == "GUIDED")
            type_in("arm throttle")
            wait("armed", lambda: server.armed)
            type_in("takeoff 20")
            # The height error is 3 %: 20 m by its barometer are 19.4 or 20.6 m.
            wait("up", lambda: abs(-server.truth.position_ned_m[2] - 20.0) < 1.0)
            type_in(f"guided {TARGET_LATITUDE_DEG} {HOME.longitude_deg} 20")
            wait("there", lambda: abs(server.truth.position_ned_m[0] - TARGET_NORTH_M) < 5.0)
        finally:
            process.terminate()
    text = log.read_text()
    assert "COMPONENT_ARM_DISARM: ACCEPTED" in text and "NAV_TAKEOFF: ACCEPTED" in text
    assert "DO_REPOSITION: ACCEPTED" in text
    assert abs(server.truth.position_ned_m[1]) < 5.0


@pytest.mark.skipif(importlib.util.find_spec("mavsdk") is None, reason="MAVSDK is not installed")
def test_mavsdk_flies_it(server: AutopilotServer) -> None:
    port = server.addresses[0][1]
    program = Path(__file__).with_name("mavsdk_client.py")
    # goto_location takes a height above mean sea level: 488.1 m is home's.
    arguments = [f"tcpout://127.0.0.1:{port}", str(TARGET_LATITUDE_DEG), str(HOME.longitude_deg), "508.1"]
    done = subprocess.run(
        [sys.executable, str(program), *arguments], capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    said = [line for line in done.stdout.splitlines() if line in STEPS]
    assert said == STEPS
    north, east, down = server.truth.position_ned_m
    assert abs(north - TARGET_NORTH_M) < 5.0 and abs(east) < 5.0 and down == 0.0
    assert not server.armed


STEPS = ["connected", "ready", "armed", "up", "there", "landed"]
