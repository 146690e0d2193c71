"""The configuration of the daemon: one TOML file, every key validated, nothing unknown let through.

Keys carry their unit; paths are relative to the file. See ``deploy/homing.toml`` for an example with comments.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from runtime.camera_model import CameraModel, body_from_mount
from runtime.config.file import Problem, TomlFile
from runtime.control.client import default_socket
from runtime.errors import CommandingError, ConfigError
from runtime.guidance.arrival import ArrivalRules
from runtime.guidance.carrot import bounds_agree
from runtime.guidance.flight import GuidanceSettings
from runtime.guidance.limits import Area, Limits
from runtime.values import GeoPoint

LatitudeDeg = Annotated[float, Field(ge=-90, le=90)]
LongitudeDeg = Annotated[float, Field(ge=-180, le=180)]
_NEEDED_TO_COMMAND = (
    "polygon",
    "floor_height_takeoff_m",
    "ceiling_height_takeoff_m",
    "max_distance_m",
    "battery_reserve_percent",
)


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class CameraSection(_Section):
    """[camera]: where frames come from, and the camera as geometry."""

    uri: str
    width_px: int = Field(gt=15, le=16384)
    height_px: int = Field(gt=15, le=16384)
    hfov_deg: float | None = Field(default=None, ge=1, le=179)
    fx_px: float | None = Field(default=None, gt=0)
    fy_px: float | None = Field(default=None, gt=0)
    cx_px: float | None = None
    cy_px: float | None = None
    distortion: tuple[float, float, float, float, float] = (0.0, 0.0, 0.0, 0.0, 0.0)
    pitch_deg: float = Field(default=-90.0, ge=-180, le=180)
    roll_deg: float = Field(default=0.0, ge=-180, le=180)
    yaw_deg: float = Field(default=0.0, ge=-360, le=360)
    delay_s: float = Field(default=0.0, ge=-0.5, le=2.0)

    @model_validator(mode="after")
    def _one_way_to_say_it(self) -> CameraSection:
        intrinsics = (self.fx_px, self.fy_px, self.cx_px, self.cy_px)
        if self.hfov_deg is None and None in intrinsics:
            raise ValueError("give hfov_deg, or all of fx_px, fy_px, cx_px and cy_px")
        if self.hfov_deg is not None and any(value is not None for value in intrinsics):
            raise ValueError("give either hfov_deg or fx_px, fy_px, cx_px and cy_px, not both")
        return self

    def model(self) -> CameraModel:
        """The camera as the rooms take it."""
        mount = body_from_mount(self.pitch_deg, self.roll_deg, self.yaw_deg)
        if self.hfov_deg is not None:
            plain = CameraModel.from_hfov(self.width_px, self.height_px, self.hfov_deg)
            fx, fy, cx, cy = plain.fx_px, plain.fy_px, plain.cx_px, plain.cy_px
        else:
            assert self.fx_px and self.fy_px and self.cx_px is not None and self.cy_px is not None
            fx, fy, cx, cy = self.fx_px, self.fy_px, self.cx_px, self.cy_px
        return CameraModel(
            self.width_px, self.height_px, fx, fy, cx, cy, self.distortion, mount, self.delay_s
        )  # fmt: skip


class VehicleSection(_Section):
    """[vehicle]: the MAVLink endpoint and who is who on it."""

    uri: str
    baud: int = Field(default=921600, gt=0)
    system_id: int | None = Field(default=None, ge=1, le=255)  # none: the first autopilot heard
    component_id: int = Field(default=191, ge=1, le=255)  # MAV_COMP_ID_ONBOARD_COMPUTER
    answer_within_s: float = Field(default=10.0, gt=0, le=600)  # at start


BackendName = Literal["tensorrt", "onnxruntime-tensorrt", "onnxruntime-cuda", "onnxruntime-cpu"]


class BundleSection(_Section):
    """[bundle]: which bundle, whose, and what runs it."""

    path: Path | None = None  # none: the one shipped with the package
    signed_by: Path | None = None  # the public key that must have signed it; none: unsigned will do
    backends: tuple[BackendName, ...] = Field(default=get_args(BackendName), min_length=1)  # in order of preference
    threads: int | None = Field(default=None, ge=1, le=64)  # none: as many as suit the computer
    precision: Literal["fp32", "fp16", "int8"] | None = None  # none: float16 on a GPU, float32 on a CPU


class HistorySection(_Section):
    """[history]: the flight history that is recorded into and searched."""

    path: Path


class RecordSection(_Section):
    """[record]: live recording; it pauses from the moment a target is confirmed."""

    enabled: bool = False
    flight: str | None = None  # none: named as the flight log is


class FixSection(_Section):
    """[fix]: how often the live view is matched against the history."""

    interval_s: float = Field(default=0.0, ge=0, le=3600)  # 0: as often as the computer can
    any_heading: bool = False
    max_pose_wait_s: float = Field(default=0.5, gt=0, le=5)
    flat_ground: bool = True  # without a range finder the ground is taken to lie at take-off height


class TargetSection(_Section):
    """[target]: what is taken for an answer when a target image is located."""

    any_heading: bool = False
    max_disagreement_m: float = Field(default=50.0, gt=0)  # between a GeoTIFF's own position and the match


class GuidanceSection(_Section):
    """[guidance]: how the way is flown."""

    yield_to_sticks: bool = True  # a stick off its centre is a pilot who wants the vehicle
    cruise_speed_m_s: float = Field(default=8.0, gt=0.5, le=40)
    deceleration_m_s2: float = Field(default=2.5, ge=0.5, le=10)
    lead_s: float = Field(default=4.0, gt=0, le=5)
    setpoint_interval_s: float = Field(default=0.3, ge=0.1, le=0.5)
    setpoint_lifetime_s: float = Field(default=1.0, ge=0.2, le=2)
    estimate_max_age_s: float = Field(default=1.0, gt=0, le=5)
    arrival_radius_m: float = Field(default=3.0, gt=0, le=20)
    arrival_speed_m_s: float = Field(default=0.7, gt=0, le=3)
    hold_s: float = Field(default=5.0, ge=0, le=600)
    confirm_radius_m: float = Field(default=15.0, gt=0, le=100)
    confirm_timeout_s: float = Field(default=15.0, ge=0, le=600)

    @model_validator(mode="after")
    def _can_be_flown(self) -> GuidanceSection:
        if not bounds_agree(self.cruise_speed_m_s, self.deceleration_m_s2):
            raise ValueError(
                "at cruise_speed_m_s, 1.5 stopping distances are longer than 5 s of flight; "
                "lower it or raise deceleration_m_s2"
            )
        return self

    def settings(self) -> GuidanceSettings:
        """The same, in guidance's own units."""
        return GuidanceSettings(
            cruise_speed_m_s=self.cruise_speed_m_s,
            deceleration_m_s2=self.deceleration_m_s2,
            lead_s=self.lead_s,
            setpoint_interval_ns=_ns(self.setpoint_interval_s),
            setpoint_lifetime_ns=_ns(self.setpoint_lifetime_s),
            estimate_max_age_ns=_ns(self.estimate_max_age_s),
            arrival=ArrivalRules(
                radius_m=self.arrival_radius_m,
                max_speed_m_s=self.arrival_speed_m_s,
                hold_ns=_ns(self.hold_s),
                confirm_radius_m=self.confirm_radius_m,
                confirm_timeout_ns=_ns(self.confirm_timeout_s),
            ),
        )


