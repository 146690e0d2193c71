"""A synthetic University-1652: its folders, filled from procedural worlds, for training and for tests without the data.

Two kinds of drone view. `spiral` is University-1652's own: 54 oblique views of a building on a descending spiral, a
satellite view and a few ground views. `rectified` is what Homing flies: north-up crops by a pose that is a little
wrong, of places so close that neighbours overlap; ``places.csv`` then says where each is.

The satellite passes on another date than the drone: another sun, season, sensor, and objects moved. Test worlds have
other seeds, and two families of things (hipped roofs and conifers) that no training world has. Rectified test worlds
are within the rule of `sim.hardness`, as those that are flown: one that is not is seen on other dates.
"""

from __future__ import annotations

import csv
import dataclasses
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from runtime.camera_model import CameraModel, body_from_mount
from runtime.errors import StorageError, UsageError
from runtime.rotations import ned_from_euler
from sim.camera import SimulatedCamera, default_camera
from sim.galleries import drone_gallery, grid, scattered
from sim.hardness import hardness
from sim.render import renderer_of
from sim.satellite import satellite_crop
from sim.world.generate import generate
from sim.world.layout import Layout
from sim.world.world import World
from sim.world_choice import Judge, accepted

Image = npt.NDArray[np.uint8]
Tell = Callable[[str], None]

SPIRAL, RECTIFIED = "spiral", "rectified"
SPIRAL_VIEWS, SPIRAL_ROUNDS = 54, 3
SPIRAL_HEIGHTS_M = (256.0, 121.5)  # University-1652's own
_SPIRAL_REACH = 0.7  # how far from the building, as a share of the height
_SPIRAL_SIDE_M = 120.0  # of the satellite view, and roughly of what the drone sees
_GROUND_VIEWS, _GROUND_DISTANCE_M, _EYE_M = 3, 32.0, 1.7
_APART_M = 70.0  # between two places of a spiral world: views of one show little of the other
RECTIFIED_SIDE_M = 90.0
TRAIN_STRIDE_M, TEST_STRIDE_M = 30.0, 25.0  # between neighbours: two thirds and more of a crop in common
_TRAIN_SEEDS, _TEST_SEEDS = 2_000_000, 3_000_000  # no other part of the simulator uses seeds from here on
_SEEDS_EACH = 1_000
_JPEG = (cv2.IMWRITE_JPEG_QUALITY, 92)


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of what: ``places`` for training, ``test_places`` in the test's gallery, of which two thirds are asked
    for (of rectified views there are half as many queries besides, off the grid); ``drone_views`` a place; worlds of
    ``world_m`` a side, of which at most ``per_world`` places are taken; pictures of ``size_px``."""

    places: int
    test_places: int
    seed: int
    views: str = SPIRAL
    drone_views: int = SPIRAL_VIEWS
    world_m: float = 900.0
    size_px: int = 256
    per_world: int | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """One place of a world: its name in the folders, and north and east from the world's origin."""

    name: str
    world: World
    north_m: float
    east_m: float


def make_university(plan: Plan, out: Path, tell: Tell, judge: Judge = hardness) -> None:
    """Render and write everything; folders that are there already are refused. `judge` measures rectified test worlds.

    Raises:
        UsageError: the plan cannot be carried out, or ``out`` holds something.
        HardnessError: a test world is too easy or too hard on every pair of dates.
        StorageError: it cannot be written.
    """
    if plan.views not in (SPIRAL, RECTIFIED):
        raise UsageError(f"there are no {plan.views} views: choose {SPIRAL} or {RECTIFIED}.")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} exists already: name another folder with --out.")
    try:
        out.mkdir(parents=True, exist_ok=True)
        if plan.views == SPIRAL:
            _spiral(plan, out, tell)
        else:
            _rectified(plan, out, tell, judge)
    except OSError as error:
        raise StorageError(f"{out} cannot be written: {error.strerror}.") from error


