"""The tree of errors that a user can cause; every one is a single sentence: what, where, what to do.

HomingError
├── UsageError            wrong command line: exit status 2
├── ConfigError           a configuration file that cannot be used; names its line
├── ImageError            an image that cannot be read or used
├── GeoreferenceError     a GeoTIFF without (usable) georeference
├── TelemetryError        a telemetry log or photo tag that cannot be used
├── CameraError           a camera URI that does not open or stopped delivering
├── BundleError           a bundle that is missing, damaged or of another version
│   ├── EmbeddingSpaceError   a history and a bundle of different embedding spaces
│   └── EngineError           a backend that cannot run a tower on this computer
├── HistoryError          a history file that is missing, foreign or damaged
│   ├── HistoryBusyError      another program was writing to it for too long
│   ├── CropDamagedError      a keyframe's stored picture cannot be decoded
│   └── KeyframeRefusedError  a keyframe that must not enter a history
├── VehicleError          a vehicle that does not answer or answers what it must not
├── MissionError          a mission file that cannot be used, or a mission that a vehicle did not take
├── ControlError          no daemon at the control socket, or one that refused
│   └── NoDaemonError         no daemon runs there
├── CommandingError       commanding asked for without the limits it needs
├── HardnessError         a simulated world that is too easy or too hard to be flown: exit status 3
└── StorageError          a disk that is full or cannot be written
"""


class HomingError(Exception):
    """Base of everything a user can cause; ``str(error)`` is one sentence for people."""

    exit_status = 1


class UsageError(HomingError):
    """The command line is wrong."""

    exit_status = 2


class ConfigError(HomingError):
    """A configuration file cannot be used; the message names the file and the line."""


class ImageError(HomingError):
    """An image cannot be read, or holds nothing to match."""


class GeoreferenceError(HomingError):
    """A GeoTIFF carries no usable georeference."""


class TelemetryError(HomingError):
    """A telemetry log or a photo's tags cannot be used."""


class CameraError(HomingError):
    """A camera does not open, or stopped delivering frames."""


class BundleError(HomingError):
    """A bundle is missing, damaged, or of a version this program does not read."""


class EmbeddingSpaceError(BundleError):
    """A history was recorded in another embedding space than the bundle's."""


class EngineError(BundleError):
    """A backend cannot run a tower on this computer: a library, a GPU or a built engine is missing or another."""


class HistoryError(HomingError):
    """A history file is missing, foreign or damaged."""


class HistoryBusyError(HistoryError):
    """Another program was writing to a history for longer than a write may wait; nothing was stored."""


class CropDamagedError(HistoryError):
    """The picture that is stored of a keyframe cannot be decoded."""


class KeyframeRefusedError(HistoryError):
    """A keyframe must not enter a history; ``reason`` says why, and nothing was stored."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"a keyframe was refused: {reason}.")
        self.reason = reason


class VehicleError(HomingError):
    """The vehicle does not answer, or is not one that may be commanded."""


class MissionError(HomingError):
    """A mission file cannot be used, or a vehicle did not take a mission, or not as it was sent."""


class ControlError(HomingError):
    """No daemon answers at the control socket, or it answered with a refusal."""


class NoDaemonError(ControlError):
    """Nobody listens at the control socket."""


class CommandingError(HomingError):
    """Commanding was asked for without the limits that it needs."""


class DrawingError(HomingError):
    """A file of areas and points that an operator drew cannot be read, or does not hold what is asked of it."""


class CalibrationError(HomingError):
    """A camera cannot be calibrated from what was given; the message says what to film instead."""


class HardnessError(HomingError):
    """A simulated world is too easy or too hard to be flown in."""

    exit_status = 3


class StorageError(HomingError):
    """A disk is full or cannot be written."""
