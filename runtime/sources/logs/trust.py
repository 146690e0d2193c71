"""When a log's positions are to be believed: by what the receivers and the estimator said around them.

Both the report before and the one after have to be good: a receiver says that it has lost its fix up to a second late.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass

from runtime.geodesy import north_east_m
from runtime.reports.values import Estimator, Fused, Receiver
from runtime.sources.accuracy import VAGUE, WORST_SIGMA_M
from runtime.sources.logs.boots import Boot, Fed, Sourced, Stream

_FED_S = 3.0  # after a companion's last word the receiver is its own again: ArduPilot drops a silent one after 4 s
_LEAP_M = 10.0  # between two positions that velocity does not explain: the estimator was set to another place
_LEAP_WITHIN_S = 1.0  # over a longer hole nobody knows
_FASTEST_M_S = 60.0  # where a log says no velocity

NO_POSITION = "the estimator had no position"
NO_FIX = "GPS lost: no 3D fix"
NOT_ABSOLUTE = "GPS lost: the estimator had no absolute position"
GLITCH = "the estimator rejected GPS"
LEAPT = "it leapt away and back"
FED = "GPS was fed by a companion, which is no GPS"
OTHER_SOURCE = "the estimator's position was not by GPS"


@dataclass(frozen=True, slots=True)
class Known:
    """How well a position is known: ``doubt`` in words, "" where it is believed; sigmas None where nothing says."""

    doubt: str
    sigma_m: float | None = None
    altitude_sigma_m: float | None = None


class Trust:
    """Judges the positions of one boot."""

    def __init__(self, boot: Boot) -> None:
        self._estimator = boot.stream(Estimator)
        self._sources = boot.stream(Sourced)
        self._fed = _fed_times(boot)
        self._always_fed = {said.instance for said in boot.of(Fed)[1] if said.always}
        self._receivers = _by_instance(boot)
        self._leapt = _Leaps(*boot.of(Fused), self._estimator)

    def fused(self, t_s: float, said: Fused, index: int) -> Known:
        """Of the estimator's ``index``-th position of the boot."""
        receiver = self._receiver(t_s)
        doubt = self._doubt(t_s, said, index) or receiver.doubt
        sigma_m = receiver.sigma_m if said.sigma_m is None else said.sigma_m
        altitude = receiver.altitude_sigma_m if said.altitude_sigma_m is None else said.altitude_sigma_m
        return _unless_vague(Known(doubt, sigma_m, altitude))

    def raw(self, t_s: float, said: Receiver) -> Known:
        """Of a receiver's own position."""
        doubt = NO_POSITION if said.point is None else said.doubt
        if not said.fixed:
            doubt = NO_FIX
        elif self._is_fed(said.instance, t_s):
            doubt = FED
        return _unless_vague(Known(doubt, said.horizontal_sigma_m, said.vertical_sigma_m))

    def _doubt(self, t_s: float, said: Fused, index: int) -> str:
        if said.point is None:
            return NO_POSITION
        if said.doubt:
            return said.doubt
        for judged in _neighbours(self._estimator, t_s):
            if isinstance(judged, Estimator) and not judged.ok:
                return GLITCH if judged.gps_glitch else NOT_ABSOLUTE
        before = self._sources.around(t_s)[0]
        source = self._sources.reports[before] if before >= 0 else None
        if isinstance(source, Sourced) and not source.by_gps:
            return OTHER_SOURCE
        return self._leapt.doubt(index)

    def _receiver(self, t_s: float) -> Known:
        """By the best of the receivers at an instant; believed without any where the log holds none."""
        known = [self._one(instance, stream, t_s) for instance, stream in self._receivers.items()]
        good = [one for one in known if not one.doubt]
        if good:
            return min(good, key=lambda one: math.inf if one.sigma_m is None else one.sigma_m)
        return max(known, key=lambda one: one.doubt == FED, default=Known(""))

    def _one(self, instance: int, stream: Stream, t_s: float) -> Known:
        around = [one for one in _neighbours(stream, t_s) if isinstance(one, Receiver)]
        if not all(one.fixed for one in around):
            return Known(NO_FIX)
        if self._is_fed(instance, t_s):
            return Known(FED)
        doubt = next((one.doubt for one in around if one.doubt), "")
        return Known(doubt, around[0].horizontal_sigma_m, around[0].vertical_sigma_m)

    def _is_fed(self, instance: int, t_s: float) -> bool:
        if instance in self._always_fed:
            return True
        times = self._fed.get(instance, [])
        after = bisect_left(times, t_s)
        return any(abs(times[k] - t_s) <= _FED_S for k in (after - 1, after) if 0 <= k < len(times))


