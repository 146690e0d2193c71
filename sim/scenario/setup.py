"""Puts a world, a vehicle and a daemon together for a scenario."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from runtime.bundle import Bundle
from runtime.camera_model import CameraModel, mount_of
from runtime.config.config import Config
from runtime.daemon.assembly import Assembly, assemble
from runtime.embedder.embedder import Embedder
from runtime.flightlog.flightlog import FlightLog
from runtime.flightlog.keeper import KeptFrames
from runtime.flightlog.records import TruthRecord
from runtime.geodesy import offset
from runtime.guidance.authority import Authority
from runtime.replay.started import started
from runtime.values import GeoPoint
from sim.autopilot.autopilot import Autopilot
from sim.autopilot.config import AutopilotConfig
from sim.camera import SimulatedCamera
from sim.flight import CameraRig, Companion, SimulatedFlight
from sim.latencies import SimulatedLatencies
from sim.overlapped import OverlappedWorkers
from sim.render import Renderer, renderer_of
from sim.satellite import whole_image
from sim.scenario.aircraft import Run
from sim.scenario.conditions import Conditions, Hills
from sim.scenario.kept_survey import KeptSurveys
from sim.scenario.pace import AsFastAsPossible, Pace
from sim.scenario.plan import Point, ScenarioPlan, make_plan
from sim.world.relief import Relief, hills
from sim.world.world import AnyWorld
from sim.world_cache import WorldCache

GROUND_AMSL_M = 37.0  # of every simulated world; the aircraft's own altitude has its own error on top
RELIEF_M = 100.0  # from the lowest ground of a site with hills to the highest
_BORDER_M = 40.0  # the operator's polygon: this much inside the world's edge
_FIX_INTERVAL_S = 1.0
CRUISE_M_S = 8.0
_TRUTH_STEPS = 10  # of 20 ms between two records of the truth: as often as estimates are logged

_DATE_NS = 1_760_000_000 * 1_000_000_000  # of every simulated flight, so that equal seeds write equal logs

MakeAuthority = Callable[[], Authority]


@dataclass(frozen=True, slots=True)
class Site:
    """What the runs of one scenario share: the world and its renderer, the plan, the loaded network, the folder."""

    world: AnyWorld
    plan: ScenarioPlan
    renderer: Renderer
    embedder: Embedder
    seed: int
    out: Path
    cache: WorldCache | None = None
    surveys: KeptSurveys | None = None  # those that were flown before; None: every one is flown

    @classmethod
    def prepare(
        cls, world: AnyWorld, seed: int, out: Path, small: bool = False, cache: WorldCache | None = None,
        surveys: KeptSurveys | None = None,
    ) -> Site:  # fmt: skip
        """Render what has to be rendered once, both dates at a time, and load the default bundle beside that."""
        plan = make_plan(seed, side_ne_m(world), small)
        with ThreadPoolExecutor(2) as pool:
            image = pool.submit(whole_image, world, cache)
            embedder = pool.submit(Embedder, Bundle.load(), threads=1)  # two take a quarter more of the processor
            renderer = renderer_of(world, "flight", cache)
            image.result()
        return cls(world, plan, renderer, embedder.result(), seed, out, cache, surveys)

    @property
    def history(self) -> Path:
        """The history that the survey records and every run searches."""
        return self.out / "history.db"

    def renderer_for(self, conditions: Conditions) -> Renderer:
        """The world as a flight meets it: lit once for a date, over its hills or level."""
        level = renderer_of(self.world, conditions.date, self.cache)
        return level if conditions.hills is Hills.NONE else Renderer(level.scene, self.relief)

    @property
    def relief(self) -> Relief:
        """The hills of this site, for flights that meet them."""
        return hills(self.seed, max(side_ne_m(self.world)), RELIEF_M, self.plan.home)

    def elevation_model(self) -> Path:
        """A file of it, written once."""
        path = self.out / "elevation.tif"
        if not path.exists():
            self.relief.write(path, self.world.origin, GROUND_AMSL_M)
        return path.resolve()

    def seed_of(self, name: str) -> int:
        """The seed of a flight."""
        return self.seed * 100 + sum(name.encode())


class SimulatedClock:
    """Time as the autopilot's steps have it."""

    def __init__(self, autopilot: Autopilot) -> None:
        self._autopilot = autopilot

    def now_ns(self) -> int:
        """The present instant of the simulation."""
        return self._autopilot.t_ns


