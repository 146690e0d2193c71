"""`homing doctor --vehicle`: what of the autopilot's parameters, of the link and of our rates stands in the way."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import typer

from runtime.cli.output import emit, say, warn
from runtime.config.config import Config
from runtime.doctor.asked import autopilot_of, daemon_status, identity_findings, looked
from runtime.doctor.autopilot import Direct, Seen
from runtime.doctor.finding import Finding
from runtime.doctor.rates import own_findings, stream_findings
from runtime.doctor.saved import Change, SavedParameters, read_saved
from runtime.doctor.transaction import Transaction, Wish
from runtime.doctor.use import needs_of, use_of
from runtime.errors import HomingError, UsageError

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
    status = daemon_status(config) if options.link is None else None
    if status is not None and changing:
        raise UsageError("a daemon holds the link; stop it, for parameters are set by this command alone.")
    with autopilot_of(config, status is not None, options.link) as autopilot:
        if options.restore is not None:
            assert isinstance(autopilot, Direct)
            _told({"changes": _restored(autopilot, options.restore)}, [], options.as_json)
            return
        seen, rules = looked(config, autopilot, options.delay_ms, status, rates=not options.apply)
        record: dict[str, Any] = {"stack": seen.stack, "through": "link" if status is None else "daemon"}
        if options.apply:
            assert isinstance(autopilot, Direct)
            record |= _applied(config, autopilot, options)
            seen, rules = looked(config, autopilot, options.delay_ms, status, rates=True)
    findings = [*identity_findings(config, seen), *(one.finding for one in rules), *stream_findings(seen.streams)]
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


def _applied(config: Config, autopilot: Direct, options: Options) -> dict[str, Any]:
    """Sets what is wanted, round by round; the file of the old values is made when there is something to set."""
    transaction: Transaction | None = None
    saved: SavedParameters | None = None
    for _ in range(_ROUNDS):
        seen, rules = looked(config, autopilot, options.delay_ms, None, rates=False)
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
