"""A `Flight` with somebody else's autopilot: its two MAVLink ports, our camera at its true pose, `homing run` between.

Every byte between the daemon and the autopilot passes through here, and the referee reads it. The ground station has
the other port to itself, as a pilot's telemetry radio has: what it commands, the daemon can only learn from the
autopilot. Wall time throughout; one thread passes bytes on, one renders, the caller's plays the people.
"""

from __future__ import annotations

import itertools
import math
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import tomlkit
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from runtime.clock import Clock, MonotonicClock
from runtime.control.client import ask
from runtime.errors import ControlError, VehicleError
from runtime.geodesy import distance_m, north_east_m, offset
from runtime.values import GeoPoint, ImageRGB
from runtime.vehicle.link import MavlinkLink
from runtime.vehicle.poses import quaternion_from_euler, rotate_by_rates
from sim.autopilot.config import VehicleTruth
from sim.autopilot.endpoints import open_endpoint
from sim.camera import SimulatedCamera, default_camera
from sim.scenario.aircraft import Answer, Truth
from sim.scenario.crew import MODES, GroundStation, Script, until
from sim.scenario.plan import HEIGHT_M, Point
from sim.scenario.referee import Referee
from sim.scenario.setup import Site, daemon_sections
from sim.serve import LiveCamera
from sim.stream import FrameStream

_STEP_S = 0.02
_POLL_S = 0.002  # of the relay: what it adds to a round trip
_STICKS_NS = 500_000_000  # an override lasts three seconds
_TRUTH_HZ = 50
_CAMERA_LIMIT_S = 2.0  # a stream that stops for three seconds is a broken one
_FAR_SIDE_LIMIT_S = 300.0
_START_LIMIT_S = 60.0
_PORT_TRIES = 5  # a second apart


@dataclass(frozen=True, slots=True)
class Home:
    """Where the vehicle stood when it was first heard."""

    position: GeoPoint
    altitude_amsl_m: float


class Pilot(GroundStation):
    """Ground station and pilot: told the truth by the autopilot's simulator, with the sticks at their centres.

    Left alone, the simulator's throttle stick lies at the bottom, which is a descent in LOITER. The thread of the links
    passes its bytes while the caller commands, so both take turns.
    """

    def __init__(self) -> None:
        super().__init__()
        self._turn = threading.RLock()
        self._sticks_due_ns = 0
        self._clock = MonotonicClock()
        self._said: VehicleTruth | None = None
        self.home: Home | None = None
        self.parameters: dict[str, float] = {}
        self.truths: deque[VehicleTruth] = deque()

    def ask_for_truth(self) -> None:
        """A stream of what the simulator knows."""
        self.command(mavlink.MAV_CMD_SET_MESSAGE_INTERVAL, mavlink.MAVLINK_MSG_ID_SIM_STATE, 1e6 / _TRUTH_HZ)

    def set_parameter(self, name: str, value: float) -> None:
        """The autopilot's answer shows in ``parameters``."""
        kind = mavlink.MAV_PARAM_TYPE_REAL32
        self._send(mavlink.MAVLink_param_set_message(1, 1, name.encode("ascii"), value, kind))

    def _on_param_value(self, m: Any) -> None:
        self.parameters[m.param_id] = m.param_value

    @property
    def truth(self) -> VehicleTruth:
        """What the simulator said last, carried on to now."""
        said = self._said
        assert said is not None
        dt_s = (self._clock.now_ns() - said.t_ns) * 1e-9
        (x, y, z), (u, v, w) = said.position_ned_m, said.velocity_ned_m_s
        turned = rotate_by_rates(said.ned_from_body, said.body_rates_rad_s, dt_s)
        moved = (x + u * dt_s, y + v * dt_s, z + w * dt_s)
        return replace(said, t_ns=self._clock.now_ns(), position_ned_m=moved, ned_from_body=turned)

    def receive(self, data: bytes) -> None:
        with self._turn:
            super().receive(data)

    def outgoing(self, t_ns: int) -> bytes:
        with self._turn:
            if t_ns >= self._sticks_due_ns:
                self._sticks_due_ns = t_ns + _STICKS_NS
                throttle = 1500 if self.armed else 1000  # "Throttle is not neutral" refuses to arm
                sticks = (1500, 1500, throttle, 1500)
                self._send(mavlink.MAVLink_rc_channels_override_message(1, 1, *sticks, *[0xFFFF] * 4))
            return super().outgoing(t_ns)

    def _send(self, message: Any) -> None:
        with self._turn:
            super()._send(message)

    def _on_sim_state(self, m: Any) -> None:
        place = GeoPoint(m.lat_int * 1e-7, m.lon_int * 1e-7)
        if self.home is None:
            self.home = Home(place, m.alt)
        north, east = north_east_m(self.home.position, place)
        self._said = VehicleTruth(
            self._clock.now_ns(),
            (north, east, self.home.altitude_amsl_m - m.alt),
            (m.vn, m.ve, m.vd),
            quaternion_from_euler(m.roll, m.pitch, m.yaw),
            (m.xgyro, m.ygyro, m.zgyro),
        )
        self.truths.append(self._said)


