"""One suite of exchanges for all autopilots: the built-in one always, a real one where a variable names its binary.

What came of each exchange is recorded beside the built-in autopilot, for every firmware that was asked; where the
built-in autopilot differs from ArduCopter, whose ways it has, the reason stands there too.
"""

from __future__ import annotations

import re

import pytest

from sim.sitl.hangar import FIRMWARE
from tests.sim.conformance.exchanges import EXCHANGES
from tests.sim.conformance.facts import REAL, Gathered, binary_of, differences, gathered, recorded

REAL_HERE = [
    pytest.param(
        name,
        marks=pytest.mark.skipif(
            binary_of(name) is None, reason=f"{FIRMWARE[name]().variable} names no binary of {name}'s simulator"
        ),
    )
    for name in REAL
]


@pytest.fixture(scope="module")
def built_in() -> Gathered:
    return gathered("builtin")


@pytest.mark.parametrize("exchange", list(EXCHANGES))
def test_the_built_in_autopilot_does_what_is_recorded_of_it(built_in: Gathered, exchange: str) -> None:
    assert built_in["facts"][exchange] == recorded()["builtin"]["facts"][exchange]


def test_where_the_built_in_autopilot_differs_from_arducopter_is_written_down_and_nothing_else() -> None:
    ours, theirs = recorded()["builtin"]["facts"], recorded()["ardupilot"]["facts"]
    found = {
        (exchange, fact)
        for exchange in EXCHANGES
        for fact in ours[exchange].keys() | theirs[exchange].keys()
        if ours[exchange].get(fact) != theirs[exchange].get(fact)
    }
    assert found == differences().keys()
    assert all(len(reason) > 20 for reason in differences().values())


def test_what_was_asked_is_named_by_its_commit() -> None:
    """Of eight bytes PX4 sends the first five of its commit, the lowest first: read the other way it begins with 0."""
    for name in REAL:
        told = re.fullmatch(r"\S+ \d+\.\d+\.\d+\S* \(([0-9a-f]{8})\)", recorded()[name]["version"])
        assert told is not None and not told[1].startswith("000000"), recorded()[name]["version"]


@pytest.mark.parametrize("name", REAL_HERE)
def test_a_real_autopilot_does_what_is_recorded_of_it(name: str) -> None:
    """Four minutes of its time."""
    assert gathered(name)["facts"] == recorded()[name]["facts"]
