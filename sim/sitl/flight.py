"""A `Flight` with a real autopilot: its two MAVLink lines, our camera at its true pose, `homing run` between.

Every byte between the daemon and the autopilot passes through here, and the referee reads it. The ground station has
the other line to itself, as a pilot's telemetry radio has: what it commands, the daemon can only learn from the
autopilot. Wall time throughout; one thread passes bytes on, one renders, the caller's plays the people.
"""

from __future__ import annotations

import math
import shutil
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from runtime.clock import MonotonicClock
from runtime.rotations import euler_of
from runtime.values import ImageRGB
from sim.autopilot.gps import Forgery
from sim.scenario.aircraft import Answer, NotFlownError, Truth
from sim.scenario.crew import until
from sim.scenario.plan import Point
from sim.scenario.referee import Referee
from sim.scenario.stepped import Stepped
from sim.serve import LiveCamera
from sim.sitl.daemon_process import DaemonProcess
from sim.sitl.firmware import CENTRED, Sticks
from sim.sitl.pilot import Pilot
from sim.sitl.wires import Wires

_STEP_S = 0.02
_CAMERA_LIMIT_S = 2.0  # a stream that stops for three seconds is a broken one
_START_LIMIT_S = 60.0
_FORGED_NS = 200_000_000  # between two steps of a drag: a receiver's own period
_GPS_BACK_S = 5.0  # a fix, and some seconds of it
_HAND_SPEED_M_S = 9.0  # what a pilot flies by hand, at the tilt that he may have
_HAND_GAIN = 0.15  # of the stick's way for each m/s that is missing


class SitlFlight(Stepped):
    """The `Flight` of one daemon; what time it is, everybody's own clock says."""

    answer_limit_s = 120.0  # a target is looked for in real time, on whatever computer this is

    def __init__(self, wires: Wires, camera: LiveCamera, daemon: DaemonProcess, home: Point) -> None:
        super().__init__(home)
        self._pilot = wires.pilot
        dialect = wires.pilot.dialect
        self._referee = Referee(feeds=True, idles=dialect.idles, dialect=dialect)
        self._wires, self._camera, self._daemon = wires, camera, daemon
        self._clock = MonotonicClock()
        self._forgery, self._dragged_ns = Forgery(), 0
        wires.passed.clear()
        wires.pilot.truths.clear()

    @property
    def t_ns(self) -> int:
        return self._clock.now_ns()

    @property
    def station(self) -> Pilot:
        return self._pilot

    @property
    def referee(self) -> Referee:
        return self._referee

    @property
    def armed(self) -> bool:
        return self._pilot.armed

    def pilot_set_mode(self, name: str) -> None:
        self._pilot.set_mode(name)

    def expose_every(self, period_ns: int) -> None:
        self._camera.period_s = min(period_ns * 1e-9, _CAMERA_LIMIT_S)

    def cut_gps(self) -> None:
        self._pilot.lose_gps(True)

    def drag_gps(self, north_m_s: float, east_m_s: float) -> None:
        self._dragged_ns = self.t_ns
        self._forgery.drag(north_m_s, east_m_s)

    def step_gps(self, north_m: float, east_m: float) -> None:
        self._forgery.n += north_m
        self._forgery.e += east_m
        self._forge()

    @property
    def gps_offset_ne_m(self) -> Point:
        return self._forgery.n, self._forgery.e

    def honest_gps(self) -> None:
        """Nobody forges anything any more."""
        self._forgery = Forgery()
        self._forge()

    def cover_camera(self, covered: bool) -> None:
        self._camera.covered = covered

    def carry_to(self, place: Point, seconds: float) -> None:
        """The pilot flies it there by hand, as far as he gets; the mode must be one that leaves the tilt to him."""
        end_ns = self.t_ns + int(seconds * 1e9)
        while (left_s := (end_ns - self.t_ns) * 1e-9) > 0:
            self._pilot.sticks = sticks_towards(place, self._located(self._pilot.truth).ground, self._pilot, left_s)
            self.step()
        self._pilot.sticks = CENTRED

    def view(self) -> ImageRGB:
        assert self._camera.view is not None
        return self._camera.view

    def truth_now(self) -> Truth:
        return self._located(self._pilot.truth)

    def step(self) -> None:
        """Let the referee read what has passed, keep the track, and go on with a forgery."""
        time.sleep(_STEP_S)
        while self._wires.passed:
            way, data, t_ns = self._wires.passed.popleft()
            (self._referee.companion_heard if way == "heard" else self._referee.companion_sent)(data, t_ns)
        while self._pilot.truths:
            self.track.append(self._located(self._pilot.truths.popleft()))
        dt_ns = self.t_ns - self._dragged_ns
        if self._forgery.drags and dt_ns >= _FORGED_NS:
            self._dragged_ns += dt_ns
            self._forgery.step(dt_ns * 1e-9)
            self._forge()

    def start_daemon(self) -> None:
        """Start it and wait until it hears the vehicle.

        Raises:
            NotFlownError: it does not; the message has what it says of itself.
        """
        self._daemon.start()
        connected = until(lambda: bool(self.ask({"command": "status"}).get("vehicle", {}).get("connected")))
        if not self.run(connected, _START_LIMIT_S):
            raise NotFlownError(f"the daemon does not hear the vehicle: {self.ask({'command': 'status'})}")

    def restart_daemon(self) -> None:
        self._daemon.end(signal.SIGKILL)
        self.step()
        self._referee.companion_restarted()
        self.start_daemon()

    def close_daemon(self) -> None:
        """End it as a service manager would; its last words are counted too."""
        self._daemon.end(signal.SIGTERM)
        self.fly(0.5)

    def _forge(self) -> None:
        forgery = self._forgery
        self._pilot.forge_gps((forgery.n, forgery.e), (forgery.vn, forgery.ve))

    def _put(self, request: Answer, answer: Callable[[Answer], None]) -> None:
        def ask() -> None:
            answer(self._daemon.ask(request, self.answer_limit_s))

        threading.Thread(target=ask, name="operator", daemon=True).start()


