"""The page of a flying daemon over real sockets: what it shows, what it lets happen, and what it does not."""

from __future__ import annotations

import io
import json
import socket
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families

from runtime.geodesy import offset
from runtime.page.app import MOST_VIEWERS
from runtime.page.pictures import MOST_BYTES
from runtime.page.server import PageServer
from tests.runtime.page.served import TOKEN, Served, asked, eventually, page_of, told


@dataclass(frozen=True)
class Flight:
    """A flight and its page."""

    flown: Served
    page: PageServer

    def get(self, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
        return asked(self.page, path, **headers)

    def json(self, path: str) -> Any:
        return json.loads(self.get(path)[2])

    def send(self, path: str, body: bytes, token: str = TOKEN) -> tuple[int, Any]:
        status, _, answer = asked(self.page, path, "POST", body, x_homing_token=token)
        return status, json.loads(answer)

    def first_message(self) -> Any:
        """What a viewer is told first."""
        with self.connected() as connection:
            connection.sendall(b"GET /api/live HTTP/1.1\r\nhost: localhost\r\n\r\n")
            with connection.makefile("rb") as lines:
                return json.loads(next(line for line in lines if line.startswith(b"data: "))[6:])

    def reply(self, request: bytes) -> bytes:
        """The beginning of the answer to bytes as they are."""
        with self.connected() as connection:
            connection.sendall(request)
            return connection.recv(200)

    def connected(self) -> socket.socket:
        parts = urlsplit(self.page.address)
        return socket.create_connection((str(parts.hostname), int(parts.port or 0)), timeout=15)


@pytest.fixture(scope="module")
def flight(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flight]:
    flown = Served()
    flown.skip(7.0)
    with page_of(flown, tmp_path_factory.mktemp("page")) as page:
        yield Flight(flown, page)


def picture(side_px: int = 96) -> bytes:
    pixels = np.random.default_rng(1).integers(0, 255, (side_px, side_px, 3), dtype=np.uint8)
    return bytes(cv2.imencode(".png", pixels)[1].tobytes())


# What is shown


def test_the_present_the_past_and_every_reason_in_words(flight: Flight) -> None:
    message = eventually(lambda: (now := flight.first_message()).get("rates_hz") and now)
    about = flight.json("/api/about")
    assert message["first"] and 0 <= message["age_s"] < 10
    assert message["status"]["state"] == "monitor" and message["status"]["reasons"]
    assert set(message["status"]["reasons"]) <= set(about["reasons"])
    assert message["rates_hz"]["frames"] == pytest.approx(2.0, abs=0.5)
    assert "the camera works" in {event["text"] for event in message["events"]}
    assert all(0 <= message["now_s"] - event["t_s"] < 60 for event in message["events"])
    latitude_deg, longitude_deg, _, trusted = message["track"]["points"][-1]
    here = flight.flown.here
    assert (latitude_deg, longitude_deg) == pytest.approx((here.latitude_deg, here.longitude_deg), abs=1e-4) and trusted
    assert message["status"]["vehicle"]["gps"]["position"]["latitude_deg"] == pytest.approx(here.latitude_deg, abs=1e-4)
    assert message["status"]["estimate"]["covariance_m2"][0][0] > 0


def test_pictures_are_pictures(flight: Flight) -> None:
    eventually(lambda: flight.get("/view/matched.jpg")[0] == 200)
    for path, size in (("/view/live.jpg", (64, 48)), ("/view/matched.jpg", (320, 320)), ("/keyframe/2.jpg", (64, 64))):
        status, headers, body = flight.get(path)
        assert status == 200 and headers["content-type"] == "image/jpeg"
        assert Image.open(io.BytesIO(body)).size == size


def test_the_ground_comes_in_pieces(flight: Flight) -> None:
    found = flight.json("/api/ground?after=2")
    assert [keyframe[0] for keyframe in found["keyframes"]] == [3, 4] and not found["more"]
    assert found["keyframes"][0][1:] == [60.0003, 22.0, 112.0]


def test_health_and_metrics(flight: Flight) -> None:
    eventually(lambda: flight.get("/healthz")[0] == 200)
    _, headers, text = flight.get("/metrics")
    assert headers["content-type"].startswith("text/plain")
    families = {family.name: family for family in text_string_to_metric_families(text.decode())}
    states = {sample.labels["state"]: sample.value for sample in families["homing_state"].samples}
    assert states["monitor"] == 1 and sum(states.values()) == 1
    assert families["homing_battery_ratio"].samples[0].value == pytest.approx(1.0, abs=0.1)
    counted = {sample.labels["name"]: sample.value for sample in families["homing_events"].samples}
    assert counted["frames"] > 0


def test_a_daemon_that_stands_still_is_not_healthy_and_says_how_long(tmp_path: Path) -> None:
    flown = Served()
    flown.skip(1.0)
    with page_of(flown, tmp_path) as page:
        flight = Flight(flown, page)
        eventually(lambda: flight.get("/healthz")[0] == 200)
        flown.flying = False
        eventually(lambda: flight.get("/healthz")[0] == 503)
        assert flight.first_message()["age_s"] > 2.0


# What it lets happen


def test_a_flight_is_consented_to_and_ended_with_the_token_alone(flight: Flight) -> None:
    place = offset(flight.flown.here, 40.0, 0.0)
    target = {"command": "target", "latitude_deg": place.latitude_deg, "longitude_deg": place.longitude_deg}
    for command in (target, {"command": "confirm", "target_id": "x"}, {"command": "engage"}, {"command": "disengage"}):
        for wrong in ("", "no token at all", TOKEN[:-1]):
            assert told(flight.page, command, wrong)[0] == 401
    _, found = told(flight.page, target)
    assert told(flight.page, {"command": "confirm", "target_id": "another"})[0] == 409
    assert told(flight.page, {"command": "confirm", "target_id": found["target_id"]})[0] == 200
    assert told(flight.page, {"command": "engage"})[1]["engaged"]
    assert eventually(lambda: flight.first_message()["status"]["state"] == "ready")
    assert told(flight.page, {"command": "disengage"}) == (200, {"schema": 1, "engaged": False})
    assert "the operator: engage" in {event["text"] for event in flight.first_message()["events"]}


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"null", b"{", b'"engage"', b'{"command": "status"}', b'{"command": "engage", "more": 1}',
        b'{"command": ["engage"]}', b'{"command": "confirm"}', b"[" * 4000, b" " * 5000,
        b'{"command": "target", "image": "/etc/passwd"}',  # no path is taken from outside
    ],
)  # fmt: skip
def test_what_is_no_command_of_the_page_is_refused(flight: Flight, body: bytes) -> None:
    status, answer = flight.send("/api/command", body)
    assert status in (400, 413) and answer["error"].endswith(".")


