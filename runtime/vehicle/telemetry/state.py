"""What is known of the vehicle at one instant: frozen values that the daemon may keep and log."""

from __future__ import annotations

from dataclasses import dataclass, field

from runtime.values import AidingRoute, GeoPoint, Measured, Position
from runtime.vehicle.link.lines import LineHealth
from runtime.vehicle.telemetry.streams import StreamHealth


@dataclass(frozen=True, slots=True)
class GpsState:
    """GPS_RAW_INT: ``fix_type`` as GPS_FIX_TYPE (3 is a 3D fix); accuracies None where not reported. ``position``: the
    receiver's own, whatever the autopilot makes of it; None without a 3D fix."""

    t_ns: int
    fix_type: int
    satellites: int
    horizontal_sigma_m: float | None
    vertical_sigma_m: float | None
    position: Position | None = None


@dataclass(frozen=True, slots=True)
class EstimatorState:
    """EKF_STATUS_REPORT or ESTIMATOR_STATUS: raw ``flags``, judged by the stack's own rules.

    ``position_ratio`` and ``velocity_ratio`` are innovation test ratios: above 1 the estimator rejects.
    """

    t_ns: int
    flags: int
    ok: bool
    gps_glitch: bool
    position_ratio: float
    velocity_ratio: float


@dataclass(frozen=True, slots=True)
class GeoHeight:
    """A point with its AMSL height: home, or the origin of the autopilot's local frame."""

    position: GeoPoint
    altitude_amsl_m: float


@dataclass(frozen=True, slots=True)
class ReportedTarget:
    """What the autopilot says it flies to (POSITION_TARGET_GLOBAL_INT); ``ours``: one that we sent in this mode."""

    t_ns: int
    position: GeoPoint
    altitude_amsl_m: float
    ours: bool


@dataclass(frozen=True, slots=True)
class LinkCounters:
    """What passed and what was thrown away since start."""

    packets: int = 0
    unknown_packets: int = 0
    bad_packets: int = 0
    garbage_bytes: int = 0
    ignored_packets: int = 0  # from other systems and components
    copied_packets: int = 0  # that came twice, counted once
    overtaken_packets: int = 0  # later than those that were sent after them
    own_echoes: int = 0  # of ours, sent back by a router
    unbelieved_packets: int = 0  # of the autopilot, on a line that does not command now
    timesync_rejected: int = 0
    timesync_steps: int = 0
    texts_dropped: int = 0


@dataclass(frozen=True, slots=True)
class Telemetry:
    """What the autopilot's own messages say; None is not heard yet, never zero."""

    armed: bool | None = None
    mode: str | None = None
    mode_number: int | None = None
    guided: bool = False
    system_status: int | None = None  # MAV_STATE
    vehicle_type: int | None = None  # MAV_TYPE
    landed: str | None = None  # "on_ground", "in_air", "taking_off", "landing", "undefined"
    gps: GpsState | None = None
    estimator: EstimatorState | None = None
    prearm_ok: bool | None = None
    battery_remaining: float | None = None  # 0..1
    battery_v: float | None = None
    position: GeoPoint | None = None
    position_t_ns: int | None = None
    altitude_amsl_m: Measured | None = None
    height_takeoff_m: Measured | None = None  # above home
    height_agl_m: Measured | None = None  # by a downward range finder only
    velocity_ned_m_s: tuple[float, float, float] | None = None
    heading: Measured | None = None
    home: GeoHeight | None = None
    origin: GeoHeight | None = None
    unix_offset_ns: int | None = None  # UTC less our clock, by SYSTEM_TIME
    sys_status_t_ns: int | None = None  # arrival of the newest SYS_STATUS
    rc_receiver_ok: bool | None = None  # None: the autopilot does not say that there is one
    sticks_moved: bool | None = None  # roll, pitch or yaw stick off its centre (default channel order)
    sticks_t_ns: int | None = None  # arrival of the newest word of the autopilot on them
    station_sticks_t_ns: int | None = None  # when a ground station's sticks were last seen off their centre
    fence_breached: bool | None = None  # False also where the autopilot says that there is no fence
    failsafes: frozenset[str] = frozenset()
    last_text: str = ""


@dataclass(frozen=True, slots=True)
class VehicleState:
    """A snapshot for guidance, the log and the status output.

    ``connected``: the autopilot has been heard recently. ``commandable`` is about the link only (one known
    autopilot, no rival, clock mapped, required streams healthy); whether to command is guidance's decision.
    """

    t_ns: int
    connected: bool = False
    system_id: int | None = None
    component_id: int | None = None
    stack: str | None = None
    wants_idle_stream: bool = False  # it enters its guided mode, and stays there, only while targets flow
    loiter_radius_m: float | None = None  # at which it circles its targets; None: it stands still there
    entered_here: bool = True  # its guided mode began where it was; False: it has not said so, of one that does
    telemetry: Telemetry = field(default_factory=Telemetry)
    heartbeat_t_ns: int | None = None  # arrival of the autopilot's newest heartbeat
    heartbeat_age_s: float | None = None
    link_age_s: float | None = None
    timesync_offset_ns: int | None = None  # autopilot time = ours + offset
    timesync_rtt_s: float | None = None
    reboots: int = 0
    other_autopilot: tuple[int, int] | None = None
    companion_conflict: bool = False
    target: ReportedTarget | None = None
    target_taken: bool | None = None  # our last target came back as the autopilot's; None: none sent in this mode
    streams: tuple[StreamHealth, ...] = ()
    aiding_routes: tuple[AidingRoute, ...] = ()  # what its estimator may be fed by, the best first
    heartbeat_sent: bool = False  # ours is going out: fed by the daemon's progress
    pending_commands: int = 0
    counters: LinkCounters = LinkCounters()
    lines: tuple[LineHealth, ...] = ()

    @property
    def streams_missing(self) -> tuple[str, ...]:
        """Required streams that do not come, by name."""
        return tuple(s.name for s in self.streams if s.required and s.status not in ("ok", "accepted"))

    @property
    def time_synced(self) -> bool:
        """Whether the autopilot's clock is known by TIMESYNC, rather than by arrival times."""
        return self.timesync_offset_ns is not None

    @property
    def ready(self) -> bool:
        """What arming in GUIDED really needs: the prearm bit *and* an estimator with a position."""
        estimator = self.telemetry.estimator
        return bool(self.telemetry.prearm_ok and estimator is not None and estimator.ok)

    @property
    def problems(self) -> tuple[str, ...]:
        """Why this link may not carry commands, by name; empty when it may."""
        found = []
        if not self.connected:
            found.append("vehicle_silent")
        if self.other_autopilot is not None:
            found.append("second_autopilot")
        if self.companion_conflict:
            found.append("second_companion")
        if not self.time_synced:
            found.append("time_not_synced")
        found.extend(f"stream_{name.lower()}" for name in self.streams_missing)
        return tuple(found)
