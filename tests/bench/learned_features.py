"""What local features find between a picture and a keyframe: ``python -m tests.bench.learned_features --features DIR``.

    python -m tests.bench.learned_features --features DIR [--ground NAME] [--work DIR] [--places N]

On each ground (`ground_sites.py`) the places that it is asked for are held, by each kind of features, against the
keyframes nearest to them and against as many that show nothing of them, as verification holds a frame of known heading
and height against keyframes. A place is right where a keyframe near it passes within the ground's tolerance, wrong
where one passes that shows nothing of it, or one that does puts it further off. Seconds are of one core, for the
features of a picture, and for those of a keyframe that the history does not keep yet with their pairing.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from runtime.bundle import Bundle
from runtime.embedder.embedder import Embedder
from runtime.features.network import FeatureNetwork
from runtime.fix.local_features import DENSE, INVARIANT, UPRIGHT, Features, Kind, features_of, learned
from runtime.fix.memory import ground_of
from runtime.fix.planar_pose import Prior
from runtime.fix.verify import Sighting, Verified, verify
from runtime.geodesy import north_east_m
from runtime.values import GeoPoint, ImageRGB, Keyframe
from tests.bench.ground_sites import SITES
from tests.bench.grounds import DATA, RIGHT, Asked, Ground

_HEIGHT_M = 100.0  # of the camera that a picture is taken to be of: with known scale any will do
_PX_PER_M = 256 / 80.0  # of pictures and keyframes alike: what the towers see at a rung of 80 m
_NEAR, _FAR = 3, 3  # keyframes held against a picture
_LARGEST_PX = 512


@dataclass(slots=True)
class Tally:
    """Of one kind on one ground."""

    right: int = 0
    wrong: int = 0
    places: int = 0
    errors_m: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Near:
    """A ground's keyframes and where they are, each with its features by kind once they were asked for."""

    keyframes: Sequence[Keyframe]
    ne_m: np.ndarray
    origin: GeoPoint
    px_per_m: float
    features: dict[tuple[int, str], Features] = field(default_factory=dict)

    @classmethod
    def of(cls, ground: Ground) -> Near:
        """All of a ground's."""
        keyframes = list(ground.history.keyframes())
        ne_m = np.array([north_east_m(ground.origin, one.ground) for one in keyframes])
        widest = max(one.footprint_m for one in keyframes)
        narrowest = min(one.crop.shape[0] / one.footprint_m for one in keyframes)
        return cls(keyframes, ne_m, ground.origin, min(max(_PX_PER_M, 384 / widest), narrowest, _LARGEST_PX / widest))

    def split(self, asked: Asked) -> tuple[list[Keyframe], list[Keyframe]]:
        """The nearest to a place, and some that show nothing of it."""
        assert asked.truth_ne_m is not None and asked.target.side_m is not None
        away_m = np.abs(self.ne_m - asked.truth_ne_m).max(axis=1)
        left = [n for n in np.argsort(away_m) if self.keyframes[n].keyframe_id not in asked.without]
        reach_m = [self.keyframes[n].footprint_m / 2 for n in left]
        shows = [n for n, reach in zip(left, reach_m, strict=True) if away_m[n] < reach]
        nothing = [n for n, r in zip(left, reach_m, strict=True) if away_m[n] > r + asked.target.side_m]
        return [self.keyframes[n] for n in shows[:_NEAR]], [self.keyframes[n] for n in nothing[:_FAR]]


def _sized(image: ImageRGB, px: int) -> ImageRGB:
    how = cv2.INTER_AREA if px < image.shape[0] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (px, px), interpolation=how), np.uint8)


def _sighting(asked: Asked, kind: Kind, px_per_m: float) -> Sighting:
    side_m = asked.target.side_m
    assert side_m is not None
    picture = _sized(asked.target.image, round(side_m * px_per_m))
    features = features_of(picture, kind, kind.of_query)
    metres = (features.points.astype(np.float64) / picture.shape[0] - 0.5) * side_m
    prior = Prior(math.radians(2.0), math.radians(3.0), _HEIGHT_M, 0.03 * _HEIGHT_M)
    return Sighting(kind, features, metres / _HEIGHT_M, prior)


