"""What holds of a log whatever is in it: what comes out is in range, or it is refused in a sentence."""

from __future__ import annotations

import contextlib
import io
import math
import warnings
from collections.abc import Callable
from pathlib import Path

from hypothesis import Phase

from runtime.errors import TelemetryError
from runtime.sources.track import Track

UNSHRUNK = [Phase.explicit, Phase.reuse, Phase.generate]  # a log takes minutes to shrink


def read_or_refuse(read: Callable[[Path], tuple[Track, list[str]]], path: Path) -> Track | None:
    """The track, None where the log was refused; a warning, a traceback or anything printed fails."""
    printed = io.StringIO()
    with warnings.catch_warnings(), contextlib.redirect_stderr(printed), contextlib.redirect_stdout(printed):
        warnings.simplefilter("error")
        try:
            track, notes = read(path)
        except TelemetryError as error:
            assert str(error).endswith(".") and "\n" not in str(error)
            track, notes = None, []
        if track is not None:
            assert_in_range(track)
    assert not printed.getvalue()
    assert all(note.endswith(".") and "\n" not in note for note in notes)
    return track


def assert_in_range(track: Track) -> None:
    """Whatever was read: a place on this planet, known to something, at a height where something flies."""
    first_s, last_s = track.span_s
    for k in range(21):
        state = track.at(first_s + k * (last_s - first_s) / 20)
        if state is None or state.position is None:
            continue
        at, pose = state.position, state.pose
        assert abs(at.point.latitude_deg) <= 90 and abs(at.point.longitude_deg) <= 180
        assert 0 < at.sigma_m <= 50 and (at.point.latitude_deg or at.point.longitude_deg)
        for height in (pose.altitude_amsl_m, pose.height_takeoff_m, pose.height_agl_m):
            assert height is None or (math.isfinite(height.value) and 0 < height.sigma <= 2000)
        assert pose.heading is None or math.isfinite(pose.heading.value)
