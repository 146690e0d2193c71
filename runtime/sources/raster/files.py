"""Raster files opened by rasterio (extra ``geo``): quietly, from the disk or a given URL alone, with bounded memory."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from runtime.errors import HomingError, ImageError
from runtime.sources.raster import remote
from runtime.sources.raster.bands import Bands, bands_of, read_values
from runtime.sources.raster.level import Level
from runtime.sources.raster.quiet import reading
from runtime.sources.stretch import Stretch, stretch_of

_CACHE = {"GDAL_CACHEMAX": 64 << 20}  # bytes of decoded blocks; GDAL's own default is a twentieth of the memory
_DISK_ALONE = {"CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".none"}  # a file that names others does not reach the network
# Those that hold pictures in files; not the ones that ask servers, or read any text as a grid of numbers.
_DRIVERS = (
    "GTiff", "VRT", "JP2OpenJPEG", "JP2KAK", "JP2ECW", "JP2MrSID", "ECW", "MrSID", "PNG", "JPEG", "JPEGXL", "WEBP",
    "BMP", "GIF", "GPKG", "MBTiles", "HFA", "ENVI", "EHdr", "ERS", "NITF", "MRF", "RMF", "PCIDSK", "KMLSUPEROVERLAY",
    "PDF", "MAP", "BSB", "IDRISI", "ILWIS", "RST", "SRP", "RPFTOC", "AVIF", "HEIF", "LIBERTIFF",
)  # fmt: skip
_BLOCK_BYTES = 256 << 20  # that a file may ask to be decoded at once
_SAMPLES = 10  # windows along each side that the stretch of deep data is taken from
_SAMPLE_PX = 96  # their side


class Opened:
    """An open raster: its ``dataset``, what its ``bands`` mean, and the stretch of its values."""

    def __init__(self, path: Path, dataset: Any, stack: ExitStack) -> None:
        self.path = path
        self.dataset = dataset
        self.bands: Bands = bands_of(dataset, path)
        self._stack = stack
        self._check_blocks()
        self._stretch = self._sampled()

    @property
    def band_count(self) -> int:
        """How many bands the file has."""
        return int(self.dataset.count)

    def level(self, coarser: tuple[float, float]) -> Level:
        """The raster as many times coarser, at most, than stored (columns, rows); from an overview where there is one
        that is finer still."""
        finest = min(coarser)
        # Twice as fine as wanted: many overviews are every n-th pixel, and a mean of those is no worse than others.
        fitting = [(factor, at) for at, factor in enumerate(self._overviews()) if factor <= finest / 2]
        dataset = self._reopened(max(fitting)[1]) if fitting else self.dataset
        return Level(self.path, dataset, self.bands, self._stretch, coarser, (self.dataset.width, self.dataset.height))

    def _overviews(self) -> list[int]:
        return list(self.dataset.overviews(self.bands.shown[0]))

    def _reopened(self, overview: int) -> Any:
        """The file at an overview; as stored where that has lost the mask."""
        from rasterio.io import DatasetReader

        with reading(self.path):
            again = DatasetReader(self.dataset.name, driver=list(_DRIVERS), overview_level=overview)
            dataset = self._stack.enter_context(again)
        same = dataset.count == self.dataset.count and dataset.dtypes == self.dataset.dtypes
        return dataset if same and dataset.mask_flag_enums == self.dataset.mask_flag_enums else self.dataset

    def _check_blocks(self) -> None:
        block_px = max(rows * columns for rows, columns in self.dataset.block_shapes)
        size = block_px * sum(np.dtype(kind).itemsize for kind in self.dataset.dtypes)
        if size > _BLOCK_BYTES:
            raise ImageError(
                f"{self.path}: is stored in pieces of {size >> 20} MB that can only be read whole; "
                f"give the copy that `rio convert --co TILED=YES` makes of it."
            )

    def _sampled(self) -> Stretch:
        """The stretch of the values in windows that are spread evenly over the raster."""
        from rasterio.windows import Window

        if all(kind == "uint8" for kind in self.dataset.dtypes):
            return Stretch(0.0, 255.0)
        (columns, wide), (rows, high) = (_spread(side) for side in (self.dataset.width, self.dataset.height))
        found = []
        with reading(self.path):
            for row in rows:
                for column in columns:
                    read = read_values(self.dataset, self.bands, Window(column, row, wide, high))
                    flat = read.values.reshape(len(read.values), -1)
                    found.append(flat if read.seen is None else flat[:, read.seen.reshape(-1)])
        return stretch_of(np.concatenate(found, axis=1))


def _spread(side_px: int) -> tuple[list[int], int]:
    """Where windows begin along a side, and how long they are: one of all of it where it is short."""
    if side_px <= _SAMPLES * _SAMPLE_PX:
        return [0], side_px
    return [round(at) for at in np.linspace(0, side_px - _SAMPLE_PX, _SAMPLES)], _SAMPLE_PX


@contextmanager
def opened(path: Path) -> Iterator[Opened]:
    """A raster file, open; or a GeoTIFF at a URL.

    Raises:
        ImageError: it is missing or cannot be reached, or is no picture that can be read.
        HomingError: rasterio is not installed.
    """
    try:
        import rasterio
        from rasterio.io import DatasetReader
    except ImportError:
        raise HomingError("Reading a GeoTIFF needs rasterio; install it with `pip install homing[geo]`.") from None
    url = remote.url_of(path)
    if url is not None:
        remote.check(url)
    elif not path.is_file():
        raise ImageError(f"{path}: {'is a folder; give one file' if path.is_dir() else 'no such file'}.")
    settings = _CACHE | (_DISK_ALONE if url is None else remote.settings(url))
    drivers = list(_DRIVERS) if url is None else ["GTiff"]
    with ExitStack() as stack:
        with reading(path):
            stack.enter_context(_in_this_thread(rasterio.Env(**settings)))
            dataset = stack.enter_context(DatasetReader(path if url is None else remote.name_of(url), driver=drivers))
            file = Opened(path, dataset, stack)
        yield file


@contextmanager
def _in_this_thread(settings: AbstractContextManager[Any]) -> Iterator[None]:
    """GDAL's settings, which belong to the thread that enters them: a file that another one closes, or that is still
    open when the process ends, leaves them to the end of theirs."""
    thread = threading.get_ident()
    settings.__enter__()
    try:
        yield
    finally:
        if threading.get_ident() == thread:
            settings.__exit__(None, None, None)
