"""Hours of flight on the simulated clock: memory, threads and file handles that the daemon takes meanwhile.

    python -m tests.bench.soak [--hours H] [--warm-up-hours W] [--every-minutes M] [--frames all]

The built-in autopilot flies a square of 50 m again and again over a simulated town; the daemon, with its flight log on
the disk, its recorder and its status page with a viewer, gets every byte, a frame a second and 20 ticks a second, as
in flight. Frames are drawn once for each two metres and then taken from memory, so that what grows is not the renderer.
What the simulator alone keeps of a flight (its track, the bytes on the wire) is thrown away as it goes; the simulator
is in the same process, and whatever it should lose counts as the daemon's here.

`--frames all` keeps whole frames in the log too. Prints a line every M minutes of flight, and at the end the growth
since the warm-up. Ends with status 1 where memory grew by more than a hundredth of what it was,
where a thread or a file handle was left, or where the log lost a record or a frame.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import tempfile
import time
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import psutil
import tomlkit

from runtime.bundle import Bundle
from runtime.cli.status_page import status_page
from runtime.config.config import load_config
from runtime.daemon.assembly import assemble
from runtime.daemon.daemon import Daemon
from runtime.daemon.run import SHOW_NS, Inbox
from runtime.daemon.status import snapshot
from runtime.daemon.workers import InlineWorkers
from runtime.embedder.embedder import Embedder
from runtime.flightlog.flightlog import FlightLog
from runtime.geodesy import offset
from runtime.machine import give_large_blocks_back
from runtime.values import ImageRGB
from sim.autopilot.autopilot import Autopilot
from sim.autopilot.config import VehicleTruth
from sim.camera import SimulatedCamera, default_camera
from sim.flight import CameraRig, Companion, SimulatedFlight
from sim.latencies import SimulatedLatencies
from sim.render import Renderer
from sim.scenario.plan import Point
from sim.scenario.setup import SimulatedClock, camera_section, commanding_section, make_autopilot
from sim.world.world import World
from tests.bench.page import viewer
from tests.sim.served import free_port

SEED = 100_021
_HEIGHT_M, _SIDE_M = 100.0, 50.0
_LEG_S = 12.0  # for each side of the square
_GRID_M = 2.0  # frames within it are one
_PICTURES = 4000  # kept; a lap with its wind needs a hundred or two
_FORGET_EVERY_NS = 60 * 10**9


@dataclass(frozen=True, slots=True)
class Taken:
    """What a process has taken: ``own_mb`` of memory that is nobody else's too, and resident MB."""

    resident_mb: float
    own_mb: float
    threads: int
    handles: int


def taken() -> Taken:
    """By this process, now."""
    gc.collect()
    process = psutil.Process()
    memory = process.memory_full_info()
    return Taken(memory.rss / 2**20, memory.uss / 2**20, process.num_threads(), process.num_fds())


class KeptPictures(CameraRig):
    """A camera that has drawn most of what it sees before."""

    def __init__(self, camera: SimulatedCamera, seed: int) -> None:
        super().__init__(camera, seed)
        self._kept: OrderedDict[tuple[int, ...], bytes] = OrderedDict()
        self.drawn = 0

    def image_at(self, truth: VehicleTruth, home: Point) -> ImageRGB:
        """What was below when the vehicle was within two metres of here."""
        key = tuple(round(value / _GRID_M) for value in truth.position_ned_m)
        data = self._kept.get(key)
        if data is None:
            image = super().image_at(truth, home)
            data = cv2.imencode(".jpg", image[..., ::-1], (cv2.IMWRITE_JPEG_QUALITY, 95))[1].tobytes()
            self._kept[key] = data
            self.drawn += 1
            if len(self._kept) > _PICTURES:
                self._kept.popitem(last=False)
        return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1])