class CommandingSection(_Section):
    """[commanding]: off unless enabled, and refused without every one of the operator's limits."""

    enabled: bool = False
    polygon: tuple[tuple[LatitudeDeg, LongitudeDeg], ...] | None = None  # corners, latitude first
    floor_height_takeoff_m: float | None = Field(default=None, ge=2)
    ceiling_height_takeoff_m: float | None = Field(default=None, gt=2)
    max_distance_m: float | None = Field(default=None, gt=0)  # from the autopilot's home
    battery_reserve_percent: float | None = Field(default=None, ge=0, le=100)

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
        assert self.polygon is not None and self.floor_height_takeoff_m is not None
        assert self.ceiling_height_takeoff_m is not None and self.max_distance_m is not None
        assert self.battery_reserve_percent is not None
        if self.ceiling_height_takeoff_m <= self.floor_height_takeoff_m:
            raise CommandingError("[commanding] ceiling_height_takeoff_m must be above floor_height_takeoff_m.")
        return Limits(
            area=Area([GeoPoint(latitude, longitude) for latitude, longitude in self.polygon]),
            floor_height_takeoff_m=self.floor_height_takeoff_m,
            ceiling_height_takeoff_m=self.ceiling_height_takeoff_m,
            max_distance_m=self.max_distance_m,
            battery_reserve_percent=self.battery_reserve_percent,
        )


