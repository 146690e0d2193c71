"""The flight log: what was written comes back, after an orderly end, a kill and a full disk."""

from __future__ import annotations

import base64
import dataclasses
import errno
import json
import math
import os
import random
import resource
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mcap.reader import make_reader
from pymavlink import mavutil

from runtime.errors import StorageError, TelemetryError
from runtime.flightlog.disk import AppendFile, DiskThread, Spool
from runtime.flightlog.flightlog import FlightLog, NullFlightLog
from runtime.flightlog.inputs import RequestRecord
from runtime.flightlog.read import missing_records, read_attachments, read_flightlog
from runtime.flightlog.record import Record
from runtime.flightlog.records import RECORDS, SetpointRecord
from runtime.mavlink.dialect import mavlink
from runtime.values import GeoPoint
from tests.runtime.flightlog.notes import Anything, Note

ROOT = Path(__file__).resolve().parents[3]
UNIX_NS = 1_700_000_000_000_000_000
SECOND = 1_000_000_000


@dataclass
class HandClock:
    """A clock that stands still until it is set."""

    t_ns: int = 5 * SECOND

    def now_ns(self) -> int:
        return self.t_ns


@dataclass
class Disk:
    """A disk with so many bytes of room, shared by all its files; a real file behind each."""

    room: int

    def open(self, path: Path) -> LimitedFile:
        return LimitedFile(path, self)


class LimitedFile(AppendFile):
    def __init__(self, path: Path, disk: Disk) -> None:
        super().__init__(path)
        self._disk = disk

    def append(self, block: bytes) -> None:
        if len(block) > self._disk.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        self._disk.room -= len(block)
        super().append(block)


def heartbeat(sequence: int) -> bytes:
    codec = mavlink.MAVLink(None, srcSystem=1, srcComponent=1)
    codec.seq = sequence % 256
    return bytes(mavlink.MAVLink_heartbeat_message(2, 3, 0x51, sequence, 3, 3).pack(codec))


def numbers_of(mcap: Path) -> list[int]:
    return [record["number"] for channel, _, record in read_flightlog(mcap) if channel == "note"]


def packets_of(tlog: Path) -> list[tuple[float, int]]:
    """(unix seconds, custom mode) of every heartbeat, as pymavlink's own log reader sees them."""
    log = mavutil.mavlink_connection(str(tlog), dialect="ardupilotmega")
    found = []
    while (message := log.recv_match(type="HEARTBEAT")) is not None:
        found.append((message._timestamp, message.custom_mode))
    log.close()
    return found


def test_records_come_back_as_they_were_written(tmp_path: Path) -> None:
    log = FlightLog.open(tmp_path, HandClock(), unix_ns=UNIX_NS, name="flight")
    written: list[tuple[int, Record]] = [((5 + i) * SECOND, Note(i, f"no {i}")) for i in range(20)]
    written += [(30 * SECOND, Anything(["thing"]))]
    for t_ns, record in written:
        log.write(t_ns, record)
    log.close()
    expected = [(record.channel, t_ns, json.loads(record.encoded())) for t_ns, record in written]
    assert list(read_flightlog(tmp_path / "flight.mcap")) == expected
    assert list(read_flightlog(tmp_path / "flight.mcap", ("anything", "other"))) == expected[-1:]
    assert list(read_flightlog(tmp_path / "flight.mcap", ())) == []
    assert expected[3] == ("note", 8 * SECOND, {"number": 3, "text": "no 3"})
    assert (log.state.records, log.state.degraded) == (21, False)


