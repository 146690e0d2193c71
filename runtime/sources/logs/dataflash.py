"""ArduPilot's dataflash log (.BIN, or .log as text): the reports of all its generations over the vehicle's clock.

Newer ones stamp with ``TimeUS``; ArduCopter 3.1 and 3.2 with ``TimeMS``, which in their GPS message is the receiver's
time of the week, its boot time being ``T``.
"""

from __future__ import annotations

import math
from pathlib import Path

from runtime.errors import TelemetryError
from runtime.reports import values
from runtime.reports.flags import DataflashFlags, estimator_ok, gps_glitch
from runtime.reports.values import Estimator, Fused, Receiver
from runtime.sources.logs.boots import LEAST_S, Boots, Dated, Level, Report, Simulated
from runtime.sources.logs.choice import LONGEST, Asked, Judge, chosen
from runtime.sources.logs.dataflash_file import DataflashFile, Message
from runtime.sources.logs.flight import flight_of
from runtime.sources.logs.source_sets import SourceSets
from runtime.sources.track import Track

_RECEIVERS = {"GPS": 0, "GPS2": 1, "GPA": 0, "GPA2": 1}  # before instances had a field of their own
_ESTIMATORS = {"EKF4": 0, "NKF4": 0, "NKF9": 1, "XKF4": 0, "XKF9": 1}  # and cores
_ESTIMATOR_TYPES = {1.0: "E", 2.0: "N", 3.0: "X"}  # AHRS_EKF_TYPE: whose positions POS holds
_WANTED = frozenset(("POS", "ATT", "RFND", "BARO", "PARM", "XKFS", *_RECEIVERS, *_ESTIMATORS))
_NONE = "none of them"  # POS is by DCM, or from outside
_GOOD = 4  # RangeFinder::Status
_DOWN = 25  # ROTATION_PITCH_270
_FARTHEST_M = 1000.0  # no range finder measures farther
_FARTHEST = ("RNGFND_MAX_CM", "RNGFND1_MAX_CM")  # its own limit, which it repeats beyond; before there was a status
_ACCURACY_S = 1.0  # for which a receiver's accuracy stands; it is logged with each of its positions


def read_dataflash(path: Path, asked: Asked = LONGEST, judge: Judge = flight_of) -> tuple[Track, list[str]]:
    """ArduPilot's positions that are to be believed, its attitudes and heights, over its own boot time; and sentences
    on what else the log holds, and what of it is damaged.

    Raises:
        TelemetryError: it cannot be read, is too old, holds no such boot, or no positions that are to be believed.
    """
    file, vehicle = DataflashFile(path, _WANTED if judge is flight_of else _WANTED | {"SIM"}), _Vehicle()
    for message in file:
        vehicle.take(message)
    if not vehicle.timed and vehicle.untimed:
        raise TelemetryError(
            f"{path}: its records carry no boot time; logs of ArduCopter before 3.1 and PX4's sdlog2 are not read."
        )
    flight, notes = chosen(str(path), {None: vehicle.boots}, asked, judge)
    if file.damaged_bytes:
        notes.append(f"{path}: damaged ({file.damaged_bytes} bytes); what lies before and after is used.")
    return flight.track(str(path), "bin"), [*notes, *flight.notes(str(path))]


