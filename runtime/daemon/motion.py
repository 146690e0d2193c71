"""What the daemon does with frames for motion: every one goes through odometry, in order of exposure.

Odometry has a worker of its own, so that no frame waits for a fix. What it makes of a frame goes into navigation at
once, and the camera's word of that frame's exposure into the log.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable

from runtime.daemon.frame_gate import PosedFrame
from runtime.daemon.latencies import Latencies
from runtime.daemon.records import odometry_record, vision_record
from runtime.daemon.rooms import Rooms
from runtime.daemon.workers import Job
from runtime.events import JobDone, JobKind
from runtime.values import Odometry

_WAITING = 4  # frames: 160 ms at 25 Hz, after which the worker does not keep up


class Motion:
    """Takes posed frames and the results of their odometry."""

    def __init__(
        self,
        rooms: Rooms,
        counts: Counter[str],
        latencies: Latencies,
        failed: Callable[[str, int, Exception], None],
        measured: Callable[[int, Odometry], None],
    ) -> None:
        """``failed`` is told of a job that failed: its kind, the instant and the error; ``measured`` of each result,
        once navigation has taken it."""
        self._rooms = rooms
        self._counts = counts
        self._latencies = latencies
        self._failed = failed
        self._measured = measured
        self._waiting: deque[PosedFrame] = deque()
        self.last: Odometry | None = None

    def take(self, t_ns: int, posed: PosedFrame) -> None:
        """Queues a frame; the oldest is dropped, and counted, where the worker does not keep up."""
        if len(self._waiting) >= _WAITING:
            self._waiting.popleft()
            self._counts["frames_dropped_odometry"] += 1
        self._waiting.append(posed)
        self._hand_out(t_ns)

    def measured(self, done: JobDone) -> None:
        """Takes what odometry made of a frame."""
        if done.error is not None:
            self._failed("odometry", done.t_ns, done.error)
        else:
            self._take_result(done.t_ns, done.result, done.subject)
        self._hand_out(done.t_ns)

    def _hand_out(self, t_ns: int) -> None:
        if not self._waiting or self._rooms.workers.busy(JobKind.ODOMETRY):
            return
        posed, odometer = self._waiting.popleft(), self._rooms.odometer
        self._rooms.workers.start(
            Job(JobKind.ODOMETRY, posed, lambda: odometer.update(posed.frame, posed.pose)), t_ns
        )

    def _take_result(self, t_ns: int, odometry: Odometry, posed: PosedFrame) -> None:
        self.last = odometry
        self._counts["odometry" if odometry.healthy else "no_odometry"] += 1
        self._latencies.add("frame_to_estimate", t_ns - posed.arrived_t_ns)
        navigation = self._rooms.navigation
        navigation.on_odometry(odometry)
        self._rooms.journal.write(t_ns, odometry_record(odometry, posed))
        self._rooms.journal.write(t_ns, vision_record(navigation.vision(posed.frame.t_ns), posed.frame.t_ns))
        self._measured(t_ns, odometry)