def test_the_file_is_an_ordinary_mcap_with_schemas_clock_and_attachments(tmp_path: Path) -> None:
    log = FlightLog.open(tmp_path, HandClock(), unix_ns=UNIX_NS, name="flight")
    log.attach("homing.toml", b"[vehicle]\n", 5 * SECOND)
    setpoint = SetpointRecord(1.0, 2.0, 30.0, 7 * SECOND, "en route", True, None)
    log.write(6 * SECOND, setpoint)
    log.close()
    with log.mcap_path.open("rb") as stream:
        reader = make_reader(stream)
        (schema, channel, message), = reader.iter_messages()  # fmt: skip
        assert json.loads(schema.data) == SetpointRecord.schema() and schema.encoding == "jsonschema"
        assert (channel.topic, channel.message_encoding) == ("setpoint", "json")
        assert json.loads(message.data) == dataclasses.asdict(setpoint)
        clock = {m.name: m.metadata for m in reader.iter_metadata()}["clock"]
        assert clock == {"start_t_ns": str(5 * SECOND), "start_unix_ns": str(UNIX_NS)}
        assert reader.get_summary().statistics.message_count == 1
    assert read_attachments(log.mcap_path) == {"homing.toml": b"[vehicle]\n"}


def test_chunks_carry_a_checksum_and_a_damaged_one_is_left_out(tmp_path: Path) -> None:
    log = FlightLog.open(tmp_path, HandClock(), name="flight")
    for second in range(3):
        log.write((10 + second) * SECOND, Note(second, "x" * 200))
        log.flush()
    log.close()
    assert missing_records(log.mcap_path) == 0
    whole = log.mcap_path.read_bytes()
    offset = whole.index(b"zstd", whole.index(b"zstd") + 1) + 40  # inside the second chunk's data
    log.mcap_path.write_bytes(whole[:offset] + bytes([whole[offset] ^ 0xFF]) + whole[offset + 1 :])
    assert numbers_of(log.mcap_path) == [0, 2] and missing_records(log.mcap_path) == 1


def test_a_log_cut_anywhere_gives_what_came_before_the_cut(tmp_path: Path) -> None:
    log = FlightLog.open(tmp_path, HandClock(), name="flight")
    for i in range(60):
        log.write(5 * SECOND + i * SECOND // 10, Note(i))
    log.close()
    whole = log.mcap_path.read_bytes()
    seed = random.Random(3)
    cut, lengths = tmp_path / "cut.mcap", []
    for length in sorted(seed.randrange(8, len(whole)) for _ in range(60)):
        cut.write_bytes(whole[:length])
        numbers = numbers_of(cut)
        assert numbers == list(range(len(numbers)))
        lengths.append(len(numbers))
    assert lengths == sorted(lengths) and lengths[-1] == 60


KILLED = """
import sys, time
from pathlib import Path
from runtime.clock import MonotonicClock
from runtime.flightlog.flightlog import FlightLog
from tests.runtime.flightlog.notes import Note
from tests.runtime.flightlog.test_flightlog import heartbeat
clock = MonotonicClock()
log = FlightLog.open(Path(sys.argv[1]), clock, name="flight")
for i in range(100000):
    t_ns = clock.now_ns()
    log.write(t_ns, Note(i))
    log.link("vehicle", heartbeat(i), t_ns, "in")
    print(i, t_ns, flush=True)
    time.sleep(0.002)
"""


def test_kill_9_loses_at_most_the_last_second(tmp_path: Path) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )  # fmt: skip
    assert writer.stdout is not None
    told = [tuple(map(int, writer.stdout.readline().split())) for _ in range(900)]
    writer.send_signal(signal.SIGKILL)
    writer.stdout.read()
    writer.wait()
    writer.stdout.close()
    kept = numbers_of(tmp_path / "flight.mcap")
    assert kept == list(range(len(kept)))
    second_before = [number for number, t_ns in told if t_ns <= told[-1][1] - SECOND]
    assert len(kept) > second_before[-1] > 100
    assert len(packets_of(tmp_path / "flight.tlog")) > second_before[-1]


def test_raw_mavlink_of_both_directions_is_a_tlog(tmp_path: Path) -> None:
    log = FlightLog.open(tmp_path, HandClock(), unix_ns=UNIX_NS, name="flight")
    stream = b"".join(heartbeat(i) for i in range(10))
    for i in range(0, len(stream), 7):  # a serial port cuts packets where it likes
        log.link("vehicle", b"\x00\xfd" * (i == 0) + stream[i : i + 7], 6 * SECOND + i, "in")
    log.link("vehicle", heartbeat(10) + heartbeat(11), 7 * SECOND, "out")
    log.close()
    found = packets_of(log.tlog_path)
    assert [mode for _, mode in found] == list(range(12))
    assert found[-1][0] == pytest.approx(UNIX_NS * 1e-9 + 2.0, abs=1e-3)
    first = log.tlog_path.read_bytes()[:8]
    assert struct.unpack(">Q", first)[0] == (UNIX_NS + SECOND) // 1000


