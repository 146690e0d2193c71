"""`homing doctor --vehicle`: what of the autopilot's parameters, of the link and of our rates stands in the way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import typer

from runtime.cli.output import emit, say, warn
from runtime.clock import MonotonicClock
from runtime.config.config import Config
from runtime.control.client import ask
from runtime.doctor.autopilot import Autopilot, Direct, Seen, ThroughDaemon
from runtime.doctor.finding import Finding
from runtime.doctor.held import Held, held, read
from runtime.doctor.rates import own_findings, stream_findings
from runtime.doctor.saved import Change, SavedParameters, read_saved
from runtime.doctor.transaction import Transaction, Wish
from runtime.doctor.use import figures_of, measured_delay_ms, needs_of, use_of
from runtime.errors import HomingError, NoDaemonError, UsageError
from runtime.values import AidingRoute
from runtime.vehicle.config import VehicleConfig
from runtime.vehicle.link.lines import link_names
from runtime.vehicle.link.opened import Links
from runtime.vehicle.roster import stack_named
from runtime.vehicle.vehicle import Vehicle

_ROUNDS = 3  # a parameter may show only once another is set: VISO_DELAY_MS, once VISO_TYPE is


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for. ``link``: an address in place of the configuration's, asked without the daemon."""

    link: str | None
    apply: bool
    saved: Path | None
    restore: Path | None
    delay_ms: float | None
    as_json: bool


def examine_vehicle(config: Config, options: Options) -> None:
    """Everything that `--vehicle` does; exit status 1 where something is wrong."""
    if options.apply and options.restore is not None:
        raise UsageError("--apply sets parameters and --restore takes them back; say one of them.")
    changing = options.apply or options.restore is not None
    status = _status(config) if options.link is None else None
    if status is not None and changing:
        raise UsageError("a daemon holds the link; stop it, for parameters are set by this command alone.")
    with _autopilot(config, options, through_daemon=status is not None) as autopilot:
        if options.restore is not None:
            assert isinstance(autopilot, Direct)
            _told({"changes": _restored(autopilot, options.restore)}, [], options.as_json)
            return
        seen, rules = _looked(config, autopilot, options, status, rates=not options.apply)
        record: dict[str, Any] = {"stack": seen.stack, "through": "link" if status is None else "daemon"}
        if options.apply:
            assert isinstance(autopilot, Direct)
            record |= _applied(config, autopilot, options)
            seen, rules = _looked(config, autopilot, options, status, rates=True)
    findings = [*_route(config, seen), *(one.finding for one in rules), *stream_findings(seen.streams)]
    if status is not None:
        findings += own_findings(status, needs_of(config, use_of(config, seen)), seen.stack)
    record["findings"] = [asdict(finding) for finding in findings]
    record["parameters"] = [one.as_record() for one in rules]
    _told(record, findings, options.as_json)
    if any(finding.state == "wrong" for finding in findings):
        raise typer.Exit(1)


def _told(record: dict[str, Any], findings: list[Finding], as_json: bool) -> None:
    if as_json:
        emit(record)
        return
    for change in record.get("changes", []):
        reboot = "; it counts after the autopilot was restarted" if change["reboot"] else ""
        say(f"= {change['name']:20} {change['old']:.7g} -> {change['new']:.7g}{reboot}")
    if record.get("saved"):
        say(f"= what they were is in {record['saved']}; `homing doctor --vehicle --restore` takes them back")
    for finding in findings:
        say(finding.line)


def _status(config: Config) -> dict[str, Any] | None:
    """Of the daemon; None where none runs."""
    try:
        return ask(config.control.socket, {"command": "status"})
    except NoDaemonError:
        return None


@contextmanager
def _autopilot(config: Config, options: Options, through_daemon: bool) -> Iterator[Autopilot]:
    if through_daemon:
        yield ThroughDaemon(config.control.socket)
        return
    vehicle, trust, clock = config.vehicle, config.link, MonotonicClock()
    uris = tuple(vehicle.uri) if options.link is None else (options.link,)
    asked = VehicleConfig(
        links=link_names(len(uris)),
        system_id=vehicle.system_id,
        component_id=vehicle.component_id,
        probe_global_position=config.injection.route == AidingRoute.GLOBAL_POSITION.value,
    )
    with Links(uris, clock, vehicle.baud, trust.signing_key, trust.signing_stamp) as links:
        yield Direct(Vehicle(asked), links.by_name, " or ".join(uris), clock, vehicle.answer_within_s)


def _looked(
    config: Config, autopilot: Autopilot, options: Options, status: dict[str, Any] | None, rates: bool = False
) -> tuple[Seen, list[Held]]:
    """First who it is, then the parameters that matter for it."""
    seen = autopilot.look(())
    rules, use = stack_named(seen.stack).parameter_rules, use_of(config, seen)
    seen = read(autopilot, rules, use, rates)
    delay_ms = options.delay_ms
    if delay_ms is None and status is not None:
        delay_ms = measured_delay_ms(status)
    return seen, held(rules, use, figures_of(config, seen, delay_ms), seen)


def _route(config: Config, seen: Seen) -> Iterator[Finding]:
    wanted = AidingRoute(config.injection.route)
    use = use_of(config, seen)
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


def _applied(config: Config, autopilot: Direct, options: Options) -> dict[str, Any]:
    """Sets what is wanted, round by round; the file of the old values is made when there is something to set."""
    transaction: Transaction | None = None
    saved: SavedParameters | None = None
    for _ in range(_ROUNDS):
        seen, rules = _looked(config, autopilot, options, None)
        wishes = [
            Wish(one.parameter, one.wanted, one.rule.reboot)
            for one in rules
            if one.parameter is not None and one.wanted is not None
        ]
        if not wishes:
            break
        if transaction is None:
            saved = SavedParameters(options.saved or _new_file(), seen.stack, seen.system_id)
            transaction = Transaction(autopilot, saved)
        transaction.set(wishes)
    changes = [] if transaction is None else [asdict(change) for change in transaction.done]
    return {"changes": changes, "saved": None if saved is None else str(saved.path)}


def _restored(autopilot: Direct, path: Path) -> list[dict[str, Any]]:
    """The last that was set is taken back first: one may hide the others."""
    seen = autopilot.look(())
    changes = read_saved(path, seen.stack, seen.system_id)
    seen = autopilot.look([change.name for change in changes])
    wishes = [wish for change in reversed(changes) if (wish := _back(change, seen)) is not None]
    transaction = Transaction(autopilot, None)
    try:
        transaction.set(wishes)
    except HomingError:
        for change in transaction.done:
            warn(f"taken back: {change.name} {change.old:g} -> {change.new:g}")
        raise
    return [asdict(change) for change in transaction.done]


def _back(change: Change, seen: Seen) -> Wish | None:
    parameter = seen.parameters.get(change.name)
    if parameter is None or parameter.value == change.old:
        return None
    return Wish(parameter, change.old, change.reboot)


def _new_file() -> Path:
    return Path(f"homing-parameters-{datetime.now(timezone.utc):%Y%m%dT%H%M%SZ}.json")
