"""A sequence filter over fixes and odometry, each taken in at its own instant, however late it comes.

While several places are possible the belief is a sum of Gaussians, which a wrong fix cannot narrow to one; once one
place rules it is one Kalman filter (a bank of a few, one for each assumption of how good fixes are).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from runtime.localizer.gaussian_sum import Array, GaussianSum, distances
from runtime.localizer.parameters import FilterParameters
from runtime.localizer.state import POSITION, coasted, referenced, turned
from runtime.localizer.updates import Place, after_displacement, after_fix
from runtime.values import Displacement

_ASKED = 8  # answers kept
_SAME_PLACE = 3.0  # Bhattacharyya: means five sigma apart, or one spread twenty times as wide as the other


@dataclass(frozen=True, slots=True)
class Ruling:
    """The likeliest place: mean (D,) and covariance (D, D) of the state there, and the ``share`` of the belief that
    agrees with it."""

    mean: Array
    covariance: Array
    share: float


# The belief after a measurement, and the log of how likely that was by the belief before; belief None: nothing known.
_Change = Callable[[GaussianSum | None], tuple[GaussianSum | None, float]]


@dataclass(frozen=True, slots=True)
class _Step:
    """One measurement, the belief after it, and the log of how likely all measurements were up to it."""

    t_ns: int
    change: _Change
    belief: GaussianSum | None
    reference_t_ns: int | None
    log_evidence: float


class SequenceFilter:
    """The belief of where the aircraft is, in metres on a plane, from measurements with their instants.

    A measurement that is late is put in its place in time, and those after it are taken again; one that is older than
    ``bounds.replay_s`` is refused. It starts from nothing, or from `start`.
    """

    def __init__(self, parameters: FilterParameters | None = None) -> None:
        self._parameters = parameters or FilterParameters()
        self._steps: list[_Step] = []
        self._asked: dict[int, Ruling | None] = {}  # since the last measurement: the daemon asks of a frame many times

    def start(self, t_ns: int, belief: GaussianSum) -> None:
        """Forgets everything and goes on from a belief."""
        self._steps = [_Step(t_ns, lambda _: (belief, 0.0), belief, None, 0.0)]
        self._asked.clear()

    @property
    def newest_t_ns(self) -> int | None:
        """The instant of the newest measurement."""
        return self._steps[-1].t_ns if self._steps else None

    def fixed(self, t_ns: int, places: Sequence[Place], wrong: float | None = None) -> bool:
        """Takes a fix; ``wrong``: how likely no place of it is right, else as the parameters say. False: too late."""
        share = self._parameters.fixes.wrong if wrong is None else wrong
        return self._insert(t_ns, lambda belief: after_fix(belief, places, share, self._parameters))

    def displaced(self, displacement: Displacement) -> bool:
        """Takes what odometry says of the way from a reference picture to a later one. False: too late, or before any
        place is known."""
        if displacement.from_t_ns != self._reference_t_ns and not self._refer(displacement.from_t_ns):
            return False
        change = partial(after_displacement, displacement=displacement, parameters=self._parameters)
        return self._insert(displacement.to_t_ns, _silently(change))

    def turned(self, t_ns: int, angle_rad: float) -> bool:
        """Takes a turn of the airframe since the last one, clockwise, for aircraft that fly where they point."""
        return self._insert(t_ns, _silently(partial(turned, angle_rad=angle_rad)))

    def belief(self, t_ns: int) -> GaussianSum | None:
        """The belief at an instant, from the measurements up to it; None before the first place."""
        step = self._step_at(t_ns)
        return None if step is None else self._coasted(step, t_ns)

    def ruling(self, t_ns: int) -> Ruling | None:
        """The likeliest place at an instant; None before the first one."""
        if t_ns not in self._asked:
            if len(self._asked) >= _ASKED:
                self._asked.clear()
            self._asked[t_ns] = self._ruling(t_ns)
        return self._asked[t_ns]

    def _ruling(self, t_ns: int) -> Ruling | None:
        step = self._step_at(t_ns)
        belief = None if step is None else self._coasted(step, t_ns)
        if step is None or belief is None:
            return None
        together = distances(belief, int(belief.log_weights.argmax()), POSITION.stop) < _SAME_PLACE
        share = float(belief.weights[together].sum())
        mean, covariance = belief.taken(together).moments()
        for axis in range(POSITION.start, POSITION.stop):
            covariance[axis, axis] += self._parameters.fixes.floor_m**2
        return Ruling(mean, covariance, share)

    def _step_at(self, t_ns: int) -> _Step | None:
        """The newest measurement of that instant or before it."""
        at = bisect_right(self._steps, t_ns, key=lambda step: step.t_ns)
        return self._steps[at - 1] if at else None

    @property
    def level(self) -> float | None:
        """By what factor fixes are worse than they say, by the newest belief; None before the first place."""
        newest = self._steps[-1].belief if self._steps else None
        if newest is None:
            return None
        return float(np.exp(newest.weights @ np.log(self._parameters.fixes.factors[0][newest.levels])))

    @property
    def log_evidence(self) -> float:
        """The log of how likely all fixes were, each by the belief before it: by it two sets of parameters compare."""
        return self._steps[-1].log_evidence if self._steps else 0.0

    @property
    def _reference_t_ns(self) -> int | None:
        return self._steps[-1].reference_t_ns if self._steps else None

    def _refer(self, t_ns: int) -> bool:
        """Makes the position at an instant the reference of what odometry says from now on."""
        if self.belief(t_ns) is None:
            return False
        return self._insert(t_ns, _silently(referenced), reference=True)

    def _insert(self, t_ns: int, change: _Change, reference: bool = False) -> bool:
        """Takes a measurement at its instant, and those that are later again."""
        self._asked.clear()
        horizon_ns = int(self._parameters.bounds.replay_s * 1e9)
        newest = self.newest_t_ns
        if newest is not None and t_ns < newest - horizon_ns:
            return False
        at = bisect_right(self._steps, t_ns, key=lambda step: step.t_ns)
        later = self._steps[at:]
        del self._steps[at:]
        before = self._steps[-1] if self._steps else _Step(t_ns, change, None, None, 0.0)
        self._append(before, t_ns, change, t_ns if reference else before.reference_t_ns)
        for step in later:
            moved = reference and step.reference_t_ns == before.reference_t_ns
            reference_t_ns = t_ns if moved else step.reference_t_ns
            self._append(self._steps[-1], step.t_ns, step.change, reference_t_ns)
        self._forget(horizon_ns)
        return True

    def _append(self, before: _Step, t_ns: int, change: _Change, reference_t_ns: int | None) -> None:
        belief, evidence = change(self._coasted(before, t_ns))
        self._steps.append(_Step(t_ns, change, belief, reference_t_ns, before.log_evidence + evidence))

    def _forget(self, horizon_ns: int) -> None:
        oldest_ns = self._steps[-1].t_ns - horizon_ns
        while len(self._steps) > 1 and self._steps[1].t_ns < oldest_ns:
            del self._steps[0]

    def _coasted(self, step: _Step, t_ns: int) -> GaussianSum | None:
        if step.belief is None or t_ns == step.t_ns:
            return step.belief
        return coasted(step.belief, (t_ns - step.t_ns) * 1e-9, self._parameters)


def _silently(change: Callable[[GaussianSum], GaussianSum]) -> _Change:
    """A change that needs a belief, and whose likelihood compares nothing."""
    return lambda belief: (None if belief is None else change(belief), 0.0)
