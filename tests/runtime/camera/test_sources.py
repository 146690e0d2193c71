"""Folder, video file and motion JPEG cameras, against real files and a real HTTP server."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
import pytest

from runtime.camera.health import CameraHealth, CameraState
from runtime.camera.reader import CameraReader
from runtime.camera.source import Camera, open_camera
from runtime.errors import CameraError

STAMPS = [1_000_000_123, 1_040_000_456, 1_080_000_789]


def picture(level: int) -> np.ndarray:
    image = np.full((48, 64, 3), level, dtype=np.uint8)
    image[10:20, 10:20] = (255, 0, 0)
    return image


class StreamHandler(BaseHTTPRequestHandler):
    """Three stamped frames, then one without a stamp, then the end."""

    def do_GET(self) -> None:
        if self.path == "/page":
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<p>not a camera")
            return
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        for index, stamp in enumerate([*STAMPS, None]):
            body = cv2.imencode(".jpg", picture(40 * index + 20))[1].tobytes()
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(body)}\r\n"
            head += f"X-Timestamp-Monotonic-Ns: {stamp}\r\n" if stamp else ""
            self.wfile.write(head.encode() + b"\r\n" + body + b"\r\n")
        self.wfile.write(b"--frame--\r\n")

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), StreamHandler) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{http.server_address[1]}"
        http.shutdown()
        thread.join()


def test_motion_jpeg_keeps_the_stamp_of_each_frame(server: str) -> None:
    camera = open_camera(f"{server}/stream", now_ns=lambda: 42)
    frames = [camera.read() for _ in range(4)]
    assert [frame.t_ns for frame in frames if frame] == [*STAMPS, 42]
    assert [int(frame.image[40, 40, 0]) // 20 for frame in frames if frame] == [1, 3, 5, 7]
    assert camera.read() is None
    camera.close()


def test_motion_jpeg_refuses_a_page_and_a_dead_port(server: str) -> None:
    with pytest.raises(CameraError, match="not a motion JPEG stream"):
        open_camera(f"{server}/page")
    with pytest.raises(CameraError, match="does not open"):
        open_camera("http://127.0.0.1:9/stream")


def test_folder_gives_images_in_name_order_as_rgb(tmp_path: Path) -> None:
    for name, level in (("b.png", 100), ("a.png", 50)):
        cv2.imwrite(str(tmp_path / name), cv2.cvtColor(picture(level), cv2.COLOR_RGB2BGR))
    (tmp_path / "c.png").write_bytes(b"not an image")
    (tmp_path / "notes.txt").write_text("ignored")
    camera = open_camera(str(tmp_path), now_ns=lambda: 7)
    frames = [camera.read(), camera.read(), camera.read()]
    assert [int(frame.image[0, 0, 0]) for frame in frames if frame] == [50, 100]
    assert frames[0] is not None and tuple(frames[0].image[15, 15]) == (255, 0, 0)
    assert frames[2] is None


def test_a_folder_without_images_and_a_missing_path_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CameraError, match="holds no images"):
        open_camera(str(tmp_path))
    with pytest.raises(CameraError, match="no such file"):
        open_camera(str(tmp_path / "nothing.mp4"))


def test_video_file_runs_on_its_own_time_line(tmp_path: Path) -> None:
    path = tmp_path / "flight.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10.0, (64, 48))
    for level in (20, 60, 100):
        writer.write(picture(level))
    writer.release()
    camera = open_camera(str(path), now_ns=lambda: 5_000_000_000)
    stamps = [frame.t_ns for frame in iter(camera.read, None)]
    assert len(stamps) == 3
    assert np.diff(stamps).tolist() == pytest.approx([100e6, 100e6], abs=1e6)
    camera.close()


def film(path: Path, frames_per_s: float) -> str:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), frames_per_s, (64, 48))
    for level in (20, 60, 100, 140):
        writer.write(picture(level))
    writer.release()
    return str(path)


def test_a_video_file_plays_at_its_own_pace(tmp_path: Path) -> None:
    """Else its frames would be stamped long after the instants at which they come."""
    camera, health = open_camera(film(tmp_path / "flight.avi", 10.0)), CameraHealth()
    assert [health.observe(frame, time.monotonic_ns()) for frame in iter(camera.read, None)] == [CameraState.OK] * 4
    camera.close()


def test_a_video_file_that_waits_for_its_next_frame_is_interrupted_at_once(tmp_path: Path) -> None:
    camera = open_camera(film(tmp_path / "slow.avi", 1.0), now_ns=lambda: 0)  # would wait for 1 + 2 + 3 s
    camera.interrupt()
    begun_s = time.monotonic()
    assert len(list(iter(camera.read, None))) == 4
    assert time.monotonic() - begun_s < 2.0
    camera.close()


def test_reader_drops_the_oldest_and_counts(tmp_path: Path) -> None:
    for index in range(6):
        cv2.imwrite(str(tmp_path / f"{index}.png"), picture(20 * index))
    reader = CameraReader(open_camera(str(tmp_path)), capacity=2)
    reader._thread.join(5.0)
    frames = reader.poll()
    assert [frame.index for frame in frames] == [4, 5]
    assert reader.dropped == 4 and reader.ended and reader.error is None
    reader.close()


def test_a_live_camera_that_ends_is_opened_again(server: str) -> None:
    reader = CameraReader(open_camera(server), capacity=2, reopen=lambda: open_camera(server))
    seen: list[int] = []
    deadline_s = time.monotonic() + 60.0
    while reader.breaks < 3 and time.monotonic() < deadline_s:
        seen += [frame.t_ns for frame in reader.poll()]
        time.sleep(0.01)
    reader.close()
    assert reader.ended and not reader._thread.is_alive()
    assert seen.count(STAMPS[2]) >= 2  # the server's third frame, from more than one connection


def test_a_camera_that_stays_away_can_be_closed(server: str) -> None:
    def gone() -> Camera:
        raise CameraError("no camera here.")

    reader = CameraReader(open_camera(server), reopen=gone)
    while reader.breaks == 0:
        time.sleep(0.01)
    reader.close()
    assert reader.ended and not reader._thread.is_alive()


@pytest.mark.parametrize(
    "uri",
    [
        "http://pilot:s3cret@127.0.0.1:9/live", "http://127.0.0.1:9/live?token=s3cret", "rtsp://p:s3cret@127.0.0.1:9/x",
        "gst:rtspsrc user-pw=s3cret location=nowhere ! appsink", "ftp://p:s3cret@host/s3cret.avi",
    ],
)  # fmt: skip
def test_an_address_that_does_not_open_is_named_without_its_password(uri: str) -> None:
    with pytest.raises(CameraError) as refused:
        open_camera(uri)
    assert "s3cret" not in str(refused.value) and "(left out)" in str(refused.value)
