"""Training pairs from real pictures of the ground: one picture seen twice, as two cameras on two dates might see it.

    python -m train.data.texture --sequence FRAMES --scenes PICTURES --out DIR

writes a folder in University-1652's layout. Splits are made on the sources before anything is cut: a sequence of
overlapping frames by contiguous ranges with a gap, single scenes by chance, and near-duplicates across the split leave
the training side. Two warps of one picture are training material; they prove nothing about two dates of one place.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer
from numpy.typing import NDArray

from runtime.errors import HomingError, ImageError, StorageError, UsageError
from train.data.augment import another_sensor
from train.data.views import IMAGES

log = logging.getLogger(__name__)

Image = NDArray[np.uint8]  # (S, S, 3) RGB
TEST_SHARE, GAP = 0.2, 20  # of the sources; frames left out between a training range and a test range
_RANGES = 5  # a sequence's test frames lie in so many contiguous ranges
_THUMB, _ALIKE = 12, 0.97  # side of the thumbnails compared, and the correlation from which two are one scene
_SHIFT, _TURN_DEG, _SCALES, _TILT, _RELIEF = 0.3, 15.0, (0.8, 1.25), 0.08, 0.03
_INSIDE = 0.42  # of a picture's side: a crop so large fits whatever the warp
_LEAST_GRAIN = 0.5  # grey levels of the middle Laplacian: label maps have 0, photographs of calm water 1
_DRAWS = 200  # tries at a warp that stays inside


@dataclass(frozen=True, slots=True)
class Split:
    """Which sources are trained on and which are kept; those in neither are the gap and the near-duplicates."""

    train: tuple[Path, ...]
    test: tuple[Path, ...]


def split(sequences: Sequence[Path], scenes: Sequence[Path]) -> Split:
    """Split frames in order of their names, and scenes that have no order.

    Raises:
        ImageError: a picture cannot be read.
    """
    kept = {path: _in_test_range(i, len(sequences)) for i, path in enumerate(sorted(sequences))}
    train = [path for path, test in kept.items() if test is False]
    test = [path for path, is_test in kept.items() if is_test]
    for path in sorted(scenes):
        chance = int(hashlib.sha256(f"{path.parent.name}/{path.name}".encode()).hexdigest()[:8], 16) / 0x1_0000_0000
        (test if chance < TEST_SHARE else train).append(path)
    return Split(_without_duplicates(train, test), tuple(test))


def is_photograph(image: Image) -> bool:
    """Whether a picture has the grain of a photograph; drawings and label maps are flat almost everywhere."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return float(np.median(np.abs(cv2.Laplacian(grey, cv2.CV_32F)))) >= _LEAST_GRAIN


def seen_twice(image: Image, size_px: int, views: int, rng: np.random.Generator) -> tuple[list[Image], Image]:
    """(drone crops, satellite crop), each (S, S, 3): displaced, turned, scaled, tilted against the satellite's, parts
    of the scene moved as if they stood up, each with a sensor, season, light, haze and sharpness of its own.

    Raises:
        ImageError: the picture is too small for that.
    """
    side = min(image.shape[:2])
    if side < 64:
        raise ImageError("a picture of under 64 pixels is too small to be seen twice.")
    crop = side * _INSIDE * rng.uniform(1.0, 1.25)
    middle = np.array(image.shape[1::-1]) / 2 + rng.uniform(-0.1, 0.1, 2) * side
    satellite = _another_date(_cut(image, _corners(middle, crop, 0.0, np.ones(4)), size_px), rng)
    return [_displaced(image, middle, crop, size_px, rng) for _ in range(views)], satellite


def _displaced(
    image: Image, middle: NDArray[np.float64], crop: float, size_px: int, rng: np.random.Generator
) -> Image:
    for _ in range(_DRAWS):
        moved = middle + rng.uniform(-_SHIFT, _SHIFT, 2) * crop
        tilt = 1 + rng.uniform(-_TILT, _TILT, 4)
        turned = _corners(moved, crop * rng.uniform(*_SCALES), np.radians(rng.uniform(-_TURN_DEG, _TURN_DEG)), tilt)
        if _fit(turned, image):
            return _another_date(_cut(_raised(image, moved, rng), turned, size_px), rng)
    raise ImageError("no two crops fit into the picture.")


def _in_test_range(index: int, count: int) -> bool | None:
    """True in a test range, None in the gap beside one, False elsewhere."""
    period = count / _RANGES
    at = index % period
    length = TEST_SHARE * period
    if at < length:
        return True
    return None if at < length + GAP or at >= period - GAP else False


def _without_duplicates(train: Sequence[Path], test: Sequence[Path]) -> tuple[Path, ...]:
    """Training sources that look like no test source."""
    if not train or not test:
        return tuple(train)
    ours, theirs = (np.stack([_thumbnail(path) for path in side]) for side in (train, test))
    alike = (ours @ theirs.T).max(axis=1) > _ALIKE
    return tuple(path for path, same in zip(train, alike, strict=True) if not same)


def _thumbnail(path: Path) -> NDArray[np.float32]:
    grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if grey is None:
        raise ImageError(f"{path} cannot be read as a picture.")
    small = cv2.resize(grey, (_THUMB, _THUMB), interpolation=cv2.INTER_AREA).astype(np.float32).ravel()
    small -= small.mean()
    return np.asarray(small / max(float(np.linalg.norm(small)), 1e-6), np.float32)


