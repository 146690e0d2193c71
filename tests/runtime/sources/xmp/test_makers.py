"""Each maker's attitude, against what its own document says of the angles."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.camera_model import body_from_mount
from runtime.rotations import rotation
from runtime.sources.xmp.reader import read_xmp
from runtime.sources.xmp.tags import MakerTags
from runtime.values import GeoPoint
from tests.runtime.sources.photos import DJI, dji_xmp, maker_xmp

AUTEL = "http://www.autelrobotics.com/drone-autel/1.0/"
DRONE = "http://www.autel.com/drone/1.0/"
PARROT = "http://www.parrot.com/drone-parrot/1.0/"
SKYDIO = "https://www.skydio.com/drone-skydio/1.0/"
PIX4D = "http://pix4d.com/camera/1.0"


def looks(tags: MakerTags) -> tuple[list[float], list[float]]:
    """Where the camera's axis and its image's top point, in north, east, down."""
    assert tags.camera is not None
    ned_from_camera = rotation(tags.camera) * rotation(body_from_mount(-90.0))
    axis, top = ned_from_camera.apply([[0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
    return axis.round(6).tolist(), top.round(6).tolist()


def elements(prefix: str, **fields: float) -> str:
    return "".join(f"<{prefix}:{name}>{value}</{prefix}:{name}>" for name, value in fields.items())


def gimbal(yaw: float, pitch: float, roll: float = 0.0) -> dict[str, float]:
    return {"GimbalYawDegree": yaw, "GimbalPitchDegree": pitch, "GimbalRollDegree": roll}


def parrot(yaw: float, pitch: float) -> str:
    return elements("drone-parrot", CameraYawDegree=yaw, CameraPitchDegree=pitch, CameraRollDegree=0.0)


def skydio(yaw: float, pitch: float) -> str:
    inner = elements("drone-skydio", Roll=0.0, Pitch=pitch, Yaw=yaw)
    return (
        '<drone-skydio:CameraOrientationNED xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
        f'rdf:parseType="Resource">{inner}</drone-skydio:CameraOrientationNED>'
    )


def skydio_attributes(yaw: float, pitch: float) -> str:
    return (
        f'<drone-skydio:CameraOrientationNED drone-skydio:Roll="0" drone-skydio:Pitch="{pitch}" '
        f'drone-skydio:Yaw="{yaw}"/>'
    )


HORIZON = {  # makers whose pitch -90 looks straight down
    "DJI": lambda yaw, pitch: maker_xmp("drone-dji", DJI, **gimbal(yaw, pitch)),
    "DJI, elements": lambda yaw, pitch: maker_xmp("drone-dji", DJI, elements("drone-dji", **gimbal(yaw, pitch))),
    "Autel": lambda yaw, pitch: maker_xmp("drone-autel", AUTEL, **gimbal(yaw, pitch)),
    "Autel, older": lambda yaw, pitch: maker_xmp("drone", DRONE, **gimbal(yaw, pitch)),
    "Parrot": lambda yaw, pitch: maker_xmp("drone-parrot", PARROT, parrot(yaw, pitch)),
    "Skydio": lambda yaw, pitch: maker_xmp("drone-skydio", SKYDIO, skydio(yaw, pitch)),
    "Skydio 2": lambda yaw, pitch: maker_xmp("drone-skydio", SKYDIO, skydio_attributes(yaw, pitch)),
}


@pytest.mark.parametrize("maker", HORIZON)
def test_pitch_minus_90_looks_down_and_yaw_is_where_the_top_points(maker: str) -> None:
    written = HORIZON[maker]
    assert looks(read_xmp(written(90.0, -90.0))) == ([0, 0, 1], [0, 1, 0])
    half, root = 0.5, round(math.sqrt(3) / 2, 6)
    assert looks(read_xmp(written(0.0, -60.0))) == ([half, 0, root], [root, 0, -half])
    assert looks(read_xmp(written(-90.0, -60.0))) == ([0, -half, root], [0, -root, -half])


@pytest.mark.parametrize(
    ("yaw", "pitch", "axis", "top"),
    [  # the examples of Pix4D's page
        (0.0, 0.001, [0, 0, 1], [1, 0, 0]),
        (90.0, 0.0, [0, 0, 1], [0, 1, 0]),
        (270.0, 0.0, [0, 0, 1], [0, -1, 0]),
        (0.0, 90.0, [1, 0, 0], [0, 0, -1]),
    ],
)
def test_pix4ds_pitch_0_looks_down_and_90_forward(
    yaw: float, pitch: float, axis: list[float], top: list[float]
) -> None:
    said = looks(read_xmp(maker_xmp("Camera", PIX4D, Yaw=yaw, Pitch=pitch, Roll=0.0)))
    assert said[0] == pytest.approx(axis, abs=1e-4) and said[1] == pytest.approx(top, abs=1e-4)


def test_autels_photo_of_the_horizon_and_the_model_that_counts_from_it() -> None:
    evo = elements("Camera", Yaw=2.42, Pitch=66.04, Roll=0.0)  # an EVO II's, by its file
    (_, _, down), _ = looks(read_xmp(maker_xmp("Camera", PIX4D, evo), "Autel Robotics", "XT705"))
    assert down == pytest.approx(math.cos(math.radians(66.04)), abs=1e-5)
    for pitch, model in ((-90.0, "XL715"), (-90.0, "unheard of"), (-30.0, "XL715")):
        (_, _, down), _ = looks(read_xmp(maker_xmp("Camera", PIX4D, Yaw=30.0, Pitch=pitch, Roll=0.0), "Camera", model))
        assert down == pytest.approx(math.sin(math.radians(-pitch)), abs=1e-5)


def test_sensefly_rolls_the_other_way_round() -> None:
    fields = {"Yaw": 0.0, "Pitch": 1.0, "Roll": 10.0}
    (_, right, _), _ = looks(read_xmp(maker_xmp("Camera", PIX4D, **fields), "Sentera"))
    (_, left, _), _ = looks(read_xmp(maker_xmp("Camera", PIX4D, **fields), "senseFly"))
    assert left == -right != 0.0


def test_fractions_heights_and_accuracies() -> None:
    said = read_xmp(maker_xmp("Camera", PIX4D, Yaw="12345/100", Pitch="500/100", AboveGroundAltitude="60123/1000",
                              GPSXYAccuracy="1.5", GPSZAccuracy="3"))  # fmt: skip
    assert said.above_ground_m == 60.123 and said.position_sigma_m == 1.5 and said.camera is not None
    rtk = read_xmp(dji_xmp(RtkStdLat=0.01, RtkStdLon=0.02, RelativeAltitude=50.0, CalibratedFocalLength=3666.5))
    assert (rtk.position_sigma_m, rtk.relative_altitude_m, rtk.calibrated_focal_px) == (0.02, 50.0, 3666.5)
    typo = read_xmp(maker_xmp("drone", DRONE, GpsLatitude="+46.5", GpsLongtitude="-92.25"))
    assert typo.position == GeoPoint(46.5, -92.25)
    sky = maker_xmp("drone-skydio", SKYDIO, Latitude=46.5, Longitude=8.0, AbsoluteAltitude=500.0, RelativeAltitude=60.0)
    assert read_xmp(sky).absolute_altitude_m is None  # above the ellipsoid
    assert read_xmp(sky).relative_altitude_m == 60.0


def test_angles_that_are_all_zero_are_not_known() -> None:
    assert read_xmp(maker_xmp("Camera", PIX4D, Yaw="0/100", Pitch="0/100", Roll="0/100")).camera is None
    zero = read_xmp(maker_xmp("drone-dji", DJI, **gimbal(0.0, 0.0)))
    assert zero.camera is not None and zero.camera_zero


def test_the_first_maker_that_says_it_is_believed() -> None:
    other = "".join(f'<c:{name} xmlns:c="{PIX4D}">{angle}</c:{name}>' for name, angle in (("Yaw", 0), ("Pitch", 45)))
    both = maker_xmp("drone-parrot", PARROT, parrot(90.0, -90.0) + other)
    assert looks(read_xmp(both)) == ([0, 0, 1], [0, 1, 0])


NAMES = (
    "GimbalYawDegree GimbalPitchDegree GimbalRollDegree FlightYawDegree FlightPitchDegree Yaw Pitch Roll "
    "CameraYawDegree CameraPitchDegree GpsLatitude GpsLongitude GPSLatitude GPSLongitude RelativeAltitude "
    "AbsoluteAltitude AboveGroundAltitude CalibratedFocalLength RtkStdLat RtkStdLon Latitude Longitude "
    "GPSXYAccuracy "
).split()
TEXTS = st.one_of(
    st.floats(-1e3, 1e3, allow_subnormal=False).map(lambda v: f"{v:+.3f}"),
    st.sampled_from(["nan", "inf", "-inf", "1e400", "9" * 400, "", " ", "x", "1/0", "3/2", "+0.00", "46,59.9N", "é"]),
)


@settings(max_examples=60)
@given(
    st.sampled_from([DJI, AUTEL, DRONE, PARROT, SKYDIO, PIX4D, "http://ns.adobe.com/exif/1.0/", "urn:x"]),
    st.dictionaries(st.sampled_from(NAMES), TEXTS),
    st.tuples(st.integers(0, 400), st.binary(max_size=6)),
    st.sampled_from(["", "senseFly", "Autel Robotics"]),
)
def test_whatever_the_packet_holds_what_is_read_is_in_range(
    address: str, fields: dict[str, str], damage: tuple[int, bytes], make: str
) -> None:
    whole = maker_xmp("m", address, **fields)
    for packet in (whole, whole[: -damage[0]] + damage[1] if damage[0] else whole + damage[1]):
        said = read_xmp(packet, make, "XL715")
        at = said.position
        assert at is None or (abs(at.latitude_deg) <= 90 and abs(at.longitude_deg) <= 180)
        for height in (said.relative_altitude_m, said.absolute_altitude_m, said.above_ground_m):
            assert height is None or abs(height) <= 20_000
        for turned in (said.camera, said.flight):
            assert turned is None or np.linalg.norm(turned) == pytest.approx(1.0)
        assert said.position_sigma_m is None or 0 < said.position_sigma_m <= 10_000
        assert said.calibrated_focal_px is None or 1 <= said.calibrated_focal_px <= 1e6


def test_a_packet_nested_without_end_is_read_as_far_as_makers_go() -> None:
    deep = "<m:a>" * 3000 + "</m:a>" * 3000
    assert read_xmp(maker_xmp("m", DJI, deep, RelativeAltitude=50.0)).relative_altitude_m == 50.0
    assert read_xmp(b'<?xml version="1.0" encoding="no-such"?><a/>') == MakerTags()
