"""Reliability: three kinds of out-of-coverage query, three sets that share nothing, and an honest report."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from runtime.errors import UsageError  # noqa: E402
from runtime.matching.acceptance import Acceptance  # noqa: E402
from runtime.values import ViewKind  # noqa: E402
from tests.train.loop.tiny import area  # noqa: E402
from train.backbones import BackboneSpec  # noqa: E402
from train.data.places import Square, overlaps  # noqa: E402
from train.data.views import Picture  # noqa: E402
from train.embedding_head import HeadSpec  # noqa: E402
from train.evaluate.encoder import Embedded  # noqa: E402
from train.evaluate.protocol import normalised  # noqa: E402
from train.evaluate.reliability.cli import fitted_and_measured, measure  # noqa: E402
from train.evaluate.reliability.model import Reliability, features, fit, probabilities, with_threshold  # noqa: E402
from train.evaluate.reliability.questions import (  # noqa: E402
    OUT_OF_COVERAGE,
    OUTSIDE,
    REMOVED,
    TARGET,
    VECTOR,
    WORLD,
    Evidence,
    Side,
    answer,
    evidence,
)
from train.towers import Towers, TowersSpec, save_towers  # noqa: E402


def _worlds(areas: int, noise: float = 0.35, seed: int = 0) -> tuple[Side, Side]:
    """Features that change smoothly over each area's ground: queries off the grid, a gallery on it."""
    rng = np.random.default_rng(seed)
    sides: list[list] = [[], []]
    for world in range(areas):
        waves, phases = rng.normal(0, 0.02, (24, 2)), rng.uniform(0, 6.3, 24)
        grid = [(30.0 * r, 30.0 * c) for r in range(10) for c in range(10)]
        asked = rng.uniform(0, 270, (40, 2))
        for side, places in ((0, asked), (1, grid)):
            for north, east in places:
                feature = np.sin(waves @ (north, east) * 2.0 + phases) + noise * rng.normal(size=24)
                sides[side].append((feature, Square(f"w{world}", float(north), float(east), 90.0)))
    built = []
    for rows in sides:
        vectors = normalised(np.array([f for f, _ in rows]))
        pictures = tuple(Picture(Path(str(i)), str(i)) for i in range(len(rows)))
        built.append(Side(Embedded(pictures, vectors, None), tuple(s for _, s in rows)))
    return built[0], built[1]


def test_out_of_coverage_queries_are_out_of_coverage() -> None:
    queries, gallery = _worlds(2)
    rows = evidence(queries, gallery, (40,), VECTOR)
    assert {row.kind for row in rows} == {TARGET, *OUT_OF_COVERAGE}
    assert all(not row.right for row in rows if row.kind in OUT_OF_COVERAGE)
    assert any(row.right for row in rows if row.kind == TARGET)
    assert {row.gallery for row in rows if row.kind in (TARGET, WORLD, OUTSIDE)} == {40}
    removed = [row.gallery for row in rows if row.kind == REMOVED]
    assert len(removed) == sum(row.kind == TARGET for row in rows) and max(removed) < 40


def test_the_margin_is_over_a_place_that_shares_no_ground() -> None:
    queries, gallery = _worlds(1)
    index, numbers = answer(queries.embedded, gallery, VECTOR)
    scores = queries.embedded.features @ gallery.embedded.features.T
    shares = overlaps(gallery.squares, gallery.squares)
    for q in range(len(queries.squares)):
        order = np.argsort(-scores[q])
        assert index[q] == order[0]
        rival = next(i for i in order if shares[order[0], i] <= 0.15)
        assert numbers[q] == pytest.approx([scores[q, order[0]], scores[q, order[0]] - scores[q, rival]], abs=1e-5)


