"""One engine and several threads: everyone gets their own embeddings, and nobody waits for another's whole batch."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from runtime.bundle import Bundle
from runtime.embedder.embedder import Embedder, parity_embeddings, parity_images
from runtime.embedder.onnx_engine import OnnxEngine
from runtime.embedder.serialised import Turns
from runtime.values import Maps, Vectors, ViewKind
from tests.runtime.small_bundle import small_bundle

_SOON_S = 0.5  # long enough for a thread that may go on to have gone on


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return small_bundle(tmp_path_factory.mktemp("small") / "bundle")


class OneBuffer:
    """An engine as on a GPU: every run goes through the same input buffer, and takes a moment between its copies.

    ``meets``: a run waits there, once, until a second one has written its crops, or for half a second.
    """

    name, batch = "one buffer", 1

    def __init__(self, path: Path) -> None:
        self._engine = OnnxEngine(path, threads=1)
        self._buffer: NDArray[np.uint8] | None = None
        self.meets = False
        self._entered = 0
        self._second = threading.Event()

    def run(self, crops: NDArray[np.uint8]) -> tuple[Vectors, Maps | None]:
        if self._buffer is None:
            self._buffer = np.empty_like(crops)
        self._buffer[:] = crops
        if self.meets:
            self._entered += 1
            if self._entered == 2:
                self._second.set()
            self._second.wait(_SOON_S)
        return self._engine.run(self._buffer)


class Slow:
    """An engine that takes 20 ms a batch once it is told to, and keeps which thread it ran for."""

    name, batch = "slow", 1

    def __init__(self, path: Path) -> None:
        self._engine = OnnxEngine(path, threads=1)
        self.began = threading.Event()
        self.ran_for: list[str] = []
        self.slow = False

    def run(self, crops: NDArray[np.uint8]) -> tuple[Vectors, Maps | None]:
        if self.slow:
            self.ran_for.append(threading.current_thread().name)
            self.began.set()
            time.sleep(0.02)
        return self._engine.run(crops)


def test_two_threads_at_once_get_their_own_embeddings_of_one_engine(small: Bundle) -> None:
    made: list[OneBuffer] = []

    def engine(path: Path) -> OneBuffer:
        made.append(OneBuffer(path))
        return made[-1]

    embedder = Embedder(small, threads=1, engines=engine)
    (shared,) = made  # both towers are one file, so one engine
    images, expected = parity_images(small), parity_embeddings(small, ViewKind.DRONE)
    found: dict[ViewKind, Vectors] = {}

    def embed(view: ViewKind, row: int) -> None:
        found[view] = embedder.embed(view, images[row : row + 1]).vectors

    shared.meets = True
    threads = [threading.Thread(target=embed, args=asked) for asked in ((ViewKind.DRONE, 0), (ViewKind.SATELLITE, 6))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_allclose(found[ViewKind.DRONE][0], expected[0], atol=1e-4)
    np.testing.assert_allclose(found[ViewKind.SATELLITE][0], expected[6], atol=1e-4)


def test_a_live_frame_does_not_wait_for_all_the_crops_of_a_target(small: Bundle) -> None:
    made: list[Slow] = []

    def engine(path: Path) -> Slow:
        made.append(Slow(path))
        return made[-1]

    embedder = Embedder(small, threads=1, engines=engine)
    (slow,) = made
    slow.slow = True
    images = parity_images(small)

    def embed(count: int) -> None:
        embedder.embed(ViewKind.SATELLITE, images[:count])

    target = threading.Thread(target=embed, args=(10,), name="target")
    live = threading.Thread(target=embed, args=(1,), name="live")
    target.start()
    assert slow.began.wait(_SOON_S * 10)
    live.start()
    target.join()
    live.join()
    assert slow.ran_for.count("target") == 10
    # The batch that ran when it came, and where its thread started slowly one more.
    assert slow.ran_for.index("live") <= 2


def test_turns_are_taken_in_the_order_in_which_they_were_asked_for() -> None:
    turns, taken = Turns(), []

    def take(number: int) -> None:
        with turns:
            taken.append(number)

    threads = [threading.Thread(target=take, args=(number,)) for number in range(5)]
    with turns:
        for place, thread in enumerate(threads, start=2):
            thread.start()
            _until(lambda place=place: len(turns._line) == place)  # type: ignore[misc]
        assert taken == []
    for thread in threads:
        thread.join()
    assert taken == [0, 1, 2, 3, 4]


def test_who_asks_again_at_once_comes_after_who_waits() -> None:
    turns, stop, begun = Turns(), threading.Event(), [0]

    def target() -> None:
        while not stop.is_set():
            with turns:
                begun[0] += 1
                time.sleep(0.002)

    thread = threading.Thread(target=target)
    thread.start()
    overtook = []
    for _ in range(20):
        time.sleep(0.003)
        before = begun[0]
        with turns:
            overtook.append(begun[0] - before)
    stop.set()
    thread.join()
    assert np.median(overtook) == 0  # a plain lock: 1; not the maximum, for any thread may be stopped before it asks


def test_a_turn_that_fails_ends() -> None:
    turns = Turns()
    with pytest.raises(ValueError, match="spoilt"), turns:
        raise ValueError("spoilt")
    with turns:
        pass


def _until(holds) -> None:
    deadline_s = time.monotonic() + 10 * _SOON_S
    while not holds():
        assert time.monotonic() < deadline_s
        time.sleep(0.001)
