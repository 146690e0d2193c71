"""`homing calibrate flight` on a flight log of Homing's own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runtime.geodesy import offset
from tests.runtime.cli.called import homing
from tests.runtime.replay.flights import HEIGHT_M, ORIGIN, Flown, configured, write_past


@pytest.mark.long
def test_a_flight_log_gives_mount_and_delay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The simulated autopilot's attitude is 1 deg off, which a mount by its word takes up."""
    past = write_past(tmp_path / "past.db")
    flown = Flown(tmp_path, configured(past, fix={"interval_s": 60.0}, record={"enabled": False}), frames="all")
    flown.flight.fly(1.0)
    flown.flight.pilot_set_mode("GUIDED")
    for north, east in ((20, 0), (20, 25), (-15, 25), (-15, -15)):
        flown.flight.station.go_to(offset(ORIGIN, north, east), HEIGHT_M)
        flown.flight.fly(6.0)
    monkeypatch.chdir(tmp_path)
    done = homing("calibrate", "flight", str(flown.close()), "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert abs(found["delay_s"] - 0.06) < 0.015
    assert 0.5 < found["tilted_by_deg"] < 1.5
    assert found["turned_by_deg"] < 1.5
    assert (tmp_path / "camera.toml").is_file() and (tmp_path / "camera_mount.png").is_file()
