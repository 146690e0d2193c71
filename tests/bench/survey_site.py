"""A simulated survey over part of a world, and questions about it: what the calibration is made of."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from runtime.bundle import Bundle
from runtime.camera_model import ned_from_euler
from runtime.embedder.embedder import Embedder
from runtime.geodesy import offset
from runtime.history.history import History
from runtime.place.target import Target
from runtime.record.recorder import Recorder
from runtime.values import Frame, Measured, Pose
from runtime.view import turned
from sim.camera import SimulatedCamera, default_camera
from sim.galleries import survey
from sim.render import Renderer
from sim.satellite import satellite_crop
from sim.world.world import World

WORLD_M, HEIGHT_M, LINES_M, FRAMES_M = 900.0, 100.0, 45.0, 11.0
TARGET_M, TARGET_PX = 90.0, 300
HALF_VIEW_M = (HEIGHT_M * math.tan(math.radians(35)) * 480 / 640, HEIGHT_M * math.tan(math.radians(35)))
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Question:
    """A target with what only the simulator knows: the true (north, east) at its centre, and what it is: "target",
    "near" (its centre 30 to 60 m outside what any frame saw) or "far"."""

    target: Target
    truth: Point
    kind: str
    mode: str  # what is known: "known", "heading" unknown or "scale" unknown


class Site:
    """A world and the history of one survey over it, flown with the errors of a real autopilot."""

    def __init__(self, seed: int, folder: Path, embedder: Embedder) -> None:
        self.seed = seed
        self.world = World.generate(seed, WORLD_M)
        rng = np.random.default_rng([seed, 77])
        north_m, east_m = rng.uniform(260, 400), rng.uniform(220, 320)
        south, west = rng.uniform(-330, 330 - north_m), rng.uniform(-330, 330 - east_m)
        self.path_ne_m = survey((south, west), (south + north_m, west + east_m), LINES_M, FRAMES_M)
        self.history = folder / f"{seed}.{embedder.bundle.embedding_space_id}.homing"
        if not self.history.exists():
            self._fly(embedder, rng)

    def _fly(self, embedder: Embedder, rng: np.random.Generator) -> None:
        camera = SimulatedCamera(Renderer(self.world.scene("flight")), default_camera(), self.seed)
        draft = self.history.with_suffix(".draft")
        draft.unlink(missing_ok=True)
        bundle = embedder.bundle
        with History.create(draft, bundle.embedding_space_id, bundle.name) as history:
            recorder = Recorder(history, embedder, default_camera(), "survey")
            for frame, pose in self._frames(camera, rng):
                recorder.add(frame, pose)
        draft.rename(self.history)

    def _frames(self, camera: SimulatedCamera, rng: np.random.Generator) -> Iterator[tuple[Frame, Pose]]:
        """GPS wanders by 1 m; attitude is off by 1 degree, heading by 3 and height by 3 % for the whole flight."""
        tilt_bias, heading_bias = np.radians(rng.normal(0, 1, 2)), math.radians(rng.normal(0, 3))
        height_scale, gps = 1 + rng.normal(0, 0.03), rng.normal(0, 1, 2)
        for index, (north, east) in enumerate(self.path_ne_m):
            line = round((east - self.path_ne_m[0, 1]) / LINES_M)
            course = 0.0 if line % 2 == 0 else math.pi
            gps = 0.95 * gps + math.sqrt(1 - 0.95**2) * rng.normal(0, 1, 2)
            roll, pitch = np.radians(rng.normal(0, 2)), np.radians(rng.normal(-3, 2))
            yaw = course + math.radians(rng.normal(0, 2))
            velocity = (8 * math.cos(course), 8 * math.sin(course), 0.0)
            image = camera.capture((north, east, -HEIGHT_M), ned_from_euler(roll, pitch, yaw), velocity)
            tilt = tilt_bias + np.radians(rng.normal(0, 0.3, 2))
            heading = yaw + heading_bias
            pose = Pose(
                t_ns=index * 1_400_000_000,
                position=offset(self.world.origin, north + gps[0], east + gps[1]),
                position_sigma_m=1.5,
                height_agl_m=Measured(HEIGHT_M * height_scale, 3.0, "simulated"),
                ned_from_body=ned_from_euler(roll + tilt[0], pitch + tilt[1], heading),
                attitude_measured=True,
                heading=Measured(heading, math.radians(3), "simulated"),
            )
            yield Frame(image, pose.t_ns, f"frame {index}", index), pose

    def questions(self, targets: int, near: int, far: int, searched: int) -> Iterator[Question]:
        """So many of each kind, of known scale and heading; of the first ``searched`` targets and as many near and
        far strangers also with the heading, and with the scale, unknown."""
        places = self._places(targets, near, far)
        for kind, points in places.items():
            for number, point in enumerate(points):
                yield self._question(point, kind, "known")
                if number < searched:
                    yield self._question(point, kind, "heading")
                    yield self._question(point, kind, "scale")

    def _places(self, targets: int, near: int, far: int) -> dict[str, list[Point]]:
        rng = np.random.default_rng([self.seed, 78])
        low, high = self.path_ne_m.min(axis=0), self.path_ne_m.max(axis=0)
        half = np.array(HALF_VIEW_M)
        found: dict[str, list[Point]] = {"target": [], "near": [], "far": []}
        wanted = {"target": targets, "near": near, "far": far}
        reach = WORLD_M / 2 - 20
        while any(len(found[kind]) < count for kind, count in wanted.items()):
            point = rng.uniform(-reach, reach, 2)
            outside = float(np.linalg.norm(np.maximum(np.maximum(low - half - point, point - high - half), 0)))
            kind = "near" if 30 <= outside <= 60 else "far" if outside > 60 else ""
            if (low - 5 <= point).all() and (point <= high + 5).all():
                kind = "target"
            if kind and len(found[kind]) < wanted[kind]:
                found[kind].append((float(point[0]), float(point[1])))
        return found

    def _question(self, point: Point, kind: str, mode: str) -> Question:
        if mode == "heading":  # turned within a larger crop, so that no corner is made up
            rng = np.random.default_rng([self.seed, round(1000 * point[0]) % 2**31])
            large = satellite_crop(self.world, point, 1.5 * TARGET_M, 3 * TARGET_PX // 2)
            edge = TARGET_PX // 4
            image = turned(large, rng.uniform(0, math.tau))[edge : edge + TARGET_PX, edge : edge + TARGET_PX].copy()
        else:
            image = satellite_crop(self.world, point, TARGET_M, TARGET_PX)
        gsd_m = None if mode == "scale" else TARGET_M / TARGET_PX
        shift = self.world.registration_ne_m  # the satellite image shows the ground this far from where it says
        truth = (point[0] + shift[0], point[1] + shift[1])
        return Question(Target(image, gsd_m, mode != "heading", None, kind), truth, kind, mode)


def embedder_of(bundle: Path | None) -> Embedder:
    """One thread: the benchmarks share the machine."""
    return Embedder(Bundle.load(bundle), threads=1)
