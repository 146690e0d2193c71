"""A vehicle made ready for a scenario: it tells the truth, and is set up to be fed."""

from __future__ import annotations

import time
from collections.abc import Mapping

from runtime.errors import UsageError
from sim.sitl.firmware import Stand
from sim.sitl.pilot import Pilot

_FIRST_WORD_S = 60.0
_AGAIN_S = 1.0
_REBOOT_S = 5.0
_SAME = 1e-4  # of a float that went over the wire as 32 bits


def set_up(pilot: Pilot, patience_s: float = _FIRST_WORD_S, again_s: float = _AGAIN_S) -> Stand:
    """Where the vehicle stands, set up for all flights of a scenario; it is rebooted where that needs a reboot.

    Raises:
        UsageError: nothing answers there as the simulator of this firmware does, it was started otherwise than it has
            to be, or the vehicle is in the air.
    """
    wanted, at_boot = pilot.firmware.set_up(), pilot.firmware.taken_at_boot()
    fixed = pilot.firmware.started_with()
    _until_set(pilot, {}, at_boot | fixed.keys(), patience_s, again_s)
    otherwise = [f"{name} {value:g}" for name, value in fixed.items() if not _same(pilot.parameters[name], value)]
    if otherwise:
        raise UsageError(f"the simulator of {pilot.firmware.name} there was not started with {', '.join(otherwise)}, "
                         "which it reads at its start alone; start it so, or give --launch.")  # fmt: skip
    before = {name: pilot.parameters[name] for name in at_boot}
    if pilot.armed:
        raise UsageError(f"the {pilot.firmware.name} there flies; a scenario begins on the ground.")
    _until_set(pilot, wanted, at_boot, patience_s, again_s)
    if any(not _same(before[name], wanted[name]) for name in at_boot):
        pilot.reboot()
        time.sleep(_REBOOT_S)
        _until_set(pilot, wanted, at_boot, patience_s, again_s)
    assert pilot.reference is not None
    return pilot.reference


def _until_set(
    pilot: Pilot, parameters: Mapping[str, float], read: frozenset[str], patience_s: float, again_s: float
) -> None:
    """Waits until the simulator tells the truth and the autopilot has said and taken these parameters."""
    end_s = time.monotonic() + patience_s
    pilot.parameters.clear()
    while True:
        pilot.ask_for_truth()
        for name in read:
            pilot.read_parameter(name)
        pilot.set_parameters(parameters)
        time.sleep(again_s)
        missing = [name for name, value in parameters.items() if not _same(pilot.parameters.get(name), value)]
        if pilot.reference is not None and read <= pilot.parameters.keys() and not missing:
            return
        if time.monotonic() > end_s:
            silent = pilot.reference is None or not missing
            what = "does not say where it is" if silent else f"does not take {', '.join(missing)}"
            raise UsageError(f"what is connected {what}; is it the simulator of {pilot.firmware.name}?")


def _same(said: float | None, wanted: float) -> bool:
    return said is not None and abs(said - wanted) <= _SAME * max(1.0, abs(wanted))
