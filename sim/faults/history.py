"""Faults of the history and of the disk that it and the flight log lie on."""

from __future__ import annotations

import errno
import os
import random
import shutil
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from runtime.events import JobKind
from runtime.flightlog.disk import AppendFile
from runtime.flightlog.flightlog import FlightLog
from runtime.history.history import History
from sim.faults.flight import FaultFlight, Plan, Script
from sim.faults.forked import in_a_copy
from sim.faults.ground import Ground
from sim.faults.in_flight import InFlight, Watch
from sim.faults.memory import remember
from sim.faults.row import Fault, Outcome
from sim.faults.workshop import SEED, Workshop

_POISON_M = 60.0  # every third keyframe says that it was taken so far north of where it was
_MANY = 100_000
_FOOTPRINT_MM = 56_000  # of the rung that a flight at 60 m is searched at
_FAR_DEG = 0.05  # the many lie kilometres away
_KILLS = 12
_DATE_NS = 1_760_000_000 * 1_000_000_000


def poisoned(workshop: Workshop) -> Outcome:
    """Every third keyframe lies about its place."""
    plan = workshop.plan("history_poisoned")
    plan.history.unlink()
    remember(plan.history, workshop.ground, workshop.embedder, poison_m=_POISON_M)
    return in_a_copy(lambda: _flown(plan, must_fly=False))


def swapped(workshop: Workshop) -> Outcome:
    """Another place's history is moved into the place of the one that is flown by, as a copy of a card would."""
    other = workshop.folder / "another_place.db"
    if not other.exists():
        remember(other, Ground(SEED + 1), workshop.embedder)
    return InFlight(partial(_swap, other), end=_swap_back, ends=False)(workshop)


def _swap(other: Path, flight: FaultFlight) -> None:
    shutil.move(flight.plan.history, flight.plan.history.with_suffix(".kept"))
    shutil.copy(other, flight.plan.history)


def _swap_back(flight: FaultFlight) -> None:
    shutil.move(flight.plan.history.with_suffix(".kept"), flight.plan.history)


def large(workshop: Workshop) -> Outcome:
    """The flight's own keyframes among a hundred thousand others."""
    plan = workshop.plan("history_large")
    _multiply(plan.history, workshop.embedder.bundle.embedding_space_id)
    return in_a_copy(lambda: _flown(plan))


def _flown(plan: Plan, must_fly: bool = True) -> Outcome:
    """A whole flight by sight: to its target's way and ten seconds on; ``must_fly``: it must not be given up."""
    flight = FaultFlight(plan)
    watch = Watch(flight)
    flight.run(flight.under_way())
    flight.run(flight.seconds(10.0))
    failures = () if flight.state == "engaged" or not must_fly else (f"the flight ended: {', '.join(flight.reasons)}",)
    forbidden = watch.without_authority + flight.astray
    return Outcome(watch.story(watch.passed_s), watch.targets, forbidden, said=flight.said, failures=failures)


def _multiply(path: Path, space: str) -> None:
    """Adds `_MANY` keyframes of other ground, whose embeddings are no place's."""
    with closing(sqlite3.connect(path)) as connection, connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(keyframe)") if row[1] != "id"]
        first = connection.execute("SELECT min(id) FROM keyframe").fetchone()[0]
        counted = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {_MANY})"
        kept = ", ".join("substr(crop, 1, 64)" if one == "crop" else one for one in columns)
        last = connection.execute("SELECT max(id) FROM keyframe").fetchone()[0]
        names = ", ".join(columns)
        connection.execute(
            f"{counted} INSERT INTO keyframe (id, {names}) SELECT {last} + i, {kept} FROM n, keyframe k "  # noqa: S608
            f"WHERE k.id = {first}"
        )
        connection.execute(
            f"{counted} INSERT INTO position SELECT {last} + i, role, latitude_deg + {_FAR_DEG} + (i / 300) * 0.0001, "  # noqa: S608
            f"longitude_deg + (i % 300) * 0.0001, variance_north_m2, covariance_north_east_m2, variance_east_m2, "
            f"source, velocity_north_m_s, velocity_east_m_s, velocity_down_m_s FROM n, position p "
            f"WHERE p.keyframe_id = {first}"
        )
        size = len(connection.execute("SELECT vector FROM embedding LIMIT 1").fetchone()[0]) // 2
        rng = np.random.default_rng(6)

        def rows() -> Iterator[tuple[int, bytes]]:
            for number in range(1, _MANY + 1):
                vector = rng.standard_normal(size).astype(np.float32)
                yield last + number, (vector / np.linalg.norm(vector)).astype(np.float16).tobytes()

        connection.executemany(
            f"INSERT INTO embedding SELECT ?, embedding_space_id, view, footprint_mm, heading_offset_urad, ?, "  # noqa: S608
            f"NULL, NULL, NULL, NULL FROM embedding WHERE keyframe_id = {first} "
            f"AND footprint_mm = {_FOOTPRINT_MM} AND heading_offset_urad = 0 LIMIT 1",
            rows(),
        )


