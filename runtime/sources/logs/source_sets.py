"""By what an ArduPilot knows its position: its parameters and the command that switches between its sets of sources."""

from __future__ import annotations

import math
import re

from runtime.sources.logs.boots import Fed, Report, Sourced

_SET_SOURCE = 42007  # MAV_CMD_SET_EKF_SOURCE_SET; parameter 1 is the set, from 1
_POSITION = re.compile(r"EK3_SRC([123])_POSXY")
_BY_GPS = 3
_RECEIVERS = {"GPS_TYPE": 0, "GPS1_TYPE": 0, "GPS_TYPE2": 1, "GPS2_TYPE": 1}
_BY_MAVLINK = 14  # a receiver whose answers are GPS_INPUT


class SourceSets:
    """Takes parameters and commands in their order; gives what changed. Set 1 is by GPS unless it says otherwise; a
    switch to a set that the log says nothing of is one away from GPS."""

    def __init__(self) -> None:
        self._by_gps = {1: True}
        self._used = 1

    def parameter(self, name: str, value: float) -> list[Report]:
        """A parameter as the autopilot reports it."""
        if name in _RECEIVERS and value == _BY_MAVLINK:
            return [Fed(_RECEIVERS[name], always=True)]
        match = _POSITION.fullmatch(name)
        if match is None:
            return []
        number = int(match[1])
        self._by_gps[number] = value == _BY_GPS
        return [self._now()] if number == self._used else []

    def commanded(self, command: int, value: float) -> list[Report]:
        """A command to the autopilot."""
        if command != _SET_SOURCE or not math.isfinite(value):
            return []
        return self.used(int(value))

    def used(self, number: int) -> list[Report]:
        """The set that is used from now on."""
        self._used = number
        return [self._now()]

    def _now(self) -> Report:
        return Sourced(self._by_gps.get(self._used, False))
