"""One row of the matrix: what is broken and how, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sim.faults.workshop import Workshop


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the daemon did. ``commands``: targets that it sent while the fault lasted; ``forbidden``: those of them, and
    whatever else it commanded, that should not have been sent. ``noticed_s`` after the fault's begin and
    ``recovered_s`` after its end, None where there was nothing to notice, or nothing to recover from. ``said``: what
    the status page told meanwhile. ``failures``: what should have been otherwise."""

    did: str
    commands: int = 0
    forbidden: int = 0
    noticed_s: float | None = None
    recovered_s: float | None = None
    said: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fault:
    """``injected``: by what part, in words; ``play``: lets it happen. ``notice_within_s``: when it has to be noticed
    at the latest, None where that does not matter."""

    name: str
    what: str
    injected: str
    play: Callable[[Workshop], Outcome]
    notice_within_s: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A fault with its outcome."""

    name: str
    what: str
    injected: str
    notice_within_s: float | None
    outcome: Outcome

    @property
    def missed(self) -> tuple[str, ...]:
        """Everything that should not be so; empty where the row is in order."""
        found = list(self.outcome.failures)
        if self.outcome.forbidden:
            found.append(f"{self.outcome.forbidden} commands should not have been sent")
        limit_s, noticed_s = self.notice_within_s, self.outcome.noticed_s
        if limit_s is not None and noticed_s is None:
            found.append("it was not noticed")
        if limit_s is not None and noticed_s is not None and noticed_s >= limit_s:
            found.append(f"noticed after {noticed_s:.2f} s, not within {limit_s:g} s")
        return tuple(found)

    def as_json(self) -> dict[str, Any]:
        """One JSON-able object."""
        about = {"fault": self.name, "what": self.what, "injected": self.injected}
        return {**about, "notice_within_s": self.notice_within_s, **asdict(self.outcome), "missed": list(self.missed)}


def played(fault: Fault, workshop: Workshop) -> Row:
    """Lets a fault happen."""
    outcome = fault.play(workshop)
    said = tuple(one.replace(f"{workshop.folder}/", "") for one in outcome.said)
    return Row(fault.name, fault.what, fault.injected, fault.notice_within_s, replace(outcome, said=said))
