"""What the daemon does for the estimate: the vehicle's telemetry into navigation, and every change of its mind told."""

from __future__ import annotations

import logging
from collections import Counter

from runtime.daemon.records import estimate_record, navigation_record
from runtime.daemon.rooms import Rooms
from runtime.localizer.gps_watch import GpsAlarm
from runtime.localizer.navigation import GpsStanding
from runtime.values import Estimate, PositionSource

_LOG = logging.getLogger(__name__)
_CRITICAL, _WARNING, _NOTICE = 2, 4, 5  # MAV_SEVERITY
_ESTIMATE_EVERY_NS = 200_000_000  # 5 Hz draw a smooth track


class Whereabouts:
    """Gives the estimate that is flown, once a tick."""

    def __init__(self, rooms: Rooms, counts: Counter[str]) -> None:
        self._rooms = rooms
        self._counts = counts
        self._gps_t_ns: int | None = None
        self._logged: tuple[PositionSource, GpsStanding] | None = None
        self._due_ns = 0

    def estimate(self, t_ns: int) -> Estimate:
        """The estimate at ``t_ns``, with what has been heard since the last call taken in."""
        self._listen(t_ns)
        estimate = self._rooms.navigation.estimate(t_ns)
        if t_ns >= self._due_ns:
            self._due_ns = t_ns + _ESTIMATE_EVERY_NS
            self._rooms.journal.write(t_ns, estimate_record(estimate, t_ns))
        self._tell(t_ns, estimate)
        return estimate

    def _listen(self, t_ns: int) -> None:
        vehicle, navigation = self._rooms.vehicle, self._rooms.navigation
        state = vehicle.poses.latest()
        if state is not None:
            navigation.on_nav(state)
        gps = vehicle.telemetry.gps
        if gps is None or gps.t_ns == self._gps_t_ns or self._rooms.injection.echoing_receiver:
            return
        self._gps_t_ns = gps.t_ns
        alarm = navigation.on_gps(gps.t_ns, gps.position)
        if alarm is not None:
            self._alarm(t_ns, alarm)

    def _alarm(self, t_ns: int, alarm: GpsAlarm) -> None:
        self._counts["gps_alarms"] += 1
        _LOG.warning("GPS is doubted: %s", alarm.reason)
        self._rooms.vehicle.statustext(f"Homing: GPS doubted, {alarm.offset_m:.0f} m off", _CRITICAL, t_ns)

    def _tell(self, t_ns: int, estimate: Estimate) -> None:
        """The log's record of whose word is flown and of what is thought of GPS, where either has changed."""
        navigation = self._rooms.navigation
        now = estimate.source, navigation.gps
        if now == self._logged:
            return
        before, self._logged = self._logged, now
        self._rooms.journal.write(t_ns, navigation_record(estimate, navigation.gps, navigation.alarm))
        if before is None:
            return
        _LOG.info("flown on the %s's position; GPS is %s", now[0].value, now[1].value)
        if now[1] is GpsStanding.LOST and before[1] is not GpsStanding.LOST:
            self._rooms.vehicle.statustext("Homing: GPS lost", _WARNING, t_ns)
        if now[0] is not before[0]:
            by = "camera" if now[0] is PositionSource.VISION else "autopilot"
            self._rooms.vehicle.statustext(f"Homing: position by {by}", _NOTICE, t_ns)
