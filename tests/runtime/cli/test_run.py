"""`homing run` and the operator's commands, as processes with real sockets; and every bad start in one sentence."""

from __future__ import annotations

import fcntl
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import typer

from runtime.bundle import Bundle
from runtime.cli import control
from runtime.cli.run import run
from runtime.control.client import ask
from runtime.errors import HomingError
from runtime.flightlog.flightlog import read_flightlog
from runtime.geodesy import distance_m, offset
from runtime.history.history import History
from runtime.values import GeoPoint
from sim.autopilot.autopilot import Autopilot
from sim.autopilot.config import AutopilotConfig
from sim.autopilot.server import AutopilotServer
from tests.runtime.cli import called

ROOT = Path(__file__).parents[3]
HOME = GeoPoint(60.45, 22.25)
TARGET = offset(HOME, 100.0, 0.0)
HOMING = [sys.executable, "-m", "runtime.cli.main"]
FILE = """\
[camera]
uri = "{camera}"
width_px = 64
height_px = 48
hfov_deg = 70.0

[vehicle]
uri = "{vehicle}"
answer_within_s = {answer_within_s}

[history]
path = "history.db"

[record]
enabled = {record}

[commanding]
enabled = true
polygon = [[60.44, 22.23], [60.44, 22.27], [60.46, 22.27], [60.46, 22.23]]
floor_height_takeoff_m = 30.0
ceiling_height_takeoff_m = 100.0
max_distance_m = 600.0
battery_reserve_percent = 20.0

[control]
socket = "c.sock"

[page]
enabled = {page}
port = {page_port}

[log]
directory = "logs"
"""


def homing(*arguments: str, timeout_s: float = 60.0) -> subprocess.CompletedProcess[str]:
    command = [*HOMING, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=timeout_s, check=False)


def configured(folder: Path, **changes: Any) -> Path:
    frames = folder / "frames"
    frames.mkdir(exist_ok=True)
    for index in range(3):
        image = np.random.default_rng(index).integers(0, 255, (48, 64, 3), dtype=np.uint8)
        cv2.imwrite(str(frames / f"{index}.png"), image)
    values = {
        "camera": frames, "vehicle": "udpin:127.0.0.1:0", "answer_within_s": 1.0, "record": "true", "page": "false",
        "page_port": 0, **changes,
    }  # fmt: skip
    path = folder / "homing.toml"
    path.write_text(FILE.format(**values))
    return path


def one_sentence(finished: subprocess.CompletedProcess[str], *words: str) -> None:
    lines = [line for line in finished.stderr.splitlines() if not line.startswith(("running;", "ERROR", "WARNING"))]
    assert finished.returncode == 1, finished.stderr
    assert len(lines) == 1 and finished.stdout == ""
    for word in words:
        assert word in lines[0]


def eventually(what: Callable[[], bool], patience_s: float = 40.0) -> None:
    end = time.monotonic() + patience_s
    while not what():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.1)


def test_a_vehicle_that_never_answers(tmp_path: Path) -> None:
    path = configured(tmp_path)
    one_sentence(called.homing("run", "--config", path), "no vehicle answers at udpin:127.0.0.1:0 within 1 s")
    with History.open(tmp_path / "history.db") as history:  # made, closed, and whole
        assert len(history) == 0


def refused(path: Path) -> str:
    """What `homing run` would print as its one sentence."""
    with pytest.raises(HomingError) as caught:
        run(path, False)
    assert "\n" not in str(caught.value) and caught.value.exit_status == 1
    return str(caught.value)


def test_a_camera_that_does_not_open(tmp_path: Path) -> None:
    assert "/dev/video99" in refused(configured(tmp_path, camera="/dev/video99"))
    with History.open(tmp_path / "history.db") as history:
        assert len(history) == 0
    assert not (tmp_path / "c.sock").exists()  # and the next start is not in its own way


def test_a_misspelt_key(tmp_path: Path) -> None:
    path = configured(tmp_path)
    path.write_text(path.read_text().replace("hfov_deg", "hfov_dgr"))
    said = refused(path)
    assert "line 5" in said and "camera.hfov_dgr" in said and "did you mean hfov_deg?" in said


def test_a_history_of_another_space(tmp_path: Path) -> None:
    History.create(tmp_path / "history.db", "another-space", "another").close()
    for record in ("false", "true"):
        said = refused(configured(tmp_path, record=record))
        assert "another-space" in said and "reembed" in said


def test_a_history_that_is_missing_where_nothing_is_recorded(tmp_path: Path) -> None:
    assert "history.db" in refused(configured(tmp_path, record="false"))


