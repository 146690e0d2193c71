"""Commands with an acknowledgement: one at a time per command id, resent on silence, never one that takes authority.

Silence is asked again, with `confirmation` counted; "not now" after a pause that grows; a no never. ACCEPTED says that
the autopilot took the command, not that it has done it: where it flies is told by `runtime.vehicle.targets`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from runtime.mavlink.dialect import mavlink
from runtime.values import GeoPoint
from runtime.vehicle.events import CommandDone, VehicleEvent

# All that this program ever asks of an autopilot. Modes, arming, take-off, landing, parameters and reboots belong to
# the pilot: there is no way to send them from here.
PERMITTED = frozenset(
    {
        mavlink.MAV_CMD_SET_MESSAGE_INTERVAL,
        mavlink.MAV_CMD_REQUEST_MESSAGE,
        mavlink.MAV_CMD_DO_REPOSITION,
        mavlink.MAV_CMD_SET_EKF_SOURCE_SET,  # only where the operator's configuration feeds the estimator
    }
)
SET_EKF_SOURCE_SET = mavlink.MAV_CMD_SET_EKF_SOURCE_SET
EXTERNAL_POSITION_ESTIMATE = mavlink.MAV_CMD_EXTERNAL_POSITION_ESTIMATE  # sent by `InjectionSender`, never repeated
_SOURCE_SETS = (1.0, 2.0, 3.0)
_BUSY_FIRST_NS = 1_000_000_000  # TEMPORARILY_REJECTED: ask again after this, then after twice as long each time
_BUSY_MOST_NS = 8_000_000_000
_BUSY_TRIES = 5  # 1 + 2 + 4 + 8 s: what is busy for longer is told, rather than waited for
_PROGRESS_WAIT_NS = 10_000_000_000  # IN_PROGRESS: the answer may take this long, from the newest one on
_RESULTS = {
    0: "ACCEPTED",
    1: "TEMPORARILY_REJECTED",
    2: "DENIED",
    3: "UNSUPPORTED",
    4: "FAILED",
    5: "IN_PROGRESS",
    6: "CANCELLED",
    7: "COMMAND_LONG_ONLY",
    8: "COMMAND_INT_ONLY",
    9: "UNSUPPORTED_MAV_FRAME",
}


@dataclass(frozen=True, slots=True)
class Command:
    """A MAV_CMD with its first four parameters; ``position`` makes it a COMMAND_INT with an AMSL height.

    float32 degrees in a COMMAND_LONG are 0.4 to 1.7 m coarse, so a position never travels that way.
    """

    command: int
    parameters: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    position: GeoPoint | None = None
    altitude_amsl_m: float = 0.0

    def __post_init__(self) -> None:
        if self.command not in PERMITTED:
            raise ValueError(f"MAV_CMD {self.command} is the pilot's to send, not ours")
        if self.command == mavlink.MAV_CMD_DO_REPOSITION and (self.parameters[1] != 0.0 or self.position is None):
            raise ValueError("DO_REPOSITION needs a position and may not carry flags: one of them changes the mode")
        if self.command == mavlink.MAV_CMD_SET_EKF_SOURCE_SET and self.parameters[0] not in _SOURCE_SETS:
            raise ValueError(f"the autopilot has EKF source sets 1 to 3, not {self.parameters[0]:g}")

    @classmethod
    def source_set(cls, number: int) -> Command:
        """SET_EKF_SOURCE_SET: which of its source sets the estimator is to use, 1 to 3."""
        return cls(mavlink.MAV_CMD_SET_EKF_SOURCE_SET, (float(number), 0.0, 0.0, 0.0))


@dataclass(slots=True)
class _Outstanding:
    command: Command
    as_int: bool
    attempts: int = 0  # how often it was sent
    unanswered: int = 0  # sent since the last answer: the next one's `confirmation`
    deadline_ns: int = 0
    busy: int = 0  # how often it was rejected for now
    switched: bool = False  # already tried in the other form


class CommandQueue:
    """Sends commands through ``send``, matches acknowledgements, retries; the caller checks the ACK's addresses."""

    def __init__(self, send: Callable[[Any], None], timeout_s: float, attempts: int) -> None:
        self._send = send
        self._timeout_ns = int(timeout_s * 1e9)
        self._attempts = attempts  # without any answer
        self.target = (0, 0)  # (system, component) of the autopilot
        self.reset()

    def reset(self) -> None:
        """Forget what is queued and outstanding: the autopilot rebooted or went away."""
        self._queues: dict[int, deque[Command]] = {}
        self._outstanding: dict[int, _Outstanding] = {}
        self._late: dict[int, tuple[int, int]] = {}  # answers that a finished command may still get, and until when

    def __len__(self) -> int:
        return len(self._outstanding) + sum(len(queue) for queue in self._queues.values())

    def submit(self, command: Command, t_ns: int) -> None:
        """Send now, or after the outstanding command of the same id."""
        self._queues.setdefault(command.command, deque()).append(command)
        self._advance(command.command, t_ns)

    def tick(self, t_ns: int) -> list[VehicleEvent]:
        """Resend what was not answered in time; give up after the last attempt."""
        events: list[VehicleEvent] = []
        for number, pending in list(self._outstanding.items()):
            if t_ns < pending.deadline_ns:
                continue
            if pending.unanswered >= self._attempts:
                events.append(self._finish(number, "NO_ANSWER", t_ns))
            else:
                self._transmit(pending, t_ns)
        return events

    def acknowledged(self, number: int, result: int, t_ns: int) -> list[VehicleEvent]:
        """Take a COMMAND_ACK that the autopilot sent to us."""
        pending = self._outstanding.get(number)
        if pending is None or self._answers_the_one_before(number, pending, t_ns):
            return []
        sent, pending.unanswered = pending.unanswered, 0
        if result == mavlink.MAV_RESULT_IN_PROGRESS:
            pending.deadline_ns = t_ns + _PROGRESS_WAIT_NS
            return []
        if result == mavlink.MAV_RESULT_TEMPORARILY_REJECTED and pending.busy < _BUSY_TRIES - 1:
            pending.deadline_ns = t_ns + min(_BUSY_FIRST_NS << pending.busy, _BUSY_MOST_NS)
            pending.busy += 1
            return []
        if self._other_form_wanted(pending, result):
            pending.as_int, pending.switched = not pending.as_int, True
            self._transmit(pending, t_ns)
            return []
        self._late[number] = (sent - 1, t_ns + sent * self._timeout_ns)
        return [self._finish(number, result_name(result), t_ns)]

    def _answers_the_one_before(self, number: int, pending: _Outstanding, t_ns: int) -> bool:
        """Whether an answer is one too many: a command that was sent twice is answered twice, and the second answer
        must not conclude the next command of its id. One that is taken for it wrongly costs one repetition, which
        streams need not pay: whether one was granted is measured."""
        if number == mavlink.MAV_CMD_SET_MESSAGE_INTERVAL:
            return False
        left, until_ns = self._late.get(number, (0, 0))
        if left <= 0 or t_ns > until_ns or pending.attempts > 1:
            return False
        self._late[number] = (left - 1, until_ns)
        return True

    def _other_form_wanted(self, pending: _Outstanding, result: int) -> bool:
        if pending.switched or pending.command.position is not None:
            return False
        wanted = mavlink.MAV_RESULT_COMMAND_LONG_ONLY if pending.as_int else mavlink.MAV_RESULT_COMMAND_INT_ONLY
        return bool(result == wanted)

    def _advance(self, number: int, t_ns: int) -> None:
        queue = self._queues.get(number)
        if queue and number not in self._outstanding:
            command = queue.popleft()
            pending = _Outstanding(command, as_int=command.position is not None)
            self._outstanding[number] = pending
            self._transmit(pending, t_ns)

    def _finish(self, number: int, result: str, t_ns: int) -> CommandDone:
        done = self._outstanding.pop(number)
        self._advance(number, t_ns)
        return CommandDone(t_ns, number, done.command.parameters[0], result, result == "ACCEPTED", done.attempts)

    def _transmit(self, pending: _Outstanding, t_ns: int) -> None:
        self._send(self._packed(pending))
        pending.attempts += 1
        pending.unanswered += 1
        pending.deadline_ns = t_ns + self._timeout_ns

    def _packed(self, pending: _Outstanding) -> Any:
        command, parameters = pending.command, pending.command.parameters
        if not pending.as_int:
            return mavlink.MAVLink_command_long_message(
                *self.target, command.command, pending.unanswered, *parameters, 0.0, 0.0, 0.0
            )
        latitude = longitude = 0
        if command.position is not None:
            latitude = round(command.position.latitude_deg * 1e7)
            longitude = round(command.position.longitude_deg * 1e7)
        return mavlink.MAVLink_command_int_message(
            *self.target,
            mavlink.MAV_FRAME_GLOBAL,
            command.command,
            0,
            0,
            *parameters,
            latitude,
            longitude,
            command.altitude_amsl_m,
        )


def is_for(answer: Any, system_id: int, component_id: int) -> bool:
    """Whether a COMMAND_ACK is for that component; 0 is an older peer's broadcast."""
    return answer.target_system in (0, system_id) and answer.target_component in (0, component_id)


def result_name(result: int) -> str:
    """MAV_RESULT's name without its prefix."""
    return _RESULTS.get(result, f"RESULT_{result}")
