"""What is told of a scenario's progress only rises, and ends with the whole."""

from __future__ import annotations

import pytest

from sim.scenario.course import Course


def test_stages_add_up_by_weight_whatever_happens_within() -> None:
    told = list[float]()
    course = Course(told.append, whole=10.0)
    with course.stage(6.0):
        course.at(0.5)
        course.at(7.0)  # took longer than was thought
    with pytest.raises(RuntimeError), course.stage(3.0):
        course.at(-1.0)
        raise RuntimeError("never arrived")
    with course.stage(1.0):
        pass
    assert told == pytest.approx([0.3, 0.6, 0.6, 0.6, 0.9, 1.0])


def test_a_followed_script_does_what_it_did_and_tells_once_a_second() -> None:
    told, steps = list[float](), list[int]()

    def script():  # type: ignore[no-untyped-def]
        for step in range(120):
            steps.append(step)
            yield

    course = Course(told.append, whole=1.0)
    with course.stage(1.0):
        for _ in course.followed(script(), lambda: len(steps) / 120):
            pass
    assert steps == list(range(120))
    assert told == pytest.approx([1 / 120, 51 / 120, 101 / 120, 1.0])
