"""The sections of the configuration that command the vehicle: how the way is flown, and the operator's limits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from runtime.config.sections import Section
from runtime.errors import CommandingError
from runtime.freshness import CONSENT, ESTIMATE, SETPOINT
from runtime.guidance.arrival import ArrivalRules
from runtime.guidance.carrot import bounds_agree
from runtime.guidance.flight import GuidanceSettings
from runtime.guidance.limits import Area, Limits
from runtime.guidance.reasons import WAIVABLE
from runtime.guidance.way import RouteKind
from runtime.injection.settings import InjectionSettings, Route
from runtime.sources.drawing import Drawing
from runtime.values import GeoPoint
from runtime.vehicle.config import LOITER_RADIUS_M

LatitudeDeg = Annotated[float, Field(ge=-90, le=90)]
LongitudeDeg = Annotated[float, Field(ge=-180, le=180)]
Waiver = Literal["rc", "fence"]  # the names of `WAIVABLE`
_NEEDED_TO_COMMAND = (
    "polygon",
    "floor_height_takeoff_m",
    "ceiling_height_takeoff_m",
    "max_distance_m",
    "battery_reserve_percent",
)


class GuidanceSection(Section):
    """[guidance]: how the way is flown."""

    yield_to_sticks: bool = Field(
        default=True,
        description="A roll, pitch or yaw stick off its centre takes the vehicle back.",
    )
    cruise_speed_m_s: float = Field(
        default=8.0, gt=0.5, le=40,
        description="Speed of the autopilot in its guided mode, as WPNAV_SPEED has it.",
    )
    deceleration_m_s2: float = Field(
        default=2.5, ge=0.5, le=10,
        description="Deceleration of the autopilot, as WPNAV_ACCEL has it.",
    )
    lead_s: float = Field(
        default=4.0, gt=0, le=5,
        description="How far ahead of the vehicle targets lie; kept within 1.5 stopping distances and 5 s.",
    )
    setpoint_interval_s: float = Field(default=0.3, ge=0.1, le=0.5, description="Between two position targets.")
    setpoint_lifetime_s: float = Field(
        default=SETPOINT.seconds, ge=0.2, le=2,
        description="A position target that is older than this is not sent any more.",
    )
    estimate_max_age_s: float = Field(
        default=ESTIMATE.seconds, gt=0, le=5,
        description="An older estimate of the position commands nothing.",
    )
    route: Literal["direct", "retrace"] = Field(
        default="direct",
        description="The way to the target: straight, or over ground that the history covers, by the shortest way.",
    )
    uncovered_s: float = Field(
        default=10.0, ge=0, le=60,
        description="How long the way may lead over ground without coverage, at cruise_speed_m_s: of `retrace` always, "
        "of `direct` on the camera's position.",
    )
    coast_reserve_s: float = Field(
        default=5.0, ge=0, le=30,
        description="The camera's position without a fix ends the flight, with a hold, this long before it is lost.",
    )
    consent_s: float = Field(
        default=CONSENT.seconds, ge=10, le=3600,
        description="How long after `homing engage` the pilot's switch into the guided mode still starts the flight.",
    )
    arrival_radius_m: float = Field(
        default=3.0, gt=0, le=20,
        description="Distance from the target at which the vehicle has arrived.",
    )
    arrival_speed_m_s: float = Field(default=0.7, gt=0, le=3, description="Speed above which it has not arrived yet.")
    loiter_radius_m: float = Field(
        default=LOITER_RADIUS_M, ge=20, le=1000,
        description="A plane circles its targets, clockwise, at this radius, which is sent with each of them; one that "
        "it cannot bank for it flies wider. All limits are kept with one and a quarter of it and 80 m to spare.",
    )
    hold_s: float = Field(
        default=5.0, ge=0, le=600,
        description="Time at the target before the live view must confirm it.",
    )
    confirm_radius_m: float = Field(
        default=15.0, gt=0, le=100,
        description="A live fix at most this far from the target speaks for the arrival; most of at least two must.",
    )
    confirm_timeout_s: float = Field(
        default=15.0, ge=0, le=600,
        description="How long after the hold the arrival may stay unconfirmed; the vehicle holds either way.",
    )

    @model_validator(mode="after")
    def _can_be_flown(self) -> GuidanceSection:
        if not bounds_agree(self.cruise_speed_m_s, self.deceleration_m_s2):
            raise ValueError(
                "at cruise_speed_m_s, 1.5 stopping distances are longer than 5 s of flight; "
                "lower it or raise deceleration_m_s2"
            )
        return self

    def settings(self) -> GuidanceSettings:
        """The `GuidanceSettings` that the section describes, times in nanoseconds."""
        return GuidanceSettings(
            cruise_speed_m_s=self.cruise_speed_m_s,
            deceleration_m_s2=self.deceleration_m_s2,
            lead_s=self.lead_s,
            setpoint_interval_ns=_ns(self.setpoint_interval_s),
            setpoint_lifetime_ns=_ns(self.setpoint_lifetime_s),
            estimate_max_age_ns=_ns(self.estimate_max_age_s),
            route=RouteKind(self.route),
            uncovered_s=self.uncovered_s,
            coast_reserve_s=self.coast_reserve_s,
            consent_ns=_ns(self.consent_s),
            arrival=ArrivalRules(
                radius_m=self.arrival_radius_m,
                max_speed_m_s=self.arrival_speed_m_s,
                hold_ns=_ns(self.hold_s),
                confirm_radius_m=self.confirm_radius_m,
                confirm_timeout_ns=_ns(self.confirm_timeout_s),
            ),
        )


class InjectionSection(Section):
    """[injection]: whether the autopilot's estimator is fed with the camera's position. While it is fed, the
    autopilot's own failsafe against a lost position sleeps."""

    route: Literal[
        "off", "auto", "odometry", "vision", "gps_input", "global_position", "position_estimate"
    ] = Field(
        default="off",
        description=(
            "`auto`: the route whose sigma, stamp and word of failure this autopilot uses; `odometry`: as external "
            "navigation (ODOMETRY); `vision`: the same by VISION_POSITION_ESTIMATE and VISION_SPEED_ESTIMATE; "
            "`gps_input`: in the form of a satellite receiver; `global_position`: GLOBAL_POSITION_SENSOR; "
            "`position_estimate`: MAV_CMD_EXTERNAL_POSITION_ESTIMATE after each fix. What each needs of the autopilot, "
            "`homing doctor --vehicle` says."
        ),
    )
    source_set: int = Field(
        default=2, ge=1, le=3,
        description="ArduPilot's EKF source set that uses external navigation; it is switched to once GPS is lost or "
        "doubted, and never back.",
    )
    receiver: int = Field(
        default=1, ge=0, le=1,
        description="As which receiver GPS_INPUT is sent: 1 is the second, 0 the autopilot's only one.",
    )
    sensor_id: int = Field(
        default=1, ge=1, le=255,
        description="Our id as a sensor of global positions, as PX4's EKF2_AGP0_ID has it.",
    )
    max_sigma_m: float = Field(
        default=8.0, gt=0, le=50,
        description="A position known less well than this (1-sigma an axis) is not fed.",
    )
    max_fix_age_s: float = Field(
        default=10.0, gt=0, le=60,
        description="Nor one that no fix has spoken for during this time.",
    )
    origin_altitude_amsl_m: float | None = Field(
        default=None, ge=-500, le=9000,
        description="Of the ground: for an autopilot that never had GPS, and so no origin of its own, one is set at "
        "this height. Without it, such an autopilot is not fed.",
    )

    def settings(self) -> InjectionSettings:
        """The `InjectionSettings` that the section describes."""
        return InjectionSettings(
            route=Route(self.route),
            source_set=self.source_set,
            receiver=self.receiver,
            sensor_id=self.sensor_id,
            max_sigma_m=self.max_sigma_m,
            max_fix_age_ns=_ns(self.max_fix_age_s),
            origin_altitude_amsl_m=self.origin_altitude_amsl_m,
        )


