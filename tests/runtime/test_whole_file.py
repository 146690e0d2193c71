"""Files written whole or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from runtime.errors import StorageError
from runtime.whole_file import write_whole


def test_the_new_replaces_the_old_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    for data in (b"old and longer", b"new"):
        write_whole(path, data, durable=True)
    assert path.read_bytes() == b"new" and os.listdir(tmp_path) == ["report.json"]


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_bytes(b"old")
    (tmp_path / "report.json.part").mkdir()  # what is in the way of the draft
    with pytest.raises(StorageError, match=r"report\.json cannot be written: Is a directory\."):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"


def test_a_link_is_followed_and_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    link = tmp_path / "latest.html"
    link.symlink_to(tmp_path / "kept" / "flight.html")
    write_whole(link, b"page")
    assert link.is_symlink() and (tmp_path / "kept" / "flight.html").read_bytes() == b"page"


def test_what_is_no_file_is_written_to_and_not_replaced() -> None:
    write_whole(Path("/dev/null"), b"page")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    with pytest.raises(StorageError, match="No space left"):
        write_whole(Path("/dev/full"), b"page")


def test_a_secret_is_its_owners_alone(tmp_path: Path) -> None:
    write_whole(tmp_path / "stamp", b"1", mode=0o600)
    assert stat.S_IMODE((tmp_path / "stamp").stat().st_mode) == 0o600
