"""`homing doctor`: what this computer would fly with, what is missing, and the command that mends it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from runtime.bundle import Bundle
from runtime.cli.doctor_vehicle import Options, examine_vehicle
from runtime.cli.output import emit, say
from runtime.config.config import Config, load_config
from runtime.control.client import ask
from runtime.doctor.finding import Finding
from runtime.embedder.backends import BACKENDS, ORDER, order_here
from runtime.embedder.embedder import Embedder
from runtime.errors import ControlError, HomingError, UsageError
from runtime.machine import cache_directory, this_machine
from runtime.signature import signed_by, verify

_LEAST_FREE_MIB = 1024  # an hour of flight log
_ASK_WITHIN_S = 5.0


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
    findings = list(examined(config, bundle))
    if as_json:
        emit({"findings": [asdict(finding) for finding in findings], "machine": this_machine().as_record()})
    else:
        for finding in findings:
            say(finding.line)
    if any(finding.state == "wrong" for finding in findings):
        raise typer.Exit(1)


def examined(path: Path | None, bundle: Path | None) -> Iterator[Finding]:
    """One finding after the other; what cannot be examined because of an earlier one is left out."""
    machine = this_machine()
    yield Finding("computer", "ok", f"{machine.cpu}, {machine.cores} cores, {machine.system}")
    yield Finding("GPU", "ok", f"{machine.gpu or 'none in sight'}, driver {machine.driver}")
    yield Finding("power mode", "ok", machine.power_mode or "none known")
    config: Config | None = None
    if path is not None:
        try:
            config = load_config(path)
        except HomingError as error:
            yield Finding("configuration", "wrong", str(error))
            return
        yield Finding("configuration", "ok", str(path))
    yield from _bundle(config, bundle)
    yield from _places(config)


def _bundle(config: Config | None, path: Path | None) -> Iterator[Finding]:
    section = None if config is None else config.bundle
    try:
        bundle = Bundle.load(path if section is None else section.path)
    except HomingError as error:
        yield Finding("bundle", "wrong", str(error))
        return
    yield Finding("bundle", "ok", f"{bundle.path}: every file is the one its manifest names")
    yield _signature(bundle, None if section is None else section.signed_by)
    order = order_here() if section is None else section.backends
    try:
        embedder = Embedder(
            bundle,
            threads=None if section is None else section.threads,
            precision=None if section is None else section.precision,
            backends=order,
        )
    except HomingError as error:
        yield Finding("engine", "wrong", str(error))
        return
    for passed in embedder.passed_over:
        yield Finding(passed.backend, "warning", passed.sentence(embedder.backend))
    for name in (name for name in ORDER if name not in order):
        missing = BACKENDS[name].missing()
        yield Finding(name, "note", f"not asked for; {missing or 'nothing is missing for it'}")
    yield Finding("engine", "ok", f"{embedder.precision} on {embedder.backend}")
    yield Finding("parity", "ok", f"cosine >= {embedder.parity:.6f} with the reference, on this computer")


def _signature(bundle: Bundle, required: Path | None) -> Finding:
    try:
        if required is not None:
            return Finding("signature", "ok", f"by {verify(bundle.path, required)}, as required")
        signer = signed_by(bundle.path)
    except HomingError as error:
        return Finding("signature", "wrong", str(error))
    return Finding("signature", "ok", f"{'none' if signer is None else f'by {signer}, unchecked'}; none is required")


def _places(config: Config | None) -> Iterator[Finding]:
    yield _space("cache", cache_directory())
    if config is None:
        return
    yield _space("flight log", config.log.directory)
    try:
        answer = ask(config.control.socket, {"command": "status"}, _ASK_WITHIN_S)
    except ControlError as error:
        yield Finding("daemon", "warning", str(error))
        return
    state = "warning" if answer.get("engine", {}).get("warnings") else "ok"
    yield Finding("daemon", state, f"{answer['state']}, engine {answer.get('engine', {}).get('backend', 'unknown')}")


def _space(what: str, folder: Path) -> Finding:
    nearest = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    free_mib = shutil.disk_usage(nearest).free >> 20
    state = "ok" if free_mib >= _LEAST_FREE_MIB else "warning"
    return Finding(what, state, f"{folder}: {free_mib} MiB free")
