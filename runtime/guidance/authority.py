"""The latch: whether the pilot has granted us the vehicle.

Authority is granted by a *transition* into the guided mode that is seen while guidance is READY and the operator has
consented. Being in that mode already grants nothing. Anything that puts another will in command latches it off, and
takes the operator's consent with it: only a new consent and a fresh transition bring it back.
"""

from __future__ import annotations

from runtime.guidance.reasons import Reason


class Authority:
    """Latched off at start; see the module for what grants and what revokes."""

    def __init__(self) -> None:
        self._guided: bool | None = None  # the mode last seen; None: none seen since start, reboot or link loss
        self._consent = False
        self._granted = False
        self._given_up_for: Reason | None = None

    @property
    def granted(self) -> bool:
        """Whether setpoints may leave."""
        return self._granted

    @property
    def consent(self) -> bool:
        """Whether the operator has engaged and nothing has taken that back."""
        return self._consent

    @property
    def given_up_for(self) -> Reason | None:
        """Why authority or consent was last lost; None before and after a new consent."""
        return self._given_up_for

    def consented(self) -> None:
        """The operator engages: the next transition may grant. It changes nothing while granted."""
        self._consent = True
        self._given_up_for = None

    def mode_seen(self, guided: bool, ready: bool) -> None:
        """The autopilot reports its mode. ``ready``: guidance is READY, with a confirmed target."""
        if self._guided is False and guided and ready and self._consent:
            self._granted = True
        if self._granted and not guided:
            self.latch(Reason.MODE_CHANGED)
        self._guided = guided

    def mode_forgotten(self) -> None:
        """After a reboot or a lost link the mode next seen is a beginning, not a transition."""
        self._guided = None
        if self._granted:
            self.latch(Reason.LINK_LOST)

    def latch(self, cause: Reason) -> None:
        """Another will is in command, or we gave up: nothing leaves until consent and transition come anew."""
        if self._granted or self._consent:
            self._given_up_for = cause
        self._granted = False
        self._consent = False
