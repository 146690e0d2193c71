"""What a run leaves to look at is written when there is something new in it, and not twice."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("tensorboard")

from train.loop.record import CSV, Record  # noqa: E402


def test_what_was_written_is_not_drawn_again_until_a_number_comes(tmp_path: Path) -> None:
    record, curves = Record(tmp_path, 0), tmp_path / "curves.png"
    record.add(0, {"loss": 2.0, "loss, dense": 1.0})
    record.flush()
    assert curves.stat().st_size > 1000
    curves.unlink()
    record.flush()
    assert not curves.exists()
    record.add(1, {"loss": 1.5})
    record.close()
    assert curves.stat().st_size > 1000
    assert (tmp_path / CSV).read_text().splitlines()[1:] == ["0,loss,2", '0,"loss, dense",1', "1,loss,1.5"]
