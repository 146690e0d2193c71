"""Homing's daemon and a pilot on ArduPlane's own simulator, in one thread and in real time; no camera looks down.

``python -m tests.sim.sitl.plane_flight plane|plane-in-wind|quadplane [--write]`` flies one on the binary that
HOMING_ARDUPLANE names and prints what was seen; with ``--write`` that becomes what the test compares with, and what the
page is made of.
"""

from __future__ import annotations

import json
import math
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from pymavlink.dialects.v20 import ardupilotmega as mavlink

import sim.sitl
from runtime.clock import MonotonicClock
from runtime.config.config import Config
from runtime.daemon.assembly import assemble
from runtime.daemon.workers import InlineWorkers
from runtime.errors import VehicleError
from runtime.events import ControlRequest, LinkData, Tick
from runtime.geodesy import distance_m, offset
from runtime.guidance.manner import manner_of
from runtime.guidance.situation import Situation
from runtime.values import GeoPoint
from runtime.vehicle.link.link import MavlinkLink
from sim.camera import default_camera
from sim.scenario.crew import take_off
from sim.scenario.dialect import Script
from sim.scenario.referee import Referee
from sim.scenario.setup import camera_section
from sim.sitl.arduplane import TAKEOFF_HEIGHT_M, ArduPlane
from sim.sitl.firmware import Stand
from sim.sitl.launch import launched
from sim.sitl.pilot import Pilot

RECORDED = Path(sim.sitl.__file__).with_name("planes.json")
_IN_WIND = "-in-wind"
MODELS = ("plane", f"plane{_IN_WIND}", "quadplane")
_WIND = {"SIM_WIND_SPD": 8.0, "SIM_WIND_DIR": 250.0, "SIM_WIND_TURB": 1.0}
RADIUS_M = 80.0
CIRCLE_M = manner_of(Situation(loiter_radius_m=RADIUS_M)).circle_m
_STAND = Stand(GeoPoint(60.4, 22.4), 37.0)
_STEP_S, _TICK_NS = 0.02, 50_000_000
_INTERVAL, _REPOSITION, _ACK_S = 511, 192, 3.0
_STREAMS_HZ = {33: 10.0, 87: 10.0, 108: 20.0, 245: 2.0}  # its position, its target, the truth, whether it flies

Facts = dict[str, Any]


class PlaneFlight:
    """`step` passes bytes, lets the daemon decide, and lets the referee read."""

    def __init__(
        self, companion: MavlinkLink, radio: MavlinkLink, pilot: Pilot, folder: Path, weather: dict[str, float]
    ) -> None:
        self.weather = weather
        self._companion, self._radio, self._clock = companion, radio, MonotonicClock()
        self.pilot, self.referee = pilot, Referee(dialect=pilot.dialect)
        self.heard: list[Any] = []
        self.there: list[GeoPoint] = []
        self.daemon = assemble(_config(folder), InlineWorkers()).daemon
        self._ticked_ns = 0
        pilot._on_message = self._keeping(pilot._on_message)  # type: ignore[method-assign]

    def _keeping(self, told: Callable[[Any], None]) -> Callable[[Any], None]:
        def keep(message: Any) -> None:
            self.heard.append(message)
            if message.get_type() == "SIM_STATE" and message.lat_int:
                self.there.append(GeoPoint(message.lat_int * 1e-7, message.lon_int * 1e-7))
            told(message)

        return keep

    def step(self) -> None:
        """20 ms."""
        time.sleep(_STEP_S)
        out = []
        for data, t_ns in self._companion.read():
            self.referee.companion_heard(data, t_ns)
            out += self.daemon.step(LinkData(t_ns, data))
        now_ns = self._clock.now_ns()
        if now_ns - self._ticked_ns >= _TICK_NS:
            self._ticked_ns = now_ns
            out += self.daemon.step(Tick(now_ns))
        self._send(out)
        for data, _ in self._radio.read():
            self.pilot.receive(data)
        self._radio.write(self.pilot.outgoing(now_ns))

    def _send(self, out: list[tuple[str, bytes]]) -> None:
        for _, data in out:
            self.referee.companion_sent(data, self._clock.now_ns())
            self._companion.write(data)

    def run(self, seconds: float) -> None:
        """Lets time pass."""
        end_ns = self._clock.now_ns() + int(seconds * 1e9)
        while self._clock.now_ns() < end_ns:
            self.step()

    def until(self, condition: Callable[[], bool], most_s: float) -> bool:
        """Whether it holds in time."""
        end_ns = self._clock.now_ns() + int(most_s * 1e9)
        while not condition():
            if self._clock.now_ns() > end_ns:
                return False
            self.step()
        return True

    def follow(self, script: Script, most_s: float) -> bool:
        """Whether a script ends in time."""
        done = [False]

        def over() -> bool:
            if not done[0]:
                done[0] = next(script, script) is script
            return done[0]

        return self.until(over, most_s)

    def ask(self, **request: Any) -> dict[str, Any]:
        """The operator's request, and the daemon's answer."""
        answers: list[dict[str, Any]] = []
        self._send(self.daemon.step(ControlRequest(self._clock.now_ns(), request, answers.append)))
        self.until(lambda: bool(answers), 5.0)
        return answers[0]

    def answer(self, message: Any) -> str:
        """The result of a command of the pilot's."""
        before = len(self.heard)
        self.pilot._send(message)

        def results() -> list[int]:
            return [m.result for m in self.heard[before:] if m.get_type() == "COMMAND_ACK" and m.command == _REPOSITION]

        self.until(lambda: bool(results()), _ACK_S)
        return mavlink.enums["MAV_RESULT"][results()[0]].name.removeprefix("MAV_RESULT_") if results() else "silence"

    def last(self, kind: str) -> Any:
        """The newest message of a kind that the pilot heard."""
        return next(m for m in reversed(self.heard) if m.get_type() == kind)

    @property
    def here(self) -> GeoPoint:
        """The truth."""
        return self.there[-1]

    def farthest_m(self, place: GeoPoint, since: int) -> float:
        """From a place, since the truth was as long as that."""
        return max(distance_m(place, one) for one in self.there[since:])

    @property
    def state(self) -> str:
        """Guidance's."""
        return self.daemon.rooms.guidance.last.state.value

    @property
    def phase(self) -> str:
        """Guidance's."""
        return self.daemon.rooms.guidance.last.phase.value


