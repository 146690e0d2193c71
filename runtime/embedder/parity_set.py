"""The fixed images that every engine is compared on, as sheets of crops, and what the reference made of them.

A sheet is one image file that holds a grid of square crops, row by row: hundreds of small files would cost more than
the views in them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from runtime.bundle import DEFAULT_BUNDLE, Bundle
from runtime.errors import BundleError, StorageError
from runtime.values import Vectors, ViewKind

PARITY_VIEWS = DEFAULT_BUNDLE / "parity" / "views.webp"  # the rendered views that ship
PARITY_PHOTOS = DEFAULT_BUNDLE / "parity" / "photos.webp"  # photographs from the air; NOTICE says whose
_WEBP_LIMIT_PX = 16383  # of either side
Crops = NDArray[np.uint8]  # (N, S, S, 3) RGB


def parity_images(bundle: Bundle) -> Crops:
    """(N, S, S, 3) uint8 RGB: the images every engine is compared on.

    Raises:
        BundleError: one of the files is not a sheet of crops of the towers' input size.
    """
    return np.concatenate(list(parity_sheets(bundle)))


def parity_sheets(bundle: Bundle) -> Iterator[Crops]:
    """The same in parts (n, S, S, 3), of which only one has to be in memory at a time.

    Raises:
        BundleError: one of the files is not a sheet of crops of the towers' input size.
    """
    for named in bundle.manifest.parity.images:
        yield read_sheet(bundle.path / named.file, bundle.input_size_px)


def parity_embeddings(bundle: Bundle, view: ViewKind) -> Vectors:
    """(N, D) float32: what the reference made of the parity images; a row of nan where rounding decides (`parity`).

    Raises:
        BundleError: there is none for this view, or it is no array of one row per image.
    """
    named = bundle.manifest.parity.embeddings.get(view)
    if named is None:
        raise BundleError(f"the bundle {bundle.name} has no parity embeddings for its {view.value} tower.")
    try:
        reference: Vectors = np.load(bundle.path / named.file, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise BundleError(f"{bundle.path / named.file} is not an array of embeddings.") from error
    if reference.ndim != 2 or reference.shape[1] != bundle.embedding_dim or reference.dtype != np.float32:
        raise BundleError(f"{bundle.path / named.file} is not an array of the bundle's embeddings: {reference.shape}.")
    return reference


def parity_pair(bundle: Bundle, view: ViewKind) -> tuple[Crops, Vectors]:
    """The images and what the reference made of them, row for row.

    Raises:
        BundleError: there are not as many of one as of the other, or either cannot be read.
    """
    images, reference = parity_images(bundle), parity_embeddings(bundle, view)
    if len(images) != len(reference):
        raise BundleError(
            f"the bundle {bundle.name} has {len(images)} parity images, but {len(reference)} reference embeddings."
        )
    return images, reference


def read_sheet(path: Path, size_px: int) -> Crops:
    """The (N, S, S, 3) uint8 RGB crops of a sheet.

    Raises:
        BundleError: it is no image, or its sides are no multiples of ``size_px``.
    """
    try:
        with Image.open(path) as opened:  # not OpenCV: a Jetson's own build need not know WebP
            opened.load()
            return _cut(opened, path, size_px)
    except (OSError, SyntaxError) as error:  # Pillow's reader of PNG raises the latter
        raise BundleError(f"the parity image {path} is not an image that can be read: {error}.") from error


def _cut(sheet: Image.Image, path: Path, size_px: int) -> Crops:
    """Row by row: a second copy of the whole sheet would be most of what a start takes of memory."""
    width, height = sheet.size
    if width % size_px or height % size_px:
        raise BundleError(f"the parity image {path} is not an image of {size_px}x{size_px} pixels, or a grid of them.")
    rows, columns = height // size_px, width // size_px
    crops = np.empty((rows, columns, size_px, size_px, 3), np.uint8)
    for row in range(rows):
        band = np.asarray(sheet.crop((0, row * size_px, width, (row + 1) * size_px)).convert("RGB"), np.uint8)
        crops[row] = band.reshape(size_px, columns, size_px, 3).transpose(1, 0, 2, 3)
    return crops.reshape(-1, size_px, size_px, 3)


def write_sheet(path: Path, crops: Crops, webp_quality: int | None = None) -> None:
    """Write (N, S, S, 3) crops as one sheet: lossless PNG, or WebP where a quality is given.

    Raises:
        StorageError: it cannot be written.
    """
    size_px = crops.shape[1]
    columns = _columns(len(crops), size_px)
    grid = crops.reshape(-1, columns, size_px, size_px, 3).transpose(0, 2, 1, 3, 4)
    sheet = np.ascontiguousarray(grid).reshape(-1, columns * size_px, 3)
    options: Sequence[int] = () if webp_quality is None else (cv2.IMWRITE_WEBP_QUALITY, webp_quality)
    try:
        written, data = cv2.imencode(path.suffix, cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR), options)
        if not written:
            raise StorageError(f"{path} cannot be written: OpenCV does not encode {path.suffix}.")
        path.write_bytes(data.tobytes())
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror}.") from error


def _columns(count: int, size_px: int) -> int:
    """The most square grid without an empty cell that WebP can hold."""
    fitting = [c for c in range(1, count + 1) if count % c == 0 and max(c, count // c) * size_px <= _WEBP_LIMIT_PX]
    if not fitting:
        raise StorageError(f"{count} crops of {size_px} px fit no sheet: leave some out.")
    return min(fitting, key=lambda c: abs(math.log(c * c / count)))
