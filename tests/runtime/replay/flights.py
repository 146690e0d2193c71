"""A small flight of the simulated vehicle over a picture of the ground, logged with every frame."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.bundle import Bundle
from runtime.camera_model import CameraModel
from runtime.config.config import Config
from runtime.daemon.assembly import assemble
from runtime.daemon.workers import InlineWorkers, Job, ThreadWorkers
from runtime.embedder.embedder import Embedder
from runtime.events import JobDone, JobKind
from runtime.flightlog.flightlog import FlightLog
from runtime.flightlog.keeper import KeptFrames
from runtime.flightlog.records import TruthRecord
from runtime.geodesy import offset
from runtime.replay.started import started
from runtime.values import Attitude, ImageRGB, Measured, Pose, Quaternion
from sim.autopilot.autopilot import Autopilot
from sim.autopilot.config import AutopilotConfig
from sim.flight import CameraRig, Companion, SimulatedFlight
from sim.latencies import SimulatedLatencies
from tests.runtime.cli.histories import GSD_M, write_history
from tests.runtime.record.fakes import ground_texture
from tests.runtime.survey.flights import ORIGIN, Truth, photograph

CAMERA = CameraModel.from_hfov(320, 240, 69.0, delay_s=0.06)
HEIGHT_M = 45.0
UNIX_NS = 1_760_000_000_000_000_000


@cache
def embedder() -> Embedder:
    """The shipped bundle's, loaded once in a process."""
    return Embedder(Bundle.load(), threads=1)


@cache
def ground() -> NDArray[np.uint8]:
    """168 m of ground about `ORIGIN`."""
    return ground_texture(1400)


def write_past(path: Path) -> Path:
    """The history of the survey: nine keyframes, 16 m apart."""
    return write_history(path, ground(), CameraModel.from_hfov(480, 360, 69.0))


@dataclass(frozen=True)
class Seen(Truth):
    """A true pose with any attitude."""

    turned: Quaternion = (1.0, 0.0, 0.0, 0.0)

    @property
    def pose(self) -> Pose:
        return Pose(
            t_ns=0, height_agl_m=Measured(self.height_m, 0.1, "truth"), attitude=Attitude(self.turned, 0.01, "truth")
        )


class GroundCamera:
    """What a camera over the picture sees, and nothing of what a real one adds."""

    def capture(
        self, position_ned_m: Any, ned_from_body: Quaternion, velocity: Any = None, rates: Any = None
    ) -> ImageRGB:
        north, east, down = position_ned_m
        return photograph(ground(), GSD_M, Seen(0.0, north, east, -down, 0.0, turned=ned_from_body), CAMERA)


def configured(history: Path, **sections: dict[str, Any]) -> Config:
    corners = [offset(ORIGIN, n, e) for n, e in ((-150, -150), (-150, 150), (150, 150), (150, -150))]
    whole: dict[str, dict[str, Any]] = {
        "camera": {"uri": "simulated", "width_px": 320, "height_px": 240, "hfov_deg": 69.0, "delay_s": 0.06},
        "vehicle": {"uri": "simulated"},
        "history": {"path": str(history)},
        "bundle": {"backends": ["onnxruntime-cpu"]},
        "record": {"enabled": True},
        "commanding": {
            "enabled": True, "polygon": [[c.latitude_deg, c.longitude_deg] for c in corners],
            "floor_height_takeoff_m": 20.0, "ceiling_height_takeoff_m": 100.0, "max_distance_m": 300.0,
            "battery_reserve_percent": 20.0,
        },
    }  # fmt: skip
    return Config.model_validate({**whole, **sections})


