"""Which target a flight by sight is sent to."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from runtime.geodesy import offset
from sim.scenario.aircraft import Answer, Flight, Truth
from sim.scenario.by_sight import choose
from sim.scenario.questions import Question
from tests.runtime.survey.flights import ORIGIN

PLACES = {"beside": (10.0, 0.0), "near": (40.0, 0.0), "far": (90.0, 0.0), "outside": (300.0, 0.0)}
QUESTIONS = [Question(name, Path(f"{name}.png"), at, name != "outside") for name, at in PLACES.items()]


class Hovering:
    """A flight over the origin whose daemon recognises some pictures and refuses all others."""

    def __init__(self, *recognised: str) -> None:
        self.recognised = recognised
        self.asked: list[str] = []

    def truth_now(self) -> Truth:
        return Truth(0, (0.0, 0.0), 100.0)

    def ask(self, request: Answer, max_s: float = 30.0) -> Answer:
        self.asked.append(Path(request["image"]).stem)
        if self.asked[-1] not in self.recognised:
            return {"decision": "no_match"}
        place = offset(ORIGIN, *PLACES[self.asked[-1]])
        return {"decision": "match",
                "place": {"latitude_deg": place.latitude_deg, "longitude_deg": place.longitude_deg}}  # fmt: skip


def test_the_farthest_target_is_asked_for_first() -> None:
    flight = Hovering("far", "near", "outside")
    reply = choose(ORIGIN, cast(Flight, flight), QUESTIONS)
    assert reply is not None and reply.question.name == "far" and flight.asked == ["far"]
    assert reply.error_m is not None and reply.error_m < 0.01


def test_a_picture_that_is_refused_is_followed_by_a_nearer_one() -> None:
    flight = Hovering("near")
    reply = choose(ORIGIN, cast(Flight, flight), QUESTIONS)
    assert reply is not None and reply.question.name == "near" and flight.asked == ["far", "near"]


def test_there_is_none_where_every_picture_is_refused() -> None:
    flight = Hovering("outside")
    assert choose(ORIGIN, cast(Flight, flight), QUESTIONS) is None
    assert flight.asked == ["far", "near", "beside"]
