"""A survey that was flown before gives what flying it gives; a damaged one is flown anew; nobody disturbs another."""

from __future__ import annotations

import random
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from runtime.history.history import History
from sim.scenario.aircraft import Truth
from sim.scenario.denied import FROM_START, fly_without_gps
from sim.scenario.kept_survey import FlownSurvey, KeptSurveys
from sim.scenario.setup import Site
from sim.world.world import World

KEY = ("survey over a world", "flown by seed 1")
FLOWN = FlownSurvey([Truth(20_000_000 * step, (0.1 * step, -1 / 3), 100.0) for step in range(50)])
SEED, SIDE_M = 100_017, 420.0


@dataclass(frozen=True)
class Folder:
    """Where a scenario writes."""

    path: Path

    @property
    def history(self) -> Path:
        """Its history."""
        return self.path / "history.db"

    @property
    def logs(self) -> Path:
        """Its logs."""
        return self.path / "logs"

    def files(self) -> dict[str, bytes]:
        """All that lies there."""
        return {str(path.relative_to(self.path)): path.read_bytes() for path in self.path.rglob("*") if path.is_file()}

    def take(self, surveys: KeptSurveys, *depends_on: str) -> FlownSurvey | None:
        """A survey into this folder."""
        self.path.mkdir(exist_ok=True)
        return surveys.take(depends_on or KEY, self.history, self.logs)


@pytest.fixture
def first(tmp_path: Path) -> Folder:
    """What a scenario has written that flew the survey."""
    folder = Folder(tmp_path / "first")
    folder.logs.mkdir(parents=True)
    with History.create(folder.history, "space", "bundle"):
        pass
    (folder.logs / "survey.mcap").write_bytes(random.Random(1).randbytes(30_000))
    (folder.logs / "survey.tlog").write_bytes(b"packets" * 100)
    return folder


@pytest.fixture
def surveys(tmp_path: Path, first: Folder) -> KeptSurveys:
    kept = KeptSurveys(tmp_path / "kept")
    kept.keep(KEY, first.history, sorted(first.logs.iterdir()), FLOWN)
    return kept


def test_it_comes_back_to_the_last_bit(surveys: KeptSurveys, first: Folder, tmp_path: Path) -> None:
    again = Folder(tmp_path / "again")
    assert again.take(surveys) == FLOWN
    assert again.files() == first.files()


def test_another_survey_is_another(surveys: KeptSurveys, tmp_path: Path) -> None:
    again = Folder(tmp_path / "again")
    assert again.take(surveys, *KEY, "with wind") is None
    assert again.take(replace(surveys, fresh=True)) is None
    assert again.files() == {}


@pytest.mark.parametrize("seed", range(12))
def test_a_damaged_one_is_none(surveys: KeptSurveys, seed: int, tmp_path: Path) -> None:
    """Cut off, or changed in any of its files or in its table of them."""
    kept, again, draw = surveys.path(KEY), Folder(tmp_path / "again"), random.Random(seed)
    data = bytearray(kept.read_bytes())
    with zipfile.ZipFile(kept) as archive:
        within = {info.filename: info.header_offset + 64 for info in archive.infolist()}
    if seed < 3:
        data = data[: draw.randrange(len(data))]
    elif seed < 8:
        data[sorted(within.values())[seed - 3]] ^= 1 << draw.randrange(8)  # in each of its files once
    else:
        data[-22 + draw.randrange(4) :] = draw.randbytes(18)  # its table
    kept.write_bytes(data)
    assert again.take(surveys) is None
    assert again.files() == {} and not kept.exists()


def test_those_who_fly_the_same_at_once_get_the_same(surveys: KeptSurveys, first: Folder, tmp_path: Path) -> None:
    logs = sorted(first.logs.iterdir())

    def one(number: int) -> bool:
        if number % 3 == 0:
            surveys.keep(KEY, first.history, logs, FLOWN)
        elif number % 3 == 1:
            replace(surveys, most_bytes=1).keep(("another",), first.history, logs, FLOWN)  # room for nothing else
        again = Folder(tmp_path / f"again {number}")
        taken = again.take(surveys)
        return (taken == FLOWN and again.files() == first.files()) if taken is not None else again.files() == {}

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(one, range(48)))


@pytest.mark.long
def test_a_scenario_over_a_kept_survey_is_the_scenario(tmp_path: Path) -> None:
    """The whole JSON object, and every byte that the daemon has sent, with the survey flown and with it kept."""
    world, surveys, said = World.generate(SEED, SIDE_M), KeptSurveys(tmp_path / "kept"), []
    whole = Site.prepare(world, SEED, tmp_path / "flown", small=True)
    plan = replace(whole.plan, survey_path=whole.plan.survey_path[:2], far_side=whole.plan.survey_path[1], targets=())
    results = []
    for name in ("flown", "kept"):
        site = replace(whole, plan=plan, out=tmp_path / name, surveys=surveys)
        site.out.mkdir(exist_ok=True)
        outcome, recording = fly_without_gps(FROM_START, site, said.append)
        results.append((outcome.as_json(1.0, Path("report")), recording.tracks, (site.out / "history.db").read_bytes()))
    assert results[0] == results[1]
    assert results[0][0]["frames"] > 10 and len(results[0][1]["survey"]) > 1000
    assert sum("flown before" in text for text in said) == sum("take off" in text for text in said) == 1
