"""What the daemon shows of itself from time to time, to whoever only watches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from runtime.values.answers import Fix
from runtime.values.navigation import Pose
from runtime.values.views import Frame


@dataclass(frozen=True, slots=True)
class Sighting:
    """A frame with the pose of its exposure, and the fix that it gave."""

    frame: Frame
    pose: Pose
    fix: Fix


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that is shown of one instant ``t_ns``; made for the one who is given it, and changed by nobody.

    ``status``: as `homing status --json` has it, with numbers that are not finite. ``frame``: the newest of the camera.
    ``matched``: the last frame that was recognised.
    """

    t_ns: int
    status: dict[str, Any]
    frame: Frame | None
    matched: Sighting | None
