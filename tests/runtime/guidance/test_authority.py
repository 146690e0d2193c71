"""No target without authority, ever: over every event in every state and mode, and over long random stories.

The referee is `tests.runtime.guidance.referee`; guidance that is wrong on purpose must be caught by it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache
from itertools import product

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from runtime.geodesy import offset
from runtime.guidance.authority import Authority
from runtime.guidance.guidance import Guidance
from runtime.guidance.limits import Limits
from runtime.guidance.reasons import Reason, State
from runtime.guidance.situation import Situation
from runtime.mavlink.dialect import mavlink
from runtime.values import Estimate, PositionSource
from runtime.vehicle.ardupilot.modes import COPTER_TYPES, PLANE_TYPES
from runtime.vehicle.ardupilot.plane import ArduPlane
from runtime.vehicle.ardupilot.stack import ArduPilot
from runtime.vehicle.px4.stack import Px4
from sim.authority.happenings import FAR, HAPPENINGS, OTHER_TARGET, OUTSIDE, Happening
from sim.authority.outcomes import brought_to, switched
from sim.authority.pilot import START, TARGET, Pilot
from sim.scenario.mutants import CONSENT_MUTANTS, AuthorityWithoutLatch
from tests.runtime.guidance.referee import Referee

STATES = (State.DISABLED, State.MONITOR, State.READY, State.ENGAGED, State.YIELDED)
USUAL = State.ENGAGED


def faults_of(pilot: Pilot) -> list[str]:
    return Referee().hear_all(pilot.story)


# Every event in every state, and then every kind of switch: the mode, while it lasts, after a new word

SWITCHES = (("GUIDED", True, False), ("GUIDED", False, False), ("GUIDED", False, True), ("LAND", False, True))


@pytest.mark.parametrize("state", STATES)
def test_every_event_in_every_state_and_then_a_mode(state: State) -> None:
    """It lasts, or is over and all is well; the operator says his word anew or not; the pilot enters a mode."""
    flown = 0
    for happening in HAPPENINGS:
        for mode, lasting, again in SWITCHES:
            pilot, referee = brought_to(state, happening.by_sight), Referee()
            switched(pilot, happening, mode, lasting, again)
            assert referee.hear_all(pilot.story) == [], (happening.group, happening.words, mode, lasting, again)
            flown += referee.flown
    # Where a flight can follow it must have followed, or this has proved nothing.
    assert (flown > 50) == (state is not State.DISABLED)


def test_a_mode_is_the_guided_one_by_its_number_alone() -> None:
    """Guidance is told no more of a mode than this, so two kinds of modes are all there are."""
    ardupilot, px4 = ArduPilot(), Px4()
    for kind in range(64):
        of_copter = [number for number in range(256) if ardupilot.is_guided(kind, number)]
        of_plane = [number for number in range(256) if ArduPlane().is_guided(kind, number)]
        assert of_copter == ([mavlink.COPTER_MODE_GUIDED] if kind in COPTER_TYPES else [])
        assert of_plane == ([mavlink.PLANE_MODE_GUIDED] if kind in PLANE_TYPES else []), "no mode that hovers"
    modes = [main << 16 | sub << 24 for main in range(256) for sub in range(256)]
    assert {mode >> 16 & 0xFF for mode in modes if px4.is_guided(2, mode)} == {6}


@pytest.mark.parametrize("happening", [one for one in HAPPENINGS if not one.is_mode], ids=lambda one: one.words)
def test_what_comes_between_ready_and_the_transition_counts(happening: Happening) -> None:
    """Within one tick: READY was decided, then something happened, then the mode changed."""
    pilot = brought_to(State.READY, happening.by_sight)
    if happening.words.startswith("arrives"):
        return  # takes its time
    happening.begin(pilot)
    pilot.mode("GUIDED")
    pilot.ticks(4)
    assert faults_of(pilot) == []


def test_a_restart_in_the_guided_mode_grants_nothing() -> None:
    pilot = Pilot()
    pilot.mode("GUIDED", first=True)
    pilot.tick()
    pilot.confirm(TARGET)
    pilot.engage()
    assert not any(decision.setpoint for decision in pilot.ticks(60)) and faults_of(pilot) == []
    pilot.mode("LOITER")
    pilot.tick()
    pilot.mode("GUIDED")
    assert pilot.tick().setpoint is not None


# Long random stories

FACTS = [one for one in HAPPENINGS if one.vehicle or one.estimate or one.estimate_age_s]
LATCHES = [Reason.FOREIGN_TARGET, Reason.TARGET_REFUSED, Reason.REBOOTED, Reason.LINK_LOST, Reason.SECOND_AUTOPILOT,
           Reason.SECOND_COMPANION, Reason.WAS_DISARMED, Reason.LANDED]  # fmt: skip


class Stories(RuleBasedStateMachine):
    """What people, the vehicle, the link and time do, in any order; the referee hears every line as it is written."""

    authority: type[Authority] = Authority
    streamed = False
    circling = False

    def __init__(self) -> None:
        super().__init__()
        pilot = Pilot(self.authority(), streamed=self.streamed, circling=self.circling)
        self.pilot, self.referee, self.heard = pilot, Referee(), 0
        self.well = self.pilot.vehicle

    @initialize(state=st.sampled_from([State.MONITOR, State.READY, State.ENGAGED]), first=st.booleans())
    def begin(self, state: State, first: bool) -> None:
        self.pilot.to(state)
        if first:
            self.pilot.mode("GUIDED", first=True)

    @rule(count=st.integers(1, 10))
    def time_goes_on(self, count: int) -> None:
        self.pilot.ticks(count)

    @rule(seconds=st.sampled_from([0.9, 1.1, 3.0, 200.0]))
    def nothing_is_decided_for(self, seconds: float) -> None:
        self.pilot.t_ns += round(seconds * 1e9)

    @rule(name=st.sampled_from(["GUIDED", "LOITER", "RTL"]), first=st.sampled_from([False, False, False, True]))
    def the_pilot_enters(self, name: str, first: bool) -> None:
        self.pilot.mode(name, first)

    @rule()
    def the_pilot_leaves_and_enters(self) -> None:
        self.pilot.mode("LOITER")
        self.pilot.tick()
        self.pilot.mode("GUIDED")
        self.pilot.tick()

    @rule(place=st.sampled_from([TARGET, TARGET, OTHER_TARGET, OUTSIDE, FAR]), engages=st.booleans())
    def the_operator_confirms(self, place: object, engages: bool) -> None:
        self.pilot.asks("confirm", place)  # type: ignore[arg-type]
        if engages:
            self.pilot.asks("engage")
            self.pilot.tick()

    @rule()
    def the_operator_engages(self) -> None:
        self.pilot.asks("engage")

    @rule(cause=st.sampled_from([Reason.OPERATOR_DISENGAGED, Reason.SHUT_DOWN]))
    def the_operator_disengages(self, cause: Reason) -> None:
        self.pilot.release(cause)

    @rule(cause=st.sampled_from(LATCHES))
    def it_is_heard_of(self, cause: Reason) -> None:
        self.pilot.latch(cause)

    @rule(fact=st.sampled_from(FACTS))
    def something_is_not_well(self, fact: Happening) -> None:
        self.pilot.vehicle = replace(self.pilot.vehicle, **fact.vehicle)
        self.pilot.estimate_changes |= fact.estimate
        self.pilot.estimate_age_ns = round(fact.estimate_age_s * 1e9)

    @rule(seconds=st.sampled_from([0.1, 0.5]))
    def all_is_well(self, seconds: float) -> None:
        now = self.pilot.vehicle
        self.pilot.vehicle = replace(self.well, mode=now.mode, guided=now.guided)
        self.pilot.estimate_changes, self.pilot.estimate_age_ns = {}, 0
        self.pilot.seconds(seconds)

    @rule(source=st.sampled_from([PositionSource.AUTOPILOT, PositionSource.VISION]))
    def another_position_is_flown(self, source: PositionSource) -> None:
        self.pilot.source = source

    @rule(here=st.sampled_from([START, START, TARGET, OUTSIDE, offset(TARGET, -15.0, 0.0)]), fixes=st.integers(0, 3))
    def the_vehicle_is_at(self, here: object, fixes: int) -> None:
        self.pilot.here = here  # type: ignore[assignment]
        for _ in range(fixes):
            self.pilot.tick()
            self.pilot.sees(self.pilot.here)

    @invariant()
    def no_target_without_authority(self) -> None:
        for line in self.pilot.story[self.heard :]:
            self.referee.hear(line)
        self.heard = len(self.pilot.story)
        assert self.referee.faults == []
        last = self.pilot.guidance.last
        assert last.setpoint is not None or last.reasons or not self.heard, "silence has a reason"


LONG = settings(max_examples=40, stateful_step_count=40, deadline=None)


def test_no_target_without_authority_in_any_story() -> None:
    run_state_machine_as_test(Stories, settings=LONG)  # type: ignore[no-untyped-call]


@pytest.mark.long
def test_no_target_without_authority_in_thousands_of_stories() -> None:
    settings_ = settings(LONG, max_examples=3000, stateful_step_count=80)
    run_state_machine_as_test(Stories, settings=settings_)  # type: ignore[no-untyped-call]


# The referee catches what is wrong


@pytest.mark.parametrize("mutant", [*CONSENT_MUTANTS, AuthorityWithoutLatch])
def test_every_authority_that_outlives_its_end_is_caught(mutant: type[Authority]) -> None:
    def caught(happening: Happening, state: State, engages: bool) -> bool:
        pilot = brought_to(state, happening.by_sight, mutant())
        happening.begin(pilot)
        pilot.tick()
        happening.end(pilot)
        if engages:
            pilot.asks("engage")
        for mode in ("LOITER", "GUIDED"):
            pilot.tick()
            pilot.mode(mode)
        pilot.tick()
        return bool(faults_of(pilot))

    quick = [one for one in HAPPENINGS if not one.words.startswith("arrives")]
    ways = product(quick, (State.READY, State.ENGAGED, State.MONITOR), (False, True))
    assert any(caught(*way) for way in ways)


def test_random_stories_catch_it_too() -> None:
    class Wrong(Stories):
        authority = AuthorityWithoutLatch

    with pytest.raises(AssertionError):
        run_state_machine_as_test(Wrong, settings=settings(LONG, database=None, phases=[Phase.generate]))  # type: ignore[no-untyped-call]


def blind_to(reason: Reason) -> type[Guidance]:
    """Guidance that does not look at one of its conditions."""

    class Blind(Guidance):
        def _conditions(self, t_ns: int, vehicle: Situation, estimate: Estimate, limits: Limits) -> Iterable[Reason]:
            return (one for one in super()._conditions(t_ns, vehicle, estimate, limits) if one is not reason)

    return Blind


@cache
def facts_alone() -> tuple[tuple[Happening, frozenset[Reason]], ...]:
    """What may not be well, without being heard of as an event, and every reason that guidance then has in flight."""
    quiet: list[Happening] = []
    for one in HAPPENINGS:
        changes = one.vehicle or one.estimate or one.estimate_age_s or one.here is not None
        if one.group == "The position" or (changes and not one.words.startswith("arrives")):
            quiet.append(one if one.group == "The position" else replace(one, at_once=_nothing))
    return tuple((one, _reasons(one)) for one in quiet)


def _nothing(pilot: Pilot) -> None:
    """Nobody hears of it."""


def _reasons(happening: Happening) -> frozenset[Reason]:
    pilot = brought_to(USUAL, happening.by_sight)
    happening.begin(pilot)
    return frozenset(pilot.tick().reasons)


CONDITIONS = sorted(
    {Reason.NO_VEHICLE, Reason.VEHICLE_KIND, Reason.SECOND_AUTOPILOT,
     Reason.SECOND_COMPANION, Reason.DISARMED, Reason.NOT_IN_AIR,
     Reason.FAILSAFE, Reason.FAILSAFE_UNKNOWN, Reason.FENCE_BREACHED, Reason.FENCE_UNKNOWN, Reason.STICKS_MOVED,
     Reason.RC_UNKNOWN, Reason.TIME_NOT_SYNCED, Reason.STREAM_MISSING, Reason.EKF_NOT_OK, Reason.EKF_VARIANCE,
     Reason.BATTERY_UNKNOWN, Reason.BATTERY_RESERVE, Reason.ESTIMATE_STALE, Reason.ESTIMATE_UNTRUSTED,
     Reason.COASTING_TOO_LONG, Reason.GPS_DOUBTED, Reason.SOURCE_CHANGED, Reason.AUTOPILOT_ELSEWHERE,
     Reason.HOME_UNKNOWN, Reason.BELOW_FLOOR, Reason.ABOVE_CEILING, Reason.MODE_STALE},
    key=lambda reason: reason.value,
)  # fmt: skip


@pytest.mark.parametrize("reason", CONDITIONS)
def test_guidance_that_is_blind_to_one_condition_is_caught(reason: Reason) -> None:
    """Those of nothing known (no position, height or speed) it cannot be blind to: it has nothing to fly by."""
    stories = [one for one, reasons in facts_alone() if reason in reasons]
    assert stories, "something that may happen shows it"
    caught = []
    for happening in stories:
        pilot = brought_to(USUAL, happening.by_sight, guidance=blind_to(reason))
        happening.begin(pilot)
        pilot.ticks(3)
        caught += faults_of(pilot)
    assert caught


ELSEWHERE = {  # reasons that are not of a flight: they are what is missing before it, and tests of their own show them
    Reason.COMMANDING_DISABLED, Reason.NO_TARGET, Reason.TARGET_NOT_CONFIRMED, Reason.TARGET_CHANGED,
    Reason.PATH_LEAVES_AREA, Reason.ROUTE_LEAVES_COVERAGE, Reason.ARRIVAL_UNCERTAIN, Reason.TARGET_TOO_FAR,
    Reason.TARGET_OUTSIDE_AREA, Reason.ENTRY_UNKNOWN, Reason.CONSENT_EXPIRED, Reason.OPERATOR_DISENGAGED,
    Reason.SHUT_DOWN, Reason.GROUND_UNKNOWN,
}  # fmt: skip


def test_every_reason_is_shown_by_something_that_may_happen() -> None:
    seen: set[Reason] = set(LATCHES)
    for happening in HAPPENINGS:
        pilot = brought_to(USUAL, happening.by_sight)
        happening.begin(pilot)
        pilot.tick_ns = 100_000_000
        pilot.ticks(2)
        seen |= {reason for line in pilot.story for reason in line.reasons}
    assert set(Reason) - seen - ELSEWHERE == set()


@pytest.mark.parametrize(
    ("mutant", "story"),
    [
        (CONSENT_MUTANTS[0], lambda p: wait(p, 301.0)),
        (CONSENT_MUTANTS[1], lambda p: p.latch(Reason.WAS_DISARMED)),
        (CONSENT_MUTANTS[2], lambda p: (p.mode("GUIDED"), p.ticks(3), p.mode("LOITER"))),
        (CONSENT_MUTANTS[3], lambda p: (p.mode("GUIDED"), p.ticks(3), p.mode("LOITER"), p.tick(), p.asks("engage"))),
        (CONSENT_MUTANTS[4], lambda p: (p.latch(Reason.FOREIGN_TARGET), p.mode("GUIDED"), word_and_takeover(p, 2.9))),
    ],
)
def test_a_story_for_each_rule_that_only_the_mutant_flies(
    mutant: type[Authority], story: Callable[[Pilot], object]
) -> None:
    def told(authority: Authority) -> Pilot:
        pilot = brought_to(State.READY, authority=authority)
        story(pilot)
        pilot.tick()
        pilot.mode("GUIDED")
        pilot.ticks(2)
        return pilot

    assert faults_of(told(mutant()))
    assert faults_of(told(Authority())) == [] and told(Authority()).guidance.last.setpoint is None


def wait(pilot: Pilot, seconds: float) -> None:
    pilot.t_ns += round(seconds * 1e9)


def word_and_takeover(pilot: Pilot, seconds: float) -> None:
    """In the guided mode: the operator confirms and engages, and so much later the pilot leaves it."""
    pilot.asks("confirm", TARGET)
    pilot.asks("engage")
    wait(pilot, seconds)
    pilot.mode("LOITER")


@pytest.mark.parametrize(("seconds", "flies"), [(0.0, False), (0.04, False), (2.9, False), (3.0, True), (60.0, True)])
def test_a_word_that_the_takeover_overtook_leads_to_nothing(seconds: float, flies: bool) -> None:
    """A pilot who leaves later may do so for the word's sake: to enter the mode again, with which it flies."""
    pilot = Pilot()
    pilot.mode("GUIDED", first=True)
    pilot.tick()
    word_and_takeover(pilot, seconds)
    told = pilot.tick()
    assert (told.state is State.READY, told.idle is not None) == (flies, False)
    assert (Reason.MODE_CHANGED in told.reasons, pilot.guidance.target is None) == (not flies, not flies)
    pilot.mode("GUIDED")
    assert (pilot.tick().setpoint is not None) == flies and faults_of(pilot) == []
    if not flies:  # and a word of the operator's that came after it does
        pilot.mode("LOITER")
        pilot.asks("confirm", TARGET)
        pilot.asks("engage")
        pilot.tick()
        pilot.mode("GUIDED")
        assert pilot.tick().setpoint is not None and faults_of(pilot) == []
