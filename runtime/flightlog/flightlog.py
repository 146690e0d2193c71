"""The flight log: everything that happened in an MCAP file, and both directions of raw MAVLink in a .tlog beside it.

Records are gathered into compressed chunks of half a second and handed to a writing thread, so that a kill at any
instant costs at most the last second and a slow card costs the flight nothing. A disk that fills up is degraded
operation: it is said once, counted, and the log goes on in a new file (``NAME-2.mcap``) when there is room again.
Times of records are the daemon's monotonic ``t_ns``; the metadata record "clock" gives the date that belongs to them.
"""

from __future__ import annotations

import dataclasses
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from runtime.clock import Clock
from runtime.errors import StorageError
from runtime.flightlog.disk import AppendFile, DiskThread, LateFile, Spool, Storage
from runtime.flightlog.inputs import Direction, FrameRecord, LinkRecord, RequestRecord
from runtime.flightlog.keeper import CODECS, FRAMES, Keeper, Kept, KeptFrames
from runtime.flightlog.read import read_flightlog
from runtime.flightlog.record import Record
from runtime.flightlog.segment import Segment
from runtime.flightlog.space import Space
from runtime.flightlog.start import START, FlightStart
from runtime.mavlink.framing import PacketReader
from runtime.values import ImageRGB

__all__ = ["Direction", "FlightLog", "LogState", "NullFlightLog", "read_flightlog"]
_FLUSH_NS = 500_000_000
_BLOCK_BYTES = 256 * 1024
_REOPEN_NS = 5_000_000_000

Opener = Callable[[Path], Storage]


@dataclass(frozen=True, slots=True)
class LogState:
    """How the log is doing: ``degraded`` from the first loss on, and what was lost; ``lost_frames``: whole frames that
    were to be kept (`[log] frames`) and could not be encoded in time."""

    degraded: bool
    reason: str
    records: int
    lost_records: int
    lost_blocks: int
    bytes_written: int
    lost_frames: int = 0


class NullFlightLog:
    """Keeps nothing."""

    state = LogState(False, "", 0, 0, 0, 0)

    def write(self, t_ns: int, record: Record) -> None:
        """Nothing."""

    def frame(self, t_ns: int, record: FrameRecord, image: ImageRGB) -> None:
        """Nothing."""

    def link(self, link: str, data: bytes, t_ns: int, direction: Direction) -> None:
        """Nothing."""

    def attach(self, name: str, data: bytes, t_ns: int, media_type: str = "text/plain") -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