def _drawn(count: int, seed: int) -> list[Evidence]:
    """Evidence whose probability of being right is known: logistic in similarity and margin."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(count):
        similarity, margin = rng.uniform(0.2, 0.9), rng.uniform(0, 0.3)
        p = 1 / (1 + np.exp(-(8 * (similarity - 0.6) + 10 * (margin - 0.1))))
        right = bool(rng.random() < p)
        kind = TARGET if right else OUT_OF_COVERAGE[i % 3]
        rows.append(Evidence(similarity, margin, 300, kind, right))
    return rows


def test_the_fit_finds_the_probability_behind_the_draw() -> None:
    table = fit(_drawn(4000, 0))
    for row in _drawn(50, 1):
        true = 1 / (1 + np.exp(-(8 * (row.similarity - 0.6) + 10 * (row.margin - 0.1))))
        assert probabilities(table, [row])[0] == pytest.approx(true, abs=0.05)
    model = Acceptance.of(table)  # the runtime reads it
    assert model is not None and model.features == ("similarity", "margin", "log_gallery")
    assert features(_drawn(1, 2)[0])["log_gallery"] == pytest.approx(np.log(300))


def test_the_threshold_keeps_the_rate_on_the_worst_kind() -> None:
    rows = _drawn(3000, 3)
    table = with_threshold(fit(_drawn(3000, 4)), rows, 0.05)
    found = Reliability.of(table, rows)
    worst = max(share.value for share in found.outside.values())
    assert 0.04 < worst <= 0.05
    assert sum(share.of for share in found.outside.values()) == sum(row.kind != TARGET for row in rows)
    fresh = Reliability.of(table, _drawn(3000, 5))
    assert max(s.value for s in fresh.outside.values()) < 0.09
    off = [abs(p - share.value) * share.of for p, share in fresh.bins]
    assert sum(off) / 3000 < 0.03


def test_sets_are_whole_areas_and_enough_of_them(tmp_path: Path) -> None:
    table, found = fitted_and_measured(*_worlds(6), (20, 50), VECTOR, 0.05)
    assert 0.0 < table["threshold"] < 1.0 and found.accepted.of > 20
    assert all(share.of >= 8 for share in found.outside.values())
    assert found.accepted.value > max(share.value for share in found.outside.values())
    found.draw(tmp_path / "plot.png", "a pair")
    assert (tmp_path / "plot.png").stat().st_size > 2000
    again = json.loads(json.dumps(found.as_json()))
    assert again["right_accepted"]["interval_95"][0] < again["right_accepted"]["share"]
    with pytest.raises(UsageError, match="needs at least 6 areas, and the data has 5"):
        fitted_and_measured(*_worlds(5), (40,), VECTOR, 0.05)


def test_what_cannot_be_measured_is_said() -> None:
    rows = _drawn(100, 6)
    with pytest.raises(UsageError, match="needs right answers and wrong ones"):
        fit([row for row in rows if row.right])
    with pytest.raises(UsageError, match="out-of-coverage queries of the kind 'another world'"):
        with_threshold(fit(rows), [row for row in rows if row.kind != WORLD], 0.01)


def test_the_command_measures_a_checkpoint(tmp_path: Path) -> None:
    torch.manual_seed(0)
    head = HeadSpec(map_channels=8)
    towers = Towers(TowersSpec(backbones={ViewKind.DRONE: BackboneSpec("resnet18", 1)}, head=head, size_px=32))
    save_towers(towers, tmp_path / "towers.pt")
    root = area(tmp_path / "data", places=25, seeds=tuple(range(6)))
    measure(root, tmp_path / "towers.pt", None, ["drone:satellite"], [8], 0.2, tmp_path / "out")
    found = json.loads((tmp_path / "out/reliability.json").read_text())
    assert set(found) == {"drone_to_satellite, vector", "drone_to_satellite, re-ranked"}
    for result in found.values():
        assert set(result["report"]["strangers_accepted"]) == set(OUT_OF_COVERAGE)
        assert Acceptance.of(result["table"]) is not None
    assert (tmp_path / "out/drone_to_satellite_vector.png").stat().st_size > 2000
    with pytest.raises(UsageError, match="has no places.csv"):
        (root / "places.csv").unlink()
        measure(root, tmp_path / "towers.pt", None, None, None, 0.2, tmp_path / "out")
