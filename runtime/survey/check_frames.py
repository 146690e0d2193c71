"""Which frames of a film are held against one another: short runs of overlapping ones, spread over all of its way."""

from __future__ import annotations

from runtime.geodesy import distance_m
from runtime.sources.video import Filmed
from runtime.values import GeoPoint, NavState

_RUN = 6  # frames of a run: five steps of a quarter of the height tell it to some five per cent
_STEP = 0.25  # of the height as it is said, between frames of a run: they overlap though it be half or twice the true
_RUNS = 10  # of a film: each costs some seconds of matching
_WAY_SAMPLES = 400  # of the track, to know how long the film's way is


class CheckFrames:
    """Picks frames while a film passes by, in its order."""

    def __init__(self, filmed: Filmed, length_s: float) -> None:
        way_m = _way_m(filmed, length_s)
        self._stride_m = way_m / _RUNS
        self._most_step_m = way_m / _RUN  # a run fits into a short film, whatever its height is said to be
        self._last: GeoPoint | None = None
        self._run_m = self._since_m = 0.0  # of the way since the run began, and since the last frame of it
        self._taken = 0  # of the run

    def wants(self, state: NavState) -> bool:
        """Whether the frame of this state is one of them."""
        height = state.pose.height_agl_m
        if state.position is None or height is None or height.value <= 0:
            return False
        moved_m = 0.0 if self._last is None else distance_m(self._last, state.position.point)
        first, self._last = self._last is None, state.position.point
        self._run_m, self._since_m = self._run_m + moved_m, self._since_m + moved_m
        if self._taken >= _RUN and self._run_m >= self._stride_m:
            self._taken, self._run_m, first = 0, 0.0, True
        if not first and (self._taken >= _RUN or self._since_m < min(_STEP * height.value, self._most_step_m)):
            return False
        self._taken, self._since_m = self._taken + 1, 0.0
        return True


def _way_m(filmed: Filmed, length_s: float) -> float:
    places = [state.position.point for state, _ in filmed.sampled(length_s, _WAY_SAMPLES) if state.position is not None]
    return sum(distance_m(a, b) for a, b in zip(places, places[1:], strict=False))
