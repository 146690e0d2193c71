"""`homing doctor`: what this computer would fly with, what is missing, and the command that mends it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from runtime.cli.doctor_vehicle import Options, examine_vehicle
from runtime.cli.output import emit, say
from runtime.config.config import load_config
from runtime.counted import counted
from runtime.doctor.finding import Finding
from runtime.doctor.preflight import preflight
from runtime.errors import UsageError
from runtime.machine import this_machine


def doctor(
    config: Annotated[Path | None, typer.Option("--config", help="The daemon's configuration file.")] = None,
    bundle: Annotated[Path | None, typer.Option("--bundle", help="A bundle, where there is no configuration.")] = None,
    vehicle: Annotated[
        bool, typer.Option("--vehicle", help="Check the autopilot, not this computer: parameters, streams, rates.")
    ] = False,
    link: Annotated[
        str | None, typer.Option("--link", help="Address of the autopilot in place of the configuration's.")
    ] = None,
    delay_ms: Annotated[
        float | None,
        typer.Option("--delay-ms", min=0, max=5000, help="From exposure to sending, where no daemon has measured it."),
    ] = None,
    apply: Annotated[
        bool, typer.Option("--apply", help="Set what --vehicle wants; refused while armed, and while a daemon runs.")
    ] = False,
    saved: Annotated[
        Path | None, typer.Option("--saved", help="The file to be made by --apply, of what the parameters were.")
    ] = None,
    restore: Annotated[
        Path | None, typer.Option("--restore", help="Take back what --apply set, from the file that it made.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Check what a flight needs, on this computer or on the autopilot; exit status 1 when something is wrong."""
    if vehicle:
        if config is None:
            raise UsageError("--vehicle needs --config: what stands in the way depends on what is configured.")
        examine_vehicle(load_config(config), Options(link, apply, saved, restore, delay_ms, as_json))
        return
    if link is not None or delay_ms is not None or apply or saved is not None or restore is not None:
        raise UsageError("--link, --delay-ms, --apply, --saved and --restore are of --vehicle.")
    begun_s, findings = time.monotonic(), []
    for finding in preflight(config, bundle):
        findings.append(finding)
        if not as_json:
            say(finding.line)
    took_s = time.monotonic() - begun_s
    if as_json:
        record = {"findings": [asdict(finding) for finding in findings], "machine": this_machine().as_record()}
        emit({**record, "took_s": round(took_s, 1)})
    else:
        say(_lead(findings, took_s))
    if any(finding.state == "wrong" for finding in findings):
        raise typer.Exit(1)


def _lead(findings: Sequence[Finding], took_s: float) -> str:
    states = Counter(finding.state for finding in findings)
    told = f"{states['wrong']} ✗, {counted(states['warning'], 'warning')}, in {took_s:.0f} s"
    if states["wrong"]:
        return f"not ready: {told}"
    return f"nothing of what was looked at stands in the way: {told}"
