"""`homing report`: the page of a flight log, whole or cut off, against the best truth that there is."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest

from runtime.daemon.records import setpoint_record, vehicle_record
from runtime.debrief.flown import Flown
from runtime.debrief.judged import Judged
from runtime.debrief.reference import reference
from runtime.debrief.truth import truth_of
from runtime.flightlog.beliefs import NavigationRecord, PoseRecord, VisionRecord
from runtime.flightlog.flightlog import FlightLog
from runtime.flightlog.inputs import FrameRecord, JobRecord, LinkRecord, TickRecord
from runtime.flightlog.record import Record
from runtime.flightlog.records import GuidanceRecord, TruthRecord
from runtime.flightlog.start import FlightStart
from runtime.geodesy import offset
from runtime.mavlink.dialect import mavlink
from runtime.sources.telemetry import read_reference
from runtime.values import GeoPoint, Setpoint
from runtime.vehicle.events import ModeChanged, TargetTaken
from tests.runtime.cli.called import homing
from tests.runtime.debrief.test_sightings import At
from tests.runtime.sources.logs import Dataflash, ULogWriter

HOME = GeoPoint(60.4, 22.4)
SECOND = 1_000_000_000
UNIX_NS = 1_760_000_000 * SECOND
BOOT_S = 40.0  # the autopilot had been running when the log began
SPEED_M_S = 8.0
OFF_M = 3.0  # of the camera's word, to the east
LENGTH_S = 20


def there(t_s: float) -> GeoPoint:
    """Where the vehicle really is: flying north."""
    return offset(HOME, SPEED_M_S * t_s, 0.0)


def place(point: GeoPoint) -> tuple[int, int]:
    return round(point.latitude_deg * 1e7), round(point.longitude_deg * 1e7)


def records(t_s: float, voice: mavlink.MAVLink, slower: float) -> list[Record]:
    """What a daemon writes five times a second."""
    t_ns, seen = round(t_s * SECOND), offset(there(t_s), 0.0, OFF_M)
    boot_ms, delayed = round((BOOT_S + t_s * (1 - slower)) * 1000), t_ns - 80_000_000
    said = [
        mavlink.MAVLink_system_time_message(round(1.76e15 + t_s * 1e6), boot_ms),
        mavlink.MAVLink_gps_raw_int_message(0, 6, *place(offset(there(t_s), 1.0, 0.0)), 0, 121, 200, 0, 0, 10),
    ]
    command = mavlink.MAVLink_set_position_target_global_int_message(
        0, 1, 1, 0, 3576, *place(there(90.0)), 83.0, *(0.0,) * 8
    )
    target = Setpoint(t_ns, there(90.0), 120.0, t_ns + SECOND, "en route")
    reasons = [] if t_s > 10 else ["not_engaged"]
    return [
        TickRecord(),
        LinkRecord("vehicle", "in", b"".join(message.pack(voice) for message in said)),
        FrameRecord(round(5 * t_s), "camera", delayed, 1 if t_s == 4 else 0, "ok", 640, 480, None),
        PoseRecord(round(5 * t_s), delayed, there(t_s), 1.0, "autopilot", None, None, None, None, None),
        VisionRecord("tracking", seen, ((4.0, 0.0), (0.0, 4.0)), 2.0, None, None, True, "vision", "", t_ns, t_ns),
        JobRecord("odometry", 30_000_000, delayed, False, delayed),
        NavigationRecord("vision", "believed", None),
        GuidanceRecord("engaged" if t_s > 10 else "monitor", "none", reasons, None, [], None, None, 2.0, True, t_ns),
        *([setpoint_record(target, None), LinkRecord("vehicle", "out", command.pack(voice))] if t_s > 10 else []),
        *([vehicle_record(TargetTaken(t_ns, there(90.0), 120.0, 0.07))] if t_s > 12 else []),
        *([vehicle_record(ModeChanged(t_ns, "GUIDED", 4, "LOITER", True, False))] if t_s == 10 else []),
    ]


def write_log(folder: Path, simulated: bool = False, slower: float = 0.0) -> Path:
    """A flight log of twenty seconds; ``simulated``: it knows the truth; ``slower``: the vehicle's clock, by this."""
    clock, voice = At(SECOND), mavlink.MAVLink(None, 1, 1)
    log = FlightLog.open(folder, clock, unix_ns=UNIX_NS, name="flight")
    config = {"camera": {"uri": "csi:0"}, "fix": {"interval_s": 0.5}}
    log.start(FlightStart(config, {"homing": "9.9", "bundle": "space.256px"}, None, "f", False, 7, 7), clock.t_ns)
    for step in range(1, 5 * LENGTH_S + 1):
        clock.t_ns = SECOND + step * 200_000_000
        for record in records(clock.t_ns / SECOND, voice, slower):
            log.write(clock.t_ns, record)
    if simulated:
        for second in range(1, LENGTH_S + 2):
            log.write(second * SECOND, TruthRecord(there(second), 50.0))
    log.close()
    return log.mcap_path


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_log(tmp_path_factory.mktemp("flown"))


