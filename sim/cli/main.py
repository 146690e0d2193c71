"""`homing-sim`: whole flights in simulation, and a simulated drone for `homing run` to fly."""

from __future__ import annotations

import signal
import sys
from typing import NoReturn

import typer

from runtime.cli.entry import enter
from sim.cli import faults, made, scenarios, serve

app = typer.Typer(
    name="homing-sim",
    help="A world, a camera and an autopilot: the main job in simulation, and a drone for `homing run`.",
    add_completion=False,
    pretty_exceptions_enable=False,
)
for name, command in scenarios.COMMANDS.items():
    app.command(name)(command)
for command in (made.hardness, made.university, made.acceptance, faults.faults, serve.serve):
    app.command()(command)


def main() -> NoReturn:
    """The console script; without a command it is `return`, with whatever options follow."""
    words = sys.argv[1:]
    if not words or (words[0].startswith("-") and words[0] != "--help"):
        sys.argv.insert(1, "return")
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # so that what was started ends too
    enter(app)
