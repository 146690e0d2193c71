"""What the drone remembers before a flight by sight: an earlier flight's history, or tiles of a satellite map.

An earlier flight is flown once: scenarios of one world and seed share it, and so does whoever runs one again.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from runtime.debrief.truth import alarms_ns
from runtime.flightlog.flightlog import read_flightlog
from runtime.history.history import History
from runtime.record.map_plan import grid_of
from runtime.record.map_tiles import open_map, record_tile, tiles_of, unusable
from sim.satellite import write_geotiff
from sim.scenario.aircraft import Launcher
from sim.scenario.conditions import Conditions
from sim.scenario.course import Course, Say
from sim.scenario.kept_survey import FlownSurvey, bundle_digest
from sim.scenario.outcome import Recording
from sim.scenario.plan import HEIGHT_M
from sim.scenario.setup import Site
from sim.scenario.sight_outcome import SightOutcome
from sim.scenario.survey import fly_survey
from sim.scenario.truth import note, note_track

REMEMBERED = "survey"  # the name of the flight that recorded it
_PER_TILE = 4  # strides of a map: closer than maps are recorded for flight, as what is known of these flights was
_SEEN_EVERY_NS = 1_500_000_000  # from 100 m: 12 m of flight, of which every second frame is a keyframe


def take_history(site: Site, recorded: Path) -> None:
    """A history that was recorded before, in the same world, as this site's own."""
    shutil.copyfile(recorded, site.history)


def fly_history(
    site: Site, say: Say, launcher: Launcher, met: Conditions, course: Course, outcome: SightOutcome,
    recording: Recording,
) -> None:  # fmt: skip
    """Another flight, with GPS, under the conditions of its own day; it records what it sees.

    One that was flown before is taken as it was kept; one in which something went wrong is not kept.
    """
    launcher, surveys, logs = launcher.meeting(met), site.surveys, site.out / "logs"
    depends_on = None if surveys is None else _depends_on(site, launcher, met)
    if surveys is not None and depends_on is not None:
        flown = surveys.take(depends_on, site.history, logs)
        if flown is not None:
            say(f"the survey was flown before and kept: {surveys.path(depends_on)}; --fresh flies it anew")
            note_track(REMEMBERED, flown.track, outcome, recording)
            recording.logs[REMEMBERED], recording.commands[REMEMBERED] = (logs / f"{REMEMBERED}.mcap",), []
            return
    flown = _flown(site, say, launcher, met, course, outcome, recording)
    if surveys is not None and depends_on is not None and flown.in_order:
        surveys.keep(depends_on, site.history, sorted(logs.glob(f"{REMEMBERED}.*")), flown)


def _flown(
    site: Site, say: Say, launcher: Launcher, met: Conditions, course: Course, outcome: SightOutcome,
    recording: Recording,
) -> FlownSurvey:  # fmt: skip
    run = launcher.launch(site, REMEMBERED, record=True)
    try:
        fly_survey(site, run.flight, say, course, met.height_m, round(_SEEN_EVERY_NS * met.height_m / HEIGHT_M))
    finally:
        run.close()
    note(site, run, REMEMBERED, outcome, recording)
    said = [(t_ns, record) for _, t_ns, record in read_flightlog(run.log_path, ("navigation",))]
    flown = FlownSurvey(run.flight.track, len(alarms_ns(said)), len(run.flight.referee.commands))
    outcome.false_alarms += flown.false_alarms
    outcome.commands_unasked += flown.commands
    return flown


def _depends_on(site: Site, launcher: Launcher, met: Conditions) -> list[str] | None:
    """All that a survey follows from but the code; None where the same flight does not repeat itself."""
    if launcher.repeats is None or site.world.recipe is None:
        return None
    return [
        f"survey over {site.world.recipe}", f"flown by seed {site.seed}", repr(site.plan), met.named, launcher.repeats,
        f"bundle {bundle_digest(site.embedder.bundle)} by {site.embedder.backend}, {site.embedder.precision}",
    ]  # fmt: skip


def cut_map(site: Site, say: Say, course: Course) -> None:
    """The world's satellite image, cut into tiles: all that is remembered where nobody has flown."""
    image = site.out / "map.tif"
    write_geotiff(site.world, image)
    embedder = site.embedder
    with History.create(site.history, embedder.bundle.embedding_space_id, embedder.bundle.name) as history, \
            open_map(image) as opened:  # fmt: skip
        grid = grid_of(opened.size_m, embedder.bundle, None, None, _PER_TILE)
        say(f"cut the satellite map into {len(grid)} tiles")
        for number, tile in enumerate(tiles_of(opened, grid)):
            course.at(number / len(grid))
            if not unusable(tile):
                record_tile(tile, history, embedder, "map")
