"""Inner loops of the renderer, compiled to machine code by Numba; what is compiled is kept beside the source.

Floating point is as written, without `fastmath`, so that equal inputs give equal bits on one computer; a division by
zero gives infinity, as in NumPy. Compiled code runs without Python's lock.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """The function as machine code for the types that it is called with."""
    return cast(Function, njit(cache=True, nogil=True, error_model="numpy")(function))


def inlined(function: Function) -> Function:
    """The same for a part of an inner loop: its code is put where it is called from."""
    return cast(Function, njit(cache=True, nogil=True, error_model="numpy", forceinline=True)(function))