def test_packets_outside_the_dialect_are_in_the_tlog_too(tmp_path: Path) -> None:
    private = bytes([0xFD, 3, 0, 0, 0, 1, 1, 0x10, 0x27, 0x01, 1, 2, 3, 4, 5])  # id 75536
    log = FlightLog.open(tmp_path, HandClock(), unix_ns=UNIX_NS, name="flight")
    log.link("vehicle", heartbeat(0) + private + heartbeat(1), 6 * SECOND, "in")
    log.close()
    kept = log.tlog_path.read_bytes()
    assert [heartbeat(0), private, heartbeat(1)] == [kept[8:29], kept[37:52], kept[60:81]] and len(kept) == 81


def test_numbers_and_values_that_json_has_not(tmp_path: Path) -> None:
    class Colour(Enum):
        RED = "red"

    log = FlightLog.open(tmp_path, HandClock(), name="flight")
    held = {
        "nan": math.nan, "deep": [math.inf, {"x": np.float64(0.5)}], "point": GeoPoint(1.0, 2.0), "colour": Colour.RED,
        "names": frozenset({"b"}), "path": Path("x"),
    }  # fmt: skip
    log.write(6 * SECOND, Anything(held))
    log.write(6 * SECOND, Anything(object()))
    log.close()
    ((_, _, back),) = read_flightlog(log.mcap_path)
    assert back["what"] == {
        "nan": None, "deep": [None, {"x": 0.5}], "point": {"latitude_deg": 1.0, "longitude_deg": 2.0}, "colour": "red",
        "names": ["b"], "path": "x",
    }  # fmt: skip
    assert (log.state.lost_records, log.state.degraded) == (1, True)


def test_a_file_whose_name_is_not_utf_8_costs_no_record(tmp_path: Path) -> None:
    log = FlightLog.open(tmp_path, HandClock(), name="flight")
    asked = {"command": "target", "image": os.fsdecode(b"caf\xe9.png"), "target_gsd_m": math.nan}
    log.write(6 * SECOND, RequestRecord(asked))
    log.close()
    ((_, _, back),) = read_flightlog(log.mcap_path)
    assert back["request"] == {**asked, "target_gsd_m": None}
    assert os.fsencode(back["request"]["image"]) == b"caf\xe9.png" and not log.state.degraded


def test_the_bytes_of_a_link_come_back_whole_whatever_they_are(tmp_path: Path) -> None:
    """The .tlog keeps packets alone; a replay needs garbage, cuts and all, with their instants and links."""
    log = FlightLog.open(tmp_path, HandClock(), name="flight")
    chunks = [(b"\x00\xfd\xff", 6 * SECOND), (heartbeat(1)[:5], 7 * SECOND), (heartbeat(1)[5:], 8 * SECOND)]
    for data, t_ns in chunks:
        log.link("radio", data, t_ns, "in")
    log.close()
    back = [(channel, t_ns, record) for channel, t_ns, record in read_flightlog(log.mcap_path)]
    assert [(base64.urlsafe_b64decode(record["data"]), t_ns) for _, t_ns, record in back] == chunks
    assert {(channel, record["link"], record["direction"]) for channel, _, record in back} == {("link", "radio", "in")}


@pytest.mark.parametrize("kind", RECORDS, ids=lambda kind: str(kind.channel))
def test_every_record_has_a_schema_of_its_own_fields(kind: type[Any]) -> None:
    schema = kind.schema()
    assert schema["type"] == "object"
    assert list(schema.get("properties", {})) == [field.name for field in dataclasses.fields(kind)]


