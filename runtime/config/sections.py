"""The sections of the daemon's configuration that command nothing: every key with its unit, limits and default.

The page docs/configuration.md is made from these models; `runtime.config.flying` has the other two.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from runtime.camera_model import CameraModel, body_from_mount
from runtime.control.client import default_socket
from runtime.freshness import POSE_WAIT
from runtime.terrain import Datum, Terrain
from runtime.values import GeoPoint


class Section(BaseModel):
    """A table of the file: no unknown keys, no NaN, and nothing changes once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class CameraSection(Section):
    """[camera]: where frames come from, and the camera as geometry."""

    uri: str = Field(
        description=(
            "A device (`/dev/video0`), an `rtsp://` or `http://` (motion JPEG) address, `gst:PIPELINE`, a video "
            "file, or a folder of images."
        ),
    )
    width_px: int = Field(gt=15, le=16384, description="Width of the frames.")
    height_px: int = Field(gt=15, le=16384, description="Height of the frames.")
    hfov_deg: float | None = Field(
        default=None, ge=1, le=179,
        description=(
            "Field of view across the image's width, of a lens without distortion worth naming; not together with"
            " `fx_px` and its like."
        ),
    )
    fx_px: float | None = Field(default=None, gt=0, description="Focal length across the width, of a calibrated lens.")
    fy_px: float | None = Field(default=None, gt=0, description="Focal length across the height, of a calibrated lens.")
    cx_px: float | None = Field(default=None, description="Column of the principal point, from the image's left edge.")
    cy_px: float | None = Field(default=None, description="Row of the principal point, from the image's top edge.")
    distortion: tuple[float, float, float, float, float] = Field(
        default=(0.0, 0.0, 0.0, 0.0, 0.0),
        description="OpenCV's k1, k2, p1, p2, k3.",
    )
    pitch_deg: float = Field(
        default=-90.0, ge=-180, le=180,
        description="Mount: -90 looks straight down with the image's top towards the nose, 0 looks ahead.",
    )
    roll_deg: float = Field(default=0.0, ge=-180, le=180, description="Mount: turn about the nose's axis.")
    yaw_deg: float = Field(
        default=0.0, ge=-360, le=360,
        description="Mount: turn about the vertical axis, clockwise from the nose.",
    )
    delay_s: float = Field(default=0.0, ge=-0.5, le=2.0, description="From exposure to the frame's stamp.")

    @model_validator(mode="after")
    def _one_way_to_say_it(self) -> CameraSection:
        intrinsics = (self.fx_px, self.fy_px, self.cx_px, self.cy_px)
        if self.hfov_deg is None and None in intrinsics:
            raise ValueError("give hfov_deg, or all of fx_px, fy_px, cx_px and cy_px")
        if self.hfov_deg is not None and any(value is not None for value in intrinsics):
            raise ValueError("give either hfov_deg or fx_px, fy_px, cx_px and cy_px, not both")
        return self

    def model(self) -> CameraModel:
        """The `CameraModel` that the section describes."""
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


def _listed(value: Any) -> Any:
    """One text is a list of one."""
    return value if isinstance(value, list | tuple) else (value,)


class VehicleSection(Section):
    """[vehicle]: the MAVLink endpoint and who is who on it."""

    uri: Annotated[tuple[str, ...], BeforeValidator(_listed)] = Field(
        min_length=1, max_length=4,
        description="`serial:DEVICE:BAUD`, `udpin:HOST:PORT`, `udpout:HOST:PORT` or `tcp:HOST:PORT`; a list of them "
        "where several lines lead to the vehicle and no router joins them: the first one is used while it carries.",
    )
    baud: int = Field(default=921600, gt=0, description="Of a serial line whose address names none.")
    system_id: int | None = Field(
        default=None, ge=1, le=255,
        description="MAVLink system of the vehicle; without it, the first autopilot that is heard.",
    )
    component_id: int = Field(
        default=191, ge=1, le=255,
        description="Our own MAVLink component; 191 is MAV_COMP_ID_ONBOARD_COMPUTER.",
    )
    px4_guided_mode: Literal["offboard", "hold"] = Field(
        default="offboard",
        description="The mode whose switch grants a PX4: `offboard`, which lasts while targets flow, or `hold`, where "
        "each target is a reposition; a change to Hold grants only from a mode that is flown by hand.",
    )
    answer_within_s: float = Field(
        default=10.0, gt=0, le=600,
        description="How long the vehicle may be silent at start; after that a silent vehicle is waited for.",
    )



