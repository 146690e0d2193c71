"""`homing mission upload|download|clear`: the vehicle's mission, over a link of this command's own.

Not through a running daemon: what flies has no way to replace a plan, and need not have one. A serial line that the
daemon holds is busy, and said to be; over UDP or a router both may talk to the vehicle at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from runtime.cli.output import emit, say, warn
from runtime.clock import MonotonicClock
from runtime.config.config import load_config
from runtime.counted import counted
from runtime.errors import UsageError
from runtime.mission.files import check_suffix, read_mission, write_mission
from runtime.mission.session import MissionSession
from runtime.vehicle.link.opened import Links

mission_app = typer.Typer(name="mission", help="Load, read and clear the vehicle's mission.", no_args_is_help=True)

_BAUD = 921_600
_WITHIN_S = 10.0
_Link = Annotated[
    str | None,
    typer.Option("--link", help="serial:DEVICE:BAUD, udpin:HOST:PORT, udpout:HOST:PORT or tcp:HOST:PORT."),
]
_Config = Annotated[Path | None, typer.Option("--config", help="The daemon's configuration: its link and signing key.")]
_System = Annotated[int | None, typer.Option("--system", min=1, max=255, help="The vehicle's MAVLink system.")]
_Within = Annotated[float, typer.Option("--within-s", min=0.1, max=600.0, help="How long the vehicle may be silent.")]
_Armed = Annotated[bool, typer.Option("--while-armed", help="Change the mission of a vehicle that is armed.")]
_Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


@mission_app.command()
def upload(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A .plan or a .waypoints file.")],
    link: _Link = None,
    config: _Config = None,
    system: _System = None,
    within_s: _Within = _WITHIN_S,
    while_armed: _Armed = False,
    as_json: _Json = False,
) -> None:
    """Load a mission, read it back and compare; a vehicle that does not take it keeps the one that it had."""
    mission = read_mission(file)
    with _session(link, config, system, within_s) as session:
        notes = session.upload(mission, while_armed)
        stack = session.stack
    if as_json:
        emit({"uploaded": len(mission.items), "stack": stack, "notes": notes})
        return
    for note in notes:
        warn(note)
    say(f"{counted(len(mission.items), 'item')} of {file} loaded and read back; nothing was started.")


@mission_app.command()
def download(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The .plan or .waypoints file to write.")],
    link: _Link = None,
    config: _Config = None,
    system: _System = None,
    within_s: _Within = _WITHIN_S,
    as_json: _Json = False,
) -> None:
    """Read the vehicle's mission into a file."""
    check_suffix(file)
    with _session(link, config, system, within_s) as session:
        mission = session.download()
    write_mission(mission, file)
    if as_json:
        emit({"downloaded": len(mission.items), "stack": mission.stack, "file": str(file)})
        return
    say(f"{counted(len(mission.items), 'item')} written to {file}.")


@mission_app.command()
def clear(
    link: _Link = None,
    config: _Config = None,
    system: _System = None,
    within_s: _Within = _WITHIN_S,
    while_armed: _Armed = False,
    as_json: _Json = False,
) -> None:
    """Empty the vehicle's mission; its fence and rally points stay."""
    with _session(link, config, system, within_s) as session:
        session.clear(while_armed)
    if as_json:
        emit({"cleared": True})
        return
    say("the vehicle's mission is empty.")


@contextmanager
def _session(
    link: str | None, config: Path | None, system_id: int | None, within_s: float
) -> Iterator[MissionSession]:
    clock = MonotonicClock()
    if link is None and config is None:
        raise UsageError("say how the vehicle is reached: --link ADDRESS, or --config FILE.")
    uris: tuple[str, ...] = () if link is None else (link,)
    baud, key, stamp = _BAUD, None, None
    if config is not None:
        settings = load_config(config)
        uris, baud = uris or settings.vehicle.uri, settings.vehicle.baud
        system_id = system_id or settings.vehicle.system_id
        key = settings.link.signing_key
        stamp = key and key.with_name(key.name + ".mission-stamp")  # of another component than the daemon's
    with Links(uris, clock, baud, key, stamp) as links:
        session = MissionSession(links.by_name, clock, system_id)
        session.find(within_s)
        yield session
