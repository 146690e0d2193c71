"""Fixes real photos by sight alone, through the commands a user types, and measures them by their GPS tags.

    python -m tests.bench.real_photos [--flight caliterra|brighton] [--distractors N] [--keep DIR]

`caliterra`: photos in file order in blocks of 8, every third block live, the rest recorded. `brighton`: six rounds,
in each every sixth of its 18 photos is live. Live photos lose GPS, time and name, or every tag there is. Distractor
keyframes are in the history before: satellite scenes of `rsscn7` (the frames of `juru` are label maps, which nothing
mistakes for ground), mirrored and turned where there are not enough, and one in ten simulated.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from runtime.bundle import Bundle
from runtime.embedder.embedder import Embedder
from runtime.fix.tag_field import TagOffset, tag_field_of
from runtime.geodesy import distance_m, north_east_m, offset
from runtime.history.history import History, stored
from runtime.sources.photo import read_photo
from runtime.values import GeoPoint, Keyframe, Pose, Position, PositionSource, ViewKind
from sim.galleries import drone_gallery, scattered
from sim.world.world import World

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
BLOCK, LIVE_OF, ROUNDS = 8, 3, 6
_PLACES = {"caliterra": (GeoPoint(30.1712, -98.0898), 50.0), "brighton": (GeoPoint(46.8426, -91.9945), 37.0)}
FOREIGN = "distractors"
_TIME_TAGS = (0x0132,)  # DateTime; the others lie in the Exif block
_EXIF_TIME_TAGS = (0x9003, 0x9004, 0x9010, 0x9011, 0x9012, 0x9290, 0x9291, 0x9292)


@dataclass(frozen=True, slots=True)
class Split:
    """Photos that are recorded, and photos that are fixed."""

    history: list[Path]
    live: list[Path]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: metres from the tags of what was fixed, and how many were asked."""

    name: str
    errors_m: list[float]
    asked: int

    def text(self) -> str:
        """Share fixed, median, 90th percentile, worst."""
        if not self.errors_m:
            return f"{self.name:42s}   0 %"
        middle, high = np.percentile(self.errors_m, [50, 90])
        share = len(self.errors_m) / self.asked
        return f"{self.name:42s} {share:4.0%} {middle:8.1f} {high:8.1f} {max(self.errors_m):8.1f}"


