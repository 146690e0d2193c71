"""The camera's thread: it alone touches the camera, it outlives what goes wrong, and nobody waits for it for ever."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from runtime.camera.reader import CameraReader
from runtime.camera.source import Camera
from runtime.errors import CameraError
from runtime.values import Frame

ROOT = Path(__file__).parents[3]
PATIENCE_S = 30.0  # only ever used up by a failure
IMAGE = np.zeros((4, 4, 3), np.uint8)


def eventually(what: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.005)


def film(path: Path, frames: int = 400) -> Path:
    """MPEG-4 of noise, to be played faster than it is decoded: the decoder's threads are at work when it is closed."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 1000.0, (640, 480))
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, 255, (480, 640, 3), dtype=np.uint8) for _ in range(4)]
    for index in range(frames):
        writer.write(noise[index % 4])
    writer.release()
    return path


OPEN_AND_CLOSE = """
import sys, time
from runtime.camera.reader import CameraReader
from runtime.camera.source import open_camera
for turn in range(12):
    reader = CameraReader(open_camera(sys.argv[1]))
    time.sleep(0.02 + 0.005 * turn)
    assert reader.close() and reader.ended, turn
print("closed")
"""


def test_a_video_that_is_closed_while_it_is_read_does_not_abort_the_process(tmp_path: Path) -> None:
    path = film(tmp_path / "flight.mp4")
    finished = subprocess.run(
        [sys.executable, "-c", OPEN_AND_CLOSE, str(path)],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert (finished.returncode, finished.stdout) == (0, "closed\n"), finished.stderr


class Scripted:
    """A camera that does what it is told, and keeps who asked: each thing in ``says`` is a frame or is raised."""

    def __init__(self, *says: Frame | Exception | None, on_close: Exception | None = None) -> None:
        self.says = list(says)
        self.on_close = on_close
        self.readers: set[int] = set()
        self.closers: list[int] = []

    def read(self) -> Frame | None:
        self.readers.add(threading.get_ident())
        said = self.says.pop(0) if self.says else None
        if isinstance(said, Exception):
            raise said
        return said

    def interrupt(self) -> None:
        pass

    def close(self) -> None:
        self.closers.append(threading.get_ident())
        if self.on_close is not None:
            raise self.on_close


class Stuck(Scripted):
    """A driver that never returns from a read, until the test is over."""

    def __init__(self) -> None:
        super().__init__()
        self.inside, self.over = threading.Event(), threading.Event()

    def read(self) -> Frame | None:
        self.inside.set()
        self.over.wait(PATIENCE_S)
        return super().read()


def a_frame(index: int) -> Frame:
    return Frame(IMAGE, index, "scripted", index)


def test_only_the_thread_that_reads_releases() -> None:
    camera = Scripted(*[a_frame(index) for index in range(1000)])
    reader = CameraReader(camera)
    assert reader.close()
    assert len(camera.closers) == 1 and set(camera.closers) == camera.readers != {threading.get_ident()}


def test_a_driver_that_never_returns_is_left_behind_and_not_released() -> None:
    camera = Stuck()
    reader = CameraReader(camera)
    assert camera.inside.wait(PATIENCE_S)
    begun_s = time.monotonic()
    assert reader.close(timeout_s=0.2) is False
    assert time.monotonic() - begun_s < 5.0 and camera.closers == [] and not reader.ended
    camera.over.set()  # it returns after all, and is released by its own thread
    eventually(lambda: reader.ended)
    assert camera.closers and threading.get_ident() not in camera.closers


def test_errors_that_no_camera_is_known_to_make_are_counted_and_the_thread_goes_on() -> None:
    cameras = [
        Scripted(a_frame(0), cv2.error("an assertion of OpenCV's"), on_close=RuntimeError("and so does its release")),
        Scripted(ZeroDivisionError("another")),
        Scripted(*[a_frame(index) for index in range(1, 50)]),
    ]
    opened: list[Camera | Exception] = [TypeError("opening fails too"), *cameras[1:]]

    def reopen() -> Camera:
        if not opened:
            raise CameraError("no camera here.")
        camera = opened.pop(0)
        if isinstance(camera, Exception):
            raise camera
        return camera

    reader = CameraReader(cameras[0], reopen=reopen, first_pause_s=0.02)
    seen: list[int] = []
    eventually(lambda: bool(seen.extend(frame.index for frame in reader.poll()) or 49 in seen))
    assert reader.counts() == {"camera_breaks": 3, "camera_failures": 4} or reader.breaks == 2
    assert reader.failures == 4
    assert reader.close() and all(len(camera.closers) == 1 for camera in cameras)


def test_a_file_that_fails_says_that_it_cannot_go_on() -> None:
    reader = CameraReader(Scripted(a_frame(0), ValueError("not a number")))
    eventually(lambda: reader.ended)
    assert reader.failures == 1 and str(reader.error) == "the camera failed: not a number."
    assert [frame.index for frame in reader.poll()] == [0]
    assert reader.close()


def test_the_pause_grows_until_a_frame_comes() -> None:
    """A camera that opens at once and breaks at once must not be opened twice a second for the rest of a flight."""
    instants: list[float] = []

    def reopen() -> Camera:
        instants.append(time.monotonic())
        return Scripted(CameraError("broken."))

    reader = CameraReader(Scripted(CameraError("broken.")), reopen=reopen, first_pause_s=0.1)
    eventually(lambda: len(instants) == 3)
    reader.close()
    assert instants[1] - instants[0] >= 0.2 and instants[2] - instants[1] >= 0.4
    assert reader.breaks >= 3 and reader.error is not None


class Released:
    """A camera that gives a frame each time it is let."""

    def __init__(self) -> None:
        self.let = threading.Semaphore(0)
        self.closed = False

    def read(self) -> Frame | None:
        self.let.acquire()
        return None if self.closed else Frame(IMAGE, 1, "released", 1)

    def interrupt(self) -> None:
        self.closed = True
        self.let.release()

    def close(self) -> None:
        """Nothing is held open."""


def test_whoever_takes_the_frames_is_woken_by_each() -> None:
    camera, woken = Released(), threading.Semaphore(0)
    reader = CameraReader(camera)
    reader.wakes(woken.release)
    try:
        for _ in range(3):
            camera.let.release()
            assert woken.acquire(timeout=PATIENCE_S)
            assert len(reader.poll()) == 1  # it has come before anybody is woken
    finally:
        reader.close()
