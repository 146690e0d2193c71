"""The other end of the link for tests: an autopilot that says what the test wants and streams what was asked for."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from runtime.mavlink.dialect import mavlink
from runtime.mavlink.framing import Packet, PacketReader
from runtime.values import GeoPoint
from runtime.vehicle.events import VehicleEvent
from runtime.vehicle.vehicle import Vehicle

MS = 1_000_000
SECOND = 1_000_000_000
HERE = GeoPoint(60.0, 22.0)
GUIDED, LOITER, LAND = 4, 5, 9
EKF_GOOD = 0x33F
HEALTHY = 0x1000_0000 | 0x0201_0000  # prearm, battery, RC


class Voice:
    """Packs messages as one (system, component)."""

    def __init__(self, system_id: int, component_id: int) -> None:
        self._codec = mavlink.MAVLink(None, srcSystem=system_id, srcComponent=component_id)

    def say(self, message: Any) -> bytes:
        self._codec.seq = (self._codec.seq + 1) % 256
        return bytes(message.pack(self._codec))


@dataclass
class Peer:
    """An autopilot at hand: fields are what it reports, `step` gives the bytes that are due."""

    system_id: int = 1
    component_id: int = 1
    autopilot: int = mavlink.MAV_AUTOPILOT_ARDUPILOTMEGA
    mode: int = LOITER
    kind: int = mavlink.MAV_TYPE_QUADROTOR
    armed: bool = True
    status: int = mavlink.MAV_STATE_ACTIVE
    landed: int = mavlink.MAV_LANDED_STATE_IN_AIR
    flags: int = EKF_GOOD
    fix_type: int = 3
    target: tuple[float, float, float] | None = None  # latitude, longitude, AMSL
    clock_offset_ns: int = 77_777 * MS  # its clock against ours
    denies: frozenset[int] = frozenset()
    answers: bool = True
    intervals_ns: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.voice = Voice(self.system_id, self.component_id)
        self._reader = PacketReader()
        self._due: dict[int, int] = {}
        self._beat_ns = -SECOND
        self.heard: list[Packet] = []

    def reboot(self, t_ns: int) -> None:
        self.clock_offset_ns = -t_ns
        self.intervals_ns.clear()
        self._due.clear()

    def boot_ms(self, t_ns: int) -> int:
        return (t_ns + self.clock_offset_ns) // MS

    def hear(self, data: bytes, t_ns: int) -> bytes:
        """Take what the companion sent; the answers."""
        out = b""
        for packet in self._reader.feed(data):
            self.heard.append(packet)
            if self.answers:
                out += b"".join(self._answers(packet.message, t_ns))
        return out

    def _answers(self, m: Any, t_ns: int) -> Iterator[bytes]:
        if m.get_type() == "TIMESYNC" and m.tc1 == 0:
            yield self.voice.say(mavlink.MAVLink_timesync_message(t_ns + self.clock_offset_ns, m.ts1))
        elif m.get_type() in ("COMMAND_LONG", "COMMAND_INT"):
            result = mavlink.MAV_RESULT_ACCEPTED
            if m.command == mavlink.MAV_CMD_SET_MESSAGE_INTERVAL:
                if int(m.param1) in self.denies or int(m.param1) not in self._builders():
                    result = mavlink.MAV_RESULT_DENIED
                else:
                    self.intervals_ns[int(m.param1)] = int(m.param2 * 1000)
            yield self.ack(m.command, result)

    def ack(self, command: int, result: int, to: tuple[int, int] = (1, 191)) -> bytes:
        return self.voice.say(mavlink.MAVLink_command_ack_message(command, result, 0, 0, *to))

    def heartbeat(self) -> bytes:
        base = 0x51 | (0x80 if self.armed else 0)
        beat = mavlink.MAVLink_heartbeat_message(self.kind, self.autopilot, base, self.mode, self.status, 3)
        return self.voice.say(beat)

    def step(self, t_ns: int) -> bytes:
        """What is due at ``t_ns``."""
        out = b""
        if t_ns - self._beat_ns >= SECOND:
            self._beat_ns = t_ns
            out += self.heartbeat()
        builders = self._builders()
        for identity, interval_ns in self.intervals_ns.items():
            if t_ns >= self._due.get(identity, 0):
                self._due[identity] = t_ns + interval_ns
                message = builders[identity](t_ns)
                out += self.voice.say(message) if message is not None else b""
        return out

    def _builders(self) -> dict[int, Any]:
        return {
            mavlink.MAVLINK_MSG_ID_ATTITUDE: self._attitude,
            mavlink.MAVLINK_MSG_ID_GLOBAL_POSITION_INT: self._position,
            mavlink.MAVLINK_MSG_ID_GPS_RAW_INT: self._gps,
            mavlink.MAVLINK_MSG_ID_SYS_STATUS: self._sys_status,
            mavlink.MAVLINK_MSG_ID_EXTENDED_SYS_STATE: lambda t: mavlink.MAVLink_extended_sys_state_message(
                0, self.landed
            ),
            mavlink.MAVLINK_MSG_ID_EKF_STATUS_REPORT: lambda t: mavlink.MAVLink_ekf_status_report_message(
                self.flags, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
            ),
            mavlink.MAVLINK_MSG_ID_ESTIMATOR_STATUS: lambda t: mavlink.MAVLink_estimator_status_message(
                t // 1000, self.flags, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 0.3, 0.1
            ),
            mavlink.MAVLINK_MSG_ID_POSITION_TARGET_GLOBAL_INT: self._target,
        }

    def _attitude(self, t_ns: int) -> Any:
        yaw = math.remainder(0.2 * t_ns * 1e-9, 2 * math.pi)  # turns to the right
        return mavlink.MAVLink_attitude_message(self.boot_ms(t_ns), 0.1, -0.05, yaw, 0.0, 0.0, 0.2)

    def _position(self, t_ns: int) -> Any:
        north_m = 10.0 * t_ns * 1e-9  # flies north at 10 m/s
        latitude = HERE.latitude_deg + north_m / 111_412.0  # metres per degree of latitude at 60 N
        return mavlink.MAVLink_global_position_int_message(
            self.boot_ms(t_ns), round(latitude * 1e7), round(HERE.longitude_deg * 1e7), 528_100, 40_000, 1000, 0, 0, 0
        )

    def _gps(self, t_ns: int) -> Any:
        return mavlink.MAVLink_gps_raw_int_message(
            0, self.fix_type, 600000000, 220000000, 528100, 100, 100, 0, 0, 12, 528100, 800, 1500
        )

    def _sys_status(self, t_ns: int) -> Any:
        return mavlink.MAVLink_sys_status_message(HEALTHY, HEALTHY, HEALTHY, 0, 15800, 900, 73, 0, 0, 0, 0, 0, 0)

    def _target(self, t_ns: int) -> Any:
        if self.target is None:
            return None
        latitude, longitude, altitude = self.target
        return mavlink.MAVLink_position_target_global_int_message(
            self.boot_ms(t_ns), 0, 65016, round(latitude * 1e7), round(longitude * 1e7) - 1, altitude, *[0.0] * 8
        )


@dataclass
class Wire:
    """A vehicle and its peer, with a clock that the test moves; ``keep`` may lose packets, ``delay_ns`` each way."""

    vehicle: Vehicle = field(default_factory=Vehicle)
    peer: Peer = field(default_factory=Peer)
    t_ns: int = 10 * SECOND
    fed: bool = True
    delay_ns: int = 3 * MS
    events: list[VehicleEvent] = field(default_factory=list)
    sent: list[tuple[int, Packet]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._sniffer = PacketReader()
        self._to_vehicle: list[tuple[int, bytes]] = []
        self._to_peer: list[tuple[int, bytes]] = []

    def keep(self, packet: bytes) -> bool:
        return True

    def run(self, seconds: float, step_ns: int = 10 * MS) -> None:
        for _ in range(round(seconds * SECOND / step_ns)):
            self.step(step_ns)

    def step(self, step_ns: int = 10 * MS) -> None:
        self.t_ns += step_ns
        t_ns = self.t_ns
        self._send_to_vehicle(self.peer.step(t_ns), t_ns)
        for due_ns, data in _due(self._to_vehicle, t_ns):
            self.events += self.vehicle.receive(data, due_ns)
        if self.fed:
            self.vehicle.feed_heartbeat(t_ns)
        self.events += self.vehicle.tick(t_ns)
        self.vehicle.repeat(t_ns)
        for packet in self._sniffer.feed(self.vehicle.outgoing()):
            self.sent.append((t_ns, packet))
            if self.keep(packet.raw):
                self._to_peer.append((t_ns + self.delay_ns, packet.raw))
        for due_ns, data in _due(self._to_peer, t_ns):
            self._send_to_vehicle(self.peer.hear(data, due_ns), due_ns)

    def inject(self, data: bytes) -> list[VehicleEvent]:
        """Bytes of somebody else, now."""
        events = self.vehicle.receive(data, self.t_ns)
        self.events += events
        return events

    def of(self, *kinds: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kinds)]

    def sent_of(self, name: str) -> list[tuple[int, Packet]]:
        return [(t_ns, packet) for t_ns, packet in self.sent if packet.name == name]

    def _send_to_vehicle(self, data: bytes, t_ns: int) -> None:
        for packet in PacketReader().feed(data):
            if self.keep(packet.raw):
                self._to_vehicle.append((t_ns + self.delay_ns, packet.raw))


def _due(queue: list[tuple[int, bytes]], t_ns: int) -> list[tuple[int, bytes]]:
    due = [item for item in queue if item[0] <= t_ns]
    queue[:] = [item for item in queue if item[0] > t_ns]
    return due
