"""Daemons that are wrong on purpose: a referee that lets one of them pass is no referee."""

from __future__ import annotations

from runtime.guidance.authority import Authority
from runtime.guidance.reasons import Reason


class AuthorityWithoutLatch(Authority):
    """Takes the guided mode itself for a grant and lets nothing end it."""

    @property
    def granted(self) -> bool:
        """Consent and being guided are enough, transition or not."""
        return self._granted or bool(self._guided and self._consent)

    def latch(self, cause: Reason) -> None:
        """Ignored."""
