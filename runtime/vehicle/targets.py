"""Whose target is the vehicle flying to? Ours, or somebody else's.

Two witnesses. A command from another component seen on the link is foreign at once. And the autopilot's own report
(POSITION_TARGET_GLOBAL_INT; a target sent over another radio never passes our link) is foreign in the guided mode
unless it is one that we sent since that mode was entered. ArduCopter echoes a target in frame 0 with an AMSL height
and a coordinate one unit (1e-7 degrees) off, reports nothing after entering GUIDED or during a take-off, and stops
reporting a position when it is given a velocity: POSITION_TARGET_LOCAL_NED then says so. PX4 echoes targets in OFFBOARD
only there, and keeps streaming its own in every other mode. When its estimator resets its position, it moves the target
that it follows by as much (``adjustSetpointForEKFResets``) until the next of ours arrives: a target near ours that is
gone with the next one was sent by nobody else. ArduPlane reports in every mode what it flies to, in frame 0 and to the
centimetre, and in GUIDED, until it is sent a target, the place where that mode was entered, which nobody sent.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from runtime.geodesy import distance_m
from runtime.mavlink.dialect import mavlink
from runtime.mavlink.framing import Packet
from runtime.values import GeoPoint
from runtime.vehicle.events import ForeignTarget, TargetTaken, VehicleEvent
from runtime.vehicle.telemetry.state import GeoHeight, ReportedTarget

SAME_HORIZONTAL_M = 1.0  # rounding is centimetres; a foreign target this near ours changes nothing
SAME_VERTICAL_M = 1.5  # AMSL over home and over the EKF origin may differ by what home was moved
_SHIFTED_M = 5.0  # the farthest that a reset of the estimator moves a repeated target of ours; a farther one is foreign
_SHIFTED_NS = 400_000_000  # for so long: two of our repetitions. A target that stays away is foreign
_SHIFTED_AGAIN_NS = 2_000_000_000  # as is one that comes back so soon after: two senders, taking turns
_ENTERED_M = 60.0  # of flight since the last position, and the way in which a QuadPlane would stop
_GRACE_NS = 1_000_000_000  # after a mode change the last report of the old mode may still be under way
_MOVING_M_S = 0.5  # GUIDED starts with a velocity target of zero, which ArduPilot sets itself: not a foreign target
_NO_POSITION = 0x7  # type_mask bits that say "ignore x, y, z"
_REMEMBER = 64  # of our targets: a lost one leaves an older one in force
_FOREIGN_MESSAGES = frozenset(
    {
        "SET_POSITION_TARGET_GLOBAL_INT",
        "SET_POSITION_TARGET_LOCAL_NED",
        "SET_ATTITUDE_TARGET",
        "MISSION_SET_CURRENT",
    }
)
_FOREIGN_COMMANDS = frozenset(
    {
        mavlink.MAV_CMD_DO_REPOSITION,
        mavlink.MAV_CMD_OVERRIDE_GOTO,
        mavlink.MAV_CMD_DO_SET_MISSION_CURRENT,
        mavlink.MAV_CMD_MISSION_START,
        mavlink.MAV_CMD_NAV_TAKEOFF,
        mavlink.MAV_CMD_NAV_LAND,
        mavlink.MAV_CMD_NAV_RETURN_TO_LAUNCH,
        mavlink.MAV_CMD_NAV_WAYPOINT,
        mavlink.MAV_CMD_NAV_LOITER_UNLIM,
        mavlink.MAV_CMD_DO_ORBIT,
        mavlink.MAV_CMD_NAV_LOITER_TURNS,
        mavlink.MAV_CMD_NAV_LOITER_TIME,
        mavlink.MAV_CMD_NAV_VTOL_TAKEOFF,
        mavlink.MAV_CMD_NAV_VTOL_LAND,
        mavlink.MAV_CMD_DO_FOLLOW,
        mavlink.MAV_CMD_DO_PAUSE_CONTINUE,  # stops within the guided mode, which goes on being shown
        mavlink.MAV_CMD_DO_LAND_START,
        mavlink.MAV_CMD_DO_GO_AROUND,
        mavlink.MAV_CMD_DO_CHANGE_ALTITUDE,
        mavlink.MAV_CMD_DO_VTOL_TRANSITION,
        mavlink.MAV_CMD_DO_PARACHUTE,
        mavlink.MAV_CMD_GUIDED_CHANGE_ALTITUDE,
        mavlink.MAV_CMD_GUIDED_CHANGE_HEADING,
        mavlink.MAV_CMD_GUIDED_CHANGE_SPEED,
    }
)
_GUIDED_ITEMS = (2, 3)  # MISSION_ITEM(_INT).current: "go there now" and "to that height", the oldest way of guiding


@dataclass(frozen=True, slots=True)
class _Sent:
    t_ns: int
    position: GeoPoint
    altitude_amsl_m: float


class TargetWatch:
    """Remembers what we sent in this guided stint and judges every target that is reported or commanded."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything: start, reconnection or reboot."""
        self._guided = False
        self._entered_ns: int | None = None
        self._sent: deque[_Sent] = deque(maxlen=_REMEMBER)
        self._taken: bool | None = None
        self._flagged: tuple[float, ...] | None = None
        self._entered_at: GeoPoint | None = None
        self._own: tuple[GeoPoint, float] | None = None
        self._shift_began_ns: int | None = None
        self._shift_ended_ns: int | None = None
        self.reported: ReportedTarget | None = None

    @property
    def taken(self) -> bool | None:
        """Whether our last target is the autopilot's; None when none was sent in this mode."""
        return self._taken

    @property
    def entered_here(self) -> bool:
        """Whether the guided mode began with the place where the vehicle was as its target."""
        return self._own is not None

    def mode_changed(self, guided: bool, t_ns: int, here: GeoPoint | None = None) -> None:
        """Takes a change of mode at ``t_ns``; what was sent before it counts no more. ``here``: where the vehicle is,
        if it takes that for its target on entering its guided mode."""
        self._guided = guided
        self._entered_ns = t_ns
        self._sent.clear()
        self._taken = None
        self._flagged = None
        self._entered_at, self._own = here, None
        self._shift_began_ns = self._shift_ended_ns = None
        self.reported = None

    def sent(self, position: GeoPoint, altitude_amsl_m: float, t_ns: int) -> None:
        """Notes that we sent a target."""
        last = self._sent[-1] if self._sent else None
        if last is not None and last.position == position and last.altitude_amsl_m == altitude_amsl_m:
            return  # a repetition of the same target, as PX4 wants them
        self._sent.append(_Sent(t_ns, position, altitude_amsl_m))
        self._taken = False

    def commanded(self, packet: Packet, t_ns: int) -> list[VehicleEvent]:
        """Judge a packet to our autopilot of a component that is neither it nor us."""
        message, what = packet.message, _foreign_name(packet)
        if what is None:
            return []
        source = f"{packet.system_id}/{packet.component_id}"
        return [ForeignTarget(t_ns, source, what, _point_of(message))]

    def global_report(self, message: Any, t_ns: int) -> list[VehicleEvent]:
        """Judge a POSITION_TARGET_GLOBAL_INT of the autopilot."""
        if not self._guided or message.type_mask & _NO_POSITION or not math.isfinite(message.alt):
            return []
        if message.lat_int == message.lon_int == 0 or abs(message.lat_int) > 900_000_000:
            return []
        return self._judge(GeoPoint(message.lat_int * 1e-7, message.lon_int * 1e-7), float(message.alt), t_ns)

    def local_report(
        self,
        message: Any,
        origin: GeoHeight | None,
        point_at: Callable[[GeoPoint, float, float], GeoPoint],
        t_ns: int,
    ) -> list[VehicleEvent]:
        """Judge a POSITION_TARGET_LOCAL_NED; ``origin`` of the local frame where positions in it are the only echo,
        ``point_at``: what the autopilot means by metres north and east of it."""
        ignored = message.type_mask & _NO_POSITION
        if not self._guided:
            return []
        if not ignored and origin is not None and all(map(math.isfinite, (message.x, message.y, message.z))):
            position = point_at(origin.position, message.x, message.y)
            return self._judge(position, origin.altitude_amsl_m - message.z, t_ns, repeated=True)
        if ignored != _NO_POSITION or self._in_grace(t_ns):
            return []
        speed = math.sqrt(sum(v * v for v in (message.vx, message.vy, message.vz) if math.isfinite(v)))
        replaced = bool(self._sent) and t_ns - self._sent[-1].t_ns > _GRACE_NS and self._taken is True
        if speed > _MOVING_M_S or replaced:
            return self._flag(t_ns, f"the autopilot follows a velocity of {speed:.1f} m/s that we did not send", None)
        return []

    def _judge(
        self, position: GeoPoint, altitude_amsl_m: float, t_ns: int, repeated: bool = False
    ) -> list[VehicleEvent]:
        """``repeated``: of a stack that is sent the same target over and over, and follows what it heard last."""
        match = self._matching(position, altitude_amsl_m, SAME_HORIZONTAL_M, SAME_VERTICAL_M)
        self.reported = ReportedTarget(t_ns, position, altitude_amsl_m, match is not None)
        if match is not None:
            return self._echoed(match, t_ns)
        if self._is_its_own(position, altitude_amsl_m, t_ns):
            return []
        if self._in_grace(t_ns) or (repeated and self._shifted(position, altitude_amsl_m, t_ns)):
            return []
        return self._flag(t_ns, "the autopilot flies to a target that we did not send", position)

    def _shifted(self, position: GeoPoint, altitude_amsl_m: float, t_ns: int) -> bool:
        """Whether a report that is not ours may be a target of ours as a reset of the estimator moved it."""
        if self._matching(position, altitude_amsl_m, _SHIFTED_M, _SHIFTED_M) is None:
            return False
        if self._shift_began_ns is None:
            if self._shift_ended_ns is not None and t_ns - self._shift_ended_ns < _SHIFTED_AGAIN_NS:
                return False
            self._shift_began_ns = t_ns
        return t_ns - self._shift_began_ns < _SHIFTED_NS

    def _is_its_own(self, position: GeoPoint, altitude_amsl_m: float, t_ns: int) -> bool:
        """Whether it is the place where the guided mode was entered: the first that is reported there, before we sent
        any, and not far from the vehicle."""
        if self._own is None:
            if self._entered_at is None or self._sent or not self._in_grace(t_ns):
                return False
            if distance_m(self._entered_at, position) > _ENTERED_M:
                return False
            self._own = position, altitude_amsl_m
        return distance_m(self._own[0], position) <= SAME_HORIZONTAL_M and (
            abs(self._own[1] - altitude_amsl_m) <= SAME_VERTICAL_M
        )

    def _in_grace(self, t_ns: int) -> bool:
        return self._entered_ns is not None and t_ns - self._entered_ns < _GRACE_NS

    def _matching(
        self, position: GeoPoint, altitude_amsl_m: float, horizontal_m: float, vertical_m: float
    ) -> _Sent | None:
        """The newest target of ours that is no farther away than that."""
        for sent in reversed(self._sent):
            if abs(sent.altitude_amsl_m - altitude_amsl_m) > vertical_m:
                continue
            if distance_m(sent.position, position) <= horizontal_m:
                return sent
        return None

    def _echoed(self, match: _Sent, t_ns: int) -> list[VehicleEvent]:
        self._flagged = None
        if self._shift_began_ns is not None:
            self._shift_began_ns, self._shift_ended_ns = None, t_ns
        if match is not self._sent[-1] or self._taken:
            return []
        self._taken = True
        latency_s = (t_ns - match.t_ns) * 1e-9
        return [TargetTaken(t_ns, match.position, match.altitude_amsl_m, latency_s)]

    def _flag(self, t_ns: int, detail: str, position: GeoPoint | None) -> list[VehicleEvent]:
        """Report each foreign target once, not at the rate of the stream."""
        key = (0.0,) if position is None else (round(position.latitude_deg, 5), round(position.longitude_deg, 5))
        if key == self._flagged:
            return []
        self._flagged = key
        return [ForeignTarget(t_ns, "autopilot", detail, position)]


def _foreign_name(packet: Packet) -> str | None:
    message, name = packet.message, packet.name
    if name in _FOREIGN_MESSAGES:
        return name
    if name in ("COMMAND_INT", "COMMAND_LONG") and message.command in _FOREIGN_COMMANDS:
        return str(mavlink.enums["MAV_CMD"][message.command].name)
    if name in ("MISSION_ITEM", "MISSION_ITEM_INT") and message.current in _GUIDED_ITEMS:
        return f"{name} (guided)"
    return None


def _point_of(message: Any) -> GeoPoint | None:
    """The WGS-84 point a command carries, where it carries one in integer degrees."""
    name = message.get_type()
    if name == "SET_POSITION_TARGET_GLOBAL_INT":
        return GeoPoint(message.lat_int * 1e-7, message.lon_int * 1e-7)
    if name in ("COMMAND_INT", "MISSION_ITEM_INT"):
        return GeoPoint(message.x * 1e-7, message.y * 1e-7)
    return None
