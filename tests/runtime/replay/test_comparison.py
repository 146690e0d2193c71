"""What a comparison finds, and what it lets pass."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from runtime.debrief.truth import Truth
from runtime.geodesy import offset
from runtime.replay.comparison import compare
from runtime.replay.outcome import Outcome
from runtime.values import GeoPoint

HERE = GeoPoint(60.0, 22.0)
SECOND = 1_000_000_000


def place(north_m: float, east_m: float = 0.0) -> dict[str, float]:
    point = offset(HERE, north_m, east_m)
    return {"latitude_deg": point.latitude_deg, "longitude_deg": point.longitude_deg}


def estimate(t_ns: int, north_m: float, state: str = "tracking") -> dict[str, Any]:
    return {
        "state": state, "position": place(north_m), "covariance_m2": [[4.0, 0.0], [0.0, 4.0]], "sigma_m": 2.0,
        "trusted": state == "tracking", "source": "vision", "believed_t_ns": t_ns,
    }  # fmt: skip


def outcome() -> Outcome:
    """Ten seconds northwards, fixed each second, commanded from the third on."""
    found = Outcome()
    for second in range(10):
        t_ns = second * SECOND
        found.records["estimate"].append((t_ns, estimate(t_ns, float(second))))
        found.records["vision"].append((t_ns + 7, estimate(t_ns, float(second))))
        fix = {"exposed_t_ns": t_ns, "aircraft": place(second + 0.5) if second else None}
        found.records["fix"].append((t_ns + 7, fix))
        state = "engaged" if second > 2 else "monitor"
        found.records["guidance"].append((t_ns, {"state": state, "phase": "en_route" if second > 2 else "none"}))
        if second > 2:
            found.records["setpoint"].append((t_ns, {**place(50.0), "sent": True}))
            found.sent.append((t_ns, "vehicle", b"goto"))
    found.records["record"].append((SECOND, {"keyframe": 3}))
    return found


def moved(what: Outcome, channel: str, k: int, key: str, north_m: float) -> None:
    what.records[channel][k][1][key] = place(north_m)


def lost(what: Outcome) -> None:
    what.records["estimate"][4][1]["position"] = None


def searching(what: Outcome) -> None:
    what.records["vision"][4][1]["state"] = "searching"


def silent(what: Outcome) -> None:
    del what.records["estimate"][9]


def yielded(what: Outcome) -> None:
    what.records["guidance"][5][1]["state"] = "yielded"


def withheld(what: Outcome) -> None:
    what.records["setpoint"][2][1]["sent"] = False


def elsewhere(what: Outcome) -> None:
    what.records["setpoint"][2] = (what.records["setpoint"][2][0], {**place(58.0), "sent": True})


@pytest.mark.parametrize(
    ("change", "changed"),
    [
        (lambda what: None, ()),
        (lambda what: moved(what, "estimate", 4, "position", 4.9), ()),
        (lambda what: moved(what, "estimate", 4, "position", 5.1), ("estimates",)),
        (lambda what: moved(what, "vision", 4, "position", 5.1), ("vision",)),
        (lambda what: moved(what, "fix", 4, "aircraft", 40.0), ()),  # told, and nothing followed from it
        (lost, ("estimates",)),
        (searching, ("vision",)),
        (silent, ("estimates",)),
        (yielded, ("decisions",)),
        (withheld, ("setpoints",)),
        (elsewhere, ("setpoints",)),
        (lambda what: what.records["setpoint"].pop(), ("setpoints",)),
        (lambda what: what.sent.pop(), ()),
    ],
)
def test_each_change_is_found_by_its_name(change: Callable[[Outcome], Any], changed: tuple[str, ...]) -> None:
    replayed = copy.deepcopy(outcome())
    change(replayed)
    assert compare(outcome(), replayed, None, 0, 1.0).changed == changed


def test_without_a_tolerance_every_byte_counts() -> None:
    replayed = copy.deepcopy(outcome())
    replayed.sent[2] = (replayed.sent[2][0], "vehicle", b"gone")
    found = compare(outcome(), replayed, None, 0, 0.0)
    assert found.changed == ("sent",) and found.sent["vehicle"].differ_at_s == 5.0
    shorter = copy.deepcopy(outcome())
    shorter.sent.pop()
    assert compare(outcome(), shorter, None, 0, 0.0).sent["vehicle"].differ_at_s == 9.0
    assert compare(outcome(), outcome(), None, 0, 0.0).changed == ()


def test_what_changed_is_told_kind_by_kind() -> None:
    replayed = copy.deepcopy(outcome())
    moved(replayed, "estimate", 4, "position", 7.0)
    moved(replayed, "fix", 0, "aircraft", 0.0)
    moved(replayed, "fix", 6, "aircraft", 8.5)
    replayed.records["fix"][7][1]["aircraft"] = None
    yielded(replayed)
    replayed.records["record"].append((2 * SECOND, {"keyframe": None}))
    found = compare(outcome(), replayed, None, 0, 1.0)
    assert found.estimates.apart_m is not None and found.estimates.apart_m.max == pytest.approx(3.0, abs=1e-3)
    assert (found.estimates.compared, found.estimates.one_sided, found.estimates.sigma_m) == (10, 0, (2.0, 2.0))
    fixes = found.fixes
    assert (fixes.tried, fixes.fixed, fixes.gained, fixes.lost) == ((10, 10), (9, 9), 1, 1)
    assert fixes.apart_m is not None and fixes.apart_m.max == pytest.approx(2.0, abs=1e-3)
    assert found.decisions.logged == ("monitor", "engaged en_route")
    assert found.decisions.replayed == ("monitor", "engaged en_route", "yielded en_route", "engaged en_route")
    assert found.decisions.differ_at_s == 5.0 and found.keyframes == (1, 1)
    assert (found.records["fix"].same, found.records["record"].replayed) == (7, 2)


def test_both_are_held_against_the_truth() -> None:
    """Estimates of 2 m sigma an axis that lie 4 m off: outside 68 %, inside 95 % of their ellipses."""
    replayed = copy.deepcopy(outcome())
    for second in range(10):
        moved(replayed, "estimate", second, "position", second + 4.0)
    truth = Truth("simulator", [k * SECOND for k in range(10)], [offset(HERE, float(k), 0.0) for k in range(10)])
    found = compare(outcome(), replayed, truth, 0, 1.0).truth
    assert found is not None
    before, after = found.flown
    assert before is not None and after is not None
    assert (before.error_m.max, before.inside_1sigma) == (pytest.approx(0.0, abs=1e-6), 1.0)
    assert after.error_m.median == pytest.approx(4.0, abs=1e-3) and (after.inside_1sigma, after.inside_2sigma) == (0, 1)


def test_the_truth_lies_between_two_that_are_known_unless_they_are_far_apart() -> None:
    truth = Truth("gps receiver", [0, SECOND, 9 * SECOND], [HERE, offset(HERE, 8.0, 0.0), HERE])
    middle = truth.at(SECOND // 4)
    assert middle is not None and middle.latitude_deg == pytest.approx(offset(HERE, 2.0, 0.0).latitude_deg, abs=1e-9)
    assert truth.at(0) == HERE and truth.at(SECOND) == truth.points[1]
    assert truth.at(5 * SECOND) is None and truth.at(-1) is None and truth.at(10 * SECOND) is None
