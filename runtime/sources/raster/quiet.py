"""What rasterio says while it reads: its errors as ours, in one sentence, and nothing else."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from runtime.errors import ImageError


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """While the library reads: what it cannot read is an ImageError in one sentence, and it warns of nothing."""
    from rasterio._err import CPLE_BaseError
    from rasterio.errors import RasterioError

    hooks = sys.unraisablehook, sys.excepthook
    sys.unraisablehook, sys.excepthook = _untold(hooks[0]), _unsaid(hooks[1])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (RasterioError, CPLE_BaseError, UnicodeDecodeError, OverflowError, MemoryError) as error:
        cause = error.__cause__ if isinstance(error.__cause__, CPLE_BaseError) else error
        if "not recognized as being" in str(cause):
            raise ImageError(f"{path}: is not an image or map that can be read.") from None
        raise ImageError(f"{path}: cannot be read as an image or map ({_first_line(cause)}).") from None
    finally:
        sys.unraisablehook, sys.excepthook = hooks


# Rasterio logs what GDAL says as UTF-8. Of a damaged file that may be any bytes, and in the library's callback, which
# can raise nothing, Python tells stderr of it: once through either hook.


def _untold(hook: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def told(unraisable: Any) -> None:
        if not isinstance(unraisable.exc_value, UnicodeDecodeError):
            hook(unraisable)

    return told


def _unsaid(hook: Callable[..., Any]) -> Callable[..., Any]:
    def said(kind: Any, error: Any, trace: Any) -> None:
        if not isinstance(error, UnicodeDecodeError):
            hook(kind, error, trace)

    return said


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n")[0].rstrip(".") or type(error).__name__
