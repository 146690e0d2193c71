"""Folders of pictures as distractors: embedded once, kept, gone on with, by this process or by a Dask cluster."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from runtime.errors import HomingError, UsageError
from runtime.values import ViewKind
from tests.runtime.once import is_first
from train.data.views import Skipped
from train.evaluate.distractors import Distractors, distractors_from
from train.evaluate.kept import KeptInFile
from train.evaluate.picture_job import Embedding
from train.evaluate.protocol import Features, normalised

VIEW = ViewKind.SATELLITE
COUNT = 150  # five parts
with_dask = pytest.mark.skipif(find_spec("distributed") is None, reason="Dask is not installed (extra `cluster`)")
with_milvus = pytest.mark.skipif(find_spec("milvus_lite") is None, reason="Milvus is not installed (extra `cluster`)")


@dataclass
class Thumbnails:
    """Embeds a crop as its own thumbnail, and counts the crops that are not blank."""

    size_px: int = 16
    name: str = "thumbnails"
    embedded: int = 0

    def embed(self, view: ViewKind, crops: NDArray[np.uint8]) -> tuple[Features, None]:
        self.embedded += int(crops.any(axis=(1, 2, 3)).sum())
        small = [cv2.resize(crop, (4, 4), interpolation=cv2.INTER_AREA).ravel() for crop in crops]
        return normalised(np.array(small, np.float32) + np.arange(48, dtype=np.float32)), None


@dataclass
class KilledOnce(Thumbnails):
    """The first of all workers that embeds a second part is killed in the middle of it."""

    mark: Path = Path()
    parts: int = 0

    def embed(self, view: ViewKind, crops: NDArray[np.uint8]) -> tuple[Features, None]:
        self.parts += 1
        if self.parts == 2 and is_first(self.mark):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().embed(view, crops)


@dataclass(frozen=True)
class Start:
    """Opens one in a worker."""

    mark: Path | None = None
    name: str = "thumbnails"

    def __call__(self) -> Thumbnails:
        if self.mark is None:
            return Thumbnails(name=self.name)
        assert "torch" not in sys.modules  # of a process that embeds by a bundle
        return KilledOnce(mark=self.mark)


@dataclass
class CutOff:
    """Progress that is interrupted after so many pictures."""

    left: int = 1 << 30
    done: list[str] = field(default_factory=list)

    @contextmanager
    def __call__(self, what: str, total: int) -> Iterator[CutOff]:
        yield self

    def step(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures in folders, two of which cannot be read."""
    path, rng = tmp_path_factory.mktemp("pictures"), np.random.default_rng(1)
    for number in range(COUNT):
        place = path / f"{number % 3}" / f"{number:03}.png"
        place.parent.mkdir(exist_ok=True)
        cv2.imwrite(str(place), rng.integers(1, 255, (16, 16, 3), np.uint8))
    for broken in ("1/broken.png", "broken.jpg"):
        (path / broken).write_bytes(b"broken")
    return path


def kept(
    folder: Path, out: Path, keep: str | None, cluster: str | None = None, start: Start | None = None,
    encoder: Thumbnails | None = None, progress: CutOff | None = None, stack: ExitStack | None = None,
) -> tuple[str, Skipped]:  # fmt: skip
    """Where the features are, and what could not be read."""
    skipped = Skipped()
    embedding = Embedding(encoder or Thumbnails(), start or Start(), False, skipped, progress or CutOff())
    source = Distractors(str(folder), keep, cluster).embedded(VIEW, embedding, out, stack or ExitStack())
    return source, skipped


def rows(source: str) -> Features:
    return np.concatenate(list(distractors_from(source)))


def expected(folder: Path, names: Sequence[str]) -> Features:
    """What each picture by itself is embedded as."""
    crops = np.stack([cv2.imread(str(folder / name))[..., ::-1] for name in names])
    return Thumbnails().embed(VIEW, crops)[0]


def names_of(source: str) -> list[str]:
    return [json.loads(line) for line in Path(source).with_suffix(".jsonl").read_text().splitlines()][1:]


