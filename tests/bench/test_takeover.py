"""A takeover in the middle of everything: the long run is a command, and this one is of the same kind."""

from __future__ import annotations

from runtime.daemon.daemon import Daemon
from runtime.events import Event, LinkBytes, LinkData
from tests.bench.takeover import STRANGER, HoldTakeovers, OffboardTakeovers, Takeovers, targets_in
from tests.runtime.vehicle.peer import MS


def test_nothing_is_sent_once_the_pilots_word_has_been_read() -> None:
    for seed in range(3):
        flight = Takeovers(seed)
        assert flight.engage(), "targets flow before it"
        flight.fly_to_the_next_heartbeat()
        assert flight.interleave() == 0
        assert flight.counts["taken over"] == 1, "it was read"


def test_nothing_is_repeated_in_offboard_once_somebody_elses_word_has_been_read() -> None:
    flight = OffboardTakeovers(0)
    assert flight.engage(), "targets flow before it"
    flight.ways = (STRANGER,)
    flight.fly_to_the_next_heartbeat()
    assert flight.interleave() == 0
    assert flight.counts["taken over"] == 1, "it was read"


def test_no_reposition_follows_the_pilot_who_leaves_hold_in_the_middle_of_one() -> None:
    flight = HoldTakeovers(0)
    assert flight.engage(), "repositions leave before it"
    flight.ways = ("LOITER",)
    flight.fly_to_the_next_heartbeat()
    assert {target.get_type() for target in targets_in(bytes(flight.wire))} == {"COMMAND_INT"}
    assert flight.interleave() == 0
    assert flight.counts["taken over"] == 1, "it was read"


class SlowEar:
    """A daemon that takes the bytes of the link much later than the observer reads them."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon, self._held = daemon, list[Event]()

    def step(self, event: Event) -> list[LinkBytes]:
        if not isinstance(event, LinkData):
            return self._daemon.step(event)
        self._held.append(event)
        return self._daemon.step(self._held.pop(0)) if len(self._held) > 60 else []


def test_a_daemon_that_is_slow_to_hear_is_caught() -> None:
    flight = Takeovers(1)
    assert flight.engage()
    flight.fly_to_the_next_heartbeat()
    flight.daemon = SlowEar(flight.daemon)  # type: ignore[assignment]
    assert flight.interleave(linger_ns=1000 * MS) > 0
