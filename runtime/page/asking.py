"""Asking the daemon, as the control socket does, without a thread that waits for the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

Answer = dict[str, Any]
Submit = Callable[[Answer, Callable[[Answer], None]], None]
_ANSWER_WITHIN_S = 120.0  # a locate over a large history on a small computer


class Asker:
    """Hands requests to the daemon's inbox; its answers come back into the page's event loop."""

    def __init__(self, submit: Submit) -> None:
        self._submit = submit

    async def ask(self, request: dict[str, Any]) -> Answer:
        """The daemon's answer; a refusal is an answer with ``error``."""
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[Answer] = loop.create_future()

        def take(answer: Answer) -> None:
            if not answered.done():
                answered.set_result(answer)

        def reply(answer: Answer) -> None:  # in the deciding thread: it leaves the answer, and waits for nothing
            if not loop.is_closed():
                loop.call_soon_threadsafe(take, answer)

        self._submit(request, reply)
        try:
            return await asyncio.wait_for(answered, _ANSWER_WITHIN_S)
        except asyncio.TimeoutError:
            return {"error": "the daemon is too busy to answer."}
