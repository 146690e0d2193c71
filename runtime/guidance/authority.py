"""The latch: which target the operator confirmed, whether he consented to it, and whether the pilot granted it.

Authority is granted by a *transition* into the guided mode that is seen while guidance is READY and the operator's
consent lasts. Being in that mode already grants nothing. Anything that puts another will in command latches it off.
Consent is the operator's word for one flight, so it ends with that flight, and with it the confirmation of the target:
whoever wants to fly again confirms the target again, engages again, and the pilot switches again.

| what happens | a confirmed target | consent to it | a running flight |
|---|---|---|---|
| the motors stop, the vehicle lands, the link is lost, the autopilot reboots | ends | ends | ends |
| the operator disengages | ends | ends | ends |
| another's target or companion or autopilot is seen | stays without consent | ends | ends |
| `consent_s` have passed since `engage` | ends | ends | goes on: it was granted in time and has its own rules |
| another target is confirmed | is replaced | ends | refused while it runs |
| the pilot leaves the guided mode, at most 3 s after `engage` was last said | ends | ends | ends |
| the pilot leaves the guided mode later, a condition fails in flight | – | – | ends |
| arrived, and confirmed or not confirmed by the live view | – | – | ends |
| the operator engages again | stays | lasts `consent_s` from now | is not changed |

Wherever consent or a flight ends, the confirmation that it rested on ends too.

The three seconds: a word that was on its way when the pilot took the vehicle was said of the flight before, by somebody
who could not know. Read in the other order, it would wait for the pilot's next switch. Whoever leaves the guided mode
later, to enter it again, may do so for the word's sake, and it stands.
"""

from __future__ import annotations

from runtime.freshness import WORD_BEFORE_TAKEOVER
from runtime.guidance.reasons import ENDS_CONFIRMATION, Reason
from runtime.values import GeoPoint


class Authority:
    """Latched off at start; see the module for what grants and what ends it."""

    def __init__(self) -> None:
        self._guided: bool | None = None  # the mode last seen; None: none seen since start, reboot or link loss
        self._target: GeoPoint | None = None
        self._consent = False
        self._consent_since_ns, self._consent_until_ns = 0, 0
        self._granted = False
        self._given_up_for: Reason | None = None

    @property
    def target(self) -> GeoPoint | None:
        """The confirmed target."""
        return self._target

    @property
    def granted(self) -> bool:
        """Whether setpoints may leave."""
        return self._granted

    @property
    def consent(self) -> bool:
        """Whether the operator has engaged and nothing has ended that."""
        return self._consent

    @property
    def given_up_for(self) -> Reason | None:
        """Why authority, consent or confirmation was last lost; None before and after a new consent."""
        return self._given_up_for

    def consent_left_ns(self, t_ns: int) -> int | None:
        """How much longer a transition into the guided mode would grant; None without consent, or once it granted."""
        if self.granted or not self._consent:
            return None
        return max(0, self._consent_until_ns - t_ns)

    def confirmed(self, target: GeoPoint) -> None:
        """The operator confirms a target; consent to another one ends."""
        if target != self._target:
            self.latch(Reason.TARGET_CHANGED)
        self._target = target

    def consented(self, t_ns: int, until_ns: int) -> None:
        """The operator engages: a transition before ``until_ns`` may grant. It changes nothing while granted."""
        self._consent, self._consent_since_ns, self._consent_until_ns = True, t_ns, until_ns
        self._given_up_for = None

    def time_passed(self, t_ns: int) -> None:
        """It is ``t_ns``: a consent that granted nothing in its time ends."""
        if self.consent_left_ns(t_ns) == 0:
            self.latch(Reason.CONSENT_EXPIRED)

    def mode_seen(self, t_ns: int, guided: bool, ready: bool) -> None:
        """The autopilot reports its mode. ``ready``: guidance is READY, with a confirmed target."""
        self.time_passed(t_ns)
        if self._guided is False and guided and ready and self._consent:
            self._granted = True
        if not guided and (self._granted or (self._guided and self._just_consented(t_ns))):
            self.latch(Reason.MODE_CHANGED)
        self._guided = guided

    def _just_consented(self, t_ns: int) -> bool:
        return self._consent and t_ns - self._consent_since_ns < WORD_BEFORE_TAKEOVER.ns

    def mode_forgotten(self) -> None:
        """After a reboot or a lost link the mode next seen is a beginning, not a transition."""
        known, self._guided = self._guided is not None, None
        if known:
            self.latch(Reason.LINK_LOST)

    def latch(self, cause: Reason) -> None:
        """Another will is in command, the flight is over, or we gave up: see the table for what ends."""
        stood = self._granted or self._consent
        if stood or (self._target is not None and cause in ENDS_CONFIRMATION):
            self._given_up_for = cause
            self._target = None
        self._granted = False
        self._consent = False
