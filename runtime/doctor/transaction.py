"""Parameters set and taken back: never while armed, never before the old values are in a file, each one read back.

There is no other place in Homing that sets a parameter.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from runtime.doctor.autopilot import Direct
from runtime.doctor.saved import Change, SavedParameters
from runtime.errors import VehicleError
from runtime.mavlink.byte_value import with_bytes
from runtime.mavlink.dialect import ONBOARD_COMPUTER, mavlink
from runtime.mavlink.framing import PacketWriter
from runtime.vehicle.parameters.encoding import encoded
from runtime.vehicle.parameters.reading import Parameter
from runtime.vehicle.roster import stack_named

_WAIT_NS = 1_500_000_000  # until what was set is read back
_ATTEMPTS = 4
_SINGLE = 1e-6  # relative, of float32


@dataclass(frozen=True, slots=True)
class Wish:
    """A parameter as it is, and what it is to be."""

    parameter: Parameter
    value: float
    reboot: bool = False


class Transaction:
    """Sets parameters of the vehicle that was looked at; what they were is kept in ``saved`` first."""

    def __init__(self, autopilot: Direct, saved: SavedParameters | None) -> None:
        self._autopilot, self._saved = autopilot, saved
        self._writer = PacketWriter(ONBOARD_COMPUTER)
        self.done: list[Change] = []

    def set(self, wishes: Iterable[Wish]) -> None:
        """Sets each in order, and ends at the first that does not take.

        Raises:
            VehicleError: the vehicle is armed, or a parameter is not what it was set to; names it.
            StorageError: the old values cannot be kept; nothing was set.
        """
        changes = [Change(w.parameter.name, w.parameter.value, w.value, w.parameter.kind, w.reboot) for w in wishes]
        self._check()
        if self._saved is not None:
            self._saved.keep(changes)
        for change in changes:
            self._check()
            self._set(change)
            self.done.append(change)

    def _check(self) -> None:
        refusal = self._autopilot.refusal()
        if refusal is not None:
            raise VehicleError(f"no parameter is set: {refusal}.{self._undo()}")

    def _set(self, change: Change) -> None:
        packet = self._packed(change)
        for _ in range(_ATTEMPTS):
            self._autopilot.read_again(change.name)  # it is asked for after it was set: what comes is of afterwards
            self._autopilot.turn(packet)
            until_ns = self._autopilot.now_ns() + _WAIT_NS
            while self._autopilot.now_ns() < until_ns:
                known = self._autopilot.parameters().known.get(change.name)
                if known is not None and _same(known.value, change.new):
                    return
                self._autopilot.turn()
        raise VehicleError(f"{change.name} does not become {change.new:g}: the autopilot keeps another.{self._undo()}")

    def _packed(self, change: Change) -> bytes:
        state = self._autopilot.state
        assert state.system_id is not None and state.component_id is not None and state.stack is not None
        try:
            wire = encoded(change.new, change.kind, stack_named(state.stack).bytewise_parameters)
        except ValueError as error:
            raise VehicleError(f"{change.name} cannot be set: {error}.{self._undo()}") from None
        self._writer.system_id = state.system_id
        target = state.system_id, state.component_id
        message = mavlink.MAVLink_param_set_message(*target, change.name.encode("ascii"), 0.0, change.kind)
        self._writer.put(with_bytes(message, wire))
        return b"".join(self._writer.take())

    def _undo(self) -> str:
        if not self.done or self._saved is None:
            return ""
        names = ", ".join(change.name for change in self.done)
        return f" Set before that: {names}; `--restore {self._saved.path}` undoes it."


def _same(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=_SINGLE, abs_tol=1e-9)
