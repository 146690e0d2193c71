"""Daemons that are wrong on purpose: a referee that lets one of them pass is no referee."""

from __future__ import annotations

from runtime.guidance.authority import Authority
from runtime.guidance.reasons import Reason


class AuthorityWithoutLatch(Authority):
    """Takes the guided mode itself for a grant and lets nothing end it."""

    def mode_seen(self, guided: bool, ready: bool) -> None:
        """Guided is enough, transition or not."""
        super().mode_seen(guided, ready)
        self._granted = self._granted or (guided and self._consent)

    def latch(self, cause: Reason) -> None:
        """Ignored."""