class CommandingSection(Section):
    """[commanding]: off unless enabled, and refused without every one of the operator's limits."""

    enabled: bool = Field(default=False, description="Position targets may be sent at all.")
    polygon: tuple[tuple[LatitudeDeg, LongitudeDeg], ...] | None = Field(
        default=None,
        description="Corners of the area that is never left, latitude first.",
    )
    exclusions: tuple[tuple[tuple[LatitudeDeg, LongitudeDeg], ...], ...] = Field(
        default=(),
        description="Areas in it that are never entered, each a list of corners.",
    )
    polygon_file: Path | None = Field(
        default=None,
        description="Instead of both: the geofence of a QGroundControl `.plan`, or the polygon of a `.kml`, `.kmz` or "
        "`.geojson` file, its holes being exclusions. Read once, at start.",
    )
    floor_height_takeoff_m: float | None = Field(
        default=None, ge=2,
        description="Least height above the take-off point.",
    )
    ceiling_height_takeoff_m: float | None = Field(
        default=None, gt=2,
        description="Greatest height above the take-off point.",
    )
    max_distance_m: float | None = Field(default=None, gt=0, description="Greatest distance from the autopilot's home.")
    battery_reserve_percent: float | None = Field(
        default=None, ge=0, le=100,
        description="Below this remaining charge nothing is commanded.",
    )
    waive: tuple[Waiver, ...] = Field(
        default=(),
        description="What need not be known: `rc` (the pilot's receiver and sticks), `fence` (PX4 says nothing of its "
        "own). What is known to be bad is never waived.",
    )

    @model_validator(mode="after")
    def _one_area(self) -> CommandingSection:
        if self.polygon_file is not None and (self.polygon is not None or self.exclusions):
            raise ValueError("give polygon_file, or polygon and exclusions, not both")
        return self

    def with_area_of(self, drawing: Drawing, name: str) -> CommandingSection:
        """The section with the area of a file in place of the file.

        Raises:
            CommandingError: the file holds no area to stay in, or several.
        """
        if len(drawing.inclusions) != 1:
            raise CommandingError(
                f"[commanding] polygon_file {name} holds {len(drawing.inclusions)} areas to stay in; it must be one."
            )
        rings = [tuple((point.latitude_deg, point.longitude_deg) for point in ring)
                 for ring in (*drawing.inclusions, *drawing.exclusions)]  # fmt: skip
        area = {"polygon_file": None, "polygon": rings[0], "exclusions": tuple(rings[1:])}
        return self.model_copy(update=area)

    @property
    def area(self) -> Area | None:
        """Where the operator lets it fly, None where nothing is said. Raises CommandingError where that is no area."""
        if self.polygon is None:
            return None
        return Area(_points(self.polygon), [_points(ring) for ring in self.exclusions])

    def limits(self) -> Limits | None:
        """The operator's limits; None while commanding is off.

        Raises:
            CommandingError: enabled, and a limit is missing or makes no sense.
        """
        if not self.enabled:
            return None
        missing = [name for name in _NEEDED_TO_COMMAND if getattr(self, name) is None]
        if missing:
            raise CommandingError(
                f"[commanding] cannot be enabled without {', '.join(missing)}; every limit is needed."
            )
        area = self.area
        assert area is not None and self.floor_height_takeoff_m is not None
        assert self.ceiling_height_takeoff_m is not None and self.max_distance_m is not None
        assert self.battery_reserve_percent is not None
        if self.ceiling_height_takeoff_m <= self.floor_height_takeoff_m:
            raise CommandingError("[commanding] ceiling_height_takeoff_m must be above floor_height_takeoff_m.")
        return Limits(
            area=area,
            floor_height_takeoff_m=self.floor_height_takeoff_m,
            ceiling_height_takeoff_m=self.ceiling_height_takeoff_m,
            max_distance_m=self.max_distance_m,
            battery_reserve_percent=self.battery_reserve_percent,
            waived=frozenset(WAIVABLE[name] for name in self.waive),
        )


def _points(corners: Sequence[tuple[float, float]]) -> list[GeoPoint]:
    return [GeoPoint(latitude, longitude) for latitude, longitude in corners]


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)