class Soak:
    """A flight without an end."""

    def __init__(self, folder: Path, frames: str, stack: ExitStack) -> None:
        world = World.generate(SEED)
        self.autopilot: Autopilot = make_autopilot(world, (0.0, 0.0), SEED, ready_at_boot=True)
        self.autopilot.start_in_flight((0.0, 0.0, -_HEIGHT_M), "GUIDED")
        self.rig = KeptPictures(SimulatedCamera(Renderer(world.scene("flight")), default_camera(), SEED), SEED)
        clock = SimulatedClock(self.autopilot)
        config = load_config(_configuration(folder, world))
        self.page = status_page(config, clock, lambda: None)
        stack.callback(self.page.close)
        self.log = FlightLog.open(config.log.directory, clock, frames=frames)  # type: ignore[arg-type]
        stack.callback(self.log.close)
        inbox = Inbox(clock)
        workers = InlineWorkers(SimulatedLatencies(SEED).draw_ns)
        embedder = Embedder(Bundle.load(), threads=1)
        assembly = assemble(config, workers, journal=self.page.watched(self.log), embedder=embedder, flight="soak")
        stack.callback(assembly.close)
        self.daemon: Daemon = assembly.daemon
        self.page.serve(assembly, self.log.mcap_path, False, inbox.control)
        self.flight = SimulatedFlight(
            self.autopilot, self.rig, (0.0, 0.0), lambda: Companion(self.daemon, workers.finished)
        )
        self.flight.expose_every(10**9)
        self._origin, self._leg_due_ns, self._leg, self._show_ns, self._forget_ns = world.origin, 0, 0, 0, 0

    def fly(self, seconds: float) -> None:
        """Some time of the flight."""
        end_ns = self.flight.t_ns + round(seconds * 1e9)
        while self.flight.t_ns < end_ns:
            self.flight.step()
            now_ns = self.flight.t_ns
            if now_ns >= self._leg_due_ns:
                self._leg_due_ns = now_ns + round(_LEG_S * 1e9)
                self._next_corner()
            if now_ns >= self._show_ns and self.page.show is not None:
                self._show_ns = now_ns + SHOW_NS
                self.page.show(snapshot(self.daemon, now_ns))
            if now_ns >= self._forget_ns:
                self._forget_ns = now_ns + _FORGET_EVERY_NS
                self.flight.track.clear()
                self.flight.wire.clear()
                self.flight.station.texts.clear()

    def _next_corner(self) -> None:
        self._leg = (self._leg + 1) % 4
        north, east = ((0, 0), (1, 0), (1, 1), (0, 1))[self._leg]
        there = offset(self._origin, north * _SIDE_M, east * _SIDE_M)
        self.flight.station.go_to(there, _HEIGHT_M)


def _configuration(folder: Path, world: World) -> Path:
    sections = {
        "camera": {"uri": "simulated", **camera_section(default_camera())},
        "vehicle": {"uri": "simulated"},
        "history": {"path": "history.db"},
        "record": {"enabled": True},
        "commanding": commanding_section(world),
        "control": {"socket": "control.sock"},
        "log": {"directory": "logs"},
        "page": {"enabled": True, "port": free_port(1), "control": True},
    }
    path = folder / "homing.toml"
    path.write_text(tomlkit.dumps(sections), encoding="utf-8")
    return path


def main(words: Sequence[str] | None = None) -> int:
    """Print the lines; 1 where something grew or was lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--warm-up-hours", type=float, default=0.5)
    parser.add_argument("--every-minutes", type=float, default=15.0)
    parser.add_argument("--frames", choices=("pictures", "all"), default="pictures")
    parser.add_argument("--out", type=Path, help="a folder for log and history; a temporary one by default")
    options = parser.parse_args(words)
    give_large_blocks_back()
    with ExitStack() as stack:
        folder = options.out or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        soak = Soak(folder, options.frames, stack)
        if soak.page.address is not None:
            stack.enter_context(viewer(soak.page.address))
        return _flown(soak, options.hours, options.warm_up_hours, options.every_minutes)


def _flown(soak: Soak, hours: float, warm_up_hours: float, every_minutes: float) -> int:
    print(f"{'flown h':>8s} {'wall s':>7s} {'CPU s':>7s} {'resident MB':>12s} {'own MB':>7s} {'threads':>8s} "
          f"{'handles':>8s} {'keyframes':>10s} {'fixes':>6s} {'drawn':>6s} {'log MB':>7s} {'lost':>5s}")  # fmt: skip
    begun_s, flown_h, first, now = time.monotonic(), 0.0, None, taken()
    while flown_h < hours:
        soak.fly(every_minutes * 60)
        flown_h += every_minutes / 60
        now, counts, log = taken(), soak.daemon.counts, soak.log.state
        print(f"{flown_h:8.2f} {time.monotonic() - begun_s:7.0f} {time.process_time():7.0f} {now.resident_mb:12.1f} "
              f"{now.own_mb:7.1f} {now.threads:8d} {now.handles:8d} {counts['keyframes']:10d} {counts['fix']:6d} "
              f"{soak.rig.drawn:6d} {log.bytes_written / 2**20:7.0f} {log.lost_records + log.lost_frames:5d}",
              flush=True)  # fmt: skip
        if first is None and flown_h >= warm_up_hours:
            first = now
    first = first or now
    share, lost = now.resident_mb / first.resident_mb - 1, soak.log.state.lost_records + soak.log.state.lost_frames
    left = max(0, now.threads - first.threads), max(0, now.handles - first.handles)
    print(f"after {flown_h:.2f} h, {warm_up_hours:g} h of it to warm up: memory {share:+.2%}, {left[0]} threads and "
          f"{left[1]} handles more, {lost} records or frames lost; load {os.getloadavg()[0]:.1f}")  # fmt: skip
    return int(share > 0.01 or any(left) or lost > 0)


if __name__ == "__main__":
    sys.exit(main())
