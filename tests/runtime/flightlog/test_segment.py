"""A log that is being made keeps little of what it has written, and its end has the index that others read it by."""

from __future__ import annotations

import io
import tracemalloc
from pathlib import Path

from mcap.reader import make_reader

from runtime.flightlog.disk import AppendFile, Spool
from runtime.flightlog.inputs import TickRecord
from runtime.flightlog.records import ErrorRecord, LogRecord, ReleaseRecord
from runtime.flightlog.segment import Segment

CHUNKS = 400
_RECORDS = (
    TickRecord(), ErrorRecord("frame", "none", "ValueError"), LogRecord(False, "", 0, 0), ReleaseRecord("", False),
)  # fmt: skip


def _written(path: Path, chunks: int) -> tuple[Segment, list[bytes]]:
    segment = Segment(Spool(AppendFile(path), contiguous=True))
    blocks = []
    for number in range(chunks):
        for at, record in enumerate(_RECORDS):
            segment.add(number * 500_000_000 + at, record)
        segment.attach(f"frames/{number}.jpg", b"jpeg", number * 500_000_000, "image/jpeg")
        blocks.append(segment.take())
    return segment, blocks


def test_what_a_log_keeps_of_each_chunk_and_of_each_whole_frame_is_small(tmp_path: Path) -> None:
    segment, _ = _written(tmp_path / "warm.mcap", 50)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for number in range(50, CHUNKS):
            segment.add(number, _RECORDS[number % len(_RECORDS)])
            segment.attach(f"frames/{number}.jpg", b"jpeg", number, "image/jpeg")
            segment.take()
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (grown - before) / (CHUNKS - 50) < 250  # bytes for both; the library's own objects take 690
    assert segment.index_bytes < 250 * CHUNKS


def test_every_chunk_and_frame_is_found_by_the_index_at_the_files_end(tmp_path: Path) -> None:
    segment, blocks = _written(tmp_path / "log.mcap", CHUNKS)
    reader = make_reader(io.BytesIO(b"".join([*blocks, segment.finish()])), validate_crcs=True)
    summary = reader.get_summary()
    assert summary is not None and summary.statistics is not None
    assert len(summary.chunk_indexes) == summary.statistics.chunk_count == CHUNKS
    assert len(summary.attachment_indexes) == CHUNKS
    assert [one.message_start_time for one in summary.chunk_indexes[:3]] == [0, 500_000_000, 10**9]
    assert len(summary.chunk_indexes[7].message_index_offsets) == len(_RECORDS)
    times = [message.log_time for _, _, message in reader.iter_messages(topics=["release"])]
    assert times == [number * 500_000_000 + 3 for number in range(CHUNKS)]
