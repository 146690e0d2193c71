"""Lets torchvision, and timm which needs it, import beside a torch that its compiled part was not built for.

The torchvision wheels of the registry are compiled for a CUDA torch. Beside the CPU torch their library does not load,
and the import then fails on two operators that it merely describes; nothing here calls them. Where the library does
load, this does nothing.
"""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path

import torch

_SIGNATURE = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_OPERATORS = ("nms", "qnms")


@cache
def declare_missing_operators() -> torch.library.Library | None:
    """Declare what torchvision describes on import, where its compiled part cannot; call before importing either.

    Returns what must stay alive for the declarations to hold (the cache keeps it), None where nothing was missing.
    """
    found = importlib.util.find_spec("torchvision")
    if found is None or found.origin is None:
        return None  # the import itself will say so
    try:
        for compiled in Path(found.origin).parent.glob("_C*"):
            torch.ops.load_library(compiled)  # as torchvision will; loading twice is loading once
        return None
    except OSError:
        library = torch.library.Library("torchvision", "DEF")
        for name in _OPERATORS:
            library.define(name + _SIGNATURE)
        return library
