"""Faults of what the daemon depends on in flight: towers, processor, memory, the autopilot's line, GPS, itself."""

from __future__ import annotations

from sim.faults.flight import FaultFlight
from sim.faults.forked import in_a_copy
from sim.faults.in_flight import Act, InFlight, Watch, well
from sim.faults.row import Fault, Outcome
from sim.faults.workshop import Workshop

_AUTOPILOT_S = 3.0  # how soon its loss has to be noticed
_TOGGLE_S = 3.0  # GPS comes and goes
_SILENT_S = 2.0  # of the link, after which no target leaves: its last heartbeat is older than a mode may be
_STALL_NS = 700_000_000  # the loop gets the processor once in so long


def _towers(**changed: bool) -> Act:
    def act(flight: FaultFlight) -> None:
        for engine in flight.plan.engines:
            for name, value in changed.items():
                setattr(engine, name, value)

    return act


def _flight(**changed: object) -> Act:
    def act(flight: FaultFlight) -> None:
        for name, value in changed.items():
            setattr(flight, name, value)

    return act


def _toggle(flight: FaultFlight) -> None:
    on = float((flight.now_ns() // round(_TOGGLE_S * 1e9)) % 2)
    if flight.receiver_on != on:
        flight.switch_receiver(on)


def _connected(flight: FaultFlight) -> bool:
    return flight.daemon.rooms.vehicle.state.connected


def _always(flight: FaultFlight) -> bool:
    return True


def restarted(workshop: Workshop) -> Outcome:
    """Killed without a word, and started anew, while the autopilot flies on the camera's position."""
    flight = workshop.under_way()

    def kill() -> Outcome:
        watch = Watch(flight)
        flight.referee.companion_restarted()
        flight.start()
        flight.run(flight.until(lambda: flight.fed and well(flight), 20.0, "fed again"))
        recovered_s = watch.passed_s
        flight.run(flight.seconds(5.0))
        failures = () if flight.state == "monitor" else (f"it came back as {flight.state}",)
        did = f"comes back in {flight.state.upper()}, never engaged, and feeds the autopilot again"
        return Outcome(did, watch.targets, watch.without_authority, None, recovered_s, flight.said, failures)

    return in_a_copy(kill)


FAULTS = (
    Fault("model_nan", "NaN from the towers", "the engine gives NaN for 6 s",
          InFlight(_towers(no_numbers=True), "gave no numbers", _towers(no_numbers=False), seconds=6.0, ends=False),
          3.0),
    Fault("model_slow", "towers four times slower", "every job takes four times as long",
          InFlight(_flight(slower=4.0), "", _flight(slower=1.0), seconds=6.0, ends=False)),
    Fault("processor_starved", "processor starved", "the loop gets the processor every 0.7 s",
          InFlight(_flight(stall_ns=_STALL_NS), "", _flight(stall_ns=0), seconds=5.0)),
    Fault("memory_short", "memory short", "the engine finds no memory for 6 s",
          InFlight(_towers(no_memory=True), "cannot allocate", _towers(no_memory=False), seconds=6.0, ends=False),
          3.0),
    Fault("autopilot_lost", "autopilot lost", "the line is cut for 5 s",
          InFlight(_flight(cut=True), "the autopilot has been silent", _flight(cut=False), well=_connected,
                   quiet_after_s=_SILENT_S, ends=True), _AUTOPILOT_S),
    Fault("gps_comes_and_goes", "GPS coming and going", "the receiver is cut off and back every 3 s",
          InFlight(lambda flight: None, "GPS is lost", lambda flight: flight.switch_receiver(1.0), 15.0, _toggle,
                   well=_always, gps=True), 5.0),
    Fault("daemon_restarted", "daemon killed and restarted in flight", "while the camera feeds the autopilot",
          restarted),
)  # fmt: skip
