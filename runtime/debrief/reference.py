"""Another log of the same flight as the truth, on the flight log's clock: by the vehicle's own clock, else by dates."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from runtime.debrief.flown import Flown
from runtime.debrief.truth import RECEIVER, Truth, by_time, doubted_ns
from runtime.debrief.wire import Stamp
from runtime.errors import TelemetryError
from runtime.sources.track import Track

_REORDERED_S = 2.0  # a clock that goes back further was started again; one that falls behind is a simulator's
_WINDOW_S = 5.0  # in which one of the reports was under way least long; clocks do not run apart in it
_SAME_BOOT_S = 30.0  # two words on the date of one boot: receivers that lack leap seconds, a clock that was just set


@dataclass(frozen=True, slots=True)
class _Boot:
    """A boot of the vehicle as the flight log heard it: ``stamps_ns`` by this computer's clock at ``times_s`` of the
    vehicle's, and the date at which that was zero. A simulator's clock may run slower than this computer's."""

    times_s: NDArray[np.float64]
    stamps_ns: NDArray[np.float64]
    zero_utc_s: float | None

    def at_ns(self, boot_s: float) -> int:
        """This computer's instant of one of the vehicle's; beyond what was heard the clocks run alike."""
        beyond_s = float(boot_s - np.clip(boot_s, self.times_s[0], self.times_s[-1]))
        return round(float(np.interp(boot_s, self.times_s, self.stamps_ns)) + beyond_s * 1e9)


def reference(path: Path, track: Track, flown: Flown, offset_s: float | None = None) -> tuple[Truth, str]:
    """The places of another log by the flight log's clock, and a sentence on how the two clocks were brought together.

    ``offset_s``: the other log's time at the flight log's beginning, where the user says it. Of a receiver's word
    nothing is taken from where the flight began to doubt it.

    Raises:
        TelemetryError: nothing says how the clocks belong together, or the two are of other times.
    """
    at_ns, how = _clock(path, track, flown, offset_s)
    word = track.word or "telemetry"
    places = [(at_ns(place.t_s), place.position) for place in track.places]
    truth = by_time(f"{word} in {path.name}", places)
    if not any(flown.first_t_ns <= t_ns <= flown.last_t_ns for t_ns in truth.stamps_ns):
        raise TelemetryError(f"{path}: {_apart(truth.stamps_ns, flown)}; it is the log of another flight.")
    if word == RECEIVER:
        truth = truth.until(doubted_ns(flown.records.get("navigation", [])))
    return truth, how


def _clock(path: Path, track: Track, flown: Flown, offset_s: float | None) -> tuple[Callable[[float], int], str]:
    """From the track's seconds to the flight log's instants."""
    if offset_s is not None:
        return _from(flown.first_t_ns - round(offset_s * 1e9)), "the clocks were brought together by --time-offset-s"
    boots = list(_boots(flown.wire.stamps))
    if track.boot_start_s is not None and boots:
        start_s, boot = track.boot_start_s, _same(path, track, track.boot_start_s, boots)
        return lambda t_s: boot.at_ns(start_s + t_s), "the clocks were brought together by the vehicle's own"
    if track.utc_start_s is not None and flown.clock is not None:
        at_ns, unix_ns = flown.clock
        how = "the clocks were brought together by their dates: what this computer's was off stands in the errors"
        return _from(at_ns + round(track.utc_start_s * 1e9) - unix_ns), how
    raise TelemetryError(
        f"{path}: nothing says how its clock and the flight log's belong together; "
        "--time-offset-s says its time at the flight log's beginning."
    )


def _from(zero_ns: int) -> Callable[[float], int]:
    return lambda t_s: zero_ns + round(t_s * 1e9)


def _boots(stamps: Sequence[Stamp]) -> Iterator[_Boot]:
    """The boots in their order; of every few seconds of one, what was under way least long tells both clocks."""
    begin = 0
    zeros_ns = [stamp.t_ns - round(stamp.boot_s * 1e9) for stamp in stamps]
    for end in range(1, len(stamps) + 1):
        if end < len(stamps) and stamps[end].boot_s > stamps[end - 1].boot_s - _REORDERED_S:
            continue
        quickest: dict[int, int] = {}
        for k in range(begin, end):
            window = int(stamps[k].boot_s // _WINDOW_S)
            if zeros_ns[k] < zeros_ns[quickest.setdefault(window, k)]:
                quickest[window] = k
        kept = [stamps[k] for k in sorted({*quickest.values(), end - 1})]  # the last too: how fast it runs at its end
        dates = [one.utc_s - one.boot_s for one in stamps[begin:end] if one.utc_s is not None]
        yield _Boot(np.array([one.boot_s for one in kept]), np.array([float(one.t_ns) for one in kept]),
                    float(np.median(dates)) if dates else None)  # fmt: skip
        begin = end


def _same(path: Path, track: Track, start_s: float, boots: Sequence[_Boot]) -> _Boot:
    """The boot that the track is of.

    Raises:
        TelemetryError: by their dates it is none of them.
    """
    zero_utc_s = None if track.utc_start_s is None else track.utc_start_s - start_s
    dated = [boot for boot in boots if boot.zero_utc_s is not None]
    if zero_utc_s is None or not dated:
        first_s, last_s = (start_s + end_s for end_s in track.span_s)
        return max(boots, key=lambda one: float(min(one.times_s[-1], last_s) - max(one.times_s[0], first_s)))
    apart = {id(boot): abs((boot.zero_utc_s or 0.0) - zero_utc_s) for boot in dated}
    boot = min(dated, key=lambda one: apart[id(one)])
    if apart[id(boot)] > _SAME_BOOT_S:
        raise TelemetryError(
            f"{path}: its autopilot was started {_duration(apart[id(boot)])} apart from the one that the flight log "
            "heard; it is the log of another flight, or --boot chooses the right part of it."
        )
    return boot


def _apart(stamps_ns: Sequence[int], flown: Flown) -> str:
    if stamps_ns[0] > flown.last_t_ns:
        return f"begins {_duration((stamps_ns[0] - flown.last_t_ns) * 1e-9)} after the flight log's end"
    if stamps_ns[-1] < flown.first_t_ns:
        return f"ends {_duration((flown.first_t_ns - stamps_ns[-1]) * 1e-9)} before the flight log begins"
    return "has no position within the time of the flight log"


def _duration(seconds: float) -> str:
    for size, name in ((86400.0, "days"), (3600.0, "h"), (60.0, "min")):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.0f} {name}"
    return f"{seconds:.0f} s"