def write_bin(path: Path, simulated: bool = False, slower: float = 0.0, week_s: float = 0.0) -> Path:
    """The autopilot's own log of it; ``week_s``: by how much its dates are later."""
    formats = {
        "POS": ("QLLfff", "TimeUS,Lat,Lng,Alt,RelHomeAlt,RelOriginAlt"),
        "GPS": ("QBIHLLf", "TimeUS,Status,GMS,GWk,Lat,Lng,Alt"),
        "SIM": ("QLLf", "TimeUS,Lat,Lng,Alt"),
    }
    written = Dataflash(path, formats)
    gps_s = 1_760_000_000 + 18 - 315_964_800 + week_s
    for step in range(5 * LENGTH_S):
        t_s = 1 + step / 5
        t_us = round((BOOT_S + t_s * (1 - slower)) * 1e6)
        week, ms = divmod(round((gps_s + t_s) * 1000), 604_800_000)
        lost = 30.0 if t_s > 15 else 0.0  # what the estimator makes of what it is fed
        written.write("POS", t_us, *place(offset(there(t_s), 0.0, lost)), 120.0, 50.0, 50.0)
        written.write("GPS", t_us, 3, ms, week, *place(there(t_s)), 120.0)
        if simulated:
            written.write("SIM", t_us, *place(offset(there(t_s), 0.0, OFF_M)), 120.0)
    return written.done()


def write_ulg(path: Path) -> Path:
    """PX4's."""
    written = ULogWriter(path, {"vehicle_gps_position": "uint64_t timestamp;double latitude_deg;double longitude_deg;"
                                "double altitude_msl_m;uint64_t time_utc_usec;uint8_t fix_type;"})  # fmt: skip
    for step in range(5 * LENGTH_S):
        t_s = 1 + step / 5
        point = there(t_s)
        utc_us = round(1.76e15 + t_s * 1e6)
        written.write("vehicle_gps_position", round((BOOT_S + t_s) * 1e6), point.latitude_deg, point.longitude_deg,
                      120.0, utc_us, 3)  # fmt: skip
    return written.done()


def figures(log: Path, truth: Path | None = None, offset_s: float | None = None) -> dict[str, Any]:
    """What ``--json`` says."""
    flown = Flown.open(log)
    known = truth_of(flown)
    if truth is not None:
        known, _ = reference(truth, read_reference(truth).track, flown, offset_s)
    found: dict[str, Any] = json.loads(json.dumps(Judged.of(flown, known).as_json()))
    return found


