"""Frames wait here for the pose of their own instant, and are dropped, and counted, when nobody can take them."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, replace
from typing import Protocol

from runtime.values import Frame, NavState, Pose, Position

_WAITING = 8  # frames: 320 ms at 25 Hz; another means that telemetry lags behind by more than it may


class Poses(Protocol):
    """The part of the pose buffer that frames need."""

    def at(self, t_ns: int) -> NavState | None:
        """The autopilot's state at an instant, None where telemetry does not cover it."""
        ...

    def missing(self, t_ns: int) -> str | None:
        """Why there is none; "too_new" means that it may still come."""
        ...


@dataclass(frozen=True, slots=True)
class PosedFrame:
    """A frame with what the autopilot says of its exposure, ``frame.t_ns``: ``pose`` (attitude, heading and heights) is
    all that matching may know, ``position`` is what a fix is compared with and what recording keeps."""

    frame: Frame
    pose: Pose
    position: Position | None
    arrived_t_ns: int


class FrameGate:
    """A few frames wait; a frame that comes while the daemon works, or waits too long, is dropped."""

    def __init__(self, delay_s: float, max_wait_s: float) -> None:
        self._delay_ns = round(delay_s * 1e9)
        self._max_wait_ns = round(max_wait_s * 1e9)
        self._waiting: deque[tuple[int, Frame]] = deque()
        self.dropped: Counter[str] = Counter()

    def arrived(self, t_ns: int, frame: Frame) -> None:
        """A frame came; its stamp is the exposure's plus the camera's delay."""
        if len(self._waiting) >= _WAITING:
            self._waiting.popleft()
            self.dropped["pose_late"] += 1
        exposed = replace(frame, t_ns=frame.t_ns - self._delay_ns)
        self._waiting.append((t_ns, exposed))

    def next(self, t_ns: int, poses: Poses) -> PosedFrame | None:
        """The oldest waiting frame whose pose has come; those that wait in vain are dropped by name."""
        while self._waiting:
            arrived_t_ns, frame = self._waiting[0]
            state = poses.at(frame.t_ns)
            if state is not None:
                self._waiting.popleft()
                return PosedFrame(frame, state.pose, state.position, arrived_t_ns)
            why = poses.missing(frame.t_ns) or "no_pose"
            if why in ("too_new", "no_attitude", "no_position") and t_ns - arrived_t_ns <= self._max_wait_ns:
                return None
            self._waiting.popleft()
            self.dropped[f"pose_{why}"] += 1
        return None