def test_a_full_disk_is_counted_and_the_log_goes_on_when_there_is_room(tmp_path: Path) -> None:
    disk = Disk(room=100_000)
    log = FlightLog.open(tmp_path, HandClock(), name="flight", opener=disk.open)
    seed = random.Random(1)
    log.attach("homing.toml", b"x = 1\n", 5 * SECOND)

    def fly(start_s: int, seconds: int) -> None:
        for i in range(seconds * 10):
            t_ns = start_s * SECOND + i * SECOND // 10
            log.write(t_ns, Note(t_ns, str(seed.random())))
            log.link("vehicle", heartbeat(i), t_ns, "in")
        log.flush()

    fly(5, 30)
    assert not log.state.degraded
    disk.room = 0
    fly(40, 30)
    assert log.state.degraded and log.state.reason == "No space left on device"
    assert log.state.lost_records == 600  # 300 notes, 300 pieces of the link
    disk.room = 1_000_000
    fly(80, 30)
    log.close()
    files = sorted(tmp_path.glob("*.mcap"))
    assert len(files) == 2, "attempts on the full disk leave no empty files behind"
    stamps = [t_ns for file in reversed(files) for name, t_ns, _ in read_flightlog(file) if name == "note"]
    assert len([t for t in stamps if t < 40 * SECOND]) == 300
    assert len([t for t in stamps if t >= 86 * SECOND]) == 240
    assert read_attachments(max(files, key=lambda f: f.stat().st_mtime_ns)) == {"homing.toml": b"x = 1\n"}
    assert len(packets_of(log.tlog_path)) >= 590


LIMITED = """
import resource, sys
from pathlib import Path
from runtime.flightlog.flightlog import FlightLog
from tests.runtime.flightlog.notes import Note
from tests.runtime.flightlog.test_flightlog import HandClock, SECOND
resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))
log = FlightLog.open(Path(sys.argv[1]), HandClock(), name="flight")
for i in range(400):
    log.write(5 * SECOND + i * SECOND // 10, Note(i, str(hash(str(i)))))
    log.flush()
log.close()
state = log.state
print(state.degraded, state.reason, state.records, state.lost_records)
"""


def test_a_real_refusal_of_the_operating_system_never_stops_the_loop(tmp_path: Path) -> None:
    assert resource.getrlimit(resource.RLIMIT_FSIZE)
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    degraded, reason = done.stdout.split()[0], " ".join(done.stdout.split()[1:-2])
    assert (degraded, reason) == ("True", "File too large")
    numbers = [r["number"] for file in tmp_path.glob("*.mcap") for _, _, r in read_flightlog(file)]
    lost = int(done.stdout.split()[-1])
    assert len(set(numbers)) == len(numbers) > 30 and len(numbers) + lost >= 400
    assert all(file.stat().st_size <= 3000 for file in tmp_path.iterdir())


class FaultyFile(AppendFile):
    """A file whose second block meets an error that no disk makes."""

    blocks = 0

    def append(self, block: bytes) -> None:
        FaultyFile.blocks += 1
        if FaultyFile.blocks == 2:
            raise ZeroDivisionError("nobody expects it")
        super().append(block)


def test_an_error_that_no_disk_makes_costs_its_block_and_not_the_log(tmp_path: Path) -> None:
    disk, spool = DiskThread(), Spool(FaultyFile(tmp_path / "file"), contiguous=False)
    for block in (b"one ", b"two ", b"three"):
        disk.put(spool, block, records=2)
    drained = threading.Thread(target=disk.drain, daemon=True)
    drained.start()
    drained.join(20.0)
    assert not drained.is_alive(), "nobody writes any more"
    assert (spool.lost_blocks, spool.lost_records) == (1, 2)
    assert spool.broken == "ZeroDivisionError: nobody expects it"
    disk.finish(spool)
    disk.stop()
    assert (tmp_path / "file").read_bytes() == b"one three"


class StuckFile(AppendFile):
    """A card that answers nothing until it is freed."""

    freed = threading.Event()

    def append(self, block: bytes) -> None:
        assert self.freed.wait(60.0)
        super().append(block)


