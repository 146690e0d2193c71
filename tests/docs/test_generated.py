"""The pages say what the code says: generated parts are up to date, every key and every file has its sentence."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")  # the commands of training are on the page of commands

from docs.generate.__main__ import stale  # noqa: E402
from docs.generate.configuration import flight_block, training_block  # noqa: E402
from docs.generate.tree import block  # noqa: E402


def test_every_generated_page_is_up_to_date() -> None:
    assert not stale(), "python -m docs.generate brings them up to date"


@pytest.mark.parametrize("made", [flight_block, training_block, block])
def test_every_key_and_every_file_says_what_it_is(made: object) -> None:
    assert callable(made)
    rows = [line for line in made().splitlines() if line.startswith("| `")]
    assert len(rows) > 20
    assert not [row for row in rows if row.endswith(("|  |", "| . |"))]
