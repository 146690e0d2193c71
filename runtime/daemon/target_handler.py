"""Targets as the operator handles them: asked for, located in the history, shown, and confirmed by their id."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from runtime.errors import UsageError
from runtime.geodesy import distance_m
from runtime.place.target import Target, load
from runtime.values import Candidate, Coverage, Decision, GeoPoint, PlaceAnswer

SHOWN = 5  # candidates in an answer


class Places(Protocol):
    """The part of `Locator` that is needed here."""

    def locate(self, target: Target, *, any_heading: bool = False, top: int = 5) -> PlaceAnswer:
        """Ranked places, or an honest no."""
        ...


@dataclass(frozen=True, slots=True)
class PendingTarget:
    """What the operator was shown. ``place`` None: it cannot be confirmed, and ``answer.reason`` says why."""

    target_id: str
    name: str
    place: GeoPoint | None
    answer: PlaceAnswer

    def as_answer(self) -> dict[str, Any]:
        """The JSON-able object that the operator is answered with."""
        answer = self.answer
        return {
            "target_id": self.target_id,
            "target": self.name,
            "decision": answer.decision.value,
            "confirmable": self.place is not None,
            "probability": answer.probability,
            "place": None if answer.place is None else {**point(answer.place), "sigma_m": answer.sigma_m},
            "candidates": [_candidate(candidate) for candidate in answer.candidates],
            "reason": answer.reason,
        }


class TargetHandler:
    """Holds the one target that waits for a confirmation."""

    def __init__(
        self,
        places: Places,
        any_heading: bool,
        max_disagreement_m: float,
        coverage: Callable[[], Coverage | None] = lambda: None,
    ) -> None:
        """``coverage``: gives the ground that the history covers now."""
        self.coverage = coverage
        self._places = places
        self._any_heading = any_heading
        self._max_disagreement_m = max_disagreement_m
        self.pending: PendingTarget | None = None

    def placed(self, latitude_deg: float, longitude_deg: float) -> PendingTarget:
        """A target at a latitude and a longitude in degrees, accepted as the operator gives it.

        It waits for a confirmation once it is put into ``pending``.

        Raises:
            UsageError: there is no such place on earth.
        """
        if not (-90 <= latitude_deg <= 90 and -180 <= longitude_deg <= 180):
            raise UsageError(f"{latitude_deg:g},{longitude_deg:g} is not a latitude and a longitude in degrees.")
        place = GeoPoint(latitude_deg, longitude_deg)
        name = f"{latitude_deg:.7f},{longitude_deg:.7f}"
        answer = PlaceAnswer.given(place, "given by the operator")
        return _pending(name, name.encode(), answer)

    def located(self, path: Path, gsd_m: float | None) -> PendingTarget:
        """Locates an image in the history as it is now; changes nothing, so that it may be done aside.

        Raises:
            HomingError: the image cannot be read or used.
        """
        target = load(path, gsd_m)
        answer = self._places.locate(target, any_heading=self._any_heading, top=SHOWN)
        return _pending(str(path), target.image.tobytes(), self._checked(target, answer))

    def take(self, target_id: str | None) -> PendingTarget:
        """The target that waits for a confirmation; it goes on waiting until another takes its place.

        Raises:
            UsageError: none is pending, it is another one, or it cannot be confirmed.
        """
        pending = self.pending
        if pending is None:
            raise UsageError("no target waits for a confirmation; give one with `homing target`.")
        if target_id is not None and target_id != pending.target_id:
            raise UsageError(f"target {target_id} is not the one that waits; that is {pending.target_id}.")
        if pending.place is None:
            raise UsageError(f"target {pending.target_id} has no accepted place: {pending.answer.reason}.")
        return pending

    def _checked(self, target: Target, answer: PlaceAnswer) -> PlaceAnswer:
        """A GeoTIFF says where it was taken: a match elsewhere is shown, not flown."""
        if target.position is None or answer.decision is not Decision.MATCH or answer.place is None:
            return answer
        apart_m = distance_m(target.position, answer.place)
        if apart_m <= self._max_disagreement_m:
            return answer
        reason = f"the match lies {apart_m:.0f} m from the position that the image itself carries"
        return replace(answer, decision=Decision.NO_MATCH, place=None, reason=reason)


def _pending(name: str, content: bytes, answer: PlaceAnswer) -> PendingTarget:
    accepted = answer.place if answer.decision is Decision.MATCH else None
    digest = hashlib.sha256(content + repr(accepted).encode()).hexdigest()
    return PendingTarget(digest[:8], name, accepted, answer)


def point(place: GeoPoint) -> dict[str, float]:
    """A place as a JSON-able object: latitude and longitude in degrees."""
    return {"latitude_deg": place.latitude_deg, "longitude_deg": place.longitude_deg}


def _candidate(candidate: Candidate) -> dict[str, Any]:
    return {
        "keyframe": candidate.keyframe_id,
        **point(candidate.ground),
        "similarity": candidate.similarity,
        "probability": candidate.probability,
    }