def _outcomes(near: Near, seen: Sighting, keyframes: Sequence[Keyframe], tally: Tally) -> Iterator[Verified]:
    for keyframe in keyframes:
        started_s, key = time.process_time(), (keyframe.keyframe_id, seen.kind.name)
        fresh = key not in near.features
        if fresh:
            px = round(keyframe.footprint_m * near.px_per_m)
            found = features_of(_sized(keyframe.crop, px), seen.kind, seen.kind.of_keyframe)
            near.features[key] = Features(found.points * (keyframe.crop.shape[0] / px), found.descriptors)
        found = verify(seen, ground_of(keyframe, near.features[key], near.origin))
        if fresh:
            tally.seconds.append(time.process_time() - started_s)
        if isinstance(found, Verified):
            yield found


def measured(ground: Ground, kinds: Sequence[Kind], places: int) -> tuple[dict[str, Tally], dict[str, float]]:
    """The tally of each kind, and the seconds of a picture's features."""
    near, tallies, looked = Near.of(ground), {kind.name: Tally() for kind in kinds}, dict[str, list[float]]()
    for asked in [one for one in ground.asked if one.kind == RIGHT][:places]:
        assert asked.truth_ne_m is not None
        shows, nothing = near.split(asked)
        for kind in kinds:
            started_s, tally = time.process_time(), tallies[kind.name]
            seen = _sighting(asked, kind, near.px_per_m)
            looked.setdefault(kind.name, []).append(time.process_time() - started_s)
            passed = list(_outcomes(near, seen, shows, tally))
            errors_m = [
                math.dist((-one.pose.south_m, one.pose.east_m), asked.truth_ne_m) for one in passed
            ]
            best = passed[int(np.argmax([one.inliers for one in passed]))] if passed else None
            error_m = errors_m[passed.index(best)] if best is not None else math.inf
            tally.places += 1
            tally.right += error_m <= ground.right_m
            tally.errors_m += [error_m] if error_m <= ground.right_m else []
            strayed = math.isfinite(error_m) and error_m > ground.right_m
            tally.wrong += strayed or any(_outcomes(near, seen, nothing, tally))
    return tallies, {name: float(np.median(took)) for name, took in looked.items()}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--features", type=Path, help="folder of homing-export --features; without: corners alone")
    parser.add_argument("--ground", choices=list(SITES), action="append", help="default: all of them")
    parser.add_argument("--work", type=Path, default=Path("out/grounds"))
    parser.add_argument("--places", type=int, default=25)
    options = parser.parse_args()
    if not DATA.is_dir():
        raise SystemExit(f"{DATA} is absent: there is nothing to measure on.")
    cv2.setNumThreads(1)
    options.work.mkdir(parents=True, exist_ok=True)
    kinds = [UPRIGHT, DENSE, INVARIANT]
    if options.features is not None:
        kinds.append(learned(FeatureNetwork.load(options.features)))
    table = Table("ground", "features", "right", "wrong", "median m", "s a picture", "s a keyframe and pair")
    embedder = Embedder(Bundle.load(), threads=1)
    for name in options.ground or SITES:
        with SITES[name](options.work, embedder) as ground:
            tallies, looked_s = measured(ground, kinds, options.places)
        for kind, one in tallies.items():
            middle = f"{np.median(one.errors_m):.1f}" if one.errors_m else "–"
            pair_s = f"{np.median(one.seconds):.3f}" if one.seconds else "–"
            counts = f"{one.right} of {one.places}", f"{one.wrong} of {one.places}"
            table.add_row(name, kind, *counts, middle, f"{looked_s[kind]:.3f}", pair_s)
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
