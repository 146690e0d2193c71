"""A `Flight` with somebody else's autopilot: its two MAVLink ports, our camera at its true pose, `homing run` between.

Every byte between the daemon and the autopilot passes through here, and the referee reads it. The ground station has
the other port to itself, as a pilot's telemetry radio has: what it commands, the daemon can only learn from the
autopilot. Wall time throughout; one thread passes bytes on, one renders, the caller's plays the people.
"""

from __future__ import annotations

import copy
import math
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import tomlkit

from runtime.clock import MonotonicClock
from runtime.control.client import ask
from runtime.errors import ControlError
from runtime.geodesy import distance_m, offset
from runtime.values import GeoPoint, ImageRGB
from sim.autopilot.config import VehicleTruth
from sim.camera import SimulatedCamera, default_camera
from sim.scenario.aircraft import Answer, Truth
from sim.scenario.conditions import Conditions
from sim.scenario.crew import MODES, READY_FLAGS, Script, until
from sim.scenario.plan import HEIGHT_M, Point
from sim.scenario.referee import Referee
from sim.scenario.setup import Site, daemon_sections
from sim.serve import LiveCamera
from sim.stream import FrameStream
from tests.bench.sitl_links import Pilot, Wires

_STEP_S = 0.02
_CAMERA_LIMIT_S = 2.0  # a stream that stops for three seconds is a broken one
_FAR_SIDE_LIMIT_S = 300.0
_START_LIMIT_S = 60.0
_GPS_BACK_S = 5.0  # a fix, and some seconds of it


class DaemonProcess:
    """`homing run` as on the drone."""

    def __init__(self, folder: Path, sections: dict[str, Any]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        for old in (folder / "logs").glob("*"):  # of an earlier run
            old.unlink()
        self.socket = folder / "control.sock"
        self.config = folder / "homing.toml"
        own = {"control": {"socket": str(self.socket.resolve())}, "log": {"directory": str(folder.resolve() / "logs")}}
        self.config.write_text(tomlkit.dumps({**sections, **own}), encoding="utf-8")

    @property
    def logs(self) -> list[Path]:
        """Its flight logs, oldest first: one for each start."""
        return sorted((self._folder / "logs").glob("*.mcap"), key=lambda path: path.stat().st_mtime)

    def start(self) -> None:
        """Start it; it answers some seconds later."""
        command = [sys.executable, "-m", "runtime.cli.main", "run", "--config", str(self.config)]
        with (self._folder / "run.log").open("a") as console:
            self._process = subprocess.Popen(command, stderr=console, env={**os.environ, "HOMING_LOG": "INFO"})

    def end(self, number: int) -> None:
        """End it with SIGTERM, as a service manager does, or SIGKILL, as a power cut does."""
        self._process.send_signal(number)
        self._process.wait(timeout=30)

    def ask(self, request: Answer, timeout_s: float = 60.0) -> Answer:
        """Its answer; a refusal, or nobody there, is an answer with ``error``."""
        try:
            return ask(self.socket, request, timeout_s)
        except ControlError as error:
            return {"error": str(error)}


class SitlFlight:
    """The `Flight` of one daemon; what time it is, everybody's own clock says."""

    def __init__(self, wires: Wires, camera: LiveCamera, daemon: DaemonProcess, home: Point) -> None:
        self.station = wires.pilot
        self.referee = Referee(feeds=True)
        self.track: list[Truth] = []
        self._wires, self._camera, self._daemon, self._home = wires, camera, daemon, home
        self._clock = MonotonicClock()
        wires.passed.clear()
        wires.pilot.truths.clear()

    @property
    def t_ns(self) -> int:
        return self._clock.now_ns()

    @property
    def armed(self) -> bool:
        return self.station.armed

    def pilot_set_mode(self, name: str) -> None:
        self.station.set_mode(name)

    def expose_every(self, period_ns: int) -> None:
        self._camera.period_s = min(period_ns * 1e-9, _CAMERA_LIMIT_S)

    def cut_gps(self) -> None:
        self.station.lose_gps(True)

    def view(self) -> ImageRGB:
        assert self._camera.view is not None
        return self._camera.view

    def truth_now(self) -> Truth:
        return self._located(self.station.truth)

    def run(self, script: Script, max_s: float) -> bool:
        end_s = time.monotonic() + max_s
        while time.monotonic() < end_s:
            try:
                next(script)
            except StopIteration:
                return True
            self.step()
        return False

    def fly(self, seconds: float) -> None:
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            self.step()

    def step(self) -> None:
        """Let the referee read what has passed, and keep the track."""
        time.sleep(_STEP_S)
        while self._wires.passed:
            way, data, t_ns = self._wires.passed.popleft()
            (self.referee.companion_heard if way == "heard" else self.referee.companion_sent)(data, t_ns)
        while self.station.truths:
            self.track.append(self._located(self.station.truths.popleft()))

    def ask(self, request: Answer, max_s: float = 30.0) -> Answer:
        with ThreadPoolExecutor(1) as asking:
            answer = asking.submit(self._daemon.ask, request, max_s)
            while not answer.done():
                self.step()
            return answer.result()

    def start_daemon(self) -> None:
        """Start it and wait until it hears the vehicle."""
        self._daemon.start()
        connected = until(lambda: bool(self.ask({"command": "status"}).get("vehicle", {}).get("connected")))
        if not self.run(connected, _START_LIMIT_S):
            raise RuntimeError(f"the daemon does not hear the vehicle: {self.ask({'command': 'status'})}")

    def restart_daemon(self) -> None:
        self._daemon.end(signal.SIGKILL)
        self.step()
        self.referee.companion_restarted()
        self.start_daemon()

    def _located(self, truth: VehicleTruth) -> Truth:
        north, east, down = truth.position_ned_m
        return Truth(truth.t_ns, (self._home[0] + north, self._home[1] + east), -down)


@dataclass(slots=True)
class SitlRun:
    """A `Run`: one daemon and its flight."""

    flight: SitlFlight
    daemon: DaemonProcess
    log_path: Path

    def close(self) -> None:
        """End the daemon as a service manager would; its first log is the flight's. An autopilot that is no longer fed
        lands: the pilot has taken the vehicle back before, and given it its GPS."""
        station = self.flight.station
        station.set_mode("LOITER")
        station.lose_gps(False)
        self.flight.fly(_GPS_BACK_S)
        station.use_sources(1)
        self.flight.fly(1.0)
        self.daemon.end(signal.SIGTERM)
        self.flight.fly(0.5)
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self.daemon.logs[0], self.log_path)