@pytest.fixture(scope="module")
def here(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What this process made of it, and kept."""
    out = tmp_path_factory.mktemp("here")
    source, skipped = kept(folder, out, str(out))
    assert sorted(path.name for path in skipped.paths) == ["broken.jpg", "broken.png"]
    return source


def test_each_picture_is_embedded_once_under_its_name(folder: Path, here: str) -> None:
    names = names_of(here)
    assert names == sorted(f"{number % 3}/{number:03}.png" for number in range(COUNT))
    np.testing.assert_allclose(rows(here), expected(folder, names), atol=1e-6)


def test_nothing_is_kept_that_was_not_asked_for(folder: Path, here: str, tmp_path: Path) -> None:
    with ExitStack() as stack:
        source, _ = kept(folder, tmp_path, None, stack=stack)
        np.testing.assert_array_equal(rows(source), rows(here))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("form", ["file", pytest.param("pool", marks=with_milvus)])
@pytest.mark.filterwarnings("ignore")  # of Milvus's own dependencies
def test_interrupted_it_goes_on_and_again_embeds_nothing(folder: Path, here: str, tmp_path: Path, form: str) -> None:
    keep, encoders = str(tmp_path / "pool.db#others" if form == "pool" else tmp_path / "kept"), []
    for left in (70, 1 << 30, 1 << 30):
        encoders.append(Thumbnails())
        try:
            source, _ = kept(folder, tmp_path, keep, encoder=encoders[-1], progress=CutOff(left))
        except KeyboardInterrupt:
            continue
    assert [one.embedded for one in encoders] == [96, COUNT - 96, 0]
    found = rows(source)
    order = np.lexsort(found.T) if form == "pool" else np.arange(COUNT)  # a pool has an order of its own
    wanted = rows(here)
    wanted = wanted[np.lexsort(wanted.T)] if form == "pool" else wanted
    np.testing.assert_allclose(found[order], wanted, atol=1e-6)


def test_what_a_kill_left_half_written_is_written_again(tmp_path: Path) -> None:
    path, features = tmp_path / "satellite.npy", np.eye(4, dtype=np.float32)
    with KeptInFile(path, "by", 4) as file:
        file.add(["a", "b"], features[:2])
    with path.open("ab") as raw, path.with_suffix(".jsonl").open("a") as listed:
        raw.write(b"half a row")
        listed.write('"c"\n"d')
    with KeptInFile(path, "by", 4) as file:
        assert file.missing(["a", "b", "c", "d"]) == ["c", "d"]
        file.add(["c", "d"], features[2:])
    np.testing.assert_array_equal(np.load(path), features)
    assert names_of(str(path)) == ["a", "b", "c", "d"]


@with_dask
@pytest.mark.filterwarnings("ignore")  # of Dask's own sockets and threads, as it ends
def test_of_a_worker_killed_in_the_middle_no_picture_is_lost_or_doubled(
    folder: Path, here: str, tmp_path: Path
) -> None:
    encoder, start = Thumbnails(), Start(tmp_path / "killed")
    source, skipped = kept(folder, tmp_path, str(tmp_path), "local", start, encoder)
    assert start.mark is not None and start.mark.exists() and encoder.embedded == 0
    assert names_of(source) == names_of(here) and len(skipped.paths) == 2
    np.testing.assert_array_equal(np.load(source), np.load(here))


@with_dask
@pytest.mark.filterwarnings("ignore")
def test_a_worker_that_embeds_by_something_else_is_refused(folder: Path, tmp_path: Path) -> None:
    from distributed import LocalCluster

    with LocalCluster(n_workers=1, processes=False, dashboard_address=None) as cluster:
        with pytest.raises(HomingError, match="a worker embeds by another, and this computer by thumbnails"):
            kept(folder, tmp_path, str(tmp_path), cluster.scheduler_address, Start(name="another"))


def test_bad_input_is_one_sentence(folder: Path, here: str, tmp_path: Path) -> None:
    (tmp_path / "few").mkdir()
    (tmp_path / "few" / "broken.png").write_bytes(b"broken")
    place = str(Path(here).parent)
    for wrong, sentence in (
        (lambda: kept(tmp_path / "nowhere", tmp_path, None), "neither a .npy file of features, a folder of pictures"),
        (lambda: kept(tmp_path / "few", tmp_path, str(tmp_path / "kept")), "none of its pictures could be read"),
        (lambda: kept(tmp_path / "few", tmp_path, place), "holds 150 pictures that the folder does not"),
        (lambda: kept(folder, tmp_path, None, "local"), "give --keep too"),
        (lambda: Distractors(here, keep=place), "holds features already"),
    ):
        with pytest.raises(UsageError, match=sentence) as caught:
            wrong()
        assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


def test_two_do_not_add_to_one_file(tmp_path: Path) -> None:
    with KeptInFile(tmp_path / "a.npy", "by", 4):
        with pytest.raises(UsageError, match="another process is adding to it"):
            KeptInFile(tmp_path / "a.npy", "by", 4)