def test_targets_are_looked_for_side_by_side(flight: Flight) -> None:
    flight.flown.places.knows(flight.flown.here)
    ids = [flight.send(f"/api/targets?name=..%2Fbarn{number}.png&gsd_m=0.3", picture(90 + number))[1]["id"]
           for number in (0, 1)]  # fmt: skip
    def located() -> Any:
        targets = [one for one in flight.first_message()["targets"] if one["id"] in ids]
        return targets if all(target["answer"] for target in targets) else None

    targets = eventually(located)
    assert [target["name"] for target in targets] == ["barn0.png", "barn1.png"]
    assert all(target["answer"]["confirmable"] and target["answer"]["candidates"] for target in targets)
    black = bytes(cv2.imencode(".png", np.zeros((80, 80, 3), np.uint8))[1].tobytes())
    flight.send("/api/targets?name=night.png", black)
    eventually(lambda: "night.png is entirely black" in json.dumps(flight.first_message()["events"]))
    assert "homing-targets" not in json.dumps(flight.first_message())  # where the files are is nobody's business
    eventually(lambda: flight.first_message()["status"]["pending_target"]["target"] == "barn1.png")
    assert Image.open(io.BytesIO(flight.get(f"/target/{ids[0]}.jpg")[2])).size == (90, 90)
    assert flight.send(f"/api/targets/{ids[0]}/locate", b"")[0] == 202
    eventually(lambda: flight.first_message()["status"]["pending_target"]["target"] == "barn0.png")
    assert flight.send("/api/targets/nothing/locate", b"")[0] == 404


def test_a_page_that_only_shows(tmp_path: Path) -> None:
    flown = Served()
    with page_of(flown, tmp_path, control=False) as page:
        for token in ("", "None", TOKEN):
            status, answer = told(page, {"command": "disengage"}, token)
            assert status == 403 and "[page] control" in answer["error"]
            assert Flight(flown, page).send("/api/targets", picture(), token)[0] == 403
        assert json.loads(asked(page, "/api/about")[2])["control"] is False


# What it does not


def test_other_sites_and_names_are_refused_before_anything_is_looked_at(flight: Flight) -> None:
    assert flight.get("/api/live", host="evil.example")[0] == 421
    assert flight.get("/view/live.jpg", sec_fetch_site="cross-site", sec_fetch_mode="no-cors")[0] == 403
    command = json.dumps({"command": "engage"}).encode()
    elsewhere = {"origin": "http://evil.example", "x_homing_token": TOKEN}
    assert asked(flight.page, "/api/command", "POST", command, **elsewhere)[0] == 403
    assert asked(flight.page, "/api/command", "OPTIONS", **elsewhere)[0] == 405  # no other site is let in
    _, headers, _ = flight.get("/")
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff" and "access-control-allow-origin" not in headers


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/..%2f..%2fetc%2fpasswd", "//etc/passwd", "/static/page.css",
        "/page.css%00.js", "/.", "/..", "/keyframe/../../x.jpg", "/keyframe/-1.jpg",
        "/target/..%2f..%2fetc%2fpasswd.jpg", "/keyframe/99999999999999999999999.jpg", "/__init__.py", "/server.py",
    ],
)  # fmt: skip
def test_no_path_leads_out_of_the_page(flight: Flight, path: str) -> None:
    status, _, body = flight.get(path)
    assert status == 404 and b"root:" not in body and str(Path.cwd()).encode() not in body


