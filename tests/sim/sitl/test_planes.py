"""A plane and a QuadPlane of ArduPilot, flown by Homing on real firmware where a variable names its binary."""

from __future__ import annotations

import os

import pytest

from tests.sim.sitl.plane_flight import MODELS, gathered, recorded


@pytest.mark.skipif("HOMING_ARDUPLANE" not in os.environ, reason="HOMING_ARDUPLANE names no binary of ArduPlane's SITL")
@pytest.mark.parametrize("model", MODELS)
def test_a_real_plane_is_flown_as_is_recorded(model: str) -> None:
    """Six minutes of its time."""

    def without_measures(facts: dict[str, object]) -> dict[str, object]:
        return {name: fact for name, fact in facts.items() if not name.startswith("measured")}

    assert without_measures(gathered(model)["facts"]) == without_measures(recorded()[model]["facts"])


def test_what_is_recorded_of_planes_is_a_flight_without_a_target_too_many() -> None:
    assert recorded().keys() <= set(MODELS) and recorded()
    for seen in recorded().values():
        facts = seen["facts"]
        assert facts["targets sent without authority, in all"] == 0
        assert facts["targets after the pilot's switch, and after another into GUIDED"] == 0
