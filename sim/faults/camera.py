"""Faults of the camera."""

from __future__ import annotations

import socket
from functools import partial

from runtime.camera.source import open_camera
from runtime.errors import CameraError
from sim.faults import pictures
from sim.faults.flight import FaultFlight
from sim.faults.in_flight import Act, InFlight
from sim.faults.pictures import MS, SECOND
from sim.faults.rig import Spoil, sound
from sim.faults.row import Fault, Outcome
from sim.faults.workshop import Workshop

LOST_S, FROZEN_S = 0.3, 1.0  # how soon it has to be noticed
_LOST_S = 3.0  # after so long without a picture the position is LOST, and nothing is fed to the autopilot
_BLIND_S = 3.2  # after so long without a picture nothing is flown by sight: SIGHT, and what the last target still had


def spoiling(spoil: Spoil) -> Act:
    """From now on this becomes of the frames."""

    def act(flight: FaultFlight) -> None:
        flight.rig.spoil = spoil

    return act


_mend = spoiling(sound)


def _unplug(flight: FaultFlight) -> None:
    flight.rig.unplug("camera /dev/video0 stopped delivering frames.")


def _hang(flight: FaultFlight) -> None:
    flight.rig.spoil = lambda shot: ()


def absent_at_boot(workshop: Workshop) -> Outcome:
    """A real address at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}/stream"
        try:
            open_camera(address).close()
        except CameraError as error:
            said = str(error).replace(str(taken.getsockname()[1]), "PORT")
            return Outcome("does not start; its service manager tries again", said=(said,))
    return Outcome("started", failures=("it started without a camera",))


def _lasting(spoil: Spoil, noticed: str = "", **more: object) -> InFlight:
    return InFlight(spoiling(spoil), noticed, _mend, **more)  # type: ignore[arg-type]


_blinded = partial(_lasting, quiet_after_s=_BLIND_S)
_seen = partial(_lasting, seconds=6.0, ends=False)

FAULTS = (
    Fault("camera_absent", "camera absent at boot", "an address at which nobody listens", absent_at_boot),
    Fault("camera_unplugged", "camera unplugged", "the camera's thread finds no camera, and says so",
          InFlight(_unplug, "no frame has come", _mend, quiet_after_s=_BLIND_S, lost_after_s=_LOST_S), LOST_S),
    Fault("camera_silent", "camera's driver hangs in a read", "no frame comes, and no error",
          InFlight(_hang, "no frame has come", _mend, quiet_after_s=_BLIND_S), LOST_S),
    Fault("camera_frozen", "camera frozen on its last frame", "one picture again and again, with fresh stamps",
          _blinded(pictures.frozen(), "repeats one picture"), FROZEN_S),
    Fault("camera_black", "camera black", "sensor noise about black", _blinded(pictures.level(2.0), "are black"),
          FROZEN_S),
    Fault("camera_covered", "camera covered for 20 s", "sensor noise about black, longer than a position may coast",
          _blinded(pictures.level(2.0), "are black", seconds=20.0, lost_after_s=_LOST_S), FROZEN_S),
    Fault("camera_white", "camera white", "sensor noise about white", _blinded(pictures.level(254.0), "are white"),
          FROZEN_S),
    Fault("camera_upside_down", "camera upside down", "each picture turned by 180°",
          _lasting(pictures.turned_over(), "upside down"), 3.0),
    Fault("camera_smaller", "camera of another resolution", "half the width and height",
          _seen(pictures.resized(0.5))),
    Fault("camera_other_shape", "camera in a mode of another shape", "a quarter of the height is cut off",
          _blinded(pictures.cropped(), "another shape"), FROZEN_S),
    Fault("camera_stamps_backwards", "timestamps backwards", "the stamps run backwards",
          _blinded(pictures.backwards(), "go backwards"), FROZEN_S),
    Fault("camera_stamps_future", "timestamps in the future", "the stamps are 5 s ahead",
          _blinded(pictures.stamped(lambda t_ns: t_ns + 5 * SECOND), "in the future"), FROZEN_S),
    Fault("camera_jitter", "200 ms of jitter", "each frame up to 200 ms late, stamped on arrival",
          _seen(pictures.late(200 * MS))),
    Fault("camera_drops", "dropped frames", "two of three never come", _seen(pictures.lost(0.66))),
    Fault("camera_duplicates", "duplicated frames", "each comes again 30 ms later", _seen(pictures.twice())),
    Fault("camera_corrupt", "corrupt frames", "the lower part of every second one is garbage",
          _seen(pictures.torn())),
    Fault("camera_dirty", "a dirty lens", "soft dark spots over a fifth of the picture", _seen(pictures.dirty())),
    Fault("camera_propeller", "propeller in view", "two blades sweep through a corner", _seen(pictures.propeller())),
)  # fmt: skip
