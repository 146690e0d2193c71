"""What the page answers: its files, the present as a stream, pictures, the map's data, and what changes something."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from runtime.computer import ComputerLoad
from runtime.errors import HistoryError, HomingError
from runtime.finite import finite
from runtime.freshness import SNAPSHOT
from runtime.history.reader import GroundRows
from runtime.page.about import About
from runtime.page.access import Access
from runtime.page.asking import Asker
from runtime.page.board import Board
from runtime.page.guard import Guard
from runtime.page.live import LiveFeed
from runtime.page.metrics import exposition
from runtime.page.pictures import UploadError
from runtime.page.static_files import INDEX, static_files
from runtime.page.targets import Targets
from runtime.page.views import Views

MOST_VIEWERS = 8
_GROUND_ROWS = 1000  # in one answer of the map's data, 40 kB
_KEYFRAME_SIDES_PX = (96, 160, 320)
_MOST_COMMAND_BYTES = 4096
_COMMANDS: dict[str, frozenset[str]] = {  # and the keys that each takes; an image is uploaded, never named by its path
    "target": frozenset({"latitude_deg", "longitude_deg"}),
    "confirm": frozenset({"target_id"}),
    "engage": frozenset(),
    "disengage": frozenset(),
}


class Ground(Protocol):
    """The part of a history that the map shows."""

    def ground_rows(self, after_id: int, most: int) -> GroundRows:
        """What ground its keyframes show."""
        ...


@dataclass(frozen=True, slots=True)
class Parts:
    """What the page is made of."""

    about: About
    access: Access
    board: Board
    load: Callable[[], ComputerLoad | None]
    views: Views
    ground: Ground
    asker: Asker
    targets: Targets


def make_app(parts: Parts) -> ASGIApp:
    """The page as an ASGI application."""
    handlers = _Handlers(parts)
    routes = [
        Route("/", handlers.index),
        Route("/healthz", handlers.healthz),
        Route("/metrics", handlers.metrics),
        Route("/api/about", handlers.about),
        Route("/api/live", handlers.live),
        Route("/api/ground", handlers.ground),
        Route("/view/live.jpg", handlers.live_view),
        Route("/view/matched.jpg", handlers.matched_view),
        Route("/keyframe/{keyframe_id:int}.jpg", handlers.keyframe),
        Route("/target/{upload_id:str}.jpg", handlers.target_picture),
        Route("/api/token", handlers.token, methods=["POST"]),
        Route("/api/command", handlers.command, methods=["POST"]),
        Route("/api/targets", handlers.upload, methods=["POST"]),
        Route("/api/targets/{upload_id:str}/locate", handlers.locate, methods=["POST"]),
        Route("/{name:str}", handlers.file),
    ]
    return Guard(Starlette(routes=routes, exception_handlers={HomingError: _refused}), parts.access)


class _Handlers:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._files = static_files()
        self._viewers = 0

    # What is shown

    async def index(self, request: Request) -> Response:
        return self._file(INDEX)

    async def file(self, request: Request) -> Response:
        return self._file(request.path_params["name"])

    def _file(self, name: str) -> Response:
        file = self._files.get(name)
        if file is None:
            return PlainTextResponse("there is no such page.\n", 404)
        return Response(file.content, media_type=file.media_type, headers={"cache-control": "no-cache"})

    async def healthz(self, request: Request) -> Response:
        snapshot, age_s = self._parts.board.snapshot, self._parts.board.age_s()
        fresh = age_s is not None and age_s <= SNAPSHOT.seconds
        said = {"status": "ok" if fresh else "stale", "age_s": age_s, "state": snapshot and snapshot.status["state"]}
        return JSONResponse(said, 200 if fresh else 503)

    async def metrics(self, request: Request) -> Response:
        text = exposition(self._parts.board, self._parts.load() or ComputerLoad())
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")

    async def about(self, request: Request) -> Response:
        return JSONResponse(finite(self._parts.about.as_json()))

    async def live(self, request: Request) -> Response:
        if self._viewers >= MOST_VIEWERS:
            return PlainTextResponse(f"{MOST_VIEWERS} pages are open already; close one.\n", 503)
        feed = LiveFeed(self._parts.board, self._parts.targets, self._parts.load)
        return StreamingResponse(self._watched(feed), media_type="text/event-stream")

    async def _watched(self, feed: LiveFeed) -> AsyncIterator[bytes]:
        self._viewers += 1
        try:
            async for message in feed.events():
                yield message
        finally:
            self._viewers -= 1

    async def ground(self, request: Request) -> Response:
        after_id = _whole(request.query_params.get("after", "0"))
        rows = await asyncio.to_thread(self._parts.ground.ground_rows, after_id, _GROUND_ROWS)
        keyframes = [
            [int(one), round(float(place[0]), 7), round(float(place[1]), 7), round(float(side), 2)]
            for one, place, side in zip(rows.ids, rows.ground, rows.footprints_m, strict=True)
        ]
        return JSONResponse({"keyframes": keyframes, "more": len(keyframes) == _GROUND_ROWS})

    async def live_view(self, request: Request) -> Response:
        snapshot = self._parts.board.snapshot
        if snapshot is None or snapshot.frame is None:
            return PlainTextResponse("no frame has come yet.\n", 404)
        frame = snapshot.frame
        return await _picture(lambda: self._parts.views.live(frame))

    async def matched_view(self, request: Request) -> Response:
        snapshot = self._parts.board.snapshot
        if snapshot is None or snapshot.matched is None:
            return PlainTextResponse("nothing has been recognised yet.\n", 404)
        matched = snapshot.matched
        return await _picture(lambda: self._parts.views.matched(matched))

    async def keyframe(self, request: Request) -> Response:
        wanted_px = _whole(request.query_params.get("px", "320"))
        side_px = next((side for side in _KEYFRAME_SIDES_PX if side >= wanted_px), _KEYFRAME_SIDES_PX[-1])
        keyframe_id = min(request.path_params["keyframe_id"], _NEWEST)
        return await _picture(lambda: self._parts.views.keyframe(keyframe_id, side_px), _FOREVER)

    async def target_picture(self, request: Request) -> Response:
        target = self._parts.targets.get(request.path_params["upload_id"])
        if target is None:
            return PlainTextResponse("that target is not kept any more.\n", 404)
        return Response(target.thumbnail, media_type="image/jpeg", headers=_FOREVER)

    # What changes something; the guard has seen the token

    async def token(self, request: Request) -> Response:
        return JSONResponse({"token": "good"})

    async def command(self, request: Request) -> Response:
        asked = await _json(request)
        command = asked.pop("command", None)
        keys = _COMMANDS.get(command) if isinstance(command, str) else None
        if keys is None or set(asked) != keys:
            raise UploadError(400, f"a command is one of {', '.join(_COMMANDS)}, with the keys that belong to it.")
        answer = await self._parts.asker.ask({"command": command, **asked})
        return JSONResponse(finite(answer), 409 if answer.get("error") else 200)

    async def upload(self, request: Request) -> Response:
        gsd_m = _metres(request.query_params.get("gsd_m", ""))
        try:
            target = await self._parts.targets.upload(request.stream(), request.query_params.get("name", ""), gsd_m)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody hears it
        return JSONResponse(finite(target.as_json()), 202)

    async def locate(self, request: Request) -> Response:
        if not self._parts.targets.locate(request.path_params["upload_id"]):
            return JSONResponse({"error": "that target is not kept any more; send it again."}, 404)
        return JSONResponse({"locating": request.path_params["upload_id"]}, 202)


_NEWEST = (1 << 63) - 1  # SQLite's largest id
_FOREVER = {"cache-control": "private, max-age=86400, immutable"}  # of this run of the daemon, which the address names


async def _refused(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, getattr(error, "status", 404), {"connection": "close"})


async def _picture(make: Callable[[], bytes], headers: dict[str, str] | None = None) -> Response:
    try:
        return Response(await asyncio.to_thread(make), media_type="image/jpeg", headers=headers)
    except HistoryError:  # its sentence names a path of this computer
        return PlainTextResponse("that keyframe cannot be read.\n", 404)


async def _json(request: Request) -> dict[str, Any]:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > _MOST_COMMAND_BYTES:
            raise UploadError(413, "a command is a small JSON object.")
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):
        asked = None
    if not isinstance(asked, dict):
        raise UploadError(400, "a command is a small JSON object.")
    return asked


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise UploadError(400, "that is no whole number.")
    return int(text)


def _metres(text: str) -> float | None:
    if not text:
        return None
    try:
        metres = float(text)
    except ValueError:
        metres = math.nan
    if not (math.isfinite(metres) and metres > 0):
        raise UploadError(400, "the scale is a positive number of metres per pixel.")
    return metres
