"""EXIF positions: hemispheres as cameras say them or not, fractions that are coarse, whatever is in the tags."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image
from PIL.TiffImagePlugin import IFDRational

from runtime.sources.exif import read_exif
from runtime.sources.photo import CameraFlags, Photo, read_photo
from runtime.survey.survey import survey
from tests.runtime.sources import photos
from tests.runtime.sources.photos import dji_xmp, gps, maker_xmp, write_photo

HERE = gps(-33.000180, -70.000214)
SIGNED = {"GpsLatitude": -33.000180, "GpsLongitude": -70.000214}


def without(place: dict[int, Any], *tags: int) -> dict[int, Any]:
    return {tag: value for tag, value in place.items() if tag not in tags}


def place_of(photo: Photo) -> tuple[float, float]:
    assert photo.tag is not None and not photo.unusable
    return round(photo.tag.point.latitude_deg, 5), round(photo.tag.point.longitude_deg, 5)


@pytest.mark.parametrize("missing", [(1,), (3,), (1, 3)])
@pytest.mark.parametrize(
    "xmp",
    [
        maker_xmp("drone-dji", "http://www.dji.com/drone-dji/1.0/", **SIGNED),
        maker_xmp("drone-skydio", "https://www.skydio.com/drone-skydio/1.0/", Latitude=-33.0002, Longitude=-70.0),
        maker_xmp("exif", "http://ns.adobe.com/exif/1.0/", GPSLatitude="33,0.0108S", GPSLongitude="70,0,0.77W"),
    ],
)
def test_a_hemisphere_that_only_the_xmp_says_is_taken_from_it(
    tmp_path: Path, missing: tuple[int, ...], xmp: bytes
) -> None:
    photo = read_photo(write_photo(tmp_path / "a.jpg", place=without(HERE, *missing), xmp=xmp))
    assert place_of(photo) == (-33.00018, -70.00021)


@pytest.mark.parametrize("xmp", [None, dji_xmp(RelativeAltitude=50.0)])
@pytest.mark.parametrize("missing", [(1,), (3,), (1, 3)])
def test_a_hemisphere_that_nothing_says_is_not_assumed(
    tmp_path: Path, missing: tuple[int, ...], xmp: bytes | None
) -> None:
    paths = [write_photo(tmp_path / f"{k}.jpg", place=without(HERE, *missing), xmp=xmp) for k in range(3)]
    read = survey(paths, CameraFlags())
    assert not read.photos and {one.reason for one in read.skipped} == {
        "its GPS tag does not say the hemisphere (no GPSLatitudeRef or GPSLongitudeRef, nothing in its XMP)"
    }


def test_an_xmp_of_another_place_lends_no_sign_but_its_own_position(tmp_path: Path) -> None:
    xmp = maker_xmp("drone-dji", "http://www.dji.com/drone-dji/1.0/", GpsLatitude=12.5, GpsLongitude=-70.5)
    photo = read_photo(write_photo(tmp_path / "a.jpg", place=without(HERE, 1, 3), xmp=xmp))
    assert place_of(photo) == (12.5, -70.5)


@pytest.mark.parametrize("south", ["S", "s", "South", " S", b"S", b"S\x00", "SOUTH\x00"])
@pytest.mark.parametrize("west", ["W", b"w\x00", "West"])
def test_references_in_every_spelling(south: Any, west: Any) -> None:
    assert read_tags({**HERE, 1: south, 3: west}) == pytest.approx((-33.00018, -70.000214), abs=1e-6)


@pytest.mark.parametrize("reference", ["?", "", "E", "0", b"\x00", 7, None])
def test_a_reference_that_says_nothing_is_none(reference: Any) -> None:
    assert read_tags({**HERE, 1: reference}) is None


def test_numbers_that_carry_their_sign(tmp_path: Path) -> None:
    minus = (IFDRational(-33), IFDRational(0), IFDRational(Fraction(648, 1000)))
    assert read_tags({**without(HERE, 1), 2: minus}) == pytest.approx((-33.00018, -70.000214), abs=1e-6)
    assert read_tags({**HERE, 1: "N", 2: minus}) == pytest.approx((-33.00018, -70.000214), abs=1e-6)
    assert read_tags({**HERE, 1: "S", 2: minus}) == pytest.approx((-33.00018, -70.000214), abs=1e-6)
    assert read_tags({2: IFDRational(0), 4: IFDRational(-709, 10)}) == (0.0, -70.9)  # the equator needs no reference


def read_tags(block: dict[int, Any]) -> tuple[float, float] | None:
    """The position of an image whose GPS block is this."""
    point = read_exif(Tagged(block)).position  # type: ignore[arg-type]
    return None if point is None else (point.latitude_deg, point.longitude_deg)


class Tagged:
    """Stands for an opened image with a GPS block, of values that no file could hold too."""

    def __init__(self, gps: dict[int, Any], detail: dict[int, Any] | None = None) -> None:
        self._blocks = {ExifTags.IFD.GPSInfo: gps, ExifTags.IFD.Exif: detail or {}}

    def getexif(self) -> Tagged:
        return self

    def get_ifd(self, which: int) -> dict[int, Any]:
        return self._blocks[which]

    def get(self, tag: int) -> None:
        return None


@pytest.mark.parametrize(
    ("seconds", "sigma_m"),
    [((12, 1), 9.4), ((123, 10), 3.13), ((1234, 100), 3.0), ((12_345_678, 1_000_000), 3.0)],
)
def test_coarse_fractions_say_so_in_the_sigma(tmp_path: Path, seconds: tuple[int, int], sigma_m: float) -> None:
    value = (IFDRational(33), IFDRational(5), IFDRational(*seconds))
    photo = read_photo(write_photo(tmp_path / "a.jpg", place={1: "S", 2: value, 3: "W", 4: value}))
    assert photo.tag is not None and photo.tag.sigma_m == pytest.approx(sigma_m, abs=0.02)


def test_decimal_minutes_and_degrees(tmp_path: Path) -> None:
    minutes = (IFDRational(33), IFDRational(50_018, 10_000), IFDRational(0))
    photo = read_photo(write_photo(tmp_path / "a.jpg", place={1: "S", 2: minutes, 3: "E", 4: minutes}))
    assert place_of(photo) == (-33.08336, 33.08336) and photo.tag is not None
    assert photo.tag.sigma_m == pytest.approx(3.0, abs=0.01)
    assert read_tags({1: "N", 2: IFDRational(331, 10), 3: "E", 4: (IFDRational(81, 10),)}) == (33.1, 8.1)


@pytest.mark.parametrize("value", [(33, 75, 0), (33, 0, 99), (), "3x", (91, 0, 0), (float("nan"), 0, 0), None, b"x"])
def test_what_is_no_coordinate(value: Any) -> None:
    assert read_tags({**HERE, 2: value}) is None


def test_digital_zoom_counts_where_the_sensor_is_known_and_is_asked_for_where_it_is_not(tmp_path: Path) -> None:
    known: dict[int, Any] = {photos.FOCAL: IFDRational(361, 100), 0xA404: IFDRational(2)}
    path = write_photo(tmp_path / "a.jpg", place=HERE, detail=known, base={photos.MODEL: "FC330"})
    assert read_photo(path).camera.fx_px == pytest.approx(2 * 3.61 / 6.17 * 80)
    path = write_photo(tmp_path / "b.jpg", place=HERE, detail={photos.FOCAL_35: 24, 0xA404: IFDRational(2)})
    assert "digital zoom of 2: give --hfov-deg" in read_photo(path).unusable
    assert not read_photo(path, CameraFlags(hfov_deg=40.0)).unusable


RATIONAL = st.builds(IFDRational, st.integers(-10**6, 10**6), st.integers(0, 10**6))
FLOAT = st.floats(allow_subnormal=False)  # libraries of other tests flush subnormals to zero
VALUE = st.one_of(
    st.none(), RATIONAL, st.tuples(RATIONAL), st.tuples(RATIONAL, RATIONAL, RATIONAL), st.binary(max_size=4),
    st.text(max_size=4), st.integers(), FLOAT, st.tuples(FLOAT, FLOAT, FLOAT),
    st.tuples(st.integers(0, 89).map(IFDRational), st.integers(0, 59).map(IFDRational), RATIONAL),
    st.sampled_from(["N", "S", "E", "W", "V"]),
)  # fmt: skip


@settings(max_examples=80)
@given(
    st.dictionaries(st.integers(0, 31), VALUE, max_size=9),
    st.dictionaries(st.sampled_from([0x920A, 0xA405, 0xA20E, 0xA210, 0xA002, 0xA404, 0x9003]), VALUE),
)
def test_whatever_the_tags_hold_what_is_read_is_in_range(block: dict[int, Any], detail: dict[int, Any]) -> None:
    exif = read_exif(Tagged(block, detail))  # type: ignore[arg-type]
    for point in (exif.position, exif.unsigned_position):
        assert point is None or (abs(point.latitude_deg) <= 90 and abs(point.longitude_deg) <= 180)
    assert exif.position is None or exif.unsigned_position is None
    assert 0.0 < exif.position_step_m <= 111_320.0 and exif.digital_zoom >= 1.0
    for number in (exif.focal_mm, exif.focal_35mm, exif.focal_plane_px_per_mm, exif.position_sigma_m):
        assert number is None or 0.0 < number < math.inf


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=60), st.binary(max_size=60))
def test_a_mangled_block_is_no_error(tmp_path: Path, head: bytes, tail: bytes) -> None:
    path = tmp_path / "a.jpg"
    Image.new("RGB", (40, 40)).save(path, exif=b"Exif\x00\x00" + head + b"MM\x00*\x00\x00\x00\x08" + tail)
    photo = read_photo(path)
    assert photo.tag is None or abs(photo.tag.point.latitude_deg) <= 90


@pytest.mark.parametrize("wrong", [(33.00018, 70.00021), (-33.00018, 70.00021), (-70.00021, -33.00018)])
def test_a_place_that_exif_and_xmp_mirror_or_exchange_is_refused(tmp_path: Path, wrong: tuple[float, float]) -> None:
    xmp = maker_xmp("drone-dji", "http://www.dji.com/drone-dji/1.0/", **SIGNED)
    photo = read_photo(write_photo(tmp_path / "a.jpg", place=gps(*wrong), xmp=xmp))
    assert photo.unusable.startswith("its EXIF and its XMP have other hemispheres")
    assert not read_photo(write_photo(tmp_path / "b.jpg", place=gps(-33.0, -70.0), xmp=xmp)).unusable
    assert not read_photo(write_photo(tmp_path / "c.jpg", place=gps(-40.0, -71.0), xmp=xmp)).unusable


def test_a_place_that_is_known_to_a_kilometre_is_none(tmp_path: Path) -> None:
    for metres, why in ((49, ""), (1000, "by its tags its position is known to no better than 50 m")):
        place = {**gps(-33.0, -70.0), 31: IFDRational(metres)}
        assert read_photo(write_photo(tmp_path / "a.jpg", place=place)).unusable == why


@pytest.mark.parametrize(("reference", "metres"), [(b"\x00", 50), (b"\x01", -50), (b"\x02", 50), (b"\x03", -50)])
def test_a_height_below_the_ellipsoid_is_negative(tmp_path: Path, reference: bytes, metres: float) -> None:
    place = {**gps(-33.0, -70.0), 5: reference, 6: IFDRational(50)}
    altitude = read_photo(write_photo(tmp_path / "a.jpg", place=place)).pose.altitude_amsl_m
    assert altitude is not None and altitude.value == metres


def test_sixty_seconds_are_none(tmp_path: Path) -> None:
    """As a decimal comma makes them."""
    xmp = maker_xmp("exif", "http://ns.adobe.com/exif/1.0/", GPSLatitude="33,27,402S", GPSLongitude="70,7,404W")
    assert read_photo(write_photo(tmp_path / "a.jpg", xmp=xmp)).tag is None