class LinkSection(Section):
    """[link]: how the packets of the vehicle link are trusted."""

    signing_key: Path | None = Field(
        default=None,
        description="File of mode 0600 with the MAVLink 2 signing key: 64 hexadecimal digits, or `passphrase:` and the "
        "words that MAVProxy or Mission Planner were given. With it all that is sent is signed, and what comes without "
        "a right signature is not heard.",
    )
    signing_stamp: Path | None = Field(
        default=None,
        description="File that keeps the signing stamps over restarts; without it, the key's name with `.stamp`.",
    )

    @model_validator(mode="after")
    def _a_stamp_is_of_a_key(self) -> LinkSection:
        if self.signing_stamp is not None and self.signing_key is None:
            raise ValueError("signing_stamp says nothing without signing_key")
        return self


BackendName = Literal["tensorrt", "onnxruntime-tensorrt", "onnxruntime-cuda", "onnxruntime-cpu"]


class BundleSection(Section):
    """[bundle]: which bundle, whose, and what runs it."""

    path: Path | None = Field(
        default=None,
        description="The bundle's folder; without it, the one shipped with the package.",
    )
    signed_by: Path | None = Field(
        default=None,
        description="Public key that must have signed the bundle; without it an unsigned bundle will do.",
    )
    backends: tuple[BackendName, ...] = Field(
        default=get_args(BackendName), min_length=1,
        description=(
            "What runs the towers, in order of preference: the first that runs and passes parity is used, and "
            "each one passed over is a warning in the log, in `status` and in `doctor`."
        ),
    )
    threads: int | None = Field(
        default=None, ge=1, le=64,
        description="Of a CPU; without it, as many as suit the computer.",
    )
    precision: Literal["fp32", "fp16", "int8"] | None = Field(
        default=None,
        description="Of the towers; without it, fp16 on a GPU and fp32 on a CPU.",
    )
    features: Path | None = Field(
        default=None,
        description="Folder of `homing-export --features`: learned local features, asked where layout and corners are "
        "not enough; without it, none are.",
    )


class HistorySection(Section):
    """[history]: the flight history that is recorded into and searched."""

    path: Path = Field(description="The file that is recorded into and searched; made where there is none.")


class RecordSection(Section):
    """[record]: live recording; it pauses while a target is confirmed."""

    enabled: bool = Field(default=False, description="Record keyframes in flight.")
    flight: str | None = Field(
        default=None,
        description="What its keyframes are filed under; without it, the flight log's name.",
    )


class FixSection(Section):
    """[fix]: how often the live view is matched against the history."""

    interval_s: float = Field(
        default=0.0, ge=0, le=3600,
        description="Shortest time between two fixes; 0 is as often as the computer can.",
    )
    any_heading: bool = Field(default=False, description="The compass is not to be believed: every heading is tried.")
    max_pose_wait_s: float = Field(
        default=POSE_WAIT.seconds, gt=0, le=5,
        description="How long a frame waits for the telemetry of its instant.",
    )
    flat_ground: bool = Field(
        default=True,
        description="Without a range finder, take the ground to lie at take-off height.",
    )
    takeoff_above_ground_m: float = Field(
        default=0.0, ge=-1000, le=1000,
        description=(
            "How far the take-off point lies above that ground: 40 on a hill above the fields, negative in a valley."
        ),
    )
    terrain: Path | None = Field(
        default=None,
        description="An elevation model of the ground, any raster that GDAL reads: without a range finder, heights"
        " above ground are by it, and the floor of guidance is kept above it.",
    )
    terrain_heights: Datum = Field(
        default=Datum.ORTHOMETRIC,
        description="What its heights are above: the sea (`orthometric`), or WGS-84's ellipsoid, which serves only a"
        " flight that began with GPS.",
    )


    def elevation_model(self, places: Sequence[GeoPoint]) -> Terrain | None:
        """The model that `terrain` names, about these places, or all of it where there are none; None: none is named.

        Raises:
            ImageError, GeoreferenceError: it cannot be read, or is of another place.
            HomingError: rasterio is not installed.
        """
        if self.terrain is None:
            return None
        from runtime.sources.raster.terrain import read_terrain  # few configurations name one

        return read_terrain(self.terrain, places, self.terrain_heights)


