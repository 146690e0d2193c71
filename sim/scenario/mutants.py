"""Daemons that are wrong on purpose: a judge or a referee that lets one of them pass is none."""

from __future__ import annotations

from runtime.freshness import WORD_BEFORE_TAKEOVER
from runtime.guidance.authority import Authority
from runtime.guidance.reasons import ENDS_CONFIRMATION, Reason


class AuthorityWithoutLatch(Authority):
    """Takes the guided mode itself for a grant and lets nothing end it."""

    @property
    def granted(self) -> bool:
        """Consent and being guided are enough, transition or not."""
        return self._granted or bool(self._guided and self._consent)

    def latch(self, cause: Reason) -> None:
        """Ignored."""


class ConsentWithoutTimeLimit(Authority):
    """Engaged once is engaged for ever."""

    def time_passed(self, t_ns: int) -> None:
        """Ignored."""


class ConsentForLaterFlights(Authority):
    """Landing, disarming, a lost link or a reboot end a running flight, and nothing that was said for it."""

    def latch(self, cause: Reason) -> None:
        """Ignored before authority, where the next flight begins."""
        if self._granted or cause not in ENDS_CONFIRMATION:
            super().latch(cause)


class ConsentForSeveralFlights(Authority):
    """A flight that ended, by arriving or by the pilot's hand, leaves consent and target as they were."""

    def latch(self, cause: Reason) -> None:
        """Takes the vehicle back from a flight, and no more."""
        if self._granted:
            self._granted = False
        else:
            super().latch(cause)


class ConfirmationWithoutEnd(Authority):
    """A target that was confirmed once may be engaged for again and again."""

    def latch(self, cause: Reason) -> None:
        """Ends all but the confirmation."""
        target = self._target
        super().latch(cause)
        self._target = target


class WordsThatOutliveATakeover(Authority):
    """What the operator said just before the pilot left the guided mode waits for the next switch."""

    def consented(self, t_ns: int, until_ns: int) -> None:
        """As if it had been said long ago."""
        super().consented(t_ns - WORD_BEFORE_TAKEOVER.ns, until_ns)


CONSENT_MUTANTS: tuple[type[Authority], ...] = (
    ConsentWithoutTimeLimit,
    ConsentForLaterFlights,
    ConsentForSeveralFlights,
    ConfirmationWithoutEnd,
    WordsThatOutliveATakeover,
)
"""One for each rule of how consent ends."""
