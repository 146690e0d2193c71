"""Makes the flight that `test_recorded.py` replays: `python -m tests.runtime.replay.make_recorded`.

A simulated vehicle over a procedural town, 60 m up, by the word of its camera; near the end its GPS falls silent.
Beside the log lies the history that it began with, without embeddings: a replay makes those of the bundle at hand.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from runtime.camera_model import CameraModel
from runtime.geodesy import offset
from runtime.history.history import History
from runtime.record.recorder import Recorder
from runtime.rotations import ned_from_euler
from runtime.values import Attitude, Frame, Measured, Pose, Position, PositionSource
from sim.camera import SimulatedCamera
from sim.render import renderer_of
from sim.world.world import World
from tests.runtime.replay.flights import Flown, configured, embedder
from tests.runtime.survey.flights import ORIGIN

RECORDED = Path(__file__).parents[2] / "data" / "replay"
LOG, HISTORY = RECORDED / "town.mcap", RECORDED / "town.db"
CAMERA = CameraModel.from_hfov(320, 240, 70.0, delay_s=0.06)
HEIGHT_M = 60.0
_SURVEY_NE_M = [(-25.0, -12.0), (-9.0, -3.0), (7.0, 6.0), (23.0, 15.0)]


def write_survey(path: Path, world: World) -> None:
    """The keyframes of a flight along the way, by a camera of another moment."""
    camera = SimulatedCamera(renderer_of(world, "flight"), CAMERA, seed=8)
    level = ned_from_euler(0.0, 0.0, 0.1)
    bundle = embedder().bundle
    with History.create(path, bundle.embedding_space_id, bundle.name) as history:
        recorder = Recorder(history, embedder(), CAMERA, "survey")
        for k, (north, east) in enumerate(_SURVEY_NE_M):
            t_ns = k * 4_000_000_000
            pose = Pose(t_ns, height_agl_m=Measured(HEIGHT_M, 0.5, "truth"), attitude=Attitude(level, 0.01, "truth"))
            position = Position.circular(offset(ORIGIN, north, east), 1.0, PositionSource.GPS)
            image = camera.capture((north, east, -HEIGHT_M), level)
            recorded = recorder.add(Frame(image, t_ns, "survey", k), pose, position)
            assert recorded.keyframe_id is not None, recorded.reason


def without_embeddings(path: Path) -> None:
    """Leaves the pictures, which every bundle can embed."""
    with closing(sqlite3.connect(path, isolation_level=None)) as history:
        history.execute("DELETE FROM embedding")
        history.execute("DELETE FROM feature")
        history.execute("UPDATE meta SET value = 'none' WHERE key = 'embedding_space_id'")
        history.execute("PRAGMA journal_mode=DELETE")
        history.execute("VACUUM")


def main() -> None:
    """Writes log and history."""
    world = World.generate(17, 400.0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.chdir(folder)  # so that the log names no folder of this computer
        write_survey(Path("town.db"), world)
        config = configured(
            Path("town.db"),
            control={"socket": "control.sock"},
            camera={"uri": "simulated", "width_px": 320, "height_px": 240, "hfov_deg": 70.0, "delay_s": 0.06},
            navigation={"source": "vision"}, record={"enabled": False}, log={"picture_interval_s": 60.0},
        )  # fmt: skip
        camera = SimulatedCamera(renderer_of(world, "flight"), CAMERA, seed=9)
        flown = Flown(folder, config, "all", "town", camera=camera, height_m=HEIGHT_M)
        flown.go(5.0)
        flown.flight.autopilot.set_parameter("SIM_GPS1_ENABLE", 0.0)
        flown.flight.fly(3.0)
        log = flown.close()
        os.chdir("/")
        without_embeddings(folder / "town.db")
        RECORDED.mkdir(parents=True, exist_ok=True)
        shutil.copy(log, LOG)
        shutil.copy(folder / "town.db", HISTORY)


if __name__ == "__main__":
    main()
