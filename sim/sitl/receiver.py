"""A vehicle's satellite receiver, played from its simulator's truth where the firmware takes its fixes by MAVLink."""

from __future__ import annotations

from dataclasses import replace

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from runtime.geodesy import offset
from sim.sitl.firmware import Firmware, Reception, TrueState

_SYSTEM, _COMPONENT = 1, mavlink.MAV_COMP_ID_GPS  # PX4 believes only a receiver that is part of it
_PERIOD_NS = 100_000_000  # of a receiver of today


class PlayedReceiver:
    """Says where the vehicle is, or is made to believe that it is, ten times a second; nothing where the firmware's
    simulator has a receiver of its own."""

    def __init__(self, firmware: Firmware) -> None:
        self.reception = Reception()
        self._firmware = firmware
        self._mavlink = mavlink.MAVLink(None, srcSystem=_SYSTEM, srcComponent=_COMPONENT)
        self._state: TrueState | None = None
        self._said_ns = self._due_ns = 0

    def learn(self, state: TrueState, t_ns: int) -> None:
        """The truth at ``t_ns``."""
        self._state, self._said_ns = state, t_ns

    def outgoing(self, t_ns: int) -> bytes:
        """Its next message, once that is due and the truth is known."""
        if self._state is None or t_ns < self._due_ns:
            return b""
        self._due_ns = t_ns + _PERIOD_NS
        fix = self._firmware.fix(_carried_on(self._state, (t_ns - self._said_ns) * 1e-9), self.reception)
        return b"" if fix is None else bytes(fix.pack(self._mavlink))


def _carried_on(state: TrueState, dt_s: float) -> TrueState:
    north, east, down = (v * dt_s for v in state.velocity_ned_m_s)
    place = offset(state.position, north, east)
    return replace(state, position=place, altitude_amsl_m=state.altitude_amsl_m - down)