def _corners(
    middle: NDArray[np.float64], side: float, turn_rad: float, stretch: NDArray[np.float64]
) -> NDArray[np.float32]:
    """(4, 2) x, y of a square's corners, each drawn out from the middle by its own factor."""
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * side / 2 * stretch[:, None]
    c, s = np.cos(turn_rad), np.sin(turn_rad)
    return np.asarray(middle + corners @ np.array([[c, s], [-s, c]]), np.float32)


def _fit(corners: NDArray[np.float32], image: Image) -> bool:
    room = 2 + _RELIEF * min(image.shape[:2])
    limits = np.array(image.shape[1::-1]) - 1 - room
    return bool((corners >= room).all() and (corners <= limits).all())


def _cut(image: Image, corners: NDArray[np.float32], size_px: int) -> Image:
    edge = size_px - 0.5
    target = np.array([[-0.5, -0.5], [edge, -0.5], [edge, edge], [-0.5, edge]], np.float32)
    matrix = cv2.getPerspectiveTransform(corners, target)
    return np.asarray(cv2.warpPerspective(image, matrix, (size_px, size_px), flags=cv2.INTER_AREA), np.uint8)


def _raised(image: Image, middle: NDArray[np.float64], rng: np.random.Generator) -> Image:
    """Relief: blobs of the scene moved outward from below the camera, as roofs and crowns are."""
    height, width = image.shape[:2]
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    coarse = rng.random((8, 8)).astype(np.float32)
    blobs = np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)
    above = np.clip((blobs - 0.6) * 2.5, 0, 1) * np.float32(rng.uniform(0, _RELIEF) / _INSIDE * 2)
    x, y = columns - above * (columns - np.float32(middle[0])), rows - above * (rows - np.float32(middle[1]))
    return np.asarray(cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def _another_date(crop: Image, rng: np.random.Generator) -> Image:
    """Season on what is green, light from another side, haze, and then another sensor."""
    light = crop.astype(np.float32)
    green = np.clip((light[..., 1] - light[..., [0, 2]].max(axis=2)) / 25, 0, 1)[..., None]
    light = light * (1 + green * rng.uniform(-0.25, 0.35, 3).astype(np.float32))
    grey = cv2.GaussianBlur(light.mean(axis=2), (0, 0), crop.shape[0] / 128)
    slope = rng.uniform(-0.6, 0.6, 2)
    shade = slope[0] * cv2.Sobel(grey, cv2.CV_32F, 1, 0) + slope[1] * cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    light = light + np.clip(shade, -30, 30)[..., None]
    haze = rng.uniform(0, 0.18)
    light = np.asarray(light * (1 - haze) + 205 * haze)
    return another_sensor(np.asarray(np.clip(light, 0, 255), np.uint8), rng)


def write_pairs(chosen: Split, out: Path, size_px: int, views: int, seed: int) -> tuple[int, int]:
    """Write a satellite picture and ``views`` drone pictures a source; how many sources in training and test.

    What is no photograph is named, left out and not counted.

    Raises:
        UsageError: ``out`` holds something, or no source is a photograph.
        StorageError: it cannot be written.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} exists already: name another folder with --out.")
    counts = {"train": 0, "test": 0}
    for part, paths in (("train", chosen.train), ("test", chosen.test)):
        for number, path in enumerate(paths):
            image = _read(path)
            if not is_photograph(image):
                log.warning("%s is skipped: it is a drawing or a map of labels, no photograph", path)
                continue
            drones, satellite = seen_twice(image, size_px, views, np.random.default_rng([seed, part == "test", number]))
            for view, drone in enumerate(drones):
                _write(out, part, "drone", f"{path.parent.name}-{path.stem}", view, drone)
            _write(out, part, "satellite", f"{path.parent.name}-{path.stem}", 0, satellite)
            counts[part] += 1
    if not any(counts.values()):
        raise UsageError("none of the pictures is a photograph: name other folders.")
    return counts["train"], counts["test"]


def _read(path: Path) -> Image:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise ImageError(f"{path} cannot be read as a picture.")
    return np.ascontiguousarray(image[..., ::-1], np.uint8)


def _write(out: Path, part: str, view: str, place: str, number: int, image: Image) -> None:
    names = [f"train/{view}"] if part == "train" else [f"test/query_{view}", f"test/gallery_{view}"]
    try:
        for name in names:
            path = out / name / place / f"{number:02d}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(cv2.imencode(".jpg", image[..., ::-1], (cv2.IMWRITE_JPEG_QUALITY, 92))[1].tobytes())
    except OSError as error:
        raise StorageError(f"{out} cannot be written: {error.strerror}.") from error


def main(
    out: Annotated[Path, typer.Option(help="Folder to make.")],
    sequence: Annotated[list[Path] | None, typer.Option(help="Folder of frames that overlap in order.")] = None,
    scenes: Annotated[list[Path] | None, typer.Option(help="Folder of pictures of different places.")] = None,
    size_px: Annotated[int, typer.Option(min=64, max=512)] = 256,
    views: Annotated[int, typer.Option(min=1, help="Drone pictures of each source.")] = 2,
    seed: Annotated[int, typer.Option(min=0)] = 0,
) -> None:
    """Make training pairs of real texture."""
    found = [[p for folder in folders or [] for p in folder.rglob("*") if p.suffix.lower() in IMAGES]
             for folders in (sequence, scenes)]  # fmt: skip
    if not any(found):
        raise UsageError("no pictures: name folders with --sequence or --scenes.")
    train, test = write_pairs(split(*found), out, size_px, views, seed)
    typer.echo(f"{out}: {train} sources to train on, {test} kept; two warps of one picture prove nothing")


if __name__ == "__main__":
    try:
        typer.run(main)
    except HomingError as error:
        typer.echo(f"texture: {error}", err=True)
        raise SystemExit(error.exit_status) from error
