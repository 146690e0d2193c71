"""A frame of unknown heading on a map: which way it was turned, where it lies, and how high it was taken.

It is read in every heading (and, where its height is unknown, at every scale) in one batch, and each reading's vector
is compared with all tiles. Wrong headings resemble some tile too, so what counts is how far a tile stands out among
all by that reading. The few that stand out most are laid on the tiles about them by their spatial maps. Where those fit
best several crops are cut, each is looked for about where it should lie, and a pose through where they are found says
heading and height better; the best are looked at once more so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from runtime.centred import centred
from runtime.fix.planar_pose import PlanarPose, Prior, solve
from runtime.fix.query import Known
from runtime.fix.query_crops import QueryCrop, query_crops, shrunk
from runtime.fix.retrieve import Tower
from runtime.fix.window import Window, windows_of
from runtime.matching.gallery import Snapshot
from runtime.place.gallery import Rung
from runtime.rotations import turned_about_vertical
from runtime.values import Frame, ImageRGB, Pose, ViewKind
from runtime.view import GroundPlane, rectify_about

Array = NDArray[np.float64]

_TILES = 24  # that stand out most, of all readings together
_COMPARED = 4_096  # tiles of a reading, the most similar: among so many one stands out
_SPOTS = 3  # of those that fit best as a whole
_APART = 0.3  # of the footprint: tiles of one reading nearer to a better one are covered by its window
_SAME = 0.4  # of the footprint: aircraft nearer to each other are one place
_STEP = 0.42  # of the footprint, between the crops of a grid: half of each is its own
_MIN_COVERAGE = 0.75  # of a crop of the grid
_MOST_CROPS = 7
LEAST_CROPS = 4  # that agree, for a layout to be accepted
_NOISE = 0.03  # of the footprint: 1-sigma of where a crop is found, half a cell
_AGREES_WITHIN = 0.09  # of the footprint: a cell and a half
_LEAST_CHANCE = 0.02  # of what a crop fits better than about it: on varied ground chance makes twice as much
_CLEAR = 2.5  # times chance: more than is asked for
_MIN_SHARE_OF_BEST = 0.5  # of what the best place stands out by: one with less is not looked at again
_NO_TILT_RAD = math.radians(0.3)
_FOUND_TURN_SIGMA_RAD, _FOUND_SCALE_SIGMA = math.radians(4.0), 0.05  # of what a spot says
_TURN_SIGMA_RAD, _SCALE_SIGMA = math.radians(10.0), 0.15  # of a reading; headings are tried 30 degrees apart
_LEAST_SCALE = 0.5  # of a reading's height: crops that scatter say nothing


@dataclass(frozen=True, slots=True)
class Spot:
    """A place where a frame may have been taken: what is ``known`` now, with heading and height; the ``pose`` of the
    camera through the crops that were cut, of which ``agreeing`` of ``crops`` lie where it has them; and how far it
    ``stands_out``: how many times better all crops fit there than about it, than one crop does by chance on this map.
    ``level_ne_m``: (2,) north and east of the aircraft if its tilt is what it is said to be.
    ``footprint_m`` of the crops, ``keyframe_id`` of the nearest tile."""

    known: Known
    pose: PlanarPose
    level_ne_m: Array
    footprint_m: float
    keyframe_id: int
    agreeing: int
    crops: int
    stands_out: float

    @property
    def clear(self) -> bool:
        """Whether nothing else needs to be looked at."""
        return self.stands_out >= _CLEAR and self.crops > LEAST_CROPS and self.agreeing >= self.crops - 1

    @property
    def place_ne_m(self) -> tuple[float, float]:
        """(north, east) of the aircraft."""
        return -self.pose.south_m, self.pose.east_m


@dataclass(frozen=True, slots=True)
class _Start:
    """A reading's ``pose`` and where it has the aircraft, (2,) north and east; ``fits``: how well its middle does."""

    pose: Pose
    air_ne_m: Array
    footprint_m: float
    fits: float


