"""An autopilot at hand that keeps parameters, in either encoding, with faults that a test turns on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from runtime.clock import Clock
from runtime.mavlink.byte_value import with_bytes
from runtime.mavlink.dialect import mavlink
from runtime.vehicle.parameters.encoding import decoded, encoded, wire_of
from tests.runtime.vehicle.peer import MS, Peer

INT8, INT32, REAL32 = 2, 6, 9
PX4 = mavlink.MAV_AUTOPILOT_PX4


@dataclass
class Keeper(Peer):
    """``store``: name -> [value, MAV_PARAM_TYPE]. ``stubborn``: names that keep what they have. ``hidden``: names
    that are not there while the parameter that they name is 0. ``errors``: says PARAM_ERROR of unknown names."""

    store: dict[str, list[float]] = field(default_factory=dict)
    stubborn: frozenset[str] = frozenset()
    hidden: dict[str, str] = field(default_factory=dict)
    errors: bool = False
    lost: int = 0  # of the next parameter messages that come
    arms_at: str = ""  # the parameter at whose setting somebody arms it
    asked: list[str] = field(default_factory=list)
    written: list[tuple[str, float]] = field(default_factory=list)

    @property
    def bytewise(self) -> bool:
        return self.autopilot == PX4

    def there(self, name: str) -> bool:
        return name in self.store and self.store.get(self.hidden.get(name, name), [1.0])[0] != 0 or (
            name in self.store and name not in self.hidden
        )

    def _answers(self, m: Any, t_ns: int) -> Iterator[bytes]:
        if not m.get_type().startswith("PARAM_"):
            yield from super()._answers(m, t_ns)
            return
        if self.lost:
            self.lost -= 1
            return
        name = m.param_id
        if m.get_type() == "PARAM_SET":
            self._write(name, m)
        else:
            self.asked.append(name)
        if self.there(name):
            yield self.voice.say(self.value(name))
        elif self.errors:
            error = mavlink.MAV_PARAM_ERROR_DOES_NOT_EXIST
            yield self.voice.say(mavlink.MAVLink_param_error_message(1, 191, name.encode(), -1, error))

    def _write(self, name: str, m: Any) -> None:
        if name == self.arms_at:
            self.armed = True
        if not self.there(name) or m.param_type != self.store[name][1]:
            return
        value = decoded(wire_of(bytes(m.get_msgbuf())), m.param_type, self.bytewise)
        assert value is not None
        self.written.append((name, value))
        if name not in self.stubborn:
            self.store[name][0] = value

    def value(self, name: str) -> Any:
        value, kind = self.store[name]
        message = mavlink.MAVLink_param_value_message(name.encode(), 0.0, int(kind), len(self.store), 0)
        return with_bytes(message, encoded(value, int(kind), self.bytewise))


@dataclass
class StepClock(Clock):
    """Time that passes when a line is waited for."""

    t_ns: int = 10_000_000_000

    def now_ns(self) -> int:
        return self.t_ns


class Line:
    """A line to a `Keeper`: every wait is 20 ms of both."""

    def __init__(self, peer: Keeper, clock: StepClock) -> None:
        self.peer, self._clock = peer, clock
        self._waiting = b""

    def wait(self, timeout_s: float) -> bool:
        self._clock.t_ns += 20 * MS
        self._waiting += self.peer.step(self._clock.t_ns)
        return True

    def read(self) -> list[tuple[bytes, int]]:
        data, self._waiting = self._waiting, b""
        return [(data, self._clock.t_ns)] if data else []

    def write(self, data: bytes) -> None:
        self._waiting += self.peer.hear(data, self._clock.t_ns)

    def counts(self) -> dict[str, int]:
        return {}

    def close(self) -> None:
        pass
