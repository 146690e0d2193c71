"""The sequence filter over flights whose truth is known."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from runtime.fix.tilt import over_map
from runtime.localizer.parameters import FilterParameters, FixModel
from runtime.localizer.sequence_filter import SequenceFilter
from runtime.localizer.state import HEADING, POSITION, SCALE, TILT, VELOCITY
from runtime.localizer.updates import Place
from runtime.values import Displacement
from tests.runtime.localizer.flights import FRAME_S, Errors, FixSeen, Flown, displacement, flown, t_ns_of

PARAMETERS = FilterParameters(fixes=FixModel(floor_m=0.0))  # the truth of these flights is that of their fixes
LEAN_RAD = np.radians([0.8, -0.3])  # forward and to the right
CHI_SQUARE_68, CHI_SQUARE_95 = 2.28, 5.99  # with two degrees of freedom


def measurements(flight: Flown) -> list[Displacement | FixSeen]:
    """In the order of their instants."""
    both: list[Displacement | FixSeen] = [*flight.displacements, *flight.fixes]
    return sorted(both, key=lambda one: one.t_ns if isinstance(one, FixSeen) else one.to_t_ns)


def take(sequence: SequenceFilter, measurement: Displacement | FixSeen) -> bool:
    if isinstance(measurement, FixSeen):
        return sequence.fixed(measurement.t_ns, [measurement.place])
    return sequence.displaced(measurement)


def followed(flight: Flown, parameters: FilterParameters = PARAMETERS) -> Iterator[tuple[int, SequenceFilter]]:
    """The filter after each frame from the first fix on."""
    sequence, frame = SequenceFilter(parameters), 0
    for measurement in measurements(flight):
        take(sequence, measurement)
        if isinstance(measurement, Displacement):
            frame += 1
            yield frame, sequence


def errors_of(flight: Flown, after_s: float = 10.0) -> tuple[np.ndarray, np.ndarray]:
    """(N, 2) errors in metres and (N,) squared normalised ones, from ``after_s`` on."""
    off, normalised = [], []
    for frame, sequence in followed(flight):
        ruling = sequence.ruling(t_ns_of(frame))
        if ruling is None or frame * FRAME_S < after_s:
            continue
        error = ruling.mean[POSITION] - flight.true_m[frame]
        off.append(error)
        normalised.append(error @ np.linalg.solve(ruling.covariance[POSITION, POSITION], error))
    return np.array(off), np.array(normalised)


def fix_errors_m(flight: Flown) -> np.ndarray:
    """(F,) metres of each fix from the truth at its frame."""
    frames = [round(one.t_ns * 1e-9 / FRAME_S) for one in flight.fixes]
    at = np.array([one.place.north_east_m for one in flight.fixes])
    return np.asarray(np.hypot(*(at - flight.true_m[frames]).T))


def test_its_sigma_is_honest_and_it_is_better_than_the_fixes() -> None:
    random = np.random.default_rng(3)
    normalised, errors, fix_errors = [], [], []
    for _ in range(12):
        flight = flown(random, 30.0)
        off, squares = errors_of(flight)
        normalised.append(squares[::10])
        errors.append(np.hypot(*off.T))
        fix_errors.append(fix_errors_m(flight))
    assert np.median(np.concatenate(errors)) < 0.85 * np.median(np.concatenate(fix_errors))
    inside = np.concatenate(normalised)
    assert 0.60 < np.mean(inside < CHI_SQUARE_68) < 0.85
    assert 0.90 < np.mean(inside < CHI_SQUARE_95) < 0.995


def test_a_level_is_found_where_fixes_are_worse_than_they_say() -> None:
    """Sigma follows: with fixes four times as bad as they claim, the truth stays inside."""
    random = np.random.default_rng(5)
    inside, levels = [], []
    for _ in range(4):
        honest = flown(random, 40.0, Errors(fix_m=6.0, shared_m=6.0))
        boasting = [
            FixSeen(one.t_ns, Place(one.place.north_east_m, np.eye(2) * 1.5**2)) for one in honest.fixes
        ]
        flight = replace(honest, fixes=boasting)
        *_, (_, sequence) = followed(flight)
        assert sequence.level is not None
        levels.append(sequence.level)
        inside.append(errors_of(flight, after_s=20.0)[1])
    assert min(levels) > 1.8
    assert np.mean(np.concatenate(inside) < CHI_SQUARE_95) > 0.85


@pytest.mark.parametrize("scatter", [0.2, 1.0])
def test_hovering_over_one_place_tells_nothing_of_what_its_fixes_have_in_common(scatter: float) -> None:
    """A hundred fixes of one place, also when they scatter by a fifth of what they say, leave its own error."""
    random, sequence = np.random.default_rng(17), SequenceFilter(PARAMETERS)
    for second in range(100):
        at_m = random.normal(0.0, 3.0 * scatter, 2)
        assert sequence.fixed(second * 10**9, [Place(at_m, np.eye(2) * 3.0**2)])
    ruling = sequence.ruling(99 * 10**9)
    assert ruling is not None
    sigma_m = math.sqrt(np.trace(ruling.covariance[POSITION, POSITION]) / 2)
    assert sigma_m > 0.95 * PARAMETERS.fixes.shared_sigma_m


def leaning(headings_rad: list[float], says_so: bool = True) -> tuple[float, float, SequenceFilter]:
    """How far off the filter is, and its sigma, after a fix a second over a map, 100 m below an aircraft whose attitude
    errs by LEAN_RAD in the frame of the body. ``says_so``: the fixes say how a tilt moves them."""
    random, sequence, at_m = np.random.default_rng(23), SequenceFilter(PARAMETERS), np.zeros(2)
    for second, heading_rad in enumerate(headings_rad):
        turn = over_map(heading_rad, 100.0)
        place = Place(at_m + turn @ LEAN_RAD + random.normal(0.0, 1.0, 2), np.eye(2) * 3.0**2)
        place = replace(place, tilt_slopes_m=turn) if says_so else place
        assert sequence.fixed(t_ns_of(10 * second), [place])
        way_m = 8.0 * np.array([math.cos(heading_rad), math.sin(heading_rad)])
        assert sequence.displaced(displacement(10 * second, 10 * second + 10, way_m, 0.05))
        at_m = at_m + way_m
    ruling = sequence.ruling(t_ns_of(10 * len(headings_rad)))
    assert ruling is not None
    sigma_m = math.sqrt(np.trace(ruling.covariance[POSITION, POSITION]) / 2)
    return float(np.hypot(*(ruling.mean[POSITION] - at_m))), sigma_m, sequence


def test_a_tilt_of_the_body_is_told_from_what_fixes_share_once_the_aircraft_turns() -> None:
    there_and_back = [0.3] * 12 + [0.3 + math.pi] * 12 + [0.3] * 12 + [0.3 + math.pi] * 12
    off_m, _, sequence = leaning(there_and_back)
    unaware_m, *_ = leaning(there_and_back, says_so=False)
    ruling = sequence.ruling(t_ns_of(480))
    assert ruling is not None
    assert np.hypot(*(ruling.mean[TILT] - LEAN_RAD)) < 0.5 * np.hypot(*LEAN_RAD)  # that is no tilt to be expected
    assert off_m < 0.6 * unaware_m


def test_on_one_heading_a_tilt_stays_in_what_is_said_however_many_fixes_come() -> None:
    _, sigma_m, sequence = leaning([0.3] * 60)
    _, unaware_m, _ = leaning([0.3] * 60, says_so=False)
    ruling = sequence.ruling(t_ns_of(600))
    assert ruling is not None
    assert np.diag(ruling.covariance)[TILT] == pytest.approx(PARAMETERS.fixes.tilt_sigma_rad**2, rel=0.35)
    assert sigma_m**2 - unaware_m**2 > (70.0 * PARAMETERS.fixes.tilt_sigma_rad) ** 2


def test_the_scale_and_heading_errors_of_odometry_are_learned() -> None:
    flight = flown(np.random.default_rng(7), 90.0, Errors(scale=0.08, heading_rad=math.radians(-5.0), shared_m=0.5))
    *_, (frame, sequence) = followed(flight)
    ruling = sequence.ruling(t_ns_of(frame))
    assert ruling is not None
    for index, true in ((SCALE, math.log(1.08)), (HEADING, math.radians(-5.0))):
        sigma = math.sqrt(ruling.covariance[index, index])
        assert sigma < 0.02 and abs(ruling.mean[index] - true) < 3.0 * sigma


def test_wrong_fixes_are_not_followed() -> None:
    random = np.random.default_rng(11)
    worst = []
    for _ in range(4):
        flight = flown(random, 40.0, Errors(wrong=0.25))
        worst.append(float(np.hypot(*errors_of(flight, after_s=15.0)[0].T).max()))
    assert max(worst) < 10.0


def test_an_aircraft_that_was_carried_away_is_found_again() -> None:
    """Half way the truth moves by 400 m at once, as when a history is swapped or the camera was covered."""
    flight = flown(np.random.default_rng(13), 40.0)
    cut = len(flight.true_m) // 2
    carried = flight.true_m + np.where(np.arange(len(flight.true_m)) >= cut, 1.0, 0.0)[:, None] * [400.0, -100.0]
    moved = [
        FixSeen(one.t_ns, replace(one.place, north_east_m=one.place.north_east_m + [400.0, -100.0]))
        if one.t_ns >= t_ns_of(cut)
        else one
        for one in flight.fixes
    ]
    off = {frame: _off(sequence, frame, carried) for frame, sequence in followed(replace(flight, fixes=moved))}
    assert off[cut - 1] < 8.0 and off[cut + 1] > 300.0
    recovered = [frame for frame in range(cut, len(carried)) if off[frame] < 10.0]
    assert recovered and (recovered[0] - cut) * FRAME_S < 5.0
    assert all(off[frame] < 10.0 for frame in range(recovered[0], len(carried)))


def test_measurements_that_come_late_change_nothing() -> None:
    """Fixes delayed by up to 1.5 s, odometry at once: the belief is that of the right order, to the last digit."""
    flight = flown(np.random.default_rng(17), 12.0)
    prompt = SequenceFilter(PARAMETERS)
    for measurement in measurements(flight):
        take(prompt, measurement)
    random = np.random.default_rng(18)
    arrivals = [
        (one.t_ns + random.uniform(0, 1.5e9) if isinstance(one, FixSeen) else float(one.to_t_ns), one)
        for one in measurements(flight)[2:]
    ]
    late = SequenceFilter(PARAMETERS)
    for measurement in measurements(flight)[:2]:
        take(late, measurement)
    for _, measurement in sorted(arrivals, key=lambda arrival: arrival[0]):
        assert take(late, measurement)
    end_t_ns = t_ns_of(len(flight.true_m) - 1)
    one, other = prompt.ruling(end_t_ns), late.ruling(end_t_ns)
    assert one is not None and other is not None
    np.testing.assert_array_equal(one.mean, other.mean)
    np.testing.assert_array_equal(one.covariance, other.covariance)
    assert prompt.log_evidence == pytest.approx(late.log_evidence)


def test_what_is_too_late_is_refused() -> None:
    sequence = SequenceFilter(PARAMETERS)
    here = [Place(np.zeros(2), np.eye(2))]
    assert sequence.fixed(10_000_000_000, here)
    assert not sequence.fixed(10_000_000_000 - round(1e9 * PARAMETERS.bounds.replay_s) - 1, here)


def test_nothing_is_known_before_the_first_place() -> None:
    sequence = SequenceFilter(PARAMETERS)
    assert sequence.ruling(5) is None and sequence.belief(5) is None and sequence.level is None
    assert not sequence.displaced(displacement(0, 1, np.array([1.0, 0.0]), 0.1))
    assert sequence.fixed(5, []) and sequence.ruling(5) is None


def test_one_fix_does_not_rule_and_a_second_that_agrees_does() -> None:
    sequence = SequenceFilter(PARAMETERS)
    sequence.fixed(0, [Place(np.zeros(2), np.eye(2))])
    first = sequence.ruling(0)
    sequence.fixed(500_000_000, [Place(np.array([2.0, 1.0]), np.eye(2))])
    second = sequence.ruling(500_000_000)
    assert first is not None and second is not None
    assert first.share < 0.99 < second.share


def test_two_places_of_one_fix_stay_possible_until_motion_decides() -> None:
    """An ambiguous fix, then one that only one of its places can have led to."""
    sequence = SequenceFilter(PARAMETERS)
    places = [Place(np.array([0.0, 0.0]), np.eye(2), 0.5), Place(np.array([200.0, 0.0]), np.eye(2), 0.5)]
    sequence.fixed(0, places)
    torn = sequence.ruling(0)
    sequence.displaced(displacement(0, 10, np.array([10.0, 0.0]), 0.1))
    following = [Place(np.array([210.0, 0.0]), np.eye(2), 0.6), Place(np.array([0.0, 90.0]), np.eye(2), 0.4)]
    sequence.fixed(t_ns_of(10), following)
    decided = sequence.ruling(t_ns_of(10))
    assert torn is not None and decided is not None
    assert torn.share < 0.6 and decided.share > 0.95
    assert np.hypot(*(decided.mean[POSITION] - [210.0, 0.0])) < 5.0


def test_coasting_grows_as_the_motion_model_says() -> None:
    sequence = SequenceFilter(PARAMETERS)
    for frame in range(0, 100, 5):
        sequence.fixed(t_ns_of(frame), [Place(np.array([0.8 * frame, 0.0]), np.eye(2))])
    near, far = (sequence.ruling(t_ns_of(95) + round(seconds * 1e9)) for seconds in (0.0, 8.0))
    assert near is not None and far is not None
    grown = far.covariance[0, 0] - near.covariance[0, 0]
    assert grown > PARAMETERS.motion.acceleration_psd * 8.0**3 / 3.0
    assert far.mean[0] == pytest.approx(76.0 + 8.0 * near.mean[VELOCITY][0], abs=3.0)


def test_a_displacement_that_cannot_be_is_not_taken() -> None:
    flight = flown(np.random.default_rng(19), 15.0)
    *_, (frame, sequence) = followed(flight)
    before = sequence.ruling(t_ns_of(frame))
    assert sequence.displaced(displacement(frame, frame + 1, np.array([500.0, 0.0]), 0.1))
    after = sequence.ruling(t_ns_of(frame + 1))
    assert before is not None and after is not None
    assert np.hypot(*(after.mean[POSITION] - before.mean[POSITION])) < 5.0


def test_an_aeroplanes_velocity_turns_with_it() -> None:
    sequence = SequenceFilter(PARAMETERS)
    for second in range(10):
        sequence.fixed(round(second * 1e9), [Place(np.array([20.0 * second, 0.0]), np.eye(2))])
    sequence.turned(9_000_000_000, math.radians(90.0))
    ruling = sequence.ruling(10_000_000_000)
    assert ruling is not None
    assert ruling.mean[POSITION] == pytest.approx([180.0, 20.0], abs=3.0)


def _off(sequence: SequenceFilter, frame: int, true_m: np.ndarray) -> float:
    ruling = sequence.ruling(t_ns_of(frame))
    return math.inf if ruling is None else float(np.hypot(*(ruling.mean[POSITION] - true_m[frame])))
