"""Nothing enters a history that is not finite, in range, seen by a camera, sharp enough and of several colours."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.errors import KeyframeRefusedError
from runtime.history.gate import MIN_COVERAGE, NO_ORIGIN, Origin, refusal, state_fault
from runtime.history.history import History
from runtime.plain import PLAIN
from runtime.values import Attitude, GeoPoint, Keyframe, Measured, Pose, Position, PositionSource, ViewKind
from tests.runtime.history.recording import SPACE, embeddings, keyframe

GOOD = keyframe(1)
NUMBERS = st.one_of(
    st.floats(width=64, allow_subnormal=False),  # other tests' libraries flush them to zero
    st.sampled_from([0.0, -0.0, math.nan, math.inf, -math.inf, 90.0, 180.0, 1e300, -1e300]),
    st.floats(-200, 200, allow_subnormal=False),
)  # fmt: skip


def measured(value: st.SearchStrategy[float]) -> st.SearchStrategy[Measured | None]:
    return st.one_of(st.none(), st.builds(Measured, value, NUMBERS, st.just("test")))


POSITIONS = st.builds(
    Position,
    st.builds(GeoPoint, NUMBERS, NUMBERS),
    st.tuples(st.tuples(NUMBERS, NUMBERS), st.tuples(NUMBERS, NUMBERS)),
    st.sampled_from(PositionSource),
    st.one_of(st.none(), st.tuples(NUMBERS, NUMBERS, NUMBERS)),
)
POSES = st.builds(
    Pose,
    t_ns=st.one_of(st.none(), st.integers(-(2**62), 2**62)),
    altitude_amsl_m=measured(NUMBERS),
    height_takeoff_m=measured(NUMBERS),
    height_agl_m=measured(NUMBERS),
    attitude=st.one_of(
        st.none(),
        st.builds(
            Attitude, st.one_of(st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS), st.just((1.0, 0.0, 0.0, 0.0))), NUMBERS
        ),
    ),
)


@settings(max_examples=150)
@given(POSES, st.one_of(st.none(), POSITIONS), st.one_of(st.none(), POSITIONS), NUMBERS, NUMBERS, NUMBERS, NUMBERS)
def test_what_passes_is_finite_in_range_and_comes_back(
    pose: Pose, position: Position | None, tag: Position | None, latitude: float, longitude: float, sigma_m: float,
    footprint_m: float,
) -> None:  # fmt: skip
    given_one = replace(
        GOOD, pose=pose, position=position, tag=tag, ground=GeoPoint(latitude, longitude), ground_sigma_m=sigma_m,
        footprint_m=footprint_m,
    )  # fmt: skip
    reason = refusal(given_one, NO_ORIGIN)
    assert bool(reason) is not _sensible(given_one), reason
    assert "\n" not in reason


def _sensible(one: Keyframe) -> bool:
    """The slow and obvious way to say the same."""

    def inside(value: float, low: float, high: float) -> bool:
        return not math.isnan(value) and low <= value <= high

    def point(at: GeoPoint) -> bool:
        on_earth = inside(at.latitude_deg, -90, 90) and inside(at.longitude_deg, -180, 180)
        return on_earth and (at.latitude_deg, at.longitude_deg) != (0.0, 0.0)

    def said(quantity: Measured | None, low: float, high: float) -> bool:
        return quantity is None or (inside(quantity.value, low, high) and inside(quantity.sigma, 0, math.inf))

    def known(at: Position | None) -> bool:
        if at is None:
            return True
        (north, cross), (_, east) = at.covariance_m2
        varies = inside(north, 0, math.inf) and inside(east, 0, math.inf) and inside(cross, -1e12, 1e12)
        apart = varies and (abs(cross) <= 1e-9 or abs(cross) <= math.sqrt(north) * math.sqrt(east) * 1.001)
        moves = at.velocity_ned_m_s is None or all(inside(speed, -1000, 1000) for speed in at.velocity_ned_m_s)
        return point(at.point) and apart and moves

    pose = one.pose
    turned = pose.ned_from_body is None or (
        all(inside(part, -1.001, 1.001) for part in pose.ned_from_body)
        and inside(math.sqrt(sum(part**2 for part in pose.ned_from_body)), 0.99, 1.01)
    )
    heights = (
        said(pose.altitude_amsl_m, -1000, 30_000)
        and said(pose.height_takeoff_m, -30_000, 30_000)
        and said(pose.height_agl_m, 0, 30_000)
    )
    return (
        point(one.ground) and inside(one.ground_sigma_m, 0, math.inf) and inside(one.footprint_m, 1, 5000)
        and turned and heights and said(pose.heading, -math.tau, math.tau) and known(one.position) and known(one.tag)
    )  # fmt: skip


WRONG: dict[str, tuple[Keyframe, Origin, str]] = {
    "black": (replace(GOOD, crop=np.zeros((64, 64, 3), np.uint8)), NO_ORIGIN, PLAIN),
    "white": (replace(GOOD, crop=np.full((64, 64, 3), 255, np.uint8)), NO_ORIGIN, PLAIN),
    "empty": (replace(GOOD, crop=np.zeros((0, 0, 3), np.uint8)), NO_ORIGIN, "less than 16"),
    "oblong": (replace(GOOD, crop=GOOD.crop[:32]), NO_ORIGIN, "no square"),
    "not seen": (GOOD, Origin(coverage=MIN_COVERAGE - 0.01), "only 89% of it was seen"),
    "coverage of nothing": (GOOD, Origin(coverage=math.nan), "was seen"),
    "coarse": (GOOD, Origin(metres_per_pixel=60.0), "60 m a pixel show its 112 m in less than 16 pixels"),
    "no resolution": (GOOD, Origin(metres_per_pixel=math.nan), "in less than 16 pixels"),
    "null island": (replace(GOOD, ground=GeoPoint(0.0, 0.0)), NO_ORIGIN, "0, 0: no position"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_the_history_itself_refuses_and_stays_as_it_was(tmp_path: Path, wrong: str) -> None:
    bad, origin, words = WRONG[wrong]
    with History.create(tmp_path / "h.db", SPACE, "b") as history:
        history.add(GOOD, embeddings(1))
        with pytest.raises(KeyframeRefusedError) as refused:
            history.add(bad, embeddings(1), origin)
        assert words in refused.value.reason and str(refused.value).endswith(".")
        assert len(history) == 1 and history.add(keyframe(2), embeddings(2), Origin("p", 1.0, 7.0)) == 2


@pytest.mark.parametrize("value", [math.nan, math.inf, 0.0, 1e4])
def test_embeddings_that_are_no_unit_vectors_are_refused(tmp_path: Path, value: float) -> None:
    made = embeddings(1)
    bad: Any = replace(made[1], vector=np.full(32, value, np.float32))
    spatial: Any = replace(made[1], map=np.full((4, 6, 6), math.nan, np.float32))
    with History.create(tmp_path / "h.db", SPACE, "b") as history:
        for one in (bad, spatial):
            with pytest.raises(KeyframeRefusedError, match="embedding"):
                history.add(GOOD, [made[0], one])
        assert len(history) == 0


def test_a_pose_is_asked_about_before_any_pixel_is() -> None:
    assert GOOD.position is not None and not state_fault(GOOD.pose, GOOD.position)
    nowhere = replace(GOOD.position, point=GeoPoint(math.nan, 22.0))
    assert "latitude_deg is nan" in state_fault(GOOD.pose, nowhere)
    low = replace(GOOD.pose, height_agl_m=Measured(math.nan, 1.0, "test"))
    assert "height_agl_m is nan" in state_fault(low, GOOD.position)


def test_a_time_that_nobody_knows_and_a_name_that_is_no_text_come_back(tmp_path: Path) -> None:
    with History.create(tmp_path / "h.db", SPACE, "b") as history:
        undated = replace(GOOD, pose=replace(GOOD.pose, t_ns=None), name="D\udcff.jpg", view=ViewKind.SATELLITE)
        found = history.keyframe(history.add(undated, []))
        assert found.pose.t_ns is None and found.name == "D?.jpg"
