"""A simulated map cut into tiles, and drone frames or another satellite's pictures that are looked for among them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from runtime.cli.output import Progressing
from runtime.embedder.embedder import Embedder
from runtime.fix.layout import layout_target
from runtime.fix.query import known_of
from runtime.history.history import History
from runtime.place.target import Target
from runtime.record.map_plan import grid_of
from runtime.record.map_tiles import open_map, record_tile, tiles_of, unusable
from runtime.rotations import ned_from_euler
from runtime.values import Attitude, Frame, Measured, Pose, ViewKind
from runtime.view import GroundPlane
from sim.acceptance.questions import KNOWN, TARGET_M, TARGET_PX, Counts, Point, Question, kind_outside
from sim.camera import SimulatedCamera, default_camera
from sim.render import Renderer
from sim.satellite import satellite_crop, write_geotiff
from sim.world.world import World

WORLD_M, MAP_M = 900.0, 560.0
HEIGHTS_M = (60.0, 130.0)
_PER_TILE = 4  # strides: closer than maps are recorded for flight, as the acceptance was fitted


class MapSite:
    """The middle of a world's satellite image as tiles of a history, and what is asked over all of the world: a
    drone's frames or another satellite's pictures, as ``query`` says."""

    def __init__(self, seed: int, folder: Path, embedder: Embedder, progress: Progressing, query: ViewKind) -> None:
        self.seed, self.query = seed, query
        self.world = World.generate(seed, WORLD_M)
        self._size_px = round(embedder.bundle.input_size_px * 1.25)
        self.history = folder / f"{seed}.map.{embedder.bundle.embedding_space_id}.homing"
        if not self.history.exists():
            self._cut(folder / f"{seed}.tif", embedder, progress)

    def _cut(self, image: Path, embedder: Embedder, progress: Progressing) -> None:
        write_geotiff(self.world, image, side_m=MAP_M)
        draft, bundle = self.history.with_suffix(".draft"), embedder.bundle
        draft.unlink(missing_ok=True)
        with History.create(draft, bundle.embedding_space_id, bundle.name) as history, open_map(image) as opened:
            grid = grid_of(opened.size_m, bundle, None, None, _PER_TILE)
            with progress(f"map {self.seed}", len(grid)) as steps:
                for tile in tiles_of(opened, grid):
                    if not unusable(tile):
                        record_tile(tile, history, embedder, "map")
                    steps.step()
        draft.rename(self.history)

    def questions(self, counts: Counts) -> Iterator[Question]:
        """What the site is asked, scale and heading known."""
        return self._frames(counts) if self.query is ViewKind.DRONE else self._pictures(counts)

    def total(self, counts: Counts) -> int:
        """How many `questions` there are."""
        return sum(counts.of_kind.values())

    def _frames(self, counts: Counts) -> Iterator[Question]:
        """From 60 to 130 m above the ground, each wrong by what an autopilot gets wrong."""
        rng = np.random.default_rng([self.seed, 91])
        camera = SimulatedCamera(Renderer(self.world.scene("flight")), default_camera(), self.seed)
        for kind, point in self._points(counts, rng):
            yield self._frame(point, kind, camera, rng)

    def _pictures(self, counts: Counts) -> Iterator[Question]:
        """Of the same ground by another satellite, on two other dates."""
        rng = np.random.default_rng([self.seed, 92])
        other = World.generate(self.seed, WORLD_M, dates=1)
        shift = other.registration_ne_m
        for kind, point in self._points(counts, rng):
            target = Target(satellite_crop(other, point, TARGET_M, TARGET_PX), TARGET_M / TARGET_PX, True, None, kind)
            yield Question(target, (point[0] + shift[0], point[1] + shift[1]), kind, KNOWN)

    def _points(self, counts: Counts, rng: np.random.Generator) -> Iterator[tuple[str, Point]]:
        wanted = dict(counts.of_kind)
        while any(wanted.values()):
            point = rng.uniform(-WORLD_M / 2 + 100, WORLD_M / 2 - 100, 2)
            kind = kind_outside(float(np.linalg.norm(np.maximum(np.abs(point) - MAP_M / 2, 0.0))))
            if kind and wanted[kind]:
                wanted[kind] -= 1
                yield kind, (float(point[0]), float(point[1]))

    def _frame(self, point: Point, kind: str, camera: SimulatedCamera, rng: np.random.Generator) -> Question:
        height_m = math.exp(rng.uniform(*np.log(HEIGHTS_M)))
        roll, pitch = np.radians(rng.normal(0, 4, 2))
        yaw, course = rng.uniform(-math.pi, math.pi, 2)
        velocity = (8 * math.cos(course), 8 * math.sin(course), 0.0)
        image = camera.capture((*point, -height_m), ned_from_euler(roll, pitch, yaw), velocity)
        wrong = np.radians(rng.normal(0, 1, 3)) * [1, 1, 3]
        believed_m = height_m * (1 + 0.03 * rng.normal())
        turned = Attitude(ned_from_euler(roll, pitch, yaw), 0.0, "")
        flown = Pose(0, height_agl_m=Measured(height_m, 1, ""), attitude=turned)
        truth = GroundPlane.of(camera.model, flown)
        pose = Pose(
            t_ns=0,
            height_agl_m=Measured(believed_m, 0.03 * height_m, "simulated"),
            attitude=Attitude(
                ned_from_euler(roll + wrong[0], pitch + wrong[1], yaw + wrong[2]), math.radians(3), "simulated"
            ),
        )
        frame = Frame(image, 0, "simulated", 0)
        known = known_of(frame, camera.model, pose, False)
        plane = GroundPlane.of(known.camera, known.pose)
        assert plane is not None and truth is not None
        north_m, east_m = truth.ground_of_axis()
        target = layout_target(frame, known, plane, self._size_px)
        return Question(target, (point[0] + north_m, point[1] + east_m), kind, KNOWN)
