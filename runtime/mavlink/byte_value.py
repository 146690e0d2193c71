"""A message whose first field is a float32 and whose value is four bytes: what PX4 calls an integer is no float.

Most of its integers are denormal floats, and a thread that has made an engine of ONNX Runtime with denormals as zeros
turns each of them into 0 wherever Python packs or unpacks a float32; -1 is a NaN.
"""

from __future__ import annotations

import struct
from typing import Any


def with_bytes(message: Any, wire: bytes) -> Any:
    """``message`` with ``wire``, four bytes, in the place of its first field, a float."""
    (name, *_), (order, first, *rest) = type(message).ordered_fieldnames, type(message).unpacker.format
    assert first == "f" and len(wire) == 4
    message.unpacker = struct.Struct("".join((order, "4s", *rest)))
    setattr(message, name, wire)
    return message
