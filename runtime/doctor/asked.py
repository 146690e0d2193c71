"""The autopilot asked: over a link that is opened for it, or through the daemon that holds the link."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from runtime.clock import MonotonicClock
from runtime.config.config import Config
from runtime.control.client import ask
from runtime.doctor.autopilot import Autopilot, Direct, Seen, ThroughDaemon
from runtime.doctor.finding import Finding
from runtime.doctor.held import Held, held, read
from runtime.doctor.use import figures_of, measured_delay_ms, use_of
from runtime.errors import NoDaemonError
from runtime.values import AidingRoute
from runtime.vehicle.config import VehicleConfig
from runtime.vehicle.link.lines import link_names
from runtime.vehicle.link.opened import Links
from runtime.vehicle.roster import stack_named
from runtime.vehicle.vehicle import Vehicle


def daemon_status(config: Config, within_s: float = 60.0) -> dict[str, Any] | None:
    """Of the daemon; None where none runs. Raises ControlError where it is another user's, or does not answer."""
    try:
        return ask(config.control.socket, {"command": "status"}, within_s)
    except NoDaemonError:
        return None


@contextmanager
def autopilot_of(
    config: Config, through_daemon: bool, link: str | None = None, answer_within_s: float | None = None
) -> Iterator[Autopilot]:
    """Whoever can be asked; ``link``: an address in place of the configuration's, ``answer_within_s`` likewise."""
    if through_daemon:
        yield ThroughDaemon(config.control.socket)
        return
    vehicle, trust, clock = config.vehicle, config.link, MonotonicClock()
    uris = tuple(vehicle.uri) if link is None else (link,)
    asked = VehicleConfig(
        links=link_names(len(uris)),
        system_id=vehicle.system_id,
        component_id=vehicle.component_id,
        probe_global_position=config.injection.route == AidingRoute.GLOBAL_POSITION.value,
    )
    patience_s = vehicle.answer_within_s if answer_within_s is None else answer_within_s
    with Links(uris, clock, vehicle.baud, trust.signing_key, trust.signing_stamp) as links:
        yield Direct(Vehicle(asked), links.by_name, " or ".join(uris), clock, patience_s)


def looked(
    config: Config, autopilot: Autopilot, delay_ms: float | None, status: dict[str, Any] | None, rates: bool
) -> tuple[Seen, list[Held]]:
    """First who it is, then the parameters that matter for it; ``status`` of the daemon, where one runs."""
    seen = autopilot.look(())
    rules, use = stack_named(seen.stack).parameter_rules, use_of(config, seen)
    seen = read(autopilot, rules, use, rates)
    if delay_ms is None and status is not None:
        delay_ms = measured_delay_ms(status)
    return seen, held(rules, use, figures_of(config, seen, delay_ms), seen)


def identity_findings(config: Config, seen: Seen) -> Iterator[Finding]:
    """Who answers, whether anybody else does, and by which route it may be fed."""
    wanted, use = AidingRoute(config.injection.route), use_of(config, seen)
    yield Finding("autopilot", "ok" if seen.routes else "wrong", f"{seen.stack}, system id {seen.system_id}")
    if seen.rivals:
        told = "a second autopilot, or another companion with our id, is on it; another daemon?"
        yield Finding("link", "wrong", told)
    if wanted is AidingRoute.OFF:
        yield Finding("route", "note", "[injection] route is off: the estimator is not fed")
    elif use.route in seen.routes:
        yield Finding("route", "ok", use.route.value)
    else:
        others = ", ".join(route.value for route in seen.routes) or "none"
        yield Finding("route", "wrong", f"{wanted.value} is not taken by this autopilot, which takes {others}")
