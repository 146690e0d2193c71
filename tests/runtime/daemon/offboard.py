"""A PX4 in OFFBOARD, as PX4 1.18 showed it: it needs a stream of targets, and misses it."""

from __future__ import annotations

from typing import Any

from tests.runtime.daemon.px4 import HOLD, OFFBOARD, Px4Cockpit

LOITER = HOLD
LOSS_NS = 1_000_000_000  # COM_OF_LOSS_T
_TARGET = "SET_POSITION_TARGET_GLOBAL_INT"


class OffboardCockpit(Px4Cockpit):
    """A `Cockpit` whose vehicle is a PX4 in Hold.

    Without targets for a second it leaves OFFBOARD for Hold, in failsafe; as soon as targets flow again it returns by
    itself, for that is still what the pilot wants. Both were observed.
    """

    modes = {"GUIDED": OFFBOARD, "LOITER": HOLD}

    def __init__(self, **more: Any) -> None:
        self.wanted, self.failsafe = LOITER, False
        self.streamed_ns: int | None = None
        self.targets = 0
        super().__init__(**more)

    @property
    def offboard(self) -> bool:
        """Whether it flies by targets."""
        return self.autopilot.mode == "GUIDED"

    def pilot_wants(self, mode: int) -> bool:
        """The pilot's switch; False where PX4 refuses."""
        if mode == OFFBOARD and not self._streaming():
            return False
        self.wanted, self.failsafe = mode, False
        self.autopilot.pilot_set_mode("GUIDED" if mode == OFFBOARD else "LOITER")
        return True

    def _streaming(self) -> bool:
        return self.streamed_ns is not None and self.t_ns - self.streamed_ns <= LOSS_NS

    def heard_after(self, elapsed_ns: int) -> bytes:
        if self.wanted == OFFBOARD and self._streaming() == self.failsafe:
            self.failsafe = not self.failsafe
            self.autopilot.pilot_set_mode("LOITER" if self.failsafe else "GUIDED")
        return super().heard_after(elapsed_ns)

    def _as_px4(self, message: Any) -> bytes:
        silent = self.offboard and message.get_type() == "POSITION_TARGET_GLOBAL_INT"  # it falls silent in OFFBOARD
        return b"" if silent else super()._as_px4(message)

    def _taken(self, message: Any) -> bytes:
        if message.get_type() == _TARGET:
            self.streamed_ns = self.t_ns
            self.targets += 1
            return super()._taken(message) if self.offboard else b""
        return super()._taken(message)
