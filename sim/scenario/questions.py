"""What the simulated operator asks: satellite crops as plain pictures of known scale, and how good the answers are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from runtime.geodesy import north_east_m
from runtime.values import GeoPoint, ImageRGB
from sim.satellite import satellite_crop
from sim.scenario.aircraft import Answer, Flight
from sim.scenario.plan import TARGET_SIDE_M, Point, ScenarioPlan
from sim.world.world import AnyWorld

TARGET_SIZE_PX = 300
TARGET_GSD_M = TARGET_SIDE_M / TARGET_SIZE_PX


@dataclass(frozen=True, slots=True)
class Question:
    """A picture with what only the simulator knows of it: the ground point at its centre, and whether it was flown."""

    name: str
    path: Path
    truth: Point
    flown: bool


@dataclass(frozen=True, slots=True)
class Reply:
    """The daemon's answer to a question, judged: ``error_m`` is None where nothing was accepted."""

    question: Question
    answer: Answer
    place: Point | None
    error_m: float | None

    @classmethod
    def declined(cls, question: Question, answer: Answer) -> Reply:
        """Nothing was accepted."""
        return cls(question, answer, None, None)

    @property
    def accepted(self) -> bool:
        """Whether the daemon would fly there once the operator confirms."""
        return self.place is not None


def write_questions(world: AnyWorld, plan: ScenarioPlan, folder: Path) -> list[Question]:
    """Cut the crops and write them as PNG files that carry no position."""
    folder.mkdir(parents=True, exist_ok=True)
    questions = []
    for kind, centres in (("target", plan.targets), ("outside", plan.outside)):
        for number, centre in enumerate(centres, start=1):
            path = folder / f"{kind}_{number:02d}.png"
            crop = satellite_crop(world, centre, TARGET_SIDE_M, TARGET_SIZE_PX)
            cv2.imwrite(str(path), np.ascontiguousarray(crop[..., ::-1]))
            # The satellite image's georeference is off; what the crop shows at its centre is this much elsewhere.
            truth = (centre[0] + world.registration_ne_m[0], centre[1] + world.registration_ne_m[1])
            questions.append(Question(path.stem, path, truth, kind == "target"))
    return questions


def read_picture(question: Question) -> ImageRGB:
    """The crop, (S, S, 3) uint8 RGB."""
    image = cv2.imread(str(question.path), cv2.IMREAD_COLOR)
    assert image is not None
    return np.asarray(image[..., ::-1], dtype=np.uint8)


def ask_where(flight: Flight, question: Question, origin: GeoPoint) -> Reply:
    """Ask the daemon for a target and judge the answer."""
    request: dict[str, Any] = {"command": "target", "image": str(question.path), "target_gsd_m": TARGET_GSD_M}
    answer = flight.ask(request)
    found = answer.get("place")
    if answer.get("decision") != "match" or found is None:
        return Reply.declined(question, answer)
    place = north_east_m(origin, GeoPoint(found["latitude_deg"], found["longitude_deg"]))
    return Reply(question, answer, place, math.dist(place, question.truth))