def full_disk(workshop: Workshop) -> Outcome:
    """SQLite meets its limit of pages as it meets a full disk, while the daemon records."""
    return in_a_copy(lambda: _recording(workshop, "history_full_disk", _fill, "record failed"))


def stalling_disk(workshop: Workshop) -> Outcome:
    """A commit takes 10 s."""
    return in_a_copy(lambda: _recording(workshop, "history_stalling_disk", _stall, ""))


def _fill(flight: FaultFlight) -> None:
    connection = flight.assembly.history._connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count={pages}")


def _stall(flight: FaultFlight) -> None:
    flight.slower_kinds[JobKind.RECORD] = 160.0


def _recording(workshop: Workshop, name: str, begin: Callable[[FaultFlight], None], word: str) -> Outcome:
    """A flight home by GPS in RTL, which records on its way."""
    plan = replace(workshop.plan(name, gps=True), sections={"record": {"enabled": True}})
    plan.history.unlink()
    flight = FaultFlight(plan)
    flight.run(flight.until(lambda: flight.daemon.counts["keyframes"] > 0, 10.0, "recording"))
    flight.autopilot.pilot_set_mode("RTL")
    watch = Watch(flight, word)
    begin(flight)
    flight.run(flight.seconds(10.0))
    kept = flight.daemon.counts["keyframes"]
    with History.open(plan.history) as history:
        whole = len(history)
    did = f"flies on and fixes on; {whole} keyframes are kept, " + ("recording ends" if word else "frames are left out")
    failures = () if whole >= kept and flight.daemon.counts["fix"] else ("keyframes were lost",)
    noticed_s = watch.noticed_s
    return Outcome(did, watch.targets, watch.without_authority, noticed_s, None, watch.said(), failures)


class _Full(AppendFile):
    """A disk on which there is no room left."""

    full = False

    def append(self, block: bytes) -> None:
        if self.full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        super().append(block)


class _Stalling(AppendFile):
    """A card that does not answer until it is let go."""

    held = threading.Event()

    def append(self, block: bytes) -> None:
        self.held.wait()
        super().append(block)


def log_full(workshop: Workshop) -> Outcome:
    """The flight log's disk is full."""

    def begin() -> None:
        _Full.full = True

    def end() -> None:
        _Full.full = False

    return _logging(workshop, "log_full_disk", _Full, begin, end, "loses records")


def log_stalls(workshop: Workshop) -> Outcome:
    """The flight log's disk does not answer for ten seconds."""
    _Stalling.held.set()
    return _logging(workshop, "log_stalling_disk", _Stalling, _Stalling.held.clear, _Stalling.held.set, "")


