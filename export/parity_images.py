"""The parity set of a bundle: the views and photographs that ship, the extremes, and photos of the user's own."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.embedder.parity_set import PARITY_PHOTOS, PARITY_VIEWS, read_sheet, write_sheet
from runtime.errors import UsageError

_SHIPPED_PX = 256  # side of the crops that ship
_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")
Crops = NDArray[np.uint8]


def write_parity_images(folder: Path, size_px: int, own: Path | None) -> tuple[list[Path], Crops]:
    """Write the sheets of a parity set; their files, and the (N, S, S, 3) crops as they will be read again.

    Raises:
        UsageError: ``own`` holds no image.
        StorageError: they cannot be written.
    """
    files = [_shipped(sheet, folder, size_px) for sheet in (PARITY_VIEWS, PARITY_PHOTOS)]
    files.append(folder / "extremes.png")
    write_sheet(files[-1], extremes(size_px))
    if own is not None:
        files.append(folder / "own.png")
        write_sheet(files[-1], folder_of_images(own, size_px, "--parity-images"))
    return files, np.concatenate([read_sheet(file, size_px) for file in files])


def _shipped(sheet: Path, folder: Path, size_px: int) -> Path:
    """One of the sheets that ship, in ``folder``: as it is where its crops have the size that is asked for."""
    if size_px == _SHIPPED_PX:
        return Path(shutil.copyfile(sheet, folder / sheet.name))
    made = folder / f"{sheet.stem}.png"
    write_sheet(made, resized(read_sheet(sheet, _SHIPPED_PX), size_px))
    return made


def extremes(size_px: int) -> Crops:
    """(8, S, S, 3) uint8 RGB: what breaks an engine first, from black and white to noise; always the same."""
    black = np.zeros((size_px, size_px, 3))
    ramp = np.broadcast_to(np.linspace(0, 255, size_px)[:, None], (size_px, size_px))
    rows, columns = np.indices((size_px, size_px))
    checks = 255.0 * ((rows + columns) % 2)[..., None]
    noise = np.random.default_rng(8).integers(0, 256, black.shape)
    quiet = 128 + noise / 32
    stack = [black, black + 255, noise, quiet, black + checks, black + ramp[..., None], black + (255, 0, 0), black]
    stack[-1] = black + (0, 0, 255)
    return np.stack(stack).astype(np.uint8)


def resized(crops: Crops, size_px: int) -> Crops:
    """Every crop at another size."""
    return np.stack([cv2.resize(c, (size_px, size_px), interpolation=cv2.INTER_AREA) for c in crops]).astype(np.uint8)


def folder_of_images(folder: Path, size_px: int, option: str) -> Crops:
    """(N, S, S, 3) uint8 RGB: the middle square of every image in a folder, by name.

    Raises:
        UsageError: there is no such folder, or it holds no image that can be read.
    """
    if not folder.is_dir():
        raise UsageError(f"{option} {folder} is no folder.")
    found = [_square(path, size_px) for path in sorted(folder.iterdir()) if path.suffix.lower() in _SUFFIXES]
    crops = [crop for crop in found if crop is not None]
    if not crops:
        raise UsageError(f"{option} {folder} holds no image that can be read: put photos of your flights there.")
    return np.stack(crops)


def _square(path: Path, size_px: int) -> Crops | None:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        return None
    side = min(image.shape[:2])
    top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
    square = cv2.cvtColor(image[top : top + side, left : left + side], cv2.COLOR_BGR2RGB)
    return cv2.resize(square, (size_px, size_px), interpolation=cv2.INTER_AREA).astype(np.uint8)