def test_a_vehicle_address_that_is_none(tmp_path: Path) -> None:
    said = refused(configured(tmp_path, vehicle="wifi"))
    assert "wifi" in said and "udpin" in said


def test_a_log_folder_that_cannot_be_made(tmp_path: Path) -> None:
    path = configured(tmp_path)
    (tmp_path / "logs").write_text("a file is in the way")
    assert "logs" in refused(path)


def test_a_page_where_somebody_else_listens(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        message = refused(configured(tmp_path, page="true", page_port=port))
    assert f"[page] cannot listen on 127.0.0.1 port {port}" in message


def test_signals_are_given_back_after_a_run(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    refused(configured(tmp_path, camera="/dev/video99"))
    assert signal.getsignal(signal.SIGTERM) is before


def test_wrong_usage_exits_2() -> None:
    assert called.homing("run").returncode == 2


def test_no_daemon_is_one_sentence(tmp_path: Path) -> None:
    one_sentence(homing("status", "--socket", str(tmp_path / "c.sock")), "no daemon is running")


F_SETPIPE_SZ = 1031  # linux/fcntl.h: room for the whole film
MCAP_MAGIC = b"\x89MCAP0\r\n"  # the first bytes of a log, and the last ones of a finished log


@contextmanager
def stuck_film(folder: Path) -> Iterator[str]:
    """The address of a film that opens, plays, and stops in the middle: FFmpeg waits in it for ever."""
    film, pipe = folder / "film.avi", folder / "camera"
    writer = cv2.VideoWriter(str(film), cv2.VideoWriter_fourcc(*"MJPG"), 10.0, (64, 48))
    for index in range(60):
        writer.write(np.random.default_rng(index).integers(0, 255, (48, 64, 3), dtype=np.uint8))
    writer.release()
    os.mkfifo(pipe)
    kept_open = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)  # never at its end while this is open
    data = film.read_bytes()
    fcntl.fcntl(kept_open, F_SETPIPE_SZ, len(data))
    assert os.write(kept_open, data[: len(data) * 3 // 4]) == len(data) * 3 // 4
    try:
        yield f"file://{pipe}"
    finally:
        os.close(kept_open)


def test_a_camera_that_never_returns_costs_the_flight_neither_log_nor_history(tmp_path: Path) -> None:
    with stuck_film(tmp_path) as camera:
        path = configured(tmp_path, camera=camera, answer_within_s=3.0)
        said = tmp_path / "said.txt"
        with said.open("w") as errors:
            process = subprocess.Popen([*HOMING, "run", "--config", str(path)], cwd=ROOT, stderr=errors)
        try:
            eventually(lambda: any(log.read_bytes()[8:].endswith(MCAP_MAGIC) for log in tmp_path.glob("logs/*.mcap")))
            assert "does not return" not in said.read_text()  # it still waits for the camera, with nothing left to lose
            assert process.wait(30) == 1
        finally:
            process.kill()
            process.wait()
    assert "no vehicle answers" in said.read_text() and "the camera does not return from a read" in said.read_text()
    with History.open(tmp_path / "history.db") as history:
        assert len(history) == 0
    assert not (tmp_path / "c.sock").exists()


class Flight:
    """A `homing run` in a process of its own, on a vehicle that hovers in real time."""

    def __init__(
        self, folder: Path, server: AutopilotServer, autopilot: Autopilot, *options: str, **changes: Any
    ) -> None:
        self.folder, self.server, self.autopilot = folder, server, autopilot
        _, port = server.addresses[0]
        path = configured(folder, vehicle=f"tcp:127.0.0.1:{port}", answer_within_s=20.0, **changes)
        command = [*HOMING, "run", "--config", str(path), *options]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, env=environment)
        self.socket = folder / "c.sock"

    def status(self) -> dict[str, Any]:
        return ask(self.socket, {"command": "status"})

    def answers(self) -> bool:
        assert self.process.poll() is None, self.process.communicate()[1]
        try:
            return bool(self.status()["vehicle"]["connected"])
        except HomingError:
            return False

    def to_ready(self) -> None:
        eventually(self.answers)
        place = f"{TARGET.latitude_deg:.7f},{TARGET.longitude_deg:.7f}"
        finished = homing("target", place, "--socket", str(self.socket), "--json")
        assert finished.returncode == 0, finished.stderr
        found = json.loads(finished.stdout)
        assert found["schema"] == 1 and found["confirmable"]
        control.confirm(found["target_id"], socket=self.socket)
        control.engage(socket=self.socket)
        eventually(lambda: self.status()["state"] == "ready")

    def pilot(self, mode: str) -> None:
        with self.server.lock:
            assert self.autopilot.pilot_set_mode(mode)

    def end(self, number: int = signal.SIGTERM) -> str:
        self.process.send_signal(number)
        _, errors = self.process.communicate(timeout=30)
        assert self.process.returncode == 0, errors
        assert "stopped; everything recorded is kept." in errors
        return errors

    def log(self, channel: str) -> list[dict[str, Any]]:
        (path,) = (self.folder / "logs").glob("*.mcap")
        return [record for name, _, record in read_flightlog(path) if name == channel]


@pytest.fixture
def hovering(tmp_path: Path) -> Iterator[tuple[AutopilotServer, Autopilot]]:
    config = AutopilotConfig(HOME, 37.0, seed=3, clock_offset_ns=5_000_000_000, ready_at_boot=True)
    autopilot = Autopilot(config)
    autopilot.start_in_flight((-100.0, 0.0, -60.0), "LOITER")
    with AutopilotServer(autopilot, ["tcpin:127.0.0.1:0"]) as server:
        yield server, autopilot


def test_a_flight_by_the_commands_alone(
    tmp_path: Path, hovering: tuple[AutopilotServer, Autopilot], capsys: pytest.CaptureFixture[str]
) -> None:
    flight = Flight(tmp_path, *hovering)
    try:
        flight.to_ready()
        with pytest.raises(HomingError, match="another target|not the one that waits"):
            ask(flight.socket, {"command": "confirm", "target_id": "00000000"})
        assert "another daemon is running" in refused(tmp_path / "homing.toml")
        north_m = flight.server.truth.position_ned_m[0]
        flight.pilot("GUIDED")
        eventually(lambda: flight.server.truth.position_ned_m[0] > north_m + 15.0)
        assert flight.status()["state"] == "engaged"
        capsys.readouterr()
        control.status(socket=flight.socket)
        lines = capsys.readouterr().out.splitlines()
        assert lines[0].startswith("state     engaged") and any("GUIDED" in line for line in lines)
        flight.end()
    finally:
        flight.process.kill()
    assert not flight.socket.exists()
    sent = flight.log("setpoint")
    assert len(sent) > 3 and all(record["sent"] for record in sent)
    assert sent[-1]["reason"] == "hold: shut_down"  # the last word of a daemon that ends under way
    held = GeoPoint(sent[-1]["latitude_deg"], sent[-1]["longitude_deg"])

    def back_where_it_was_told_to_hold() -> bool:
        north, east, _ = flight.server.truth.position_ned_m
        return distance_m(offset(HOME, north, east), held) < 6.0  # it brakes, and comes back; GPS has its error

    eventually(back_where_it_was_told_to_hold)
    with History.open(tmp_path / "history.db", embedding_space_id=Bundle.load().embedding_space_id):
        pass


def test_a_dry_run_and_ctrl_c(
    tmp_path: Path, hovering: tuple[AutopilotServer, Autopilot], capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    flight = Flight(tmp_path, *hovering, "--dry-run", page="true", page_port=port)
    try:
        eventually(flight.answers)
        stream = urllib.request.urlopen(f"http://127.0.0.1:{port}/api/live", timeout=10)
        assert json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=10))["status"] == "ok"
        picture = str(tmp_path / "frames" / "0.png")  # located aside, in a history that holds nothing yet
        with pytest.raises(typer.Exit) as no_match:
            control.target(picture, target_gsd=1.0, socket=flight.socket, as_json=True)
        answer = json.loads(capsys.readouterr().out)
        assert no_match.value.exit_code == 3 and answer["decision"] == "no_match" and answer["reason"]
        flight.to_ready()
        flight.pilot("GUIDED")
        eventually(lambda: flight.status()["counts"].get("setpoints_withheld", 0) > 3)
        said = flight.end(signal.SIGINT)  # whoever still looks does not hold up the end
        assert f"status page http://127.0.0.1:{port}/, dry run" in said
        with pytest.raises(http.client.IncompleteRead):
            stream.read()
    finally:
        flight.process.kill()
    sent = flight.log("setpoint")
    assert sent and not any(record["sent"] for record in sent)
    assert abs(flight.server.truth.position_ned_m[0] + 100.0) < 10.0


def test_the_vehicle_is_listened_to_before_what_takes_a_second_to_import() -> None:
    """And the deciding thread finds those parts of scipy there that its modules import where they use them."""
    order = (
        "import sys, runtime.cli.main, runtime.cli.run;"
        "print({'scipy', 'cv2', 'onnxruntime', 'rich'} & set(sys.modules));"
        "import runtime.cli.fly; print({'scipy.spatial.transform', 'scipy.sparse.csgraph'} - set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", order], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n") == ["set()", "set()", ""]