class ControlSection(_Section):
    """[control]: the local socket of `homing target|confirm|engage|disengage|status`."""

    socket: Path = Field(default_factory=default_socket)


class LogSection(_Section):
    """[log]: where the flight log goes; one file per run."""

    directory: Path = Path("logs")


class Config(_Section):
    """The whole file."""

    camera: CameraSection
    vehicle: VehicleSection
    history: HistorySection
    bundle: BundleSection = BundleSection()
    record: RecordSection = RecordSection()
    fix: FixSection = FixSection()
    target: TargetSection = TargetSection()
    guidance: GuidanceSection = GuidanceSection()
    commanding: CommandingSection = CommandingSection()
    control: ControlSection = ControlSection()
    log: LogSection = LogSection()


def load_config(path: Path | str) -> Config:
    """Reads and validates a configuration; its relative paths are made relative to the file's folder.

    Raises:
        ConfigError: unreadable, not TOML, an unknown key, a missing one or a value out of range; names the line.
        CommandingError: commanding enabled without the limits it needs.
    """
    file = TomlFile.read(Path(path))
    try:
        config = Config.model_validate(file.data)
    except ValidationError as error:
        problems = [_problem(dict(one)) for one in error.errors()]
        raise ConfigError(file.sentence(problems, _keys_at)) from None
    _check_limits(file, config)
    return _resolved(config, Path(path).resolve().parent)


def _check_limits(file: TomlFile, config: Config) -> None:
    try:
        config.commanding.limits()
    except CommandingError as error:
        raise CommandingError(f"{file.path} line {file.line_of(('commanding',))}: {error}") from None


def _problem(error: dict[str, Any]) -> Problem:
    return Problem(tuple(error["loc"]), str(error["type"]), str(error["msg"]))


def _keys_at(section: tuple[str | int, ...]) -> tuple[str, ...]:
    """The valid keys of a section, () for the file itself."""
    if not section:
        return tuple(Config.model_fields)
    field = Config.model_fields.get(str(section[0]))
    kind = field.annotation if field is not None else None
    return tuple(kind.model_fields) if isinstance(kind, type) and issubclass(kind, BaseModel) else ()


def _resolved(config: Config, folder: Path) -> Config:
    def at(path: Path) -> Path:
        return folder / path.expanduser()

    paths = {"path": config.bundle.path, "signed_by": config.bundle.signed_by}
    bundle = {name: None if path is None else at(path) for name, path in paths.items()}
    return config.model_copy(
        update={
            "history": config.history.model_copy(update={"path": at(config.history.path)}),
            "control": config.control.model_copy(update={"socket": at(config.control.socket)}),
            "log": config.log.model_copy(update={"directory": at(config.log.directory)}),
            "bundle": config.bundle.model_copy(update=bundle),
        }
    )


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)