class Sweep:
    """Looks for frames of unknown heading on the satellite tiles of a history."""

    def __init__(self, embedder: Tower) -> None:
        self._embedder = embedder

    def spots(self, frame: Frame, known: Known, gallery: Snapshot, seen_footprints_m: Sequence[float]) -> list[Spot]:
        """The places where a frame fits best, the best first; none where the model has no spatial maps.

        ``seen_footprints_m``: visible footprints to try where the height is unknown.
        """
        bundle = self._embedder.bundle
        rungs = gallery.footprints(ViewKind.SATELLITE)
        readings = query_crops(frame, known, rungs, largest, seen_footprints_m, bundle.input_size_px)
        if not readings or bundle.map_shape is None:
            return []
        embedded = self._embedder.embed(ViewKind.DRONE, np.stack([one.image for one in readings]))
        if embedded.maps is None:
            return []
        galleries = {side_m: Rung(gallery, ViewKind.SATELLITE, side_m, bundle.shared_dim) for side_m in rungs}
        starts = _starts(readings, embedded.vectors, centred(embedded.maps), galleries)
        chance = max(float(np.median([start.fits for start in starts])), _LEAST_CHANCE)  # nearly all are wrong
        found: list[Spot] = []
        for start in starts[:_SPOTS]:
            found.append(self._looked(frame, replace(known, pose=start.pose), start.air_ne_m, chance, galleries))
            if found[-1].clear:
                break
        enough = _MIN_SHARE_OF_BEST * max(one.stands_out for one in found)
        again = [
            self._looked(frame, one.known, one.level_ne_m, chance, galleries) if one.stands_out >= enough else one
            for one in found
        ]
        return sorted(again, key=lambda one: -one.stands_out)

    def _looked(
        self, frame: Frame, known: Known, air_ne_m: Array, chance: float, galleries: Mapping[float, Rung]
    ) -> Spot:
        """What crops that are cut as ``known`` has it say of an aircraft at (2,) north and east."""
        plane = GroundPlane.of(known.camera, known.pose)
        assert plane is not None  # a reading was cut
        rung, places = _grid(plane, known.heading_rad, galleries)
        windows = windows_of(rung, self._maps(frame, known, places, rung.footprint_m), air_ne_m + places)
        spot = _solved(known, plane.height_agl_m, places, air_ne_m, windows, rung)
        return replace(spot, stands_out=spot.stands_out / chance)

    def _maps(self, frame: Frame, known: Known, places: Array, footprint_m: float) -> NDArray[np.float32]:
        size_px = self._embedder.bundle.input_size_px
        plane = GroundPlane.of(known.camera, known.pose)
        assert plane is not None  # a reading was cut
        small = shrunk(frame, plane, footprint_m, size_px)
        crops: list[ImageRGB] = [
            rectify_about(small, known.camera, known.pose, (float(north), float(east)), footprint_m, size_px)
            for north, east in places
        ]
        maps = self._embedder.embed(ViewKind.DRONE, np.stack(crops)).maps
        assert maps is not None  # the readings had some
        return centred(maps)


def largest(covered: Sequence[float]) -> Sequence[float]:
    """Of rungs that a camera covers, the largest first, that one alone."""
    return covered[:1]


def _starts(
    readings: Sequence[QueryCrop],
    vectors: NDArray[np.float32],
    maps: NDArray[np.float32],
    galleries: Mapping[float, Rung],
) -> list[_Start]:
    """The places of the tiles that stand out most by some reading, those where its middle fits best first."""
    found = []
    for reading, ids in _standing_out(readings, vectors, galleries).items():
        one = readings[reading]
        rung = galleries[one.footprint_m]
        places = _apart(rung.ne_m[ids], _APART * one.footprint_m)
        queries = np.repeat(maps[reading : reading + 1], len(places), axis=0)
        for place, window in zip(places, windows_of(rung, queries, places), strict=True):
            air = place + window.shift_ne_m - np.array(one.centre_ne_m)
            found.append(_Start(one.pose, air, one.footprint_m, window.best))
    found.sort(key=lambda start: -start.fits)
    distinct: list[_Start] = []
    for start in found:
        if all(math.dist(start.air_ne_m, other.air_ne_m) > _SAME * other.footprint_m for other in distinct):
            distinct.append(start)
    return distinct