class _Leaps:
    """By how far the estimator was set elsewhere while it rejected GPS, and not yet back: it then believes a receiver
    that it had good reason not to. ArduPilot does so after about 12 s."""

    def __init__(self, times: list[float], fused: list[Fused], estimator: Stream) -> None:
        self._net_m = [0.0] * len(fused)
        north_m = east_m = 0.0
        last: int | None = None
        for k, said in enumerate(fused):
            if said.point is None:
                continue
            if last is not None and _glitching(estimator, times[last], times[k]):
                step = _unexplained(fused[last], said, times[k] - times[last])
                north_m, east_m = north_m + step[0], east_m + step[1]
            self._net_m[k] = math.hypot(north_m, east_m)
            last = k

    def doubt(self, index: int) -> str:
        """In words, "" where the position stands where it always stood."""
        net_m = self._net_m[index]
        return f"it had leapt by {net_m:.0f} m while the estimator rejected GPS" if net_m > _LEAP_M else ""


def _unexplained(a: Fused, b: Fused, dt_s: float) -> tuple[float, float]:
    """North and east metres of a leap between two positions; zeros where they lie as their velocities say."""
    if a.point is None or b.point is None or dt_s > _LEAP_WITHIN_S:
        return 0.0, 0.0
    north_m, east_m = north_east_m(a.point, b.point)
    explained_m = _FASTEST_M_S * dt_s
    if a.velocity_ned_m_s is not None and b.velocity_ned_m_s is not None:
        explained_m = 0.0
        north_m -= (a.velocity_ned_m_s[0] + b.velocity_ned_m_s[0]) / 2 * dt_s
        east_m -= (a.velocity_ned_m_s[1] + b.velocity_ned_m_s[1]) / 2 * dt_s
    return (north_m, east_m) if math.hypot(north_m, east_m) > _LEAP_M + explained_m else (0.0, 0.0)


def _glitching(estimator: Stream, from_s: float, to_s: float) -> bool:
    before, after = estimator.around(from_s)[0], estimator.around(to_s)[1]
    around = estimator.reports[max(before, 0) : after + 1]
    return any(isinstance(one, Estimator) and one.gps_glitch for one in around)


def _neighbours(stream: Stream, t_s: float) -> list[object]:
    before, after = stream.around(t_s)
    return [stream.reports[k] for k in (before, after) if 0 <= k < len(stream.reports)]


def _by_instance(boot: Boot) -> dict[int, Stream]:
    streams: dict[int, Stream] = {}
    for t_s, said in zip(*boot.of(Receiver), strict=True):
        stream = streams.setdefault(said.instance, Stream())
        stream.times.append(t_s)
        stream.reports.append(said)
    return streams


def _fed_times(boot: Boot) -> dict[int, list[float]]:
    times: dict[int, list[float]] = {}
    for t_s, said in zip(*boot.of(Fed), strict=True):
        times.setdefault(said.instance, []).append(t_s)
    return times


def _unless_vague(known: Known) -> Known:
    vague = not known.doubt and known.sigma_m is not None and known.sigma_m > WORST_SIGMA_M
    return Known(VAGUE, known.sigma_m, known.altitude_sigma_m) if vague else known