class _Vehicle:
    """Takes the messages in their order."""

    def __init__(self) -> None:
        self.boots = Boots()
        self.timed = self.untimed = 0
        self._sources = SourceSets()
        self._set_used: float | None = None
        self._turned_s = -math.inf
        self._farthest_m = _FARTHEST_M
        self._estimator_type = ""
        self._accuracies: dict[int, tuple[float, float | None, float | None]] = {}

    def take(self, m: Message) -> None:
        """One message."""
        name = m.name
        if name == "PARM":
            self._parameter(m)
            return
        t_s = _time_s(m, name)
        self.timed, self.untimed = self.timed + (t_s is not None), self.untimed + (t_s is None)
        if t_s is None:
            if name in ("GPS", "GPS2"):  # of ArduCopter 3.1: between two messages that say when
                self.boots.add_now(self._receiver(m, name, -math.inf))
            return
        if name == "ATT" and 0.0 <= t_s - self._turned_s < LEAST_S:  # as `Boot` leaves it out, before it is decoded
            return
        if name == "XKFS":
            self._source_set(m, t_s)
        elif name in ("GPA", "GPA2"):
            self._accuracies[_instance(m, name)] = t_s, _sigma_m(m, "HAcc"), _sigma_m(m, "VAcc")
        else:
            report = self._report(m, name, t_s)
            if isinstance(report, values.Attitude):
                self._turned_s = t_s
            if report is not None:
                self.boots.add(t_s, report)
            if isinstance(report, Receiver) and report.fixed and (utc_s := _utc_s(m)) is not None:
                self.boots.add_now(Dated(utc_s), t_s)

    def _parameter(self, m: Message) -> None:
        parameter, value = m.text("Name"), m.number("Value")
        if value is None:
            return
        if parameter in _FARTHEST:
            self._farthest_m = min(_FARTHEST_M, value * 1e-2)
        if parameter == "AHRS_EKF_TYPE":
            self._estimator_type = _ESTIMATOR_TYPES.get(value, _NONE)
        for change in self._sources.parameter(parameter, value):
            self.boots.add_now(change)

    def _source_set(self, m: Message, t_s: float) -> None:
        used = m.number("SS")
        if used is None or used == self._set_used or m.number("C") not in (None, 0.0):
            return
        self._set_used = used
        for change in self._sources.used(int(used) + 1):
            self.boots.add(t_s, change)

    def _report(self, m: Message, name: str, t_s: float) -> Report | None:
        if name == "POS":
            return _position(m)
        if name == "SIM":
            there = values.geo_point(m.nan("Lat"), m.nan("Lng"))
            return None if there is None else Simulated(there)
        if name == "ATT":
            roll, pitch, yaw = (math.radians(m.nan(field)) for field in ("Roll", "Pitch", "Yaw"))
            return values.attitude((roll, pitch, yaw))
        if name in _ESTIMATORS:
            return self._estimator(m, name)
        if name == "RFND":
            return _ground(m, self._farthest_m)
        if name == "BARO":
            height_m = values.height_m(m.nan("Alt"))
            return Level(height_m) if height_m is not None and not m.number("I") else None
        return self._receiver(m, name, t_s)

    def _receiver(self, m: Message, name: str, t_s: float) -> Report:
        instance = _instance(m, name)
        at_s, horizontal_m, vertical_m = self._accuracies.get(instance, (-math.inf, None, None))
        fresh = abs(t_s - at_s) <= _ACCURACY_S
        return Receiver(
            int(m.number("Status") or 0),
            int(m.number("NSats") or 0),
            values.geo_point(m.nan("Lat"), m.nan("Lng")),
            values.altitude_m(m.nan("Alt")),
            horizontal_m if fresh else None,
            vertical_m if fresh else None,
            instance,
            values.height_m(m.nan("RelAlt")),
        )

    def _estimator(self, m: Message, name: str) -> Report | None:
        """Of the core that POS is from: the primary one of the estimator that is used."""
        core, primary, flags = m.number("C"), m.number("PI"), m.number("SS")
        core = _ESTIMATORS[name] if core is None else core
        if flags is None or flags < 0 or not name.startswith(self._estimator_type):
            return None
        if primary is not None and primary >= 0 and primary != core:
            return None
        if primary is None and core:
            return None
        word = int(flags)
        return Estimator(word, estimator_ok(DataflashFlags, word), gps_glitch(DataflashFlags, word))


def _time_s(m: Message, name: str) -> float | None:
    """The vehicle's clock; None where the message has none."""
    us = m.number("TimeUS")
    if us is not None:
        return us * 1e-6
    ms = m.number("T" if name in _RECEIVERS else "TimeMS")
    return None if ms is None else ms * 1e-3


def _utc_s(m: Message) -> float | None:
    """Of a receiver's position; the older messages call the milliseconds of the week otherwise."""
    week, ms = m.number("GWk"), m.number("GMS")
    if week is None or ms is None:
        week, ms = m.number("Week"), m.number("TimeMS")
    return None if week is None or ms is None else values.utc_of_week_s(week, ms * 1e-3)


def _position(m: Message) -> Fused:
    above_home_m = m.number("RelHomeAlt")
    return Fused(
        values.geo_point(m.nan("Lat"), m.nan("Lng")),
        values.altitude_m(m.nan("Alt")),
        values.height_m(m.nan("RelAlt") if above_home_m is None else above_home_m),
    )


def _ground(m: Message, farthest_m: float) -> Report | None:
    """The downward range finder: of one message each, or of the older pair in one."""
    range_m, status = m.number("Dist"), m.number("Stat")
    if range_m is None:
        for number in ("1", "2"):
            if m.number(f"Orient{number}") == _DOWN:
                return values.ground(m.nan(f"Dist{number}"), 0.0, farthest_m)
        return None
    if m.number("Orient") != _DOWN or status not in (None, _GOOD):
        return None
    return values.ground(range_m, 0.0, _FARTHEST_M)


def _instance(m: Message, name: str) -> int:
    own = m.number("I")
    return _RECEIVERS[name] if own is None else int(own)


def _sigma_m(m: Message, field: str) -> float | None:
    return values.sigma_m(m.nan(field))
