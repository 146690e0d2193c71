"""How well the tags of recorded photos are predicted from one another: what `runtime.fix.tag_field` is set by.

    python -m tests.bench.tag_field

The recorded photos of `caliterra` are three runs of 16 and a rest; no live photo is looked at. Inside each run 4 or 8
successive photos are left out, wherever at least two stay on either side, and predicted from all others. Cameras are
where the whole recording has them, so this is of tags alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from runtime.fix.tag_field import SIGNALS, Signals, TagField
from runtime.geodesy import north_east_m
from runtime.sources.photo import CameraFlags
from runtime.survey.complete import complete
from runtime.survey.survey import survey
from tests.bench.real_photos import BLOCK, DATA, splits_of

RUN, LEFT_OUT, MARGIN = 2 * BLOCK, (4, 8), 2
_NOTHING_SHARED = replace(SIGNALS, slope=0.0, shared_m=0.0)
SETTINGS = {
    "a lever alone": _NOTHING_SHARED,
    "and a drift over the ground": replace(_NOTHING_SHARED, slope=SIGNALS.slope),
    "and what neighbours share, as shipped": SIGNALS,
    "... 2 m of it": replace(SIGNALS, shared_m=2.0),
    "... 8 m of it": replace(SIGNALS, shared_m=8.0),
    "... within 25 m": replace(SIGNALS, shared_reach_m=25.0),
    "... within 100 m": replace(SIGNALS, shared_reach_m=100.0),
    "... within 0.15 rad": replace(SIGNALS, shared_turn_rad=0.15),
    "... within 0.6 rad": replace(SIGNALS, shared_turn_rad=0.6),
}


def recorded() -> NDArray[np.float64]:
    """(N, 5) camera north, east, heading and the offset north, east to the tag, of the recorded photos in order."""
    [split] = splits_of("caliterra")
    photos = complete(survey(split.history, CameraFlags())).photos
    origin = photos[0].position.point
    rows = []
    for photo in photos:
        assert photo.tag and photo.pose.heading
        camera_m, tag_m = (np.array(north_east_m(origin, at.point)) for at in (photo.position, photo.tag))
        rows.append([*camera_m, photo.pose.heading.value, *(tag_m - camera_m)])
    return np.array(rows)


def left_out(count: int) -> Iterator[NDArray[np.bool_]]:
    """(N,) which photos are predicted, one after another."""
    for first in range(0, count - RUN + 1, RUN):
        for size in LEFT_OUT:
            for start in range(first + MARGIN, first + RUN - size - MARGIN + 1):
                yield (np.arange(count) >= start) & (np.arange(count) < start + size)


def errors_m(photos: NDArray[np.float64], signals: Signals) -> NDArray[np.float64]:
    """How far the tags lie from what is predicted of them."""
    found = []
    for out in left_out(len(photos)):
        known = photos[~out]
        field = TagField(known[:, :2], known[:, 2], known[:, 3:], signals)
        for row in photos[out]:
            said = field.at(row[:2], float(row[2]))
            found.append(np.hypot(said.north_m - row[3], said.east_m - row[4]))
    return np.array(found)


def main() -> None:
    """Print the table."""
    if not (DATA / "flights").is_dir():
        raise SystemExit(f"{DATA} is absent: there is nothing to measure on.")
    photos = recorded()
    print(f"{'':40s} median m   mean m    p90 m")
    for name, signals in SETTINGS.items():
        errors = errors_m(photos, signals)
        print(f"{name:40s} {np.median(errors):8.1f} {errors.mean():8.1f} {np.percentile(errors, 90):8.1f}", flush=True)


if __name__ == "__main__":
    main()