@pytest.mark.parametrize("query", ["after=-1", "after=x", "after=1e3", "after=9999999999999999999999", "after=%00"])
def test_numbers_that_are_none(flight: Flight, query: str) -> None:
    assert flight.get(f"/api/ground?{query}")[0] == 400


def png_of(width: int, height: int) -> bytes:
    """A valid PNG of one colour: a few kilobytes that unpack to width times height pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    packed = zlib.compress(bytes(1 + 3 * width) * min(height, 200), 9)  # what follows would only take time
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


MALFORMED: dict[str, tuple[Callable[[], bytes], int]] = {
    "nothing": (lambda: b"", 400),
    "text": (lambda: b"no picture at all", 415),
    "a map's description that names other files": (lambda: b"<VRTDataset rasterXSize='9' rasterYSize='9'/>", 415),
    "script": (lambda: b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415),
    "a beginning": (lambda: picture()[:60], 422),
    "a broken middle": (lambda: picture()[:3000] + bytes(3000), 422),
    "bomb": (lambda: png_of(60_000, 60_000), 413),
    "more pixels than are taken": (lambda: png_of(6_000, 5_000), 413),
    "the length of a chunk": (lambda: picture()[:33] + b"\xff\xff\xff\x7fIDAT" + bytes(64), 422),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_picture_that_is_none_or_unpacks_to_gigabytes(flight: Flight, name: str) -> None:
    make, expected = MALFORMED[name]
    body = make()
    before = sorted(flight.page.parts.targets.folder.iterdir())
    status, answer = flight.send("/api/targets", body)
    assert status == expected and answer["error"].endswith(".")
    assert sorted(flight.page.parts.targets.folder.iterdir()) == before


@pytest.mark.parametrize("scale", ["0", "-1", "nan", "inf", "x"])
def test_a_scale_that_is_none(flight: Flight, scale: str) -> None:
    assert flight.send(f"/api/targets?gsd_m={scale}", picture())[0] == 400


def test_an_upload_ends_where_it_is_too_large(flight: Flight) -> None:
    """It says it is endless: what is refused is refused while it comes, not once it has all come."""
    with flight.connected() as connection:
        head = f"POST /api/targets HTTP/1.1\r\nhost: localhost\r\nx-homing-token: {TOKEN}\r\n"
        connection.sendall(head.encode() + b"transfer-encoding: chunked\r\n\r\n")
        piece, sent = b"100000\r\n" + bytes(1 << 20) + b"\r\n", 0
        try:
            while sent < 4 * MOST_BYTES:
                connection.sendall(piece)
                sent += 1 << 20
        except OSError:
            pass  # it has hung up, as it should
        answer = b""
        try:
            answer = connection.recv(64)
        except OSError:
            pass
    assert sent < 2 * MOST_BYTES and (b" 413 " in answer or answer == b"")
    assert flight.get("/")[0] == 200


# Clients that only wait


def test_a_hundred_idle_connections_cost_a_viewer_nothing(flight: Flight) -> None:
    idle = [flight.connected() for _ in range(100)]
    try:
        for connection in idle[::2]:
            connection.sendall(b"GET / HTTP/1.1\r\nhost: local")  # and the rest never comes
        for _ in range(3):
            assert flight.get("/")[0] == 200
        assert flight.first_message()["status"]
        idle[0].settimeout(5.0)
        assert idle[0].recv(1) == b""  # the one that was idle for longest has made room
    finally:
        for connection in idle:
            connection.close()


def test_one_who_opens_too_many_pages_is_told(flight: Flight) -> None:
    request = b"GET /api/live HTTP/1.1\r\nhost: localhost\r\n\r\n"
    viewers = [flight.connected() for _ in range(MOST_VIEWERS)]
    try:
        for viewer in viewers:
            viewer.sendall(request)
            assert b"200 OK" in viewer.recv(200)
        assert flight.get("/api/live")[0] == 503
    finally:
        for viewer in viewers:
            viewer.close()
    eventually(lambda: b"200 OK" in flight.reply(request))


def test_the_flight_goes_on_at_its_rate_whatever_clients_do(flight: Flight) -> None:
    """A viewer who never reads, and one who sends a byte at a time: the daemon shows itself as before."""
    with flight.connected() as deaf, flight.connected() as slow:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.sendall(b"GET /api/live HTTP/1.1\r\nhost: localhost\r\n\r\n")
        slow.sendall(b"POST /api/targets HTTP/1.1\r\nhost: localhost\r\nx-homing-token: " + TOKEN.encode())
        seen = set()

        def shown() -> bool:
            snapshot = flight.flown.board.snapshot
            assert snapshot is not None
            seen.add(snapshot.t_ns)
            return len(seen) > 4

        eventually(shown)
        assert flight.get("/")[0] == 200
