"""Telemetry logs of real autopilots: where GPS was lost, jumped, or was fed by a companion, nothing is believed."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.errors import TelemetryError
from runtime.sources.logs.tlog import read_tlog

SHARED = Path(__file__).parents[4] / "shared/data"
MAVLINK = SHARED / "mavlink"

pytestmark = pytest.mark.skipif(not MAVLINK.is_dir(), reason="the recorded exchanges are not here")


@pytest.mark.parametrize(
    ("name", "believed_s", "words"),
    [  # boot time 4 to 8 s is the log's zero; the .txt beside each tells when GPS was lost
        ("arducopter_goto_land", [(35, 119)], []),
        ("arducopter_mission_auto_rtl", [(35, 148)], []),
        ("arducopter_refusals", [(35, 121)], []),
        ("px4_goto_offboard", [(0, 118)], []),
        ("arducopter_gps_jump_222m", [(38, 75)], ["leapt by 22", "rejected GPS"]),
        ("arducopter_gps_lost_unaided", [(35, 71)], ["no 3D fix", "no absolute position"]),
        ("arducopter_gps_lost_gps_input_second", [(38, 74)], ["fed by a companion", "boots 1 of"]),
        ("arducopter_gps_lost_odometry_switch", [(38, 73)], ["no 3D fix", "not by GPS", "boots 1 of"]),
        ("px4_gps_lost_odometry", [(0, 36)], ["no 3D fix"]),
    ],
)
def test_only_what_gps_gave_is_a_position(name: str, believed_s: list[tuple[int, int]], words: list[str]) -> None:
    track, notes = read_tlog(MAVLINK / f"{name}.tlog")
    found = [t_s for t_s in range(150) if track.at(float(t_s)) is not None]
    assert found == [t_s for first, last in believed_s for t_s in range(first, last + 1)]
    told = " ".join(notes)
    assert all(word in told for word in words)
    states = [state for t_s in found if (state := track.at(float(t_s))) is not None]
    assert all(state.position is not None and state.position.sigma_m < 1.0 for state in states), "as the receiver said"
    assert all(state.pose.attitude_measured for state in states[2:])


def test_a_flight_by_vision_alone_holds_no_position() -> None:
    with pytest.raises(TelemetryError, match="is to be believed .*was not by GPS"):
        read_tlog(MAVLINK / "arducopter_odometry_from_boot.tlog")


def test_a_real_flight_is_read_whole() -> None:
    track, notes = read_tlog(SHARED / "flights/cuav/flight.tlog")
    assert notes == [] and len(track) == 676
    state = track.at(90.0)
    assert state is not None and state.position is not None and state.position.sigma_m == pytest.approx(0.24, abs=0.05)
