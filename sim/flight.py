"""One simulated flight: a world seen by a camera, an autopilot on its links, and a daemon between the two.

Time advances in fixed steps. Everything that the daemon is given passes through here: MAVLink bytes, frames with their
stamps, ticks, and requests of the operator. The truth stays on this side.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
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
from sim.scenario.pace import AsFastAsPossible, Pace
from sim.scenario.plan import Point
from sim.scenario.referee import Referee
from sim.scenario.station import GroundStation
from sim.scenario.stepped import Stepped

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
    """The camera on the vehicle: when it exposes, what it sees, and when the frame is there.

    Pictures are rendered in a thread of their own, one after the other, while the flight goes on to where they arrive.
    """

    def __init__(self, camera: SimulatedCamera, seed: int) -> None:
        self._camera = camera
        self._rng = np.random.default_rng([seed, 31])
        self._noise_rng = np.random.default_rng([seed, 37])  # drawn from in the camera's thread
        self._index = 0
        self._arriving: list[tuple[int, int, Future[ImageRGB]]] = []
        self._aside = ThreadPoolExecutor(1, "camera")
        self._next_ns = 0
        self.period_ns = 1_000_000_000
        self.covered = False  # something is before the lens

    def expose(self, truth: VehicleTruth, home: Point) -> None:
        """Take a picture if one is due; none is wasted on the ground."""
        if truth.t_ns < self._next_ns or -truth.position_ned_m[2] < 5.0:
            return
        self._next_ns = truth.t_ns + self.period_ns
        image = self._aside.submit(self._dark) if self.covered else self._aside.submit(self.image_at, truth, home)
        heapq.heappush(self._arriving, (truth.t_ns + int(self.delay_s() * 1e9), self._index, image))
        self._index += 1

    def seen(self, truth: VehicleTruth, home: Point) -> ImageRGB:
        """What is below, or nothing but noise under a covered lens."""
        return self._dark() if self.covered else self.image_at(truth, home)

    def image_at(self, truth: VehicleTruth, home: Point) -> ImageRGB:
        """(480, 640, 3) uint8 RGB of what is really below."""
        north, east, down = truth.position_ned_m
        position = (home[0] + north, home[1] + east, down)
        return self._camera.capture(position, truth.ned_from_body, truth.velocity_ned_m_s, truth.body_rates_rad_s)

    def view(self, truth: VehicleTruth, home: Point) -> ImageRGB:
        """`image_at`, after the pictures that are being rendered: chance is drawn in one order."""
        return self._aside.submit(self.image_at, truth, home).result()

    def _dark(self) -> ImageRGB:
        """What a covered lens gives: the sensor's noise."""
        model = self._camera.model
        noise = self._noise_rng.normal(2.0, 1.5, (model.height_px, model.width_px, 3))
        return np.asarray(np.clip(noise, 0.0, 255.0), np.uint8)

    def delay_s(self) -> float:
        """The next frame's delay from exposure to arrival."""
        return delay_s(self._rng)

    def arrived(self, t_ns: int) -> list[Frame]:
        """The frames that are there by now, each stamped on arrival as a camera without a hardware clock is."""
        frames = []
        while self._arriving and self._arriving[0][0] <= t_ns:
            arrival_ns, index, image = heapq.heappop(self._arriving)
            frames.append(Frame(image.result(), arrival_ns, "simulated camera", index))
        return frames


class SimulatedFlight(Stepped):
    """A `Flight` on the simulated clock: steps everybody; keeps the true track and the log of commands."""

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
        super().__init__(home)
        self.autopilot = autopilot
        self.rig = rig
        self.station = GroundStation()
        self.referee = Referee(feeds)
        self._t_ns = autopilot.t_ns
        self.wire = bytearray()  # every byte the companion sent, with nothing in between: equal seeds, equal bytes
        self._pace = pace or AsFastAsPossible()
        self._tick_due_ns = self._t_ns  # ticks come as often as in flight, on the next step
        self._make_companion = make_companion
        self._companion = make_companion()

    @property
    def t_ns(self) -> int:
        """Simulated time."""
        return self._t_ns

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

    def drag_gps(self, north_m_s: float, east_m_s: float) -> None:
        """Somebody forges the receiver's signals and drags it away at this velocity."""
        self.autopilot.drag_gps(north_m_s, east_m_s)

    def step_gps(self, north_m: float, east_m: float) -> None:
        """The receiver's position leaps by so much."""
        self.autopilot.step_gps(north_m, east_m)

    @property
    def gps_offset_ne_m(self) -> Point:
        """How far off the truth the receiver is put now."""
        return self.autopilot.gps_offset_ne_m

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
        return self.rig.view(self.autopilot.truth, self._home)

    def step(self) -> None:
        """One step of 20 ms: the vehicle, the ground station, the camera, then the daemon with what has come for it."""
        self._t_ns += STEP_NS
        self.autopilot.receive(self.station.outgoing(self.t_ns), STATION_LINK)
        self.autopilot.advance(self.t_ns)
        self.station.receive(self.autopilot.transmit(STATION_LINK))
        truth = self.autopilot.truth
        self.track.append(self._located(truth))
        self.rig.expose(truth, self._home)
        for event in self._events():
            self._to_vehicle(self._companion.daemon.step(event))
        self._pace.after_step(self.autopilot)

    def close_daemon(self) -> None:
        """End the daemon as a service manager would; its last words go to the vehicle."""
        self._to_vehicle(self._companion.daemon.close(self.t_ns))

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

    def _put(self, request: Answer, answer: Callable[[Answer], None]) -> None:
        self._to_vehicle(self._companion.daemon.step(ControlRequest(self.t_ns, request, answer)))
