"""A history that holds rows which must not be there is read without them, and repaired by one command."""

from __future__ import annotations

import io
import json
import random
import shutil
import sqlite3
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from runtime.cli.history import history_app
from runtime.errors import HistoryError, HomingError, StorageError
from runtime.history.export import as_geojson, as_gpx, as_kml
from runtime.history.file import create_file
from runtime.history.history import History
from runtime.history.repair import repair
from runtime.history.rows import encode_crop
from runtime.history.verify import examine
from runtime.matching.gallery import GalleryCache
from runtime.values import ViewKind
from tests.runtime.history.recording import FOOTPRINTS_M, SPACE, embeddings, keyframe

COUNT = 8
PLAIN = encode_crop(np.full((64, 64, 3), 200, np.uint8))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("histories") / "whole.db"
    with History.create(path, SPACE, "bundle") as history:
        for number in range(1, COUNT + 1):
            history.add(keyframe(number), embeddings(number))
            history.store_features(number, "orb", {"points": np.zeros((3, 2), np.float32)})
    return path


@pytest.fixture
def path(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(whole, tmp_path / "h.db"))


def damage(path: Path, *statements: str | tuple[str, tuple[Any, ...]]) -> None:
    with sqlite3.connect(path) as connection:
        for one in statements:
            connection.execute(*((one,) if isinstance(one, str) else one))
    connection.close()


def dump(path: Path) -> list[str]:
    with sqlite3.connect(path) as connection:
        connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
        lines = list(connection.iterdump())
    connection.close()
    return lines


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(history_app, [*map(str, arguments)])


def use(history: History) -> list[int]:
    """Everything that the commands do with a history; the ids of the keyframes that were met."""
    listed = list(history.keyframes(crops=False))
    for write in (as_geojson, as_kml, as_gpx):
        write(listed, "h")
    seen = [one.keyframe_id for one in history.keyframes()]
    snapshot = GalleryCache(history).snapshot()
    for view in snapshot.views:
        for footprint_m in snapshot.footprints(view):
            rung = snapshot.rung(view, footprint_m)
            assert np.isfinite(rung.places_m).all() and np.isfinite(rung.vectors).all()
            snapshot.maps(rung.ids, footprint_m)
            if len(rung):
                rung.index().search(rung.vectors[:1].astype(np.float32), 3)
    for one in listed:
        history.features(one.keyframe_id, "orb")
    assert (len(history), len(history.flights()) <= 2) == (len(listed), True)
    return seen


