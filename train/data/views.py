"""A set of pictures of places in several views, as every reader here gives it, and reading its pictures."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.errors import ImageError, UsageError

log = logging.getLogger(__name__)

Crop = NDArray[np.uint8]  # (S, S, 3) RGB
IMAGES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".bmp")


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture of a place; ``place`` is the name that all views of it share."""

    path: Path
    place: str


@dataclass(slots=True)
class Skipped:
    """What could not be read: named once each in the log, counted here."""

    paths: set[Path] = field(default_factory=set)

    def add(self, path: Path, reason: str) -> None:
        """Note an unreadable picture."""
        if path not in self.paths:
            log.warning("%s is skipped: %s", path, reason)
            self.paths.add(path)


def pictures_in(folder: Path) -> list[Picture]:
    """Every picture of a folder of class folders, in order; empty class folders give none.

    Raises:
        UsageError: the folder is missing, or holds no picture at all.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder} is missing: give the folder that the data was unpacked to.")
    found = [
        Picture(path, place.name)
        for place in sorted(p for p in folder.iterdir() if p.is_dir())
        for path in sorted(place.iterdir())
        if path.suffix.lower() in IMAGES
    ]
    if not found:
        raise UsageError(f"{folder} holds no picture in folders by place: is it the right folder?")
    return found


def by_place(pictures: Sequence[Picture]) -> dict[str, list[Picture]]:
    """Pictures under the name of their place, in order."""
    places: dict[str, list[Picture]] = {}
    for picture in pictures:
        places.setdefault(picture.place, []).append(picture)
    return places


def without_partner(views: Mapping[str, Sequence[Picture]]) -> dict[str, list[str]]:
    """Per view, the places that another view has and it has not."""
    every = {picture.place for pictures in views.values() for picture in pictures}
    return {name: sorted(every - {p.place for p in pictures}) for name, pictures in views.items()}


def paired_places(views: Mapping[str, Sequence[Picture]]) -> list[str]:
    """The places that every view has; the others are logged and left out.

    Raises:
        UsageError: there is none.
    """
    for name, missing in without_partner(views).items():
        if missing:
            log.warning("%d places have no %s view, such as %s: they are left out", len(missing), name, missing[0])
    common = set.intersection(*({p.place for p in pictures} for pictures in views.values()))
    if not common:
        raise UsageError(f"no place is in every view ({', '.join(views)}): the folders do not belong together.")
    return sorted(common)


def read_crop(path: Path, size_px: int) -> Crop:
    """A picture as a square (size_px, size_px, 3) uint8 RGB crop, squeezed where it is not square.

    Raises:
        ImageError: it cannot be read.
    """
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise ImageError(f"{path} cannot be read as a picture.")
    shrinks = max(image.shape[:2]) > size_px
    resized = cv2.resize(image, (size_px, size_px), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
    return np.asarray(cv2.cvtColor(resized, cv2.COLOR_BGR2RGB), np.uint8)


def read_batches(
    pictures: Sequence[Picture], size_px: int, batch: int, skipped: Skipped
) -> Iterator[tuple[list[Picture], Crop]]:
    """Batches of (what was read, (n, S, S, 3) crops); what cannot be read is left out and counted."""
    kept: list[Picture] = []
    crops: list[Crop] = []
    for picture in pictures:
        try:
            crops.append(read_crop(picture.path, size_px))
            kept.append(picture)
        except ImageError as error:
            skipped.add(picture.path, str(error))
        if len(kept) == batch:
            yield kept, np.stack(crops)
            kept, crops = [], []
    if kept:
        yield kept, np.stack(crops)
