"""Names pictures by what they show and where: a copy, in whatever folder and under whatever name, has the same."""

from __future__ import annotations

import hashlib
from pathlib import Path

from runtime.values import GeoPoint, ImageRGB

_BYTES = 16  # of a digest: no two of all pictures ever taken share one
_ENDS_BYTES = 1 << 20  # of a video, at both ends; between them lie gigabytes
_SCAN, _APPLICATION, _COMMENT = 0xDA, range(0xE0, 0xF0), 0xFE  # JPEG markers (ITU-T T.81, table B.1)


def photo_fingerprint(path: Path, image: ImageRGB, where: GeoPoint) -> str:
    """Of a photo's file and its (H, W, 3) pixels: for a JPEG by its coded picture, which every copy shares whatever was
    done to its tags; else by its pixels, which other formats keep to the bit."""
    try:
        coded = _coded_picture(path.read_bytes())
    except OSError:
        coded = None
    return _named(coded if coded is not None else _shape_and_bytes(image), where)


def picture_fingerprint(image: ImageRGB, where: GeoPoint) -> str:
    """Of an (H, W, 3) picture's pixels."""
    return _named(_shape_and_bytes(image), where)


def video_fingerprint(path: Path) -> str:
    """Of a video's file, by its size and its ends; '' where it cannot be read."""
    if path.is_dir():  # a bag of ROS 2: its longest file holds the messages
        path = max(path.iterdir(), key=lambda one: one.stat().st_size, default=path)
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            first = file.read(_ENDS_BYTES)
            file.seek(max(0, size - _ENDS_BYTES))
            return hashlib.blake2b(b"%d " % size + first + file.read(), digest_size=_BYTES).hexdigest()
    except OSError:
        return ""


def frame_fingerprint(video: str, index: int, where: GeoPoint) -> str:
    """Of a frame of the video of that fingerprint."""
    return f"{video} {index} {_at(where)}" if video else ""


def _named(content: bytes, where: GeoPoint) -> str:
    return f"{hashlib.blake2b(content, digest_size=_BYTES).hexdigest()} {_at(where)}"


def _at(where: GeoPoint) -> str:
    return f"{where.latitude_deg:.7f} {where.longitude_deg:.7f}"


def _shape_and_bytes(image: ImageRGB) -> bytes:
    return repr(image.shape).encode() + image.tobytes()


def _coded_picture(data: bytes) -> bytes | None:
    """A JPEG without its application segments and comments; None of anything else."""
    if data[:2] != b"\xff\xd8":
        return None
    at, kept = 2, list[bytes]()
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker, end = data[at + 1], at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == _SCAN:
            return b"".join([*kept, data[at:]])
        if marker not in _APPLICATION and marker != _COMMENT:
            kept.append(data[at:end])
        at = max(end, at + 2)
    return None
