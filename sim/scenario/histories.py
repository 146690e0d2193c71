"""What the drone remembers before a flight by sight: an earlier flight's history, or tiles of a satellite map."""

from __future__ import annotations

import shutil
from pathlib import Path

from runtime.history.history import History
from runtime.record.map_plan import grid_of
from runtime.record.map_tiles import open_map, record_tile, tiles_of, unusable
from sim.satellite import write_geotiff
from sim.scenario.aircraft import Launcher
from sim.scenario.conditions import Conditions
from sim.scenario.course import Course, Say
from sim.scenario.outcome import Outcome, Recording
from sim.scenario.setup import Site
from sim.scenario.survey import fly_survey
from sim.scenario.truth import note

REMEMBERED = "survey"  # the name of the flight that recorded it


def take_history(site: Site, recorded: Path) -> None:
    """A history that was recorded before, in the same world, as this site's own."""
    shutil.copyfile(recorded, site.history)


def fly_history(
    site: Site, say: Say, launcher: Launcher, met: Conditions, course: Course, outcome: Outcome, recording: Recording
) -> None:
    """Another flight, with GPS, under the conditions of its own day; it records what it sees."""
    run = launcher.meeting(met).launch(site, REMEMBERED, record=True)
    try:
        fly_survey(site, run.flight, say, course, met.height_m)
    finally:
        run.close()
    note(site, run, REMEMBERED, outcome, recording)


def cut_map(site: Site, say: Say, course: Course) -> None:
    """The world's satellite image, cut into tiles: all that is remembered where nobody has flown."""
    image = site.out / "map.tif"
    write_geotiff(site.world, image)
    embedder = site.embedder
    with History.create(site.history, embedder.bundle.embedding_space_id, embedder.bundle.name) as history, \
            open_map(image) as opened:  # fmt: skip
        grid = grid_of(opened.size_m, embedder.bundle, None, None)
        say(f"cut the satellite map into {len(grid)} tiles")
        for number, tile in enumerate(tiles_of(opened, grid)):
            course.at(number / len(grid))
            if not unusable(tile):
                record_tile(tile, history, embedder, "map")