@dataclass(slots=True)
class SimulatedRun:
    """A `Run` on the simulated clock."""

    flight: SimulatedFlight
    log: FlightLog
    assemblies: list[Assembly]
    workers: list[OverlappedWorkers]  # one for each of them
    origin: GeoPoint  # of the world's own coordinates

    @property
    def log_path(self) -> Path:
        """One log for all daemons of this run."""
        return self.log.mcap_path

    @property
    def log_paths(self) -> tuple[Path, ...]:
        """That one."""
        return (self.log.mcap_path,)

    def close(self) -> None:
        """End the daemon cleanly and put everything on the disk."""
        self.flight.close_daemon()
        for truth in self.flight.track[::_TRUTH_STEPS]:
            self.log.write(truth.t_ns, TruthRecord(offset(self.origin, *truth.ground), truth.height_m))
        for workers, assembly in zip(self.workers, self.assemblies, strict=True):
            workers.close()
            assembly.close()
        self.log.close()


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How the flights of a scenario are made: the latch that their daemons get, the pace, what logs keep, and what
    they meet."""

    make_authority: MakeAuthority = Authority
    pace: Pace = AsFastAsPossible()
    frames: KeptFrames = "pictures"
    conditions: Conditions = Conditions()

    def meeting(self, conditions: Conditions) -> RunOptions:
        """The same under other conditions."""
        return replace(self, conditions=conditions)

    @property
    def repeats(self) -> str | None:
        """See `Launcher`."""
        simulated = isinstance(self.pace, AsFastAsPossible) and self.make_authority is Authority
        return f"logs keep {self.frames} frames" if simulated else None

    def launch(self, site: Site, name: str, record: bool, airborne: Point | None = None) -> Run:
        """See `make_run`."""
        return make_run(site, name, self, record, airborne)


def make_run(site: Site, name: str, options: RunOptions, record: bool, airborne: Point | None = None) -> SimulatedRun:
    """A flight of its own seed per ``name``; ``airborne``: it begins there, hovering, instead of on the ground."""
    seed, conditions = site.seed_of(name), options.conditions
    autopilot = make_autopilot(site.world, site.plan.home, seed, airborne is not None, conditions)
    if airborne is not None:
        north, east = airborne[0] - site.plan.home[0], airborne[1] - site.plan.home[1]
        mode = "LOITER" if conditions.receiver else "ALT_HOLD"
        autopilot.start_in_flight((north, east, -conditions.height_m), mode)
    rig = CameraRig(SimulatedCamera(site.renderer_for(conditions), conditions.camera, seed, conditions.faults), seed)
    clock = SimulatedClock(autopilot)
    log = FlightLog.open(site.out / "logs", clock, unix_ns=_DATE_NS, name=name, frames=options.frames)
    assemblies: list[Assembly] = []
    every_workers: list[OverlappedWorkers] = []

    def start() -> Companion:
        workers = OverlappedWorkers(SimulatedLatencies(seed + len(assemblies)).draw_ns)
        config = daemon_config(site, record, conditions)
        assembly = assemble(config, workers, journal=log, authority=options.make_authority(), embedder=site.embedder)
        log.start(started(config, assembly, flight=name, jobs_inline=True), autopilot.t_ns)
        assemblies.append(assembly)
        every_workers.append(workers)
        return Companion(assembly.daemon, workers.finished)

    flight = SimulatedFlight(autopilot, rig, site.plan.home, start, options.pace, conditions.fed)
    return SimulatedRun(flight, log, assemblies, every_workers, site.world.origin)


def make_autopilot(
    world: AnyWorld, home: Point, seed: int, ready_at_boot: bool = False, conditions: Conditions | None = None
) -> Autopilot:
    """A vehicle on the ground at ``home`` with every sensor error the scenario asks for, and wind."""
    met = conditions or Conditions()
    config = AutopilotConfig(
        home=offset(world.origin, *home), home_altitude_amsl_m=GROUND_AMSL_M, seed=seed,
        wind_ned_m_s=(*met.wind_ne_m_s(seed), 0.0), gust_m_s=met.gust_m_s, clock_offset_ns=7_300_000_000,
        parameters={"WPNAV_SPEED": 100.0 * CRUISE_M_S, **met.parameters},
    )  # fmt: skip
    return Autopilot(config)


def daemon_config(site: Site, record: bool, conditions: Conditions | None = None) -> Config:
    """What the operator of this scenario would have written."""
    sections = daemon_sections(site, record, camera="simulated", vehicle="simulated", conditions=conditions)
    return Config.model_validate(sections)


def daemon_sections(
    site: Site, record: bool, camera: str, vehicle: str, conditions: Conditions | None = None
) -> dict[str, Any]:
    """The same as the sections of a file; ``camera`` and ``vehicle`` are their addresses."""
    return {
        "camera": {"uri": camera, **camera_section((conditions or Conditions()).camera)},
        "vehicle": {"uri": vehicle},
        "history": {"path": str(site.history.resolve())},
        "record": {"enabled": record, "flight": "survey"},
        "fix": {"interval_s": _FIX_INTERVAL_S, **terrain_key(site, conditions)},
        "guidance": {"cruise_speed_m_s": CRUISE_M_S, "route": route_of(conditions or Conditions())},
        "commanding": commanding_section(site.world),
        **(injection_section(conditions) if conditions is not None and conditions.fed else {}),
    }


def terrain_key(site: Site, conditions: Conditions | None) -> dict[str, str]:
    """[fix] terrain of a configuration, for an operator who has the model of the hills below."""
    known = conditions is not None and conditions.hills is Hills.KNOWN
    return {"terrain": str(site.elevation_model())} if known else {}


def route_of(conditions: Conditions) -> str:
    """By sight the straight way home may lead too far over ground that was never seen."""
    return "retrace" if conditions.fed else "direct"


def injection_section(conditions: Conditions) -> dict[str, Any]:
    """[injection] of a configuration, for the autopilot's parameters of these conditions."""
    fed: dict[str, Any] = {"route": "odometry"}
    if not conditions.receiver:
        fed |= {"source_set": 1, "origin_altitude_amsl_m": GROUND_AMSL_M}
    return {"injection": fed}


