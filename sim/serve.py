"""A simulated drone in real time: MAVLink endpoints and a camera stream, for `homing run` as a process of its own."""

from __future__ import annotations

import signal
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Protocol

import tomlkit

from runtime.embedder.backends import order_here
from runtime.values import Frame, ImageRGB
from sim.autopilot.config import VehicleTruth
from sim.autopilot.server import AutopilotServer
from sim.camera import SimulatedCamera, default_camera
from sim.flight import CameraRig
from sim.render import renderer_of
from sim.satellite import write_geotiff
from sim.scenario.plan import Point, make_plan
from sim.scenario.setup import camera_section, commanding_section, make_autopilot, side_ne_m
from sim.stream import FrameStream
from sim.world.world import AnyWorld
from sim.world_cache import WorldCache

SATELLITE_GSD_M = 0.3


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """``mavlink``: endpoints, the companion's first; ``airborne_m``: begin hovering there."""

    out: Path
    mavlink: tuple[str, ...]
    camera_port: int
    fps: float
    airborne_m: float


class TrueVehicle(Protocol):
    """Something that knows where the vehicle really is."""

    @property
    def truth(self) -> VehicleTruth:
        """Now."""


class LiveCamera:
    """Exposes at the vehicle's present pose and publishes each frame after the camera's delay."""

    def __init__(self, camera: SimulatedCamera, vehicle: TrueVehicle, stream: FrameStream, home: Point) -> None:
        self._rig = CameraRig(camera, seed=0)
        self._vehicle, self._stream, self._home = vehicle, stream, home
        self.period_s = 1.0
        self.view: ImageRGB | None = None  # the last picture

    def look_through(self, camera: SimulatedCamera) -> None:
        """From the next frame on, another camera: another date, or other faults."""
        covered, self._rig = self._rig.covered, CameraRig(camera, seed=0)
        self._rig.covered = covered

    @property
    def covered(self) -> bool:
        """Whether something is before the lens."""
        return self._rig.covered

    @covered.setter
    def covered(self, covered: bool) -> None:
        self._rig.covered = covered

    def run(self, stop: threading.Event) -> None:
        """Until ``stop``; a frame that takes longer to render than the period puts the next one off."""
        arriving: deque[Frame] = deque()
        due_ns, index = time.monotonic_ns(), 0
        while not stop.is_set():
            now_ns = time.monotonic_ns()
            if arriving and arriving[0].t_ns <= now_ns:
                self._stream.publish(arriving.popleft())
            elif due_ns <= now_ns:
                arriving.append(self._exposed(now_ns, index))
                index += 1
                due_ns = max(due_ns + int(self.period_s * 1e9), time.monotonic_ns())
            else:
                next_ns = min([due_ns, *(frame.t_ns for frame in arriving)])
                stop.wait((next_ns - now_ns) * 1e-9)

    def _exposed(self, t_ns: int, index: int) -> Frame:
        """The frame exposed now, stamped with its arrival: after a camera's delay, however long the rendering takes."""
        rig = self._rig
        image = self.view = rig.seen(self._vehicle.truth, self._home)
        return Frame(image, t_ns + int(rig.delay_s() * 1e9), "simulated camera", index)


def run_server(world: AnyWorld, seed: int, options: ServeOptions, tell: Callable[[dict[str, object]], None]) -> None:
    """Serve until SIGINT or SIGTERM.

    Raises:
        UsageError: an endpoint or the camera's port cannot be opened.
        StorageError: the output folder cannot be written.
    """
    plan = make_plan(seed, side_ne_m(world))
    autopilot = make_autopilot(world, plan.home, seed, ready_at_boot=options.airborne_m > 0)
    if options.airborne_m > 0:
        autopilot.start_in_flight((0.0, 0.0, -options.airborne_m), "LOITER")
    camera = SimulatedCamera(renderer_of(world, "flight", WorldCache.default()), default_camera(), seed)
    stop = threading.Event()
    stream = FrameStream(options.camera_port)
    try:
        with AutopilotServer(autopilot, options.mavlink) as server:
            tell(_endpoints(world, options, server, stream))
            _stop_on_signals(stop)
            live = LiveCamera(camera, server, stream, plan.home)
            live.period_s = 1.0 / options.fps
            live.run(stop)
    finally:
        stream.close()


def _stop_on_signals(stop: threading.Event) -> None:
    def handler(number: int, frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGINT, handler)
    signal.signal(signal.SIGTERM, handler)


def _endpoints(
    world: AnyWorld, options: ServeOptions, server: AutopilotServer, stream: FrameStream
) -> dict[str, object]:
    """Write what a user needs to fly this drone, and say where everything is."""
    options.out.mkdir(parents=True, exist_ok=True)
    satellite = options.out / "satellite.tif"
    write_geotiff(world, satellite, SATELLITE_GSD_M)
    host, port = server.addresses[0]
    kind = "tcp" if options.mavlink[0].startswith("tcp") else "udpin"
    vehicle = f"{kind}:{host}:{port}"
    config = options.out / "homing.toml"
    config.write_text(tomlkit.dumps(_configuration(world, stream.url, vehicle)), encoding="utf-8")
    return {
        "camera": stream.url,
        "vehicle": vehicle,
        "station": options.mavlink[1] if len(options.mavlink) > 1 else None,
        "satellite": str(satellite),
        "config": str(config),
    }


def _configuration(world: AnyWorld, camera: str, vehicle: str) -> dict[str, object]:
    return {
        "camera": {"uri": camera, **camera_section(default_camera())},
        "vehicle": {"uri": vehicle},
        "bundle": {"backends": list(order_here())},
        "history": {"path": "history.db"},
        "record": {"enabled": True},
        "commanding": commanding_section(world),
        "control": {"socket": "control.sock"},
        "log": {"directory": "logs"},
    }
