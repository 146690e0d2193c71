"""What rasterio says while it reads: its errors as ours, in one sentence, and nothing else."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runtime.errors import ImageError


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """While the library reads: what it cannot read is an ImageError in one sentence, and it warns of nothing."""
    from rasterio._err import CPLE_BaseError
    from rasterio.errors import RasterioError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (RasterioError, CPLE_BaseError) as error:
        cause = error.__cause__ if isinstance(error.__cause__, CPLE_BaseError) else error
        if "not recognized as being" in str(cause):
            raise ImageError(f"{path}: is not an image or map that can be read.") from None
        raise ImageError(f"{path}: cannot be read as an image or map ({_first_line(cause)}).") from None


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n")[0].rstrip(".")
