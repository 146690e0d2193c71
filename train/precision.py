"""What computes, and the precision that a step computes in, by the name that the configuration gives it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch

from train.depthwise import SingleDepthwise

FP32, BF16, FP16 = "fp32", "bf16", "fp16"
_TYPES = {BF16: torch.bfloat16, FP16: torch.float16}


def device_here() -> torch.device:
    """The first GPU where there is one, else the processor; float32 on it is float32, in convolutions too.

    cuDNN's default is TF32, which rounds what it multiplies to ten bits: heads are kept in float32 for more than that.
    """
    torch.backends.cudnn.allow_tf32 = False
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@contextmanager
def computing_in(precision: str, device_type: str) -> Iterator[None]:
    """Autocast to a precision, with what makes it fast on that kind of device."""
    if precision == FP32:
        yield
        return
    with torch.autocast(device_type, _TYPES[precision]), SingleDepthwise() if device_type == "cpu" else nullcontext():
        yield