def _config(folder: Path) -> Config:
    home = _STAND.position
    corners = [offset(home, n, e) for n, e in ((-2e3, -2e3), (-2e3, 2e3), (2e3, 2e3), (2e3, -2e3))]
    return Config.model_validate({
        "camera": {"uri": "none", **camera_section(default_camera())},
        "vehicle": {"uri": "none"},
        "history": {"path": str(folder / "history.db")},
        "record": {"enabled": True, "flight": "none"},
        "guidance": {"loiter_radius_m": RADIUS_M, "cruise_speed_m_s": 22.0, "deceleration_m_s2": 10.0, "hold_s": 2.0,
                     "confirm_timeout_s": 20.0},
        "commanding": {"enabled": True, "polygon": [[one.latitude_deg, one.longitude_deg] for one in corners],
                       "floor_height_takeoff_m": 30.0, "ceiling_height_takeoff_m": 120.0, "max_distance_m": 2500.0,
                       "battery_reserve_percent": 20.0},
    })  # fmt: skip


def flown(flight: PlaneFlight, tell: Callable[[str], None]) -> Facts:
    """Everything, in order; each part leaves the plane in LOITER."""
    facts: Facts = {}
    for part in (_taken_off, _asked_by_hand, _flown_there, _taken_over, _foreign, _given_back):
        tell(part.__name__.strip("_").replace("_", " "))
        facts |= part(flight)
    return {**facts, "targets sent without authority, in all": flight.referee.without_authority}


def _taken_off(flight: PlaneFlight) -> Facts:
    pilot = flight.pilot
    flight.until(lambda: pilot.mode is not None, 60.0)
    for message_id, rate_hz in _STREAMS_HZ.items():
        pilot.command(_INTERVAL, message_id, 1e6 / rate_hz)
    pilot.command(512, mavlink.MAVLINK_MSG_ID_AUTOPILOT_VERSION)
    pilot.set_parameters({**pilot.firmware.set_up(), **flight.weather})
    climbed = flight.follow(take_off(pilot, TAKEOFF_HEIGHT_M), 180.0)
    kind = mavlink.enums["MAV_TYPE"][flight.last("HEARTBEAT").type].name.removeprefix("MAV_TYPE_")
    _loiter(flight, 12.0)
    wind_m_s = round(pilot.parameters.get("SIM_WIND_SPD", 0.0))
    return {"it calls itself": kind, "it takes off": climbed, "wind, m/s": wind_m_s}


