"""What a disk that stalls does to the deciding thread: `Daemon.step` timed with the flight log and the recorder on it.

    python -m tests.bench.stalling_disk [--seconds S] [--stall-s T]

A daemon is stepped in real time (20 ticks a second, an autopilot's bytes between, a frame each second, workers in
threads of their own) over a simulated flight, three times: on a disk that works, on one whose every write and sync of
the log blocks for T seconds, and on one where the history is locked besides, as a card that hangs leaves it. Printed:
p50, p99 and the longest step of the deciding thread, the CPU time that the process took, and what was lost.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import numpy as np

from runtime.bundle import Bundle
from runtime.clock import MonotonicClock
from runtime.config.config import Config
from runtime.daemon.assembly import Assembly, assemble
from runtime.daemon.inbox import Inbox
from runtime.daemon.workers import ThreadWorkers
from runtime.embedder.embedder import Embedder
from runtime.events import Event, FrameArrived, LinkData, Tick
from runtime.flightlog.disk import AppendFile
from runtime.flightlog.flightlog import FlightLog
from runtime.geodesy import offset
from runtime.values import Frame
from sim.camera import SimulatedCamera, default_camera
from sim.render import Renderer
from sim.scenario.setup import camera_section, commanding_section, make_autopilot
from sim.scenario.station import GroundStation
from sim.world.world import World

SEED = 100_021
_HEIGHT_M, _TICK_S, _FRAME_S = 100.0, 0.05, 1.0


class StallingFile(AppendFile):
    """A real file on a disk that does not answer for some time, at every write and every sync."""

    def __init__(self, path: Path, stall_s: float) -> None:
        super().__init__(path)
        self._stall_s = stall_s

    def append(self, block: bytes) -> None:
        """Write, late."""
        time.sleep(self._stall_s)
        super().append(block)

    def sync(self) -> None:
        """fdatasync, late."""
        time.sleep(self._stall_s)
        super().sync()


@contextmanager
def locked(history: Path, stall_s: float) -> Iterator[None]:
    """The history's file, held by another for most of the time, as a write that hangs holds it."""
    stop = threading.Event()

    def hold() -> None:
        with closing(sqlite3.connect(history, isolation_level=None, timeout=60)) as other:
            while not stop.is_set():
                other.execute("BEGIN IMMEDIATE")
                stop.wait(stall_s)
                other.execute("COMMIT")
                stop.wait(0.05)

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


class Flying:
    """A daemon over a vehicle that goes north, and how long each of its steps took."""

    def __init__(self, world: World, assembly: Assembly, inbox: Inbox, clock: MonotonicClock) -> None:
        self._daemon, self._inbox, self._clock = assembly.daemon, inbox, clock
        self._autopilot = make_autopilot(world, (0.0, 0.0), SEED, ready_at_boot=True)
        self._autopilot.start_in_flight((-150.0, 0.0, -_HEIGHT_M), "GUIDED")
        self._camera = SimulatedCamera(Renderer(world.scene("flight")), default_camera(), SEED)
        self._begun_ns = clock.now_ns() - self._autopilot.t_ns
        self._station = GroundStation()
        self._station.go_to(offset(world.origin, 300.0, 0.0), _HEIGHT_M)
        self.took_ms: list[float] = []

    def fly(self, seconds: float) -> None:
        """In real time; rendering a frame is not timed."""
        end_s, tick_s, frame_s, index = time.monotonic() + seconds, 0.0, 0.0, 0
        while (now_s := time.monotonic()) < end_s:
            self._autopilot.receive(self._station.outgoing(self._autopilot.t_ns), 1)
            self._autopilot.advance(self._clock.now_ns() - self._begun_ns)
            self._station.receive(self._autopilot.transmit(1))
            if data := self._autopilot.transmit(0):
                self._step(LinkData(self._clock.now_ns(), data))
            while (event := self._inbox.next()) is not None:
                self._step(event)
            if now_s >= frame_s:
                frame_s, index = now_s + _FRAME_S, index + 1
                frame = self._seen(index)
                self._step(FrameArrived(self._clock.now_ns(), frame))
            if now_s >= tick_s:
                tick_s = now_s + _TICK_S
                self._step(Tick(self._clock.now_ns()))
            time.sleep(0.005)

    def _seen(self, index: int) -> Frame:
        truth = self._autopilot.truth
        north, east, down = truth.position_ned_m
        image = self._camera.capture((north, east, down), truth.ned_from_body, (0.0, 0.0, 0.0))
        return Frame(np.asarray(image), self._clock.now_ns(), "camera", index)

    def _step(self, event: Event) -> None:
        begun_ns = time.perf_counter_ns()
        out = self._daemon.step(event)
        self.took_ms.append((time.perf_counter_ns() - begun_ns) * 1e-6)
        for _, data in out:
            self._autopilot.receive(data, 0)


def configuration(folder: Path, world: World) -> Config:
    """All on."""
    return Config.model_validate(
        {
            "camera": {"uri": "simulated", **camera_section(default_camera())},
            "vehicle": {"uri": "simulated"},
            "history": {"path": str(folder / "history.db")},
            "record": {"enabled": True},
            "commanding": commanding_section(world),
        }
    )


def measured(world: World, embedder: Embedder, seconds: float, stall_s: float, lock: bool) -> str:
    """One line of the table."""
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        folder, clock = Path(scratch), MonotonicClock()
        opener: Callable[[Path], AppendFile] = AppendFile if not stall_s else lambda path: StallingFile(path, stall_s)
        log = FlightLog.open(folder / "logs", clock, opener=opener)
        stack.callback(log.close)
        inbox = Inbox(clock)
        workers = ThreadWorkers(inbox.job_done, clock.now_ns)
        assembly = assemble(configuration(folder, world), workers, journal=log, embedder=embedder,
                            stopwatch=clock.now_ns)  # fmt: skip
        stack.callback(assembly.close)
        stack.callback(workers.close)
        if lock:
            stack.enter_context(locked(folder / "history.db", stall_s))
        flying = Flying(world, assembly, inbox, clock)
        flying.fly(2.0)  # the first steps load what is loaded late
        flying.took_ms.clear()
        spent_s = time.process_time()
        flying.fly(seconds)
        spent_s = time.process_time() - spent_s
        took, counts = np.array(flying.took_ms), assembly.daemon.counts
        return (
            f"{np.percentile(took, 50):8.2f} {np.percentile(took, 99):8.2f} {took.max():8.1f} {len(took):7d} "
            f"{spent_s:7.1f} {counts['frames']:7d} {counts['keyframes']:10d} {counts['frames_dropped_busy']:8d} "
            f"{log.state.lost_records:6d} {log.state.lost_frames:6d}"
        )


def main(words: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--stall-s", type=float, default=5.0)
    options = parser.parse_args(words)
    world, embedder = World.generate(SEED), Embedder(Bundle.load(), threads=1)
    print(f"{'disk':34s} {'p50 ms':>8s} {'p99 ms':>8s} {'most ms':>8s} {'steps':>7s} {'CPU s':>7s} {'frames':>7s} "
          f"{'keyframes':>10s} {'busy':>8s} {'lost':>6s} {'lost f':>6s}")  # fmt: skip
    for name, stall_s, lock in (("that works", 0.0, False), ("the log's stalls", options.stall_s, False),
                                ("log's and history's stall", options.stall_s, True)):  # fmt: skip
        print(f"{name:34s} {measured(world, embedder, options.seconds, stall_s, lock)}", flush=True)
    print(f"load {os.getloadavg()[0]:.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
