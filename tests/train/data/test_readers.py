"""The readers: what a layout gives, and one clear sentence for what is wrong with it."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from runtime.errors import ImageError, UsageError
from tests.train.data.folders import picture, university, write
from train.data.places import Square, overlaps, read_places, relation, write_places
from train.data.university import University
from train.data.views import Picture, Skipped, by_place, paired_places, read_batches, read_crop


def test_university_as_it_is_distributed(tmp_path: Path) -> None:
    data = University.open(university(tmp_path / "data"))
    assert len(data.train("drone")) == 8 and len(data.query("drone")) == 8
    assert [p.place for p in data.gallery("satellite")] == ["0000", "0001", "0002", "0003", "9999"]
    assert {p.place for p in data.train("google")} == {"0001"}  # the empty class gives nothing
    assert list(by_place(data.train("drone"))) == ["0000", "0001", "0002", "0003"]


def test_a_place_without_a_partner_is_named_and_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = University.open(university(tmp_path / "data"))
    with caplog.at_level(logging.WARNING):
        views = {"drone": data.train("drone"), "satellite": data.train("satellite")}
        assert paired_places(views) == ["0001", "0002", "0003"]
    assert "1 places have no satellite view, such as 0000" in caplog.text
    with pytest.raises(UsageError, match="no place is in every view"):
        paired_places({"a": [Picture(Path("x"), "1")], "b": [Picture(Path("y"), "2")]})


@pytest.mark.parametrize(
    ("where", "message"),
    [("missing", "is no folder"), ("above", "did you mean .*data"), ("empty", "give the folder that holds train/")],
)
def test_a_wrong_root(tmp_path: Path, where: str, message: str) -> None:
    university(tmp_path / "above" / "data")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=message):
        University.open(tmp_path / where)


def test_a_missing_part_says_what_is_there(tmp_path: Path) -> None:
    data = University.open(university(tmp_path / "data"))
    with pytest.raises(UsageError, match="no train/street: it has only drone, google, satellite"):
        data.train("street")
    (tmp_path / "data/train/street/0000").mkdir(parents=True)
    with pytest.raises(UsageError, match="holds no picture in folders by place"):
        data.train("street")


def test_an_unreadable_picture_is_named_skipped_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for place in range(3):
        write(tmp_path / f"{place}/a.png", place, 64)
    (tmp_path / "1/a.png").write_bytes(b"no picture")
    pictures = [Picture(tmp_path / f"{place}/a.png", str(place)) for place in range(3)]
    skipped = Skipped()
    batches = list(read_batches(pictures, 32, 2, skipped))
    assert [p.place for kept, _ in batches for p in kept] == ["0", "2"] and skipped.paths == {pictures[1].path}
    assert "1/a.png is skipped" in caplog.text
    np.testing.assert_array_equal(batches[0][1][1], read_crop(pictures[2].path, 32))
    with pytest.raises(ImageError, match="cannot be read as a picture"):
        read_crop(pictures[1].path, 32)


def test_crops_are_rgb(tmp_path: Path) -> None:
    write(tmp_path / "a.png", 5)
    np.testing.assert_array_equal(read_crop(tmp_path / "a.png", 32), picture(5)[..., ::-1])


def test_overlap_is_counted_ground() -> None:
    rng = np.random.default_rng(0)
    squares = [Square("a", *rng.uniform(-30, 30, 2), side) for side in (40.0, 40.0, 60.0, 30.0)]
    squares.append(Square("b", squares[0].north_m, squares[0].east_m, 40.0))
    shares = overlaps(squares, squares)
    at = np.arange(-80, 80, 0.25) + 0.125
    covers = [
        ((abs(at - s.north_m) < s.side_m / 2)[:, None] & (abs(at - s.east_m) < s.side_m / 2)[None])
        for s in squares
    ]  # fmt: skip
    for i, a in enumerate(squares):
        for j, b in enumerate(squares):
            counted = (covers[i] & covers[j]).sum() * 0.25**2 / min(a.side_m, b.side_m) ** 2
            assert shares[i, j] == pytest.approx(counted if a.area == b.area else 0.0, abs=0.02)
    np.testing.assert_array_equal(relation(np.array([[0.6, 0.3, 0.1]])), [[1, 0, -1]])


def test_places_survive_their_file(tmp_path: Path) -> None:
    squares = {"one": Square("w1", 1.5, -2.25, 90.0), "two": Square("w2", 0.0, 7.0, 40.0)}
    assert read_places(tmp_path) is None
    write_places(tmp_path, squares)
    assert read_places(tmp_path) == squares
    (tmp_path / "places.csv").write_text("place,area,north_m,east_m,side_m\nx,a,1,two,3\n")
    with pytest.raises(UsageError, match="line 2 holds something that is no number"):
        read_places(tmp_path)
    (tmp_path / "places.csv").write_text("place,area\n")
    with pytest.raises(UsageError, match="needs the columns place, area"):
        read_places(tmp_path)
