"""What comes of the questions: the features of the best place, and whether it is right; kept from run to run."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from runtime.cli.output import Progressing
from runtime.embedder.embedder import Embedder
from runtime.errors import StorageError
from runtime.geodesy import north_east_m
from runtime.history.history import History
from runtime.place.locator import Locator
from runtime.values import GeoPoint, ViewKind
from runtime.whole_file import write_whole
from sim.acceptance.map_site import MapSite
from sim.acceptance.questions import TARGET, Counts, Question
from sim.acceptance.survey_site import SurveySite

RIGHT_M = 15.0  # an accepted place further from the truth is wrong


@dataclass(frozen=True, slots=True)
class Pair:
    """Of views: what is asked, and what it is looked for in."""

    query: ViewKind
    gallery: ViewKind


PAIRS = {  # by the gallery, as a user knows it
    "drone": Pair(ViewKind.SATELLITE, ViewKind.DRONE),
    "map": Pair(ViewKind.DRONE, ViewKind.SATELLITE),
    "tiles": Pair(ViewKind.SATELLITE, ViewKind.SATELLITE),
}


@dataclass(frozen=True, slots=True)
class Answer:
    """The distinct places found for a question, the best first: the ``features`` of each, and how far the best is from
    the truth, None where there was no place at all; ``ground_sigma_m`` is what the keyframes of the history are sure of
    their ground to."""

    seed: int
    kind: str
    mode: str
    places: list[dict[str, float]]
    error_m: float | None
    ground_sigma_m: float

    @classmethod
    def nowhere(cls, seed: int, question: Question, ground_sigma_m: float) -> Answer:
        """No place at all."""
        return cls(seed, question.kind, question.mode, [], None, ground_sigma_m)

    @property
    def right(self) -> bool:
        """Whether the question has an answer and this is it."""
        return self.kind == TARGET and self.error_m is not None and self.error_m <= RIGHT_M


def answers_of(
    name: str, seed: int, folder: Path, embedder: Embedder, counts: Counts, progress: Progressing
) -> list[Answer]:
    """The answers to one seed's questions about a pair of views; from ``folder`` where they are there already.

    Raises:
        StorageError: the folder cannot be written, or holds something else.
    """
    kept = folder / f"{seed}.{name}.{embedder.bundle.embedding_space_id}.json"
    if kept.exists():
        return _read(kept)
    pair = PAIRS[name]
    site: SurveySite | MapSite
    if pair.gallery is ViewKind.DRONE:
        site = SurveySite(seed, folder, embedder, progress)
    else:
        site = MapSite(seed, folder, embedder, progress, pair.query)
    with History.open(site.history) as history, progress(f"{name} {seed}: asking", site.total(counts)) as steps:
        locator = Locator(history, embedder, view=pair.gallery, query=pair.query)
        sigma_m = float(np.median([one.ground_sigma_m for one in history.keyframes(crops=False)]))
        answers = []
        for question in site.questions(counts):
            answers.append(_answer(locator, question, site.world.origin, seed, sigma_m))
            steps.step()
    _write(kept, answers)
    return answers


def _answer(locator: Locator, question: Question, origin: GeoPoint, seed: int, sigma_m: float) -> Answer:
    found = locator.features(question.target, any_heading=not question.target.north_up)
    if found is None:
        return Answer.nowhere(seed, question, sigma_m)
    places, place = found
    north, east = north_east_m(origin, place)
    error_m = float(np.hypot(north - question.truth[0], east - question.truth[1]))
    return Answer(seed, question.kind, question.mode, list(places), error_m, sigma_m)


def _read(kept: Path) -> list[Answer]:
    try:
        return [Answer(**row) for row in json.loads(kept.read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError) as error:
        raise StorageError(f"{kept} holds no answers; remove it, and they are computed again.") from error


def _write(kept: Path, answers: list[Answer]) -> None:
    try:
        write_whole(kept, json.dumps([dataclasses.asdict(one) for one in answers]).encode())
    except StorageError as error:
        raise StorageError(f"{error} Give another folder with --out.") from error
