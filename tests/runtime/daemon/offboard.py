"""The built-in autopilot behind PX4's manners, as PX4 1.18 showed them: OFFBOARD needs a stream, and misses it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from runtime.events import LinkBytes
from tests.runtime.daemon.cockpit import Cockpit

OFFBOARD, LOITER = 6 << 16, 4 << 16 | 3 << 24
LOSS_NS = 1_000_000_000  # COM_OF_LOSS_T
_TARGET = "SET_POSITION_TARGET_GLOBAL_INT"


class OffboardCockpit(Cockpit):
    """A `Cockpit` whose vehicle is a PX4 in Hold.

    Without targets for a second it leaves OFFBOARD for Hold, in failsafe; as soon as targets flow again it returns by
    itself, for that is still what the pilot wants. Both were observed.
    """

    def __init__(self, **more: Any) -> None:
        self._translator = mavlink.MAVLink(None, srcSystem=1, srcComponent=1)
        self._companion = mavlink.MAVLink(None, srcSystem=1, srcComponent=191)
        self.wanted, self.failsafe = LOITER, False
        self.streamed_ns: int | None = None
        self.targets = 0
        super().__init__(**more)

    @property
    def offboard(self) -> bool:
        """Whether it flies by targets."""
        return self.autopilot.mode == "GUIDED"

    def pilot_wants(self, mode: int) -> bool:
        """The pilot's switch; False where PX4 refuses."""
        if mode == OFFBOARD and not self._streaming():
            return False
        self.wanted, self.failsafe = mode, False
        self.autopilot.pilot_set_mode("GUIDED" if mode == OFFBOARD else "LOITER")
        return True

    def _streaming(self) -> bool:
        return self.streamed_ns is not None and self.t_ns - self.streamed_ns <= LOSS_NS

    def heard_after(self, elapsed_ns: int) -> bytes:
        if self.wanted == OFFBOARD and self._streaming() == self.failsafe:
            self.failsafe = not self.failsafe
            self.autopilot.pilot_set_mode("LOITER" if self.failsafe else "GUIDED")
        data = super().heard_after(elapsed_ns)
        messages = self._translator.parse_buffer(data) or []
        return b"".join(self._as_px4(message) for message in messages)

    def _as_px4(self, message: Any) -> bytes:
        kind = message.get_type()
        if kind == "HEARTBEAT":
            message.autopilot = mavlink.MAV_AUTOPILOT_PX4
            message.custom_mode = OFFBOARD if self.offboard else LOITER
            message.system_status = mavlink.MAV_STATE_CRITICAL if self.failsafe else message.system_status
        elif kind == "EKF_STATUS_REPORT":  # the flags are the same
            message = mavlink.MAVLink_estimator_status_message(0, message.flags, *[0.1] * 8)
        elif kind == "COMMAND_ACK" or not self.offboard or kind != "POSITION_TARGET_GLOBAL_INT":
            return bytes(message.get_msgbuf())
        else:
            return b""  # it falls silent in OFFBOARD
        return bytes(message.pack(self._translator))

    def _out(self, out: Sequence[LinkBytes]) -> None:
        for _, data in out:
            kept = b"".join(self._taken(message) for message in self._companion.parse_buffer(data) or [])
            self.wire += data
            if self.link_up:
                self.autopilot.receive(kept, 0)

    def _taken(self, message: Any) -> bytes:
        if message.get_type() == _TARGET:
            self.streamed_ns = self.t_ns
            self.targets += 1
            return bytes(message.get_msgbuf()) if self.offboard else b""
        asks = message.get_type() == "COMMAND_LONG" and message.command == mavlink.MAV_CMD_SET_MESSAGE_INTERVAL
        if asks and message.param1 == mavlink.MAVLINK_MSG_ID_ESTIMATOR_STATUS:
            message.param1 = float(mavlink.MAVLINK_MSG_ID_EKF_STATUS_REPORT)
            return bytes(message.pack(self._companion))
        return bytes(message.get_msgbuf())