def _asked_by_hand(flight: PlaneFlight) -> Facts:
    """What the autopilot makes of a target, before the daemon has a say."""
    place = offset(flight.here, 500.0, 0.0)
    facts: Facts = {"DO_REPOSITION, outside GUIDED": flight.answer(_reposition(flight, place))}
    entered = len(flight.there)
    flight.pilot.set_mode("GUIDED")
    flight.until(lambda: flight.pilot.is_in("GUIDED"), 5.0)
    flight.run(3.0)
    told = flight.last("POSITION_TARGET_GLOBAL_INT")
    at = GeoPoint(told.lat_int * 1e-7, told.lon_int * 1e-7)
    near = min(distance_m(at, one) for one in flight.there[entered - 20 :]) < 60.0
    facts["GUIDED begins with a target"] = "where it was entered" if near else "elsewhere"
    x, y = round(place.latitude_deg * 1e7), round(place.longitude_deg * 1e7)
    told_m = told.alt
    flight.pilot._send(mavlink.MAVLink_set_position_target_global_int_message(
        0, 1, 1, mavlink.MAV_FRAME_GLOBAL_INT, 3576, x, y, told_m + 5.0, 0, 0, 0, 0, 0, 0, 0, 0))  # fmt: skip
    flight.run(2.0)
    after = flight.last("POSITION_TARGET_GLOBAL_INT")
    moved = (after.lat_int, after.lon_int) != (told.lat_int, told.lon_int)
    facts["SET_POSITION_TARGET_GLOBAL_INT changes"] = "the place" if moved else (
        "the height alone" if abs(after.alt - told_m - 5.0) < 0.1 else "nothing")  # fmt: skip
    degrees = place.latitude_deg, place.longitude_deg
    long = mavlink.MAVLink_command_long_message(1, 1, _REPOSITION, 0, -1, 0, 0, math.nan, *degrees, told_m)
    facts["DO_REPOSITION in GUIDED, as COMMAND_LONG"] = flight.answer(long)
    facts["DO_REPOSITION in GUIDED, as COMMAND_INT"] = flight.answer(_reposition(flight, place))
    _loiter(flight, 3.0)
    return facts


def _flown_there(flight: PlaneFlight) -> Facts:
    place = offset(flight.here, 0.0, 700.0)
    sent = len(flight.referee.commands)
    facts: Facts = {"READY in LOITER": _engaged(flight, place)}
    facts["our target is its own within 2 s"] = flight.until(lambda: _taken(flight), 2.0)
    facts["targets sent until it circles there"] = None
    arrived = flight.until(lambda: flight.phase == "holding", 120.0)
    facts["it arrives, by Homing's word"] = arrived
    flight.run(25.0)  # round it once
    since = len(flight.there)
    flight.until(lambda: flight.state == "yielded", 40.0)
    facts["and ends as"] = flight.phase
    facts["targets sent until it circles there"] = len(flight.referee.commands) - sent
    flight.run(15.0)
    radii = [distance_m(place, one) for one in flight.there[since:]]
    facts["it circles there within what Homing keeps free"] = max(radii) < CIRCLE_M
    facts["measured: the circle's radius, m"] = [round(min(radii)), round(max(radii))]
    _loiter(flight, 3.0)
    return facts


def _taken_over(flight: PlaneFlight) -> Facts:
    engaged = _engaged(flight, offset(flight.here, -700.0, 0.0)) and flight.until(lambda: _taken(flight), 3.0)
    flight.run(4.0)
    flight.pilot.set_mode("ALT_HOLD")  # FLY_BY_WIRE_A
    flight.until(lambda: flight.pilot.is_in("ALT_HOLD"), 3.0)
    flight.run(0.5)
    before = len(flight.referee.commands)
    flight.run(4.0)
    flight.pilot.set_mode("GUIDED")
    flight.run(4.0)
    state = flight.state
    _loiter(flight, 3.0)
    return {"the pilot takes it from a flight": engaged, "the state is then": state,
            "targets after the pilot's switch, and after another into GUIDED": len(flight.referee.commands) - before,
            }  # fmt: skip


def _foreign(flight: PlaneFlight) -> Facts:
    """Over the pilot's own line, which the daemon does not hear: the autopilot's report alone tells of it."""
    engaged = _engaged(flight, offset(flight.here, 0.0, -700.0)) and flight.until(lambda: _taken(flight), 3.0)
    flight.run(3.0)
    elsewhere = offset(flight.here, 600.0, 0.0)
    flight.referee.foreign_target(elsewhere, flight._clock.now_ns())
    flight.pilot.go_to(elsewhere, TAKEOFF_HEIGHT_M)
    noticed = flight.until(lambda: flight.state != "engaged", 3.0)
    before = len(flight.referee.commands)
    why = [reason.value for reason in flight.daemon.rooms.guidance.last.reasons if reason.value == "foreign_target"]
    flight.run(4.0)
    _loiter(flight, 3.0)
    return {"a ground station sends a flight elsewhere": engaged, "noticed within 3 s": noticed,
            "as": " ".join(why), "targets after that": len(flight.referee.commands) - before}  # fmt: skip


