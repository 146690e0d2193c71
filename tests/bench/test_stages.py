"""The stages are told apart on a log whose truth is made up here: a fix that is late, and odometry that carries on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from runtime.flightlog.beliefs import FixRecord, OdometryRecord, VisionRecord
from runtime.flightlog.flightlog import FlightLog
from runtime.flightlog.record import Record
from runtime.flightlog.records import TruthRecord
from runtime.geodesy import offset
from runtime.history.history import History
from runtime.values import Displacement, GeoPoint, Hypothesis, circular
from tests.bench.denied import Flight, figures, plot, seeds_of, stages
from tests.bench.stages import STAGES, stage_errors_m
from tests.runtime.history.recording import SPACE, embeddings, keyframe

ORIGIN = GeoPoint(60.4, 22.4)
SECOND = 1_000_000_000
SPEED_M_S = 8.0


@dataclass
class At:
    """A clock that stands where a record is written."""

    t_ns: int = 0

    def now_ns(self) -> int:
        return self.t_ns


def at(t_s: float, off_m: float = 0.0) -> GeoPoint:
    """Where the aircraft is: it flies north."""
    return offset(ORIGIN, SPEED_M_S * t_s, off_m)


def fix_of(t_s: float, keyframe_id: int) -> FixRecord:
    """2 m off to the east."""
    place = at(t_s, 2.0)
    seen = Hypothesis(place, place, circular(1.0), (keyframe_id,), 40, 12.0, 0.9)
    return FixRecord(
        t_ns=int(t_s * SECOND), decision="fix", aircraft=place, ground=place, covariance_m2=circular(1.0), sigma_m=1.0,
        keyframe_id=keyframe_id, inliers=40, verified=1, reason="", exposed_t_ns=int(t_s * SECOND), frame=0,
        autopilot=None, difference=None, hypotheses=(seen,),
    )  # fmt: skip


def odometry_of(t_s: float, from_s: float) -> OdometryRecord:
    """Exact, against a reference picture at ``from_s``."""
    way = Displacement(
        int(from_s * SECOND), int(t_s * SECOND), SPEED_M_S * (t_s - from_s), 0.0, circular(0.1), 0.0, 0.0, 0.0, 0.01,
        1.0, 0.01,
    )  # fmt: skip
    return OdometryRecord(0, int(t_s * SECOND), way, (), 90, 90)


def vision_of(t_s: float, off_m: float, state: str) -> VisionRecord:
    return VisionRecord(
        state=state, position=at(t_s, off_m), covariance_m2=circular(1.0), sigma_m=1.0, velocity_ned_m_s=None,
        heading_rad=None, trusted=state == "tracking", source="vision", reason="", measured_t_ns=int(t_s * SECOND),
        believed_t_ns=int(t_s * SECOND),
    )  # fmt: skip


@pytest.fixture(scope="module")
def flown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("stages")
    with History.create(folder / "history.db", SPACE, "a bundle") as history:
        remembered = history.add(keyframe(1), embeddings(1))
        place = history.keyframe(remembered).ground
    assert place is not None
    clock = At()
    log = FlightLog.open(folder, clock, unix_ns=1_760_000_000 * SECOND, name="flight")
    records: list[tuple[float, Record]] = [(0.2 * step, TruthRecord(at(0.2 * step), 100.0)) for step in range(51)]
    records.append((1.5, fix_of(1.0, remembered)))
    for step in range(1, 50):
        t_s = 0.2 * step
        records.append((t_s + 0.05, odometry_of(t_s, 2.0 * ((t_s - 0.1) // 2.0))))
        records.append((t_s + 0.06, vision_of(t_s, 0.5, "tracking" if t_s > 2.0 else "searching")))
    for t_s, record in sorted(records, key=lambda each: each[0]):
        clock.t_ns = int(t_s * SECOND)
        log.write(clock.t_ns, record)
    log.close()
    return log.mcap_path, folder / "history.db"


def test_each_stage_is_held_against_the_truth_of_each_frame(flown: tuple[Path, Path]) -> None:
    errors = stage_errors_m(*flown, from_ns=4 * SECOND)
    retrieval, verified, carried, filtered = (np.array(errors[stage]) for stage in STAGES)
    assert len(filtered) == len(verified) == len(carried) == 30
    assert carried == pytest.approx(2.0, abs=0.02), "the fix's own error, and nothing of what was flown since"
    assert filtered == pytest.approx(0.5, abs=0.01)
    assert verified[0] == pytest.approx(np.hypot(2.0, 3.0 * SPEED_M_S), abs=0.1), "the newest fix is three seconds old"
    assert len(retrieval) == 30 and retrieval.min() > verified.max(), "the remembered place lies elsewhere"


def test_nothing_is_known_before_it_was(flown: tuple[Path, Path]) -> None:
    errors = stage_errors_m(*flown, from_ns=0)
    assert len(errors["+ odometry"]) == len(errors["+ verification"]) < 49
    assert len(errors["+ filter"]) == 39


def result(**other: object) -> dict[str, object]:
    return {
        "result": "PASS", "checks": {}, "arrival_error_m": 1.5, "frames": 2, "tracking_share": 1.0,
        "inside_1sigma": 0.5, "inside_2sigma": 1.0, "first_fix_s": None, "recovery_s": None,
        "confidently_wrong_share": 0.0, "spoof_alarms": {}, "false_alarms": 0,
        "stages": {stage: [1.0, 2.0] for stage in STAGES}, **other,
    }  # fmt: skip


def test_the_tables_and_the_plot_take_what_there_is(tmp_path: Path) -> None:
    alarms = {"drag_1_m_s": {"s": 8.0, "offset_m": 9.0}, "step": {"s": 1.0, "offset_m": 60.0}, "drag_5_m_s": None}
    results = [
        (Flight("town", 1, "denied"), result()),
        (Flight("town", 2, "denied"), result(result="FAIL", arrival_error_m=None, stages=dict.fromkeys(STAGES, []))),
        (Flight("town", 1, "spoofed"), result(arrival_error_m=None, spoof_alarms=alarms)),
        (Flight("turku", 1, "denied"), result()),
    ]
    table = figures(results)  # type: ignore[arg-type]
    assert table.row_count == 3 and stages(results).row_count == 3  # type: ignore[arg-type]
    cells = [list(column.cells) for column in table.columns]
    assert cells[2] == ["1 of 2", "1 of 1", "1 of 1"]
    assert cells[10][1] == "8.0 at 9.0, 1 of 3 missed"
    plot(results, tmp_path / "plot.png")  # type: ignore[arg-type]
    assert (tmp_path / "plot.png").stat().st_size > 10_000


def test_seeds() -> None:
    assert seeds_of("1-3") == [1, 2, 3] and seeds_of("4,7") == [4, 7]
