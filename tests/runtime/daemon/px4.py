"""The built-in autopilot behind PX4's manners, as PX4 1.18 showed them: its modes, its messages, Hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from runtime.events import LinkBytes
from tests.runtime.daemon.cockpit import Cockpit

AUTO = 4 << 16
OFFBOARD, HOLD, POSCTL = 6 << 16, AUTO | 3 << 24, 3 << 16


class Px4Cockpit(Cockpit):
    """A `Cockpit` whose vehicle is a PX4. ``modes``: its own for those of the built-in autopilot."""

    modes: Mapping[str, int]
    failsafe = False

    def __init__(self, **more: Any) -> None:
        self._translator = mavlink.MAVLink(None, srcSystem=1, srcComponent=1)
        self._companion = mavlink.MAVLink(None, srcSystem=1, srcComponent=191)
        super().__init__(**more)

    def heard_after(self, elapsed_ns: int) -> bytes:
        messages = self._translator.parse_buffer(super().heard_after(elapsed_ns)) or []
        return b"".join(self._as_px4(message) for message in messages)

    def _as_px4(self, message: Any) -> bytes:
        kind = message.get_type()
        if kind == "HEARTBEAT":
            message.autopilot = mavlink.MAV_AUTOPILOT_PX4
            message.custom_mode = self.modes[self.autopilot.mode]
            message.system_status = mavlink.MAV_STATE_CRITICAL if self.failsafe else message.system_status
        elif kind == "EKF_STATUS_REPORT":  # the flags are the same
            message = mavlink.MAVLink_estimator_status_message(0, message.flags, *[0.1] * 8)
        else:
            return bytes(message.get_msgbuf())
        return bytes(message.pack(self._translator))

    def _out(self, out: Sequence[LinkBytes]) -> None:
        for _, data in out:
            kept = b"".join(self._taken(message) for message in self._companion.parse_buffer(data) or [])
            self.wire += data
            if self.link_up:
                self.autopilot.receive(kept, 0)

    def _taken(self, message: Any) -> bytes:
        """A message of the daemon's as the built-in autopilot takes it."""
        asks = message.get_type() == "COMMAND_LONG" and message.command == mavlink.MAV_CMD_SET_MESSAGE_INTERVAL
        if asks and message.param1 == mavlink.MAVLINK_MSG_ID_ESTIMATOR_STATUS:
            message.param1 = float(mavlink.MAVLINK_MSG_ID_EKF_STATUS_REPORT)
            return bytes(message.pack(self._companion))
        return bytes(message.get_msgbuf())


class HoldCockpit(Px4Cockpit):
    """It is guided in Hold by one reposition for each target; the pilot waits in Position, flown by hand."""

    px4_hold = True
    modes = {
        "GUIDED": HOLD, "LOITER": POSCTL, "ALT_HOLD": 2 << 16, "STABILIZE": 7 << 16,
        "AUTO": AUTO | 4 << 24, "RTL": AUTO | 5 << 24, "LAND": AUTO | 6 << 24,
    }  # fmt: skip