class Wires:
    """The autopilot's two ports, and the daemon's on ours; what passes is kept for the referee."""

    def __init__(self, endpoint: str, station: str) -> None:
        clock = MonotonicClock()
        self._autopilot = MavlinkLink.open(endpoint, clock)
        self._radio = _opened(station, clock)
        numbers = itertools.count()
        self._companion = open_endpoint("tcpin:127.0.0.1:0", lambda: next(numbers))
        self._clock = clock
        self.pilot = Pilot()
        self.passed: deque[tuple[str, bytes, int]] = deque()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="wires", daemon=True)
        self._thread.start()

    @property
    def companion_uri(self) -> str:
        """Where `homing run` finds its vehicle."""
        return "tcp:{}:{}".format(*self._companion.address)

    def close(self) -> None:
        """Let all lines go."""
        self._stop.set()
        self._thread.join()
        for line in (self._autopilot, self._radio, self._companion):
            line.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._autopilot.wait(_POLL_S)
            for data, t_ns in self._autopilot.read():
                links = self._companion.links()
                if links:
                    self.passed.append(("heard", data, t_ns))
                    self._companion.write(links[-1], data)
            for _, data in self._companion.read():
                self.passed.append(("sent", data, self._clock.now_ns()))
                self._autopilot.write(data)
            for data, _ in self._radio.read():
                self.pilot.receive(data)
            self._radio.write(self.pilot.outgoing(self._clock.now_ns()))


def _opened(uri: str, clock: Clock) -> MavlinkLink:
    """ArduPilot's simulator opens its other ports once the first has a peer."""
    for _ in range(_PORT_TRIES):
        try:
            return MavlinkLink.open(uri, clock)
        except VehicleError:
            time.sleep(1.0)
    return MavlinkLink.open(uri, clock)


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
        self.referee = Referee()
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
        """End the daemon as a service manager would; its first log is the flight's."""
        self.daemon.end(signal.SIGTERM)
        self.flight.fly(0.5)
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self.daemon.logs[0], self.log_path)


class Airfield:
    """Launches every run of a scenario with the one vehicle that is there; a context."""

    def __init__(self, wires: Wires, site: Site) -> None:
        self._wires = wires
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

    def launch(self, site: Site, name: str, record: bool, airborne: Point | None = None) -> SitlRun:
        """See `sim.scenario.return_home.Launcher`."""
        sections = daemon_sections(site, record, camera=self._stream.url, vehicle=self._wires.companion_uri)
        daemon = DaemonProcess(site.out / name, sections)
        flight = SitlFlight(self._wires, self._camera, daemon, site.plan.home)
        if airborne is not None:
            script = _fly_to(flight.station, offset(site.world.origin, *airborne))
            if not flight.run(script, _FAR_SIDE_LIMIT_S):
                raise RuntimeError(f"the pilot did not reach the far side: {flight.station.texts[-3:]}")
        flight.start_daemon()
        return SitlRun(flight, daemon, site.out / "logs" / f"{name}.mcap")


def _fly_to(station: Pilot, place: GeoPoint) -> Script:
    """The pilot's own flight between two runs; no daemon is there to see it."""
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
    station.set_mode("LOITER")
    yield from until(lambda: station.mode == MODES["LOITER"])
