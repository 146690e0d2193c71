"""What does not change while the daemon runs, and what its words mean: told to a page once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from runtime.guidance.explained import EXPLAINED, PHASES, STATES
from runtime.guidance.reasons import WAITING_FOR_PILOT
from runtime.values import GeoPoint


@dataclass(frozen=True, slots=True)
class About:
    """``run``: names this run of the daemon; a page that finds another one starts anew. ``polygon``: the operator's."""

    run: str
    version: str
    history: str
    embedding_space_id: str
    log: str
    control: bool
    dry_run: bool
    polygon: Sequence[GeoPoint]
    max_distance_m: float | None
    consent_s: float

    def as_json(self) -> dict[str, Any]:
        """As a page is told it, with the words for states, phases and reasons."""
        return {
            "schema": 1,
            **asdict(self),
            "polygon": [[corner.latitude_deg, corner.longitude_deg] for corner in self.polygon],
            "states": {state.value: text for state, text in STATES.items()},
            "phases": {phase.value: text for phase, text in PHASES.items()},
            "waiting": sorted(reason.value for reason in WAITING_FOR_PILOT),
            "reasons": {
                reason.value: {"meaning": said.meaning, "remedy": said.remedy} for reason, said in EXPLAINED.items()
            },
        }
