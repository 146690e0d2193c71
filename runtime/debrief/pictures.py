"""What the camera saw: the reduced frames that a log keeps, nearest to the moments of its flight."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence

import cv2
import numpy as np

from runtime.debrief.flown import Flown
from runtime.debrief.sightings import Moment
from runtime.report.flight import Picture
from runtime.values import ImageRGB

_MAX_PICTURES = 8
_NEAR_NS = 15_000_000_000  # from a moment: what was seen later or earlier is of something else


def pictures_of(flown: Flown, moments: Sequence[Moment]) -> tuple[Picture, ...]:
    """The first and the last, and one for each moment that has one near; at most eight."""
    kept = [(t_ns, record) for t_ns, record in flown.records.get("frame", []) if record.get("jpeg")]
    if not kept:
        return ()
    stamps = np.array([t_ns for t_ns, _ in kept])
    captions = {0: "the first", len(kept) - 1: "the last"}
    for moment in moments:
        nearest = int(np.argmin(np.abs(stamps - moment.t_ns)))
        if abs(int(stamps[nearest]) - moment.t_ns) < _NEAR_NS and len(captions) < _MAX_PICTURES:
            captions[nearest] = moment.what
    found = []
    for number in sorted(captions):
        t_ns, record = kept[number]
        image = _decoded(record["jpeg"])
        if image is not None:
            found.append(Picture(f"{flown.seconds(t_ns):.1f} s: {captions[number]}", f"frame {record['index']}", image))
    return tuple(found)


def _decoded(jpeg: str) -> ImageRGB | None:
    try:
        data = base64.urlsafe_b64decode(jpeg)
    except binascii.Error:
        return None
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    return None if image is None else np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)
