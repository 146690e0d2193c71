"""A flight with somebody else's autopilot: what can be done to it, what its daemon is asked, and what is kept of it."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from runtime.clock import MonotonicClock
from runtime.vehicle.link.link import MavlinkLink
from sim.autopilot.gps import DRAG_ACCEL_M_S2
from sim.autopilot.server import AutopilotServer
from sim.camera import SimulatedCamera, default_camera
from sim.scenario.aircraft import Answer, NotFlownError
from sim.serve import LiveCamera
from sim.sitl.daemon_process import DaemonProcess
from sim.sitl.flight import SitlFlight, SitlRun, sticks_towards
from sim.sitl.pilot import Pilot
from sim.sitl.wires import Wires
from sim.stream import FrameStream
from tests.sim.sitl.built_in import TruthfulCopter, exact_autopilot

HOME = (40.0, -25.0)


class GreyCamera:
    """Sees a grey world."""

    model = default_camera()

    def capture(self, *pose: Any) -> Any:
        return np.full((self.model.height_px, self.model.width_px, 3), 120, np.uint8)


@dataclass
class Daemon:
    """In the place of `homing run`: answers after a while, and remembers how it was ended."""

    folder: Path
    answer_s: float = 0.1
    ended: list[int] = field(default_factory=list)
    starts: int = 0
    last_words: Callable[[], None] = lambda: None

    @property
    def logs(self) -> list[Path]:
        return sorted(self.folder.glob("*.mcap"))

    def start(self) -> None:
        self.starts += 1
        (self.folder / f"{self.starts}.mcap").write_text(f"log {self.starts}")

    def end(self, number: int) -> None:
        self.ended.append(number)
        self.last_words()

    def ask(self, request: Answer, timeout_s: float) -> Answer:
        time.sleep(min(self.answer_s, timeout_s))
        return {"vehicle": {"connected": True}, "asked": request["command"]}


@dataclass
class Scene:
    flight: SitlFlight
    daemon: Daemon
    camera: LiveCamera
    server: AutopilotServer
    wires: Wires


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """Hovering at 60 m; the camera is there and nobody looks through it."""
    autopilot = exact_autopilot()
    autopilot.start_in_flight((0.0, 0.0, -60.0), "LOITER")
    stream = FrameStream()
    with AutopilotServer(autopilot, ["tcpin:127.0.0.1:0", "tcpin:127.0.0.1:0"]) as server:
        first, second = ("tcp:{}:{}".format(*address) for address in server.addresses)
        wires = Wires(first, second, Pilot(TruthfulCopter()))
        camera = LiveCamera(cast(SimulatedCamera, GreyCamera()), wires.pilot, stream, HOME)
        daemon = Daemon(tmp_path)
        flight = SitlFlight(wires, camera, cast(DaemonProcess, daemon), HOME)
        wires.pilot.ask_for_truth()
        end_s = time.monotonic() + 30.0
        while wires.pilot.reference is None and time.monotonic() < end_s:
            flight.step()
        yield Scene(flight, daemon, camera, server, wires)
        wires.close()
    stream.close()


def dragged_m(speed_m_s: float, seconds: float) -> float:
    """How far a forger has dragged who picks up speed no faster than is believed."""
    faster_s = min(seconds, speed_m_s / DRAG_ACCEL_M_S2)
    return DRAG_ACCEL_M_S2 * faster_s**2 / 2.0 + speed_m_s * (seconds - faster_s)


def test_a_dragged_receiver_goes_its_way_until_it_is_honest_again(scene: Scene) -> None:
    flight = scene.flight
    begun_s = time.monotonic()
    flight.drag_gps(3.0, -4.0)
    flight.fly(1.0)
    north, east = flight.gps_offset_ne_m
    assert math.hypot(north, east) == pytest.approx(dragged_m(5.0, time.monotonic() - begun_s), abs=1.5)
    assert east / north == pytest.approx(-4.0 / 3.0)
    flight.step_gps(60.0, 0.0)
    flight.fly(0.3)
    assert flight.gps_offset_ne_m[0] > 60.0
    assert flight.station.parameters["SIM_GPS1_GLTCH_X"] > 0.0005
    flight.honest_gps()
    flight.fly(0.5)
    assert flight.gps_offset_ne_m == (0.0, 0.0)
    assert flight.station.parameters["SIM_GPS1_GLTCH_X"] == flight.station.parameters["SIM_GPS1_GLTCH_Y"] == 0.0


def test_the_track_is_where_it_really_is_from_the_origin_of_the_world(scene: Scene) -> None:
    scene.flight.fly(0.5)
    assert len(scene.flight.track) > 5
    assert math.dist(scene.flight.track[-1].ground, HOME) < 0.1


def test_a_daemon_is_asked_while_the_flight_goes_on(scene: Scene) -> None:
    before = len(scene.flight.track)
    scene.daemon.answer_s = 0.4
    assert scene.flight.ask({"command": "status"})["asked"] == "status"
    assert len(scene.flight.track) > before
    scene.daemon.answer_s = 30.0
    with pytest.raises(NotFlownError, match="did not answer target within 0.2 s"):
        scene.flight.ask({"command": "target"}, 0.2)


def test_a_restarted_daemon_was_killed_and_has_a_log_of_its_own(scene: Scene, tmp_path: Path) -> None:
    scene.flight.start_daemon()
    scene.flight.restart_daemon()
    assert scene.daemon.ended == [signal.SIGKILL] and scene.daemon.starts == 2
    kept = tmp_path / "logs" / "flight.mcap"
    run = SitlRun(scene.flight, cast(DaemonProcess, scene.daemon), kept)
    run.keep_logs()
    assert [path.name for path in run.log_paths] == ["flight.mcap", "flight-2.mcap"]
    assert [path.read_text() for path in run.log_paths] == ["log 1", "log 2"]


def test_the_hold_that_a_daemon_says_in_the_end_is_counted(scene: Scene) -> None:
    line = MavlinkLink.open(scene.wires.companion_uri, MonotonicClock())
    hold = mavlink.MAVLink_set_position_target_global_int_message(0, 1, 1, 6, 3576, 1, 1, 60.0, *[0.0] * 8)
    said = bytes(hold.pack(mavlink.MAVLink(None, srcSystem=1, srcComponent=191)))
    scene.daemon.last_words = lambda: line.write(said)
    scene.flight.close_daemon()
    line.close()
    assert scene.daemon.ended == [signal.SIGTERM]
    assert [command.name for command in scene.flight.referee.commands] == ["SET_POSITION_TARGET_GLOBAL_INT"]


def test_another_camera_is_looked_through_and_a_lens_covered(scene: Scene) -> None:
    scene.camera.covered = True
    scene.flight.cover_camera(False)
    assert not scene.camera.covered
    scene.flight.cover_camera(True)
    scene.camera.look_through(cast(SimulatedCamera, GreyCamera()))
    assert scene.camera.covered, "what is before the lens stays there"


def test_the_pilot_tilts_towards_the_place_whichever_way_the_nose_points(scene: Scene) -> None:
    pilot = scene.flight.station  # the nose points north
    ahead, right = sticks_towards((100.0, 0.0), (0.0, 0.0), pilot, 10.0), sticks_towards((0.0, 90.0), HOME, pilot, 1.0)
    assert ahead.pitch == pytest.approx(-1.0, abs=0.05) and abs(ahead.roll) < 0.1, "nose down is forward"
    assert right.roll > 0.5
    there = sticks_towards(HOME, HOME, pilot, 5.0)
    assert abs(there.pitch) < 0.1 and abs(there.roll) < 0.1
