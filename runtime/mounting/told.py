"""What a flight's log says of pairs of pictures: how the body was turned, and how far and high it went between."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runtime.mounting.seen import Seen
from runtime.rotations import rotation
from runtime.values import NavState, Velocity

Array = NDArray[np.float64]
StateAt = Callable[[float], NavState | None]  # what the log says of an instant of its own time

_VELOCITY_SIGMA_M_S = 0.5  # of a log's velocity, across
_SCALE_SIGMA = 0.15  # of the height, along
_STRAIGHT_RAD_S = math.radians(5.0)  # in a faster turn a receiver's velocity lags
_LEAST_SPEED_M_S = 2.0


@dataclass(frozen=True, slots=True)
class Told:
    """Of P pairs at one delay: ``turns`` (P, 2, 3, 3) ned_from_body, ``sink`` (P,) in first heights, ``shift`` (P, 2)
    in first heights north and east, with ``shift_known`` (P, 2, 2), the root of its inverse covariance."""

    turns: Array
    sink: Array
    shift: Array
    shift_known: Array


def told_of(pairs: Sequence[Seen], state_at: StateAt, delay_s: float) -> Told:
    """What the log says of the exposures, ``delay_s`` before the stamps; it has to know all of them."""
    turns, sink, shift, known = [], [], [], []
    for pair in pairs:
        first, second = (state_at(stamp_s - delay_s) for stamp_s in (pair.first_s, pair.second_s))
        assert first is not None and second is not None
        turns.append([_matrix(one) for one in (first, second)])
        sink.append(1.0 - height_m(second) / height_m(first))
        moved = _shift(first, second, pair.second_s - pair.first_s)
        shift.append(moved[0])
        known.append(moved[1])
    return Told(np.array(turns), np.array(sink), np.array(shift), np.array(known))


def height_m(state: NavState) -> float:
    """Above ground; 0 where it is not known."""
    return state.pose.height_agl_m.value if state.pose.height_agl_m is not None else 0.0


def _matrix(state: NavState) -> Array:
    assert state.pose.ned_from_body is not None
    return np.asarray(rotation(state.pose.ned_from_body).as_matrix())


def _shift(first: NavState, second: NavState, span_s: float) -> tuple[Array, Array]:
    """North and east in heights by the log's velocity, and the root of its inverse covariance: zero in a turn, and
    where the log says no velocity."""
    velocities, headings = (_velocity(first), _velocity(second)), (first.pose.heading, second.pose.heading)
    nothing = np.zeros(2), np.zeros((2, 2))
    if velocities[0] is None or velocities[1] is None or headings[0] is None or headings[1] is None:
        return nothing
    velocity = np.mean([velocities[0][:2], velocities[1][:2]], axis=0)
    speed = float(np.linalg.norm(velocity))
    turned = abs(math.remainder(headings[1].value - headings[0].value, math.tau))
    if speed < _LEAST_SPEED_M_S or turned > _STRAIGHT_RAD_S * span_s:
        return nothing
    along = velocity / speed
    across = np.array([-along[1], along[0]])
    across_sigma = _VELOCITY_SIGMA_M_S * span_s / height_m(first)
    along_sigma = math.hypot(across_sigma, _SCALE_SIGMA * speed * span_s / height_m(first))
    return velocity * span_s / height_m(first), np.stack([along / along_sigma, across / across_sigma])


def _velocity(state: NavState) -> Velocity | None:
    return None if state.position is None else state.position.velocity_ned_m_s
