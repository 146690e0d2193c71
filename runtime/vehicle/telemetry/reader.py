"""The autopilot's messages into `Telemetry`, poses and failsafe signals: one small handler per message.

Failsafe signals, by name: ``critical`` and ``emergency`` (HEARTBEAT.system_status 5 and 6: a failsafe acts),
``terminated`` (8), ``estimator`` (no believed position after there was one), ``gps`` (the fix fell below 3D),
``gps_glitch`` (GPS disagrees with the rest), ``fence`` (breached), ``rc`` (the receiver is lost after it was heard),
``battery`` (its health bit fell).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from runtime.freshness import RANGE
from runtime.mavlink.dialect import mavlink
from runtime.reports import messages
from runtime.reports.sticks import AXES, station_sticks_moved, sticks_moved
from runtime.reports.values import Estimator, Receiver
from runtime.values import GeoPoint, Measured, Position, PositionSource
from runtime.vehicle.config import VehicleConfig
from runtime.vehicle.events import ArmedChanged, FailsafeChanged, LandedChanged, ModeChanged, Text, VehicleEvent
from runtime.vehicle.stack import Stack
from runtime.vehicle.telemetry.poses import AttitudeSample, PoseBuffer, PositionSample
from runtime.vehicle.telemetry.safety import SafetySignals
from runtime.vehicle.telemetry.state import EstimatorState, GeoHeight, GpsState, Telemetry

_LANDED = {1: "on_ground", 2: "in_air", 3: "taking_off", 4: "landing"}
_STATES = {
    "critical": mavlink.MAV_STATE_CRITICAL,
    "emergency": mavlink.MAV_STATE_EMERGENCY,
    "terminated": mavlink.MAV_STATE_FLIGHT_TERMINATION,
}
_UNIX_SET_USEC = 1_577_836_800_000_000  # 2020: a clock that shows less was never set
_BATTERY = mavlink.MAV_SYS_STATUS_SENSOR_BATTERY


class Reader:
    """Holds the newest `Telemetry` and fills a `PoseBuffer`; `take` handles one message of the autopilot.

    Handlers get the message, its instant in our time ``t_ns`` and the arrival ``now_ns``.
    """

    def __init__(self, config: VehicleConfig, stack: Stack, poses: PoseBuffer) -> None:
        self._config = config
        self._stack = stack
        self._poses = poses
        self._gps_was_3d = False
        self._estimator_was_ok = False
        self._receiver: Receiver | None = None
        self._range: tuple[int, float] | None = None
        self._chunks: dict[int, dict[int, str]] = {}
        self._tells_own_sticks = False
        self._safety = SafetySignals(stack.no_fence_without_bit)
        self._said: dict[str, Any] = {}  # of `Telemetry`'s fields, what has been told
        self._telemetry: Telemetry | None = None  # that as a value; None: news has come since it was made
        self._handlers: dict[str, Callable[[Any, int, int], list[VehicleEvent]]] = {
            "HEARTBEAT": self._heartbeat,
            "ATTITUDE": self._attitude,
            "GLOBAL_POSITION_INT": self._global_position,
            "GPS_RAW_INT": self._gps,
            "EKF_STATUS_REPORT": self._ekf_status,
            "ESTIMATOR_STATUS": self._estimator_status,
            "SYS_STATUS": self._sys_status,
            "EXTENDED_SYS_STATE": self._extended_state,
            "HOME_POSITION": self._home,
            "GPS_GLOBAL_ORIGIN": self._origin,
            "RC_CHANNELS": self._sticks,
            AXES: self._own_sticks,
            "DISTANCE_SENSOR": self._distance,
            "FENCE_STATUS": self._fence,
            "SYSTEM_TIME": self._system_time,
            "STATUSTEXT": self._text,
        }

    @property
    def telemetry(self) -> Telemetry:
        """All that was told so far; made once for several messages, since most are asked about by nobody."""
        if self._telemetry is None:
            self._telemetry = Telemetry(**self._said)
        return self._telemetry

    @property
    def mode(self) -> tuple[int | None, bool]:
        """Of `telemetry` the mode's number and whether it is the guided one."""
        return self._said.get("mode_number"), self._said.get("guided", False)

    def lost(self) -> None:
        """The link is gone: the mode and the armed bit are history, and the next ones are first reports."""
        self._set(armed=None, mode=None, mode_number=None, guided=False, system_status=None)

    def take(self, message: Any, t_ns: int, now_ns: int) -> list[VehicleEvent]:
        """Update from one message; unknown kinds are ignored."""
        handler = self._handlers.get(message.get_type())
        return [] if handler is None else handler(message, t_ns, now_ns)

    def overheard(self, message: Any, now_ns: int) -> None:
        """Takes a message that another component sent to our autopilot: a ground station may fly by sticks of its own,
        which no report of the autopilot has to show."""
        if station_sticks_moved(message):
            self._set(station_sticks_t_ns=now_ns)

    def _set(self, **fields: Any) -> None:
        self._said.update(fields)
        self._telemetry = None

    def _failsafe(self, name: str, active: bool, detail: str, now_ns: int) -> list[VehicleEvent]:
        before: frozenset[str] = self._said.get("failsafes", frozenset())
        if (name in before) == active:
            return []
        self._set(failsafes=before ^ {name})
        return [FailsafeChanged(now_ns, name, active, detail)]

    def _heartbeat(self, m: Any, t_ns: int, now_ns: int) -> list[VehicleEvent]:
        before = self.telemetry
        armed = bool(m.base_mode & mavlink.MAV_MODE_FLAG_SAFETY_ARMED)
        mode = self._stack.mode_name(m.type, m.custom_mode)
        named = bool(m.base_mode & mavlink.MAV_MODE_FLAG_CUSTOM_MODE_ENABLED)  # else the number says nothing
        guided = named and self._stack.is_guided(m.type, m.custom_mode)
        self._set(
            armed=armed,
            mode=mode,
            mode_number=m.custom_mode,
            guided=guided,
            system_status=m.system_status,
            vehicle_type=m.type,
        )
        events: list[VehicleEvent] = []
        if m.custom_mode != before.mode_number:
            critical = m.system_status in _STATES.values()
            by_pilot = self._stack.is_pilots_switch(before.mode) and not critical
            events.append(ModeChanged(now_ns, mode, m.custom_mode, before.mode, guided, critical, by_pilot))
        if armed != before.armed:
            events.append(ArmedChanged(now_ns, armed, before.armed is None))
        for name, value in _STATES.items():
            events += self._failsafe(
                name, m.system_status == value, f"system status {m.system_status} in {mode}", now_ns
            )
        return events

    def _attitude(self, m: Any, t_ns: int, now_ns: int) -> list[VehicleEvent]:
        reported = messages.attitude(m)
        if reported is not None:
            self._poses.add_attitude(AttitudeSample(t_ns, reported.ned_from_body, reported.rates_rad_s))
            self._set(heading=Measured(m.yaw % (2 * math.pi), self._config.heading_sigma_rad, "vehicle"))
        return []

    def _global_position(self, m: Any, t_ns: int, now_ns: int) -> list[VehicleEvent]:
        reported = messages.global_position(m)
        if reported.altitude_amsl_m is None or reported.height_takeoff_m is None or reported.velocity_ned_m_s is None:
            return []  # nothing flies there: the report is none
        position, velocity = reported.point, reported.velocity_ned_m_s
        altitude = Measured(reported.altitude_amsl_m, self._altitude_sigma_m(), "vehicle")
        height = Measured(reported.height_takeoff_m, self._config.height_sigma_m, "vehicle")
        height_agl = self._height_agl(now_ns)
        self._set(
            position=position,
            position_t_ns=t_ns,
            altitude_amsl_m=altitude,
            height_takeoff_m=height,
            height_agl_m=height_agl,
            velocity_ned_m_s=velocity,
        )
        sigma_m = self._position_sigma_m() if position is not None else math.inf
        self._poses.add_position(
            PositionSample(t_ns, position, sigma_m, altitude, height, height_agl, velocity)
        )
        return []

    def _position_sigma_m(self) -> float:
        return math.inf if self._receiver is None else self._receiver.sigma_m

    def _altitude_sigma_m(self) -> float:
        gps: GpsState | None = self._said.get("gps")
        reported = gps.vertical_sigma_m if gps is not None else None
        return self._config.altitude_sigma_m if reported is None else reported

    def _height_agl(self, now_ns: int) -> Measured | None:
        if self._range is None or now_ns - self._range[0] > RANGE.ns:
            return None
        return Measured(self._range[1], max(0.1, 0.02 * self._range[1]), "rangefinder")

    def _gps(self, m: Any, t_ns: int, now_ns: int) -> list[VehicleEvent]:
        self._receiver = said = messages.receiver(m)
        sigmas = said.horizontal_sigma_m, said.vertical_sigma_m
        position = None
        if said.fixed and said.point is not None:
            position = Position.circular(said.point, said.sigma_m, PositionSource.GPS)
        self._set(gps=GpsState(now_ns, said.fix_type, said.satellites, *sigmas, position))
        self._gps_was_3d = self._gps_was_3d or said.fixed
        lost = self._gps_was_3d and not said.fixed
        return self._failsafe("gps", lost, f"GPS fix type {said.fix_type}", now_ns)

    def _ekf_status(self, m: Any, t_ns: int, now_ns: int) -> list[VehicleEvent]:
        return self._estimator(messages.ekf_status_report(m), now_ns)

    def _estimator_status(self, m: Any, t_ns: int, now_ns: int) -> list[VehicleEvent]:
        return self._estimator(messages.estimator_status(m), now_ns)

    def _estimator(self, said: Estimator, now_ns: int) -> list[VehicleEvent]:
        known = self._stack.tells_estimator
        ok, glitch = known and said.ok, known and said.gps_glitch
        ratios = said.position_ratio, said.velocity_ratio
        self._set(estimator=EstimatorState(now_ns, said.flags, ok, glitch, *ratios))
        self._estimator_was_ok = self._estimator_was_ok or ok
        detail = f"estimator flags 0x{said.flags:x}"
        return [
            *self._failsafe("estimator", self._estimator_was_ok and not ok, detail, now_ns),
            *self._failsafe("gps_glitch", glitch, detail, now_ns),
        ]

    def _sys_status(self, m: Any, t_ns: int, now_ns: int) -> list[VehicleEvent]:
        health = m.onboard_control_sensors_health
        watched = m.onboard_control_sensors_present & m.onboard_control_sensors_enabled
        self._set(
            prearm_ok=bool(health & mavlink.MAV_SYS_STATUS_PREARM_CHECK),
            battery_remaining=m.battery_remaining / 100 if m.battery_remaining >= 0 else None,
            battery_v=m.voltage_battery * 1e-3 if m.voltage_battery != 0xFFFF else None,
        )
        self._safety.sys_status(m)
        self._set(sys_status_t_ns=now_ns, rc_receiver_ok=self._safety.receiver_ok)
        detail = "health bit of SYS_STATUS"
        return [
            *self._failsafe("battery", bool(watched & _BATTERY and not health & _BATTERY), detail, now_ns),
            *self._failsafe("rc", self._safety.receiver_lost, detail, now_ns),
            *self._fence_known(detail, now_ns),
        ]

    def _extended_state(self, m: Any, t_ns: int, now_ns: int) -> list[VehicleEvent]:
        landed = _LANDED.get(m.landed_state, "undefined")
        previous: str | None = self._said.get("landed")
        if landed == previous:
            return []
        self._set(landed=landed)
        return [LandedChanged(now_ns, landed, previous)]

    def _home(self, m: Any, t_ns: int, now_ns: int) -> list[VehicleEvent]:
        home = _point(m)
        self._set(home=home)
        if home is not None and self.telemetry.origin is None and all(map(math.isfinite, (m.x, m.y, m.z))):
            # home in the local frame gives the frame's origin, until GPS_GLOBAL_ORIGIN says it itself
            self._set(origin=GeoHeight(self._stack.point_at(home.position, -m.x, -m.y), home.altitude_amsl_m + m.z))
        return []

    def _origin(self, m: Any, t_ns: int, now_ns: int) -> list[VehicleEvent]:
        self._set(origin=_point(m))
        return []

    def _system_time(self, m: Any, t_ns: int, now_ns: int) -> list[VehicleEvent]:
        if m.time_unix_usec >= _UNIX_SET_USEC:
            self._set(unix_offset_ns=m.time_unix_usec * 1000 - t_ns)
        return []

    def _sticks(self, m: Any, t_ns: int, now_ns: int) -> list[VehicleEvent]:
        if not self._tells_own_sticks:
            self._set(sticks_moved=sticks_moved(m), sticks_t_ns=now_ns)
        return []

    def _own_sticks(self, m: Any, t_ns: int, now_ns: int) -> list[VehicleEvent]:
        """The sticks that the autopilot itself takes for the pilot's, by axis: a receiver's, whatever its channels'
        order, or a joystick's, of which RC_CHANNELS says nothing. PX4 tells them."""
        self._tells_own_sticks = True
        self._set(sticks_moved=station_sticks_moved(m), sticks_t_ns=now_ns)
        return []

    def _distance(self, m: Any, t_ns: int, now_ns: int) -> list[VehicleEvent]:
        below = messages.ground(m)
        if below is not None:
            self._range = (now_ns, below.range_m)
        return []

    def _fence(self, m: Any, t_ns: int, now_ns: int) -> list[VehicleEvent]:
        self._safety.fence_status(m, now_ns)
        return self._fence_known(f"fence breach type {m.breach_type}", now_ns)

    def _fence_known(self, detail: str, now_ns: int) -> list[VehicleEvent]:
        breached = self._safety.fence_breached(now_ns)
        self._set(fence_breached=breached)
        return self._failsafe("fence", breached is True, detail, now_ns)

    def _text(self, m: Any, t_ns: int, now_ns: int) -> list[VehicleEvent]:
        text = m.text if isinstance(m.text, str) else bytes(m.text).decode("utf-8", "replace")
        whole = self._joined(m.id, m.chunk_seq, text)
        if whole is None:
            return []
        self._set(last_text=whole)
        return [Text(now_ns, m.severity, whole)]

    def _joined(self, identity: int, sequence: int, text: str) -> str | None:
        """A text of several chunks ends with one that is not full (50 characters)."""
        if identity == 0:
            return text
        if len(self._chunks) > 8:  # ends that were lost on the link
            self._chunks.clear()
        parts = self._chunks.setdefault(identity, {})
        parts[sequence] = text
        if len(text) >= 50:
            return None
        return "".join(part for _, part in sorted(self._chunks.pop(identity).items()))


def _point(m: Any) -> GeoHeight | None:
    """HOME_POSITION's or GPS_GLOBAL_ORIGIN's point; None where it is none on this planet."""
    if abs(m.latitude) > 900_000_000 or abs(m.longitude) > 1_800_000_000:
        return None
    return GeoHeight(GeoPoint(m.latitude * 1e-7, m.longitude * 1e-7), m.altitude * 1e-3)
