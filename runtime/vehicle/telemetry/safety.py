"""The pilot's receiver and the geofence: what of them is known, from SYS_STATUS, RC_CHANNELS and FENCE_STATUS.

What the autopilots really send (recorded, and read in their sources):

- ArduPilot's SYS_STATUS has the geofence's *present* bit only where a fence can be; its *health* bit falls on a breach,
  also of a fence that only reports (*enabled* is then 0). FENCE_STATUS comes only while a fence is enabled. So silence
  and a missing bit mean that there is no fence.
- ArduCopter's RC receiver is *present* always; its *health* bit is 0 until a receiver was heard, and in its failsafe.
- PX4 has neither a geofence bit nor FENCE_STATUS: whether its fence is kept is unknown to a companion. Its RC receiver
  is *present* only while it is heard, and RC_CHANNELS goes on with the last values when it is lost.
"""

from __future__ import annotations

from typing import Any

from runtime.freshness import FENCE_STATUS
from runtime.mavlink.dialect import mavlink

_RECEIVER = mavlink.MAV_SYS_STATUS_SENSOR_RC_RECEIVER
_GEOFENCE = mavlink.MAV_SYS_STATUS_GEOFENCE


class SafetySignals:
    """Fed with the three messages; each answer is None while it is unknown.

    ``no_fence_without_bit``: this autopilot would say so if it had a fence.
    """

    def __init__(self, no_fence_without_bit: bool) -> None:
        self._no_fence_without_bit = no_fence_without_bit
        self._receiver_was_ok = False
        self._fence_by_status: bool | None = None  # breached, as SYS_STATUS has it
        self._fence_said: tuple[int, bool] | None = None  # (arrival, breached) of the newest FENCE_STATUS
        self.receiver_ok: bool | None = None

    @property
    def receiver_lost(self) -> bool:
        """It was heard, and is not any more. One that never was is unknown: there may be none."""
        return self._receiver_was_ok and self.receiver_ok is not True

    def sys_status(self, m: Any) -> None:
        """Takes SYS_STATUS."""
        present, health = m.onboard_control_sensors_present, m.onboard_control_sensors_health
        watched = present & m.onboard_control_sensors_enabled & _RECEIVER
        self.receiver_ok = bool(health & _RECEIVER) if watched else None
        self._receiver_was_ok = self._receiver_was_ok or self.receiver_ok is True
        if present & _GEOFENCE:
            self._fence_by_status = not health & _GEOFENCE
        else:
            self._fence_by_status = False if self._no_fence_without_bit else None

    def fence_status(self, m: Any, now_ns: int) -> None:
        """Takes FENCE_STATUS, which arrived at ``now_ns``."""
        self._fence_said = (now_ns, bool(m.breach_status))

    def fence_breached(self, now_ns: int) -> bool | None:
        """Whether the fence is breached; False also where there is none. A breach lasts until something denies it."""
        said = self._fence_said
        fresh = said is not None and now_ns - said[0] <= FENCE_STATUS.ns
        if said is not None and said[1] and (fresh or self._fence_by_status is None):
            return True
        if self._fence_by_status is not None:
            return self._fence_by_status
        return said[1] if said is not None and fresh else None