def _logging(
    workshop: Workshop,
    name: str,
    opener: type[AppendFile],
    begin: Callable[[], None],
    end: Callable[[], None],
    word: str,
) -> Outcome:
    """A flight by GPS whose log meets the fault for ten seconds."""
    plan = workshop.plan(name, gps=True)
    clock = _Late()
    log = FlightLog.open(plan.folder / "logs", clock, unix_ns=_DATE_NS, name="flight", opener=opener)
    flight = FaultFlight(replace(plan, journal=log))
    clock.flight = flight
    flight.run(flight.under_way())
    watch = Watch(flight, word)
    begin()
    flight.run(_breathing(flight, 10.0))
    end()
    ended_s = watch.passed_s
    flight.run(_breathing(flight, 2.0))
    story, engaged, lost = watch.story(ended_s), flight.state == "engaged", log.state.lost_records
    flight.assembly.close()
    log.close()
    failures = [] if engaged else [f"the flight ended: {', '.join(flight.reasons)}"]
    if not word and lost:
        failures.append(f"{lost} records were lost")
    did = f"{story}; {'records are lost while it lasts' if lost else 'no record is lost'}"
    return Outcome(did, watch.targets, watch.without_authority, watch.noticed_s, None, watch.said(), tuple(failures))


def _breathing(flight: FaultFlight, seconds: float) -> Script:
    """Time passes, and the thread of the log gets a moment of the real one."""
    for step, _ in enumerate(flight.seconds(seconds)):
        if step % 25 == 0:
            time.sleep(0.02)
        yield


class _Late:
    """The clock of a flight that is made after its log."""

    flight: FaultFlight | None = None

    def now_ns(self) -> int:
        """The present instant."""
        return 0 if self.flight is None else self.flight.now_ns()


def killed(workshop: Workshop) -> Outcome:
    """A recording process is killed at instants that are spread over the writing of keyframes."""
    rng, lost, whole = random.Random(3), 0, 0
    for trial in range(_KILLS):
        plan = workshop.plan("history_killed")
        said = _record_until_killed(workshop, plan.history, rng.uniform(0.0, 0.06) + 0.01 * (trial % 3))
        with History.open(plan.history) as history:
            whole += all(len(one.crop) for one in history.keyframes())
            lost += max(0, said - len(history))
    failures = () if not lost and whole == _KILLS else (f"{lost} keyframes lost, {whole} of {_KILLS} files whole",)
    did = f"opens again after each of {_KILLS} kills; no keyframe that was said to be kept is lost"
    return Outcome(did, failures=failures)


def _record_until_killed(workshop: Workshop, path: Path, after_s: float) -> int:
    """How many keyframes the process had said to be kept."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        _record(workshop, path, write)
    os.close(write)
    with open(read, "rb", buffering=0) as acknowledged:
        said = acknowledged.read(1)
        time.sleep(after_s)
        os.kill(child, signal.SIGKILL)
        while more := acknowledged.read(4096):
            said += more
    os.waitpid(child, 0)
    return int.from_bytes(said[-1:], "big")


def _record(workshop: Workshop, path: Path, write: int) -> None:
    """Adds the history's own first keyframe again and again, and says after each how many there are."""
    bundle = workshop.embedder.bundle
    with History.append(path, bundle.embedding_space_id, bundle.name) as history:
        keyframe = history.keyframe(history.first_id())
        for number in range(len(history) + 1, 250):
            history.add(keyframe, [])
            os.write(write, bytes([number]))
    os._exit(0)


FAULTS = (
    Fault("history_large", "history of 100,000 keyframes", "others, of no place, around the flight's own", large),
    Fault("history_swapped", "history swapped in flight", "another place's file is moved into its place", swapped),
    Fault("history_poisoned", "history with poisoned poses", "every third keyframe lies by 60 m", poisoned),
    Fault("history_full_disk", "history on a full disk", "SQLite's limit of pages: the next keyframe meets it",
          full_disk, 10.0),
    Fault("history_stalling_disk", "history on a stalling disk", "each write takes 10 s, while recording",
          stalling_disk),
    Fault("log_full_disk", "flight log on a full disk", "each write fails for 10 s", log_full, 5.0),
    Fault("log_stalling_disk", "flight log on a stalling disk", "no write ends for 10 s", log_stalls),
    Fault("history_killed", "killed at each write", "kill -9 at 12 instants while a process records", killed),
)  # fmt: skip
