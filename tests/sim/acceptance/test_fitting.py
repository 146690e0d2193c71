"""`homing-sim acceptance`: from answers to the bundle, and a small survey that is really flown and asked."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from runtime.bundle import DEFAULT_BUNDLE, MANIFEST, Bundle
from runtime.cli.entry import enter
from runtime.cli.output import progress
from runtime.embedder.embedder import Embedder
from runtime.history.history import History
from runtime.place.locator import Locator
from runtime.values import ViewKind
from sim.acceptance.answers import Answer
from sim.acceptance.fitting import SEEDS
from sim.acceptance.questions import FAR, KNOWN, TARGET, Counts
from sim.acceptance.survey_site import Extent, SurveySite
from sim.cli.main import app
from tests.runtime.cli.called import program
from tests.sim.acceptance.made import answers


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DEFAULT_BUNDLE, tmp_path / "bundle"))


def _keep(folder: Path, seed: int, made: list[Answer]) -> Path:
    folder.mkdir(exist_ok=True)
    kept = folder / f"{seed}.drone.{Bundle.load().embedding_space_id}.json"
    kept.write_text(json.dumps([dataclasses.asdict(one) for one in made]))
    return kept


def _fit(bundle: Path, folder: Path) -> CompletedProcess[str]:
    words = ("acceptance", "--pair", "drone", "--bundle", bundle, "--out", folder, "--write")
    return program(lambda said: enter(app, said), *words)


def test_the_table_lands_in_the_bundle(bundle: Path, tmp_path: Path) -> None:
    for seed in SEEDS:
        _keep(tmp_path / "kept", seed, answers(seed))
    before = Bundle.load(bundle)
    done = _fit(bundle, tmp_path / "kept")
    assert done.returncode == 0, done.stderr
    after = Bundle.load(bundle)
    table = after.acceptance(ViewKind.SATELLITE, ViewKind.DRONE)
    assert table is not None and table["seeds"] == list(SEEDS) and table["threshold"] == 0.8
    assert table != before.acceptance(ViewKind.SATELLITE, ViewKind.DRONE)
    for pair in ((ViewKind.DRONE, ViewKind.SATELLITE), (ViewKind.SATELLITE, ViewKind.SATELLITE)):
        assert after.acceptance(*pair) == before.acceptance(*pair)
    row = next(line.split() for line in done.stdout.splitlines() if line.split()[:1] == ["all"])
    targets, near = row[2], row[3]
    assert int(targets.split("/")[0]) > 480 and targets.endswith("/500") and near == "0/250"


def test_a_bundle_that_cannot_tell_out_of_coverage_queries_is_left_as_it_was(bundle: Path, tmp_path: Path) -> None:
    for seed in SEEDS:
        _keep(tmp_path / "kept", seed, answers(seed, spread=0.0, lucky_outside=0.04))
    before = (bundle / MANIFEST).read_bytes()
    done = _fit(bundle, tmp_path / "kept")
    assert done.returncode == 1 and done.stderr.startswith("this bundle cannot tell out-of-coverage queries")
    assert "Traceback" not in done.stderr
    assert (bundle / MANIFEST).read_bytes() == before


def test_kept_answers_that_are_none(bundle: Path, tmp_path: Path) -> None:
    kept = _keep(tmp_path / "kept", SEEDS[0], [])
    kept.write_text('[{"seed": 1}]')
    done = _fit(bundle, tmp_path / "kept")
    assert done.returncode == 1
    assert done.stderr.strip() == f"{kept} holds no answers; remove it, and they are computed again."


@pytest.mark.slow
@pytest.mark.long
def test_a_survey_is_flown_and_asked(tmp_path: Path) -> None:
    embedder = Embedder(Bundle.load(), threads=1)
    extent = Extent(world_m=520.0, north_m=(55.0, 60.0), east_m=(46.0, 50.0))
    site = SurveySite(SEEDS[0], tmp_path, embedder, progress, extent)
    counts = Counts(targets=2, near=0, far=2, searched=1)
    asked = list(site.questions(counts))
    assert len(asked) == site.total(counts) == 8
    assert [one.kind for one in asked if one.mode == KNOWN] == [TARGET, TARGET, FAR, FAR]
    with History.open(site.history) as history:
        assert 1 < len(history) < len(site.path_ne_m)  # a keyframe is kept when the view has moved far enough
        locator = Locator(history, embedder, view=ViewKind.DRONE, query=ViewKind.SATELLITE)
        assert all(locator.features(one.target) is not None for one in asked if one.kind == TARGET)
