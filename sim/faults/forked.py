"""A copy of this process that goes on from the very same instant, does one thing, and says what came of it."""

from __future__ import annotations

import os
import pickle
import traceback
from collections.abc import Callable
from typing import Any, TypeVar

Result = TypeVar("Result")


def in_a_copy(work: Callable[[], Result]) -> Result:
    """What ``work`` gives, done in a copy of this process, of which nothing else is left.

    No other thread may run in this process, for the copy has none of them.

    Raises:
        RuntimeError: the copy ended otherwise.
    """
    read, write = os.pipe()
    copy = os.fork()
    if copy == 0:
        os.close(read)
        _say(write, work)
    os.close(write)
    with open(read, "rb") as said:
        data = said.read()
    _, status = os.waitpid(copy, 0)
    if not data:
        raise RuntimeError(f"a copy of the simulation ended with status {os.waitstatus_to_exitcode(status)}.")
    result, error = pickle.loads(data)  # noqa: S301 (of this very program)
    if error:
        raise RuntimeError(error)
    return result  # type: ignore[no-any-return]


def _say(write: int, work: Callable[[], Any]) -> None:
    try:
        said: tuple[Any, str] = work(), ""
    except BaseException:  # the copy's end: it is told to the process that waits for it
        said = None, traceback.format_exc()
    with open(write, "wb") as answer:
        answer.write(pickle.dumps(said))
    os._exit(0)
