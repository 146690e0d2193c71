"""Work of a cluster comes in order, each part once, and what is wrong with a cluster is one sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

from runtime.cluster import done_by_cluster
from runtime.errors import HomingError, ImageError, UsageError

# Found, and imported where it is used: every process of the suite collects this file, and one runs it.
pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # of Dask's own sockets and threads, as it ends
    pytest.mark.skipif(find_spec("distributed") is None, reason="Dask is not installed (extra `cluster`)"),
]


@dataclass(frozen=True)
class Squares:
    """Squares numbers, and notes in a file that it was opened and closed; a part of -1 it cannot do."""

    notes: Path

    @contextmanager
    def open(self) -> Iterator[Callable[[int], int]]:
        self._note("opened")
        yield self.square
        self._note("closed")

    def square(self, number: int) -> int:
        if number < 0:
            raise ImageError(f"{number} has no picture.")
        return number**2

    def _note(self, what: str) -> None:
        with self.notes.open("a") as file:
            file.write(what + "\n")


@pytest.fixture(scope="module")
def threads() -> Iterator[str]:
    """The address of a scheduler whose workers are threads of this process, and so share what is open."""
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, processes=False, dashboard_address=None) as cluster:
        yield cluster.scheduler_address


def test_parts_come_in_order_each_once_and_a_job_is_open_until_the_next(threads: str, tmp_path: Path) -> None:
    first, second = Squares(tmp_path / "first"), Squares(tmp_path / "second")
    for job in (first, Squares(tmp_path / "first"), second):
        assert list(done_by_cluster(job, range(40), threads, 2)) == [number**2 for number in range(40)]
    assert first.notes.read_text().split() == ["opened", "closed"]
    assert second.notes.read_text().split() == ["opened"]


def test_what_a_worker_says_is_wrong_is_said_here(threads: str, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="-1 has no picture"):
        list(done_by_cluster(Squares(tmp_path / "notes"), [3, -1], threads, 2))


@pytest.mark.parametrize(
    ("cluster", "error", "sentence"),
    [
        ("workers", UsageError, "--cluster workers: give tcp://HOST:8786"),
        ("tcp://127.0.0.1:9", HomingError, "--cluster tcp://127.0.0.1:9: no scheduler answers there"),
    ],
)
def test_a_cluster_that_is_not_there(tmp_path: Path, cluster: str, error: type[HomingError], sentence: str) -> None:
    with pytest.raises(error, match=sentence) as caught:
        list(done_by_cluster(Squares(tmp_path / "notes"), [1], cluster, 1, within_s=0.3))
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


def test_a_scheduler_without_workers(tmp_path: Path) -> None:
    from distributed import LocalCluster

    with LocalCluster(n_workers=0, processes=False, dashboard_address=None) as cluster:
        address = cluster.scheduler_address
        with pytest.raises(HomingError, match=f"--cluster {address}: no worker came within 0.3 s"):
            list(done_by_cluster(Squares(tmp_path / "notes"), [1], address, 1, within_s=0.3))
