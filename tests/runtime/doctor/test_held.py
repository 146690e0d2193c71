"""What stands in the way is named with the value to set, for the configuration in force."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runtime.config.config import Config, load_config
from runtime.doctor.autopilot import Seen
from runtime.doctor.held import held, read
from runtime.doctor.rates import own_findings, stream_findings
from runtime.doctor.use import figures_of, measured_delay_ms, needs_of, use_of
from runtime.values import AidingRoute
from runtime.vehicle.ardupilot.parameters import RULES as ARDUPILOT
from runtime.vehicle.parameters.reading import Parameter
from runtime.vehicle.px4.parameters import RULES as PX4
from runtime.vehicle.telemetry.streams import StreamHealth

CONFIG = """
[camera]
uri = "/dev/video0"
width_px = 64
height_px = 48
hfov_deg = 70.0
[vehicle]
uri = "udpin:127.0.0.1:14550"
[history]
path = "history.db"
"""
COMMANDING = """
[commanding]
enabled = true
polygon = [[60.3, 22.3], [60.3, 22.5], [60.5, 22.4]]
floor_height_takeoff_m = 20.0
ceiling_height_takeoff_m = 110.0
max_distance_m = 900.0
battery_reserve_percent = 30.0
"""
ROUTES = (AidingRoute.ODOMETRY, AidingRoute.VISION)


def configured(folder: Path, more: str) -> Config:
    (folder / "homing.toml").write_text(CONFIG + more)
    return load_config(folder / "homing.toml")


def seen(missing: tuple[str, ...] = (), **values: float) -> Seen:
    known = {name: Parameter(name, value, 9) for name, value in values.items()}
    return Seen("ardupilot", 1, False, "copter", False, ROUTES, (), known, frozenset(missing))


class Shelf:
    """An autopilot that has these parameters, and keeps what it was asked for."""

    def __init__(self, **values: float) -> None:
        self.values, self.asked = values, list[list[str]]()

    def look(self, names: Any, rates: bool = False) -> Seen:
        self.asked.append(list(names))
        wanted = [name for asked in self.asked for name in asked]
        return seen(tuple(n for n in wanted if n not in self.values), **self.values)


def test_older_names_are_asked_for_only_where_the_newest_are_missing(tmp_path: Path) -> None:
    use = use_of(configured(tmp_path, '[injection]\nroute = "gps_input"'), seen())
    new, old = Shelf(GPS2_TYPE=14, GPS2_DELAY_MS=0), Shelf(GPS_TYPE2=1, GPS_DELAY_MS2=0)
    read(new, ARDUPILOT, use)
    assert len(new.asked) == 1
    told = {one.name: one for one in held(ARDUPILOT, use, {}, read(old, ARDUPILOT, use))}
    assert old.asked[1] == ["GPS_DELAY_MS", "GPS_DELAY_MS2", "GPS_TYPE", "GPS_TYPE2"]
    assert told["GPS_TYPE2"].wanted == 14 and told["GPS_TYPE2"].finding.state == "wrong"


def test_what_is_wrong_says_what_why_and_what_to_set(tmp_path: Path) -> None:
    config = configured(tmp_path, '[injection]\nroute = "auto"\nsource_set = 3')
    use = use_of(config, seen())
    assert use.route is AidingRoute.ODOMETRY
    looked = seen(VISO_TYPE=0, EK3_SRC3_POSXY=6, VISO_VEL_M_NSE=0.1, VISO_DELAY_MS=10)
    told = {one.name: one for one in held(ARDUPILOT, use, figures_of(config, looked, None), looked)}
    assert told["VISO_TYPE"].finding.line.startswith("✗ VISO_TYPE            0, has to be 1: without it ODOMETRY")
    assert told["VISO_TYPE"].finding.found.endswith("set 1, then restart the autopilot")
    assert told["EK3_SRC3_POSXY"].finding.state == "ok" and told["VISO_VEL_M_NSE"].finding.state == "warning"
    assert told["EK3_SRC3_VELXY"].finding.found.startswith("the autopilot has none"), "it is missing, and needed"
    assert told["VISO_DELAY_MS"].wanted is None and "--delay-ms" in told["VISO_DELAY_MS"].finding.found
    measured = {one.name: one for one in held(ARDUPILOT, use, figures_of(config, looked, 137.4), looked)}
    assert measured["VISO_DELAY_MS"].wanted == 137
    assert measured["VISO_TYPE"].as_record() == {
        "parameter": "VISO_TYPE", "value": 0, "wanted": 1, "reboot": True,
        "why": "without it ODOMETRY and VISION_POSITION_ESTIMATE are not read",
    }  # fmt: skip


def test_px4_is_asked_for_position_and_velocity_and_for_nothing_that_is_its_own_word(tmp_path: Path) -> None:
    config = configured(tmp_path, '[injection]\nroute = "odometry"\nmax_sigma_m = 9.0')
    use, looked = use_of(config, seen()), seen(EKF2_EV_CTRL=15, COM_POS_FS_EPH=5)
    told = {one.name: one for one in held(PX4, use, figures_of(config, looked, None), looked)}
    assert told["EKF2_EV_CTRL"].wanted == 5 and told["EKF2_EV_CTRL"].finding.state == "wrong"
    assert told["COM_POS_FS_EPH"].wanted == 9.0 and told["COM_POS_FS_EPH"].finding.state == "warning"


def test_px4_is_held_to_the_speed_that_is_reckoned_with_in_either_guided_mode(tmp_path: Path) -> None:
    more = "[guidance]\ncruise_speed_m_s = 6.0\n" + COMMANDING
    config, looked = configured(tmp_path, more), replace(seen(MPC_XY_VEL_MAX=12, MPC_XY_CRUISE=5), stack="px4")
    told = {one.name: one for one in held(PX4, use_of(config, looked), figures_of(config, looked, None), looked)}
    assert told["MPC_XY_VEL_MAX"].wanted == 6.0 and told["MPC_XY_VEL_MAX"].finding.state == "warning"
    assert "MPC_XY_CRUISE" not in told
    vehicle = config.vehicle.model_copy(update={"px4_guided_mode": "hold"})
    config = config.model_copy(update={"vehicle": vehicle})
    told = {one.name: one for one in held(PX4, use_of(config, looked), figures_of(config, looked, None), looked)}
    assert told["MPC_XY_CRUISE"].wanted == 6.0 and "MPC_XY_VEL_MAX" not in told


# --- rates -------------------------------------------------------------------------------------------------------


def test_streams_that_do_not_come_are_wrong_where_something_rests_on_them() -> None:
    streams = (
        StreamHealth("ATTITUDE", 30.0, 29.5, True, "ok"),
        StreamHealth("GPS_RAW_INT", 5.0, 1.0, True, "slow"),
        StreamHealth("SYS_STATUS", 2.0, 0.0, True, "denied"),
        StreamHealth("FENCE_STATUS", 1.0, 0.0, False, "denied"),
        StreamHealth("HOME_POSITION", 0.5, 0.0, False, "accepted"),
    )
    told = {one.what: (one.state, one.found) for one in stream_findings(streams)}
    assert told["ATTITUDE"] == ("ok", "29.5 of 30 Hz")
    assert told["GPS_RAW_INT"][0] == "wrong" and "1.0 of 5 Hz: slow" in told["GPS_RAW_INT"][1]
    assert told["SYS_STATUS"][0] == "wrong" and "refuses" in told["SYS_STATUS"][1]
    assert told["FENCE_STATUS"][0] == "note" and told["HOME_POSITION"][0] == "ok"


STATUS: dict[str, Any] = {
    "rates_hz": {"odometry": 24.0},
    "latency_ms": {
        "exposure_to_fix": {"p50": 210.0, "p99": 400.0}, "exposure_to_injection": {"p50": 61.0, "p99": 120.0},
    },
    "fix": {"age_s": 0.8},
}  # fmt: skip
FEEDING = '[injection]\nroute = "auto"'


def own(folder: Path, more: str = FEEDING, stack: str = "ardupilot", **status: Any) -> dict[str, str]:
    config = configured(folder, more)
    needs = needs_of(config, use_of(config, seen()))
    return {one.what: one.state for one in own_findings({**STATUS, **status}, needs, stack)}


def test_rates_that_suffice_are_ok(tmp_path: Path) -> None:
    assert own(tmp_path) == {"frames": "ok", "fix delay": "ok", "fix age": "ok", "feeding delay": "ok"}
    assert own(tmp_path, "") == {}, "nothing is fed or flown by sight"
    assert measured_delay_ms(STATUS) == 61.0 and measured_delay_ms({"latency_ms": {}}) is None


@pytest.mark.parametrize(
    "hz, stack, state",
    [(9.0, "px4", "warning"), (4.5, "px4", "wrong"), (4.5, "ardupilot", "warning"), (3.0, "ardupilot", "wrong")],
)
def test_too_few_frames(hz: float, stack: str, state: str, tmp_path: Path) -> None:
    assert own(tmp_path, stack=stack, rates_hz={"odometry": hz})["frames"] == state


def test_how_long_a_fix_takes_is_said(tmp_path: Path) -> None:
    config = configured(tmp_path, FEEDING)
    latency = {**STATUS["latency_ms"], "fix": {"p50": 150.0, "p99": 320.0}}
    found = own_findings({**STATUS, "latency_ms": latency}, needs_of(config, use_of(config, seen())), "px4")
    (delay,) = [one.found for one in found if one.what == "fix delay"]
    assert delay == "210 ms after the exposure, 400 ms in one of a hundred; 150 and 320 ms of that are the fix itself"


def test_fixes_that_come_late_or_not_at_all_are_named(tmp_path: Path) -> None:
    late = {"exposure_to_fix": {"p50": 900.0, "p99": 1900.0}, "exposure_to_injection": {"p50": 100.0, "p99": 600.0}}
    told = own(tmp_path, latency_ms=late, fix={"age_s": 30.0})
    assert told == {"frames": "ok", "fix delay": "warning", "fix age": "warning", "feeding delay": "warning"}
    assert own(tmp_path, latency_ms={}) == {"frames": "ok", "fixes": "note"}
