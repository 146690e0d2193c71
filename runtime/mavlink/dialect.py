"""The one place that names the MAVLink dialect: ``ardupilotmega`` v2.0, whatever the environment says.

``MAVLINK20`` and ``MAVLINK_DIALECT`` only steer `pymavlink.mavutil`; importing the generated module directly makes
every packet of ours MAVLink 2 on every machine.
"""

from __future__ import annotations

from pymavlink.dialects.v20 import ardupilotmega as mavlink

ONBOARD_COMPUTER = mavlink.MAV_COMP_ID_ONBOARD_COMPUTER  # 191

__all__ = ["ONBOARD_COMPUTER", "mavlink"]
