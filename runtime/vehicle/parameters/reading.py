"""Parameters read by name: asked for a few at a time, asked again on silence, and called missing after that.

ArduPilot answers nothing to a name that it does not have; PX4 since 1.17 says PARAM_ERROR.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from runtime.mavlink.dialect import mavlink
from runtime.vehicle.parameters.encoding import decoded, wire_of

_WAIT_NS = 700_000_000  # for an answer; a busy autopilot answers within half a second
_ASKED = 4  # times, before a name is called missing: four packets lost in a row are one in a hundred at 30 % loss
_AT_ONCE = 8  # requests under way; ArduPilot queues 20, and drops what comes beyond
_BY_NAME = -1  # param_index


@dataclass(frozen=True, slots=True)
class Parameter:
    """``value`` as the autopilot uses it, ``kind`` its MAV_PARAM_TYPE."""

    name: str
    value: float
    kind: int


@dataclass(frozen=True, slots=True)
class ParametersRead:
    """What is known: ``missing`` are names that the autopilot does not have, ``pending`` those not answered yet."""

    known: dict[str, Parameter]
    missing: frozenset[str]
    pending: frozenset[str]


@dataclass(slots=True)
class _Request:
    name: str
    due_ns: int
    attempts: int = 1


class ParameterReading:
    """Feed it with PARAM_VALUE and PARAM_ERROR of the autopilot, and with the time."""

    def __init__(self, put: Callable[[Any], None]) -> None:
        self._put = put
        self._bytewise = False
        self.reset(bytewise=False)

    def reset(self, bytewise: bool) -> None:
        """Forgets everything: another autopilot, or one that rebooted. ``bytewise``: how its integers travel."""
        self._bytewise = bytewise
        self._known: dict[str, Parameter] = {}
        self._missing: set[str] = set()
        self._waiting: deque[str] = deque()
        self._asked: dict[str, _Request] = {}

    @property
    def read(self) -> ParametersRead:
        """What is known by now."""
        pending = frozenset((*self._waiting, *self._asked))
        return ParametersRead(dict(self._known), frozenset(self._missing), pending)

    def ask(self, names: Iterable[str], again: bool = False) -> None:
        """Wants these; ``again``: also those that are known or missing already."""
        for name in names:
            if again:
                self._known.pop(name, None)
                self._missing.discard(name)
            if not (name in self._known or name in self._missing or name in self._asked or name in self._waiting):
                self._waiting.append(name)

    def take(self, message: Any) -> None:
        """PARAM_VALUE or PARAM_ERROR."""
        name = _name(message)
        if message.get_type() == "PARAM_ERROR":
            if message.error == mavlink.MAV_PARAM_ERROR_DOES_NOT_EXIST and self._asked.pop(name, None) is not None:
                self._missing.add(name)
            return
        value = decoded(wire_of(bytes(message.get_msgbuf())), message.param_type, self._bytewise)
        if value is None:
            return
        wanted = self._asked.pop(name, None) is not None
        if wanted or name in self._known:  # one that changes while we look is news, too
            self._missing.discard(name)
            self._known[name] = Parameter(name, value, message.param_type)

    def tick(self, t_ns: int, target: tuple[int, int]) -> None:
        """Asks for what is due at ``t_ns``."""
        for request in list(self._asked.values()):
            if t_ns < request.due_ns:
                continue
            if request.attempts >= _ASKED:
                del self._asked[request.name]
                self._missing.add(request.name)
            else:
                request.attempts += 1
                request.due_ns = t_ns + _WAIT_NS
                self._send(request.name, target)
        while self._waiting and len(self._asked) < _AT_ONCE:
            name = self._waiting.popleft()
            self._asked[name] = _Request(name, t_ns + _WAIT_NS)
            self._send(name, target)

    def _send(self, name: str, target: tuple[int, int]) -> None:
        self._put(mavlink.MAVLink_param_request_read_message(*target, name.encode("ascii"), _BY_NAME))


def _name(message: Any) -> str:
    name = message.param_id
    return (name.decode("ascii", "replace") if isinstance(name, bytes) else str(name)).rstrip("\0")
