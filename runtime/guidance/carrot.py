"""The point ahead on the straight line to the next corner of the way, or to the target, that the aircraft is sent to.

ArduCopter's position targets never time out: a daemon that dies leaves the vehicle flying to its last one. So a target
lies at most 5 s ahead; and at least 1.5 stopping distances, so that the vehicle does not brake between two of them.
Corner and target themselves are sent only when they are nearer than that.
"""

from __future__ import annotations

import math

from runtime.geodesy import north_east_m, offset
from runtime.values import GeoPoint

MIN_STOPPING_DISTANCES = 1.5
MAX_LEAD_S = 5.0


def stopping_distance_m(speed_m_s: float, deceleration_m_s2: float) -> float:
    """How far the aircraft travels while it brakes to a stand."""
    return speed_m_s**2 / (2.0 * deceleration_m_s2)


def lead_m(speed_m_s: float, deceleration_m_s2: float, lead_s: float) -> float:
    """How far ahead a target lies at ``speed_m_s``: ``lead_s`` of flight, kept within the two bounds."""
    shortest = MIN_STOPPING_DISTANCES * stopping_distance_m(speed_m_s, deceleration_m_s2)
    return min(max(speed_m_s * lead_s, shortest), speed_m_s * MAX_LEAD_S)


def bounds_agree(speed_m_s: float, deceleration_m_s2: float) -> bool:
    """Whether 1.5 stopping distances fit into 5 s of flight at this speed."""
    shortest = MIN_STOPPING_DISTANCES * stopping_distance_m(speed_m_s, deceleration_m_s2)
    return shortest <= speed_m_s * MAX_LEAD_S


def carrot(here: GeoPoint, corner: GeoPoint, lead: float) -> GeoPoint:
    """The point ``lead`` metres from ``here`` towards ``corner``, or the corner where that is nearer."""
    north, east = north_east_m(here, corner)
    distance = math.hypot(north, east)
    if distance <= lead:
        return corner
    return offset(here, north * lead / distance, east * lead / distance)
