"""The simulated camera's stream, read by the daemon's own camera over a real socket."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from runtime.camera.source import open_camera
from runtime.errors import CameraError
from runtime.values import Frame
from sim.stream import FrameStream


def frame(index: int) -> Frame:
    image = np.full((48, 64, 3), 20 * index, dtype=np.uint8)
    return Frame(image, 1_000_000_000 + index * 40_000_000, "test", index)


def test_frames_arrive_with_their_stamps_and_without_waiting_for_the_next() -> None:
    stream = FrameStream()
    try:
        stream.publish(frame(1))
        camera = open_camera(stream.url)
        received = []
        for index in (1, 2, 3):
            stream.publish(frame(index))
            received.append(camera.read())
        assert [(item.t_ns, round(item.image.mean() / 20)) for item in received if item] == [
            (frame(index).t_ns, index) for index in (1, 2, 3)
        ]
        camera.close()
    finally:
        stream.close()


def test_a_closed_stream_ends_and_refuses() -> None:
    stream = FrameStream()
    stream.publish(frame(1))
    camera = open_camera(stream.url)
    assert camera.read() is not None
    closing = threading.Timer(0.2, stream.close)
    closing.start()
    assert camera.read() is None
    camera.close()
    closing.join()
    with pytest.raises(CameraError, match="does not open"):
        open_camera(stream.url)