def camera_section(camera: CameraModel) -> dict[str, object]:
    """[camera] of a configuration, without its uri."""
    return {
        "width_px": camera.width_px,
        "height_px": camera.height_px,
        "fx_px": camera.fx_px,
        "fy_px": camera.fy_px,
        "cx_px": camera.cx_px,
        "cy_px": camera.cy_px,
        "distortion": list(camera.distortion),
        "delay_s": camera.delay_s,
        "pitch_deg": round(mount_of(camera.body_from_camera)[0], 6),
    }


def commanding_section(world: AnyWorld) -> dict[str, object]:
    """[commanding] with limits that fit a world."""
    north, east = (side / 2 - _BORDER_M for side in side_ne_m(world))
    corners = [offset(world.origin, n, e) for n, e in ((-north, -east), (-north, east), (north, east), (north, -east))]
    return {
        "enabled": True,
        "polygon": [[corner.latitude_deg, corner.longitude_deg] for corner in corners],
        "floor_height_takeoff_m": 40.0,
        "ceiling_height_takeoff_m": 120.0,
        "max_distance_m": 2.0 * max(side_ne_m(world)),
        "battery_reserve_percent": 20.0,
    }


def side_ne_m(world: AnyWorld) -> tuple[float, float]:
    """(north, east) side lengths of a world."""
    sides: tuple[float, float] = getattr(world, "side_ne_m", (world.size_m, world.size_m))
    return sides
