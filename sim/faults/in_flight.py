"""Faults that befall a flight on its way to a target: when they begin and end, and how it is seen what came of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from runtime.page.board import Event
from runtime.values import TrackingState
from sim.faults.flight import FaultFlight, Script
from sim.faults.forked import in_a_copy
from sim.faults.row import Outcome
from sim.faults.workshop import Workshop

Act = Callable[[FaultFlight], object]
Seen = Callable[[FaultFlight], bool]
_PAUSE_S = 1.5  # without a target: more than two of its intervals


def nothing(flight: FaultFlight) -> None:
    """Nothing has to be done."""


def well(flight: FaultFlight) -> bool:
    """The camera works and the position is to be flown by."""
    return flight.camera == "ok" and flight.estimate.state is TrackingState.TRACKING


@dataclass(frozen=True, slots=True)
class InFlight:
    """``begin`` and ``end`` act on a flight under way, ``seconds`` apart, and ``each`` every 20 ms between them.

    ``noticed``: a word of what the status page tells of it; empty where there is nothing to notice. ``well``: how it is
    seen that all is in order again. ``quiet_after_s``: from then on, while it lasts, no target may leave;
    ``lost_after_s``: the position is LOST and nothing is fed to the autopilot. ``ends``: whether it has to end the
    flight's authority (True), must not (False), or may.
    """

    begin: Act
    noticed: str = ""
    end: Act = nothing
    seconds: float = 5.0
    each: Act | None = None
    well: Seen = well
    quiet_after_s: float | None = None
    lost_after_s: float | None = None
    ends: bool | None = None
    gps: bool = False
    recover_within_s: float = 12.0

    def __call__(self, workshop: Workshop) -> Outcome:
        """Plays it, in a copy of this process."""
        flight = workshop.under_way(gps=self.gps)
        return in_a_copy(lambda: self.played(flight))

    def played(self, flight: FaultFlight) -> Outcome:
        """What came of it; the flight goes on from there."""
        watch = Watch(flight, self.noticed)
        self.begin(flight)
        flight.run(self._lasting(flight, watch))
        targets, quiet = watch.targets, watch.targets_after(self.quiet_after_s)
        self.end(flight)
        ended_s = watch.passed_s
        flight.run(self._until_well(flight, ended_s, watch))
        recovered_s = watch.passed_s - ended_s if self.well(flight) else None
        flight.run(flight.seconds(1.0))
        failures = [] if recovered_s is not None else [f"not well again within {self.recover_within_s:g} s"]
        if watch.sure_s is not None:
            failures.append(f"a position was believed or fed {watch.sure_s:g} s after nothing was seen any more")
        if self.ends is not None and self.ends != watch.ended:
            failures.append("the flight went on" if self.ends else f"the flight ended: {', '.join(flight.reasons)}")
        return Outcome(
            watch.story(ended_s), targets, watch.without_authority + flight.astray + quiet, watch.noticed_s,
            recovered_s, watch.said(), tuple(failures),
        )  # fmt: skip

    def _lasting(self, flight: FaultFlight, watch: Watch) -> Script:
        while watch.passed_s < self.seconds:
            if self.each is not None:
                self.each(flight)
            if self.lost_after_s is not None and watch.passed_s > self.lost_after_s:
                watch.must_be_lost()
            yield

    def _until_well(self, flight: FaultFlight, ended_s: float, watch: Watch) -> Script:
        while not self.well(flight) and watch.passed_s < ended_s + self.recover_within_s:
            yield


class Watch:
    """Looks on from the instant at which a fault begins."""

    def __init__(self, flight: FaultFlight, word: str = "") -> None:
        self._flight, self._word = flight, word
        self._begun_ns = flight.now_ns()
        self._sent = len(flight.referee.commands)
        self._seq = flight.board.events[-1].seq if flight.board.events else 0
        flight.astray = 0
        self.sure_s: float | None = None  # when it knew last where it is though it could not

    def must_be_lost(self) -> None:
        """Now the position has to be LOST and nothing be fed."""
        if self._flight.fed or self._flight.estimate.state is not TrackingState.LOST:
            self.sure_s = self.passed_s

    @property
    def passed_s(self) -> float:
        """Since then."""
        return self._s(self._flight.now_ns())

    @property
    def times_s(self) -> list[float]:
        """When a command was sent."""
        return [self._s(one.t_ns) for one in self._flight.referee.commands[self._sent :]]

    @property
    def targets(self) -> int:
        """How many commands were sent."""
        return len(self.times_s)

    def targets_after(self, seconds: float | None) -> int:
        """How many of them later than so."""
        return 0 if seconds is None else sum(at_s > seconds for at_s in self.times_s)

    @property
    def without_authority(self) -> int:
        """How many of them nobody had granted."""
        return sum(not one.authorised for one in self._flight.referee.commands[self._sent :])

    @property
    def ended(self) -> bool:
        """Whether the vehicle was given back, or is not ours any more."""
        return self._flight.state not in ("engaged", "ready")

    @property
    def noticed_s(self) -> float | None:
        """When the status page first told of it."""
        found = (self._s(one.t_ns) for one in self._events if self._word and self._word in one.text)
        return next(found, None)

    def said(self) -> tuple[str, ...]:
        """What the status page told."""
        return tuple(dict.fromkeys(one.text for one in self._events))

    def story(self, ended_s: float) -> str:
        """What the daemon did, in words."""
        flight = self._flight
        arrived = flight.daemon.rooms.guidance.last.phase.value in ("holding", "confirmed", "not_confirmed")
        last_s = max((at_s for at_s in self.times_s if at_s <= ended_s), default=0.0)
        if flight.state == "yielded":
            given = [one for one in self._events if one.text.startswith("YIELDED")]
            when = f" after {self._s(given[0].t_ns):.1f} s" if given else ""
            why = given[0].text.partition(": ")[2] if given else ", ".join(flight.reasons)
            return f"sent targets for {last_s:.1f} s, gave the vehicle back{when}: {why}"
        if flight.state != "engaged":
            return f"commands nothing: {flight.state.upper()}"
        if ended_s - last_s > _PAUSE_S and not arrived:
            return f"sent nothing from {last_s:.1f} s on, then flew on"
        return "flew on"

    @property
    def _events(self) -> list[Event]:
        return [one for one in self._flight.board.events if one.seq > self._seq]

    def _s(self, t_ns: int) -> float:
        return round((t_ns - self._begun_ns) * 1e-9, 3)
