"""A flight's log, cut off and damaged, is made whole again; and what `homing log` says of each."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runtime.errors import StorageError, TelemetryError
from runtime.flightlog.read import missing_records, read_all, read_attachments, read_flightlog
from runtime.flightlog.recover import recover
from runtime.flightlog.summary import summary
from tests.runtime.cli.called import homing

FLIGHT = Path(__file__).parents[2] / "data/replay/town.mcap"


def everything(path: Path) -> list[object]:
    return list(read_all(path, ("guidance", "fix", "link", "frame")))


def test_a_whole_log_is_copied_record_for_record(tmp_path: Path) -> None:
    done = recover(FLIGHT, tmp_path / "new.mcap")
    assert everything(tmp_path / "new.mcap") == everything(FLIGHT)
    assert read_attachments(tmp_path / "new.mcap") == read_attachments(FLIGHT)
    assert done.missing == 0 and done.records == sum(summary(FLIGHT).records.values())


def test_one_that_was_cut_off_has_an_end_again(tmp_path: Path) -> None:
    cut = tmp_path / "cut.mcap"
    cut.write_bytes(FLIGHT.read_bytes()[: FLIGHT.stat().st_size // 2])
    recover(cut, tmp_path / "new.mcap")
    before, after = summary(cut), summary(tmp_path / "new.mcap")
    assert not before.complete and after.complete
    assert before.records == after.records and 0 < after.duration_s < 12.0
    assert list(read_flightlog(tmp_path / "new.mcap")) == list(read_flightlog(cut))
    assert before.began == after.began == summary(FLIGHT).began


def test_what_lies_in_a_damaged_chunk_is_counted(tmp_path: Path) -> None:
    data = bytearray(FLIGHT.read_bytes())
    chunks = [at for at in range(len(data) - 4) if data[at : at + 4] == b"zstd"]
    data[chunks[3] + 200] ^= 0xFF
    damaged = tmp_path / "damaged.mcap"
    damaged.write_bytes(data)
    lost = missing_records(damaged)
    assert lost > 0 and recover(damaged, tmp_path / "new.mcap").missing == lost
    told = json.loads(homing("log", "info", damaged, "--json").stdout)
    assert (told["complete"], told["missing"]) == (True, lost)
    assert f"{lost} records lost" in homing("log", "info", damaged).stdout


def test_nothing_is_overwritten_and_nothing_left_half_written(tmp_path: Path) -> None:
    (tmp_path / "there.mcap").write_bytes(b"mine")
    with pytest.raises(StorageError, match="is there already"):
        recover(FLIGHT, tmp_path / "there.mcap")
    (tmp_path / "other.mcap").write_bytes(b"no log")
    with pytest.raises(TelemetryError):
        recover(tmp_path / "other.mcap", tmp_path / "new.mcap")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other.mcap", "there.mcap"]


def test_flights_are_listed_pinned_and_let_go(tmp_path: Path) -> None:
    for name in ("20261002T120000Z", "20261001T120000Z"):
        (tmp_path / f"{name}.mcap").write_bytes(FLIGHT.read_bytes())
    assert homing("log", "pin", tmp_path, "20261001T120000Z").returncode == 0
    listed = json.loads(homing("log", "list", tmp_path, "--json").stdout)["flights"]
    assert [(one["name"], one["pinned"]) for one in listed] == [
        ("20261001T120000Z", True), ("20261002T120000Z", False)
    ]  # fmt: skip
    assert homing("log", "unpin", tmp_path, "20261001T120000Z").returncode == 0
    assert "pinned" not in homing("log", "list", tmp_path).stdout
    gone = homing("log", "pin", tmp_path, "20261003T120000Z")
    assert gone.returncode == 2 and "holds no flight 20261003T120000Z" in gone.stderr
