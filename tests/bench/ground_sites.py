"""The grounds themselves: two procedural surveys and a procedural map, and what is at hand of real imagery."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np

from runtime.cli.output import progress
from runtime.embedder.embedder import Embedder
from runtime.fix.layout import layout_target
from runtime.fix.query import known_of
from runtime.geodesy import north_east_m
from runtime.history.history import History
from runtime.record.map_tiles import open_map
from runtime.values import Keyframe, ViewKind
from runtime.view import GroundPlane
from sim.acceptance.map_site import MapSite
from sim.acceptance.questions import FAR, NEAR, TARGET, TARGET_M, Counts
from sim.acceptance.survey_site import Extent, SurveySite
from sim.camera import default_camera
from sim.satellite import satellite_crop
from sim.world.geotiff import GeoTiffWorld
from tests.bench.grounds import DATA, ROOM, Ground, Spot, questions, showing, spot_of_map
from tests.bench.real_map import views

INSIDE, OUTSIDE, FOREIGN = 25, 40, 25  # places, places out of coverage and foreign scenes that a ground is asked about
_OWN_ROOM = 1.17  # of a flight's own view: just so much that it can be turned by 10 degrees
_RIGHT_M = 15.0
_ARIEL_RIGHT_M = 40.0  # relief, seen 45 degrees down: `docs/benchmarks.md` has others' 33 m in the middle
Opened = Iterator[Ground]


@contextmanager
def survey(seed: int, folder: Path, embedder: Embedder) -> Opened:
    """A procedural survey, and satellite crops of another date; a third of those outside are just outside."""
    site = SurveySite(seed, folder, embedder, progress)
    places = site.places(Counts(INSIDE, OUTSIDE // 3, OUTSIDE - OUTSIDE // 3))
    shift = site.world.registration_ne_m

    def spot(point: tuple[float, float]) -> Spot:
        image = satellite_crop(site.world, point, TARGET_M * ROOM, 435)
        return Spot(image, TARGET_M * ROOM / 435, (point[0] + shift[0], point[1] + shift[1]))

    inside, outside = ([spot(one) for kind in kinds for one in places[kind]] for kinds in ((TARGET,), (NEAR, FAR)))
    with History.open(site.history) as history:
        asked = questions(inside, outside, FOREIGN, seed)
        yield Ground(f"survey {seed}", history, ViewKind.SATELLITE, ViewKind.DRONE, site.world.origin, _RIGHT_M, asked)


@contextmanager
def procedural_map(seed: int, folder: Path, embedder: Embedder) -> Opened:
    """A procedural map's tiles, and drone frames."""
    site = MapSite(seed, folder, embedder, progress, ViewKind.DRONE)
    inside, outside = [], []
    for one in site.questions(Counts(INSIDE, OUTSIDE // 3, OUTSIDE - OUTSIDE // 3)):
        assert one.target.gsd_m is not None
        spot = Spot(one.target.image, one.target.gsd_m, one.truth, room=_OWN_ROOM)
        (inside if one.kind == TARGET else outside).append(spot)
    with History.open(site.history) as history:
        asked = questions(inside, outside, FOREIGN, seed)
        yield Ground(f"map {seed}", history, ViewKind.DRONE, ViewKind.SATELLITE, site.world.origin, _RIGHT_M, asked)


@contextmanager
def turku_flight(folder: Path, embedder: Embedder) -> Opened:
    """The west of `turku` flown over on another date, and crops of the map."""
    world = GeoTiffWorld.open(DATA / "maps" / "turku.tif", 0)
    north, east = world.extent_m
    flown = ((-north / 2 + 80, -east / 2 + 80), (north / 2 - 80, -east / 2 + 260))
    site = SurveySite(0, folder, embedder, progress, Extent(), world, flown)
    rng, shift = np.random.default_rng(2), world.registration_ne_m
    half_m, edge_m = TARGET_M * ROOM / 2, -east / 2 + 260 + 70 + TARGET_M / 2

    def spot(west_m: float, east_m: float) -> Spot:
        point = float(rng.uniform(-north / 2 + half_m, north / 2 - half_m)), float(rng.uniform(west_m, east_m))
        image = satellite_crop(world, point, TARGET_M * ROOM, 435)
        return Spot(image, TARGET_M * ROOM / 435, (point[0] + shift[0], point[1] + shift[1]))

    inside = [spot(flown[0][1], flown[1][1]) for _ in range(INSIDE)]
    outside = [spot(edge_m, east / 2 - half_m) for _ in range(OUTSIDE)]
    with History.open(site.history) as history:
        asked = questions(inside, outside, FOREIGN, 1)
        yield Ground("turku, flight", history, ViewKind.SATELLITE, ViewKind.DRONE, world.origin, _RIGHT_M, asked)


@contextmanager
def turku_map(folder: Path, _: Embedder) -> Opened:
    """The tiles of `turku`, and frames of another date; out of coverage: without the tiles that show any of a frame."""
    path = _recorded(folder / "turku map.db", "--map", DATA / "maps" / "turku.tif")
    world, camera = GeoTiffWorld.open(DATA / "maps" / "turku.tif", 0), default_camera()
    with History.open(path) as history:
        seen = []
        for sample in views(world, camera, INSIDE, 95.0, 3):
            known = known_of(sample.frame, camera, sample.pose, False)
            plane = GroundPlane.of(known.camera, known.pose)
            assert plane is not None
            target = layout_target(sample.frame, known, plane, 320)
            below, ahead = north_east_m(world.origin, sample.truth), plane.ground_of_axis()
            assert target.gsd_m is not None
            seen.append(Spot(target.image, target.gsd_m, (below[0] + ahead[0], below[1] + ahead[1]), room=_OWN_ROOM))
        tiles = list(history.keyframes(crops=False))
        places = np.array([north_east_m(world.origin, one.ground) for one in tiles])
        asked = questions(seen, _left_out(seen, tiles, places), FOREIGN, 2)
        yield Ground("turku, map", history, ViewKind.DRONE, ViewKind.SATELLITE, world.origin, _RIGHT_M, asked)


@contextmanager
def ariel_flight(folder: Path, _: Embedder) -> Opened:
    """A real flight, its camera 45 degrees down, and crops of a satellite map of another date."""
    path = _ariel_history(folder)
    with History.open(path) as history, open_map(DATA / "flights" / "ariel" / "map.tif") as opened:
        keyframes = list(history.keyframes(crops=False))
        places = np.array([north_east_m(opened.middle, one.ground) for one in keyframes])
        sides, rng = np.array([one.footprint_m for one in keyframes]), np.random.default_rng(4)
        half = np.array(opened.size_m) / 2 - TARGET_M
        inside = [places[n % len(places)] + rng.uniform(-15, 15, 2) for n in range(INSIDE)]
        outside: list[np.ndarray] = []
        while len(outside) < OUTSIDE:
            if not showing(point := rng.uniform(-half, half), TARGET_M, places, sides).any():
                outside.append(point)
        cut = [[spot_of_map(opened, *map(float, one), TARGET_M) for one in points] for points in (inside, outside)]
        asked = questions(cut[0], cut[1], FOREIGN, 3)
        views_of = ViewKind.SATELLITE, ViewKind.DRONE
        yield Ground("ariel, flight", history, *views_of, opened.middle, _ARIEL_RIGHT_M, asked)


@contextmanager
def own_views(flight: str, folder: Path, _: Embedder) -> Opened:
    """A flight's photos, each looked for among the others; out of coverage: without those that show any of it."""
    photos = [path for path in (DATA / "flights" / flight).iterdir() if path.suffix.lower() == ".jpg"]
    card = folder / flight
    card.mkdir(exist_ok=True)
    for photo in photos:
        if not (card / photo.name).exists():
            (card / photo.name).symlink_to(photo)
    with History.open(_recorded(folder / f"{flight}.db", "--images", card)) as history:
        keyframes = list(history.keyframes())
        origin = keyframes[0].ground
        places = np.array([north_east_m(origin, one.ground) for one in keyframes])
        picked = np.random.default_rng(3).permutation(len(keyframes))[:INSIDE]
        seen = [_own(keyframes[n], (float(places[n, 0]), float(places[n, 1]))) for n in picked]
        asked = questions(seen, _left_out(seen, keyframes, places), FOREIGN, 5)
        yield Ground(flight, history, ViewKind.SATELLITE, ViewKind.DRONE, origin, _RIGHT_M, asked)


def _own(one: Keyframe, place: tuple[float, float]) -> Spot:
    size = one.crop.shape[0]
    return Spot(one.crop, one.footprint_m / size, place, frozenset([one.keyframe_id]), _OWN_ROOM)


def _left_out(seen: list[Spot], keyframes: list[Keyframe], places: np.ndarray) -> list[Spot]:
    """The same pictures, out of coverage: without all that shows any of them; none where little would be left."""
    sides = np.array([one.footprint_m for one in keyframes])
    ids = np.array([one.keyframe_id for one in keyframes])
    spots = []
    for one in seen:
        gone = showing(np.array(one.truth_ne_m), one.side_m, places, sides)
        if (~gone).sum() >= 4:
            without = frozenset(int(keyframe_id) for keyframe_id in ids[gone])
            spots.append(Spot(one.image, one.gsd_m, one.truth_ne_m, without, one.room))
    return spots


def _recorded(path: Path, *words: str | Path) -> Path:
    """A history made by `homing record`, once."""
    if not path.exists():
        command = [sys.executable, "-m", "runtime.cli.main", "record", *map(str, words), "--history", str(path)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return path


def _ariel_history(folder: Path) -> Path:
    """Of the frames as a film of one frame a second, with their subtitles, as their owner would have recorded them."""
    film = folder / "ariel.mp4"
    if not film.exists():
        writer = cv2.VideoWriter(str(film), cv2.VideoWriter.fourcc(*"mp4v"), 1.0, (1024, 576))
        for frame in sorted((DATA / "flights" / "ariel" / "frames").glob("*.jpg")):
            writer.write(cv2.imread(str(frame)))
        writer.release()
    telemetry = DATA / "flights" / "ariel" / "one_a_second.SRT"
    return _recorded(folder / "ariel.db", "--video", film, "--telemetry", telemetry, "--camera-pitch-deg", "-45")


SITES = {
    "survey 100000": lambda folder, embedder: survey(100000, folder, embedder),
    "survey 100001": lambda folder, embedder: survey(100001, folder, embedder),
    "map 100000": lambda folder, embedder: procedural_map(100000, folder, embedder),
    "turku, flight": turku_flight,
    "turku, map": turku_map,
    "ariel, flight": ariel_flight,
    "caliterra": lambda folder, embedder: own_views("caliterra", folder, embedder),
    "brighton": lambda folder, embedder: own_views("brighton", folder, embedder),
}