class Flown:
    """One flight: ``log_path`` once it is closed, ``wire`` what the daemon sent."""

    def __init__(
        self,
        folder: Path,
        config: Config,
        frames: KeptFrames = "exact",
        name: str = "flight",
        threads: bool = False,
        camera: Any = None,
        height_m: float = HEIGHT_M,
    ) -> None:
        """``threads``: jobs are done in threads, as in flight, while simulated time goes on. ``camera``: another than
        one over the picture of the ground."""
        autopilot = Autopilot(
            AutopilotConfig(ORIGIN, 37.0, seed=3, clock_offset_ns=7_300_000_000, ready_at_boot=True)
        )
        autopilot.start_in_flight((-22.0, -10.0, -height_m), "LOITER")
        rig = CameraRig(camera or GroundCamera(), seed=3)
        rig.period_ns = 500_000_000
        clock = _Clock(autopilot)
        self.log = FlightLog.open(folder, clock, unix_ns=UNIX_NS, name=name, frames=frames)

        workers = Threads() if threads else InlineWorkers(SimulatedLatencies(5).draw_ns)
        self._drain = workers.drain if isinstance(workers, Threads) else None

        def start() -> Companion:
            self.assembly = assemble(config, workers, journal=self.log, embedder=embedder(), flight=name)
            said = started(config, self.assembly, flight=name, jobs_inline=not threads)
            self.log.start(said, autopilot.t_ns)
            return Companion(self.assembly.daemon, workers.finished)

        self.flight = SimulatedFlight(autopilot, rig, (0.0, 0.0), start)

    @property
    def wire(self) -> bytes:
        """Every byte that the daemon sent."""
        return bytes(self.flight.wire)

    def go(self, seconds: float = 6.0, image: Path | None = None) -> None:
        """The operator points 36 m away, after asking for an ``image``; the pilot grants it; so many seconds of the way
        there."""
        place = offset(ORIGIN, 12.0, 12.0)
        self.flight.fly(4.0)
        if image is not None:
            self.flight.ask({"command": "target", "image": str(image), "target_gsd_m": 0.2})
        shown = self.flight.ask(
            {"command": "target", "latitude_deg": place.latitude_deg, "longitude_deg": place.longitude_deg}
        )
        self.flight.ask({"command": "confirm", "target_id": shown["target_id"]})
        self.flight.ask({"command": "engage"})
        self.flight.fly(0.5)
        self.flight.pilot_set_mode("GUIDED")
        self.flight.fly(seconds)

    def close(self) -> Path:
        """Ends daemon, history and log; the log's path."""
        if self._drain is not None:
            self._drain()
            self.flight.fly(0.1)  # what they made is taken
        self.assembly.daemon.close(self.flight.t_ns)
        self.assembly.close()
        for truth in self.flight.track[::10]:
            self.log.write(truth.t_ns, TruthRecord(offset(ORIGIN, *truth.ground), truth.height_m))
        self.log.close()
        return self.log.mcap_path


class Threads(ThreadWorkers):
    """Jobs in real threads under a simulated clock: they are there when they are there, and within `LATEST_NS`."""

    LATEST_NS = 1_500_000_000  # three frames; time runs far faster than the threads, and a flight needs fixes

    def __init__(self) -> None:
        self._posted: SimpleQueue[JobDone] = SimpleQueue()
        self._started_ns: dict[JobKind, int] = {}
        super().__init__(self._posted.put)

    def start(self, job: Job, t_ns: int) -> None:
        self._started_ns[job.kind] = t_ns
        super().start(job, t_ns)

    def drain(self) -> None:
        """Takes no more jobs and waits for those under way: no log tells how long one takes that has not ended."""
        self._closed = True
        while not all(idle.is_set() for idle in self._idle.values()):
            time.sleep(0.001)

    def finished(self, t_ns: int) -> list[JobDone]:
        """What has been posted by now, as of now."""
        for kind, started_ns in self._started_ns.items():
            while not self._idle[kind].is_set() and t_ns - started_ns >= self.LATEST_NS:
                time.sleep(0.001)
        return [replace(self._posted.get(), t_ns=t_ns) for _ in range(self._posted.qsize())]


@dataclass(frozen=True)
class _Clock:
    autopilot: Autopilot

    def now_ns(self) -> int:
        return self.autopilot.t_ns
