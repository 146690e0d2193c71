"""What guidance does with each happening in each state, and what a switch into the guided mode grants after it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from runtime.guidance.authority import Authority
from runtime.guidance.guidance import Guidance
from runtime.guidance.reasons import State
from runtime.values import PositionSource
from sim.authority.happenings import Happening
from sim.authority.pilot import TARGET, Line, Pilot

LASTS_S = 3.0  # longer than any patience of guidance, whose decisions are `_TICK_NS` apart here
_TICK_NS = 500_000_000


@dataclass(frozen=True)
class Outcome:
    """``lines``: the story since it happened. The rest is of when it was over and all was well again: what had been
    sent, where guidance stood, and whether a target was still confirmed and consented to."""

    lines: tuple[Line, ...]
    before: State
    lasting: State
    after: State
    target_stands: bool
    consent_stands: bool
    granted: bool

    @property
    def targets(self) -> int:
        """How many targets led on."""
        return sum(line.setpoint is not None and not line.setpoint.reason.startswith("hold") for line in self.lines)

    @property
    def holds(self) -> int:
        """How many held the vehicle where it was, or at the target."""
        return sum(line.setpoint is not None for line in self.lines) - self.targets

    @property
    def refused(self) -> bool:
        """Whether it was something that the operator asked and did not get."""
        return any(not line.accepted for line in self.lines)

    @property
    def ended_after_s(self) -> float:
        """How long authority stood; infinite where it never ended."""
        begun_ns = self.lines[0].t_ns if self.lines else 0
        ticks = [line for line in self.lines if line.what == "tick"]
        ended = [line.t_ns for line in ticks if line.state is not State.ENGAGED]
        return (ended[0] - begun_ns) * 1e-9 if ended else float("inf")


def brought_to(
    state: State,
    by_sight: bool = False,
    authority: Authority | None = None,
    guidance: type[Guidance] = Guidance,
    streamed: bool = False,
    circling: bool = False,
) -> Pilot:
    """A vehicle and its people in ``state``; MONITOR: a target is confirmed, and nobody engaged."""
    pilot = Pilot(authority, disabled=state is State.DISABLED, guidance=guidance, streamed=streamed, circling=circling)
    pilot.tick_ns = _TICK_NS
    pilot.source = PositionSource.VISION if by_sight else PositionSource.AUTOPILOT
    pilot.to(state)
    if state is State.MONITOR:
        pilot.confirm(TARGET)
        pilot.tick()
    return pilot


def outcome(happening: Happening, state: State, streamed: bool = False, circling: bool = False) -> Outcome:
    """Lets something happen in ``state``, lets it last, and ends it."""
    pilot = brought_to(state, happening.by_sight, streamed=streamed, circling=circling)
    begun = len(pilot.story)
    before = pilot.guidance.last.state
    happening.begin(pilot)
    lasting = pilot.seconds(LASTS_S)[-1].state
    lines = tuple(pilot.story[begun:])
    happening.end(pilot)
    after = pilot.tick().state
    guidance = pilot.guidance
    consent = guidance.granted or guidance.consent_left_ns(pilot.t_ns) is not None
    return Outcome(lines, before, lasting, after, guidance.target is not None, consent, guidance.granted)


@cache
def flies(
    happening: Happening, state: State, mode: str = "GUIDED", lasting: bool = False, again: bool = False
) -> bool:
    """Whether targets leave after something happened in ``state`` and the pilot then entered ``mode``.

    ``lasting``: while it lasts, else when all is well again. ``again``: the operator confirms and engages anew before.
    """
    pilot = brought_to(state, happening.by_sight)
    switched(pilot, happening, mode, lasting, again)
    return any(line.setpoint is not None and not line.setpoint.reason.startswith("hold") for line in _last(pilot))


def switched(pilot: Pilot, happening: Happening, mode: str, lasting: bool = False, again: bool = False) -> None:
    """Plays the story of `flies`."""
    happening.begin(pilot)
    pilot.seconds(0.5 if lasting else LASTS_S)
    if not lasting:
        happening.end(pilot)
        pilot.tick()
    if pilot.vehicle.guided:
        pilot.mode("LOITER")
        pilot.tick()
    if again:
        pilot.asks("confirm", TARGET)
        pilot.asks("engage")
        pilot.tick()
    pilot.mode(mode)
    pilot.seconds(1.0)


def _last(pilot: Pilot) -> Iterator[Line]:
    """The story since the last switch of modes."""
    for line in reversed(pilot.story):
        if line.what in ("mode", "first mode"):
            return
        yield line
