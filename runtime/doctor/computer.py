"""The computer before a flight: what it is, how warm, in which power mode, and what its clock says."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import runtime
from runtime.doctor.finding import Finding
from runtime.machine import Machine, clock_synchronised, is_jetson, temperature_c

_WARM_C, _HOT_C = 75.0, 90.0  # a Jetson slows itself down from 97, a Raspberry Pi from 80 to 85
_FULL_POWER = "MAXN"  # what every Jetson calls the mode without a limit


def computer_findings(machine: Machine) -> Iterator[Finding]:
    """One for each of computer, GPU, power mode, temperature and clock."""
    yield Finding("computer", "ok", f"{machine.cpu}, {machine.cores} cores, {machine.system}")
    yield Finding("GPU", "ok", f"{machine.gpu or 'none in sight'}, driver {machine.driver}")
    yield of_power(machine.power_mode, is_jetson())
    yield of_temperature(temperature_c())
    yield of_clock(time.time(), _installed_s(), clock_synchronised())


def of_power(mode: str | None, jetson: bool) -> Finding:
    """A Jetson below full power computes at half its speed or less."""
    if mode is None:
        return Finding("power mode", "absent", "none known")
    if jetson and not mode.upper().startswith(_FULL_POWER):
        return Finding("power mode", "warning", mode, "sudo nvpmodel -m 0 gives it all, where the battery bears it")
    if mode == "governor powersave" and not jetson:
        return Finding("power mode", "note", mode, "where it computes too slowly: governor performance")
    return Finding("power mode", "ok", mode)


def of_temperature(degrees: float | None) -> Finding:
    """Of the hottest sensor."""
    if degrees is None:
        return Finding("temperature", "absent", "no sensor in sight")
    said = f"{degrees:.0f} °C"
    if degrees >= _HOT_C:
        return Finding("temperature", "wrong", said, "it slows itself down or stops in the air: give it air first")
    if degrees >= _WARM_C:
        return Finding("temperature", "warning", said, "before take-off already: it will slow itself down")
    return Finding("temperature", "ok", said)


def of_clock(now_s: float, installed_s: float, synchronised: bool | None) -> Finding:
    """The wall clock names logs and flights, and nothing is decided by it; so it never stands in the way."""
    said = f"{datetime.fromtimestamp(now_s, timezone.utc):%Y-%m-%d %H:%M:%S} UTC"
    if now_s < installed_s:
        told = "before Homing was installed: logs would be named, and given up, in the wrong order"
        return Finding("clock", "warning", f"{said}, {told}", "set it: sudo date -u -s, or a time source")
    if synchronised:
        return Finding("clock", "ok", f"{said}, held by a time source")
    unheld = "by no time source" if synchronised is False else "whether a time source holds it is not known"
    return Finding("clock", "note", f"{said}, {unheld}", "only names of logs rest on it")


def _installed_s() -> float:
    """When the files of this version were written."""
    return Path(runtime.__file__).stat().st_mtime
