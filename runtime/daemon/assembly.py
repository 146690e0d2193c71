"""From a configuration to a daemon with all its rooms; everything that can be wrong at start is found here."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from runtime.bundle import Bundle
from runtime.camera_model import CameraModel
from runtime.clock import Now
from runtime.computer import ComputerLoad
from runtime.config.config import Config
from runtime.daemon.daemon import Daemon, DaemonSettings
from runtime.daemon.frame_gate import FrameGate
from runtime.daemon.ground_below import FlatGround, GroundBelow, OverTerrain, UnknownGround
from runtime.daemon.perception import PerceptionSettings
from runtime.daemon.rooms import NoRecorder, RecordRoom, Rooms
from runtime.daemon.target_handler import TargetHandler
from runtime.daemon.workers import Workers
from runtime.embedder.embedder import Embedder
from runtime.features.network import FeatureNetwork
from runtime.fix.fixer import Fixer
from runtime.flightlog.flightlog import NullFlightLog
from runtime.flightlog.journal import Journal
from runtime.freshness import SIGHT
from runtime.guidance.authority import Authority
from runtime.guidance.clearance import Clearance
from runtime.guidance.guidance import Guidance
from runtime.history.history import History
from runtime.injection.injection import Injection
from runtime.injection.settings import InjectionSettings
from runtime.localizer.navigation import Navigation, NavigationSource
from runtime.localizer.vision import TrackingLimits, VisionLocalizer
from runtime.matching.gallery import GalleryCache
from runtime.odometry.odometer import Odometer
from runtime.place.locator import Locator
from runtime.record.recorder import Recorder
from runtime.signature import verify
from runtime.terrain import Terrain
from runtime.values import GeoPoint
from runtime.vehicle.vehicle import Vehicle

_GROUND_SAMPLES = 500  # of the remembered ground, for its mean height

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Assembly:
    """A daemon, what runs its towers, and the history that has to be closed after it."""

    daemon: Daemon
    history: History
    embedder: Embedder

    def close(self) -> None:
        """Closes the history; the daemon's own end is `Daemon.close`."""
        self.history.close()


def assemble(
    config: Config,
    workers: Workers,
    *,
    dry_run: bool = False,
    journal: Journal | None = None,
    authority: Authority | None = None,
    embedder: Embedder | None = None,
    stopwatch: Now = lambda: 0,
    flight: str = "flight",
    computer: Callable[[], ComputerLoad | None] = lambda: None,
) -> Assembly:
    """Loads the bundle, opens the history, and wires the rooms.

    ``embedder``: one that is loaded already (it takes a second), of the configured bundle. ``flight``: what
    live keyframes are filed under where the configuration gives no name. ``stopwatch``: measures the deciding thread.
    ``computer``: how loaded this computer is, for the ground.

    Raises:
        CommandingError: commanding is enabled without its limits.
        BundleError: the bundle is missing, damaged or not signed as it must be; or the local features are.
        EmbeddingSpaceError: the history was recorded with towers of another space.
        HistoryError: the history is damaged or of another format.
        StorageError: the history cannot be made or opened.
        ImageError, GeoreferenceError: the elevation model cannot be read, or is of another place.
    """
    limits = config.commanding.limits()
    if limits is not None and limits.waived:
        waived = ", ".join(sorted(reason.value for reason in limits.waived))
        _LOG.warning("[commanding] waive: this is commanded all the same: %s", waived)
    if embedder is None:
        embedder = load_embedder(config)
    features = config.bundle.features
    network = None if features is None else FeatureNetwork.load(features)
    terrain = config.fix.elevation_model([] if limits is None else limits.area.corners)
    history = _history(config, embedder.bundle)
    camera = config.camera.model()
    galleries = GalleryCache(history)  # one for all who search
    rooms = Rooms(
        vehicle=Vehicle(config.vehicle_room()),
        frames=FrameGate(config.camera.delay_s, config.fix.max_pose_wait_s),
        ground=_ground(config, terrain, camera, history),
        fixer=Fixer(history, embedder, camera, galleries=galleries, network=network),
        odometer=Odometer(camera),
        recorder=_recorder(config, history, embedder, camera, flight),
        targets=TargetHandler(
            Locator(history, embedder, galleries=galleries, network=network),
            config.target.any_heading,
            config.target.max_disagreement_m,
            history.coverage,
        ),
        navigation=_navigation(config),
        guidance=Guidance(limits, config.guidance.settings(), authority, Clearance(terrain)),
        workers=workers,
        injection=Injection(InjectionSettings() if dry_run else config.injection.settings()),
        journal=journal or NullFlightLog(),
        computer=computer,
        stopwatch=stopwatch,
        engine=embedder.report,
    )
    return Assembly(Daemon(rooms, _settings(config, dry_run)), history, embedder)


def load_embedder(config: Config) -> Embedder:
    """Loads the configured bundle; raises BundleError where it is not signed as required, or nothing runs it."""
    section = config.bundle
    bundle = Bundle.load(section.path)
    if section.signed_by is not None:
        verify(bundle.path, section.signed_by)
    return Embedder(bundle, section.threads, section.precision, backends=section.backends)


def _history(config: Config, bundle: Bundle) -> History:
    path: Path = config.history.path
    if config.record.enabled:
        return History.append(path, bundle.embedding_space_id, bundle.name)
    return History.open(path, embedding_space_id=bundle.embedding_space_id)


def _ground(config: Config, terrain: Terrain | None, camera: CameraModel, history: History) -> GroundBelow:
    """What the operator knows of the ground."""
    level = FlatGround(config.fix.takeoff_above_ground_m) if config.fix.flat_ground else UnknownGround()
    if terrain is None:
        return level
    centres = history.coverage().centres_deg
    some = centres[:: max(1, len(centres) // _GROUND_SAMPLES)].tolist()
    return OverTerrain(terrain, camera, level, terrain.level([GeoPoint(*one) for one in some]))


def _recorder(
    config: Config, history: History, embedder: Embedder, camera: CameraModel, flight: str
) -> RecordRoom:
    if not config.record.enabled:
        return NoRecorder()
    return Recorder(history, embedder, camera, config.record.flight or flight)


def _navigation(config: Config) -> Navigation:
    section = config.navigation
    limits = TrackingLimits(coast_s=section.coast_s, blind_s=SIGHT.seconds, max_sigma_m=section.max_sigma_m)
    return Navigation(NavigationSource(section.source), VisionLocalizer(limits=limits))


def _settings(config: Config, dry_run: bool) -> DaemonSettings:
    return DaemonSettings(
        dry_run=dry_run,
        yield_to_sticks=config.guidance.yield_to_sticks,
        figures_interval_ns=round(config.ground.figures_interval_s * 1e9),
        perception=PerceptionSettings(
            record=config.record.enabled,
            fix_interval_ns=round(config.fix.interval_s * 1e9),
            any_heading=config.fix.any_heading,
            picture_interval_ns=round(config.log.picture_interval_s * 1e9),
            camera_aspect=config.camera.width_px / config.camera.height_px,
        ),
    )