class FlightLog:
    """One flight's log. In flight nothing here raises: what goes wrong is counted and shown in `state`."""

    def __init__(
        self, directory: Path, name: str, t_ns: int, unix_ns: int, opener: Opener, frames: KeptFrames = "pictures",
        space: Space | None = None,
    ) -> None:  # fmt: skip
        """Use `open`."""
        self._directory, self._name, self._opener = directory, name, opener
        self._start_t_ns, self._start_unix_ns = t_ns, unix_ns
        self._disk = DiskThread() if space is None else DiskThread(lambda: space.make(name))
        self._readers: dict[tuple[str, Direction], PacketReader] = {}
        self._packets = bytearray()
        self._flushed_ns = t_ns
        self._segments = 0
        self._finished: list[Spool] = []
        self._records = self._lost = self._lost_frames = 0
        self._reopen_ns = 0
        self._closed = False
        self._attachments: list[tuple[str, bytes, int, str]] = []
        self._tlog = Spool(opener(directory / f"{name}.tlog"), contiguous=False)
        self._mcap: Segment | None = self._new_segment()
        codec = CODECS[frames]
        self._frames = frames
        self._keeper = None if codec is None else Keeper(codec)

    @classmethod
    def open(
        cls, directory: Path, clock: Clock, *, unix_ns: int | None = None, name: str | None = None,
        opener: Opener = AppendFile, frames: KeptFrames = "pictures", space: Space | None = None,
    ) -> FlightLog:  # fmt: skip
        """Start a log in ``directory`` (made if need be), named by the date unless ``name`` is given.

        ``unix_ns`` is the date that belongs to ``clock.now_ns()``; the wall clock's by default. ``frames``: whether
        whole frames are kept, and how, see `[log] frames`. ``space``: what older flights give way to, now and while
        the log grows. Raises StorageError when nothing can be written there: at start that is fatal, in flight it is
        not.
        """
        date_ns = time.time_ns() if unix_ns is None else unix_ns
        try:
            directory.mkdir(parents=True, exist_ok=True)
            stem = name or datetime.fromtimestamp(date_ns * 1e-9, timezone.utc).strftime("%Y%m%dT%H%M%SZ")
            if space is not None and (full := space.make()):
                raise StorageError(f"the flight log cannot be written to {directory}: {full}; remove or unpin some.")
            return cls(directory, _free_name(directory, stem), clock.now_ns(), date_ns, opener, frames, space)
        except OSError as error:
            raise StorageError(f"the flight log cannot be written to {directory}: {error.strerror or error}") from error

    @property
    def mcap_path(self) -> Path:
        """The first MCAP file; later ones exist only after a full disk."""
        return self._directory / f"{self._name}.mcap"

    @property
    def tlog_path(self) -> Path:
        """The raw MAVLink."""
        return self._directory / f"{self._name}.tlog"

    @property
    def state(self) -> LogState:
        """What was written and what was lost."""
        spools = [self._tlog, *self._finished, *([self._mcap.spool] if self._mcap is not None else [])]
        reason = next((spool.broken for spool in reversed(spools) if spool.broken), "")
        return LogState(
            degraded=bool(reason or self._lost or self._lost_frames),
            reason=reason,
            records=self._records,
            lost_records=self._lost + sum(spool.lost_records for spool in spools),
            lost_blocks=sum(spool.lost_blocks for spool in spools),
            bytes_written=sum(spool.bytes_written for spool in spools),
            lost_frames=self._lost_frames,
        )

    def write(self, t_ns: int, record: Record) -> None:
        """One record; what JSON cannot hold is counted as lost."""
        if self._closed:
            return
        if self._keeper is not None:
            self._attach_kept(self._keeper.ready())
            if isinstance(record, RequestRecord):
                record = _with_image(record, t_ns, self._keeper)
        self._flush_if_due(t_ns)
        segment = self._segment(t_ns)
        if segment is None:
            self._lost += 1
            return
        try:
            segment.add(t_ns, record)
        except (TypeError, ValueError, RecursionError):
            self._lost += 1
            return
        self._records += 1

    def frame(self, t_ns: int, record: FrameRecord, image: ImageRGB) -> None:
        """The record of a frame, and the frame itself where whole frames are kept; nobody may change it from now on."""
        if self._keeper is not None and not self._closed:
            record = dataclasses.replace(record, kept=self._keeper.frame(record.index, t_ns, image))
            self._lost_frames += record.kept is None
        self.write(t_ns, record)

    def start(self, start: FlightStart, t_ns: int) -> None:
        """What the daemon that starts now was given, for a replay and for whoever reads the log."""
        self.attach(START, dataclasses.replace(start, frames=self._frames).encoded(), t_ns, "application/json")

    def link(self, link: str, data: bytes, t_ns: int, direction: Direction) -> None:
        """Bytes of a link as they were read or sent, as a record; and whole packets of them into the .tlog."""
        if self._closed:
            return
        unix_us = max(0, self._start_unix_ns + t_ns - self._start_t_ns) // 1000
        for packet in self._packets_of(link, direction).feed(data):
            self._packets += struct.pack(">Q", unix_us) + packet.raw
        self.write(t_ns, LinkRecord(link, direction, data))

    def _packets_of(self, link: str, direction: Direction) -> PacketReader:
        if (link, direction) not in self._readers:
            # What packets say is not asked here, and those of another dialect belong to the log as well.
            self._readers[link, direction] = PacketReader(wanted=frozenset(), unknown=True)
        return self._readers[link, direction]

    def attach(self, name: str, data: bytes, t_ns: int, media_type: str = "text/plain") -> None:
        """Keep a file, such as the configuration, with the log, and with every later segment of it."""
        attachment = (name, data, t_ns, media_type)
        self._attachments.append(attachment)
        if self._mcap is not None:
            self._mcap.attach(*attachment)

    def flush(self) -> None:
        """Hand over what is gathered and wait until it is on its way to the medium."""
        self._hand_over()
        self._disk.drain()

    def close(self) -> None:
        """Finish both files. May be called twice."""
        if self._closed:
            return
        if self._keeper is not None:
            self._attach_kept(self._keeper.close())
        self._hand_over()
        self._closed = True
        if self._mcap is not None:
            self._disk.put(self._mcap.spool, self._mcap.finish())
            self._disk.finish(self._mcap.spool)
        self._disk.finish(self._tlog)
        self._disk.stop()

    def _attach_kept(self, ready: list[Kept]) -> None:
        for kept in ready:
            if kept.name.startswith(FRAMES) and (self._mcap is None or not kept.data):
                self._lost_frames += 1
            if self._mcap is not None:
                self._mcap.attach(kept.name, kept.data, kept.t_ns, kept.media_type)

    def _flush_if_due(self, t_ns: int) -> None:
        gathered = len(self._packets) + (self._mcap.gathered if self._mcap is not None else 0)
        if t_ns - self._flushed_ns >= _FLUSH_NS or gathered >= _BLOCK_BYTES:
            self._flushed_ns = t_ns
            self._hand_over()

    def _hand_over(self) -> None:
        if self._packets:
            self._disk.put(self._tlog, bytes(self._packets))
            self._packets.clear()
        if self._mcap is not None:
            records = self._mcap.pending_records
            block = self._mcap.take()
            if block:
                self._disk.put(self._mcap.spool, block, records)

    def _segment(self, t_ns: int) -> Segment | None:
        """The MCAP file to write to; a broken one is left behind, and a new one tried some seconds later."""
        if self._mcap is not None and self._mcap.spool.broken:
            self._disk.finish(self._mcap.spool)
            self._lost += self._mcap.pending_records
            self._finished.append(self._mcap.spool)
            self._mcap, self._reopen_ns = None, t_ns + _REOPEN_NS
        if self._mcap is None and t_ns >= self._reopen_ns:
            self._reopen_ns = t_ns + _REOPEN_NS
            self._mcap = self._new_segment(in_flight=True)
        return self._mcap

    def _new_segment(self, in_flight: bool = False) -> Segment:
        """At the start a file that cannot be made is an error; in flight it is made by the writing thread."""
        self._segments += 1
        suffix = f"-{self._segments}" if in_flight else ""
        path = self._directory / f"{self._name}{suffix}.mcap"
        spool = Spool(LateFile(lambda: self._opener(path)) if in_flight else self._opener(path), contiguous=True)
        segment = Segment(spool)
        segment.metadata("clock", {"start_t_ns": str(self._start_t_ns), "start_unix_ns": str(self._start_unix_ns)})
        for attachment in self._attachments:
            segment.attach(*attachment)
        self._disk.put(spool, segment.take())
        return segment


def _with_image(record: RequestRecord, t_ns: int, keeper: Keeper) -> RequestRecord:
    """The record, with the name under which the log keeps the image that an operator named."""
    image = record.request.get("image")
    if not isinstance(image, str):
        return record
    return dataclasses.replace(record, kept=keeper.file(Path(image), t_ns))


def _free_name(directory: Path, stem: str) -> str:
    """``stem``, or with a letter when a log of that second exists."""
    names = [stem, *(f"{stem}{letter}" for letter in "bcdefghijklmnopqrstuvwxyz")]
    for name in names:
        if not (directory / f"{name}.mcap").exists() and not (directory / f"{name}.tlog").exists():
            return name
    raise FileExistsError(17, "too many logs of the same second", str(directory))
