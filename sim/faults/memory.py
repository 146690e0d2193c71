"""The history that a flight of the matrix remembers: its ground, recorded by the recorder that flies."""

from __future__ import annotations

from pathlib import Path

from runtime.embedder.embedder import Embedder
from runtime.geodesy import offset
from runtime.history.history import History
from runtime.record.recorder import Recorder
from runtime.rotations import ned_from_euler, rotation
from runtime.values import Attitude, Frame, GeoPoint, ImageRGB, Measured, Pose, Position, PositionSource
from sim.faults.ground import Ground
from sim.faults.rig import CAMERA

HOME = GeoPoint(60.45, 22.25)
HEIGHT_M = 60.0
GROUND_AMSL_M = 37.0
START_NE_M, TARGET_NE_M = (-90.0, 0.0), (110.0, 0.0)
_STEP_M = 20.0  # between two keyframes: they overlap by two thirds
_MARGIN_M = 20.0
_LEVEL = ned_from_euler(0.0, 0.0, 0.0)
Point = tuple[float, float]


def remember(path: Path, ground: Ground, embedder: Embedder, poison_m: float = 0.0) -> None:
    """Makes a history at ``path`` of the way from the start to beyond the target, as an earlier flight left it; every
    third keyframe says that it was taken ``poison_m`` north of where it was."""
    with History.create(path, embedder.bundle.embedding_space_id, embedder.bundle.name) as history:
        recorder = Recorder(history, embedder, CAMERA, "an earlier flight", moved=0.1)
        north_m, t_ns = START_NE_M[0] - _MARGIN_M, 0  # 4 s apart: every third instant is a multiple of three
        while north_m <= TARGET_NE_M[0] + _MARGIN_M:
            t_ns += 4_000_000_000
            image = view(ground, (north_m, 0.0))
            wrong_m = poison_m if t_ns % 3 == 0 else 0.0
            recorder.add(Frame(image, t_ns, "earlier", t_ns), _pose(t_ns), _position((north_m + wrong_m, 0.0)))
            north_m += _STEP_M


def view(ground: Ground, at_ne_m: Point) -> ImageRGB:
    """What a level camera sees there, its top to the north."""
    turn = (rotation(_LEVEL) * rotation(CAMERA.body_from_camera)).as_matrix()
    return ground.perspective(CAMERA, turn, (*at_ne_m, -HEIGHT_M))


def _pose(t_ns: int) -> Pose:
    return Pose(
        t_ns, Measured(HEIGHT_M + GROUND_AMSL_M, 2.0, "ekf"), Measured(HEIGHT_M, 1.0, "baro"),
        Measured(HEIGHT_M, 1.0, "flat ground"), Attitude(_LEVEL, 0.02, "vehicle yaw"),
    )  # fmt: skip


def _position(at_ne_m: Point) -> Position:
    return Position.circular(offset(HOME, *at_ne_m), 1.0, PositionSource.GPS)
