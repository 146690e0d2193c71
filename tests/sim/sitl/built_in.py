"""The built-in autopilot in the place of a firmware, for tests of what surrounds one; exact, so its word is true."""

from __future__ import annotations

import math
from typing import Any

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from runtime.rotations import ned_from_euler
from runtime.values import GeoPoint
from sim.autopilot.autopilot import Autopilot
from sim.autopilot.config import AutopilotConfig
from sim.sitl.ardupilot import ArduCopter
from sim.sitl.firmware import TrueState

HOME = GeoPoint(-35.3632621, 149.1652374)


class TruthfulCopter(ArduCopter):
    """Its GLOBAL_POSITION_INT is what really is."""

    streams_hz = {mavlink.MAVLINK_MSG_ID_GLOBAL_POSITION_INT: 50.0}

    def true_state(self, message: Any) -> TrueState | None:
        if message.get_type() != "GLOBAL_POSITION_INT" or message.lat == 0:
            return None
        heading = math.radians(message.hdg / 100.0)
        velocity = (message.vx / 100.0, message.vy / 100.0, message.vz / 100.0)
        place = GeoPoint(message.lat * 1e-7, message.lon * 1e-7)
        return TrueState(place, message.alt / 1000.0, velocity, ned_from_euler(0.0, 0.0, heading), (0.0, 0.0, 0.0))


def exact_autopilot(**parameters: float) -> Autopilot:
    """Ready at boot, without a sensor's error."""
    exact: dict[str, Any] = {
        "gps_noise_m": 0.0, "attitude_bias_deg": 0.0, "heading_bias_deg": 0.0, "height_error": 0.0,
    }  # fmt: skip
    return Autopilot(AutopilotConfig(home=HOME, ready_at_boot=True, parameters=parameters, **exact))
