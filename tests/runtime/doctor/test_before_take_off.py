"""Each thing that is looked at before take-off, as it is found in order, not so well, or wrong."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from runtime.camera.health import CameraState
from runtime.config.sections import CameraSection
from runtime.control.control import ControlServer
from runtime.doctor.asked import daemon_status
from runtime.doctor.camera import Watched, camera_findings, judged, lens_finding, looked_at
from runtime.doctor.computer import of_clock, of_power, of_temperature
from runtime.doctor.disk import of_writes, space, write_times_ms, writes
from runtime.doctor.finding import Finding
from runtime.doctor.history import covered
from runtime.doctor.later import Later
from runtime.doctor.link import flying_findings, link_findings, of_parameters, of_rates, of_time
from runtime.doctor.preflight import of_daemon
from runtime.doctor.towers import Towers, of_key
from runtime.errors import CameraError
from runtime.geodesy import offset
from runtime.guidance.limits import Area
from runtime.machine import gpu_in_sight
from runtime.values import Coverage, Frame, GeoPoint
from runtime.vehicle.telemetry.streams import StreamHealth
from tests.runtime.doctor.test_held import configured, seen
from tests.runtime.small_bundle import small_bundle

CAMERA = CameraSection(uri="/dev/video0", width_px=640, height_px=480, hfov_deg=70.0)
TIMES = tuple(number / 25.0 for number in range(50))
GOOD = Watched(
    True, (640, 480), TIMES, tuple(t_s + 0.04 for t_s in TIMES), Counter({CameraState.OK: 50}), 110.0, 0.01, 0.4
)
UNEVEN = tuple(t_s + 0.2 * (number % 3 == 0) for number, t_s in enumerate(TIMES))
HOME = GeoPoint(60.4, 22.4)


def states(findings: list[Finding]) -> dict[str, str]:
    return {one.what: one.state for one in findings}


def test_a_camera_in_order_is_five_lines() -> None:
    told = list(judged(CAMERA, GOOD))
    assert states(told) == dict.fromkeys(("camera", "frame rate", "exposure", "sharpness", "timestamps"), "ok")
    assert told[1].found == "25.0 Hz, 40 ms at most between two"
    assert told[4].found == "in order, 40 ms before they arrive, even to 0 ms"


@pytest.mark.parametrize(
    "what, state, watched",
    [
        ("camera", "wrong", replace(GOOD, size_px=(1280, 720))),
        ("camera", "note", replace(GOOD, size_px=(1280, 960))),
        ("camera", "wrong", replace(GOOD, states=Counter({CameraState.FROZEN: 9, CameraState.OK: 41}))),
        ("frame rate", "warning", replace(GOOD, arrivals_s=tuple(6.0 * t_s for t_s in TIMES))),
        ("frame rate", "warning", replace(GOOD, arrivals_s=(*TIMES[:25], *(t_s + 1.1 for t_s in TIMES[25:])))),
        ("frame rate", "wrong", replace(GOOD, arrivals_s=TIMES[:1], stamps_s=TIMES[:1])),
        ("frame rate", "absent", replace(GOOD, live=False)),
        ("exposure", "wrong", replace(GOOD, states=Counter({CameraState.BLACK: 50}))),
        ("exposure", "warning", replace(GOOD, level=20.0)),
        ("exposure", "warning", replace(GOOD, clipped=0.4)),
        ("sharpness", "warning", replace(GOOD, sharp=0.005)),
        ("timestamps", "wrong", replace(GOOD, states=Counter({CameraState.STAMPS_BACKWARDS: 9, CameraState.OK: 41}))),
        ("timestamps", "warning", replace(GOOD, states=Counter({CameraState.STAMP_TOO_OLD: 1, CameraState.OK: 49}))),
        ("timestamps", "warning", replace(GOOD, stamps_s=UNEVEN)),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_camera_is_found_and_nothing_else(what: str, state: str, watched: Watched) -> None:
    told = {one.what: one for one in judged(CAMERA, watched)}
    assert told[what].state == state
    assert told[what].todo or state in ("note", "absent")
    others = {name for name, one in told.items() if one.state in ("warning", "wrong")} - {what}
    assert not others


class Ticking:
    """A camera that gives a picture every ten milliseconds, stamped when it was exposed."""

    def __init__(self, *, ends_after: int | None = None) -> None:
        self._left, self._rng = ends_after, np.random.default_rng(0)

    def read(self) -> Frame | None:
        if self._left == 0:
            return None
        self._left = None if self._left is None else self._left - 1
        exposed_ns = time.monotonic_ns()
        time.sleep(0.01)
        return Frame(self._rng.integers(0, 255, (48, 64, 3), dtype=np.uint8), exposed_ns, "ticking", 0)

    def interrupt(self) -> None: ...

    def close(self) -> None: ...


def test_a_camera_is_watched_for_as_long_as_it_was_told_to_be() -> None:
    watched = looked_at(Ticking(), "ticking", live=True, seconds=0.2)
    assert 2 <= len(watched.stamps_s) <= 20 and 0 < watched.rate_hz <= 100 and watched.size_px == (64, 48)
    assert set(watched.states) == {CameraState.OK} and 120 < watched.level < 135 and watched.sharp > 1.0
    ages_s = np.subtract(watched.arrivals_s, watched.stamps_s)
    assert (ages_s >= 0.009).all()
    with pytest.raises(CameraError, match="opens and gives no picture"):
        looked_at(Ticking(ends_after=0), "ticking", live=True, seconds=0.2)


def test_a_camera_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    (told,) = camera_findings(CAMERA.model_copy(update={"uri": str(tmp_path / "none")}))
    assert told.state == "wrong" and "no such file" in told.found


def test_a_lens_by_its_data_sheet_is_not_a_calibrated_one() -> None:
    assert lens_finding(CAMERA).state == "warning" and "calibrate" in lens_finding(CAMERA).todo
    lens = CameraSection(uri="-", width_px=640, height_px=480, fx_px=500, fy_px=500, cx_px=320, cy_px=240)
    assert lens_finding(lens).state == "ok"


def test_the_computer() -> None:
    warm = [of_temperature(degrees).state for degrees in (None, 45.0, 80.0, 95.0)]
    assert warm == ["absent", "ok", "warning", "wrong"]
    assert of_power("MAXN", True).state == "ok" and of_power("MAXN_SUPER", True).state == "ok"
    assert of_power("15W", True).state == "warning" and "nvpmodel" in of_power("15W", True).todo
    assert of_power("governor powersave", False).state == "note" and of_power(None, False).state == "absent"
    assert of_clock(1.8e9, 1.7e9, True).state == "ok" and of_clock(1.8e9, 1.7e9, False).state == "note"
    assert of_clock(0.0, 1.7e9, True).state == "warning" and "1970" in of_clock(0.0, 1.7e9, True).found
    assert of_key("TensorRT fp16", True).state == "ok" and of_key("onnxruntime CPU", False).state == "absent"
    assert of_key("onnxruntime CUDA", True).state == "note"


def test_the_disk(tmp_path: Path) -> None:
    took_ms = write_times_ms(tmp_path)
    assert took_ms and min(took_ms) > 0 and not list(tmp_path.iterdir())
    assert writes(tmp_path / "not" / "made" / "yet").state in ("ok", "warning")
    forbidden = writes(Path("/proc/self/logs"))  # where not even root may write
    assert forbidden.state == "wrong" and "cannot be written" in forbidden.found
    assert of_writes([2.0] * 20).state == "ok" and of_writes([2.0] * 19 + [900.0]).state == "warning"
    assert space("flight log", tmp_path, 1e18).state == "warning" and space("flight log", tmp_path).state == "ok"


def test_how_much_of_the_polygon_is_known() -> None:
    coverage = Coverage(np.array([[HOME.latitude_deg, HOME.longitude_deg]]), np.array([100.0]))

    def area(north_m: float, side_m: float) -> Area:
        corners = [(0, 0), (side_m, 0), (side_m, side_m), (0, side_m)]
        return Area([offset(HOME, north_m + n - side_m / 2, e - side_m / 2) for n, e in corners])

    assert covered(coverage, area(0.0, 80.0)).state == "ok" and "100% of" in covered(coverage, area(0.0, 80.0)).found
    assert covered(coverage, area(0.0, 200.0)).state == "warning"
    assert covered(coverage, area(5000.0, 200.0)).state == "wrong" and covered(coverage, None).state == "absent"


def test_the_autopilot_in_a_few_lines() -> None:
    slow = StreamHealth("ATTITUDE", 30.0, 3.0, True, "slow")
    good = StreamHealth("GPS_RAW_INT", 5.0, 5.0, True, "ok")
    rates = of_rates(replace(seen(), streams=(slow, good)))
    assert rates.state == "wrong" and rates.found.startswith("1 of 2 streams come as they were asked for; missing: ")
    assert rates.found.endswith("ATTITUDE (3.0 of 30 Hz: slow)")
    assert of_rates(replace(seen(), streams=(good,))).state == "ok"
    assert of_parameters([]).state == "absent"
    assert of_time(seen()).state == "warning" and of_time(replace(seen(), round_trip_s=0.004)).state == "ok"
    assert of_time(replace(seen(), round_trip_s=0.3)).state == "warning"
    apart = of_time(replace(seen(), round_trip_s=0.004, ahead_s=-3600.0))
    assert apart.state == "note" and "3600 s apart" in apart.found


def test_what_a_daemon_holds_is_asked_of_it(tmp_path: Path) -> None:
    """Nobody else may open its camera or its link: both addresses lead nowhere here."""
    config = configured(tmp_path, f'[control]\nsocket = "{tmp_path}/homing.sock"')
    status = {"state": "monitor", "camera": "ok", "camera_error": None, "engine": None, "rates_hz": {"odometry": 24.0}}
    answer = {
        "connected": True, "stack": "px4", "system_id": 1, "armed": True, "airframe": "copter", "rivals": False,
        "routes": ["odometry"], "streams": [], "parameters": {}, "missing": [], "pending": [], "timesync_rtt_s": 0.006,
        "unix_offset_ns": None,
    }  # fmt: skip
    control = ControlServer(tmp_path / "homing.sock", lambda request, reply: reply(
        status if request["command"] == "status" else answer
    ))  # fmt: skip
    try:
        told = states([*flying_findings(status), *link_findings(config, daemon_status(config)), of_daemon(status, "")])
    finally:
        control.close()
    assert told["camera"] == told["autopilot"] == told["time sync"] == told["daemon"] == "ok"
    assert told["armed"] == "warning" and told["parameters"] == "absent"
    assert daemon_status(config) is None and of_daemon(None, "").state == "note"
    assert of_daemon(None, "it is another user's").state == "wrong"


def test_what_never_ends_is_left_behind_and_what_fails_is_raised() -> None:
    ever = threading.Event()
    told = Later("camera", lambda: [Finding("camera", "ok", str(ever.wait(5.0)))]).within(0.05)
    ever.set()
    assert told[0].state == "wrong" and told[0].what == "camera"

    def fails() -> list[Finding]:
        raise ValueError("a mistake of ours")

    with pytest.raises(ValueError, match="of ours"):
        Later("camera", fails).within(5.0)


@pytest.mark.skipif(gpu_in_sight(), reason="a GPU is in sight")
def test_what_does_not_run_the_towers_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    config, backends = configured(tmp_path, ""), ("onnxruntime-cuda", "onnxruntime-cpu")
    path = small_bundle(tmp_path / "bundle").path
    section = config.bundle.model_copy(update={"path": path, "backends": backends})
    with caplog.at_level(logging.WARNING):
        found = list(Towers(config.model_copy(update={"bundle": section}), None).findings())
    assert states(found)["onnxruntime-cuda"] == "warning" and states(found)["engine"] == "ok"
    assert not caplog.records
