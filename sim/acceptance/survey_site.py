"""A simulated survey over part of a world, and satellite pictures that are looked for in its history."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from runtime.cli.output import Progressing, Steps
from runtime.embedder.embedder import Embedder
from runtime.geodesy import offset
from runtime.history.history import History
from runtime.place.target import Target
from runtime.record.recorder import Recorder
from runtime.rotations import ned_from_euler
from runtime.values import Attitude, Frame, Measured, NavState, Pose, Position, PositionSource
from runtime.view import turned
from sim.acceptance.questions import (
    HEADING,
    KNOWN,
    SCALE,
    TARGET,
    TARGET_M,
    TARGET_PX,
    Counts,
    Point,
    Question,
    kind_outside,
)
from sim.camera import SimulatedCamera, default_camera
from sim.galleries import survey
from sim.render import Renderer
from sim.satellite import satellite_crop
from sim.world.world import AnyWorld, World

HEIGHT_M, LINES_M, FRAMES_M = 100.0, 45.0, 11.0
HALF_VIEW_M = (HEIGHT_M * math.tan(math.radians(35)) * 480 / 640, HEIGHT_M * math.tan(math.radians(35)))


@dataclass(frozen=True, slots=True)
class Extent:
    """How large the world is and how far a survey over it may reach, north and east, in metres."""

    world_m: float = 900.0
    north_m: tuple[float, float] = (260.0, 400.0)
    east_m: tuple[float, float] = (220.0, 320.0)

    @property
    def reach_m(self) -> float:
        """Of the survey's corners from the world's middle: what is left outside is ground out of coverage."""
        return self.world_m / 2 - 120.0


class SurveySite:
    """A world and the history of one survey over it, flown with the errors of a real autopilot.

    ``world``: a procedural one of the seed by default; ``flown``: the survey's south-west and north-east corners,
    (north, east) in metres, drawn within ``extent`` by default.
    """

    def __init__(
        self, seed: int, folder: Path, embedder: Embedder, progress: Progressing, extent: Extent | None = None,
        world: AnyWorld | None = None, flown: tuple[Point, Point] | None = None,
    ) -> None:  # fmt: skip
        self.seed = seed
        self.extent = extent or Extent()
        self.world = world or World.generate(seed, self.extent.world_m)
        rng = np.random.default_rng([seed, 77])
        corners = self._corners(rng) if flown is None else flown
        self.path_ne_m = survey(*corners, LINES_M, FRAMES_M)
        kind = "" if world is None else "real."
        self.history = folder / f"{seed}.{kind}{embedder.bundle.embedding_space_id}.homing"
        if not self.history.exists():
            with progress(f"survey {seed}", len(self.path_ne_m)) as steps:
                self._fly(embedder, rng, steps)

    def _corners(self, rng: np.random.Generator) -> tuple[Point, Point]:
        north_m, east_m = rng.uniform(*self.extent.north_m), rng.uniform(*self.extent.east_m)
        reach = self.extent.reach_m
        south, west = rng.uniform(-reach, reach - north_m), rng.uniform(-reach, reach - east_m)
        return (south, west), (south + north_m, west + east_m)

    def _fly(self, embedder: Embedder, rng: np.random.Generator, steps: Steps) -> None:
        camera = SimulatedCamera(Renderer(self.world.scene("flight")), default_camera(), self.seed)
        draft = self.history.with_suffix(".draft")
        draft.unlink(missing_ok=True)
        bundle = embedder.bundle
        with History.create(draft, bundle.embedding_space_id, bundle.name) as history:
            recorder = Recorder(history, embedder, default_camera(), "survey")
            for frame, state in self._frames(camera, rng):
                recorder.add(frame, state.pose, state.position)
                steps.step()
        draft.rename(self.history)

    def _frames(self, camera: SimulatedCamera, rng: np.random.Generator) -> Iterator[tuple[Frame, NavState]]:
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
                height_agl_m=Measured(HEIGHT_M * height_scale, 3.0, "simulated"),
                attitude=Attitude(
                    ned_from_euler(roll + tilt[0], pitch + tilt[1], heading), math.radians(3), "simulated"
                ),
            )
            at = offset(self.world.origin, north + gps[0], east + gps[1])
            position = Position.circular(at, 1.5, PositionSource.GPS)
            yield Frame(image, index * 1_400_000_000, f"frame {index}", index), NavState(pose, position)

    def questions(self, counts: Counts) -> Iterator[Question]:
        """Of known scale and heading; the first ``counts.searched`` of each kind also with the heading, and with the
        scale, unknown."""
        for kind, points in self.places(counts).items():
            for number, point in enumerate(points):
                yield self._question(point, kind, KNOWN)
                if number < counts.searched:
                    yield self._question(point, kind, HEADING)
                    yield self._question(point, kind, SCALE)

    def total(self, counts: Counts) -> int:
        """How many `questions` there are."""
        return sum(count + 2 * min(count, counts.searched) for count in counts.of_kind.values())

    def places(self, counts: Counts) -> dict[str, list[Point]]:
        """Where the questions of each kind are: (north, east) in metres."""
        rng = np.random.default_rng([self.seed, 78])
        low, high = self.path_ne_m.min(axis=0), self.path_ne_m.max(axis=0)
        half = np.array(HALF_VIEW_M)
        found: dict[str, list[Point]] = {kind: [] for kind in counts.of_kind}
        reach = self.extent.world_m / 2 - 20
        while any(len(found[kind]) < count for kind, count in counts.of_kind.items()):
            point = rng.uniform(-reach, reach, 2)
            outside_m = np.maximum(np.maximum(low - half - point, point - high - half), 0)
            kind = kind_outside(float(np.linalg.norm(outside_m)))
            if kind == TARGET:  # seen at least in part; a target's own centre has been flown over
                kind = TARGET if ((low - 5 <= point) & (point <= high + 5)).all() else ""
            if kind and len(found[kind]) < counts.of_kind[kind]:
                found[kind].append((float(point[0]), float(point[1])))
        return found

    def _question(self, point: Point, kind: str, mode: str) -> Question:
        if mode == HEADING:  # turned within a larger crop, so that no corner is made up
            rng = np.random.default_rng([self.seed, round(1000 * point[0]) % 2**31])
            large = satellite_crop(self.world, point, 1.5 * TARGET_M, 3 * TARGET_PX // 2)
            edge = TARGET_PX // 4
            image = turned(large, rng.uniform(0, math.tau))[edge : edge + TARGET_PX, edge : edge + TARGET_PX].copy()
        else:
            image = satellite_crop(self.world, point, TARGET_M, TARGET_PX)
        gsd_m = None if mode == SCALE else TARGET_M / TARGET_PX
        shift = self.world.registration_ne_m  # the satellite image shows the ground this far from where it says
        truth = (point[0] + shift[0], point[1] + shift[1])
        return Question(Target(image, gsd_m, mode != HEADING, None, kind), truth, kind, mode)