def _given_back(flight: PlaneFlight) -> Facts:
    engaged = _engaged(flight, offset(flight.here, 700.0, 0.0)) and flight.until(lambda: _taken(flight), 3.0)
    flight.run(4.0)
    before, since, place = len(flight.referee.commands), len(flight.there), flight.here
    flight.ask(command="disengage")
    flight.run(40.0)
    farthest_m = flight.farthest_m(place, since)
    _loiter(flight, 1.0)
    return {"the operator disengages in flight": engaged, "targets then": len(flight.referee.commands) - before,
            "it circles where it was, within what Homing keeps free": farthest_m < CIRCLE_M,
            "measured: the farthest from there, m": round(farthest_m)}  # fmt: skip


def _engaged(flight: PlaneFlight, place: GeoPoint) -> bool:
    """Whether it is READY for this place; the pilot then grants it."""
    flight.ask(command="target", latitude_deg=place.latitude_deg, longitude_deg=place.longitude_deg)
    flight.ask(command="confirm")
    begun_ns = flight._clock.now_ns()
    flight.referee.operator_consented(begun_ns)
    flight.ask(command="engage")
    if not flight.until(lambda: flight.state == "ready", 30.0):
        print(flight.daemon.headline(), flight.daemon.rooms.vehicle.state.problems, file=sys.stderr)
        return False
    flight.referee.operator_engaged(begun_ns)
    flight.pilot.set_mode("GUIDED")
    return flight.until(lambda: flight.state == "engaged", 3.0)


def _taken(flight: PlaneFlight) -> bool:
    return flight.daemon.rooms.vehicle.state.target_taken is True


def _loiter(flight: PlaneFlight, seconds: float) -> None:
    flight.pilot.set_mode("LOITER")
    flight.until(lambda: flight.pilot.is_in("LOITER"), 5.0)
    flight.run(seconds)


def _reposition(flight: PlaneFlight, place: GeoPoint) -> Any:
    told = flight.last("GLOBAL_POSITION_INT")
    return mavlink.MAVLink_command_int_message(
        1, 1, mavlink.MAV_FRAME_GLOBAL, _REPOSITION, 0, 0, -1, 0, 0, math.nan, round(place.latitude_deg * 1e7),
        round(place.longitude_deg * 1e7), told.alt / 1000.0)  # fmt: skip


@contextmanager
def flying(model: str) -> Iterator[PlaneFlight]:
    """On a simulator that is started for it, from the binary that the environment names."""
    firmware = ArduPlane(model.removesuffix(_IN_WIND))
    binary = Path(os.environ[firmware.variable])
    with ExitStack() as open_, tempfile.TemporaryDirectory() as folder:
        found = open_.enter_context(launched(firmware, binary, Path(folder) / "sitl", _STAND))
        links = [_opened(uri) for uri in found]
        for link in links:
            open_.callback(link.close)
        weather = _WIND if model.endswith(_IN_WIND) else {}
        yield PlaneFlight(links[0], links[1], Pilot(firmware), Path(folder), weather)


def _opened(uri: str) -> MavlinkLink:
    for _ in range(60):
        try:
            return MavlinkLink.open(uri, MonotonicClock())
        except VehicleError:
            time.sleep(1.0)
    raise AssertionError(uri)


def gathered(model: str, tell: Callable[[str], None] = lambda part: None) -> dict[str, Any]:
    """The version and the facts."""
    with flying(model) as flight:
        facts = flown(flight, tell)
        return {"version": f"ArduPlane {flight.pilot.version}, {model.replace('-', ' ')}", "facts": facts}


def recorded() -> dict[str, Any]:
    """By model."""
    return dict(json.loads(RECORDED.read_text(encoding="utf-8"))) if RECORDED.exists() else {}


if __name__ == "__main__":
    seen = gathered(sys.argv[1], lambda part: print(part, file=sys.stderr, flush=True))
    print(json.dumps(seen, indent=1))
    if "--write" in sys.argv:
        RECORDED.write_text(json.dumps({**recorded(), sys.argv[1]: seen}, indent=1) + "\n", encoding="utf-8")