@dataclass(slots=True)
class SitlRun:
    """A `Run`: one daemon and its flight."""

    flight: SitlFlight
    daemon: DaemonProcess
    kept: Path  # where the logs go: the first under this name, those of later starts with a number
    log_paths: tuple[Path, ...] = ()

    @property
    def log_path(self) -> Path:
        """Of the first daemon, whose flight it is."""
        return self.kept

    def close(self) -> None:
        """End the daemon as a service manager would. An autopilot that is no longer fed lands: the pilot has taken the
        vehicle back before, and given it its GPS."""
        flight, station = self.flight, self.flight.station
        station.set_mode("LOITER")
        flight.honest_gps()
        station.lose_gps(False)
        flight.fly(_GPS_BACK_S)
        station.fly_by_gps()
        flight.fly(1.0)
        flight.close_daemon()
        self.keep_logs()

    def keep_logs(self) -> None:
        """Copy the log of each start of the daemon to where the scenario reads it."""
        self.kept.parent.mkdir(parents=True, exist_ok=True)
        kept = []
        for number, log in enumerate(self.daemon.logs, start=1):
            kept.append(self.kept if number == 1 else self.kept.with_stem(f"{self.kept.stem}-{number}"))
            shutil.copyfile(log, kept[-1])
        self.log_paths = tuple(kept)


def sticks_towards(place: Point, here: Point, pilot: Pilot, left_s: float) -> Sticks:
    """The sticks of a pilot who flies ``here`` to ``place`` within ``left_s`` seconds, by tilting."""
    truth = pilot.truth
    north, east = (place[0] - here[0]) / left_s, (place[1] - here[1]) / left_s
    fast = max(1.0, math.hypot(north, east) / _HAND_SPEED_M_S)
    missing_n, missing_e = north / fast - truth.velocity_ned_m_s[0], east / fast - truth.velocity_ned_m_s[1]
    _, _, yaw = euler_of(truth.ned_from_body)
    forward = missing_n * math.cos(yaw) + missing_e * math.sin(yaw)
    right = missing_e * math.cos(yaw) - missing_n * math.sin(yaw)
    centred = (max(-1.0, min(1.0, _HAND_GAIN * share)) for share in (right, -forward))
    return replace(CENTRED, **dict(zip(("roll", "pitch"), centred, strict=True)))