def world_of(plan: Plan, index: int, test: bool, dates: int = 0) -> World:
    """The world of that number: of the test, or of training, which lacks the families kept for the test."""
    seed = (_TEST_SEEDS if test else _TRAIN_SEEDS) + _SEEDS_EACH * plan.seed + index
    layout = generate(seed, plan.world_m)
    return World(seed, plan.world_m, layout if test else without_kept_families(layout), dates=dates)


def without_kept_families(layout: Layout) -> Layout:
    """A layout whose hipped roofs are gables and whose conifers are broadleaf trees."""
    houses = tuple(dataclasses.replace(h, roof="gable") if h.roof == "hip" else h for h in layout.houses)
    trees = tuple(dataclasses.replace(t, conifer=False) for t in layout.trees)
    return dataclasses.replace(layout, houses=houses, trees=trees)


def spiral(count: int) -> list[tuple[float, float, float]]:
    """(azimuth_rad, distance_m, height_m) of the views around a building, from the highest down."""
    share = np.arange(count) / max(1, count - 1)
    heights = SPIRAL_HEIGHTS_M[0] + share * (SPIRAL_HEIGHTS_M[1] - SPIRAL_HEIGHTS_M[0])
    azimuths = 2 * math.pi * SPIRAL_ROUNDS * np.arange(count) / count
    return [(float(a), float(_SPIRAL_REACH * h), float(h)) for a, h in zip(azimuths, heights, strict=True)]


def _spiral(plan: Plan, out: Path, tell: Tell) -> None:
    for place in _buildings(plan, plan.places, False, tell):
        _write_place(place, plan, {v: [out / "train" / v] for v in ("drone", "satellite", "street")})
    asked = max(1, round(plan.test_places * 2 / 3))
    for number, place in enumerate(_buildings(plan, plan.test_places, True, tell)):
        parts = ("query", "gallery") if number < asked else ("gallery",)  # the rest distract
        names = {v: [out / "test" / f"{part}_{v}" for part in parts] for v in ("drone", "satellite", "street")}
        _write_place(place, plan, names)


def _buildings(plan: Plan, count: int, test: bool, tell: Tell) -> Iterator[Place]:
    """Houses far enough from each other and from the edge, world after world."""
    made, index = 0, 0
    while made < count:
        world = world_of(plan, index, test)
        chosen = _far_apart(world)
        if not chosen and index > count:
            raise UsageError(f"worlds of {plan.world_m:.0f} m hold no building far enough from their edge.")
        for north, east in chosen[: min(count - made, plan.per_world or count)]:
            yield Place(f"{made:04d}", world, north, east)
            made += 1
        index += 1
        tell(f"{'test' if test else 'train'}: {made} of {count} places")


def _far_apart(world: World) -> list[tuple[float, float]]:
    reach = world.size_m / 2 - _SPIRAL_SIDE_M / 2
    chosen: list[tuple[float, float]] = []
    for house in world.layout.houses:
        at = (house.north_m, house.east_m)
        if max(abs(at[0]), abs(at[1])) <= reach and all(math.dist(at, other) >= _APART_M for other in chosen):
            chosen.append(at)
    return chosen


def _write_place(place: Place, plan: Plan, folders: dict[str, list[Path]]) -> None:
    satellite = satellite_crop(place.world, (place.north_m, place.east_m), _SPIRAL_SIDE_M, plan.size_px)
    views = {"satellite": [satellite], "drone": _drone_views(place, plan), "street": _ground_views(place, plan)}
    for view, images in views.items():
        for folder in folders[view]:
            for number, image in enumerate(images):
                _write(folder / place.name / f"{number:02d}.jpg", image)


