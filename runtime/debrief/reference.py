"""Another log of the same flight as the truth, on the flight log's clock: by the vehicle's own clock, else by dates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from runtime.debrief.flown import Flown
from runtime.debrief.truth import RECEIVER, Truth, by_time, doubted_ns
from runtime.debrief.wire import Stamp
from runtime.errors import TelemetryError
from runtime.sources.track import Track

_ANOTHER_S = 2.0  # by which a vehicle's clock runs apart from this computer's before that is another boot
_SAME_BOOT_S = 30.0  # two words on the date of one boot: receivers that lack leap seconds, a clock that was just set


@dataclass(frozen=True, slots=True)
class _Boot:
    """A boot of the vehicle as the flight log heard it: when its clock was zero, and the date of that."""

    zero_ns: int
    first_ns: int
    last_ns: int
    zero_utc_s: float | None


def reference(path: Path, track: Track, flown: Flown, offset_s: float | None = None) -> tuple[Truth, str]:
    """The places of another log by the flight log's clock, and a sentence on how the two clocks were brought together.

    ``offset_s``: the other log's time at the flight log's beginning, where the user says it. Of a receiver's word
    nothing is taken from where the flight began to doubt it.

    Raises:
        TelemetryError: nothing says how the clocks belong together, or the two are of other times.
    """
    zero_ns, how = _zero(path, track, flown, offset_s)
    word = track.word or "telemetry"
    places = [(zero_ns + round(place.t_s * 1e9), place.position) for place in track.places]
    truth = by_time(f"{word} in {path.name}", places)
    if not any(flown.first_t_ns <= t_ns <= flown.last_t_ns for t_ns in truth.stamps_ns):
        raise TelemetryError(f"{path}: {_apart(truth.stamps_ns, flown)}; it is the log of another flight.")
    if word == RECEIVER:
        truth = truth.until(doubted_ns(flown.records.get("navigation", [])))
    return truth, how


def _zero(path: Path, track: Track, flown: Flown, offset_s: float | None) -> tuple[int, str]:
    """The flight log's instant of the track's time zero."""
    if offset_s is not None:
        return flown.first_t_ns - round(offset_s * 1e9), "the clocks were brought together by --time-offset-s"
    boots = list(_boots(flown.wire.stamps))
    if track.boot_start_s is not None and boots:
        boot = _same(path, track, track.boot_start_s, boots)
        return boot.zero_ns + round(track.boot_start_s * 1e9), "the clocks were brought together by the vehicle's own"
    if track.utc_start_s is not None and flown.clock is not None:
        at_ns, unix_ns = flown.clock
        how = "the clocks were brought together by their dates: what this computer's was off stands in the errors"
        return at_ns + round(track.utc_start_s * 1e9) - unix_ns, how
    raise TelemetryError(
        f"{path}: nothing says how its clock and the flight log's belong together; "
        "--time-offset-s says its time at the flight log's beginning."
    )


def _boots(stamps: Sequence[Stamp]) -> Iterator[_Boot]:
    """The boots in their order; of each, what was under way least long says when its clock was zero."""
    begin = 0
    zeros_ns = [stamp.t_ns - round(stamp.boot_s * 1e9) for stamp in stamps]
    for end in range(1, len(stamps) + 1):
        if end < len(stamps) and abs(zeros_ns[end] - zeros_ns[end - 1]) < _ANOTHER_S * 1e9:
            continue
        of = stamps[begin:end]
        dates = [stamp.utc_s - stamp.boot_s for stamp in of if stamp.utc_s is not None]
        yield _Boot(min(zeros_ns[begin:end]), of[0].t_ns, of[-1].t_ns, float(np.median(dates)) if dates else None)
        begin = end


def _same(path: Path, track: Track, start_s: float, boots: Sequence[_Boot]) -> _Boot:
    """The boot that the track is of.

    Raises:
        TelemetryError: by their dates it is none of them.
    """
    zero_utc_s = None if track.utc_start_s is None else track.utc_start_s - start_s
    dated = [boot for boot in boots if boot.zero_utc_s is not None]
    if zero_utc_s is None or not dated:
        length_s = track.span_s[1] - track.span_s[0]

        def together_ns(boot: _Boot) -> float:
            first_ns = boot.zero_ns + start_s * 1e9
            return min(boot.last_ns, first_ns + length_s * 1e9) - max(boot.first_ns, first_ns)

        return max(boots, key=together_ns)
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
