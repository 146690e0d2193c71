"""`homing run` as a process of its own flies the served drone over sockets, exactly as on the drone."""

from __future__ import annotations

import json
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from runtime.config.config import load_config
from runtime.control import client
from runtime.errors import ControlError
from runtime.geodesy import distance_m, offset
from runtime.values import GeoPoint
from tests.runtime.sources.raster.writing import colours, write
from tests.runtime.test_service import Manager
from tests.sim.served import GUIDED, LOITER, Pilot, free_port, homing, process, wait_for

SIDE_M, SIDE_PX = 560.0, 1120  # little of a world is prepared in little time, and this flight needs no other date


@pytest.mark.slow
def test_the_daemon_flies_the_served_drone(tmp_path: Path) -> None:
    station = free_port(socket.SOCK_DGRAM)
    ground = write(tmp_path / "ground.tif", colours(SIDE_PX), SIDE_M / SIDE_PX)
    serve = (
        "sim", "serve", "--world", str(ground), "--out", str(tmp_path), "--airborne-m", "100", "--fps", "2",
        "--mavlink", "tcpin:127.0.0.1:0", "--station", f"udpout:127.0.0.1:{station}", "--json",
    )  # fmt: skip
    with process(*serve, log=tmp_path / "serve.log") as server:
        assert server.stdout is not None
        endpoints = json.loads(server.stdout.readline())
        assert endpoints["schema"] == 1 and Path(endpoints["satellite"]).is_file()
        pilot = Pilot(station)
        start = pilot.position()
        manager = Manager(str(tmp_path / "notify"))
        service = manager.environment(WATCHDOG_USEC="5000000")
        with process("runtime.cli.main", "run", "--config", endpoints["config"], log=tmp_path / "run.log", **service):
            _fly(endpoints["config"], pilot, start)
        pilot.close()
    assert list((tmp_path / "logs").glob("*.mcap"))
    heard = "\n".join(manager.close()).splitlines()
    assert heard.count("READY=1") == 1 and heard[-1] == "STOPPING=1" and "STATUS=engaged" in heard
    assert heard.count("WATCHDOG=1") > 3


def _fly(config: str, pilot: Pilot, start: GeoPoint) -> None:
    def ask(*words: str) -> dict[str, Any]:
        return homing(*words, "--config", config)

    socket_path = load_config(Path(config)).control.socket

    def status() -> dict[str, Any]:  # what `homing status` asks, without a process for each time
        with suppress(ControlError):
            return client.ask(socket_path, {"command": "status"}, 10.0)
        return {}

    wait_for("a keyframe", lambda: status().get("counts", {}).get("keyframes", 0) > 0, 60)
    target = offset(start, 40.0, 30.0)
    shown = ask("target", f"{target.latitude_deg:.7f},{target.longitude_deg:.7f}")
    plan = Path(config).with_name("way.waypoints")
    assert ask("confirm", shown["target_id"], "--plan", str(plan)).get("confirmed") == shown["target_id"]
    assert f"{target.latitude_deg:.7f}" in plan.read_text().splitlines()[-1]
    assert ask("engage").get("engaged") is True
    wait_for("READY", lambda: status().get("state") == "ready", 30)
    pilot.switch(GUIDED)
    # Before the arrival: a flight that is confirmed there has ended, and its consent with it.
    wait_for("ENGAGED", lambda: status().get("state") == "engaged", 30)
    wait_for("the arrival", lambda: distance_m(pilot.position(), target) < 5.0, 60)
    pilot.switch(LOITER)
    wait_for("the yield", lambda: status().get("state") == "yielded", 10)
    commands = status()["counts"]["setpoints"]
    time.sleep(2.0)
    assert ask("status")["counts"]["setpoints"] == commands > 0
