"""The page of JSON names every key that the commands print."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from runtime.bundle import Bundle
from runtime.cli.main import app
from runtime.history.history import History
from sim.scenario.outcome import Outcome
from sim.scenario.sight_outcome import SightOutcome
from sim.scenario.spoof_alarm import SpoofAlarm
from tests.runtime.daemon.cockpit import Cockpit
from tests.runtime.history.recording import SPACE, embeddings, keyframe

PAGE = Path(__file__).parents[2] / "docs" / "json.md"
FREE = {
    "counts", "frames_dropped_pose", "rates_hz", "latency_ms", "views", "footprints_m", "manifest", "machine",
    "spoof_alarms",
}  # fmt: skip


@pytest.fixture(scope="module")
def documented() -> set[str]:
    return {"schema", *re.findall(r"`(\w+)`", PAGE.read_text(encoding="utf-8"))}


def printed(*words: str | Path) -> list[dict[str, Any]]:
    result = CliRunner().invoke(app, [*map(str, words), "--json"])
    records = [json.loads(line) for line in result.stdout.splitlines()]
    assert records, result.output
    return records


def keys(record: Any) -> Iterator[str]:
    """Every key of an object and of the objects in it; what is named by data and not by us is left out."""
    if isinstance(record, dict):
        for key, value in record.items():
            yield key
            if key not in FREE and key != "checks":
                yield from keys(value)
    elif isinstance(record, list):
        for value in record:
            yield from keys(value)


def test_the_commands_that_remember_and_ask(tmp_path: Path, documented: set[str]) -> None:
    history, empty = tmp_path / "flight.db", tmp_path / "empty.db"
    with History.create(history, SPACE, "a bundle") as made:
        made.add(keyframe(1), embeddings(1))
    bundle = Bundle.load()
    History.create(empty, bundle.embedding_space_id, bundle.name).close()
    unreadable = tmp_path / "target.png"
    unreadable.write_text("no picture")
    for words in (
        ("history", "info", history),
        ("history", "list", history),
        ("history", "verify", history),
        ("locate", "--history", empty, "--target-gsd", "0.3", unreadable),
        ("fix", "--history", empty, unreadable),
        ("bundle", "show"),
        ("doctor",),
    ):
        for record in printed(*words):
            assert not set(keys(record)) - documented, words


def test_the_commands_that_fly(documented: set[str]) -> None:
    cockpit = Cockpit()
    try:
        cockpit.to_ready(cockpit.here)
        for answer in (cockpit.ask("status"), cockpit.ask("engage"), cockpit.ask("disengage")):
            assert not set(keys(answer)) - documented
    finally:
        cockpit.close()


def test_the_simulated_scenario(documented: set[str]) -> None:
    for outcome in (Outcome(), SightOutcome(forged={"step": SpoofAlarm(1.0, 60.0), "drag": SpoofAlarm(3.0, 9.0)})):
        assert not set(keys(outcome.as_json(0.0, Path("report.html")))) - documented
