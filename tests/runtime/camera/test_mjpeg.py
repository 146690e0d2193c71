"""Motion JPEG servers that lie, break off or never end, each a real one on a real socket."""

from __future__ import annotations

import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import cv2
import numpy as np
import pytest

from runtime.camera.mjpeg import STAMP_HEADER, MjpegCamera
from runtime.camera.reader import CameraReader
from runtime.camera.source import open_camera
from runtime.camera.stream_parts import MAX_HEADER_BYTES, MAX_PART_BYTES
from runtime.errors import CameraError

PATIENCE_S = 30.0  # only ever used up by a failure
NOW_NS = 42
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n"
HEAD = ANSWER + b"\r\n"
CHUNKED = ANSWER + b"Transfer-Encoding: chunked\r\n\r\n"
LAST = b"--frame--\r\n"
Act = Callable[[socket.socket], None]


def jpeg(level: int) -> bytes:
    return bytes(cv2.imencode(".jpg", np.full((48, 64, 3), level, np.uint8))[1].tobytes())


def part(body: bytes, *headers: str, length: str | None = None) -> bytes:
    lines = ["--frame", "Content-Type: image/jpeg", f"Content-Length: {length or len(body)}", *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body + b"\r\n"


def saying(*pieces: bytes, stay_s: float = 0.0) -> Act:
    """Send the pieces, each as a packet of its own, and hang up."""

    def act(client: socket.socket) -> None:
        for piece in pieces:
            client.sendall(piece)
            time.sleep(0.02)
        client.settimeout(stay_s or None)
        if stay_s:
            client.recv(1)  # until the camera hangs up

    return act


def endlessly(start: bytes, again: bytes, sent: list[int] | None = None) -> Act:
    def act(client: socket.socket) -> None:
        client.sendall(start)
        while True:
            client.sendall(again)
            if sent is not None:
                sent.append(len(again))

    return act


@contextmanager
def served(*acts: Act) -> Iterator[str]:
    """The address of a server that does one act a connection, in turn, and the last one ever after."""
    stop = threading.Event()

    def answer(client: socket.socket, act: Act) -> None:
        with client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                while not client.recv(65536).endswith(b"\r\n\r\n"):
                    pass
                act(client)
            except OSError:
                return  # the camera left

    def serve(listener: socket.socket) -> None:
        for number in itertools.count():
            client, _ = listener.accept()
            if stop.is_set():
                client.close()
                return
            threading.Thread(target=answer, args=(client, acts[min(number, len(acts) - 1)]), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        finally:
            stop.set()
            socket.create_connection(listener.getsockname()).close()
            thread.join()


@contextmanager
def opened(act: Act, picture_timeout_s: float = PATIENCE_S) -> Iterator[MjpegCamera]:
    with served(act) as url:
        camera = MjpegCamera(url, lambda: NOW_NS, picture_timeout_s)
        try:
            yield camera
        finally:
            camera.close()


def levels(camera: MjpegCamera) -> list[int]:
    """What every frame shows, until the stream ends."""
    return [round(float(frame.image.mean())) for frame in iter(camera.read, None)]


GOOD = saying(HEAD, part(jpeg(100)), part(jpeg(200)), LAST)
BROKEN: dict[str, Act] = {
    "chunked, cut off inside a chunk": saying(CHUNKED, b"4000\r\n" + part(jpeg(10))[:200]),
    "chunked, with a length that is none": saying(CHUNKED, b"xyz\r\n"),
    "cut off inside a part": saying(HEAD, part(jpeg(10))[:200]),
    "cut off at once": saying(HEAD),
    "an empty part": saying(HEAD, part(b"")),
    "no boundary where one must be": saying(HEAD, b"--other\r\n\r\n"),
    "a header without a colon": saying(HEAD, b"--frame\r\nContent Length 5\r\n\r\n"),
    "an end that is not kept": saying(HEAD, LAST + b"more", stay_s=PATIENCE_S),
    "a part without an end": endlessly(HEAD + b"--frame\r\n\r\n", bytes(1 << 20)),
    "a part without an end, of known length": endlessly(HEAD + part(jpeg(1))[:-2], bytes(1 << 20)),
    "a header without an end": endlessly(HEAD + b"--frame\r\nX-Comment: ", b"a" * 4096),
    "headers without an end": endlessly(HEAD + b"--frame\r\n", b"X-Comment: again\r\n" * 50),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_stream_that_breaks_is_opened_again(name: str) -> None:
    with served(BROKEN[name], GOOD) as url:
        reader = CameraReader(open_camera(url), reopen=lambda: open_camera(url), first_pause_s=0.02)
        try:
            end_s, seen = time.monotonic() + PATIENCE_S, []
            while 200 not in seen and time.monotonic() < end_s:
                seen += [round(float(frame.image.mean())) for frame in reader.poll()]
                time.sleep(0.01)
            assert 200 in seen
            assert reader.breaks >= 1 and reader.failures == 0
        finally:
            assert reader.close()


@pytest.mark.parametrize("start", [b"--frame\r\n\r\n", part(jpeg(1))[:-2]])
def test_a_part_without_an_end_is_given_up_at_its_bound(start: bytes) -> None:
    sent: list[int] = []
    with opened(endlessly(HEAD + start, bytes(1 << 18), sent)) as camera:
        with pytest.raises(CameraError, match=f"a part of more than {MAX_PART_BYTES} bytes"):
            levels(camera)
    assert sum(sent) < MAX_PART_BYTES + 16 * 2**20  # what sockets hold besides


def test_a_header_without_an_end_is_given_up_at_its_bound() -> None:
    for again in (b"a" * 512, b"b: c\r\n" * 40):
        with opened(endlessly(HEAD + b"--frame\r\nX: ", again)) as camera:
            with pytest.raises(CameraError, match=f"headers of more than {MAX_HEADER_BYTES} bytes|damaged stream"):
                camera.read()


def test_parts_that_are_no_picture_are_left_out_and_counted() -> None:
    torn = part(jpeg(7)[:30])
    with opened(saying(HEAD, part(b""), part(b"no picture"), torn, part(jpeg(50)), part(b""), LAST)) as camera:
        assert levels(camera) == [50]
        assert camera.damaged == 4


@pytest.mark.parametrize("stamp", ["²", "12³", "１２", "-5", "1.5", "soon", "", "9" * 20, "1" * 1000])
def test_a_stamp_that_is_no_number_costs_its_own_frame(stamp: str) -> None:
    text = stamp.encode("utf-8").decode("latin-1") if stamp == "１２" else stamp
    lying, honest = part(jpeg(10), f"{STAMP_HEADER}: {text}"), part(jpeg(20), f"{STAMP_HEADER}: 12345")
    with opened(saying(HEAD, lying, honest, part(jpeg(30)), LAST)) as camera:
        first, second = camera.read(), camera.read()
        assert first is not None and second is not None and camera.read() is None
        assert (first.t_ns, second.t_ns) == (12345, NOW_NS)  # without a stamp: the instant of arrival
        assert camera.damaged == 1


@pytest.mark.parametrize("length", ["0", "1", "100", "999999", "²", "-1", "many", "007"])
def test_a_wrong_content_length_spoils_no_picture(length: str) -> None:
    parts = [part(jpeg(level), length=length) for level in (40, 80, 120)]
    with opened(saying(HEAD, *parts, LAST)) as camera:
        assert levels(camera) == [40, 80, 120]


def test_a_content_length_that_ends_within_the_picture_does_not_cut_it_short() -> None:
    body = jpeg(90)
    whole = part(body, length=str(len(body) - 20))
    cut = whole.index(body) + len(body) - 20  # a packet ends exactly where the server says that the picture does
    with opened(saying(HEAD, whole[:cut], whole[cut:], LAST)) as camera:
        frame = camera.read()
        assert frame is not None and np.abs(frame.image.astype(int) - 90).max() <= 3


def test_a_right_content_length_spares_waiting_for_the_next_frame() -> None:
    with opened(saying(HEAD, part(jpeg(60)), stay_s=PATIENCE_S)) as camera:
        begun_s = time.monotonic()
        assert camera.read() is not None
        assert time.monotonic() - begun_s < 2.5  # the server says no more, and the read would time out after 3 s


def test_a_stream_without_a_picture_is_given_up() -> None:
    with opened(endlessly(HEAD, part(b"no picture")), picture_timeout_s=0.3) as camera:
        with pytest.raises(CameraError, match="sent no whole picture for 0.3 s"):
            camera.read()


def test_a_read_that_waits_is_interrupted_at_once() -> None:
    with served(saying(HEAD, part(jpeg(60)), stay_s=PATIENCE_S)) as url:
        reader = CameraReader(open_camera(url), reopen=lambda: open_camera(url))
        while not reader.poll():
            time.sleep(0.01)
        begun_s = time.monotonic()
        assert reader.close() and reader.ended
        assert time.monotonic() - begun_s < 2.0


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X-Long: " + b"a" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=--\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=" + b"b" * 300 + b"\r\n\r\n",
    ],
)
def test_what_is_no_motion_jpeg_server_is_one_sentence(answer: bytes) -> None:
    with served(saying(answer)) as url:
        with pytest.raises(CameraError, match=f"camera {url} ") as caught:
            open_camera(url)
        assert "\n" not in str(caught.value)


def test_an_address_that_is_none_is_one_sentence() -> None:
    with pytest.raises(CameraError, match="does not open"):
        open_camera("http://user:secret@host:8080/")