def test_the_page_tells_of_commands_errors_and_set_up_and_needs_nothing_from_elsewhere(log: Path) -> None:
    done = homing("report", log, "--out", log.parent / "page.html", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["report"] == str(log.parent / "page.html")
    page = (log.parent / "page.html").read_text()
    assert "<script" not in page and 'src="http' not in page and 'href="http' not in page
    text = re.sub(r"<[^>]+>", " ", page)
    for said in ("en route", "taken after 0.07 s", "mode GUIDED", "space.256px", "fix.interval_s", "not engaged",
                 "sigma against error", "frames dropped", "exposure to motion"):  # fmt: skip
        assert said in text, said
    assert (log.parent / "page_map.png").stat().st_size > 5_000
    assert not list(log.parent.glob("*.part"))


def test_the_truth_is_the_simulators_the_autopilots_log_or_the_receivers(tmp_path: Path, log: Path) -> None:
    """The receiver as it was heard lies a metre north of the truth."""
    heard = figures(log)
    assert heard["truth"] == "gps receiver"
    assert heard["position_error_m"]["median"] == pytest.approx(math.hypot(OFF_M, 1.0), abs=0.05)
    by_bin = figures(log, write_bin(tmp_path / "f.BIN"))
    assert by_bin["truth"] == "gps receiver in f.BIN", "never what its estimator was fed with"
    by_ulg = figures(log, write_ulg(tmp_path / "f.ulg"))
    by_simulator = figures(log, write_bin(tmp_path / "s.BIN", simulated=True))
    assert by_simulator["truth"] == "simulator in s.BIN"
    for found, median_m in ((by_bin, OFF_M), (by_ulg, OFF_M), (by_simulator, 0.0)):
        assert found["position_error_m"]["max"] == pytest.approx(median_m, abs=0.1)
    assert by_bin["setpoints"] == {"sent": 55, "withheld": 0} and by_bin["frames_dropped"] == 1
    told = figures(write_log(tmp_path / "simulated", simulated=True))
    assert told["truth"] == "simulator"
    assert told["position_error_m"]["median"] == pytest.approx(OFF_M, abs=0.05)


def test_an_offset_moves_the_truth(tmp_path: Path, log: Path) -> None:
    late = figures(log, write_bin(tmp_path / "f.BIN"), 1.2)
    assert late["position_error_m"]["median"] == pytest.approx(math.hypot(SPEED_M_S, OFF_M), abs=0.1)


def test_a_clock_that_runs_slower_is_followed(tmp_path: Path) -> None:
    """A simulator's, on a computer that is too slow for it: two seconds in twenty."""
    slow = write_log(tmp_path / "slow", slower=0.1)
    found = figures(slow, write_bin(tmp_path / "f.BIN", slower=0.1))
    assert found["position_error_m"]["max"] == pytest.approx(OFF_M, abs=0.3)


def test_the_log_of_another_flight_is_no_truth(tmp_path: Path, log: Path) -> None:
    other_day = write_bin(tmp_path / "other.BIN", week_s=86_400.0)
    done = homing("report", log, "--truth", other_day, "--out", tmp_path / "page.html")
    assert done.returncode != 0 and "started 24 h apart" in done.stderr and not (tmp_path / "page.html").exists()
    done = homing("report", log, "--truth", other_day, "--time-offset-s", "-4000", "--out", tmp_path / "page.html")
    assert done.returncode != 0 and "after the flight log's end" in done.stderr


def test_a_log_that_was_cut_off_is_told_as_far_as_it_goes(tmp_path: Path, log: Path) -> None:
    data = log.read_bytes()
    cut = tmp_path / "cut.mcap"
    cut.write_bytes(data[: len(data) * 2 // 3])
    found = figures(cut)
    assert found["complete"] is False and 0 < found["duration_s"] < LENGTH_S
    assert "cut off before its end" in Judged.of(Flown.open(cut), None).lead()


def test_what_cannot_be_told_of_is_refused_in_a_sentence(tmp_path: Path, log: Path) -> None:
    empty, text = tmp_path / "empty.mcap", tmp_path / "text.mcap"
    empty.write_bytes(log.read_bytes()[:60])
    text.write_text("no log")
    for words, said in (
        ((tmp_path / "none.mcap",), "No such file"), ((text,), "is no flight log"), ((empty,), "holds no flight"),
        ((log, "--boot", "2"), "give it with --truth"), ((log, "--out", tmp_path / "no" / "page.html"), "is no folder"),
        ((log, "--truth", tmp_path / "none.BIN"), "no such file"), ((log, "--truth", text), "telemetry is read from"),
    ):  # fmt: skip
        done = homing("report", *words)
        assert done.returncode != 0 and said in done.stderr and "Traceback" not in done.stderr, done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
    assert not list(tmp_path.glob("*.html"))
