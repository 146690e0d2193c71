"""One simulated flight: a world seen by a camera, an autopilot on its links, and a daemon between the two.

Time advances in fixed steps. Everything that the daemon is given passes through here: MAVLink bytes, frames with their
stamps, ticks, and requests of the operator. The truth stays on this side.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from runtime.daemon.run import TICK_NS
from runtime.events import ControlRequest, Event, FrameArrived, JobDone, LinkBytes, LinkData, Tick
from runtime.values import Frame, ImageRGB
from sim.autopilot.autopilot import Autopilot
from sim.autopilot.config import VehicleTruth
from sim.camera import SimulatedCamera, delay_s
from sim.scenario.aircraft import Answer, Truth
from sim.scenario.crew import GroundStation, Script
from sim.scenario.pace import AsFastAsPossible, Pace
from sim.scenario.plan import Point
from sim.scenario.referee import Referee

STEP_NS = 20_000_000
COMPANION_LINK, STATION_LINK = 0, 1


class StepsDaemon(Protocol):
    """The part of the daemon that time drives."""

    def step(self, event: Event) -> list[LinkBytes]: ...
    def close(self, t_ns: int) -> list[LinkBytes]: ...


@dataclass(frozen=True, slots=True)
class Companion:
    """A daemon, and what tells which of its jobs have finished by an instant."""

    daemon: StepsDaemon
    finished: Callable[[int], Sequence[JobDone]] = lambda t_ns: ()


class CameraRig:
    """The camera on the vehicle: when it exposes, what it sees, and when the frame is there."""

    def __init__(self, camera: SimulatedCamera, seed: int) -> None:
        self._camera = camera
        self._rng = np.random.default_rng([seed, 31])
        self._index = 0
        self._arriving: list[tuple[int, int, Frame]] = []
        self._next_ns = 0
        self.period_ns = 1_000_000_000
        self.covered = False  # something is before the lens

    def expose(self, truth: VehicleTruth, home: Point) -> None:
        """Take a picture if one is due; none is wasted on the ground."""
        if truth.t_ns < self._next_ns or -truth.position_ned_m[2] < 5.0:
            return
        self._next_ns = truth.t_ns + self.period_ns
        image = self._dark() if self.covered else self.image_at(truth, home)
        arrival_ns = truth.t_ns + int(self.delay_s() * 1e9)
        frame = Frame(image, arrival_ns, "simulated camera", self._index)
        heapq.heappush(self._arriving, (arrival_ns, self._index, frame))
        self._index += 1

    def image_at(self, truth: VehicleTruth, home: Point) -> ImageRGB:
        """(480, 640, 3) uint8 RGB of what is really below."""
        north, east, down = truth.position_ned_m
        position = (home[0] + north, home[1] + east, down)
        return self._camera.capture(position, truth.ned_from_body, truth.velocity_ned_m_s, truth.body_rates_rad_s)

    def _dark(self) -> ImageRGB:
        """What a covered lens gives: the sensor's noise."""
        model = self._camera.model
        noise = self._rng.normal(2.0, 1.5, (model.height_px, model.width_px, 3))
        return np.asarray(np.clip(noise, 0.0, 255.0), np.uint8)

    def delay_s(self) -> float:
        """The next frame's delay from exposure to arrival."""
        return delay_s(self._rng)

    def arrived(self, t_ns: int) -> list[Frame]:
        """The frames that are there by now, each stamped on arrival as a camera without a hardware clock is."""
        frames = []
        while self._arriving and self._arriving[0][0] <= t_ns:
            frames.append(heapq.heappop(self._arriving)[2])
        return frames


