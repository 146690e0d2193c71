"""What a photo's tags become, and what the flags override."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from runtime.errors import ImageError, UsageError
from runtime.rotations import rotation
from runtime.sources.photo import CameraFlags, Photo, read_photo
from runtime.values import PositionSource, yaw_of
from runtime.view import GroundPlane
from tests.runtime.record.fakes import ground_texture
from tests.runtime.sources import photos
from tests.runtime.sources.photos import dji_xmp, gps, write_photo

DATA = Path(__file__).parents[4] / "shared/data/flights"


def camera_axis_ned(photo: Photo) -> np.ndarray:
    """Where the optical axis points."""
    assert photo.pose.ned_from_body is not None
    turn = rotation(photo.pose.ned_from_body) * rotation(photo.camera.body_from_camera)
    return np.asarray(turn.apply([0.0, 0.0, 1.0]))


@pytest.mark.parametrize(("latitude", "longitude"), [(60.1, 24.9), (-33.85, 151.2), (30.17, -98.09), (-0.5, -78.5)])
def test_the_signs_of_all_four_quarters_of_the_earth(tmp_path: Path, latitude: float, longitude: float) -> None:
    photo = read_photo(write_photo(tmp_path / "a.jpg", place=gps(latitude, longitude)))
    assert photo.tag is not None and photo.tag.source is PositionSource.TAG
    assert photo.tag.point.latitude_deg == pytest.approx(latitude, abs=1e-8)
    assert photo.tag.point.longitude_deg == pytest.approx(longitude, abs=1e-8)


def test_altitude_below_the_sea_and_a_missing_one(tmp_path: Path) -> None:
    dead_sea = read_photo(write_photo(tmp_path / "a.jpg", place=gps(31.5, 35.5, -410.0))).pose.altitude_amsl_m
    assert dead_sea is not None and dead_sea.value == -410.0
    assert read_photo(write_photo(tmp_path / "b.jpg", place=gps(31.5, 35.5))).pose.altitude_amsl_m is None


def test_no_fix_is_no_position(tmp_path: Path) -> None:
    void = gps(46.8, -92.0) | {9: "V"}
    nowhere = gps(0.0, 0.0)
    broken = {1: "N", 2: (IFDRational(0, 0), IFDRational(0, 0), IFDRational(0, 0)), 3: "E", 4: photos.degrees(1.0)}
    for name, place in (("void", void), ("nowhere", nowhere), ("broken", broken), ("none", None)):
        assert read_photo(write_photo(tmp_path / f"{name}.jpg", place=place)).tag is None


def test_time_with_subseconds_and_zone(tmp_path: Path) -> None:
    detail = {photos.TAKEN: "2024:05:01 12:00:00", photos.SUBSECOND: "25", photos.OFFSET: "+02:00"}
    assert read_photo(write_photo(tmp_path / "a.jpg", detail=detail)).frame.t_ns == 1_714_557_600_250_000_000
    undated = read_photo(write_photo(tmp_path / "b.jpg", base={0x0132: "0000:00:00 00:00:00"}), index=7)
    assert undated.pose.t_ns is None and (undated.frame.t_ns, undated.frame.index) == (0, 7)


@pytest.mark.parametrize(
    ("detail", "hfov_deg", "source"),
    [
        # Canon SX260: 4000 px at 1e6/61 px per inch are 6.198 mm behind 4.5 mm.
        (
            {photos.FOCAL: IFDRational(9, 2), photos.PLANE_X: IFDRational(1_000_000, 61), photos.PLANE_UNIT: 2,
             photos.WIDTH: 4000, photos.HEIGHT: 3000},
            69.1, "exif focal plane",
        ),
        ({photos.FOCAL_35: 24}, 71.6, "exif 35 mm equivalent"),  # 43.27 mm diagonal, 4:3: 34.6 mm wide
        ({}, 65.0, "assumed"),
    ],
)  # fmt: skip
def test_field_of_view_from_the_tags(tmp_path: Path, detail: dict, hfov_deg: float, source: str) -> None:
    photo = read_photo(write_photo(tmp_path / "a.jpg", detail=detail))
    assert photo.lens_source == source
    assert math.degrees(2 * math.atan(40 / photo.camera.fx_px)) == pytest.approx(hfov_deg, abs=0.15)


def test_flags_override_the_tags(tmp_path: Path) -> None:
    xmp = dji_xmp(RelativeAltitude=39.8, GimbalYawDegree=45, GimbalPitchDegree=-60, GimbalRollDegree=0)
    path = write_photo(tmp_path / "a.jpg", place=gps(46.8, -92.0), detail={photos.FOCAL_35: 24}, xmp=xmp)
    flags = CameraFlags(camera_pitch_deg=-90.0, hfov_deg=50.0, height_agl_m=70.0, heading_deg=100.0)
    photo = read_photo(path, flags)
    assert photo.lens_source == "flag" and photo.camera.fx_px == pytest.approx(40 / math.tan(math.radians(25)))
    assert photo.pose.height_agl_m is not None and photo.pose.height_agl_m.value == 70.0
    assert photo.pose.heading is not None and photo.pose.heading.value == pytest.approx(math.radians(100.0))
    assert camera_axis_ned(photo) == pytest.approx([0.0, 0.0, 1.0], abs=1e-9)
    assert photo.pose.ned_from_body is not None
    assert yaw_of(photo.pose.ned_from_body) == pytest.approx(math.radians(100.0))


def test_the_gimbal_says_where_the_camera_looks(tmp_path: Path) -> None:
    xmp = dji_xmp(
        RelativeAltitude=50.0, AbsoluteAltitude=120.0, GimbalYawDegree=90, GimbalPitchDegree=-60, GimbalRollDegree=0,
        FlightYawDegree=80, FlightPitchDegree=9, FlightRollDegree=9,
    )  # fmt: skip
    photo = read_photo(write_photo(tmp_path / "a.jpg", place=gps(46.8, -92.0), xmp=xmp))
    # Looking east, 30 degrees forward of straight down; the airframe's own tilt does not matter.
    assert camera_axis_ned(photo) == pytest.approx([0.0, 0.5, math.sqrt(3) / 2], abs=1e-6)
    plane = GroundPlane.of(photo.camera, photo.pose)
    assert plane is not None
    assert plane.ground_of_axis() == pytest.approx((0.0, 50.0 / math.sqrt(3)), abs=1e-3)
    assert photo.pose.height_takeoff_m is not None and photo.pose.height_takeoff_m.value == 50.0
    assert photo.pose.altitude_amsl_m is not None and photo.pose.altitude_amsl_m.value == 120.0


@pytest.mark.parametrize("pitch_deg", [-90.0, -89.9, -60.0, -120.0])
@pytest.mark.parametrize("flags", [CameraFlags(), CameraFlags(camera_pitch_deg=-90.0)])
def test_a_gimbal_rolled_by_half_a_turn_is_the_same_attitude_as_none(
    tmp_path: Path, pitch_deg: float, flags: CameraFlags
) -> None:
    """Some cameras write pitch p, roll 180, yaw y for what others call pitch -180 - p, roll 0, yaw y + 180."""
    told = (
        dji_xmp(RelativeAltitude=50.0, GimbalYawDegree=-150, GimbalPitchDegree=pitch_deg, GimbalRollDegree=180),
        dji_xmp(RelativeAltitude=50.0, GimbalYawDegree=30, GimbalPitchDegree=-180 - pitch_deg, GimbalRollDegree=0),
    )
    rolled, plain = (read_photo(write_photo(tmp_path / "a.jpg", xmp=xmp), flags).pose for xmp in told)
    assert rolled.ned_from_body is not None and plain.ned_from_body is not None
    between = rotation(rolled.ned_from_body).inv() * rotation(plain.ned_from_body)
    assert between.magnitude() < 1e-6
    for pose in (rolled, plain):
        assert pose.heading is not None and math.degrees(pose.heading.value) == pytest.approx(30.0)


def test_a_gimbal_that_claims_the_horizon_is_marked_until_a_flag_says_better(tmp_path: Path) -> None:
    xmp = dji_xmp(
        RelativeAltitude=50.0, GimbalYawDegree=0, GimbalPitchDegree=0, GimbalRollDegree=0,
        FlightYawDegree=80, FlightPitchDegree=9, FlightRollDegree=0,
    )  # fmt: skip
    path = write_photo(tmp_path / "a.jpg", place=gps(46.8, -92.0), xmp=xmp)
    assert "gimbal angles are all zero" in read_photo(path).unusable
    photo = read_photo(path, CameraFlags(camera_pitch_deg=-90.0))
    assert not photo.unusable
    assert camera_axis_ned(photo) == pytest.approx([0.0, 0.0, 1.0], abs=1e-9)
    assert photo.pose.heading is not None and photo.pose.heading.value == pytest.approx(math.radians(80.0))


def test_a_fixed_camera_tilts_with_the_airframe(tmp_path: Path) -> None:
    xmp = dji_xmp(FlightYawDegree=0, FlightPitchDegree=-10, FlightRollDegree=0)
    photo = read_photo(write_photo(tmp_path / "a.jpg", place=gps(46.8, -92.0), xmp=xmp))
    # Nose down by 10 degrees: a camera fixed straight down looks backwards.
    tilt = math.radians(10)
    assert camera_axis_ned(photo) == pytest.approx([-math.sin(tilt), 0.0, math.cos(tilt)], abs=1e-6)


def test_orientation_is_for_showing_only(tmp_path: Path) -> None:
    image = np.zeros((60, 80, 3), np.uint8)
    image[:, :40] = 200
    photo = read_photo(write_photo(tmp_path / "a.jpg", image, base={photos.ORIENTATION: 6}))
    assert photo.frame.image.shape == (60, 80, 3)
    assert photo.frame.image[30, 10].mean() > 150 > photo.frame.image[30, 70].mean()


@pytest.mark.parametrize(
    "stamp",
    ["0000:00:00 00:00:00", "0001:01:01 00:00:00", "9999:12:31 23:59:59", "1970:01:01 00:00:00", "yesterday", ""],
)
def test_a_date_that_no_photo_was_taken_on_is_none(tmp_path: Path, stamp: str) -> None:
    for offset in ("+14:00", "-12:00"):
        detail = {photos.TAKEN: stamp, photos.OFFSET: offset}
        photo = read_photo(write_photo(tmp_path / "a.jpg", detail=detail))
        assert photo.pose.t_ns is None or (stamp.startswith("1970") and offset == "-12:00")


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("kind", ["RGB", "L", "I;16"])
def test_a_tiff_that_says_how_to_turn_it_is_read_as_it_is_stored(tmp_path: Path, turn: int, kind: str) -> None:
    """Pillow turns the pixels of TIFF alone, and garbles what it reads in one piece."""
    pytest.importorskip("rasterio")
    ground = ground_texture(80)[:60]
    stored = ground if kind == "RGB" else ground[..., 0] if kind == "L" else ground[..., 0].astype(np.uint16) * 16
    exif = Image.Exif()
    exif[photos.ORIENTATION] = turn
    Image.fromarray(stored).save(tmp_path / "a.tif", exif=exif)
    photo = read_photo(tmp_path / "a.tif")
    assert (photo.camera.width_px, photo.camera.height_px) == (80, 60)
    assert alike(photo.frame.image, ground if kind == "RGB" else np.repeat(ground[..., :1], 3, axis=2)) > 0.98


KINDS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "CMYK.jpg": lambda rgb: rgb.convert("CMYK"), "CMYK.tif": lambda rgb: rgb.convert("CMYK"),
    "YCbCr.jpg": lambda rgb: rgb.convert("YCbCr"), "LAB.tif": lambda rgb: rgb.convert("LAB"),
    "L.jpg": lambda rgb: rgb.convert("L"), "LA.png": lambda rgb: rgb.convert("LA"),
    "P.png": lambda rgb: rgb.convert("P", palette=Image.Palette.ADAPTIVE), "RGBA.tif": lambda rgb: rgb.convert("RGBA"),
    "P.tif": lambda rgb: rgb.convert("P", palette=Image.Palette.ADAPTIVE), "1.png": lambda rgb: rgb.convert("1"),
    "I16.png": lambda rgb: deep(rgb, "<u2", 100), "I16.tif": lambda rgb: deep(rgb, "<u2", 4),
    "I16B.tif": lambda rgb: Image.frombytes("I;16B", rgb.size, grey(rgb, ">u2", 16).tobytes()),
    "I.tif": lambda rgb: deep(rgb, "<i4", 1000), "F.tif": lambda rgb: deep(rgb, "<f4", 1e-3),
}  # fmt: skip


def grey(rgb: Image.Image, kind: str, factor: float) -> NDArray[Any]:
    """Multiplied while it is deep enough to be."""
    return (np.asarray(rgb.convert("L")).astype(np.float64) * factor).astype(kind)


def deep(rgb: Image.Image, kind: str, factor: float) -> Image.Image:
    return Image.fromarray(grey(rgb, kind, factor))


def alike(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """The correlation of their brightnesses, over what dithering strews."""
    assert a.shape == b.shape and a.dtype == np.uint8
    bright = [cv2.GaussianBlur(cv2.cvtColor(one, cv2.COLOR_RGB2GRAY), (0, 0), 1.5).ravel() for one in (a, b)]
    return float(np.corrcoef(*bright)[0, 1])


@pytest.mark.parametrize("name", KINDS)
def test_a_photo_of_any_kind_of_pixels_shows_what_it_shows(tmp_path: Path, name: str) -> None:
    rgb = Image.fromarray(cv2.GaussianBlur(ground_texture(90)[:60], (0, 0), 2))
    KINDS[name](rgb).save(tmp_path / name)
    image = read_photo(tmp_path / name).frame.image
    shown = np.repeat(np.asarray(rgb.convert("L"))[..., None], 3, axis=2)
    assert alike(image, shown) > (0.6 if name == "1.png" else 0.95) and image.std() > 10


@pytest.mark.parametrize("name", ["deep.png", "deep.tif"])
def test_sixteen_bits_a_colour_of_a_dark_sensor_are_stretched_alike(tmp_path: Path, name: str) -> None:
    pytest.importorskip("rasterio")
    ground = ground_texture(90)[:60]
    cv2.imwrite(str(tmp_path / name), (ground.astype(np.uint16) * 8)[..., ::-1])  # of 65,535 at most 2,040
    image = read_photo(tmp_path / name).frame.image
    assert alike(image, ground) > 0.98 and image.std() > ground.std()
    assert np.corrcoef(image[..., 2].ravel(), ground[..., 2].ravel())[0, 1] > 0.98


def test_of_several_pages_the_first_is_read(tmp_path: Path) -> None:
    ground = ground_texture(90)[:60]
    first = Image.fromarray(ground)
    first.save(tmp_path / "a.tif", save_all=True, append_images=[first.rotate(180), first.resize((9, 6))])
    assert alike(read_photo(tmp_path / "a.tif").frame.image, ground) > 0.99


def test_xmp_that_is_broken_or_hostile_is_as_none(tmp_path: Path) -> None:
    bomb = b'<!DOCTYPE a [<!ENTITY x "y">]><x:xmpmeta xmlns:x="adobe:ns:meta/">&x;</x:xmpmeta>'
    for name, block in (("cut", dji_xmp(RelativeAltitude=5)[:-30]), ("bomb", bomb), ("words", b"not xml")):
        photo = read_photo(write_photo(tmp_path / f"{name}.jpg", place=gps(46.8, -92.0), xmp=block))
        assert photo.pose.height_agl_m is None and photo.tag is not None


def test_files_that_are_no_photo(tmp_path: Path) -> None:
    whole = write_photo(tmp_path / "a.jpg", np.random.default_rng(0).integers(0, 255, (200, 200, 3), np.uint8))
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(whole.read_bytes()[:9000])
    text = tmp_path / "text.jpg"
    text.write_text("hello")
    with pytest.raises(ImageError, match=r"cut\.jpg: truncated\."):
        read_photo(cut)
    with pytest.raises(ImageError, match=r"text\.jpg: not an image\."):
        read_photo(text)
    with pytest.raises(ImageError, match=r"none\.jpg: no such file\."):
        read_photo(tmp_path / "none.jpg")
    with pytest.raises(UsageError, match="field of view"):
        read_photo(whole, CameraFlags(hfov_deg=200.0))


def test_a_photo_of_a_hundred_megapixels_is_read_at_half_its_size_with_the_same_view(tmp_path: Path) -> None:
    small = Image.effect_noise((96, 64), 120).convert("RGB")
    small.resize((12288, 8192), Image.Resampling.NEAREST).save(tmp_path / "large.jpg", quality=8)
    photo = read_photo(tmp_path / "large.jpg", CameraFlags(hfov_deg=70.0))
    assert photo.frame.image.shape == (4096, 6144, 3)
    assert photo.camera.fx_px == pytest.approx(3072 / math.tan(math.radians(35.0)))
    shown = np.asarray(Image.fromarray(photo.frame.image).resize((96, 64), Image.Resampling.BOX), dtype=float)
    assert np.corrcoef(shown.ravel(), np.asarray(small, dtype=float).ravel())[0, 1] > 0.95


def test_a_calibrated_focal_length_is_of_the_whole_photo(tmp_path: Path) -> None:
    path = tmp_path / "large.jpg"
    Image.new("RGB", (9600, 7200), (90, 90, 90)).save(path, quality=8, xmp=dji_xmp(CalibratedFocalLength=8000.0))
    photo = read_photo(path)
    assert photo.frame.image.shape == (3600, 4800, 3)
    assert (photo.camera.fx_px, photo.lens_source) == (4000.0, "xmp calibrated focal length")


@pytest.mark.parametrize(
    ("size", "why"), [((9000, 8000), "not an image or map"), ((20_000, 20_000), "400 million pixels")]
)
def test_what_only_says_that_it_is_large_is_refused(tmp_path: Path, size: tuple[int, int], why: str) -> None:
    """The head of a bitmap says its size; there is no more of it."""
    path = tmp_path / "vast.bmp"
    path.write_bytes(b"BM" + struct.pack("<IIIIiiHHIIiiII", 54, 0, 54, 40, *size, 1, 24, 0, 0, 0, 0, 0, 0))
    with pytest.raises(ImageError, match=why):
        read_photo(path)


@pytest.mark.parametrize("flags", [{"height_agl_m": 0.0}, {"height_agl_m": math.nan}, {"heading_deg": 900.0}])
def test_flags_that_make_no_sense(flags: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="not positive|beyond a turn"):
        CameraFlags(**flags)


def test_a_png_without_any_tag(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((20, 30, 4), np.uint8), "RGBA").convert("LA").save(tmp_path / "a.png")
    photo = read_photo(tmp_path / "a.png")
    assert photo.frame.image.shape == (20, 30, 3) and photo.tag is None and photo.pose.heading is None


@pytest.mark.skipif(not DATA.is_dir(), reason="the real flights are not here")
def test_two_real_cameras() -> None:
    canon = read_photo(DATA / "caliterra/IMG_9354.jpg")
    assert canon.lens_source == "exif focal plane" and canon.camera.fx_px == pytest.approx(929.4, abs=0.5)
    assert canon.pose.height_agl_m is None and canon.pose.heading is None and canon.tag is not None
    assert canon.tag.point.longitude_deg == pytest.approx(-98.089992, abs=1e-5)
    dji = read_photo(DATA / "brighton/DJI_0018.JPG")
    assert dji.lens_source == "known camera" and dji.pose.attitude_measured
    assert dji.pose.height_agl_m is not None and dji.pose.height_agl_m.value == 39.8
    assert dji.pose.heading is not None and math.degrees(dji.pose.heading.value) == pytest.approx(45.0)
    assert math.degrees(math.acos(camera_axis_ned(dji)[2])) == pytest.approx(0.1, abs=1e-3)