def splits_of(flight: str) -> list[Split]:
    """The flight's photos in file order, parted; one split per round."""
    photos = sorted(path for path in (DATA / "flights" / flight).iterdir() if path.suffix.lower() == ".jpg")
    if flight == "caliterra":
        rounds = [[k for k in range(len(photos)) if k // BLOCK % LIVE_OF == LIVE_OF - 1]]
    else:
        rounds = [list(range(first, len(photos), ROUNDS)) for first in range(ROUNDS)]
    return [
        Split([p for k, p in enumerate(photos) if k not in live], [photos[k] for k in live]) for live in rounds
    ]


def strip(photo: Path, target: Path, bare: bool) -> None:
    """A copy without GPS and time, or without any tag, its pixels as they were."""
    with Image.open(photo) as image:
        exif = image.getexif()
        exif.pop(0x8825, None)
        for tag in _TIME_TAGS:
            exif.pop(tag, None)
        details = exif.get_ifd(0x8769)
        for tag in _EXIF_TIME_TAGS:
            details.pop(tag, None)
        extra = {} if bare else {"exif": exif.tobytes(), "xmp": image.info.get("xmp", b"")}
        image.save(target, quality="keep", subsampling="keep", **extra)


def homing(*words: str | Path) -> list[dict[str, object]]:
    """The JSON lines of a `homing` command, run as a process."""
    command = [sys.executable, "-m", "runtime.cli.main", *map(str, words), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1, 3) or not done.stdout:
        raise SystemExit(f"homing {words[0]} failed ({done.returncode}): {done.stderr}")
    sys.stderr.write("".join(line + "\n" for line in done.stderr.splitlines() if "solved" in line))
    return [json.loads(line) for line in done.stdout.splitlines()]


def distractors(path: Path, flight: str, count: int) -> None:
    """A history of foreign keyframes about the flight's place, at about its scale."""
    bundle = Bundle.load()
    embedder = Embedder(bundle, threads=2)
    world = World.generate(100_123, 600.0)
    rng = np.random.default_rng(7)
    frames = sorted((DATA / "texture" / "rsscn7").glob("*.jpg"))
    rng.shuffle(frames)  # their names go by kind
    place, usual_m = _PLACES[flight]
    simulated = drone_gallery(world, scattered(world, max(1, count // 10), usual_m, 3), usual_m, 512).images
    with History.create(path, bundle.embedding_space_id, bundle.name) as history:
        for number in range(count):
            if number % 10 == 0:
                image, name = simulated[number // 10], f"simulated {number}"
            else:
                photo = cv2.cvtColor(cv2.imread(str(frames[number % len(frames)])), cv2.COLOR_BGR2RGB)
                image, name = _varied(photo, number // len(frames)), f"rsscn7 {number}"
            side_m = usual_m * float(rng.uniform(0.8, 1.2))
            rungs = [rung for rung in bundle.footprints_m if rung <= side_m][-2:]  # those that are compared
            crops = np.stack([_centre(image, rung / side_m, bundle.input_size_px) for rung in rungs])
            ground = offset(place, *map(float, rng.uniform(-500, 500, 2)))
            at = Position.circular(ground, 3.0, PositionSource.TAG)
            keyframe = Keyframe(0, FOREIGN, ViewKind.DRONE, name, Pose(0), at, ground, 3.0, side_m, image)
            history.add(keyframe, stored(embedder.embed(ViewKind.DRONE, crops), rungs))


def _varied(image: np.ndarray, turn: int) -> np.ndarray:
    return np.ascontiguousarray(np.rot90(image[:, ::-1] if turn % 2 else image, turn))


def _centre(image: np.ndarray, share: float, size_px: int) -> np.ndarray:
    side = round(image.shape[0] * share)
    first = (image.shape[0] - side) // 2
    middle = image[first : first + side, first : first + side]
    return cv2.resize(middle, (size_px, size_px), interpolation=cv2.INTER_AREA)


def exhaustive(split: Split, history: History) -> list[float]:  # the obvious way, to be compared with
    """Every live photo against every recorded one by SIFT: the point under the image's centre, of the best pair, and
    what the flight's tags would have called it, by the same field as in `fix`."""
    detector, matcher = cv2.SIFT.create(2000), cv2.BFMatcher()
    keyframes = [keyframe for keyframe in history.keyframes() if keyframe.flight != FOREIGN]
    known = [detector.detectAndCompute(_grey(keyframe.crop), None) for keyframe in keyframes]
    origin = keyframes[0].ground
    tags = tag_field_of(keyframes, origin, read_photo(split.live[0]).camera)
    errors = []
    for photo in split.live:
        frame = read_photo(photo).frame.image
        image = cv2.resize(frame, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        points, descriptors = detector.detectAndCompute(_grey(image), None)
        best: tuple[int, Keyframe, np.ndarray] | None = None
        for keyframe, (others, theirs) in zip(keyframes, known, strict=True):
            pairs = [a for a, b in matcher.knnMatch(descriptors, theirs, 2) if a.distance < 0.8 * b.distance]
            if len(pairs) < 8:
                continue
            here = np.array([points[pair.queryIdx].pt for pair in pairs])
            there = np.array([others[pair.trainIdx].pt for pair in pairs])
            found, mask = cv2.findHomography(here, there, cv2.USAC_MAGSAC, 3.0)
            if found is not None and (best is None or mask.sum() > best[0]):
                best = (int(mask.sum()), keyframe, found)
        if best is not None and best[0] >= 15:
            middle = np.array([image.shape[1] / 2, image.shape[0] / 2])
            seen = cv2.perspectiveTransform(np.array([[middle, middle - [0, 10]]]), best[2])[0]
            east_south_m = (seen / best[1].crop.shape[0] - 0.5) * best[1].footprint_m
            at_m = np.array(north_east_m(origin, best[1].ground)) + east_south_m[0, ::-1] * [-1, 1]
            east, south = east_south_m[1] - east_south_m[0]
            said = tags.at(at_m, math.atan2(east, -south)) if tags is not None else TagOffset(0.0, 0.0, 0.0)
            at = offset(origin, float(at_m[0]) + said.north_m, float(at_m[1]) + said.east_m)
            errors.append(distance_m(at, _tag(photo)))
    return errors


def _grey(image: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)


def _tag(photo: Path) -> GeoPoint:
    tag = read_photo(photo).tag
    assert tag is not None
    return tag.point


def measure(flight: str, count: int, folder: Path) -> list[Row]:
    """The rows of one flight's table over all its rounds; everything is written under ``folder``."""
    folder.mkdir(parents=True)
    distractors(folder / "foreign.db", flight, count)
    rows: dict[str, Row] = {}
    for number, split in enumerate(splits_of(flight)):
        for row in _round(split, folder / f"round {number}", folder / "foreign.db"):
            before = rows.get(row.name, Row(row.name, [], 0))
            rows[row.name] = Row(row.name, before.errors_m + row.errors_m, before.asked + row.asked)
    return list(rows.values())


def _round(split: Split, folder: Path, foreign: Path) -> list[Row]:
    recorded, path = folder / "recorded", folder / "history.db"
    recorded.mkdir(parents=True)
    shutil.copy(foreign, path)
    for photo in split.history:
        shutil.copy(photo, recorded / photo.name)
    print(homing("record", "--images", recorded, "--history", path)[-1])
    rows = [_fixed("fix", split, folder / "tags", path, bare=False)]
    rows.append(_fixed("fix, photos without any tag", split, folder / "bare", path, bare=True))
    with History.open(path) as history:
        rows += _baselines(split, history, folder)
        rows.append(Row("exhaustive SIFT over all pairs", exhaustive(split, history), len(split.live)))
    return rows


def _fixed(name: str, split: Split, folder: Path, path: Path, bare: bool) -> Row:
    folder.mkdir()
    copies = [folder / f"{number:03d}.jpg" for number in range(len(split.live))]
    for photo, copy in zip(split.live, copies, strict=True):
        strip(photo, copy, bare)
    answers = homing("fix", "--history", path, *copies)
    (folder / "answers.json").write_text(json.dumps(answers))
    errors, within = [], []
    for photo, answer in zip(split.live, answers, strict=True):
        if answer["decision"] == "fix":
            at = GeoPoint(float(str(answer["latitude_deg"])), float(str(answer["longitude_deg"])))
            errors.append(distance_m(at, _tag(photo)))
            within.append(np.abs(north_east_m(at, _tag(photo))) / float(str(answer["sigma_m"])))
            print(f"  {photo.name:14s} {errors[-1]:6.1f} m  sigma {answer['sigma_m']:5.1f}  {answer['reason']}")
        else:
            print(f"  {photo.name:14s} {answer['decision']}: {answer['reason']}")
    one, two = (np.mean(np.array(within) < k) if within else 0.0 for k in (1, 2))
    milliseconds = np.median([float(str(answer["latency_ms"])) for answer in answers])
    print(f"  {name}: {milliseconds:.0f} ms a photo; per axis within 1 sigma {one:.0%}, within 2 sigma {two:.0%}")
    return Row(name, errors, len(split.live))


def _baselines(split: Split, history: History, folder: Path) -> list[Row]:
    tags = {photo.name: _tag(photo) for photo in split.history}
    answers = json.loads((folder / "tags" / "answers.json").read_text())
    copied = []
    for photo, answer in zip(split.live, answers, strict=True):
        if answer["keyframe"] is not None:
            name = history.keyframe(answer["keyframe"]).name
            copied.append(distance_m(tags[name], _tag(photo)))
    rng = np.random.default_rng(1)
    names = sorted(tags)
    drawn = [distance_m(tags[names[rng.integers(len(names))]], _tag(photo)) for photo in split.live for _ in range(50)]
    count = len(split.live)
    return [Row("tag of the best keyframe", copied, count), Row("tag of a random keyframe", drawn, count * 50)]


def main(words: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flight", choices=["caliterra", "brighton"], action="append", help="default: both")
    parser.add_argument("--distractors", type=int, default=2000, help="foreign keyframes (default 2000)")
    parser.add_argument("--keep", type=Path, help="a new folder for the histories and answers")
    options = parser.parse_args(words)
    if not (DATA / "flights").is_dir():
        raise SystemExit(f"{DATA} is absent: there is nothing to measure on.")
    with tempfile.TemporaryDirectory() as scratch:
        for flight in options.flight or ["caliterra", "brighton"]:
            rows = measure(flight, options.distractors, (options.keep or Path(scratch)) / flight)
            print(f"{flight:42s} fixed median m    p90 m  worst m")
            print("\n".join(row.text() for row in rows), flush=True)


if __name__ == "__main__":
    main()
