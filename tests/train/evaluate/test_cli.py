"""`homing-evaluate` as it is run: on tiny folders, from a checkpoint, a bundle and a .mat file."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from runtime.errors import HomingError  # noqa: E402
from runtime.values import ViewKind  # noqa: E402
from tests.train.data.folders import picture, university, write  # noqa: E402
from train.backbones import BackboneSpec  # noqa: E402
from train.data.places import Square, write_places  # noqa: E402
from train.embedding_head import HeadSpec  # noqa: E402
from train.evaluate.cli import evaluate  # noqa: E402
from train.evaluate.files import FeatureSet, read_mat, write_mat  # noqa: E402
from train.evaluate.measure import by_labels  # noqa: E402
from train.towers import Towers, TowersSpec, save_towers  # noqa: E402

SPEC = TowersSpec(
    views=(ViewKind.DRONE, ViewKind.SATELLITE, ViewKind.GROUND),
    backbones={ViewKind.DRONE: BackboneSpec("resnet18", 1)}, head=HeadSpec(map_channels=8), size_px=32,
)  # fmt: skip


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("towers") / "towers.pt"
    save_towers(Towers(SPEC), path)
    return path


def _run(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "train/evaluate/cli.py", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def test_on_universitys_layout(tmp_path: Path, checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = university(tmp_path / "data")
    write(data / "bad/x.png", 1)
    np.save(tmp_path / "more.npy", np.random.default_rng(0).normal(size=(50, 256)).astype(np.float16))
    (data / "test/query_drone/0003/image-00.jpeg").write_bytes(b"broken")
    out = tmp_path / "out"
    evaluate(data, checkpoint, pair=["drone:satellite"], flip=True, conditions=True, errors=True,
             distractors=tmp_path / "more.npy", out=out)  # fmt: skip
    assert "1 pictures could not be read" in capsys.readouterr().out
    rows = {row["what"]: row for row in json.loads((out / "report.json").read_text())["tables"]["drone_to_satellite"]}
    assert len(rows) == 2 + 9 + 4 and rows["chance"]["gallery"] == 5
    assert {"fog", "mixed", "heading -10°", "heading +10°", "scale -20%", "scale +20%"} <= set(rows)
    ours = next(row for name, row in rows.items() if name.startswith("towers.pt"))
    assert ours["queries"] == 7 and ours["gallery"] == 55
    assert ours["R@1"] == 1.0  # the same coarse blocks on both sides: even an untrained network finds them
    place = out / "drone_to_satellite"
    assert len((place / "answer.txt").read_text().splitlines()) == 7
    assert (place / "answer.txt").read_text().split("\t")[0] == "0000"
    with (place / "queries.csv").open() as file:
        assert [row["rank"] for row in csv.DictReader(file)] == ["1"] * 7
    again = by_labels(read_mat(place / "features.mat"))
    assert again.recall(1) == 1.0 and again.gallery == 5
    assert (place / "answers.png").stat().st_size > 1000
    evaluate(place / "features.mat", multi=True, out=tmp_path / "mat")
    assert " 4 " in capsys.readouterr().out  # four places, four queries


def test_a_folder_of_distractors_is_embedded_and_kept(tmp_path: Path, checkpoint: Path) -> None:
    data, kept, rows = university(tmp_path / "data"), tmp_path / "kept", []
    for number in range(6):
        write(tmp_path / f"others/{number % 2}/{number}.png", 700 + number)
    for distractors, keep in ((tmp_path / "others", str(kept)), (kept / "satellite.npy", None)):
        evaluate(data, checkpoint, pair=["drone:satellite"], distractors=str(distractors), keep=keep, flip=True,
                 out=tmp_path / "out")  # fmt: skip
        rows.append(json.loads((tmp_path / "out/report.json").read_text())["tables"]["drone_to_satellite"])
    assert rows[0] == rows[1] and rows[0][1]["gallery"] == 5 + 6
    assert np.load(kept / "satellite.npy").shape == (6, 256)
    named = [json.loads(line) for line in (kept / "satellite.jsonl").read_text().splitlines()]
    assert named[0].endswith(", satellite view, mirrored too") and named[1] == "0/0.png" and len(named) == 7


def test_in_one_area(tmp_path: Path, checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, squares = tmp_path / "data", {}
    for i in range(6):
        for name, view in ((f"g{i}", "gallery"), (f"q{i}", "query")):
            for side in ("drone", "satellite"):
                write(data / f"test/{view}_{side}/{name}/0.png", i)
            squares[name] = Square("w", 25.0 * i + (3.0 if view == "query" else 0.0), 0.0, 90.0)
    write_places(data, squares)
    evaluate(data, checkpoint, unknown=True, out=tmp_path / "out")
    tables = json.loads((tmp_path / "out/report.json").read_text())["tables"]
    for rows in tables.values():
        assert [row["what"].split(", ")[1] for row in rows] == ["vector", "re-ranked"] * 3
        assert [row["what"].split(", ")[0] for row in rows[2:]] == ["heading unknown"] * 2 + ["scale unknown"] * 2
        assert all(row["R@1"].startswith("1.000") and row["median_m"] == 3.0 for row in rows[:2])
        assert all(row["overlapping"] == 6 for row in rows)
    assert "measuring: 6 of 6" in capsys.readouterr().err
    for pair in tables:
        picture = cv2.imread(str(tmp_path / "out" / pair / "answers.png"))
        assert picture is not None and picture.shape[1] == 6 * picture.shape[0] // 6  # 6 queries, each with 5 answers
        with (tmp_path / "out" / pair / "queries.csv").open(newline="") as file:
            lines = list(csv.DictReader(file))
        assert [line["by"] for line in lines] == ["vector"] * 6 + ["re-ranked"] * 6
        assert {(line["distance_m"], line["right"]) for line in lines} == {("3.0", "1")}


def test_mat_files_are_the_official_ones(tmp_path: Path) -> None:
    import scipy.io

    rng = np.random.default_rng(0)
    features = FeatureSet(
        rng.normal(size=(3, 4)).astype(np.float32), np.array([0, 1, 1]),
        rng.normal(size=(5, 4)).astype(np.float32), np.array([0, 1, 2, -1, 1]),
        ("a", "bb", "c"), ("1", "2", "3", "4", "5"),
    )  # fmt: skip
    write_mat(tmp_path / "f.mat", features)
    content = scipy.io.loadmat(tmp_path / "f.mat")
    assert content["query_label"][0].tolist() == [0, 1, 1]  # as evaluate_gpu.py takes it
    read = read_mat(tmp_path / "f.mat")
    np.testing.assert_array_equal(read.gallery_features, features.gallery_features)
    assert read.query_paths == ("a", "bb", "c")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pair": ["drone:moon"]}, "drone:moon is no pair of views"),
        ({"data": "nowhere"}, "is no folder"),
        ({"checkpoint": "none.pt"}, "does not hold trained towers"),
        ({"bundle": ""}, "is no bundle"),
        ({"data": "x.mat"}, "is no .mat file"),
        ({"checkpoint": "a", "bundle": "b"}, "exclude each other"),
        ({"keep": "kept"}, "--keep and --cluster are for the pictures of --distractors"),
        ({"distractors": "nowhere"}, "neither a .npy file of features, a folder of pictures, nor a pool"),
    ],
)
def test_wrong_use_is_one_sentence(
    tmp_path: Path, checkpoint: Path, options: dict[str, str], message: str
) -> None:
    root = university(tmp_path / "data", places=2)
    words = {k: v if k == "pair" else root / v for k, v in ({"checkpoint": checkpoint} | options).items()}
    if "bundle" in options and options.get("checkpoint") is None:
        del words["checkpoint"]
    data = words.pop("data", root)
    with pytest.raises(HomingError, match=message) as caught:
        evaluate(data, out=tmp_path / "out", **words)
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


def test_the_command_says_it_without_a_traceback(tmp_path: Path) -> None:
    done = _run(tmp_path / "nowhere", "--out", tmp_path / "out")
    assert done.returncode == 2 and done.stderr.startswith("homing-evaluate: ") and done.stderr.count("\n") == 1


def test_pictures_of_the_folder_are_different(tmp_path: Path) -> None:
    """What makes R@1 of 1 above mean something."""
    assert np.abs(picture(100).astype(float) - picture(101)).mean() > 20