def test_a_disk_that_hangs_does_not_hang_the_flight(tmp_path: Path) -> None:
    log = FlightLog.open(tmp_path, HandClock(), name="flight", opener=StuckFile)
    for i in range(600):
        log.write(5 * SECOND + i * SECOND // 10, Note(i))
    assert (log.state.bytes_written, log.state.degraded) == (0, False), "all of it waits, and we are here"
    StuckFile.freed.set()
    log.close()
    assert [record["number"] for _, _, record in read_flightlog(log.mcap_path)] == list(range(600))


class DyingCard:
    """A card that fails at its third block, and from then on answers to no new file until it is freed."""

    def __init__(self) -> None:
        self.blocks, self.freed = 0, threading.Event()

    def open(self, path: Path) -> AppendFile:
        if self.blocks > 2:
            assert self.freed.wait(60.0)
        return FileOf(self, path)


class FileOf(AppendFile):
    """A file of such a card."""

    def __init__(self, card: DyingCard, path: Path) -> None:
        super().__init__(path)
        self._card = card

    def append(self, block: bytes) -> None:
        self._card.blocks += 1
        if self._card.blocks == 3:
            raise OSError(5, "Input/output error")
        super().append(block)


def test_a_card_that_makes_no_new_file_does_not_hang_the_flight(tmp_path: Path) -> None:
    card, seed = DyingCard(), random.Random(1)
    log = FlightLog.open(tmp_path, HandClock(), name="flight", opener=card.open)

    def fly(start_s: int) -> None:
        for i in range(300):
            log.write(start_s * SECOND + i * SECOND // 10, Note(i, str(seed.random())))

    fly(5)
    wait_until(lambda: log.state.degraded)
    log.write(38 * SECOND, Note(0))  # finds the file broken, unless that has been found already
    flight = threading.Thread(target=fly, args=(50,), daemon=True)
    flight.start()
    flight.join(20.0)
    hung = flight.is_alive()
    card.freed.set()
    assert not hung, "the deciding thread waits for a card"
    flight.join(20.0)
    log.close()
    later = [r["number"] for _, _, r in read_flightlog(tmp_path / "flight-2.mcap")]
    assert later[-300:] == list(range(300)), "what waited is written once the card answers"


def wait_until(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 20.0
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.005)


def test_what_a_hanging_disk_keeps_waiting_is_bounded(tmp_path: Path) -> None:
    StuckFile.freed.clear()
    disk, spool = DiskThread(), Spool(StuckFile(tmp_path / "file"), contiguous=False)
    for _ in range(100):
        disk.put(spool, bytes(2**20), records=3)
    assert (spool.lost_blocks, spool.lost_records, spool.broken) == (36, 108, "the disk is too slow")
    StuckFile.freed.set()
    disk.finish(spool)
    disk.stop()
    assert (tmp_path / "file").stat().st_size == 64 * 2**20


def test_a_directory_that_cannot_be_written_is_one_sentence_at_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="the flight log cannot be written to .*file: "):
        FlightLog.open(tmp_path / "file", HandClock())


def test_a_missing_or_foreign_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(TelemetryError, match="cannot be read"):
        list(read_flightlog(tmp_path / "none.mcap"))
    (tmp_path / "other.mcap").write_text("hello, I am a text")
    with pytest.raises(TelemetryError, match="no flight log"):
        list(read_flightlog(tmp_path / "other.mcap"))


def test_two_logs_of_the_same_second_do_not_collide(tmp_path: Path) -> None:
    logs = [FlightLog.open(tmp_path, HandClock(), unix_ns=UNIX_NS) for _ in range(2)]
    for log in logs:
        log.close()
    assert [log.mcap_path.name for log in logs] == ["20231114T221320Z.mcap", "20231114T221320Zb.mcap"]


def test_nothing_is_written_after_the_end(tmp_path: Path) -> None:
    log = FlightLog.open(tmp_path, HandClock(), name="flight")
    log.close()
    log.write(9 * SECOND, Note(9))
    log.link("vehicle", heartbeat(1), 9 * SECOND, "in")
    log.close()
    assert list(read_flightlog(log.mcap_path)) == []


def test_the_null_log_takes_the_same_calls() -> None:
    log = NullFlightLog()
    log.write(1, Anything(object()))
    log.link("vehicle", b"\xfd", 1, "out")
    log.attach("a", b"", 1)
    log.close()
    assert not log.state.degraded