class NavigationSection(Section):
    """[navigation]: whose word on the aircraft's position is flown."""

    source: Literal["autopilot", "vision", "auto"] = Field(
        default="auto",
        description="`autopilot`: its own position, and nothing once its GPS is doubted; `vision`: the camera's alone; "
        "`auto`: the autopilot's as long as it rests on a GPS that is believed, then the camera's.",
    )
    coast_s: float = Field(
        default=20.0, gt=0, le=300,
        description="How long the camera's word is flown on odometry alone, without a fix.",
    )
    max_sigma_m: float = Field(
        default=10.0, gt=0, le=100,
        description="The camera's word is not flown when it is known less well than this, 1-sigma an axis.",
    )


class TargetSection(Section):
    """[target]: what is taken for an answer when a target image is located."""

    any_heading: bool = Field(
        default=False,
        description="The north of target images is unknown: every heading is tried.",
    )
    max_disagreement_m: float = Field(
        default=50.0, gt=0,
        description=(
            "Between a GeoTIFF's own position and the match; beyond it the answer is shown and cannot be flown."
        ),
    )


class GroundSection(Section):
    """[ground]: what the ground station is told by radio, and whether it may ask."""

    operator_system_id: int | None = Field(
        default=None, ge=1, le=255,
        description="MAVLink system of the one ground station whose MAV_CMD_USER_1 to 3 are taken: engage, disengage, "
        "re-localise near a position; without it none are. Ids can be forged: sign the link.",
    )
    figures_interval_s: float = Field(
        default=1.0, ge=0, le=60,
        description="Between two reports of sigma, age of the fix, probability, coasting left and of the computer; 0 "
        "sends none.",
    )  # fmt: skip


class ControlSection(Section):
    """[control]: the local socket of `homing target|confirm|engage|disengage|relocalise|status`."""

    socket: Path = Field(
        default_factory=default_socket,
        description="Unix socket of `homing target|confirm|engage|disengage|relocalise|status`, in a folder of this "
        "user's own.",
    )


class PageSection(Section):
    """[page]: the status page, for a browser on the ground; see docs/status-page.md."""

    enabled: bool = Field(default=False, description="Serve it; costs some 10 MB of memory.")
    address: str = Field(
        default="127.0.0.1",
        description="Where it listens: this computer alone, or `0.0.0.0` for whoever reaches it by network.",
    )
    port: int = Field(default=8080, ge=0, le=65535, description="TCP port; 0 takes one that is free.")
    hosts: tuple[str, ...] = Field(
        default=(),
        description="Names under which a browser may ask for it, besides addresses and `localhost`: `drone.local`.",
    )
    control: bool = Field(
        default=False,
        description="Targets may be uploaded, and choose, confirm, engage and disengage pressed there, with the token.",
    )
    token_file: Path | None = Field(
        default=None,
        description="Holds the token, for this user alone; made where there is none. By default `homing-page.token` "
        "beside the history.",
    )

    @field_validator("address")
    @classmethod
    def _an_address(cls, address: str) -> str:
        try:
            ip_address(address)
        except ValueError:
            raise ValueError("it is no address; write 127.0.0.1, 0.0.0.0 or one of this computer's") from None
        return address


class LogSection(Section):
    """[log]: where the flight log goes; one file per run."""

    directory: Path = Field(
        default=Path("logs"),
        description="Folder of the flight logs, one MCAP file a run; made where there is none.",
    )
    quota_gb: float = Field(
        default=20.0, gt=0,
        description="All flight logs there together: the oldest that is not pinned (`homing log pin`) gives way.",
    )
    free_gb: float = Field(
        default=2.0, ge=0,
        description="Of the disk, kept free for the history: older flights give way, and where none is left the log "
        "pauses.",
    )
    picture_interval_s: float = Field(
        default=1.0,
        ge=0.0,
        description="Seconds between two frames that are logged as pictures of at most 320 pixels, 10 to 20 kB each; "
        "0 logs every frame.",
    )
    frames: Literal["pictures", "all", "exact"] = Field(
        default="pictures",
        description=(
            "What `homing replay` needs: `all` keeps every frame whole, as a JPEG, 15 to 60 MB a minute of 640 by 480 "
            "at 5 Hz; `exact` as a PNG, to the bit, some four times that. `pictures` keeps the reduced ones alone."
        ),
    )