class Airfield:
    """Launches every run of a scenario with the one vehicle that is there; a context.

    Every daemon may feed the autopilot, for one that expects to be fed arms only while it hears something.
    """

    def __init__(self, wires: Wires, site: Site, conditions: Conditions = Conditions()) -> None:  # noqa: B008
        self._wires = wires
        self._conditions = conditions
        self._stream = FrameStream()
        camera = SimulatedCamera(site.renderer, default_camera(), site.seed)
        self._camera = LiveCamera(camera, wires.pilot, self._stream, site.plan.home)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._camera.run, args=(self._stop,), name="camera", daemon=True)

    def __enter__(self) -> Airfield:
        self._thread.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._stop.set()
        self._thread.join()
        self._stream.close()

    def meeting(self, conditions: Conditions) -> Airfield:
        """The same under other conditions; of them, whether there is a receiver."""
        other = copy.copy(self)
        other._conditions = conditions
        return other

    def launch(self, site: Site, name: str, record: bool, airborne: Point | None = None) -> SitlRun:
        """See `sim.scenario.aircraft.Launcher`."""
        met = replace(self._conditions, receiver=True, fed=True)  # set up for a GPS with the camera behind it
        sections = daemon_sections(site, record, self._stream.url, self._wires.companion_uri, met)
        daemon = DaemonProcess(site.out / name, sections)
        flight = SitlFlight(self._wires, self._camera, daemon, site.plan.home)
        flight.station.lose_gps(False)
        flight.station.use_sources(1)
        if airborne is not None:
            script = _fly_to(flight.station, offset(site.world.origin, *airborne), self._conditions.receiver)
            if not flight.run(script, _FAR_SIDE_LIMIT_S):
                raise RuntimeError(f"the pilot did not reach the far side: {flight.station.texts[-3:]}")
        flight.start_daemon()
        return SitlRun(flight, daemon, site.out / "logs" / f"{name}.mcap")


def _fly_to(station: Pilot, place: GeoPoint, receiver: bool) -> Script:
    """The pilot's own flight between two runs; no daemon is there to see it. Without a ``receiver`` GPS is cut in the
    end, in a mode that needs no position, and the autopilot is left until it has none."""
    home = station.home
    assert home is not None

    def there() -> bool:
        truth = station.truth
        here = offset(home.position, *truth.position_ned_m[:2])
        return distance_m(here, place) < 2.0 and math.hypot(*truth.velocity_ned_m_s) < 0.5

    station.set_mode("GUIDED")
    yield from until(lambda: station.mode == MODES["GUIDED"])
    station.go_to(place, HEIGHT_M)
    yield from until(there)
    mode = "LOITER" if receiver else "ALT_HOLD"
    station.set_mode(mode)
    yield from until(lambda: station.mode == MODES[mode])
    if not receiver:
        station.lose_gps(True)
        yield from until(lambda: station.ekf_flags & READY_FLAGS != READY_FLAGS)
