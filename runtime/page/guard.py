"""The door of the page: every request is judged here first, and every answer leaves with the same headers."""

from __future__ import annotations

from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runtime.page.access import Access

_HEADERS = {
    # Everything comes from here, nothing runs that is written in the page, and nobody shows it in a frame of theirs.
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
}


class Guard:
    """Lets through what `Access` allows."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An ASGI application."""
        if scope["type"] != "http":
            return
        refusal = self._access.refusal(scope["method"], _headers(scope))
        if refusal is None:
            await self._app(scope, receive, _with_headers(send))
        else:
            answer = JSONResponse({"error": refusal.reason}, refusal.status, {"connection": "close"})
            await answer(scope, receive, _with_headers(send))


def _headers(scope: Scope) -> dict[str, str]:
    """By lower-case name; of one that comes twice both, so that no allowed value hides another."""
    found: dict[str, str] = {}
    pairs: Any = scope["headers"]
    for name, value in pairs:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        found[key] = f"{found[key]},{text}" if key in found else text
    return found


def _with_headers(send: Send) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers[name] = value
            headers.setdefault("cache-control", "no-store")
        await send(message)

    return sent
