"""`homing log list|info|recover|export|pin|unpin`: the flight logs of a drone."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from runtime.cli.missing import missing_library
from runtime.cli.output import emit, say
from runtime.errors import StorageError, UsageError
from runtime.flightlog.recover import recover
from runtime.flightlog.space import LoggedFlight, logged_flights, pin
from runtime.flightlog.summary import LogSummary, summary

log_app = typer.Typer(name="log", help="Look into flight logs, mend them, keep them.", no_args_is_help=True)

LogArgument = Annotated[Path, typer.Argument(metavar="LOG", help="A flight log, an .mcap file.")]
DirectoryArgument = Annotated[Path, typer.Argument(metavar="FOLDER", help="[log] directory of the configuration.")]
OutOption = Annotated[Path, typer.Option("--out", help="The new file.")]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


@log_app.command("list")
def list_command(directory: DirectoryArgument, as_json: JsonOption = False) -> None:
    """List the flights in a folder, the oldest first: those give way first, where they are not pinned."""
    flights = _flights(directory)
    if as_json:
        emit({"flights": [{**asdict(one), "files": [str(path) for path in one.files]} for one in flights]})
        return
    for flight in flights:
        say(f"{flight.name}  {flight.size_bytes / 1e6:9.1f} MB{'  pinned' if flight.pinned else ''}")
    say(f"{len(flights)} flights, {sum(flight.size_bytes for flight in flights) / 1e9:.2f} GB")


@log_app.command()
def info(path: LogArgument, as_json: JsonOption = False) -> None:
    """Say what a log holds, when it was made by what, and what of it is lost."""
    found = summary(path)
    if as_json:
        emit(_as_json(path, found))
        return
    say(f"{path}: {'whole' if found.complete and not found.missing else _damage(found)}")
    say(f"began      {found.began:%Y-%m-%d %H:%M:%S} UTC" if found.began else "began      unknown")
    say(f"lasts      {found.duration_s:.1f} s")
    if found.start is not None:
        versions = ", ".join(f"{name} {version}" for name, version in found.start.versions.items())
        say(f"made by    {versions}")
        say(f"history    {found.start.history_keyframes} keyframes at start")
    say(f"frames     {found.frames} kept whole")
    for channel, count in sorted(found.records.items()):
        say(f"  {channel:<12} {count}")


@log_app.command("recover")
def recover_command(path: LogArgument, out: OutOption, as_json: JsonOption = False) -> None:
    """Write a log that was cut off, or is damaged in places, anew: whole, with an index. The old one stays."""
    done = recover(path, out)
    if as_json:
        emit({"out": str(out), **asdict(done)})
        return
    lost = f"; {done.missing} records lay in damaged parts and are lost" if done.missing else ""
    say(f"{out}: {done.records} records and {done.attachments} attachments{lost}")


@log_app.command("export")
def export_command(path: LogArgument, out: OutOption, as_json: JsonOption = False) -> None:
    """Write a log with Foxglove's schemas: pictures, positions on a map, poses, commands, words."""
    try:
        from runtime.flightlog.foxglove import export
    except ModuleNotFoundError as error:
        raise missing_library(error, "foxglove") from None
    topics = export(path, out)
    if as_json:
        emit({"out": str(out), "topics": topics})
        return
    for topic, count in topics.items():
        say(f"{topic:<22} {count}")
    say(f"{out}: open it in Foxglove or rerun")


@log_app.command("pin")
def pin_command(directory: DirectoryArgument, name: Annotated[str, typer.Argument(metavar="FLIGHT")]) -> None:
    """Keep a flight's logs whatever room is needed."""
    _mark(directory, name, True)


@log_app.command("unpin")
def unpin_command(directory: DirectoryArgument, name: Annotated[str, typer.Argument(metavar="FLIGHT")]) -> None:
    """Let a flight's logs give way again."""
    _mark(directory, name, False)


def _mark(directory: Path, name: str, pinned: bool) -> None:
    if name not in {flight.name for flight in _flights(directory)}:
        raise UsageError(f"{directory} holds no flight {name}; `homing log list {directory}` names them.")
    try:
        pin(directory, name, pinned)
    except OSError as error:
        raise StorageError(f"{directory} cannot be written: {error.strerror or error}.") from None
    say(f"{name} is {'pinned' if pinned else 'no longer pinned'}")


def _flights(directory: Path) -> list[LoggedFlight]:
    if not directory.is_dir():
        raise UsageError(f"{directory} is no folder; give [log] directory of the configuration.")
    try:
        return logged_flights(directory)
    except OSError as error:
        raise StorageError(f"{directory} cannot be read: {error.strerror or error}.") from None


def _damage(found: LogSummary) -> str:
    cut = "" if found.complete else "cut off"
    lost = f"{found.missing} records lost in damaged parts" if found.missing else ""
    return ", ".join(word for word in (cut, lost) if word) + "; `homing log recover` makes it whole"


def _as_json(path: Path, found: LogSummary) -> dict[str, Any]:
    return {
        "log": str(path),
        "complete": found.complete,
        "missing": found.missing,
        "began": None if found.began is None else found.began.isoformat(),
        "duration_s": found.duration_s,
        "frames": found.frames,
        "records": dict(sorted(found.records.items())),
        "versions": None if found.start is None else found.start.versions,
    }