def _drone_views(place: Place, plan: Plan) -> list[Image]:
    size = 2 * plan.size_px  # rendered finer and averaged: a camera's pixel sees an area
    model = dataclasses.replace(CameraModel.from_hfov(size, size, 38.0), distortion=default_camera().distortion)
    camera = SimulatedCamera(renderer_of(place.world, "flight"), model, int(place.name))
    images = []
    for azimuth, distance, height in spiral(plan.drone_views):
        position = place.north_m - distance * math.cos(azimuth), place.east_m - distance * math.sin(azimuth), -height
        pose = ned_from_euler(0.0, math.atan2(distance, height), azimuth)  # the belly looks at the building
        image = camera.capture(position, pose)
        images.append(np.asarray(cv2.resize(image, (plan.size_px,) * 2, interpolation=cv2.INTER_AREA), np.uint8))
    return images


def _ground_views(place: Place, plan: Plan) -> list[Image]:
    model = CameraModel.from_hfov(plan.size_px, plan.size_px, 65.0)
    model = dataclasses.replace(model, body_from_camera=body_from_mount(0.0, 0.0, 0.0))
    camera = SimulatedCamera(renderer_of(place.world, "flight"), model, int(place.name))
    images = []
    for azimuth in np.arange(_GROUND_VIEWS) * 2 * math.pi / _GROUND_VIEWS + int(place.name):
        away = _GROUND_DISTANCE_M * math.cos(azimuth), _GROUND_DISTANCE_M * math.sin(azimuth)
        position = place.north_m - away[0], place.east_m - away[1], -_EYE_M
        images.append(camera.capture(position, ned_from_euler(0.0, math.radians(6), float(azimuth))))
    return images


def _rectified(plan: Plan, out: Path, tell: Tell, judge: Judge) -> None:
    rows: list[tuple[str, World, float, float]] = []
    for part, count, test in (("train", plan.places, False), ("test", plan.test_places, True)):
        made, index = 0, 0
        while made < count:
            world = _accepted(plan, index, tell, judge) if test else world_of(plan, index, test)
            stride = TEST_STRIDE_M if test else TRAIN_STRIDE_M
            at = grid(world, stride, RECTIFIED_SIDE_M, min(count - made, plan.per_world or count))
            names = [f"{part[:2]}{made + i:06d}" for i in range(len(at))]
            rows += _write_area(world, plan, out / part, ("gallery_" if test else ""), names, at)
            if test:
                asked = scattered(world, max(1, len(at) // 2), RECTIFIED_SIDE_M, 1, float(np.abs(at).max()) or None)
                names = [f"qu{made + i:06d}" for i in range(len(asked))]
                rows += _write_area(world, plan, out / part, "query_", names, asked)
            made += len(at)
            index += 1
            tell(f"{part}: {made} of {count} places")
    with (out / "places.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("place", "area", "north_m", "east_m", "side_m"))
        for name, world, north, east in rows:
            writer.writerow([name, world.seed, f"{north:.3f}", f"{east:.3f}", RECTIFIED_SIDE_M])


def _accepted(plan: Plan, index: int, tell: Tell, judge: Judge) -> World:
    """A test world on the first of its pairs of dates that the judge accepts."""
    made: dict[int, World] = {}

    def make(dates: int) -> World:
        made[dates] = world_of(plan, index, True, dates)
        return made[dates]

    _, report = accepted(make, tell, judge)
    return made[report.dates]


def _write_area(
    world: World, plan: Plan, folder: Path, prefix: str, names: list[str], at: npt.NDArray[np.float64]
) -> list[tuple[str, World, float, float]]:
    for view in range(plan.drone_views):
        images = drone_gallery(world, at, RECTIFIED_SIDE_M, plan.size_px, seed=view).images
        for name, image in zip(names, images, strict=True):
            _write(folder / f"{prefix}drone" / name / f"{view:02d}.jpg", image)
    for name, (north, east) in zip(names, at, strict=True):
        crop = satellite_crop(world, (float(north), float(east)), RECTIFIED_SIDE_M, plan.size_px)
        _write(folder / f"{prefix}satellite" / name / "00.jpg", crop)
    return [(name, world, float(n), float(e)) for name, (n, e) in zip(names, at, strict=True)]


def _write(path: Path, image: Image) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    _, packed = cv2.imencode(".jpg", image[..., ::-1], _JPEG)
    path.write_bytes(packed.tobytes())
