"""`homing report`: the page of a flight from its log, with the autopilot's log as the truth where there is one."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from runtime.cli.output import emit, open_on_a_desk, say, warn
from runtime.debrief.flown import Flown
from runtime.debrief.reference import reference
from runtime.debrief.truth import Truth, truth_of
from runtime.errors import UsageError
from runtime.sources.logs.choice import LONGEST, Asked
from runtime.sources.telemetry import read_reference


def report(
    log: Annotated[Path, typer.Argument(metavar="LOG", help="A flight log, an .mcap file; also one that was cut off.")],
    truth: Annotated[Path | None, typer.Option(help="The autopilot's .BIN, .log, .ulg or .tlog, or an .SRT.")] = None,
    out: Annotated[Path | None, typer.Option(help="The page; LOG's name with .html here by default.")] = None,
    vehicle: Annotated[int | None, typer.Option(help="Which vehicle of a .tlog; the longest flight's.")] = None,
    boot: Annotated[int | None, typer.Option(help="Which boot in the truth's log, from 1; the longest.")] = None,
    time_offset_s: Annotated[float | None, typer.Option(help="The truth's time at the flight log's beginning.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Write the page of a flight from its log: errors, delays, every command with its cause, what was in force."""
    asked = Asked(vehicle, boot)
    if truth is None and (asked != LONGEST or time_offset_s is not None):
        raise UsageError("--vehicle, --boot and --time-offset-s speak of the truth's log: give it with --truth.")
    if time_offset_s is not None and not math.isfinite(time_offset_s):
        raise UsageError("--time-offset-s is a number of seconds.")
    page = Path(f"{log.stem}.html") if out is None else out
    if not page.parent.is_dir():
        raise UsageError(f"{page.parent} is no folder; --out names the page in one that is there.")
    flown = Flown.open(log)
    known = truth_of(flown) if truth is None else _read(truth, flown, asked, time_offset_s)

    from runtime.debrief.judged import Judged  # matplotlib takes half a second to load
    from runtime.debrief.page import write_debrief

    judged = Judged.of(flown, known)
    write_debrief(page, judged)
    if as_json:
        emit({**judged.as_json(), "report": str(page)})
        return
    say("\n".join([judged.lead(), *(f"  {what}: {value}" for what, value in judged.facts().items())]))
    say(f"{page}: open it in a browser")
    open_on_a_desk(page)


def _read(path: Path, flown: Flown, asked: Asked, offset_s: float | None) -> Truth:
    said = read_reference(path, asked)
    for note in said.notes:
        warn(note)
    known, how = reference(path, said.track, flown, offset_s)
    warn(f"{path}: {how}.")
    return known
