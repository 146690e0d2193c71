"""A simulated drone for `homing run`, until it is interrupted."""

from __future__ import annotations

from pathlib import Path

import typer

from runtime.cli.output import emit, say, warn


def serve(
    world: str = typer.Option("procedural", help="`procedural`, or a GeoTIFF to fly over."),
    seed: int = typer.Option(1, min=0, help="The world and the errors follow from it."),
    out: Path = typer.Option(Path("out/serve"), help="Folder for the satellite image and an example configuration."),
    mavlink: str = typer.Option("tcpin:127.0.0.1:5760", help="Where the companion connects."),
    station: str = typer.Option("udpout:127.0.0.1:14550", help="Where a ground station listens."),
    camera_port: int = typer.Option(0, help="Of the motion JPEG stream; 0 takes a free one."),
    fps: float = typer.Option(
        4.0, min=0.1, max=30.0, help="Frames a second; what the machine cannot render is left out."
    ),
    airborne_m: float = typer.Option(0.0, min=0.0, help="Begin hovering at this height instead of on the ground."),
    json: bool = typer.Option(False, "--json", help="The endpoints as one JSON object on stdout."),
) -> None:
    """A simulated drone in real time: MAVLink and a camera stream, until interrupted; hardness is not measured."""
    from sim.serve import ServeOptions, run_server
    from sim.world_choice import open_world

    warn("the world is drawn, which takes some ten seconds the first time; then it says where everything is")
    options = ServeOptions(out, (mavlink, station), camera_port, fps, airborne_m)
    run_server(open_world(world, seed), seed, options, emit if json else _say_endpoints)


def _say_endpoints(endpoints: dict[str, object]) -> None:
    for name, value in endpoints.items():
        say(f"{name}: {value}")