class SimulatedFlight:
    """Steps everybody; keeps the true track, the log of commands, and the operator's answers."""

    def __init__(
        self,
        autopilot: Autopilot,
        rig: CameraRig,
        home: Point,
        make_companion: Callable[[], Companion],
        pace: Pace | None = None,
        feeds: bool = False,
    ) -> None:
        """``feeds``: the companion is configured to feed the autopilot's estimator."""
        self.autopilot = autopilot
        self.rig = rig
        self.station = GroundStation()
        self.referee = Referee(feeds)
        self.t_ns = autopilot.t_ns
        self.track: list[Truth] = []
        self.wire = bytearray()  # every byte the companion sent, with nothing in between: equal seeds, equal bytes
        self._home = home
        self._pace = pace or AsFastAsPossible()
        self._tick_due_ns = self.t_ns  # ticks come as often as in flight, on the next step
        self._make_companion = make_companion
        self._companion = make_companion()

    @property
    def armed(self) -> bool:
        """Whether the motors turn."""
        return self.autopilot.armed

    def pilot_set_mode(self, name: str) -> None:
        """The switch of the pilot's own radio, which no MAVLink link carries."""
        self.autopilot.pilot_set_mode(name)

    def expose_every(self, period_ns: int) -> None:
        """How often the camera takes a picture."""
        self.rig.period_ns = period_ns

    def cut_gps(self) -> None:
        """The receiver hears nothing any more."""
        self.autopilot.set_parameter("SIM_GPS1_ENABLE", 0)

    def carry_to(self, place: Point, seconds: float) -> None:
        """Something carries the vehicle to a place, evenly, and nobody tells it."""
        steps = max(1, int(seconds * 1e9) // STEP_NS)
        for left in range(steps, 0, -1):
            north, east = self.truth_now().ground
            self.autopilot.carry((place[0] - north) / left, (place[1] - east) / left)
            self.step()

    def cover_camera(self, covered: bool) -> None:
        """Something is before the lens, or no more."""
        self.rig.covered = covered

    def view(self) -> ImageRGB:
        """What the camera sees now."""
        return self.rig.image_at(self.autopilot.truth, self._home)

    def run(self, script: Script, max_s: float) -> bool:
        """Fly until the script ends; False if it has not after ``max_s`` of simulated time."""
        end_ns = self.t_ns + int(max_s * 1e9)
        while self.t_ns < end_ns:
            try:
                next(script)
            except StopIteration:
                return True
            self.step()
        return False

    def fly(self, seconds: float) -> None:
        """Let time pass."""
        end_ns = self.t_ns + int(seconds * 1e9)
        while self.t_ns < end_ns:
            self.step()

    def step(self) -> None:
        """One step of 20 ms: the vehicle, the ground station, the camera, then the daemon with what has come for it."""
        self.t_ns += STEP_NS
        self.autopilot.receive(self.station.outgoing(self.t_ns), STATION_LINK)
        self.autopilot.advance(self.t_ns)
        self.station.receive(self.autopilot.transmit(STATION_LINK))
        truth = self.autopilot.truth
        self.track.append(self._located(truth))
        self.rig.expose(truth, self._home)
        for event in self._events():
            self._to_vehicle(self._companion.daemon.step(event))
        self._pace.after_step(self.autopilot)

    def ask(self, request: Answer, max_s: float = 30.0) -> Answer:
        """An operator's request; time passes until the daemon has answered."""
        answers: list[Answer] = []
        self._to_vehicle(self._companion.daemon.step(ControlRequest(self.t_ns, request, answers.append)))
        for _ in range(int(max_s * 1e9) // STEP_NS):
            if answers:
                return answers[0]
            self.step()
        raise TimeoutError(f"the daemon did not answer {request.get('command')} within {max_s:g} s.")

    def restart_daemon(self) -> None:
        """Kill the daemon as a power cut would, and start another in its place."""
        self.referee.companion_restarted()
        self._companion = self._make_companion()

    def truth_now(self) -> Truth:
        """Where the vehicle is."""
        return self._located(self.autopilot.truth)

    def _events(self) -> Sequence[Event]:
        events: list[Event] = []
        data = self.autopilot.transmit(COMPANION_LINK)
        if data:
            self.referee.companion_heard(data, self.t_ns)
            events.append(LinkData(self.t_ns, data))
        events += [FrameArrived(self.t_ns, frame) for frame in self.rig.arrived(self.t_ns)]
        events += self._companion.finished(self.t_ns)
        if self.t_ns >= self._tick_due_ns:
            self._tick_due_ns += TICK_NS
            events.append(Tick(self.t_ns))
        return events

    def _to_vehicle(self, out: Sequence[LinkBytes]) -> None:
        for _, data in out:
            self.referee.companion_sent(data, self.t_ns)
            self.autopilot.receive(data, COMPANION_LINK)
            self.wire += data

    def _located(self, truth: VehicleTruth) -> Truth:
        north, east, down = truth.position_ned_m
        return Truth(truth.t_ns, (self._home[0] + north, self._home[1] + east), -down)
