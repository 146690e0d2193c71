"""The recorded requests to ArduCopter get the same answers from the built-in autopilot, in kind and in order.

Compared, each exactly and in order: acknowledgements, HEARTBEAT's transitions, texts, parameters, the mission
protocol, EKF flags, GPS fix, landed state, position targets, origin. How far apart in time the two may be is in
`LATE_S`; that also holds the kinds in order among themselves. Not compared, with reasons: `IGNORED_TEXTS`,
`IGNORED_PARAMETERS`, measurements in streams (the flight itself is compared in `test_profile`).
"""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest

from tests.sim.autopilot.recording import IGNORED_TEXTS, PARAMETERS, Event, events_of, read, replay

ANSWERED_S = 0.1  # one stream or loop of the recorded autopilot
# How late or early the built-in autopilot may be, per recording: what hangs on flying grows with the flight.
LATE_S = {
    "arducopter_goto_land": 1.0,
    "arducopter_mission_auto_rtl": 4.0,
    "arducopter_refusals": 1.0,
    "arducopter_gps_lost_unaided": 1.0,
    "arducopter_gps_jump_222m": 1.0,
    "arducopter_odometry_from_boot": 1.0,
    "arducopter_gps_lost_odometry_switch": 1.0,
    "arducopter_gps_lost_gps_input_second": 1.0,
}


def differences(recorded: list[Event], replayed: list[Event], late_s: float) -> list[str]:
    """Where two exchanges differ, in words; empty where they do not."""
    found = []
    for kind in sorted({event.kind for event in recorded + replayed}):
        ours = [event for event in replayed if event.kind == kind]
        theirs = [event for event in recorded if event.kind == kind]
        if [e.what for e in ours] != [e.what for e in theirs]:
            found.append(f"{kind}: {[e.what for e in theirs]} became {[e.what for e in ours]}")
            continue
        limit = ANSWERED_S if kind == "ack" else late_s
        for a, b in zip(theirs, ours, strict=True):
            if abs(a.t_s - b.t_s) > limit:
                found.append(f"{kind} {a.what}: at {b.t_s:.2f} s instead of {a.t_s:.2f} s")
    return found


@pytest.mark.parametrize("name", sorted(LATE_S))
def test_same_requests_same_answers(name: str) -> None:
    timed = read(name)
    recorded, replayed = events_of(timed), replay(timed, PARAMETERS.get(name))
    assert len(recorded) > 30
    assert differences(recorded, replayed, LATE_S[name]) == []


@pytest.fixture(scope="module")
def refusals() -> tuple[list[Event], list[Event]]:
    timed = read("arducopter_refusals")
    return events_of(timed), replay(timed)


def _changed(event: Event, **what: Any) -> Event:
    return dataclasses.replace(event, **what)


def test_the_comparison_sees_a_changed_result(refusals: tuple[list[Event], list[Event]]) -> None:
    recorded, replayed = refusals
    at = next(i for i, e in enumerate(replayed) if e.kind == "ack" and e.what[1] == 4)
    replayed = [*replayed[:at], _changed(replayed[at], what=(22, 0, 1, 191)), *replayed[at + 1 :]]
    assert any(line.startswith("ack: ") for line in differences(recorded, replayed, 1.0))


def test_the_comparison_sees_a_missing_answer_and_one_too_many(refusals: tuple[list[Event], list[Event]]) -> None:
    recorded, replayed = refusals
    for kind in {event.kind for event in recorded}:
        at = next(i for i, e in enumerate(replayed) if e.kind == kind)
        assert differences(recorded, replayed[:at] + replayed[at + 1 :], 1.0)
        assert differences(recorded, replayed[: at + 1] + replayed[at:], 1.0)


def test_the_comparison_sees_another_order_and_another_time(refusals: tuple[list[Event], list[Event]]) -> None:
    recorded, replayed = refusals
    texts = [i for i, e in enumerate(replayed) if e.kind == "text"]
    swapped = list(replayed)
    swapped[texts[3]], swapped[texts[4]] = swapped[texts[4]], swapped[texts[3]]
    assert differences(recorded, swapped, 1.0)
    later = [_changed(e, t_s=e.t_s + 1.5) for e in replayed]
    assert differences(recorded, later, 1.0)


def test_ignored_texts_occur_in_the_recordings() -> None:
    texts = {m.text for name in LATE_S for _, m in read(name) if m.get_type() == "STATUSTEXT"}
    for pattern in IGNORED_TEXTS:
        assert any(re.search(pattern, text) for text in texts), f"{pattern} excuses nothing"
