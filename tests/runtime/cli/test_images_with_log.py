"""Pictures without a tag beside their flight's log: recorded, fixed and followed by the times in their names."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from runtime.camera_model import CameraModel
from runtime.geodesy import distance_m
from runtime.history.history import History
from runtime.values import GeoPoint
from tests.runtime.cli.called import homing
from tests.runtime.cli.histories import write_history
from tests.runtime.record.fakes import ground_texture
from tests.runtime.sources.logs import Tlog
from tests.runtime.sources.photos import write_photo
from tests.runtime.survey.flights import Truth, photograph

CAMERA = CameraModel.from_hfov(480, 360, 69.0)
GROUND = ground_texture(1400)
FLOWN = [Truth(1.0 * k, -14.0 + 4.0 * k, 3.0, 45.0, 0.35) for k in range(6)]
START_S = 1_700_000_000


@pytest.fixture(scope="module")
def flight(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of six pictures, a log and a calibration."""
    folder = tmp_path_factory.mktemp("flight")
    log = Tlog(folder / "flight.tlog", float(START_S))
    for tick in range(-10, 61):
        t_s = tick / 10
        north_m = -14.0 + 4.0 * t_s
        truth = Truth(t_s, north_m, 3.0, 45.0, 0.35)
        boot_ms = round((100 + t_s) * 1e3)
        lat, lon = round(truth.point.latitude_deg * 1e7), round(truth.point.longitude_deg * 1e7)
        log.say(t_s, mavlink.MAVLink_attitude_message(boot_ms, 0.0, 0.0, 0.35, 0, 0, 0))
        log.say(t_s, mavlink.MAVLink_global_position_int_message(boot_ms, lat, lon, 505_000, 45_000, 400, 0, 0, 2000))
    log.done()
    for truth in FLOWN:
        write_photo(folder / f"{START_S + round(truth.t_s)}.000.jpg", photograph(GROUND, 0.12, truth, CAMERA))
    keys = ("width_px", "height_px", "fx_px", "fy_px", "cx_px", "cy_px")
    said = {key: getattr(CAMERA, key) for key in keys}
    (folder / "camera.json").write_text(json.dumps({**said, "distortion_k1_k2_p1_p2_k3": [0.0] * 5, "stamp": "UTC"}))
    return folder


def options(flight: Path) -> list[str | Path]:
    return ["--telemetry", flight / "flight.tlog", "--camera", flight / "camera.json"]


def test_they_are_recorded_where_the_log_says_they_were_taken(flight: Path, tmp_path: Path) -> None:
    done = homing("record", "--history", tmp_path / "h.db", "--images", flight, *options(flight), "--json")
    assert done.returncode == 0 and json.loads(done.stdout)["skipped"] == [], done.stderr
    assert "beside the photos" not in done.stderr, "they are read"
    with History.open(tmp_path / "h.db") as history:
        kept = list(history.keyframes(crops=False))
    assert len(kept) == len(FLOWN)
    assert all(distance_m(one.ground, truth.point) < 1.0 for one, truth in zip(kept, FLOWN, strict=True))


def test_they_are_fixed_and_followed(flight: Path, tmp_path: Path) -> None:
    history = write_history(tmp_path / "h.db", GROUND, CAMERA)
    picture = flight / f"{START_S + 3}.000.jpg"
    fixed = homing("fix", picture, "--history", history, *options(flight), "--json")
    answer = json.loads(fixed.stdout)
    assert fixed.returncode == 0, fixed.stderr
    assert distance_m(GeoPoint(answer["latitude_deg"], answer["longitude_deg"]), FLOWN[3].point) < 3.0
    followed = homing("track", "--history", history, "--images", flight, *options(flight), "--json")
    *frames, summary = [json.loads(line) for line in followed.stdout.splitlines()]
    assert followed.returncode == 0 and len(frames) == len(FLOWN) and summary["tracking_share"] >= 0.5
    assert summary["position_error_m"]["p95"] < 3.0, "against the log"
    assert math.hypot(*frames[-1]["velocity_ned_m_s"][:2]) == pytest.approx(4.0, abs=0.5)


def test_what_does_not_belong_together_is_refused(flight: Path, tmp_path: Path) -> None:
    late = ["record", "--history", tmp_path / "h.db", "--images", flight, *options(flight), "--time-offset-s", "7200"]
    done = homing(*late)
    assert done.returncode != 0 and "ends 2 h before" in done.stderr and "without an offset" in done.stderr
    assert not (tmp_path / "h.db").exists(), "nothing half-written"
    answers = homing("fix", flight / f"{START_S}.000.jpg", tmp_path / "absent.jpg", "--history", tmp_path / "h.db",
                     "--vehicle", "3")  # fmt: skip
    assert answers.returncode == 2 and "give it with --telemetry" in answers.stderr
    (tmp_path / "c.json").write_text('{"width_px": 480}')
    (tmp_path / "d.json").write_text("[480]")
    said = {"c.json": "height_px: Field required", "d.json": "holds no camera", "e.json": "cannot be read"}
    for name, words in said.items():
        refused = homing("track", "--history", tmp_path / "h.db", "--images", flight, "--camera", tmp_path / name)
        assert refused.returncode == 2 and words in refused.stderr, refused.stderr