BROKEN = {
    "no latitude": "UPDATE keyframe SET ground_latitude_deg = NULL WHERE id IN (1, 5)",
    "text": "UPDATE keyframe SET ground_longitude_deg = 'east' WHERE id IN (1, 5)",
    "bytes": "UPDATE keyframe SET footprint_m = x'ff00' WHERE id IN (1, 5)",
    "out of range": "UPDATE keyframe SET ground_latitude_deg = 91 WHERE id IN (1, 5)",
    "null island": "UPDATE keyframe SET ground_latitude_deg = 0, ground_longitude_deg = 0 WHERE id IN (1, 5)",
    "infinite": "UPDATE keyframe SET height_agl_m = 9e999 WHERE id IN (1, 5)",
    "no view": "UPDATE keyframe SET view = 'mole' WHERE id IN (1, 5)",
    "no flight": "UPDATE keyframe SET flight = NULL WHERE id IN (1, 5)",
    "half an attitude": "UPDATE keyframe SET attitude_w = NULL WHERE id IN (1, 5)",
    "no sigma": "UPDATE keyframe SET heading_sigma_rad = NULL WHERE id IN (1, 5)",
    "time is text": "UPDATE keyframe SET t_ns = 'noon' WHERE id IN (1, 5)",
    "flat": ("UPDATE keyframe SET crop = ? WHERE id IN (1, 5)", (PLAIN,)),
    "no picture": "UPDATE keyframe SET crop = x'ffd8' WHERE id IN (1, 5)",
    "picture is text": "UPDATE keyframe SET crop = 'a crop' WHERE id IN (1, 5)",
    "camera nowhere": "UPDATE position SET latitude_deg = 9e999 WHERE keyframe_id IN (1, 5)",
    "camera by nobody": "UPDATE position SET source = 'gossip' WHERE keyframe_id IN (1, 5)",
    "negative variance": "UPDATE position SET variance_east_m2 = -1 WHERE keyframe_id IN (1, 5)",
    "text of no text": "UPDATE keyframe SET flight = CAST(x'ff' AS TEXT), height_agl_m = '' WHERE id IN (1, 5)",
}
MERELY_FLAT = ("flat",)  # read as it is: pictures are looked at by `verify` alone


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_keyframes_are_left_out_aloud_and_taken_out_by_one_command(
    path: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    damage(path, BROKEN[kind])
    before = dump(path)
    sound = [2, 3, 4, 6, 7, 8]
    with History.open(path) as history:
        assert use(history) == (list(range(1, COUNT + 1)) if kind in MERELY_FLAT else sound)
    assert kind in MERELY_FLAT or "broken" in caplog.text or "damaged" in caplog.text
    told = run("verify", path, "--json")
    assert told.exit_code == 1 and isinstance(told.exception, HistoryError) and "2 faults" in str(told.exception)
    record = json.loads(told.stdout)
    assert [(one["table"], one["count"], one["keyframe"]) for one in record["faults"]] == [("keyframe", 2, 1)]
    assert record["removed"] is None and dump(path) == before
    mended = run("verify", path, "--repair", "--json")
    assert mended.exit_code == 0, mended.output
    record = json.loads(mended.stdout)
    assert record["keyframes"] == 6 and record["removed"] == f"{path}.removed"
    assert json.loads(run("verify", path, "--json").stdout)["faults"] == []
    caplog.clear()
    with History.open(path, write=True) as history:
        assert use(history) == sound and not caplog.records
        assert history.gallery(ViewKind.DRONE, FOOTPRINTS_M[0]).ids.tolist() == sound
        assert history.add(keyframe(9), embeddings(9)) == COUNT + 1
    kept = sqlite3.connect(f"{path}.removed")
    assert [row[0] for row in kept.execute("SELECT id FROM keyframe")] == [1, 5]
    assert kept.execute("SELECT count(*) FROM embedding").fetchone()[0] == 2 * len(FOOTPRINTS_M)
    assert {row[0] for row in kept.execute("SELECT of_table FROM removed")} == {"keyframe"}
    kept.close()


OTHERS = {
    "short vector": ("UPDATE embedding SET vector = x'0000' WHERE keyframe_id = 3", "embedding"),
    "no vector": ("UPDATE embedding SET vector = 'unit' WHERE keyframe_id = 3", "embedding"),
    "vector of nothing": ("UPDATE embedding SET vector = zeroblob(64) WHERE keyframe_id = 3", "embedding"),
    "map of another size": ("UPDATE embedding SET map_rows = 7 WHERE keyframe_id = 3", "embedding"),
    "map without a size": ("UPDATE embedding SET map_channels = NULL WHERE keyframe_id = 3", "embedding"),
    "unknown view": ("UPDATE embedding SET view = 'mole' WHERE keyframe_id = 3", "embedding"),
    "no footprint": ("UPDATE embedding SET footprint_mm = 'wide' WHERE keyframe_id = 3 AND footprint_mm = 56000",
                     "embedding"),
    "orphans": ("UPDATE embedding SET keyframe_id = 77 WHERE keyframe_id = 3", "embedding"),
    "orphaned features": ("UPDATE feature SET keyframe_id = 77 WHERE keyframe_id = 3", "feature"),
    "a tag nowhere": ("INSERT INTO position SELECT keyframe_id, 'tag', 99, 0, 1, 0, 1, 'tag', NULL, NULL, NULL "
                      "FROM position WHERE keyframe_id = 3", "position"),
}  # fmt: skip


@pytest.mark.parametrize("kind", OTHERS)
def test_what_is_wrong_beside_a_keyframe_costs_that_alone(path: Path, kind: str) -> None:
    statement, table = OTHERS[kind]
    damage(path, statement)
    with History.open(path) as history:
        assert use(history) == list(range(1, COUNT + 1))
    assert {fault.table for fault in examine(path)[1]} == {table}
    assert repair(path).kept_in is not None and examine(path) == (COUNT, [])
    with History.open(path) as history:
        assert use(history) == list(range(1, COUNT + 1))


def test_a_sound_history_is_said_to_be_and_not_written(path: Path) -> None:
    before = path.read_bytes()
    for words in ("verify", path), ("verify", path, "--repair"):
        assert run(*words).stdout == f"{path}: {COUNT} keyframes, nothing wrong.\n"
    assert path.read_bytes() == before and not list(path.parent.glob("*.removed*"))


def test_a_repair_that_fails_leaves_the_history_as_it_was(path: Path) -> None:
    damage(path, BROKEN["no latitude"], "CREATE TRIGGER never BEFORE DELETE ON keyframe WHEN OLD.id = 5 "
           "BEGIN SELECT RAISE(ABORT, 'no'); END")  # fmt: skip
    before = dump(path)
    with pytest.raises(HomingError):
        repair(path)
    assert dump(path) == before and not list(path.parent.glob("*.removed*"))
    damage(path, "DROP TRIGGER never")
    path.with_name("h.db.removed").mkdir()  # the name is taken
    assert repair(path).kept_in == path.with_name("h.db.removed-2")


def test_a_repair_without_room_for_what_it_takes_out_is_refused(path: Path) -> None:
    damage(path, BROKEN["no latitude"])
    before = dump(path)
    where = path.with_name("a" * 245)  # with its ending longer than a name may be
    path.rename(where)
    with pytest.raises((StorageError, OSError)):
        repair(where)
    assert dump(where) == before


def test_a_history_of_which_every_keyframe_is_broken_is_empty_and_can_be_recorded_into(path: Path) -> None:
    damage(path, "UPDATE keyframe SET ground_latitude_deg = NULL")
    with History.open(path, write=True) as history:
        assert use(history) == [] and (len(history), history.first_id(), history.last_id()) == (0, 0, 0)
        cache = GalleryCache(history)
        assert len(cache.snapshot().rung(ViewKind.DRONE, FOOTPRINTS_M[0])) == 0
        history.add(keyframe(9), embeddings(9))
        assert cache.snapshot().rung(ViewKind.DRONE, FOOTPRINTS_M[0]).ids.tolist() == [COUNT + 1]


def test_rows_that_another_program_breaks_meanwhile_are_noticed(path: Path) -> None:
    with History.open(path) as history:
        cache = GalleryCache(history)
        assert len(cache.snapshot().rung(ViewKind.DRONE, FOOTPRINTS_M[0])) == COUNT
        damage(path, "UPDATE keyframe SET ground_latitude_deg = NULL WHERE id = 4")
        assert cache.snapshot().rung(ViewKind.DRONE, FOOTPRINTS_M[0]).ids.tolist() == [1, 2, 3, 5, 6, 7, 8]


def test_pages_that_are_damaged_are_no_rows_to_take_out(path: Path, tmp_path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[8192 * 3 : 8192 * 4] = random.Random(1).randbytes(8192)
    path.write_bytes(data)
    with pytest.raises(HistoryError, match="restore a copy"):
        examine(path)
    with pytest.raises(HistoryError, match="does not exist"):
        examine(tmp_path / "none.db")


def _values(rng: random.Random) -> Iterator[Any]:
    while True:
        yield rng.choice(
            [None, "", "text", b"", b"\xff\x00\x01", -1, 0, 1, 2**62, -(2**63), 1e300, -1e300, float("inf"), 91.5, 0.5,
             rng.randbytes(64), rng.uniform(-200, 200)]
        )  # fmt: skip


def test_whatever_other_programs_write_one_repair_mends_it_and_nothing_is_a_traceback(
    whole: Path, tmp_path: Path
) -> None:
    with sqlite3.connect(whole) as connection:
        tables = ("keyframe", "position", "embedding", "feature", "origin")
        columns = {table: [row[1] for row in connection.execute(f"PRAGMA table_info({table})")] for table in tables}
    connection.close()
    refused = 0
    for seed in range(24):
        rng = random.Random(seed)
        path = Path(shutil.copy(whole, tmp_path / f"{seed}.db"))
        with sqlite3.connect(path) as connection:
            for _ in range(rng.randint(1, 6)):
                table = rng.choice([*tables, "keyframe", "embedding"])
                column = rng.choice(columns[table])
                key = "id" if table == "keyframe" else "keyframe_id"
                try:
                    connection.execute(
                        f"UPDATE {table} SET {column} = ? WHERE {key} = ?", (next(_values(rng)), rng.randint(1, COUNT))
                    )
                except (sqlite3.IntegrityError, OverflowError):
                    refused += 1  # SQLite itself keeps what is NOT NULL
        connection.close()
        with History.open(path) as history:
            use(history)
        repair(path)
        count, faults = examine(path)
        assert faults == [], (seed, faults)
        with History.open(path) as history:
            assert len(use(history)) == count and not history.broken, seed
    assert refused < 45


def test_a_crop_that_would_decode_to_gigabytes_is_damaged_and_never_decoded(path: Path) -> None:
    encoded = bytearray(PLAIN)
    frame = encoded.index(b"\xff\xc0")
    encoded[frame + 5 : frame + 9] = (60_000).to_bytes(2, "big") * 2
    picture = io.BytesIO()
    Image.new("L", (8192, 8192)).save(picture, "PNG")
    damage(
        path, ("UPDATE keyframe SET crop = ? WHERE id = 2", (bytes(encoded),)),
        ("UPDATE keyframe SET crop = ? WHERE id = 3", (picture.getvalue(),)),
    )  # fmt: skip
    tracemalloc.start()
    started_s = time.process_time()
    _, faults = examine(path)
    assert {(fault.keyframe_id, fault.reason) for fault in faults} == {
        (2, "its crop cannot be decoded"), (3, "its crop cannot be decoded"),
    }  # fmt: skip
    assert time.process_time() - started_s < 1.0 and tracemalloc.get_traced_memory()[1] < 50e6
    tracemalloc.stop()


def test_a_history_that_no_command_can_use_is_not_said_to_be_sound(path: Path) -> None:
    damage(path, "DROP TABLE meta")
    for words in ([], ["--repair"]):
        error = run("verify", path, *words).exception
        assert isinstance(error, HistoryError) and "no such table: meta" in str(error)


def test_a_history_without_its_space_is_refused_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "h.db"
    create_file(path, {})
    with History.open(path, write=True) as history, pytest.raises(HistoryError):
        history.add(keyframe(1), embeddings(1))
