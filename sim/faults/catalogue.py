"""Every row of the matrix, in the order in which it is read."""

from __future__ import annotations

from sim.faults import at_start, camera, history, surroundings, wall_clock
from sim.faults.row import Fault

_ALL = {one.name: one for part in (camera, at_start, history, surroundings, wall_clock) for one in part.FAULTS}
_ORDER = (
    *(one.name for one in camera.FAULTS),
    "model_missing", "model_other", "model_nan", "model_slow",
    "history_empty", "history_elsewhere", "history_swapped", "history_large", "history_poisoned",
    "history_other_bundle", "history_read_only",
    "history_full_disk", "history_stalling_disk", "history_killed", "log_full_disk", "log_stalling_disk",
    "target_elsewhere", "processor_starved", "memory_short", "autopilot_lost", "daemon_restarted",
    "wall_clock", "gps_comes_and_goes",
)  # fmt: skip
FAULTS: dict[str, Fault] = {name: _ALL[name] for name in _ORDER}