def _standing_out(
    readings: Sequence[QueryCrop], vectors: NDArray[np.float32], galleries: Mapping[float, Rung]
) -> dict[int, NDArray[np.int64]]:
    """By reading, the rows of the tiles that stand out most, each among all tiles as that reading sees them."""
    rows, stand_out, of = [], [], []
    for side_m in {one.footprint_m for one in readings}:
        own = [number for number, one in enumerate(readings) if one.footprint_m == side_m]
        index = galleries[side_m].index
        best, similarity = index.search(vectors[own], min(len(index), _COMPARED))
        deviations = (similarity - similarity.mean(axis=1, keepdims=True)) / np.maximum(
            similarity.std(axis=1, keepdims=True), 1e-6
        )
        rows.append(best[:, :_TILES].ravel())
        stand_out.append(deviations[:, :_TILES].ravel())
        of.append(np.repeat(own, min(_TILES, len(index))))
    order = np.argsort(-np.concatenate(stand_out), kind="stable")[:_TILES]
    chosen, readers = np.concatenate(rows)[order], np.concatenate(of)[order]
    return {int(reader): chosen[readers == reader] for reader in dict.fromkeys(readers.tolist())}


def _apart(places: Array, apart_m: float) -> Array:
    """Those of (N, 2) places that are not near to an earlier one."""
    kept: list[Array] = []
    for place in places:
        if all(math.dist(place, other) > apart_m for other in kept):
            kept.append(place)
    return np.array(kept)


def _grid(plane: GroundPlane, heading_rad: float, galleries: Mapping[float, Rung]) -> tuple[Rung, Array]:
    """The largest rung at which a grid of crops is seen, and (N, 2) north and east of their middles from the aircraft;
    the rung with the most crops where none has enough."""
    rungs = sorted(galleries.values(), key=lambda rung: -rung.footprint_m)
    grids = [(rung, _places(plane, heading_rad, rung.footprint_m)) for rung in rungs]
    enough = next((one for one in grids if len(one[1]) > LEAST_CROPS), None)
    return enough or max(grids, key=lambda one: len(one[1]))


def _places(plane: GroundPlane, heading_rad: float, footprint_m: float) -> Array:
    middle, step_m = np.array(plane.crop_centre()), _STEP * footprint_m
    ahead = np.array([math.cos(heading_rad), math.sin(heading_rad)])
    right = np.array([-ahead[1], ahead[0]])
    around = [middle + step_m * (i * ahead + j * right) for i in (0, 1, -1) for j in (0, 1, -1)]
    seen = [one for one in around[1:] if plane.coverage(one[0], one[1], footprint_m, 256) >= _MIN_COVERAGE]
    return np.array([middle, *seen][:_MOST_CROPS])


def _solved(
    known: Known, height_m: float, places: Array, air_ne_m: Array, windows: Sequence[Window], rung: Rung
) -> Spot:
    """The pose through where crops are found, and what of it agrees."""
    rays = np.stack([places[:, 1], -places[:, 0]], axis=1) / height_m
    found = air_ne_m + places + np.array([one.shift_ne_m for one in windows])
    ground, noise_m = np.stack([found[:, 1], -found[:, 0]], axis=1), _NOISE * rung.footprint_m
    prior = Prior(_NO_TILT_RAD, _TURN_SIGMA_RAD, height_m, _SCALE_SIGMA * height_m)
    east_m, south_m = (ground - rays * height_m).mean(axis=0)
    start = PlanarPose(float(east_m), float(south_m), height_m, np.eye(3), np.eye(2), 0.0)
    level = solve(rays, ground, noise_m, prior, start=start)
    pose = solve(rays, ground, noise_m, replace(prior, tilt_sigma_rad=known.prior.tilt_sigma_rad), start=level)
    missed = np.linalg.norm(level.ground_of(rays) - ground, axis=1)
    middle = level.ground_of(rays[:1])[0]
    return Spot(
        _told(known, level),
        pose,
        np.array([-level.south_m, level.east_m]),
        rung.footprint_m,
        int(rung.ids[np.linalg.norm(rung.ne_m - [-middle[1], middle[0]], axis=1).argmin()]),
        int((missed <= _AGREES_WITHIN * rung.footprint_m).sum()),
        len(places),
        Window.joint(windows).best,
    )


def _told(known: Known, pose: PlanarPose) -> Known:
    """What is known of the camera, with the heading and height of a pose."""
    own = known.pose
    assert own.attitude is not None and own.height_agl_m is not None
    turned = turned_about_vertical(own.attitude.ned_from_body, pose.heading_rad)
    attitude = replace(own.attitude, ned_from_body=turned, heading_sigma_rad=_FOUND_TURN_SIGMA_RAD)
    height_m = max(pose.height_m, _LEAST_SCALE * own.height_agl_m.value)
    height = replace(own.height_agl_m, value=height_m, sigma=_FOUND_SCALE_SIGMA * height_m)
    return replace(known, pose=replace(own, attitude=attitude, height_agl_m=height))
