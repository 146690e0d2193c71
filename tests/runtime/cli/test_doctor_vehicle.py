"""`homing doctor --vehicle` against the built-in autopilot over TCP, and through a daemon that holds the link."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from runtime.cli.main import app
from runtime.config.config import load_config
from runtime.control.control import ControlServer
from runtime.doctor.link import link_findings
from runtime.errors import UsageError
from runtime.mavlink.framing import PacketReader
from sim.autopilot.server import AutopilotServer
from tests.runtime.daemon.cockpit import Cockpit
from tests.sim.autopilot.companion import autopilot

CONFIG = """
[camera]
uri = "/dev/video0"
width_px = 64
height_px = 48
hfov_deg = 70.0
[vehicle]
uri = "tcp:127.0.0.1:{port}"
answer_within_s = 5.0
[history]
path = "history.db"
[control]
socket = "{folder}/homing.sock"
[injection]
route = "auto"
"""


@pytest.fixture(scope="module")
def server() -> Iterator[AutopilotServer]:
    with AutopilotServer(autopilot(), ["tcpin:127.0.0.1:0"]) as running:
        yield running


def doctor(folder: Path, port: int, *arguments: str) -> Result:
    config = folder / "homing.toml"
    config.write_text(CONFIG.format(port=port, folder=folder))
    return CliRunner().invoke(app, ["doctor", "--config", str(config), "--vehicle", *arguments])


def test_it_names_sets_and_takes_back(server: AutopilotServer, tmp_path: Path) -> None:
    port, saved = server.addresses[0][1], tmp_path / "old.json"
    result = doctor(tmp_path, port, "--apply", "--saved", str(saved), "--delay-ms", "90", "--json")
    told = json.loads(result.stdout)
    changes = {one["name"]: (one["old"], one["new"]) for one in told["changes"]}
    assert changes.keys() >= {"VISO_TYPE", "EK3_SRC2_POSXY", "EK3_SRC2_VELXY", "EK3_SRC2_YAW", "VISO_DELAY_MS"}
    assert changes["VISO_TYPE"] == (0, 1) and changes["VISO_DELAY_MS"] == (10, 90) and told["saved"] == str(saved)
    states = {one["what"]: one["state"] for one in told["findings"]}
    assert states["VISO_TYPE"] == states["EK3_SRC2_POSXY"] == states["ATTITUDE"] == states["route"] == "ok"
    assert result.exit_code == 0
    back = doctor(tmp_path, port, "--restore", str(saved))
    assert back.exit_code == 0 and "= VISO_TYPE            1 -> 0; it counts after" in back.stdout
    assert len(back.stdout.splitlines()) == len(changes)
    again = doctor(tmp_path, port)
    assert again.exit_code == 1 and "✗ VISO_TYPE            0, has to be 1" in again.stdout


def test_before_take_off_the_autopilot_is_four_lines(server: AutopilotServer, tmp_path: Path) -> None:
    config = tmp_path / "homing.toml"
    config.write_text(CONFIG.format(port=server.addresses[0][1], folder=tmp_path))
    told = {one.what: one for one in link_findings(load_config(config), None)}
    assert told["autopilot"].state == "ok" and told["rates"].state == "ok" and told["time sync"].state == "ok"
    assert told["parameters"].state == "wrong" and "VISO_TYPE" in told["parameters"].found
    assert "doctor --vehicle" in told["parameters"].todo


def test_through_a_daemon_it_asks_the_only_one_that_talks_and_sets_nothing(tmp_path: Path) -> None:
    cockpit, lock = Cockpit(), threading.Lock()

    def submit(request: dict[str, Any], reply: Any) -> None:
        with lock:
            reply(cockpit.ask(**request))
            cockpit.fly(1.0)

    control = ControlServer(tmp_path / "homing.sock", submit)
    try:
        cockpit.fly(4.0)
        result = doctor(tmp_path, 9, "--json")
        told = json.loads(result.stdout)
        refused = doctor(tmp_path, 9, "--apply")
    finally:
        control.close()
    assert told["through"] == "daemon" and told["stack"] == "ardupilot"
    values = {one["parameter"]: (one["value"], one["wanted"]) for one in told["parameters"]}
    assert values["VISO_TYPE"] == (0, 1) and values["EK3_SRC2_POSXY"] == (0, 6)
    assert {"ATTITUDE", "frames"} <= {one["what"] for one in told["findings"]}
    assert isinstance(refused.exception, UsageError) and "stop it" in str(refused.exception)
    sent = {packet.name for packet in PacketReader().feed(bytes(cockpit.wire)) if packet.name.startswith("PARAM_")}
    assert sent == {"PARAM_REQUEST_READ"}


@pytest.mark.parametrize(
    "arguments, why",
    [
        (["doctor", "--vehicle"], "--vehicle needs --config"),
        (["doctor", "--apply"], "are of --vehicle"),
        (["doctor", "--link", "tcp:here:1"], "are of --vehicle"),
    ],
)
def test_options_that_do_not_go_together(arguments: list[str], why: str) -> None:
    result = CliRunner().invoke(app, arguments)
    assert isinstance(result.exception, UsageError) and why in str(result.exception)


def test_a_wrong_address_and_both_at_once_are_one_sentence(tmp_path: Path) -> None:
    both = doctor(tmp_path, 9, "--apply", "--restore", "old.json")
    assert isinstance(both.exception, UsageError)
    nobody = doctor(tmp_path, 9, "--link", "tcp:127.0.0.1:9")
    assert "does not open" in str(nobody.exception)
