"""The autopilot's clock against ours, by TIMESYNC (MAVLink time synchronisation protocol v2)."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

_WINDOW = 20  # samples; 10 s at 2 Hz: 50 ppm of drift is 0.5 ms over it, 1.5 % of a busy simulator's 150 ms
_DRIFTS, _DRIFT_MOST = 8, 0.05  # samples from which a drift is told, and more than that is none
_STEP_NS = 50_000_000  # a low-RTT sample this far off the estimate says that a clock was set
_STEPS_TO_BELIEVE = 3
_ANOTHER_NS = 200_000_000  # one autopilot that answers over two ways does so within their delays
_REBOOT_NS = 2_000_000_000  # a clock that goes back further than packets are ever reordered


@dataclass(frozen=True, slots=True)
class Sync:
    """``autopilot_time = our t_ns + offset_ns``, good to half the round trip."""

    offset_ns: int
    rtt_ns: int
    t_ns: int


def _trip(sample: Sync) -> int:
    return sample.rtt_ns


class TimeSync:
    """Minimum-RTT filter over the last samples, carried on by their drift, with the bare arrival time as the named
    fallback. What the round trips can explain is no drift: of a clock that keeps time there is none."""

    def __init__(self, max_rtt_s: float, stale_s: float) -> None:
        self._max_rtt_ns = int(max_rtt_s * 1e9)
        self._stale_ns = int(stale_s * 1e9)
        self.reset()
        self.rejected = 0
        self.steps = 0

    def reset(self) -> None:
        """Forget everything: the autopilot rebooted."""
        self._samples: deque[Sync] = deque(maxlen=_WINDOW)
        self._fastest: Sync | None = None
        self._drift = 0.0
        self._stepped = False
        self._asked: deque[int] = deque(maxlen=8)
        self._answered: deque[tuple[int, int]] = deque(maxlen=8)  # of what was asked: our time, and its clock
        self._odd: list[Sync] = []
        self._last_remote_ns: int | None = None
        self._arrival_offset_ns: int | None = None

    def ask(self, t_ns: int) -> int:
        """The ``ts1`` of a request sent now."""
        self._asked.append(t_ns)
        return t_ns

    def answer(self, tc1: int, ts1: int, t_ns: int) -> bool:
        """Take a reply; True if it was one to us and good enough to use."""
        if ts1 not in self._asked:
            return False
        self._asked.remove(ts1)
        self._answered.append((ts1, tc1 - t_ns))
        rtt_ns = t_ns - ts1
        if not 0 <= rtt_ns <= self._max_rtt_ns:
            self.rejected += 1
            return False
        self._add(Sync(tc1 - (ts1 + rtt_ns // 2), rtt_ns, t_ns))
        return True

    def answered_by_another(self, tc1: int, ts1: int, t_ns: int) -> bool:
        """Whether a request of ours had been answered already, by a clock that is not this one."""
        return any(asked == ts1 and abs(tc1 - t_ns - offset) > _ANOTHER_NS for asked, offset in self._answered)

    def _add(self, sample: Sync) -> None:
        best = self._best(sample.t_ns)
        if best is not None and abs(sample.offset_ns - best.offset_ns) > _STEP_NS:
            self._odd.append(sample)
            if len(self._odd) < _STEPS_TO_BELIEVE:
                return
            self.steps += 1
            self._stepped = True
            self._samples.clear()
            self._samples.extend(self._odd)
            self._arrival_offset_ns = None
        else:
            self._samples.append(sample)
        self._odd = []
        self._fastest, self._drift = min(self._samples, key=_trip), self._drifting()

    def stepped(self) -> bool:
        """Whether a clock was set since the last call: times mapped before it do not compare with later ones."""
        stepped, self._stepped = self._stepped, False
        return stepped

    def _best(self, t_ns: int) -> Sync | None:
        """As it is at ``t_ns``."""
        if self._fastest is None:
            return None
        best, drift = self._fastest, self._drift
        return best if drift == 0.0 else replace(best, offset_ns=best.offset_ns + round(drift * (t_ns - best.t_ns)))

    def _drifting(self) -> float:
        """By which share the autopilot's clock is faster than ours: between the best samples of both halves."""
        samples, half = list(self._samples), len(self._samples) // 2
        if len(samples) < _DRIFTS:
            return 0.0
        before, after = min(samples[:half], key=_trip), min(samples[half:], key=_trip)
        apart_ns = after.offset_ns - before.offset_ns
        if 2 * abs(apart_ns) <= before.rtt_ns + after.rtt_ns:
            return 0.0
        drift = apart_ns / (after.t_ns - before.t_ns)
        return drift if abs(drift) <= _DRIFT_MOST else 0.0

    def went_back(self, remote_ns: int) -> int | None:
        """Note a reading of the autopilot's clock; the previous one if it went back so far that it rebooted."""
        last = self._last_remote_ns
        if last is not None and remote_ns < last - _REBOOT_NS:
            return last
        if last is None or remote_ns > last:
            self._last_remote_ns = remote_ns
        return None

    def current(self, t_ns: int) -> Sync | None:
        """The best sample, if the newest one is not stale."""
        if not self._samples or t_ns - self._samples[-1].t_ns > self._stale_ns:
            return None
        return self._best(t_ns)

    def to_local(self, remote_ns: int, arrival_ns: int) -> int:
        """Our time of an instant on the autopilot's clock, never later than its arrival.

        Without TIMESYNC the fastest packet so far sets the offset: its own delay stays in the result.
        """
        arrival_offset = remote_ns - arrival_ns
        if self._arrival_offset_ns is None or arrival_offset > self._arrival_offset_ns:
            self._arrival_offset_ns = arrival_offset
        sync = self.current(arrival_ns)
        offset = sync.offset_ns if sync is not None else self._arrival_offset_ns
        return min(remote_ns - offset, arrival_ns)
