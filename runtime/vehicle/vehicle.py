"""The vehicle: MAVLink bytes in, events and bytes out. No sockets, no clock, no threads: time comes with each call.

There is no function here that arms, disarms, changes a mode, takes off or lands. Authority is the pilot's; this room
reports what the autopilot does and passes on targets that guidance has decided upon.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from runtime.computer import ComputerLoad
from runtime.events import VEHICLE_LINK
from runtime.mavlink.dialect import mavlink
from runtime.mavlink.framing import Packet
from runtime.reports.messages import addressee
from runtime.values import Aiding, AidingRoute, Setpoint
from runtime.vehicle.commands import EXTERNAL_POSITION_ESTIMATE, Command, CommandQueue, is_for, result_name
from runtime.vehicle.config import VehicleConfig
from runtime.vehicle.events import (
    CommandDone,
    Connected,
    ConnectionLost,
    LineChanged,
    OperatorCommand,
    Rebooted,
    TargetRefused,
    VehicleEvent,
)
from runtime.vehicle.ground.figures import NavigationFigures, computer_message, figure_messages
from runtime.vehicle.ground.requests import Requests
from runtime.vehicle.ground.speech import Companion
from runtime.vehicle.injection import InjectionSender
from runtime.vehicle.link.lines import Line, Lines
from runtime.vehicle.link.order import Order
from runtime.vehicle.parameters.reading import ParameterReading, ParametersRead
from runtime.vehicle.roster import Roster
from runtime.vehicle.setpoints import SetpointSender
from runtime.vehicle.targets import TargetWatch
from runtime.vehicle.telemetry.clocks import AutopilotClock
from runtime.vehicle.telemetry.poses import PoseBuffer
from runtime.vehicle.telemetry.reader import Reader
from runtime.vehicle.telemetry.state import LinkCounters, Telemetry, VehicleState
from runtime.vehicle.telemetry.streams import StreamKeeper

_REFUSED = frozenset({mavlink.MAV_RESULT_DENIED, mavlink.MAV_RESULT_UNSUPPORTED, mavlink.MAV_RESULT_FAILED})


class Vehicle:
    """One autopilot behind one link, or several.

    Call `receive` with what came, `tick` and then `repeat` 10 times a second or more, then send what `outgoing` gives.
    """

    def __init__(self, config: VehicleConfig = VehicleConfig()) -> None:  # noqa: B008 - frozen
        self._config = config
        self._lines = Lines(config.links, config.component_id)
        self._lines.system_id = config.system_id if config.system_id is not None else 1
        self._companion = Companion(config, self._lines)
        self._requests = Requests(self._lines.put, self._companion, config.component_id, config.operator_system_id)
        self._clock = AutopilotClock(config, self._lines.put)
        self._commands = CommandQueue(self._lines.put, config.command_timeout_s, config.command_attempts)
        self._streams = StreamKeeper(self._commands.submit)
        self._watch = TargetWatch()
        self._roster = Roster(config)
        self.poses = PoseBuffer(config.pose_buffer_s, config.extrapolate_s, config.heading_sigma_rad)
        self._reader = Reader(config, self._roster.stack, self.poses)
        self._connected = False
        self._heartbeat_ns = self._heard_ns = self._now_ns = 0
        self._reboots = self._ignored = 0
        self._setpoints = SetpointSender(self._lines.put, self._watch)
        self._injection = InjectionSender(self._lines.put)
        self._parameters = ParameterReading(self._lines.put)
        self._handlers: dict[str, Callable[[Any, int], list[VehicleEvent]]] = {
            "COMMAND_ACK": self._acknowledged,
            "POSITION_TARGET_GLOBAL_INT": self._watch.global_report,
            "POSITION_TARGET_LOCAL_NED": self._local_target,
            "PARAM_VALUE": self._parameter,
            "PARAM_ERROR": self._parameter,
        }

    # --- in -------------------------------------------------------------------------------------------------

    def receive(self, data: bytes, t_ns: int, link: str = VEHICLE_LINK) -> list[VehicleEvent]:
        """Parse ``data``, which arrived at ``t_ns`` over ``link``; garbage is counted, never raised."""
        self._now_ns = max(self._now_ns, t_ns)
        line, events = self._lines[link], list[VehicleEvent]()
        for packet in line.packets.feed(data):
            sender = (packet.system_id, packet.component_id)
            order = self._lines.place(packet, line, sender == self._roster.autopilot, t_ns)
            if order is not Order.COPY:
                events += self._take(packet, line, sender, order, t_ns)
        return events

    def _take(
        self, packet: Packet, line: Line, sender: tuple[int, int], order: Order, t_ns: int
    ) -> list[VehicleEvent]:
        events: list[VehicleEvent] = []
        if packet.name == "HEARTBEAT":
            adopted, events = self._roster.heartbeat(sender, packet.message, t_ns)
            if adopted:
                self._lines.system_id = sender[0]
                self._lines.believed = line
                self._commands.target = sender
                self._forget()
        if sender == self._roster.autopilot:
            if self._believed(packet, line, order, t_ns):
                events += self._from_autopilot(packet, t_ns)
            return events
        self._ignored += 1
        if self._roster.autopilot is not None:
            events += self._overheard(packet, self._roster.autopilot[0], t_ns)
        return events

    def _overheard(self, packet: Packet, system_id: int, t_ns: int) -> list[VehicleEvent]:
        """What somebody else says to our autopilot, or to everybody."""
        message = packet.message
        if message is None or addressee(message, system_id) not in (0, system_id):
            return []
        self._reader.overheard(message, t_ns)
        return self._watch.commanded(packet, t_ns) + self._requests.take(packet, system_id, t_ns)

    def _believed(self, packet: Packet, line: Line, order: Order, t_ns: int) -> bool:
        """Whether the autopilot's packet counts: all do on the believed line, but a heartbeat that others have
        overtaken may take the guided mode away, and not give it; on another line only what it takes away does."""
        takes = gives = False
        if packet.name == "HEARTBEAT":
            message, now = packet.message, self._reader.telemetry
            guided = self._roster.stack.is_guided(message.type, message.custom_mode)
            armed = bool(message.base_mode & mavlink.MAV_MODE_FLAG_SAFETY_ARMED)
            takes = line.beat(guided, armed, t_ns) and (guided, armed) != (now.guided, now.armed)
            gives = (guided and not now.guided) or (armed and not now.armed)
        if line is self._lines.believed:
            return not (order is Order.OVERTAKEN and gives)
        self._lines.unbelieved += 1
        return takes and not gives and self._connected

    def _forget(self) -> None:
        """Drop all that the autopilot said: it is new to us, or rebooted."""
        self._clock.sync.reset()
        self.poses.clear()
        self._commands.reset()
        self._watch.reset()
        self._setpoints.drop()
        self._reader = Reader(self._config, self._roster.stack, self.poses)
        self._streams.start(self._roster.stack.streams(self._config))
        self._parameters.reset(self._roster.stack.bytewise_parameters)

    def _parameter(self, message: Any, t_ns: int) -> list[VehicleEvent]:
        self._parameters.take(message)
        return []

    def _from_autopilot(self, packet: Packet, t_ns: int) -> list[VehicleEvent]:
        message, name = packet.message, packet.name
        self._heard_ns = t_ns
        if message is None:
            return []
        events = self._reconnected(t_ns) if name == "HEARTBEAT" else []
        remote_ns = self._clock.reading(name, message, t_ns)
        if remote_ns is not None:
            events += self._check_clock(remote_ns, t_ns)
        self._streams.seen(packet.message_id, t_ns)
        handler = self._handlers.get(name)
        if handler is not None:
            return events + handler(message, t_ns)
        return events + self._telemetry(message, remote_ns, t_ns)

    def _telemetry(self, message: Any, remote_ns: int | None, t_ns: int) -> list[VehicleEvent]:
        """A message that says how the vehicle is; ``remote_ns``: its instant on the autopilot's clock."""
        measured_ns = t_ns if remote_ns is None else self._clock.sync.to_local(remote_ns, t_ns)
        before = self._reader.mode
        events = self._reader.take(message, measured_ns, t_ns)
        now = self._reader.mode
        if now != before:
            position = self._reader.telemetry.position if self._roster.stack.enters_at_a_place else None
            self._watch.mode_changed(now[1], t_ns, position)
            if before[1] and not now[1]:
                self._setpoints.drop()
        return events

    def _local_target(self, message: Any, t_ns: int) -> list[VehicleEvent]:
        stack, origin = self._roster.stack, self._reader.telemetry.origin
        return self._watch.local_report(message, origin if stack.reports_local_targets else None, stack.point_at, t_ns)

    def _reconnected(self, t_ns: int) -> list[VehicleEvent]:
        self._heartbeat_ns = t_ns
        if self._connected or self._roster.autopilot is None:
            return []
        self._connected = True
        return [Connected(t_ns, *self._roster.autopilot, self._roster.stack.name)]

    def _check_clock(self, remote_ns: int, t_ns: int) -> list[VehicleEvent]:
        if self._clock.sync.stepped():
            self.poses.clear()
        if self._clock.two:
            return self._roster.two_in_one(t_ns)
        before_ns = self._clock.rebooted(remote_ns)
        if before_ns is None:
            return []
        self._reboots += 1
        self._forget()
        self._clock.rebooted(remote_ns)
        return [Rebooted(t_ns, before_ns * 1e-9, remote_ns * 1e-9)]

    def _acknowledged(self, message: Any, t_ns: int) -> list[VehicleEvent]:
        """Only an answer to us: source (checked by the caller), target and command."""
        if not is_for(message, self._lines.system_id, self._config.component_id):
            return []
        if message.command == EXTERNAL_POSITION_ESTIMATE:  # none of the queue's: it is never repeated
            return [CommandDone(t_ns, message.command, 0.0, result_name(message.result), message.result == 0, 1)]
        done = self._streams.concluded(self._commands.acknowledged(message.command, message.result, t_ns))
        if not done and message.command == mavlink.MAV_CMD_DO_REPOSITION and message.result in _REFUSED:
            return [TargetRefused(t_ns, result_name(message.result))]  # of a target, which is none of the queue's
        return done

    # --- time -----------------------------------------------------------------------------------------------

    def feed_heartbeat(self, t_ns: int, status: int = mavlink.MAV_STATE_ACTIVE) -> None:
        """The daemon made progress: our heartbeat may go out for the next two seconds, with ``status`` (MAV_STATE)."""
        self._companion.feed(t_ns, status)

    def tick(self, t_ns: int) -> list[VehicleEvent]:
        """Do what is due at ``t_ns``: heartbeat, TIMESYNC, stream requests, retries, time-outs."""
        self._now_ns = max(self._now_ns, t_ns)
        self._companion.tick(t_ns)
        if self._roster.autopilot is None:
            return []
        self._roster.tick(t_ns)
        events = self._check_link(t_ns)
        if not self._connected:
            return events
        self._clock.tick(t_ns)
        events += self._streams.tick(t_ns)
        events += self._streams.concluded(self._commands.tick(t_ns))
        self._parameters.tick(t_ns, self._roster.autopilot)
        return events

    def _check_link(self, t_ns: int) -> list[VehicleEvent]:
        silence_s = (t_ns - self._heard_ns) * 1e-9
        no_heartbeat_s = (t_ns - self._heartbeat_ns) * 1e-9
        lost = silence_s > self._config.link_timeout_s or no_heartbeat_s > self._config.heartbeat_timeout_s
        better = self._lines.better(t_ns, lost, self._reader.telemetry.armed is False)
        events = self._let_go(t_ns, max(silence_s, no_heartbeat_s)) if lost or better is not None else []
        if better is not None:
            events.append(LineChanged(t_ns, self._lines.believed.name, better.name))
            self._lines.believed = better
        return events

    def _let_go(self, t_ns: int, silence_s: float) -> list[VehicleEvent]:
        """The believed line is no more: what it was told is void, and the next mode heard is a first report."""
        if not self._connected:
            return []
        self._connected = False
        self._setpoints.drop()
        self._commands.reset()
        self._watch.reset()
        self._reader.lost()
        self._streams.start(self._roster.stack.streams(self._config))
        return [ConnectionLost(t_ns, silence_s)]

    # --- out ------------------------------------------------------------------------------------------------

    @property
    def links(self) -> tuple[str, ...]:
        """The names of the lines that `outgoing` has something for."""
        return self._lines.names

    def outgoing(self, link: str = VEHICLE_LINK) -> bytes:
        """All that is to be sent over a line since the last call: whole MAVLink 2 frames, oldest first."""
        return self._lines.take(link)

    def send_command(self, command: Command, t_ns: int) -> None:
        """Queue a permitted command; a `CommandDone` will tell how it ended."""
        self._commands.submit(command, t_ns)

    def statustext(self, text: str, severity: int, t_ns: int) -> bool:
        """Tell the ground station; False if too many texts went out this second."""
        return self._companion.say(text, severity, t_ns)

    def report(self, figures: NavigationFigures, load: ComputerLoad | None, up_ms: int) -> None:
        """Tell the ground station figures of the position, and of the computer where they are known; ``up_ms``: since
        our own start. Nothing while our heartbeat is silent: who is faulty has nothing to say."""
        if not self._companion.alive(self._now_ns):
            return
        for message in figure_messages(figures, up_ms):
            self._lines.put(message)
        if load is not None:
            self._lines.put(computer_message(load, up_ms))

    def answer_operator(self, asked: OperatorCommand, result: int) -> None:
        """Acknowledge what the operator asked by radio, with a MAV_RESULT."""
        self._requests.answer(asked.command, result, (asked.system_id, asked.component_id))

    def send_setpoint(self, setpoint: Setpoint, t_ns: int) -> str | None:
        """Send a position target. None when it went out, else the reason why it did not, by name."""
        refusal = self._refusal()
        if refusal is not None or self._roster.autopilot is None:
            return refusal
        return self._setpoints.send(setpoint, self._roster.autopilot, self._roster.stack, t_ns)

    def repeat(self, t_ns: int) -> None:
        """Say the last target again if that is due, to an autopilot that wants it. Call it once a tick, after all that
        has been heard was looked at: what ended the authority has withdrawn that target by then."""
        if self._refusal() is None and self._roster.autopilot is not None:
            self._setpoints.repeat(self._roster.autopilot, self._roster.stack, t_ns)

    def send_idle(self, present: Setpoint, t_ns: int) -> str | None:
        """Stream the present point to an autopilot that wants that before its guided mode; never within that mode.

        None when it went out, else the reason why it did not, by name.
        """
        refusal = self._unreachable()
        if refusal is not None or self._roster.autopilot is None:
            return refusal
        if self._reader.telemetry.guided:
            return "guided"
        return self._setpoints.idle(present, self._roster.autopilot, self._roster.stack, t_ns)

    def send_injection(self, message: Aiding, t_ns: int) -> str | None:
        """Feed the autopilot's estimator. None when it went out, else the reason why it did not, by name."""
        if self._roster.autopilot is None or not self._connected:
            return "vehicle_silent"
        sync = self._clock.sync.current(t_ns)
        if sync is None:
            return "time_not_synced"  # a stamp of a wrong clock is worse than none
        return self._roster.refusal() or self._injection.send(
            message, self._roster.stack, self._roster.autopilot, t_ns, sync.offset_ns, self._reader.telemetry
        )

    def _aiding_routes(self) -> tuple[AidingRoute, ...]:
        """What the stack takes; a route that not every version has, only where this one said so."""
        routes = self._roster.stack.aiding_routes
        if self._streams.granted(mavlink.MAVLINK_MSG_ID_GLOBAL_POSITION_SENSOR):
            return routes
        return tuple(route for route in routes if route is not AidingRoute.GLOBAL_POSITION)

    def read_parameters(self, names: Iterable[str], again: bool = False) -> ParametersRead:
        """What is known of these parameters and others; asks for those that are not, or for all of them ``again``."""
        self._parameters.ask(names, again)
        return self._parameters.read

    def withdraw(self) -> None:
        """Repeat no target any more: authority has ended, and the last one with it, though it has not expired."""
        self._setpoints.drop()

    def _refusal(self) -> str | None:
        """Why no target may go out at all: none does outside the guided mode, whatever would become of it there."""
        unreachable = self._unreachable()
        if unreachable is None and not self._reader.telemetry.guided:
            return "not_guided"
        return unreachable

    def _unreachable(self) -> str | None:
        """Why nothing may go out that could move the vehicle."""
        if self._roster.autopilot is None or not self._connected:
            return "vehicle_silent"
        return self._roster.refusal()

    # --- what is known --------------------------------------------------------------------------------------

    @property
    def telemetry(self) -> Telemetry:
        """What the autopilot has told, as `state` has it: cheaper, for whoever asks at every tick."""
        return Telemetry() if self._roster.autopilot is None else self._reader.telemetry

    @property
    def state(self) -> VehicleState:
        """A snapshot as of the last call of `receive` or `tick`."""
        t_ns = self._now_ns
        if self._roster.autopilot is None:
            return VehicleState(
                t_ns,
                other_autopilot=self._roster.other,
                counters=self._counters(),
                lines=self._lines.health(t_ns),
                heartbeat_sent=self._companion.alive(t_ns),
            )
        sync = self._clock.sync.current(t_ns)
        return VehicleState(
            t_ns=t_ns,
            connected=self._connected,
            system_id=self._roster.autopilot[0],
            component_id=self._roster.autopilot[1],
            stack=self._roster.stack.name,
            wants_idle_stream=self._roster.stack.wants_idle_stream,
            loiter_radius_m=self._roster.stack.loiter_radius_m,
            entered_here=self._watch.entered_here or not self._roster.stack.enters_at_a_place,
            telemetry=self._reader.telemetry,
            heartbeat_t_ns=self._heartbeat_ns,
            heartbeat_age_s=(t_ns - self._heartbeat_ns) * 1e-9,
            link_age_s=(t_ns - self._heard_ns) * 1e-9,
            timesync_offset_ns=None if sync is None else sync.offset_ns,
            timesync_rtt_s=None if sync is None else sync.rtt_ns * 1e-9,
            reboots=self._reboots,
            other_autopilot=self._roster.other,
            companion_conflict=self._roster.conflict,
            target=self._watch.reported,
            target_taken=self._watch.taken,
            streams=self._streams.health(t_ns),
            aiding_routes=self._aiding_routes(),
            heartbeat_sent=self._companion.alive(t_ns),
            pending_commands=len(self._commands),
            counters=self._counters(),
            lines=self._lines.health(t_ns),
        )

    def _counters(self) -> LinkCounters:
        lines, sync = self._lines, self._clock.sync
        return LinkCounters(
            packets=lines.counted("packets"),
            unknown_packets=lines.counted("unknown"),
            bad_packets=lines.counted("bad_packets"),
            garbage_bytes=lines.counted("garbage_bytes"),
            ignored_packets=self._ignored,
            copied_packets=lines.copies,
            overtaken_packets=lines.overtaken,
            own_echoes=lines.echoes,
            unbelieved_packets=lines.unbelieved,
            timesync_rejected=sync.rejected,
            timesync_steps=sync.steps,
            texts_dropped=self._companion.texts_dropped,
        )
