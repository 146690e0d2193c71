"""The fault matrix: its quick rows are played, and what was measured of the others is of the rows that there are."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import sim.faults
from runtime.bundle import Bundle
from runtime.embedder.embedder import Embedder
from runtime.history.history import History
from sim.cli.main import app
from sim.faults import at_start, camera, surroundings, wall_clock
from sim.faults.catalogue import FAULTS
from sim.faults.flight import FaultFlight, Plan
from sim.faults.forked import in_a_copy
from sim.faults.ground import Ground
from sim.faults.in_flight import InFlight
from sim.faults.row import Fault, Outcome, Row, played
from sim.faults.workshop import Workshop

MEASURED = Path(sim.faults.__file__).with_name("measured.json")


class NoTowers(Embedder):
    """Nothing asks it anything in a flight that fixes no frame."""

    def __init__(self) -> None:
        self.bundle = Bundle.load()

    @property
    def report(self):
        return None


class Bare(Workshop):
    """A folder, and no ground, towers or flights."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder


@pytest.fixture(scope="module")
def by_gps(tmp_path_factory: pytest.TempPathFactory) -> FaultFlight:
    """A flight by GPS that is under way, and fixes nothing."""
    folder, towers = tmp_path_factory.mktemp("faults"), NoTowers()
    History.create(folder / "history.db", towers.bundle.embedding_space_id, "none").close()
    sections = {"fix": {"interval_s": 1000.0}}
    flight = FaultFlight(Plan(folder, Ground(1), towers, folder / "history.db", True, sections=sections))
    flight.run(flight.under_way())
    return flight


def test_what_was_measured_is_of_every_row_and_none_commanded_what_it_must_not() -> None:
    measured = json.loads(MEASURED.read_text(encoding="utf-8"))
    assert measured["result"] == "PASS"
    assert [row["fault"] for row in measured["rows"]] == list(FAULTS)
    for row, fault in zip(measured["rows"], FAULTS.values(), strict=True):
        assert (row["what"], row["injected"]) == (fault.what, fault.injected)
        assert row["notice_within_s"] == fault.notice_within_s
        assert row["forbidden"] == 0 and row["missed"] == []


def test_the_limits_are_those_that_are_promised() -> None:
    limits = {name: FAULTS[name].notice_within_s for name in ("camera_unplugged", "camera_silent", "camera_frozen",
                                                              "autopilot_lost")}  # fmt: skip
    assert limits == {"camera_unplugged": 0.3, "camera_silent": 0.3, "camera_frozen": 1.0, "autopilot_lost": 3.0}


def test_a_camera_that_freezes_on_a_flight_by_gps_is_noticed_and_the_flight_goes_on(by_gps: FaultFlight) -> None:
    frozen = FAULTS["camera_frozen"].play
    assert isinstance(frozen, InFlight)
    outcome = replace(frozen, seconds=1.5, well=lambda flight: flight.camera == "ok", quiet_after_s=None).played(by_gps)
    assert outcome.noticed_s is not None and outcome.noticed_s < camera.FROZEN_S
    assert (outcome.forbidden, outcome.did, outcome.failures) == (0, "flew on", ()) and outcome.commands > 2


def test_a_position_that_is_believed_though_nothing_is_seen_is_not_in_order(by_gps: FaultFlight) -> None:
    believing = InFlight(lambda flight: None, seconds=0.5, well=lambda flight: True, lost_after_s=0.2).played(by_gps)
    (failure,) = believing.failures
    assert failure.startswith("a position was believed or fed 0.")


def test_an_autopilot_that_is_lost_ends_the_flight_and_nothing_is_sent_meanwhile(by_gps: FaultFlight) -> None:
    lost = FAULTS["autopilot_lost"].play
    assert isinstance(lost, InFlight)
    outcome = replace(lost, seconds=3.0).played(by_gps)
    assert outcome.noticed_s is not None and outcome.noticed_s < 3.0
    assert outcome.forbidden == 0 and outcome.failures == () and "gave the vehicle back" in outcome.did


@pytest.mark.parametrize(
    ("name", "word"),
    [("camera_absent", "does not open"), ("model_missing", "no-bundle"), ("wall_clock", "")],
)
def test_the_rows_without_a_flight(name: str, word: str, tmp_path: Path) -> None:
    row = played(FAULTS[name], Bare(tmp_path))
    assert row.missed == () and all(word in one for one in row.outcome.said)


def test_a_row_says_all_that_is_not_in_order() -> None:
    fault = Fault("one", "something", "somehow", lambda workshop: Outcome("nothing"), 1.0)
    row = Row(fault.name, fault.what, fault.injected, 1.0, Outcome("flew on", 3, 2, 1.5, failures=("it fell",)))
    assert row.missed == ("it fell", "2 commands should not have been sent", "noticed after 1.50 s, not within 1 s")
    assert replace(row, outcome=Outcome("flew on")).missed == ("it was not noticed",)
    assert replace(row, outcome=Outcome("flew on", noticed_s=0.9)).missed == ()


def test_the_command_names_its_rows_and_refuses_others() -> None:
    listed = CliRunner().invoke(app, ["faults", "--list", "--only", "camera_black"])
    assert listed.exit_code == 0 and listed.output.startswith("camera_black: camera black")
    refused = CliRunner().invoke(app, ["faults", "--only", "nothing"])
    assert refused.exit_code != 0 and "no fault nothing" in str(refused.exception)


def test_every_part_of_the_catalogue_is_in_it() -> None:
    parts = (camera, at_start, surroundings, wall_clock)
    assert {one.name for part in parts for one in part.FAULTS} <= set(FAULTS)


def test_the_ground_is_seen_in_its_place_whatever_the_height() -> None:
    """North is up and east right under a level camera; half the height shows half the ground, twice as large."""
    ground, level = Ground(1, 200.0), np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    low = ground.perspective(camera_model(), level, (0.0, 0.0, -30.0))
    high = ground.perspective(camera_model(), level, (0.0, 0.0, -60.0))
    north = ground.perspective(camera_model(), level, (10.0, 0.0, -60.0))
    rows = round(10.0 / 60.0 * camera_model().fy_px)
    assert np.abs(north[rows:].astype(int) - high[:-rows].astype(int)).mean() < 4.0
    shrunk = low[::2, ::2].astype(int)
    middle = high[60:180, 80:240].astype(int)
    assert np.abs(shrunk - middle).mean() < 14.0 < np.abs(shrunk - np.roll(middle, 20, axis=1)).mean()


def camera_model():
    from sim.faults.rig import CAMERA

    return CAMERA


def raises() -> None:
    raise ValueError("broken")


def test_a_copy_says_what_came_of_it_and_why_nothing_did() -> None:
    assert in_a_copy(lambda: {"a": 1}) == {"a": 1}
    with pytest.raises(RuntimeError, match="ValueError: broken"):
        in_a_copy(raises)
